"""Real processes: the four ways of starting the server, and how tests wait for what they say.

Nothing here sleeps: a test waits for a line in a pipe or for the end of a process, and whatever it
waits for has a limit. Every process is killed by its id when its test is over.
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import IO

import pytest

PATIENCE = 30.0
"""Seconds until a test gives up on what it waits for. Far more than any of it takes."""

SCRIPTS = Path(sysconfig.get_path("scripts"))

WAYS: dict[str, list[str]] = {
    "twistd": [str(SCRIPTS / "twistd"), "--nodaemon", "--pidfile=", "tinyhttp"],
    "twist": [str(SCRIPTS / "twist"), "--log-format=text", "tinyhttp"],
    "module": [sys.executable, "-m", "tinyhttp"],
    "command": [str(SCRIPTS / "tinyhttp")],
}
"""The four ways of starting it; options of the server's own go behind."""

every_way = pytest.mark.parametrize("way", WAYS)

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")


def environment(**changes: str) -> dict[str, str]:
    """Return the environment for a server: this one, without what would change the test."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("PORT", "WEB_CONCURRENCY")
    }
    return {**inherited, **changes}


class _Reader(threading.Thread):
    """Takes what a process writes to a pipe, so that the process never waits for its reader."""

    def __init__(self, pipe: IO[str]):
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self.ended = False
        self.news = threading.Condition()
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        with self._pipe:
            for line in self._pipe:
                with self.news:
                    self.lines.append(line)
                    self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    @property
    def text(self) -> str:
        with self.news:
            return "".join(self.lines)


class Running:
    """A process under way; as a context manager it is killed at the end, whatever happens."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ):
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment() if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            pass_fds=pass_fds,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out = _Reader(self._process.stdout)
        self._err = _Reader(self._process.stderr)
        self._forgotten = 0
        # For a test that hangs where nothing else has a limit.
        self._limit = threading.Timer(4 * PATIENCE, self._process.kill)
        self._limit.daemon = True
        self._limit.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.wait(PATIENCE)
        self._out.join(PATIENCE)
        self._err.join(PATIENCE)

    @property
    def out(self) -> str:
        """What it has written to standard output; all of it once `end` has returned."""
        return self._out.text

    @property
    def err(self) -> str:
        return self._err.text

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line on standard output in which ``pattern`` is found."""
        reader, seen = self._out, self._forgotten
        deadline = time.monotonic() + PATIENCE
        with reader.news:
            while True:
                for line in reader.lines[seen:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                seen = len(reader.lines)
                left = deadline - time.monotonic()
                if reader.ended or left <= 0:
                    break
                reader.news.wait(left)
        pytest.fail(f"no line with {pattern!r} came; out: {self.out!r}; err: {self.err!r}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def forget(self) -> None:
        """Have `line` wait for lines that come from now on."""
        with self._out.news:
            self._forgotten = len(self._out.lines)

    def port(self) -> int:
        """Wait until it listens, and return the TCP port."""
        return int(self.line(r"listening on (?:port |https?://\S+:)(\d+)")[1])

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit status: negative, if a signal killed it."""
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not end; out: {self.out!r}; err: {self.err!r}")
        self._out.join(PATIENCE)
        self._err.join(PATIENCE)
        return status

    def terminate(self) -> int:
        """Ask it to end, as supervisors do, and return the exit status."""
        self.send(signal.SIGTERM)
        return self.end()


def start(way: str, *options: str, cwd: Path, env: Mapping[str, str] | None = None) -> Running:
    """Start the server in one of the `WAYS`."""
    return Running([*WAYS[way], *options], cwd=cwd, env=env)


def same(octets: bytes, wanted: bytes) -> bool:
    """Return whether two long bodies are equal; fail with the first octet that differs.

    pytest's own comparison prints megabytes, and takes minutes to find out which.
    """
    if octets == wanted:
        return True
    common = next((i for i, (a, b) in enumerate(zip(octets, wanted, strict=False)) if a != b), None)
    if common is None:
        common = min(len(octets), len(wanted))
    around = slice(max(0, common - 20), common + 20)
    pytest.fail(
        f"{len(octets)} octets instead of {len(wanted)}, different from octet {common} on: "
        f"{octets[around]!r} instead of {wanted[around]!r}"
    )


def fetch(
    port: int, target: str = "/", host: str = "127.0.0.1", **fields: str
) -> tuple[HTTPResponse, bytes]:
    """Return the response to a GET, and its body."""
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", target, headers=fields)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def fetch_over_unix(path: Path, target: str = "/") -> bytes:
    """Return the body of the response to a GET through a UNIX socket."""
    connection = HTTPConnection("localhost", timeout=PATIENCE)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(os.fspath(path))
        connection.request("GET", target)
        return connection.getresponse().read()
    finally:
        connection.close()


class Daemon:
    """A process that is nobody's child, known by its id; killed at the end."""

    def __init__(self, pid: int):
        self._handle = os.pidfd_open(pid)

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self._ended(0):
                self.send(signal.SIGKILL)
                self._ended(PATIENCE)
        finally:
            os.close(self._handle)

    def send(self, number: signal.Signals) -> None:
        signal.pidfd_send_signal(self._handle, number)

    def end(self) -> None:
        assert self._ended(PATIENCE), "the daemon does not end"

    def _ended(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
