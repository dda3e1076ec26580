"""What the tests of this directory share: octets to and from a server in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.support import get
from tinyhttp.testing import MemoryServer
from tinyhttp.testing.content import Content

A = bytes(range(256)) * 4
"""What is at ``/a.bin``."""


class Wire(Protocol):
    """A client that knows only octets."""

    transport: Any

    def __init__(self) -> None:
        self.received = bytearray()
        self.end: str | None = None
        """The name of the reason for the end."""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert reason.type is not None
        self.end = reason.type.__name__

    def send(self, data: bytes) -> "Wire":
        self.transport.write(data)
        return self

    @property
    def head(self) -> str:
        return self.received.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return bytes(self.received.partition(b"\r\n\r\n")[2])

    def field(self, name: str) -> list[str]:
        lines = [line.partition(": ") for line in self.head.split("\r\n")[1:]]
        return [value for n, _, value in lines if n.lower() == name.lower()]

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])


def connected(server: MemoryServer) -> Wire:
    made: list[Wire] = []
    _ = server.endpoint.connect(Factory.forProtocol(Wire)).addCallback(made.append)
    return made[0]


def ask(server: MemoryServer, target: str = "/a.bin", *fields: str, method: str = "GET") -> Wire:
    """Return a new connection on which that was asked."""
    return connected(server).send(get(target, *fields, method=method))


@contextmanager
def memory(content: Content | None = None, **options: Any) -> Iterator[MemoryServer]:
    content = {"/a.bin": A, "/b/c.txt": "text"} if content is None else content
    server = MemoryServer(content, **options)
    try:
        yield server
    finally:
        _ = server.stop()
    assert server.clock.getDelayedCalls() == []
