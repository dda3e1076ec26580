"""Real sockets, of which a test says when anybody looks at them.

`Room` and `SocketReactor` ask the kernel what is ready, as the real ones do, but never on their
own: a test gives them their turns. So nothing here depends on how long anything takes.
"""

import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from twisted.internet import main
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support import FakeReactor, TurningReactor
from tinyhttp.server.transport import SocketTransport

PATIENCE: Final = 10.0
"""Seconds until a test gives up on what it waits for. Far more than any of it takes."""

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
KINDS = ["IPv4", pytest.param("IPv6", marks=needs_ipv6), "UNIX"]


def tell(wanted: Mapping[Any, str], seconds: float) -> bool:
    """Tell whoever is ready, as Twisted's reactors do; return whether anybody was."""
    poll = select.poll()
    members = {member.fileno(): member for member in wanted}
    for descriptor, member in members.items():
        mask = (select.POLLIN if "r" in wanted[member] else 0) | (
            select.POLLOUT if "w" in wanted[member] else 0
        )
        poll.register(descriptor, mask)
    events = poll.poll(seconds * 1000)
    for descriptor, event in events:
        member = members[descriptor]
        if member not in wanted:
            continue  # gone on account of an event before this one
        if event & select.POLLIN:
            why = member.doRead()
        elif event & select.POLLOUT:
            why = member.doWrite()
        else:
            why = main.CONNECTION_LOST
        if why is main.CONNECTION_DONE and event & select.POLLIN:
            member.readConnectionLost(Failure(why))
        elif why is not None:
            member.connectionLost(Failure(why))
    return bool(events)


class Room:
    """A waiting room whose members get their turns from a test."""

    def __init__(self) -> None:
        self.wanted: dict[Any, str] = {}
        """The members, and what each waits for: to read ("r"), to write ("w"), both or nothing."""

    def join(self, member: Any) -> None:
        assert member not in self.wanted
        assert member.fileno() >= 0
        self.wanted[member] = "r"

    def want(self, member: Any, *, reading: bool, writing: bool) -> None:
        assert member in self.wanted
        self.wanted[member] = "r" * reading + "w" * writing

    def leave(self, member: Any, *, stays_open: bool = False) -> None:
        assert member.fileno() >= 0, "to be left before the descriptor is closed"
        self.wanted.pop(member, None)

    def settle(self) -> None:
        self.turn()

    def turn(self, seconds: float = 0) -> bool:
        return tell(self.wanted, seconds)


class SocketReactor(TurningReactor):
    """A reactor with real sockets, whose time stands still and whose turns a test gives."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def poll(self, seconds: float = 0) -> bool:
        """Deal with what is ready now, and with what threads have sent."""
        called = not self._calls.empty()
        while not self._calls.empty():
            self.turn()
        wanted = {
            member: "r" * (member in self.readers) + "w" * (member in self.writers)
            for member in [*self.readers, *self.writers]
        }
        return tell(wanted, 0 if called else seconds) or called


class Peer:
    """The other end of a connection."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        self.socket = sock
        self.received = bytearray()
        self.end = ""
        """How the connection has ended, as seen from here: "closed" or "reset"."""

    def read(self, most: int = 1024 * 1024) -> bool:
        """Read what is there; return whether there was anything, be it the end."""
        if self.end:
            return False
        try:
            data = self.socket.recv(most)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            self.end = "reset"
            return True
        if not data:
            self.end = "closed"
        self.received += data
        return True

    def read_some(self) -> bool:
        """Read a little."""
        return self.read(8192)

    def send(self, data: bytes) -> None:
        assert self.socket.send(data) == len(data)


def is_readable(socket: socket.socket) -> bool:
    """Wait until ``socket`` can be read from; return whether it can.

    By poll, as select takes no descriptor above 1023.
    """
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(PATIENCE * 1000))


def until(condition: Callable[[], object], *pumps: Callable[[], object]) -> None:
    """Run the ``pumps`` in turn until ``condition`` holds; they say whether they did anything."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        moved = [pump() for pump in pumps]
        if not any(moved):
            select.select((), (), (), 0.001)  # nothing yet: the kernel is still at it
        if time.monotonic() > limit:
            pytest.fail("what a test waits for does not happen")


@contextmanager
def connection(
    kind: str = "IPv4", *, small: bool = False
) -> Iterator[tuple[socket.socket, Any, socket.socket]]:
    """Give an accepted socket, its client's address and the client's socket.

    With ``small`` buffers the kernel takes some kilobytes, and then no more until they are read.
    """
    with TemporaryDirectory() as directory:
        if kind == "UNIX":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(Path(directory, "socket")))
            client = socket.socket(socket.AF_UNIX)
        else:
            family, host = {
                "IPv4": (socket.AF_INET, "127.0.0.1"),
                "IPv6": (socket.AF_INET6, "::1"),
            }[kind]
            listener = socket.socket(family)
            listener.bind((host, 0))
            client = socket.socket(family)
        with listener, client:
            if small:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            listener.listen()
            client.settimeout(PATIENCE)
            client.connect(listener.getsockname())
            server, address = listener.accept()
            with server:
                if small:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
                yield server, address, client


@implementer(IHalfCloseableProtocol)
class Recorder(Protocol):
    """A protocol that remembers what its connection has told it."""

    def __init__(self) -> None:
        self.received = b""
        self.told: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.told.append("read side ended")

    def writeConnectionLost(self) -> None:
        self.told.append("write side ended")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(type(reason.value).__name__)


class Link:
    """A `SocketTransport` in a `Room`, with a `Recorder` above it and a `Peer` at its far end."""

    def __init__(self, sock: socket.socket, address: Any, client: socket.socket, protocol: Any):
        self.room = Room()
        self.reactor = FakeReactor()
        self.peer = Peer(client)
        self.protocol = protocol
        self.transport = SocketTransport(sock, protocol, address, self.reactor, self.room)
        protocol.makeConnection(self.transport)

    @property
    def wanted(self) -> str | None:
        """What the transport waits for; ``None`` if it is not waited for any more."""
        return self.room.wanted.get(self.transport)

    def until(self, condition: Callable[[], object]) -> None:
        """Give turns to both ends until ``condition`` holds."""
        until(condition, self.room.turn, self.peer.read)

    def received(self, octets: int) -> bytes:
        """What the peer has received, once that is so many octets; no more may come."""
        self.until(lambda: len(self.peer.received) >= octets)
        assert len(self.peer.received) == octets
        return bytes(self.peer.received)


@contextmanager
def linked(kind: str = "IPv4", *, small: bool = False, protocol: Any = None) -> Iterator[Link]:
    with connection(kind, small=small) as (sock, address, client):
        link = Link(sock, address, client, protocol or Recorder())
        yield link
        link.transport.connectionLost(Failure(main.CONNECTION_DONE))
