"""Requests that come in one segment get what they would get one by one, in order, in fewer writes.

RFC 9112 section 9.3.2. On a transport in memory, on our own over a socket, and on Twisted's.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import main, tcp
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.support import (
    Client,
    FakeLog,
    FakeReactor,
    FakeTransport,
    HeldDisk,
    get,
    make_server,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.request import Limits
from tinyhttp.server.protocol import GATHERED
from tinyhttp.server.server import Server
from tinyhttp.server.transport import SocketTransport

from .sockets import Peer, SocketReactor, connection, until

BIG = b"".join(n.to_bytes(4, "big") for n in range(50_000))
"""200,000 octets, each four of which tell their place: too many to be held in memory."""

FILES = {
    "a.txt": b"a",
    "a.txt.gz": b"zipped",
    "b.txt": b"bb",
    "empty.txt": b"",
    "joined.bin": BIG[:8192],
    "apart.bin": BIG[:8193],
    "whole.bin": BIG[: 64 * 1024],
    "span.bin": BIG[: 64 * 1024 + 1],
    "big.bin": BIG,
    "sub/index.html": b"index",
}

SMALL = get("/a.txt")
CLOSE = get("/b.txt", "Connection: close")

REQUESTS = {
    "small": SMALL,
    "another small one": get("/b.txt", "User-Agent: x"),
    "empty": get("/empty.txt"),
    "index": get("/sub/"),
    "sidecar": get("/a.txt", "Accept-Encoding: gzip"),
    "redirect": get("/sub"),
    "missing": get("/none"),
    "not modified": get("/a.txt", "If-None-Match: *"),
    "failed condition": get("/a.txt", "If-Match: x"),
    "just joined": get("/joined.bin"),
    "just not joined": get("/apart.bin"),
    "just in memory": get("/whole.bin"),
    "just a span": get("/span.bin"),
    "large": get("/big.bin"),
    "HEAD of a small one": get("/a.txt", method="HEAD"),
    "HEAD of a large one": get("/big.bin", method="HEAD"),
    "range of a small one": get("/b.txt", "Range: bytes=1-"),
    "small range of a large one": get("/big.bin", "Range: bytes=-10"),
    "large range of a large one": get("/big.bin", "Range: bytes=1000-180999"),
    "parts of a large one": get("/big.bin", "Range: bytes=0-9,50000-149999,-5"),
    "range not satisfiable": get("/a.txt", "Range: bytes=5-"),
    "with a body": get("/a.txt", "Content-Length: 5") + b"GET /",
    "with chunks": get("/a.txt", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    "behind an empty line": b"\r\n" + SMALL,
    "OPTIONS": get("*", method="OPTIONS"),
    "POST": get("/a.txt", "Content-Length: 2", method="POST") + b"\r\n",
    "old, and stays": get("/a.txt", "Connection: keep-alive", version="1.0"),
    "can't be a path": get("/a%00"),
}
"""Behind which another one may follow."""

LAST = {
    "Connection: close": CLOSE,
    "large, and close": get("/big.bin", "Connection: close"),
    "old": get("/a.txt", version="1.0"),
    "nonsense": b"nonsense\r\n\r\n",
    "a malformed field": get("/a.txt", "Host : x"),
    "two Hosts": get("/a.txt", "Host: a", "Host: b"),
    "a bare LF": b"GET /a.txt HTTP/1.1\nHost: a\r\n\r\n",
    "another version": get("/a.txt", version="2.0"),
    "chunks that are none": get("/a.txt", "Transfer-Encoding: chunked") + b"xyz\r\n",
    "a body too long": get("/a.txt", "Content-Length: 1000000000000"),
    "a head too long": get("/a.txt", *["X: " + "y" * 500] * 99),
    "too many fields": get("/a.txt", *["X: y"] * 999),
    "CONNECT": get("a:1", method="CONNECT"),
}
"""Behind which nothing follows."""

in_any_mix = st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=8)
maybe_a_last = st.none() | st.sampled_from(sorted(LAST))
cuts = st.lists(st.integers(0, 6000), max_size=8)


def bytes_of(names: Sequence[str]) -> list[bytes]:
    return [REQUESTS[name] if name in REQUESTS else LAST[name] for name in names]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("pipelining"), FILES)


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    server = make_server(root)
    yield server
    _ = server.stop()


class Counting(FakeTransport):
    """A transport that keeps what is written apart, as it came."""

    def __init__(self, room: float = float("inf")):
        super().__init__(room)
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))


class CountedClient(Client):
    """A client that can tell with how many writes it was answered."""

    def __init__(self, server: Server, transport: Counting | None = None):
        transport = transport or Counting()
        self.transport = transport
        self.writes = transport.writes
        self.connection = server.buildProtocol(None)
        self.transport.protocol = self.connection
        self.connection.makeConnection(self.transport)

    def send(self, data: bytes, piece: int | None = None) -> "CountedClient":
        super().send(data, piece)
        return self


def one_by_one(root: Path, requests: Sequence[bytes]) -> bytes:
    """Return what ``requests`` get, each sent when the one before it is answered.

    By a server that remembers nothing.
    """
    received = b""
    for request in requests:
        server = make_server(root)
        client = Client(server).send(request)
        received += client.received
        ended = client.ended
        _ = server.stop()
        if ended:
            break
    return received


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:stop] for start, stop in pairwise(places)]


# The same octets.


@pytest.mark.parametrize("count", [2, 33])
@pytest.mark.parametrize("name", REQUESTS)
def test_many_of_a_kind(root: Path, server: Server, name: str, count: int) -> None:
    once = one_by_one(root, [REQUESTS[name]])
    for _ in range(2):
        client = CountedClient(server).send(REQUESTS[name] * count)
        assert client.received == once * count
        assert not client.ended


@pytest.mark.parametrize("last", [*LAST, None])
def test_all_kinds_together(root: Path, server: Server, last: str | None) -> None:
    requests = bytes_of([*REQUESTS, *([last] if last else [])])
    expected = one_by_one(root, requests)
    for _ in range(2):
        client = CountedClient(server).send(b"".join([*requests, SMALL]))
        assert client.received == expected + (b"" if last else one_by_one(root, [SMALL]))
        assert client.ended is (last is not None)


@settings(max_examples=100, deadline=None)
@given(in_any_mix, maybe_a_last, cuts, st.booleans())
def test_any_mix_in_any_cutting(
    root: Path, names: list[str], last: str | None, cuts: list[int], again: bool
) -> None:
    requests = bytes_of([*names, *([last] if last else [])])
    server = make_server(root)
    if again:
        CountedClient(server).send(b"".join(requests))
    client = CountedClient(server)
    for piece in in_pieces(b"".join(requests), cuts):
        client.send(piece)
    assert statuses_of(client.received) == statuses_of(one_by_one(root, requests))
    if last not in WORDED_BY_CUTTING:
        assert client.received == one_by_one(root, requests)
    assert client.ended is (last is not None)
    _ = server.stop()


WORDED_BY_CUTTING = frozenset(("a head too long", "a bare LF", "nonsense", "too many fields"))
"""Which of several faults an error names may depend on the one that arrived first."""


def statuses_of(data: bytes) -> list[bytes]:
    return [line[9:12] for line in data.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@settings(max_examples=30, deadline=None)
@given(in_any_mix, st.integers(500, 9000), st.booleans())
def test_any_mix_for_a_client_that_reads_slowly(
    root: Path, names: list[str], room: int, again: bool
) -> None:
    requests = bytes_of(names)
    server = make_server(root)
    if again:
        CountedClient(server).send(b"".join(requests))
    client = CountedClient(server, Counting(0)).send(b"".join(requests))
    expected = one_by_one(root, requests)
    for _ in range(len(expected) // room + 1):
        client.transport.client_reads(room)
    assert client.received == expected
    assert not client.ended
    _ = server.stop()


# On real sockets.


class Wire:
    """A server with sockets, which end up in our own transport or in Twisted's."""

    def __init__(self, root: Path, stack: ExitStack, kind: str):
        self.reactor = SocketReactor()
        self.kind = kind
        self.writes: list[bytes] = []
        self.server = make_server(root, self.reactor)
        self._sockets = stack.enter_context(ExitStack())
        stack.callback(self._close)

    def _close(self) -> None:
        for client in list(self.server.connections):
            client.transport.abortConnection()
        _ = self.server.stop()
        self.reactor.advance(0)
        self._sockets.close()

    def connect(self, *, small: bool = False) -> Peer:
        near, address, far = self._sockets.enter_context(connection(small=small))
        protocol = self.server.buildProtocol(None)
        if self.kind == "Twisted's":
            port: Any = None
            reactor: Any = self.reactor
            near.setblocking(False)
            stock = Stock(near, protocol, address, port, 0, reactor)
            protocol.makeConnection(stock)
            return Peer(far)
        room = self.server.room
        ours = Written(near, protocol, address, self.reactor, room)
        ours.written = self.writes
        protocol.makeConnection(ours)
        return Peer(far)

    def exchange(self, peer: Peer, pieces: Sequence[bytes], octets: int) -> bytes:
        """Send ``pieces``, each when the one before it was taken, and return the answers."""
        peer.received.clear()
        for piece in pieces:
            peer.send(piece)
            self.reactor.poll()
            peer.read()
        until(lambda: len(peer.received) >= octets, self.reactor.poll, peer.read)
        while self.reactor.poll() or peer.read():
            pass
        return bytes(peer.received)


class Stock(tcp.Server):
    """Twisted's own transport, with what its reactors do beyond `tell`.

    They read no more where reading has ended, and an end that comes of writing is that of both.
    """

    def readConnectionLost(self, reason: Failure) -> None:
        self.stopReading()
        super().readConnectionLost(reason)

    def doWrite(self) -> Any:
        why = super().doWrite()
        if why is main.CONNECTION_DONE:
            self.connectionLost(Failure(why))
            return None
        return why


class Written(SocketTransport):
    """Our own transport, with what it was given to write."""

    written: list[bytes]

    def write(self, data: bytes, flags: int = 0) -> None:
        self.written.append(bytes(data))
        super().write(data, flags)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


both_transports = pytest.mark.parametrize("kind", ["our own", "Twisted's"])


@both_transports
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("last", [None, "Connection: close", "nonsense", "large, and close"])
def test_all_kinds_over_a_socket(
    root: Path, stack: ExitStack, kind: str, small: bool, last: str | None
) -> None:
    wire = Wire(root, stack, kind)
    requests = bytes_of([*REQUESTS, *([last] if last else [])])
    expected = one_by_one(root, requests)
    for _ in range(2):
        peer = wire.connect(small=small)
        assert wire.exchange(peer, [b"".join(requests)], len(expected)) == expected
        if last is not None:
            until(lambda p=peer: p.end, wire.reactor.poll, peer.read)  # type: ignore[misc]
        assert peer.end == ("closed" if last else "")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["our own", "Twisted's"]), in_any_mix, cuts, st.booleans())
def test_any_mix_over_a_socket(
    root: Path, kind: str, names: list[str], cuts: list[int], small: bool
) -> None:
    requests = bytes_of(names)
    expected = one_by_one(root, requests)
    with ExitStack() as stack:
        wire = Wire(root, stack, kind)
        peer = wire.connect(small=small)
        for _ in range(2):
            pieces = in_pieces(b"".join(requests), cuts)
            assert wire.exchange(peer, pieces, len(expected)) == expected
        assert peer.end == ""


# Fewer writes.


@pytest.mark.parametrize(
    "name",
    [
        *("small", "empty", "sidecar", "redirect", "missing", "not modified", "just joined"),
        *("HEAD of a large one", "small range of a large one", "range not satisfiable"),
        *("with a body", "with chunks", "behind an empty line", "OPTIONS", "POST"),
        *("old, and stays", "can't be a path"),
    ],
)
def test_small_ones_are_written_together(server: Server, name: str) -> None:
    """Whether they are answered from memory or not."""
    for _ in range(2):
        client = CountedClient(server).send(REQUESTS[name] * 10)
        assert client.writes == [client.received]


def test_a_single_one_is_written_at_once(server: Server) -> None:
    client = CountedClient(server)
    for _ in range(3):
        client.send(SMALL)
    assert [len(read_answers(data)) for data in client.writes] == [1, 1, 1]


@pytest.mark.parametrize("name", ["small", "just joined", "with a body"])
@pytest.mark.parametrize(
    ("count", "together"), [(31, [31]), (32, [32]), (33, [32, 1]), (100, [32, 32, 32, 4])]
)
def test_at_most_so_many_are_written_together(
    server: Server, name: str, count: int, together: list[int]
) -> None:
    assert GATHERED == 32
    for _ in range(2):
        client = CountedClient(server).send(REQUESTS[name] * count)
        assert [len(read_answers(data)) for data in client.writes] == together


@pytest.mark.parametrize("name", ["just not joined", "just in memory", "large"])
def test_what_is_not_small_parts_those_before_it_from_those_behind(
    server: Server, name: str
) -> None:
    for _ in range(2):
        client = CountedClient(server).send(SMALL * 3 + REQUESTS[name] + SMALL * 2)
        assert len(read_answers(client.writes[0])) == 3
        assert len(read_answers(client.writes[-1])) == 2
        assert len(read_answers(b"".join(client.writes[1:-1]))) == 1


def test_an_error_is_written_with_what_goes_before_it(server: Server) -> None:
    client = CountedClient(server).send(SMALL * 3 + LAST["nonsense"] + SMALL)
    assert [len(read_answers(data)) for data in client.writes] == [4]


def test_a_close_is_written_with_what_goes_before_it(server: Server) -> None:
    for _ in range(2):
        client = CountedClient(server).send(SMALL * 3 + CLOSE + SMALL)
        assert [len(read_answers(data)) for data in client.writes] == [4]
        assert client.ended


def test_over_a_socket(root: Path, stack: ExitStack) -> None:
    wire = Wire(root, stack, "our own")
    peer = wire.connect()
    expected = one_by_one(root, [SMALL]) * 40
    for _ in range(2):
        wire.writes.clear()
        assert wire.exchange(peer, [SMALL * 40], len(expected)) == expected
        assert [len(read_answers(data)) for data in wire.writes] == [32, 8]


# Errors in the middle.


@pytest.mark.parametrize("good", [1, 31, 32, 40])
@pytest.mark.parametrize("last", [name for name in LAST if name != "large, and close"])
def test_good_responses_come_before_the_end(
    root: Path, server: Server, last: str, good: int
) -> None:
    expected = one_by_one(root, [SMALL]) * good + one_by_one(root, [LAST[last]])
    for _ in range(2):
        client = CountedClient(server).send(SMALL * good + LAST[last] + SMALL)
        assert client.received == expected
        answers = client.answers()
        assert all(answer.body == b"a" for answer in answers[:-1])
        assert answers[-1]["Connection"] == "close"
        assert client.ended


def test_an_error_of_our_own_comes_behind_good_responses(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(root)
    CountedClient(server).send(SMALL)

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("tinyhttp.core.policy.answer", broken)
    with capturedLogs() as log:
        client = CountedClient(server).send(SMALL * 3 + get("/b.txt") + SMALL)
    assert [answer.status for answer in client.answers()] == [200, 200, 200, 500]
    assert client.ended
    assert [event["log_level"].name for event in log] == ["critical"]
    _ = server.stop()


@pytest.mark.parametrize("limits", [Limits(head=300), Limits(fields=4), Limits(request_line=40)])
def test_a_head_over_a_limit_behind_good_ones(root: Path, limits: Limits) -> None:
    server = make_server(root, limits=limits)
    long = get("/a.txt?" + "q" * 50, *["X: " + "y" * 50] * 6)
    client = CountedClient(server).send(SMALL * 3 + long + SMALL)
    status = 414 if limits.request_line == 40 else 431
    assert [answer.status for answer in client.answers()] == [200, 200, 200, status]
    assert client.ended
    _ = server.stop()


# Nothing is kept back.


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize(
    "rest",
    [
        get("/b.txt"),
        get("/b.txt") + SMALL,
        get("/b.txt") + LAST["nonsense"],
        SMALL[:-1],
        b"G",
        b"\r",
        get("/a.txt", "Content-Length: 5"),
        get("/a.txt", "Content-Length: 5") + b"GET",
        get("/a.txt", "Transfer-Encoding: chunked") + b"5\r\nab",
        get("/big.bin", "Host: other"),
        get("/big.bin"),
    ],
    ids=[
        *("a look-up", "a look-up and more", "a look-up and nonsense", "most of a head"),
        *("an octet", "half a line end", "no body yet", "part of a body", "part of a chunk"),
        *("a large file", "a large file from memory"),
    ],
)
def test_nothing_is_unsent_while_something_is_waited_for(server: Server, rest: bytes) -> None:
    Client(server).send(SMALL + get("/big.bin", "Cookie: x"))
    server.disk = disk = HeldDisk()
    client = CountedClient(server).send(SMALL * 3 + rest)
    assert client.received.startswith(client.writes[0])
    assert [answer.body for answer in read_answers(client.writes[0])] == [b"a"] * 3
    assert disk.waiting == (1 if b"/b" in rest else 0)
    while disk.waiting:
        disk.complete()
    assert client.received == b"".join(client.writes)


def test_responses_come_in_order_as_the_disk_gives_them(root: Path) -> None:
    server = make_server(root)
    CountedClient(server).send(SMALL)
    server.disk = disk = HeldDisk()
    client = CountedClient(server)
    client.send(SMALL + get("/b.txt") + SMALL * 2 + get("/none") + SMALL + get("/big.bin") + SMALL)
    counts = [len(read_answers(client.received))]
    for _ in range(3):  # "/b.txt", "/none", and "/404.html" in its place
        assert disk.waiting == 1
        disk.complete()
        counts.append(len(read_answers(client.received)))
    while disk.waiting:
        disk.complete()
    counts.append(len(read_answers(client.received)))
    assert counts == [1, 4, 4, 6, 8]
    bodies = [answer.body for answer in client.answers() if answer.status == 200]
    assert bodies == [b"a", b"bb", b"a", b"a", b"a", BIG, b"a"]
    _ = server.stop()


def test_a_late_rest_of_a_head_finds_everything_sent(root: Path) -> None:
    """Of the request that is never completed the client is told in time, behind the others."""
    reactor = FakeReactor()
    server = make_server(root, reactor)
    client = CountedClient(server).send(SMALL * 3 + SMALL[:20])
    assert len(client.answers()) == 3
    pass_time(reactor, 35)
    assert [answer.status for answer in client.answers()] == [200, 200, 200, 408]
    assert client.ended
    _ = server.stop()


# Nothing is lost.


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("room", [float("inf"), 0])
@pytest.mark.parametrize("count", [3, 100])
def test_a_client_that_shuts_down_its_side_gets_everything(
    root: Path, count: int, room: float, known: bool
) -> None:
    server = make_server(root)
    once = one_by_one(root, [SMALL])
    if known:
        CountedClient(server).send(SMALL)
    client = CountedClient(server, Counting(room)).send(SMALL * count)
    client.shut_down()
    client.transport.client_reads()
    assert client.received == once * count
    assert client.transport.closed
    assert not client.transport.aborted
    _ = server.stop()


def test_drained_while_one_waits_for_the_disk(root: Path) -> None:
    """What was answered is sent; the one that waits is the last; what is behind it is not read."""
    server = make_server(root)
    CountedClient(server).send(SMALL).vanish()
    server.disk = disk = HeldDisk()
    client = CountedClient(server).send(SMALL * 3 + get("/b.txt") + SMALL)
    stopped = server.stop()
    assert [answer.body for answer in client.answers()] == [b"a"] * 3
    disk.complete()
    answers = client.answers()
    assert [answer.body for answer in answers] == [b"a", b"a", b"a", b"bb"]
    assert answers[-1]["Connection"] == "close"
    assert client.ended
    client.vanish()
    assert stopped.called


@pytest.mark.parametrize("count", [3, 32, 100])
def test_drained_while_the_client_reads_nothing(root: Path, count: int) -> None:
    server = make_server(root)
    CountedClient(server).send(SMALL).vanish()
    client = CountedClient(server, Counting(0)).send(SMALL * count)
    made = client.transport.unread
    assert len(read_answers(made)) == min(count, GATHERED)
    _ = server.stop()
    client.transport.client_reads()
    assert client.received.startswith(made)
    answers = client.answers()
    assert len(answers) == min(count, GATHERED + 1)
    assert (answers[-1].get("Connection") == "close") is (count > GATHERED)
    assert client.ended


def test_no_more_are_made_than_are_written_together_for_a_client_that_reads_nothing(
    root: Path, server: Server
) -> None:
    once = one_by_one(root, [SMALL])
    client = CountedClient(server, Counting(0)).send(SMALL * 500)
    assert client.transport.unread == once * GATHERED
    client.transport.client_reads(len(once) * GATHERED - 1)
    assert len(client.transport.unread) == 1
    client.transport.client_reads()
    assert client.received == once * 500


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_connection_that_is_lost_has_got_what_was_made(
    root: Path, server: Server, count: int
) -> None:
    Client(server).send(SMALL)
    server.disk = disk = HeldDisk()
    client = CountedClient(server).send(SMALL * count + get("/b.txt") + SMALL)
    client.vanish()
    assert client.received == one_by_one(root, [SMALL]) * count
    disk.complete()
    assert client.received == one_by_one(root, [SMALL]) * count
    assert client.connection not in server.connections


class Vanishing(Counting):
    """A transport that is lost in the middle of its first write."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if not self.closed:
            self.abortConnection()


@pytest.mark.parametrize("rest", [b"", SMALL * 40, get("/big.bin"), CLOSE, LAST["nonsense"]])
def test_a_connection_that_is_lost_while_it_is_written_to(server: Server, rest: bytes) -> None:
    Client(server).send(SMALL)
    client = CountedClient(server, Vanishing())
    client.send(SMALL * 33 + rest)
    assert client.transport.closed
    assert client.connection not in server.connections


@both_transports
def test_a_peer_that_goes_while_it_is_answered(root: Path, stack: ExitStack, kind: str) -> None:
    """The server is left as it was."""
    wire = Wire(root, stack, kind)
    peer = wire.connect(small=True)
    peer.send((SMALL * 40 + get("/big.bin")) * 3)
    wire.reactor.poll()
    peer.socket.close()
    until(lambda: not wire.server.connections, wire.reactor.poll)
    other = wire.connect()
    expected = one_by_one(root, [SMALL])
    assert wire.exchange(other, [SMALL], len(expected)) == expected


# Each is logged as itself.


class Log(FakeLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, int, int]] = []

    def answered(self, connection: Any, head: Any, line: bytes, status: int, octets: int) -> None:
        self.told.append((line, status, octets))


def test_each_is_logged_in_order_with_its_octets(root: Path) -> None:
    log = Log()
    server = make_server(root, access_log=log)
    requests = [
        *(SMALL, get("/big.bin"), get("/none"), get("/big.bin", method="HEAD")),
        *(get("/big.bin", "Range: bytes=0-99999"), get("/b.txt"), LAST["nonsense"]),
    ]
    length = len(read_answers(one_by_one(root, [LAST["nonsense"]]))[0].body)
    for _ in range(2):
        log.told.clear()
        CountedClient(server).send(b"".join(requests))
        assert log.told == [
            (b"GET /a.txt HTTP/1.1", 200, 1),
            (b"GET /big.bin HTTP/1.1", 200, 200_000),
            (b"GET /none HTTP/1.1", 404, 14),
            (b"HEAD /big.bin HTTP/1.1", 200, 0),
            (b"GET /big.bin HTTP/1.1", 206, 100_000),
            (b"GET /b.txt HTTP/1.1", 200, 2),
            (b"nonsense", 400, length),
        ]
    _ = server.stop()
