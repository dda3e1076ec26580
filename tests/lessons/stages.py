"""The stages as processes: each is started as a reader would, in a copy of the code.

Readers type their commands in ``docs/lessons/code``; here a copy is used, with ``site`` made in it,
so that the checkout stays as it is.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.processes import PATIENCE, SCRIPTS, environment

LESSONS = Path(__file__).parents[2] / "docs" / "lessons"
CODE = LESSONS / "code"

PROMPTED = frozenset({"stage2_threads_flawed", "stage2_threads"})
"""Stages that ask for their port."""

LISTENS = re.compile(rb"listening on 127\.0\.0\.1:(\d+)|Answers starting on (\d+)")


def copy_of_the_code(parent: Path) -> Path:
    """Return a directory like docs/lessons/code, beneath ``parent``, with ``site`` in it."""
    ignored = shutil.ignore_patterns("__pycache__", "site", "dropin.cache")
    code = Path(shutil.copytree(CODE, parent / "code", ignore=ignored))
    slow = code / "stage7_threads.py"
    assert "sleep(1)" in slow.read_text()
    slow.write_text(slow.read_text().replace("sleep(1)", "sleep(0.2)"))  # readers need a second
    subprocess.run([sys.executable, "make_site.py"], cwd=code, check=True, capture_output=True)
    return code


class Stage:
    """A process of a stage, in a session of its own; what it writes is kept."""

    def __init__(
        self,
        name: str,
        code: Path,
        *more: str,
        typed: str = "0\n",
        prefix: Sequence[str] = (),
    ):
        self._process = subprocess.Popen(
            [*prefix, *command(name, *more)],
            cwd=code,
            env=environment(PYTHONPATH=f"stage8_plugin{os.pathsep}."),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        if name in PROMPTED:
            self._process.stdin.write(typed.encode())
            self._process.stdin.flush()
        self.written = b""

    @property
    def session(self) -> int:
        return self._process.pid

    def wait_for(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Wait until it has written what ``pattern`` finds."""
        while not (found := pattern.search(self.written)):
            self.read()
        return found

    def read(self) -> None:
        """Wait for something to be written, and keep it."""
        select.select([self._pipe], [], [], PATIENCE)
        try:
            octets = os.read(self._pipe, 65536)
        except BlockingIOError:
            octets = b""
        if not octets:
            pytest.fail(f"it writes nothing more than {self.written!r}")
        self.written += octets

    def port(self) -> int:
        """Wait until it listens, and return its port."""
        found = self.wait_for(LISTENS)
        return int(found[1] or found[2])

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal tells all processes of the session."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for it to end by itself, and return the status."""
        status = self._process.wait(PATIENCE)
        with suppress(BlockingIOError):
            while octets := os.read(self._pipe, 65536):
                self.written += octets
        return status

    def close(self) -> None:
        """End it and its children: none of them has anything to keep."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        with suppress(BrokenPipeError):
            self._process.stdin.close()


def command(name: str, *more: str) -> list[str]:
    """Return the command line that starts a stage on any free port."""
    if name == "stage8_plugin":
        twistd = [sys.executable, str(SCRIPTS / "twistd"), "--nodaemon", "--pidfile="]
        return [*twistd, "lesson", "--port", "0"]
    asked = [] if name in PROMPTED else ["0"]
    return [sys.executable, f"{name}.py", *asked, *more]


@contextmanager
def started(
    name: str,
    code: Path,
    *more: str,
    typed: str = "0\n",
    prefix: Sequence[str] = (),
) -> Iterator[Stage]:
    """Start a stage, and end it after the block."""
    stage = Stage(name, code, *more, typed=typed, prefix=prefix)
    try:
        yield stage
    finally:
        stage.close()
