"""A series of measurements: round by round, case by case, server after server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import product
from pathlib import Path
from shutil import rmtree, which
from tempfile import TemporaryDirectory
from types import FrameType

from .cases import Case
from .content import warm, write_content
from .errors import OutOfTimeError, UnableError
from .launch import Job
from .results import Results
from .rules import write_rules
from .running import Cores, free_port, running
from .sample import Sample
from .servers import Server

__all__ = ["Series"]

_OPENSSL = (
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
)
_OVERHEAD = 60
"""Seconds that a measurement may take beside the load: to start, to open connections, to end."""


@contextmanager
def _workplace() -> Iterator[Path]:
    """Make a directory with the content in it; it is gone after the block.

    Everyone may read it: a server that was started by root reads files as somebody else.
    """
    with TemporaryDirectory(prefix="benchmarks-") as name:
        path = Path(name)
        path.chmod(0o755)
        write_content(path / "content")
        yield path


@dataclass
class Series:
    """Measurements that are still to be made."""

    cases: Sequence[Case]
    servers: Sequence[Server]
    rounds: int
    seconds: int
    cores: Cores
    _warm: set[str] = field(default_factory=set)
    _hopeless: set[tuple[str, str]] = field(default_factory=set)
    """What a server has turned out to be unable to do: not tried again in later rounds."""

    def run(self, results: Results) -> None:
        """Make them, and say on standard error how each went."""
        every = list(product(range(self.rounds), self.cases, self.servers))
        if not every:
            return
        with _workplace() as place:
            for number, (_, case, server) in enumerate(every, 1):
                if (case.name, server.name) not in self._hopeless:
                    said = self._measure(case, server, place, results)
                    _progress(f"{number}/{len(every)} {case.name} {server.name}: {said}")

    def _measure(self, case: Case, server: Server, place: Path, results: Results) -> str:
        """Make one measurement, keep what it came to, and return that in a few words."""
        begun = time.monotonic()
        try:
            sample = self._sample(case, server, place)
        except (UnableError, OSError, HTTPException) as error:
            reason = _reason(error)
            results.note(case.name, server.name, reason)
            if isinstance(error, UnableError) and not isinstance(error, OutOfTimeError):
                self._hopeless.add((case.name, server.name))
            return reason
        results.add(case.name, server.name, sample)
        took = time.monotonic() - begun
        return f"{sample.value:.4g} {case.unit}, {sample.errors} errors ({took:.1f} s)"

    def _sample(self, case: Case, server: Server, place: Path) -> Sample:
        """Start the server, measure, end it; raises `UnableError` where there is nothing to see."""
        missing = set(case.needs) - set(server.able)
        if missing:
            raise UnableError(_INABILITY[min(missing)])
        self._warm_up(case, place)
        job = _job(case, place)
        try:
            with (
                _time_limit(self.seconds + _OVERHEAD),
                running(server.command(job), job, self.cores.server) as started,
            ):
                return case.measure(started, self.seconds)
        finally:
            rmtree(job.work, ignore_errors=True)

    def _warm_up(self, case: Case, place: Path) -> None:
        """Have the large files of a case in the page cache."""
        for name in sorted(set(case.files) - self._warm):
            warm(place / "content" / name)
            self._warm.add(name)


def _job(case: Case, place: Path) -> Job:
    """Return what the case asks of a server, with a directory that is new."""
    work = place / "work"
    work.mkdir(mode=0o755)
    return Job(
        port=free_port(),
        root=place / "content",
        work=work,
        log=work / "access.log" if "log" in case.needs else None,
        tls=_certificate(place) if "tls" in case.needs else None,
        rules=_rules(work) if "rules" in case.needs else None,
        room=case.room,
    )


_INABILITY = {
    "large": "holds whole files in memory: not asked for large ones",
    "log": "has no access log",
    "rules": "has no such rules",
    "many": "has a thread for each connection: not asked for 10,000",
    "tls": "has no TLS",
}


def _rules(work: Path) -> Path:
    file = work / "rules.toml"
    write_rules(file)
    return file


def _reason(error: Exception) -> str:
    """Return what went wrong in a few words, without anything that names this machine."""
    if isinstance(error, UnableError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "takes connections, but does not answer in time"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return type(error).__name__


def _certificate(place: Path) -> tuple[Path, Path]:
    """Return a certificate and its key, P-256 as most sites have it; the same for all servers."""
    certificate, key = place / "certificate.pem", place / "key.pem"
    if not certificate.exists():
        if which("openssl") is None:
            raise UnableError("openssl, which makes the certificate, is not installed")
        subprocess.run(
            [*_OPENSSL, "-keyout", str(key), "-out", str(certificate)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return certificate, key


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTimeError` in the block if it takes longer."""

    def give_up(signal_number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError(f"not measured within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
