"""What the tests stand on: a reactor that is only a clock, a transport in memory, a tree of files.

Fakes, not mocks: each behaves like the real thing as far as the server looks at it, and keeps no
record of calls.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from tinyhttp.core.forwarded import TrustedProxies
from tinyhttp.core.request import Head, HeadReader, Limits, Request
from tinyhttp.core.request import parse as parse_head
from tinyhttp.core.response import Response
from tinyhttp.core.response import render_head as render_halves
from tinyhttp.server.disk import Disk
from tinyhttp.server.incoming import Incoming
from tinyhttp.server.protocol import Connection
from tinyhttp.server.server import Server
from tinyhttp.server.trace import Tracing

NOW = 1_790_000_000.0
"""The time on the fake clock at the start of a test: a day in September 2026."""

OLD = NOW - 86_400
"""A modification time that no test has to think about: whole seconds, and long ago."""


class FakeReactor(Clock):
    """A reactor of which only time is real enough; what comes from threads is called at once."""

    def __init__(self, now: float = NOW):
        super().__init__()
        self.rightNow = now

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)


def pass_time(reactor: Clock, seconds: float) -> None:
    """Let so much time pass, in quarters of a second as calls are due in between."""
    for _ in range(round(seconds * 4)):
        reactor.advance(0.25)


class TurningReactor(FakeReactor):
    """A reactor that gets its calls from real threads, and makes them when it is its `turn`."""

    def __init__(self, now: float = NOW):
        super().__init__(now)
        self._calls: Queue[Callable[[], Any]] = Queue()

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._calls.put(lambda: function(*args, **kwargs))

    def turn(self) -> None:
        """Make the next call; wait for it, but not for ever."""
        self._calls.get(timeout=10)()

    def turn_until(self, result: Deferred[Any]) -> None:
        """Make calls until ``result`` has fired."""
        while not result.called:
            self.turn()


P = ParamSpec("P")
T = TypeVar("T")


class HeldDisk(Disk):
    """A disk that does its work, and delivers the result, when it is told to."""

    def __init__(self) -> None:
        reactor: Any = FakeReactor()  # never asked for anything
        super().__init__(reactor, 0)
        self._work: list[Callable[[], Callable[[], object]]] = []
        self._done: list[Callable[[], object]] = []

    @property
    def waiting(self) -> int:
        """How many calls have not been done."""
        return len(self._work)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        result: Deferred[T] = Deferred()

        def work() -> Callable[[], object]:
            done = execute(function, *args, **kwargs)
            return lambda: done.chainDeferred(result)

        self._work.append(work)
        return result

    def work(self) -> None:
        """Do the oldest call, and keep the result."""
        self._done.append(self._work.pop(0)())

    def deliver(self) -> None:
        """Give the oldest result to whoever waits for it."""
        self._done.pop(0)()

    def complete(self) -> None:
        """Do the oldest call and deliver its result."""
        self.work()
        self.deliver()


class FakeTransport(StringTransport):
    """A transport whose peer reads as much as ``room`` octets, and then only when told to.

    Like TCP's it pauses its producer when it is full, closes once everything is read, and can be
    closed on one side.
    """

    def __init__(self, room: float = float("inf")):
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 54321), lenient=True)
        directlyProvides(self, IHalfCloseableDescriptor)
        self.room = room
        self.unread = b""
        self.half_closed = False
        self.closed = False
        self.aborted = False
        self.reading = True
        self.protocol: Connection | None = None
        self._producer_paused = False
        self._half_closing = False

    def write(self, data: bytes) -> None:
        if self.closed or self.half_closed:
            return
        self.unread += data
        self._deliver()
        if self.unread and self.producer is not None and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()

    def client_reads(self, octets: float = float("inf")) -> None:
        """Let the peer read so many octets more."""
        self.room += octets
        self._deliver()
        while not self.unread and self._producer_paused and self.producer is not None:
            self._producer_paused = False
            self.producer.resumeProducing()
        self._finish()

    def _deliver(self) -> None:
        count = int(min(self.room, len(self.unread)))
        self.io.write(self.unread[:count])
        self.unread = self.unread[count:]
        self.room -= count

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        self._producer_paused = False

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseWriteConnection(self) -> None:
        self._half_closing = True
        self._finish()

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._finish()

    def abortConnection(self) -> None:
        self.aborted = True
        self._end(ConnectionAborted())

    def _finish(self) -> None:
        if self.unread or self.producer is not None:
            return
        if self.disconnecting:
            self._end(ConnectionDone())
        elif self._half_closing and not self.half_closed:
            self.half_closed = True
            assert self.protocol is not None
            self.protocol.writeConnectionLost()

    def _end(self, reason: Exception) -> None:
        if not self.closed:
            self.closed = True
            assert self.protocol is not None
            self.protocol.connectionLost(Failure(reason))


@dataclass
class Answer:
    """A response as a client sees it."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """Return the value of the one field called ``name``."""
        (value,) = [v for n, v in self.fields if n.lower() == name.lower()]
        return value

    def get(self, name: str) -> str | None:
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        return ", ".join(values) if values else None


def read_answers(data: bytes, bodiless: Iterable[int] = ()) -> list[Answer]:
    """Return the responses in ``data``, all of which they must make up; strict on purpose.

    ``bodiless`` are the indexes of responses to HEAD.
    """
    answers: list[Answer] = []
    without = frozenset(bodiless)
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"incomplete head: {head!r}"
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, reason = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        assert reason, status_line
        fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        answer = Answer(int(status), fields, b"")
        length = answer.get("Content-Length")
        if answer.status in (204, 304):
            assert length is None, "no Content-Length in 204 and 304"
        else:
            assert length is not None, status_line
            if len(answers) not in without:
                size = int(length)
                assert len(data) >= size, "the body is shorter than announced"
                answer.body, data = data[:size], data[size:]
        answers.append(answer)
    return answers


class Client:
    """A client at the other end of a `FakeTransport`."""

    def __init__(self, server: Server, room: float = float("inf"), peer: Any = None):
        self.transport = FakeTransport(room)
        if peer is not None:
            self.transport.peerAddr = peer
        self.connection = server.buildProtocol(None)
        self.transport.protocol = self.connection
        self.connection.makeConnection(self.transport)

    def send(self, data: bytes, piece: int | None = None) -> "Client":
        """Send ``data``, cut in pieces of so many octets; stop where the server hangs up."""
        for start in range(0, len(data), piece or len(data) or 1):
            if self.transport.closed:
                break
            self.connection.dataReceived(data[start : start + (piece or len(data))])
        return self

    def shut_down(self) -> None:
        """End the client's side, as ``shutdown(SHUT_WR)`` does."""
        self.connection.readConnectionLost()

    def vanish(self) -> None:
        """Be gone, as after a reset."""
        self.transport._end(ConnectionDone())

    @property
    def received(self) -> bytes:
        return bytes(self.transport.value())

    def answers(self, bodiless: Iterable[int] = ()) -> list[Answer]:
        return read_answers(self.received, bodiless)

    @property
    def ended(self) -> bool:
        """Whether the server has closed the connection, at least on its own side."""
        return self.transport.closed or self.transport.half_closed


def write_tree(root: Path, files: Mapping[str, bytes | str], mtime: float = OLD) -> Path:
    """Write ``files`` beneath ``root``, all of the same age, and return ``root``."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (mtime, mtime))
    return root


def make_server(root: Path, reactor: FakeReactor | None = None, **options: Any) -> Server:
    """Return a server on a clock that stands still, which reads files inline."""
    reactor = reactor or FakeReactor()
    options.setdefault("threads", 0)
    return Server(root, reactor=reactor, clock=reactor.seconds, **options)


def incoming(
    host: str | None = "192.0.2.1",
    trusted_proxies: TrustedProxies | None = None,
    tracing: Tracing | None = None,
) -> Incoming:
    """Return what comes in from ``host`` (``None``: a UNIX socket), on a connection of no use."""
    server: Any = SimpleNamespace(trusted_proxies=trusted_proxies, tracing=tracing)
    result = Incoming(server)
    result.transport = FakeTransport()
    result.transport.peerAddr = (
        UNIXAddress(None) if host is None else IPv4Address("TCP", host, 54321)
    )
    return result


class FakeLog:
    """An access log that is told, and writes nothing down; whoever inherits it notes something."""

    wants: frozenset[str] = frozenset()
    lost = 0

    def line(
        self,
        connection: Incoming,
        head: Head | None,
        line: bytes,
        status: int,
        octets: int,
        shown: bytes,
    ) -> bytes:
        self.answered(connection, head, line, status, octets)
        return b""

    def answered(
        self, connection: Incoming, head: Head | None, line: bytes, status: int, octets: int
    ) -> None:
        """Note an answer."""

    def add(self, line: bytes) -> None:
        pass

    def close(self) -> Deferred[None]:
        return succeed(None)


def make_disk(reactor: Any, threads: int) -> Disk:
    """Return a disk on one of the reactors here, of which it needs ``callFromThread`` alone."""
    return Disk(reactor, threads)


def get(target: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return a request; one for HTTP/1.1 without a Host among ``fields`` gets one."""
    lines = [f"{method} {target} HTTP/{version}", *fields]
    if version != "1.0" and not any(f.lower().startswith("host:") for f in fields):
        lines.insert(1, "Host: localhost")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def open_descriptors() -> set[str]:
    """Return what the descriptors of this process lead to, with their numbers."""
    links = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            links.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:  # the one that listed the directory
            continue
    return links


def parse(head: bytes, limits: Limits) -> Request:
    """Return the request that ``head`` makes, read by a reader that has seen no other."""
    return parse_head(HeadReader(limits).read(head))


def render_head(response: Response, date: bytes, connection: bytes = b"") -> bytes:
    """Return a whole head."""
    return date.join(render_halves(response, connection))
