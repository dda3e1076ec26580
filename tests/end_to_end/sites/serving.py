"""A server for the tests of sites, and what has been asked of it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from ..processes import Running, fetch, start

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

Fields = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A request that has reached the server, and what it has answered."""

    target: str
    status: int


class Site:
    """A site that is served."""

    def __init__(self, process: Running, root: Path):
        self.process = process
        self.root = root
        self.port = process.port()
        self._marks = count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self) -> list[Asked]:
        """Return what has been asked since the last call, by the access log.

        A request of our own comes last, and the answers before it have their lines before its.
        """
        mark = f"/mark-{next(self._marks)}"
        fetch(self.port, mark)
        self.process.line(mark)
        lines = [json.loads(line) for line in self.process.out.splitlines() if line.startswith("{")]
        entries = [Asked(line["target"], line["status"]) for line in lines]
        ended = max(n for n, entry in enumerate(entries) if entry.target == mark)
        before = (n for n, entry in enumerate(entries[:ended]) if entry.target.startswith("/mark-"))
        return entries[max(before, default=-1) + 1 : ended]

    def curl(self, path: str, *options: str) -> tuple[int, Fields, bytes]:
        """Return status, fields (names in lower case) and body as curl gets them."""
        line = ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-D", "-", *options]
        done = subprocess.run([*line, self.url + path], capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        parted = (line.partition(": ") for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, _, value in parted}, body


@contextmanager
def served(root: Path, *options: str) -> Iterator[Site]:
    """Serve ``root`` in a process of its own."""
    log = ["--access-log=-", "--access-log-format=json"]
    where = ["--port=tcp:0:interface=127.0.0.1", f"--path={root}"]
    with start("command", *where, *log, *options, cwd=root) as process:
        yield Site(process, root)
