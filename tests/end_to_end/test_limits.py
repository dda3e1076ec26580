"""Limits against real crowds: they cost those who make them, and nobody else.

The server is a process of its own, with a number of descriptors of its own.
"""

import json
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import get, read_answers, write_tree

from .processes import PATIENCE, Running

HOT = b"wanted all the time\n"
COLD = b"wanted once\n"
BIG = bytes(8 * 1024 * 1024)
CROWD = 5000

every_transport = pytest.mark.parametrize("transport", ["own", "stock"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = {"hot.txt": HOT, "big.bin": BIG, **{f"cold-{n}.txt": COLD for n in range(50)}}
    return write_tree(tmp_path / "site", files)


@contextmanager
def server(site: Path, descriptors: int, transport: str = "own", **quotas: Any) -> Iterator[int]:
    """Run a server, and give its port."""
    program = str(Path(__file__).with_name("limited.py"))
    rest = ["stock"] if transport == "stock" else []
    command = [sys.executable, program, str(site), str(descriptors), json.dumps(quotas), *rest]
    with Running(command, cwd=site) as running:
        yield int(running.line(r"port (\d+) places")[1])


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def ask(sock: socket.socket, target: str, body: bytes) -> None:
    """Ask for ``target`` and wait for the answer, which is its ``body``."""
    sock.sendall(get(target))
    received = b""
    while not received.endswith(body):
        block = sock.recv(65536)
        assert block, received
        received += block
    (answer,) = read_answers(received)
    assert answer.status == 200


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Let this process have so many descriptors, or skip the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"no more than {hard} descriptors on this machine")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def read_to_end(sock: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionResetError):
        while block := sock.recv(65536):
            received += block
    return bytes(received)


def test_thousands_that_trickle_disturb_nobody(site: Path) -> None:
    """Each has sent the beginning of a head; each gets an end, and who does his part notices none.

    Slowloris, as it is called.
    """
    with (
        descriptors(CROWD + 500),
        server(site, CROWD + 500, receive_rate=50, receive_grace=1.5) as port,
        ExitStack() as stack,
    ):
        normal = stack.enter_context(closing(connect(port)))
        crowd = []
        for n in range(CROWD):
            sock = stack.enter_context(closing(connect(port)))
            sock.sendall(b"GET / HTTP/1.1\r\n")
            crowd.append(sock)
            if n % 100 == 0:
                ask(normal, f"/cold-{n // 100}.txt", COLD)
                ask(normal, "/hot.txt", HOT)
        for sock in crowd:
            assert read_to_end(sock).startswith(b"HTTP/1.1 408 ")
        ask(normal, "/hot.txt", HOT)


@every_transport
def test_a_flood_beyond_the_descriptors(site: Path, transport: str) -> None:
    """Who has a request under way keeps its place, and whoever comes later is served as well."""
    with server(site, 128, transport) as port, ExitStack() as stack:
        busy = stack.enter_context(closing(connect(port)))
        busy.sendall(get("/big.bin", "Connection: close"))
        assert busy.recv(1).startswith(b"H")
        flood = [stack.enter_context(closing(connect(port))) for _ in range(300)]
        received = read_to_end(busy)
        assert len(received) > len(BIG)
        assert received.endswith(BIG)
        for sock in flood:
            sock.close()
        served(port, "/cold-0.txt", COLD)
        served(port, "/hot.txt", HOT)


def served(port: int, target: str, body: bytes) -> None:
    """Ask until there is an answer: Twisted's ports close where ours have one wait."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        with closing(connect(port)) as sock, suppress(ConnectionError, AssertionError):
            ask(sock, target, body)
            return
    pytest.fail("nobody is served any more")


@every_transport
def test_a_peer_that_reads_an_octet_a_second(site: Path, transport: str) -> None:
    """The kernel's buffers are full of what it does not take; what it takes is too little."""
    with (
        server(site, 256, transport, send_rate=100_000, send_window=1) as port,
        closing(socket.socket()) as slow,
        closing(connect(port)) as normal,
    ):
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", port))
        slow.sendall(get("/big.bin"))
        poll = select.poll()
        poll.register(slow, select.POLLERR | select.POLLHUP)
        limit = time.monotonic() + PATIENCE
        while not poll.poll(1000):
            assert slow.recv(1), "ended in order, as if it had got everything"
            assert time.monotonic() < limit, "it may go on for ever"
        ask(normal, "/big.bin", BIG)


@every_transport
def test_a_bandwidth(site: Path, transport: str) -> None:
    """Three seconds' worth take two: the first is given in advance."""
    rate = 1_000_000
    with server(site, 256, transport, bandwidth=rate) as port, closing(connect(port)) as sock:
        began = time.monotonic()
        sock.sendall(get("/big.bin", f"Range: bytes=0-{3 * rate - 1}", "Connection: close"))
        received = len(read_to_end(sock))
        assert 3 * rate < received < 3 * rate + 1000
        assert 1.9 < time.monotonic() - began < 4
