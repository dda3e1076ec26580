"""Our own transport, over real sockets: everything arrives, once, in order; and ends are told."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IPushProducer,
    IReadWriteDescriptor,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol
from zope.interface.verify import verifyObject

from tinyhttp.server import transport
from tinyhttp.server.poller import LOOKS, Poller
from tinyhttp.server.transport import HIGH, SocketTransport, twisted_address

from .sockets import (
    KINDS,
    Link,
    Peer,
    Recorder,
    SocketReactor,
    connection,
    is_readable,
    linked,
    needs_ipv6,
    until,
)

CONTENT = b"".join(n.to_bytes(4, "big") for n in range(500_000))
"""Two million octets, each four of which tell their place."""

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def content(tmp_path: Path) -> Iterator[int]:
    """A descriptor of a file that holds `CONTENT`."""
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


class Part:
    """A part of a file that is ready when a test says so."""

    def __init__(self, descriptor: int, start: int = 0, stop: int = len(CONTENT)):
        self.descriptor = descriptor
        self.start = start
        self.stop = stop
        self.ready = True
        self.asked: list[int] = []
        self.ends: list[object] = []
        self.then: Callable[[], None] = lambda: None

    def count_ready(self, count: int) -> int:
        self.asked.append(count)
        return count if self.ready else 0

    def done(self, error: Exception | None) -> None:
        self.ends.append(error if error is None else type(error))
        self.then()


class Producer:
    """What is registered as a producer."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.then: Callable[[], None] = lambda: None

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self.then()

    def stopProducing(self) -> None:
        self.told.append("stop")


# What it is.


@pytest.mark.parametrize(
    "interface",
    [ITCPTransport, IConsumer, IPushProducer, IReadWriteDescriptor, IHalfCloseableDescriptor],
)
def test_interfaces(link: Link, interface: Any) -> None:
    assert verifyObject(interface, link.transport)


def test_addresses_ipv4(link: Link) -> None:
    _, port = link.peer.socket.getsockname()
    assert link.transport.getPeer() == IPv4Address("TCP", "127.0.0.1", port)
    _, port = link.peer.socket.getpeername()
    assert link.transport.getHost() == IPv4Address("TCP", "127.0.0.1", port)


@needs_ipv6
def test_addresses_ipv6() -> None:
    with linked("IPv6") as link:
        port = link.peer.socket.getsockname()[1]
        assert link.transport.getPeer() == IPv6Address("TCP", "::1", port, 0, 0)
        port = link.peer.socket.getpeername()[1]
        assert link.transport.getHost() == IPv6Address("TCP", "::1", port, 0, 0)


def test_addresses_unix() -> None:
    with linked("UNIX") as link:
        assert link.transport.getPeer() == UNIXAddress(None)
        assert link.transport.getHost() == UNIXAddress(os.fsencode(link.peer.socket.getpeername()))


@pytest.mark.parametrize(
    ("family", "address", "expected"),
    [
        (socket.AF_INET, ("192.0.2.1", 80), IPv4Address("TCP", "192.0.2.1", 80)),
        (socket.AF_INET6, ("fe80::1", 80, 5, 2), IPv6Address("TCP", "fe80::1", 80, 5, 2)),
        (socket.AF_UNIX, "/run/a.sock", UNIXAddress(b"/run/a.sock")),
        (socket.AF_UNIX, "", UNIXAddress(None)),
        (socket.AF_UNIX, b"\0abstract", UNIXAddress(b"\0abstract")),
    ],
)
def test_twisted_address(family: int, address: object, expected: object) -> None:
    assert twisted_address(family, address) == expected


def test_no_delay_and_keep_alive(link: Link) -> None:
    transport = link.transport
    near = transport.getHandle()
    for enabled in (True, False):
        transport.setTcpNoDelay(enabled)
        assert transport.getTcpNoDelay() is enabled
        assert bool(near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is enabled
        transport.setTcpKeepAlive(enabled)
        assert transport.getTcpKeepAlive() is enabled
        assert bool(near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is enabled


def test_unix_sockets_have_no_delay_to_set() -> None:
    with linked("UNIX") as link:
        link.transport.setTcpNoDelay(True)
        assert link.wanted == "r"


def test_descriptor(link: Link) -> None:
    number = link.transport.getHandle().fileno()
    assert link.transport.fileno() == number
    assert link.transport.logPrefix() == "tinyhttp"
    link.transport.loseConnection()
    assert link.transport.fileno() == -1
    assert link.transport.getHandle().fileno() == -1


# Sending what fits.


@every_kind
def test_sends_at_once(kind: str) -> None:
    """Before anybody is asked whether there is room."""
    with linked(kind) as link:
        link.transport.write(b"one, ")
        link.transport.writeSequence([b"two, ", b"", b"three"])
        assert link.wanted == "r"
        until(lambda: len(link.peer.received) >= 15, link.peer.read)
        assert link.peer.received == b"one, two, three"


def test_nothing_to_write(link: Link) -> None:
    link.transport.write(b"")
    link.transport.writeSequence([])
    link.transport.writeSequence([b"", b""])
    assert link.wanted == "r"
    link.transport.write(b"x")
    assert link.received(1) == b"x"


def test_an_iterator_of_pieces(link: Link) -> None:
    link.transport.writeSequence(bytes([n]) for n in range(48, 58))
    assert link.received(10) == b"0123456789"


# Sending what does not fit.


@every_kind
def test_the_rest_follows(kind: str) -> None:
    with linked(kind, small=True) as link:
        link.transport.write(CONTENT[:300_000])
        assert link.wanted == "rw"
        link.transport.write(CONTENT[300_000:300_001])
        link.transport.writeSequence([CONTENT[300_001:300_007], b"", CONTENT[300_007:500_000]])
        assert link.received(500_000) == CONTENT[:500_000]
        link.until(lambda: link.wanted == "r")


@every_kind
def test_the_rest_of_a_sequence_follows(kind: str) -> None:
    """Cut in the middle of a piece, at a seam, or behind any number of them."""
    with linked(kind, small=True) as link:
        pieces = [CONTENT[n : n + 777] for n in range(0, 400_000, 777)]
        link.transport.writeSequence(pieces)
        assert link.received(400_155) == CONTENT[:400_155]


def test_more_pieces_than_the_kernel_takes_in_a_call(link: Link) -> None:
    link.transport.writeSequence(CONTENT[n : n + 1] for n in range(5000))
    assert link.received(5000) == CONTENT[:5000]


def test_more_writes_than_the_kernel_takes_in_a_call(narrow: Link) -> None:
    narrow.transport.write(CONTENT[:1_000_000])
    for n in range(3000):
        narrow.transport.write(CONTENT[1_000_000 + n : 1_000_001 + n])
        narrow.transport.write(b"")
    assert narrow.received(1_003_000) == CONTENT[:1_003_000]


def test_nothing_is_sent_while_there_is_no_room(narrow: Link) -> None:
    narrow.transport.write(CONTENT)
    until(lambda: not narrow.room.turn())  # until the kernel has taken what it takes
    assert narrow.transport.doWrite() is None, "asked in vain"
    assert narrow.wanted == "rw"
    assert narrow.received(2_000_000) == CONTENT


Step = tuple[str, Any]

SIZES = st.one_of(st.integers(0, 200_000), st.sampled_from([65_536, 65_537, 150_000, 200_000]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SIZES),
        st.tuples(st.just("sequence"), st.lists(SIZES.map(lambda size: size // 4), max_size=5)),
        st.tuples(st.just("file"), SIZES.map(lambda size: size + 1)),
        st.tuples(st.just("read"), st.integers(1, 100_000)),
        st.tuples(st.just("turn"), st.none()),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(STEPS, st.sampled_from(["IPv4", "UNIX"]), st.booleans())
def test_anything_in_any_order(steps: list[Step], kind: str, small: bool) -> None:
    """The peer gets what was written, to the octet. A file waits for the end of the last one."""
    with linked(kind, small=small) as link, TemporaryFile() as file:
        file.write(CONTENT)
        file.flush()
        sent = 0
        parts: list[Part] = []
        for what, how_much in steps:
            if what == "read":
                link.peer.read(how_much)
                continue
            if what == "turn":
                link.room.turn()
                continue
            if what == "file":
                link.until(lambda: all(part.ends for part in parts))
            if what == "write":
                link.transport.write(CONTENT[sent : sent + how_much])
                sent += how_much
            elif what == "sequence":
                pieces = []
                for size in how_much:
                    pieces.append(CONTENT[sent : sent + size])
                    sent += size
                link.transport.writeSequence(pieces)
            else:
                # The same octets, from the file.
                parts.append(Part(file.fileno(), sent, min(sent + how_much, len(CONTENT))))
                if parts[-1].start >= parts[-1].stop:
                    parts.pop()
                    continue
                sent = parts[-1].stop
                link.transport.send_file(parts[-1])
        sent = min(sent, len(CONTENT))
        link.transport.loseConnection()
        link.until(lambda: link.peer.end)
        assert link.peer.received == CONTENT[:sent]
        assert [part.ends for part in parts] == [[None]] * len(parts)
        assert link.protocol.told == ["ConnectionDone"]


# The producer.


def test_the_producer_pauses_above_a_limit(narrow: Link) -> None:
    """Once above it, once when all is sent; whatever is written in between."""
    assert HIGH == 65_536
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(bytes(1_000_000))
    narrow.transport.write(bytes(100_000))
    narrow.transport.writeSequence([bytes(100_000)])
    assert producer.told == ["pause"]
    narrow.received(1_200_000)
    narrow.until(lambda: narrow.wanted == "r")
    assert producer.told == ["pause", "resume"]
    narrow.transport.write(b"x")
    narrow.room.turn()
    assert producer.told == ["pause", "resume"]


def test_the_producer_goes_on_below_the_limit(narrow: Link) -> None:
    producer = Producer()
    narrow.transport.write(bytes(1_000_000))
    until(lambda: not narrow.room.turn())
    narrow.received(1_000_000)
    narrow.until(lambda: narrow.wanted == "r")
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(bytes(30_000))
    narrow.received(1_030_000)
    narrow.until(lambda: narrow.wanted == "r")
    assert producer.told == []


def test_the_producer_is_not_resumed_before_all_is_sent(narrow: Link) -> None:
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(bytes(1_000_000))
    narrow.until(lambda: len(narrow.peer.received) > 900_000 - 65_536)
    if narrow.wanted == "rw":
        assert producer.told == ["pause"]
    narrow.until(lambda: narrow.wanted == "r")
    assert producer.told == ["pause", "resume"]


def test_a_producer_that_writes_as_soon_as_it_may(narrow: Link) -> None:
    producer = Producer()
    rounds = iter(range(5))

    def more() -> None:
        if next(rounds, None) is not None:
            narrow.transport.write(CONTENT[:300_000])

    producer.then = more
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(CONTENT[:300_000])
    assert narrow.received(1_800_000) == CONTENT[:300_000] * 6
    narrow.until(lambda: narrow.wanted == "r")
    assert producer.told == ["pause", "resume"] * 6


def test_a_file_does_not_pause_the_producer(narrow: Link, content: int) -> None:
    """Nothing of it waits in memory."""
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.send_file(Part(content))
    narrow.received(2_000_000)
    assert producer.told == []


# Receiving.


@every_kind
def test_receives(kind: str) -> None:
    with linked(kind) as link:
        link.peer.send(b"hello")
        link.until(lambda: len(link.protocol.received) == 5)
        assert link.protocol.received == b"hello"
        assert link.transport.doRead() is None, "asked in vain"
        assert link.wanted == "r"


def test_reads_no_more_until_told_to(link: Link) -> None:
    link.transport.pauseProducing()
    link.transport.pauseProducing()
    assert link.wanted == ""
    link.peer.send(b"hello")
    link.room.turn()
    assert link.protocol.received == b""
    link.transport.resumeProducing()
    assert link.wanted == "r"
    link.until(lambda: link.protocol.received == b"hello")


def test_reads_no_more_while_it_writes_on(narrow: Link) -> None:
    narrow.transport.write(CONTENT)
    narrow.transport.pauseProducing()
    assert narrow.wanted == "w"
    assert narrow.received(2_000_000) == CONTENT
    narrow.until(lambda: narrow.wanted == "")
    narrow.transport.resumeProducing()
    assert narrow.wanted == "r"


def test_the_client_ends_its_side(link: Link) -> None:
    link.peer.send(b"last")
    link.peer.socket.shutdown(socket.SHUT_WR)
    link.until(lambda: link.protocol.told)
    assert link.protocol.received == b"last"
    assert link.protocol.told == ["read side ended"]
    assert link.wanted == "", "the end would be told again and again"
    link.transport.write(b"answer")
    assert link.received(6) == b"answer"
    link.transport.loseConnection()
    link.until(lambda: link.peer.end)
    assert link.protocol.told == ["read side ended", "ConnectionDone"]


class WholeCloser(Protocol):
    """A protocol that knows nothing of half-closed connections."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connectionLost(self, reason: Any = None) -> None:
        self.told.append(reason.type.__name__)


def test_the_client_ends_its_side_and_nobody_is_interested() -> None:
    protocol = WholeCloser()
    with linked(protocol=protocol) as link:
        link.peer.socket.shutdown(socket.SHUT_WR)
        link.until(lambda: link.peer.end)
        assert protocol.told == ["ConnectionDone"]
        assert link.wanted is None


# Closing.


@every_kind
def test_closes_at_once_if_all_is_sent(kind: str) -> None:
    with linked(kind) as link:
        link.transport.write(b"bye")
        link.transport.loseConnection()
        assert link.protocol.told == ["ConnectionDone"]
        assert link.wanted is None
        assert not link.transport.connected
        link.until(lambda: link.peer.end)
        assert link.peer.received == b"bye"
        assert link.peer.end == "closed"


@every_kind
def test_closes_when_all_is_sent(kind: str) -> None:
    with linked(kind, small=True) as link:
        link.transport.write(CONTENT)
        link.transport.loseConnection()
        link.transport.loseConnection()
        assert link.protocol.told == []
        assert link.wanted == "w", "what the client sends now has nobody to read it"
        link.transport.resumeProducing()
        assert link.wanted == "w"
        link.until(lambda: link.peer.end)
        assert link.peer.received == CONTENT
        assert link.peer.end == "closed"
        assert link.protocol.told == ["ConnectionDone"]


def test_what_is_written_behind_a_close_is_sent_while_it_waits(narrow: Link) -> None:
    """As Twisted's does."""
    narrow.transport.write(CONTENT[:300_000])
    narrow.transport.stopProducing()
    narrow.transport.write(CONTENT[300_000:300_100])
    narrow.until(lambda: narrow.peer.end)
    assert narrow.peer.received == CONTENT[:300_100]


@every_kind
def test_closes_when_a_file_is_sent(kind: str, content: int) -> None:
    with linked(kind, small=True) as link:
        link.transport.write(b"<")
        part = Part(content)
        link.transport.send_file(part)
        link.transport.loseConnection()
        assert link.protocol.told == []
        link.until(lambda: link.peer.end)
        assert link.peer.received == b"<" + CONTENT
        assert part.ends == [None]
        assert link.protocol.told == ["ConnectionDone"]


def test_closes_when_the_producer_is_done(narrow: Link) -> None:
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.loseConnection()
    assert narrow.protocol.told == []
    narrow.transport.write(CONTENT)
    narrow.received(2_000_000)
    narrow.until(lambda: producer.told == ["pause", "resume"])
    assert narrow.protocol.told == []
    narrow.transport.unregisterProducer()
    assert narrow.protocol.told == ["ConnectionDone"]


def test_closes_when_a_producer_that_was_paused_is_done(narrow: Link) -> None:
    producer = Producer()
    producer.then = narrow.transport.unregisterProducer
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(CONTENT)
    narrow.transport.loseConnection()
    narrow.until(lambda: narrow.peer.end)
    assert narrow.peer.received == CONTENT
    assert narrow.protocol.told == ["ConnectionDone"]


def test_a_producer_may_leave_before_all_is_sent(narrow: Link) -> None:
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.write(CONTENT)
    narrow.transport.unregisterProducer()
    narrow.transport.loseConnection()
    narrow.until(lambda: narrow.peer.end)
    assert narrow.peer.received == CONTENT
    assert producer.told == ["pause"]


@every_kind
def test_ends_its_side(kind: str) -> None:
    with linked(kind, small=True) as link:
        link.transport.write(CONTENT[:300_000])
        link.transport.loseWriteConnection()
        assert link.protocol.told == []
        link.until(lambda: link.peer.end)
        assert link.peer.received == CONTENT[:300_000]
        assert link.protocol.told == ["write side ended"]
        link.transport.write(b"too late")
        link.transport.writeSequence([b"too late"])
        link.transport.loseWriteConnection()
        assert link.wanted == "r"
        link.peer.send(b"still here")
        link.until(lambda: link.protocol.received == b"still here")
        link.peer.socket.shutdown(socket.SHUT_WR)
        link.until(lambda: "read side ended" in link.protocol.told)
        link.transport.loseConnection()
        assert link.protocol.told == ["write side ended", "read side ended", "ConnectionDone"]


def test_ends_its_side_when_the_producer_is_done(link: Link) -> None:
    link.transport.registerProducer(Producer(), True)
    link.transport.loseWriteConnection()
    assert link.protocol.told == []
    link.transport.write(b"last")
    link.transport.unregisterProducer()
    link.until(lambda: link.peer.end)
    assert link.peer.received == b"last"


def test_ends_its_side_although_the_client_is_gone(link: Link) -> None:
    link.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.peer.socket.close()
    link.transport.loseWriteConnection()
    assert link.protocol.told == ["write side ended"]
    until(lambda: len(link.protocol.told) > 1, link.room.turn)
    assert link.protocol.told == ["write side ended", "ConnectionLost"]


@pytest.mark.parametrize(("kind", "end"), [("IPv4", "reset"), ("UNIX", "closed")])
def test_abort(kind: str, end: str) -> None:
    with linked(kind, small=True) as link:
        link.transport.write(CONTENT)
        link.transport.abortConnection()
        assert link.wanted is None
        assert link.protocol.told == [], "whoever aborts is not called back while at it"
        link.transport.abortConnection()
        link.transport.loseConnection()
        link.transport.write(b"too late")
        link.reactor.advance(0)
        assert link.protocol.told == ["ConnectionAborted"]
        link.reactor.advance(1)
        assert link.protocol.told == ["ConnectionAborted"]
        link.until(lambda: link.peer.end)
        assert link.peer.end == end
        assert len(link.peer.received) < 1_000_000


def test_abort_with_a_file_under_way(narrow: Link, content: int) -> None:
    part = Part(content)
    narrow.transport.send_file(part)
    assert narrow.wanted == "rw"
    narrow.transport.abortConnection()
    narrow.transport.file_is_ready()
    narrow.reactor.advance(0)
    assert part.ends == []
    assert narrow.protocol.told == ["ConnectionAborted"]


def test_nothing_happens_after_the_end(link: Link, content: int) -> None:
    link.transport.loseConnection()
    transport = link.transport
    transport.write(b"x")
    transport.writeSequence([b"x", b"y"])
    transport.pauseProducing()
    transport.resumeProducing()
    transport.loseConnection()
    transport.loseWriteConnection()
    transport.unregisterProducer()
    transport.abortConnection()
    transport.file_is_ready()
    link.reactor.advance(1)
    assert link.protocol.told == ["ConnectionDone"]
    assert link.wanted is None
    link.until(lambda: link.peer.end)
    assert link.peer.received == b""


# Errors.


def reset(peer: Peer) -> None:
    """Close the peer's end so that its kernel says so by a reset."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.socket.close()


def test_a_reset(link: Link) -> None:
    reset(link.peer)
    until(lambda: link.protocol.told, link.room.turn)
    assert link.protocol.told == ["ConnectionLost"]
    assert link.wanted is None


@every_kind
def test_a_client_that_goes_while_it_is_sent_to(kind: str) -> None:
    with linked(kind, small=True) as link:
        producer = Producer()
        link.transport.registerProducer(producer, True)
        link.transport.write(CONTENT)
        reset(link.peer)
        until(lambda: "ConnectionLost" in link.protocol.told, link.room.turn)
        assert link.protocol.told in (["ConnectionLost"], ["read side ended", "ConnectionLost"])
        assert producer.told == ["pause"]
        assert link.wanted is None


@every_kind
def test_a_client_that_goes_while_a_file_is_sent_to_it(kind: str, content: int) -> None:
    with linked(kind, small=True) as link:
        part = Part(content)
        link.transport.send_file(part)
        reset(link.peer)
        until(lambda: "ConnectionLost" in link.protocol.told, link.room.turn)
        assert part.ends == [], "the loss is told by the connection, and only by it"
        assert link.wanted is None


@every_kind
def test_a_client_that_goes_while_nothing_is_waited_for(kind: str, content: int) -> None:
    """While a file is fetched from the disk, and enough requests wait."""
    with linked(kind) as link:
        part = Part(content)
        part.ready = False
        link.transport.pauseProducing()
        link.transport.send_file(part)
        assert link.wanted == ""
        reset(link.peer)
        until(lambda: link.protocol.told, link.room.turn)
        assert link.protocol.told == ["ConnectionLost"]
        link.transport.file_is_ready()
        assert part.ends == []


def deaf(link: Link) -> None:
    """Have every further sending of ``link`` fail with EPIPE, with nothing else to be noticed."""
    link.peer.socket.shutdown(socket.SHUT_RD)


@pytest.mark.parametrize("how", ["write", "writeSequence"])
def test_a_broken_pipe(how: str) -> None:
    """It is noticed when it is written to, but told a turn later: no caller expects it at once."""
    with linked("UNIX") as link:
        deaf(link)
        if how == "write":
            link.transport.write(b"x")
        else:
            link.transport.writeSequence([b"x", b"y"])
        assert link.protocol.told == []
        assert link.wanted == "rw"
        until(lambda: link.protocol.told, link.room.turn)
        assert link.protocol.told == ["ConnectionLost"]


def test_a_broken_pipe_on_the_way_of_a_file(content: int) -> None:
    with linked("UNIX", small=True) as link:
        part = Part(content)
        link.transport.send_file(part)
        assert link.wanted == "rw"
        deaf(link)
        link.until(lambda: link.protocol.told)  # UNIX sockets tell nothing while they are full
        assert link.protocol.told == ["ConnectionLost"]
        assert part.ends == []


def test_a_broken_pipe_at_the_start_of_a_file(content: int) -> None:
    with linked("UNIX") as link:
        part = Part(content)
        deaf(link)
        link.transport.send_file(part)
        assert link.protocol.told == []
        for _ in range(3):
            link.room.turn()
        assert link.protocol.told == ["ConnectionLost"]
        assert part.ends == []


def test_a_client_that_is_gone_before_it_is_read(link: Link) -> None:
    """Events wait: by the time one is dealt with, there may be nothing left but an error."""
    reset(link.peer)
    until(lambda: link.transport.doRead() is not None)
    link.transport.write(b"x")
    assert link.wanted == "rw"
    until(lambda: "ConnectionLost" in link.protocol.told, link.room.turn)


# Files.


@every_kind
@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 2_000_000), (0, 1), (1_999_999, 2_000_000), (999_999, 1_600_001), (5, 1_048_581)],
)
def test_a_part_of_a_file(kind: str, content: int, start: int, stop: int) -> None:
    with linked(kind) as link:
        part = Part(content, start, stop)
        link.transport.send_file(part)
        assert link.received(stop - start) == CONTENT[start:stop]
        link.until(lambda: part.ends)
        assert part.ends == [None]
        assert part.start == stop
        assert link.wanted == "r"


def test_a_small_file_is_sent_at_once(link: Link, content: int) -> None:
    part = Part(content, 8, 1000)
    link.transport.send_file(part)
    assert part.ends == [None]
    assert link.wanted == "r"
    assert link.received(992) == CONTENT[8:1000]


def test_a_file_goes_behind_what_was_written(narrow: Link, content: int) -> None:
    part = Part(content, 300_000, 600_000)
    narrow.transport.write(CONTENT[:300_000])
    narrow.transport.send_file(part)
    assert part.asked == []
    assert narrow.received(600_000) == CONTENT[:600_000]


def test_what_is_written_goes_behind_a_file(narrow: Link, content: int) -> None:
    part = Part(content, 0, 600_000)
    narrow.transport.send_file(part)
    narrow.transport.write(CONTENT[600_000:700_000])
    assert narrow.received(700_000) == CONTENT[:700_000]


def test_what_is_written_behind_a_file_that_is_not_ready(link: Link, content: int) -> None:
    part = Part(content, 0, 5000)
    part.ready = False
    link.transport.send_file(part)
    link.transport.write(CONTENT[5000:6000])
    link.transport.writeSequence([CONTENT[6000:6500], CONTENT[6500:7000]])
    for _ in range(3):
        link.room.turn()
    link.peer.read()
    assert link.peer.received == b""
    part.ready = True
    link.transport.file_is_ready()
    assert link.received(7000) == CONTENT[:7000]


def test_what_is_written_behind_a_file_pauses_the_producer(narrow: Link, content: int) -> None:
    producer = Producer()
    narrow.transport.registerProducer(producer, True)
    narrow.transport.send_file(Part(content, 0, 600_000))
    narrow.transport.write(CONTENT[600_000:700_000])
    assert producer.told == ["pause"]
    assert narrow.received(700_000) == CONTENT[:700_000]
    narrow.until(lambda: producer.told == ["pause", "resume"])


def test_a_file_that_is_given_up(narrow: Link, content: int) -> None:
    """Some of it has been sent; what was written behind it still is."""
    part = Part(content, 0, 600_000)
    narrow.transport.send_file(part)
    narrow.transport.write(b"behind")
    narrow.transport.forget_file()
    narrow.transport.forget_file()
    sent = part.start
    assert sent < 600_000
    assert narrow.received(sent + 6) == CONTENT[:sent] + b"behind"
    assert part.ends == []
    narrow.until(lambda: narrow.wanted == "r")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(
            b"",
            id="nothing",
        ),
        b"behind",
    ],
)
def test_a_file_that_is_given_up_while_closing(narrow: Link, content: int, written: bytes) -> None:
    part = Part(content, 0, 600_000)
    narrow.transport.send_file(part)
    if written:
        narrow.transport.write(written)
    narrow.transport.loseConnection()
    narrow.transport.forget_file()
    for _ in range(100):
        narrow.peer.read()
        narrow.room.turn(0.001)
    assert narrow.protocol.told == ["ConnectionDone"]
    narrow.until(lambda: narrow.peer.end)
    assert narrow.peer.received == CONTENT[: part.start] + written


def test_what_the_end_of_a_file_brings_goes_behind_it(narrow: Link, content: int) -> None:
    """Written from within: the next response, or the next part and what stands between."""
    second = Part(content, 0, 100_000)
    first = Part(content, 0, 100_000)

    def go_on() -> None:
        narrow.transport.write(b"between")
        narrow.transport.send_file(second)

    first.then = go_on
    narrow.transport.send_file(first)
    assert narrow.received(200_007) == CONTENT[:100_000] + b"between" + CONTENT[:100_000]
    narrow.until(lambda: second.ends)
    assert (first.ends, second.ends) == ([None], [None])


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of a hundred thousand octets."""
    monkeypatch.setattr(transport, "SLICE", 100_000)


@pytest.mark.usefixtures("slices")
def test_a_file_is_sent_in_slices(link: Link, content: int) -> None:
    part = Part(content)
    link.transport.send_file(part)
    assert part.start <= 100_000
    steps = [part.start]
    while not part.ends:
        link.peer.read()
        if link.room.turn():
            steps.append(part.start)
    assert max(b - a for a, b in pairwise(steps)) <= 100_000
    assert all(count <= 100_000 for count in part.asked)
    assert link.received(2_000_000) == CONTENT


@pytest.mark.usefixtures("slices")
def test_others_get_their_turn_between_slices(content: int) -> None:
    """A client that reads as fast as anything can be sent is one among others."""
    reactor = SocketReactor()
    poller = Poller(reactor)
    with connection() as (near1, address1, far1), connection() as (near2, address2, far2):
        fast, other = Peer(far1), Peer(far2)
        protocol = Echo()
        download = SocketTransport(near1, Recorder(), address1, reactor, poller)
        echo = SocketTransport(near2, protocol, address2, reactor, poller)
        protocol.makeConnection(echo)
        part = Part(content, 0, 2_000_000)
        answers = 0
        download.send_file(part)
        while not part.ends:
            other.send(b"x")
            assert is_readable(near2)
            before = part.start
            reactor.poll()
            answers += 1
            assert len(protocol.received) == answers
            assert part.start - before <= LOOKS * 100_000
            until(lambda: not fast.read())
        assert answers >= 5
        until(lambda: len(other.received) == answers, other.read)
        until(lambda: len(fast.received) == 2_000_000, reactor.poll, fast.read)
        assert fast.received == CONTENT
        download.loseConnection()
        echo.loseConnection()


class Echo(Recorder):
    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        assert self.transport is not None
        self.transport.write(data)


@pytest.mark.parametrize("size", [0, 8, 700_000, 1_048_576, 1_999_999])
def test_a_file_that_shrinks(tmp_path: Path, size: int) -> None:
    """What is missing is not made up; what there was has been sent."""
    path = tmp_path / "shrinking"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    with linked() as link:
        os.truncate(path, size)
        part = Part(descriptor)
        part.then = link.transport.loseConnection
        link.transport.send_file(part)
        link.until(lambda: link.peer.end)
        assert link.peer.received == CONTENT[:size]
        assert part.ends == [EOFError]
        assert link.protocol.told == ["ConnectionDone"]
    os.close(descriptor)


def test_a_file_that_shrinks_while_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    with linked(small=True) as link:
        part = Part(descriptor)
        link.transport.send_file(part)
        sent = part.start
        assert sent < 1_000_000
        os.truncate(path, 1_000_000)
        link.until(lambda: part.ends)
        assert part.ends == [EOFError]
        assert link.received(1_000_000) == CONTENT[:1_000_000]
    os.close(descriptor)


def test_a_file_that_can_not_be_read(link: Link, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "write-only", os.O_WRONLY | os.O_CREAT)
    part = Part(descriptor)
    link.transport.send_file(part)
    os.close(descriptor)
    assert part.ends == [OSError]
    assert link.protocol.told == []
    assert link.wanted == "r"


def test_a_file_that_is_not_ready(link: Link, content: int) -> None:
    """Nothing is waited for, so nothing turns in vain, until it is."""
    part = Part(content, 0, 5000)
    part.ready = False
    link.transport.write(b"head")
    link.transport.send_file(part)
    assert part.asked == [5000]
    assert link.wanted == "r"
    assert link.received(4) == b"head"
    for _ in range(3):
        link.room.turn()
    assert part.asked == [5000]
    part.ready = True
    link.transport.file_is_ready()
    assert link.received(5004) == b"head" + CONTENT[:5000]
    assert part.ends == [None]


@pytest.mark.usefixtures("slices")
def test_a_file_that_is_not_ready_in_between(link: Link, content: int) -> None:
    part = Part(content)
    link.transport.send_file(part)
    part.ready = False
    link.until(lambda: link.wanted == "r")
    sent = part.start
    link.until(lambda: len(link.peer.received) == sent)
    assert part.ends == []
    part.ready = True
    link.transport.file_is_ready()
    assert link.received(2_000_000) == CONTENT
    link.until(lambda: part.ends)


def test_a_file_that_is_ready_before_its_turn(narrow: Link, content: int) -> None:
    """What was written before still goes before."""
    part = Part(content, 300_000, 600_000)
    narrow.transport.write(CONTENT[:300_000])
    narrow.transport.send_file(part)
    narrow.transport.file_is_ready()
    assert narrow.received(600_000) == CONTENT[:600_000]


def test_a_file_that_is_ready_at_once(link: Link, content: int) -> None:
    """Told while it is asked, by a disk that is not waited for."""

    class AtOnce(Part):
        def count_ready(self, count: int) -> int:
            super().count_ready(count)
            if len(self.asked) == 1:
                link.transport.file_is_ready()
                return 0
            return count

    part = AtOnce(content, 0, 5000)
    link.transport.send_file(part)
    for _ in range(3):
        link.room.turn()
    assert part.ends == [None]


# A head and a file at once.

A_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@every_kind
@pytest.mark.parametrize("start", [0, 4000])
def test_a_head_and_a_small_file(kind: str, content: int, start: int) -> None:
    with linked(kind) as link:
        assert link.transport.send_at_once(A_HEAD, content, start, 1000) == 1000
        assert link.transport.octets_sent == len(A_HEAD) + 1000
        assert link.wanted == "r"
        assert link.received(len(A_HEAD) + 1000) == A_HEAD + CONTENT[start : start + 1000]


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
def test_a_head_whose_file_does_not_come(kind: str, content: int) -> None:
    """The file ends before, or can't be read: that is for the caller to find out."""
    with linked(kind) as link:
        assert link.transport.send_at_once(A_HEAD, content, len(CONTENT), 10) == 0
        assert link.transport.send_at_once(A_HEAD, -1, 0, 10) == 0
        assert link.wanted == "r"
        link.transport.write(b"x")
        assert link.received(2 * len(A_HEAD) + 1) == A_HEAD * 2 + b"x"


def test_no_more_than_a_slice_is_sent_at_once(
    link: Link, content: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "SLICE", 5000)
    assert link.transport.send_at_once(A_HEAD, content, 0, 20_000) == 5000
    assert link.received(len(A_HEAD) + 5000) == A_HEAD + CONTENT[:5000]


@every_kind
def test_what_does_not_fit_is_left_to_the_caller(kind: str, content: int) -> None:
    with linked(kind, small=True) as link:
        count = len(CONTENT)
        sent = link.transport.send_at_once(A_HEAD, content, 0, count)
        assert 0 < sent < count
        assert link.transport.octets_sent == len(A_HEAD) + sent
        link.transport.send_file(Part(content, sent, count))
        assert link.received(len(A_HEAD) + count) == A_HEAD + CONTENT


@every_kind
def test_a_head_that_does_not_fit(kind: str, content: int) -> None:
    """Then nothing of the file may overtake the rest of it."""
    with linked(kind, small=True) as link:
        head = b"h" * 1_000_000
        assert link.transport.send_at_once(head, content, 0, 1000) == 0
        assert 0 < link.transport.octets_sent < len(head)
        assert link.wanted == "rw"
        link.transport.send_file(Part(content, 0, 1000))
        assert link.received(1_001_000) == head + CONTENT[:1000]


def test_a_head_for_which_there_is_no_room_at_all(narrow: Link, content: int) -> None:
    """The kernel is full, and of what was written nothing is left with us."""
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += narrow.transport.socket.send(bytes(100))
    assert narrow.transport.send_at_once(A_HEAD, content, 0, 1000) == 0
    assert narrow.wanted == "rw"
    narrow.transport.send_file(Part(content, 0, 1000))
    assert narrow.received(filled + len(A_HEAD) + 1000)[filled:] == A_HEAD + CONTENT[:1000]


@pytest.mark.parametrize("before", ["octets", "a file", "a file that is not ready"])
def test_a_head_behind_something_unsent(narrow: Link, content: int, before: str) -> None:
    part = Part(content, 0, 600_000)
    part.ready = before == "a file"
    if before == "octets":
        narrow.transport.write(CONTENT[:600_000])
    else:
        narrow.transport.send_file(part)
    assert narrow.transport.send_at_once(A_HEAD, content, 0, 1000) == 0
    part.ready = True
    narrow.transport.file_is_ready()
    assert narrow.received(600_000 + len(A_HEAD)) == CONTENT[:600_000] + A_HEAD


@pytest.mark.parametrize("end", ["lost", "half closed", "aborted"])
def test_no_head_behind_the_end(link: Link, content: int, end: str) -> None:
    if end == "lost":
        link.transport.loseConnection()
    elif end == "half closed":
        link.transport.loseWriteConnection()
    else:
        link.transport.abortConnection()
        link.reactor.advance(0)
    assert link.transport.send_at_once(A_HEAD, content, 0, 1000) == 0
    assert link.transport.octets_sent == 0
    link.until(lambda: link.peer.end)
    assert link.peer.received == b""


@every_kind
def test_a_head_and_a_file_for_a_client_that_is_gone(kind: str, content: int) -> None:
    with linked(kind) as link:
        link.transport.write(b"never read")
        link.peer.socket.close()
        until(lambda: link.transport.send_at_once(A_HEAD, content, 0, 1000) == 0)
        if link.wanted == "r":
            link.transport.send_file(Part(content, 0, 1000))
        until(lambda: "ConnectionLost" in link.protocol.told, link.room.turn)
