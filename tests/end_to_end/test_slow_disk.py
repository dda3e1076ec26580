"""A slow disk keeps those waiting who want something from it, and nobody else.

On a real one: a file system of our own, each read of which takes half a second, mounted below the
directory that is served.
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support import get, read_answers, write_tree

from .processes import PATIENCE, Running, same, start
from .slow_disk import NAMES, content, unmount

HOT = b"<!doctype html><title>Wanted all the time</title>\n"

pytestmark = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="no /dev/fuse for us on this machine"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = write_tree(tmp_path / "site", {"hot.html": HOT})
    (root / "cold").mkdir()
    return root


@contextmanager
def slow_disk(site: Path, seconds: str, *options: str) -> Iterator[Running]:
    """Mount the file system on ``cold`` in ``site``; gone at the end, whatever happens."""
    program = Path(__file__).with_name("slow_disk.py")
    directory = site / "cold"
    with Running(
        [sys.executable, str(program), str(directory), seconds, *options], cwd=site
    ) as disk:
        try:
            mounted(disk)
            yield disk
        finally:
            unmount(os.fsencode(directory))


def mounted(disk: Running) -> None:
    try:
        disk.line("mounted")
    except pytest.fail.Exception:
        disk.end()
        if disk.err.startswith("no file system of our own here"):
            pytest.skip(disk.err.strip())
        raise


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


class Clients:
    """One for each cold file, all of which ask at the same time."""

    def __init__(self, port: int, stack: ExitStack):
        self.sockets = {name: stack.enter_context(closing(connect(port))) for name in NAMES}
        for name, sock in self.sockets.items():
            sock.sendall(get(f"/cold/{name}", "Connection: close"))

    @property
    def answered(self) -> int:
        """How many have got anything at all."""
        return len(select.select([*self.sockets.values()], [], [], 0)[0])

    def check(self) -> None:
        """Wait for all answers, which are whole and right."""
        assert len(self.sockets) == 50
        for name, sock in self.sockets.items():
            received = bytearray()
            while block := sock.recv(65536):
                received += block
            (answer,) = read_answers(bytes(received))
            assert answer.status == 200, name
            assert same(answer.body, content(name))


def fetch_hot(sock: socket.socket) -> None:
    sock.sendall(get("/hot.html"))
    received = b""
    while not received.endswith(HOT):
        received += sock.recv(65536)
    (answer,) = read_answers(received)
    assert answer.status == 200


def server(site: Path, *options: str) -> Running:
    listen = ["--port", "tcp:0:interface=127.0.0.1", "--access-log", "none"]
    return start("twistd", *listen, "--path", str(site), *options, cwd=site)


def test_hot_files_do_not_wait_for_cold_ones(site: Path) -> None:
    """Four threads wait for the disk. Two times four answers is the most there could be by then."""
    with slow_disk(site, "0.5") as disk, server(site) as running, ExitStack() as stack:
        port = running.port()
        hot = stack.enter_context(closing(connect(port)))
        fetch_hot(hot)
        clients = Clients(port, stack)
        disk.line("reading small")
        for _ in range(200):
            fetch_hot(hot)
        assert clients.answered <= 8
        clients.check()
        fetch_hot(hot)
        assert running.terminate() == 0


@pytest.mark.parametrize("transport", [[], ["--plain-transport"]], ids=["own", "plain"])
def test_hot_files_do_not_wait_for_a_dead_disk(site: Path, transport: list[str]) -> None:
    """No read is ever answered while the hot ones are served, so none of them can have waited."""
    with (
        slow_disk(site, "0.01", "held") as disk,
        server(site, *transport) as running,
        ExitStack() as stack,
    ):
        port = running.port()
        hot = stack.enter_context(closing(connect(port)))
        fetch_hot(hot)
        clients = Clients(port, stack)
        disk.line("reading small")
        for _ in range(200):
            fetch_hot(hot)
        assert clients.answered == 0
        disk.send(signal.SIGUSR1)
        clients.check()
        assert running.terminate() == 0


def test_without_threads_everybody_waits(site: Path) -> None:
    """The price of ``--threads 0``: it is for disks that never keep one waiting."""
    with (
        slow_disk(site, "0.01", "held") as disk,
        server(site, "--threads", "0") as running,
        ExitStack() as stack,
    ):
        port = running.port()
        hot, cold = (stack.enter_context(closing(connect(port))) for _ in range(2))
        fetch_hot(hot)
        cold.sendall(get("/cold/small-00.bin"))
        disk.line("reading small-00")
        hot.sendall(get("/hot.html"))
        assert select.select([hot], [], [], 0.3)[0] == [], "nobody is there to answer"
        disk.send(signal.SIGUSR1)
        assert hot.recv(65536).endswith(HOT)
        received = b""
        while len(received) < 50_000:
            received += cold.recv(65536)
        (answer,) = read_answers(received)
        assert same(answer.body, content("small-00.bin"))
        assert running.terminate() == 0
