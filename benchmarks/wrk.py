"""The load generator: wrk, told what to ask for by a script, and telling what it counted."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from .errors import OutOfTimeError, UnableError

__all__ = ["WRK", "Counted", "Load", "loading", "run", "warm_up"]

WRK = which("wrk")
"""The program, or ``None`` where it is not installed."""

_SCRIPTS = Path(__file__).with_name("scripts")
_GRACE = 20
"""Seconds that wrk may take longer than it was told to."""


@dataclass(frozen=True)
class Load:
    """What is asked for, and by how many."""

    url: str
    connections: int
    script: str = "report"
    fields: dict[str, str] = field(default_factory=dict)

    def command(self, seconds: int) -> list[str]:
        """Return the command line for so many seconds of it."""
        given = [f"--header={name}: {value}" for name, value in self.fields.items()]
        how_much = ["-t", "1", "-c", str(self.connections), "-d", f"{seconds}s", "--timeout", "30s"]
        return [str(WRK), *how_much, *given, "-s", f"{self.script}.lua", self.url]


@dataclass(frozen=True)
class Counted:
    """What wrk has counted; whole responses only, but octets of the others too."""

    microseconds: int
    requests: int
    octets: int
    p50: int
    """Microseconds, like ``p99``; of batches where requests are pipelined."""
    p99: int
    connect: int
    """Errors, like all that follow."""
    read: int
    write: int
    timeout: int
    status: int
    """Responses with a status from 400 on."""

    @property
    def lost(self) -> int:
        """How many connections and requests came to nothing."""
        return self.connect + self.read + self.write + self.timeout


def run(load: Load, seconds: int) -> Counted:
    """Return what so many seconds of this load came to."""
    with _started(load.command(seconds)) as process:
        try:
            output, _ = process.communicate(timeout=seconds + _GRACE)
        except subprocess.TimeoutExpired:
            raise OutOfTimeError("wrk did not end in time") from None
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise UnableError("does not answer wrk")
    return Counted(**json.loads(lines[-1]))


def warm_up(load: Load) -> None:
    """Ask for half a second, and count nothing."""
    with _started(load.command(_GRACE)) as process:
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_GRACE)


@contextmanager
def loading(load: Load, seconds: int) -> Iterator[None]:
    """Keep up a load that gives way to any other, for the length of the block or so long."""
    with _started(["nice", "-n", "19", *load.command(seconds)]):
        yield


@contextmanager
def _started(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Start wrk where its scripts are; it is gone when the block is left."""
    with subprocess.Popen(
        command, cwd=_SCRIPTS, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()
