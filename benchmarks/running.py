"""A server that runs: started on a free port, pinned, and gone when it is no longer needed."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from shutil import which

from .asking import ask
from .content import SMALL
from .errors import UnableError
from .launch import Command, Job

__all__ = ["Cores", "Running", "choose_cores", "free_port", "running"]

_START = 20
"""Seconds within which a server must answer."""
_TASKSET = which("taskset")


@dataclass(frozen=True)
class Cores:
    """Which processor the server gets, and which all that measures it; ``None``: any."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """Return two different ones where there are two, and taskset to pin a program to them."""
    cores = sorted(os.sched_getaffinity(0))
    return Cores(cores[0], cores[1]) if len(cores) > 1 and _TASKSET else Cores(None, None)


def free_port() -> int:
    """Return a port on 127.0.0.1 on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    process: "subprocess.Popen[str]"
    job: Job
    started_in: float
    """Seconds from its command to the first response."""

    @property
    def session(self) -> int:
        """The session of its processes."""
        return self.process.pid

    def url(self, target: str) -> str:
        """Return the URL of ``target``, a path."""
        return f"{'https' if self.job.tls else 'http'}://127.0.0.1:{self.job.port}{target}"


@contextmanager
def running(command: Command, job: Job, core: int | None) -> Iterator[Running]:
    """Start a server and wait until it answers; end all of its processes after the block."""
    pinned = [str(_TASKSET), "-c", str(core)] if core is not None else []
    begun = time.perf_counter()
    with _process([*pinned, *command.line], command, job.work) as process:
        _wait_until_it_answers(process, job)
        yield Running(process, job, time.perf_counter() - begun)


@contextmanager
def _process(line: list[str], command: Command, work: Path) -> Iterator["subprocess.Popen[str]"]:
    with ExitStack() as stack:
        streams = [
            stack.enter_context((path or Path(os.devnull)).open("a"))
            for path in (command.stdout, command.stderr)
        ]
        process = subprocess.Popen(
            line,
            cwd=work,
            text=True,
            stdin=subprocess.PIPE,
            stdout=streams[0],
            stderr=streams[1],
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(command.typed)
            process.stdin.close()
            yield process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """End the server and its children: none of them has anything to keep."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_it_answers(process: "subprocess.Popen[str]", job: Job) -> None:
    """Return as soon as there is a response; raises `UnableError` where there is none."""
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UnableError(f"ends at once, with status {process.returncode}")
        try:
            ask(job.port, f"/{SMALL}", {}, tls=job.tls is not None)
        except ConnectionRefusedError:
            time.sleep(0.001)
        except (OSError, HTTPException):
            time.sleep(0.01)
        else:
            return
    raise UnableError(f"does not answer within {_START} s")
