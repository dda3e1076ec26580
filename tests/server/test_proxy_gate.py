"""Connections that begin with a PROXY header, over our own transport and Twisted's."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import main, tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.core.test_proxy_header import HEADERS, LOCAL, PROXY, TCP4, binary, tcp4
from tests.support import (
    FakeLog,
    FakeReactor,
    FakeTransport,
    get,
    make_server,
    read_answers,
    write_tree,
)
from tinyhttp.core.networks import Networks
from tinyhttp.core.proxy_header import End
from tinyhttp.server.acceptor import take_over
from tinyhttp.server.poller import Poller
from tinyhttp.server.protocol import Connection
from tinyhttp.server.proxy_gate import TIMEOUT, Gate, GateKeeper, twisted_address_of
from tinyhttp.server.seldom import SILENCE
from tinyhttp.server.server import Server
from tinyhttp.server.tally import REASONS, Tally

from .sockets import Peer, SocketReactor, until

BALANCER = IPv4Address("TCP", "192.0.2.1", 54321)
TEXT = b"PROXY TCP4 198.51.100.7 192.0.2.9 4711 80\r\n"
BIG = bytes(range(256)) * 2000


class Log(FakeLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.clients: list[bytes] = []

    def answered(self, connection: Any, *about: Any) -> None:
        self.clients.append(connection.client())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": b"a", "big.bin": BIG})


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def keeper(root: Path, reactor: FakeReactor, log: Log) -> GateKeeper:
    server = make_server(root, reactor, access_log=log)
    return GateKeeper(server, Networks(["192.0.2.0/24"]), server.deadlines)


def enter(keeper: GateKeeper, address: Any = BALANCER) -> FakeTransport:
    """Return the transport of a connection from ``address``, which may come in."""
    transport = FakeTransport()
    gate: Any = keeper.buildProtocol(address)
    assert isinstance(gate, Gate)
    behind: Any = transport
    behind.protocol = gate
    gate.makeConnection(transport)
    return transport


def send(transport: FakeTransport, data: bytes, piece: int | None = None) -> None:
    for start in range(0, len(data), piece or len(data)):
        if not transport.closed:
            protocol: Any = transport.protocol
            protocol.dataReceived(data[start : start + (piece or len(data))])


def bodies(transport: StringTransport) -> list[bytes]:
    return [answer.body for answer in read_answers(transport.value())]


def test_who_is_not_let_in_is_counted(root: Path, reactor: FakeReactor) -> None:
    tally = Tally()
    server = make_server(root, reactor, tally=tally)
    keeper = GateKeeper(server, Networks(["192.0.2.0/24"]), server.deadlines)
    assert keeper.buildProtocol(IPv4Address("TCP", "198.51.100.1", 1)) is None
    send(enter(keeper), b"GET / HTTP/1.1\r\n\r\n")
    send(enter(keeper), TEXT + get("/a.txt"))
    assert tally.refused[REASONS.index("gate")] == sum(tally.refused) == 2


# What is behind the gate.


@pytest.mark.parametrize("piece", [None, 1, 7])
@pytest.mark.parametrize(("header", "ends"), HEADERS.values(), ids=HEADERS.keys())
def test_requests_behind_a_header(
    keeper: GateKeeper,
    log: Log,
    header: bytes,
    ends: Sequence[End | None],
    piece: int | None,
) -> None:
    transport = enter(keeper)
    send(transport, header + get("/a.txt") * 2, piece)
    assert type(transport.protocol) is Connection
    assert bodies(transport) == [b"a", b"a"]
    source = ends[0]
    expected = BALANCER if source is None else twisted_address_of(source)
    assert transport.getPeer() == expected
    host = "192.0.2.1" if source is None else source.host if source.port is not None else "unix:"
    assert log.clients == [host.removeprefix("::ffff:").encode()] * 2
    assert keeper.waiting == set()


@given(st.lists(st.integers(1, 60), max_size=20))
@settings(max_examples=30)
def test_however_it_is_cut(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    root = write_tree(tmp_path_factory.getbasetemp() / "cut", {"a.txt": b"a"})
    server = make_server(root)
    keeper = GateKeeper(server, Networks(["0.0.0.0/0"]), server.deadlines)
    transport = enter(keeper)
    data = binary(PROXY, TCP4, tcp4()) + get("/a.txt") * 2
    for cut in cuts:
        if data:
            send(transport, data[:cut])
        data = data[cut:]
    if data:
        send(transport, data)
    assert bodies(transport) == [b"a", b"a"]
    _ = server.stop()


def test_nothing_is_answered_before_the_header(keeper: GateKeeper) -> None:
    transport = enter(keeper)
    send(transport, TEXT[:-1])
    gate: Any = transport.protocol
    assert type(gate) is Gate
    assert transport.value() == b""
    assert keeper.waiting == {gate}
    send(transport, TEXT[-1:])
    assert type(transport.protocol) is Connection
    assert transport.value() == b""


def test_a_second_header_is_a_request_and_none(keeper: GateKeeper) -> None:
    transport = enter(keeper)
    send(transport, TEXT * 2 + get("/a.txt"))
    assert transport.value().startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("end", "address"),
    [
        (End("192.0.2.1", 80), IPv4Address("TCP", "192.0.2.1", 80)),
        (End("2001:db8::1", 0), IPv6Address("TCP", "2001:db8::1", 0)),
        (End("/run/a", None), UNIXAddress(b"/run/a")),
        (End("", None), UNIXAddress(None)),
    ],
)
def test_addresses(end: End, address: Any) -> None:
    assert twisted_address_of(end) == address


# Who does not get through.


def said(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events if event["log_namespace"].endswith("gate")]


@pytest.mark.parametrize(
    "address",
    [IPv4Address("TCP", "203.0.113.1", 1), IPv6Address("TCP", "::1", 1), UNIXAddress(None), None],
)
def test_only_from_balancers(keeper: GateKeeper, address: Any) -> None:
    with capturedLogs() as events:
        assert keeper.buildProtocol(address) is None
    (line,) = said(events)
    assert line.endswith("it is not one of the balancers that were named")


def test_a_balancer_on_a_unix_socket(root: Path) -> None:
    server = make_server(root)
    keeper = GateKeeper(server, Networks(["unix"]), server.deadlines)
    transport = enter(keeper, UNIXAddress(None))
    send(transport, TEXT + get("/a.txt"))
    assert bodies(transport) == [b"a"]


def test_what_is_no_header(keeper: GateKeeper, log: Log) -> None:
    """It is not answered: whoever sends it did not mean to speak to us."""
    transport = enter(keeper)
    with capturedLogs() as events:
        send(transport, get("/a.txt"))
    assert transport.aborted
    assert transport.value() == b""
    assert log.clients == []
    assert keeper.waiting == set()
    assert said(events) == [
        "1 connection(s) closed before their PROXY header, the last from 192.0.2.1: "
        "it does not begin like a PROXY header"
    ]


def test_the_log_is_not_flooded(keeper: GateKeeper, reactor: FakeReactor) -> None:
    with capturedLogs() as events:
        for _ in range(100):
            keeper.buildProtocol(None)
        assert len(said(events)) == 1
        reactor.advance(SILENCE)
        keeper.buildProtocol(None)
    assert [line.split()[0] for line in said(events)] == ["1", "100"]


@pytest.mark.parametrize("sent", [b"", TEXT[:10]])
def test_a_header_that_does_not_come(keeper: GateKeeper, reactor: FakeReactor, sent: bytes) -> None:
    transport = enter(keeper)
    if sent:
        send(transport, sent)
    reactor.pump([0.25] * int(TIMEOUT / 0.25 - 1))
    assert not transport.closed
    reactor.pump([0.25] * 5)
    assert transport.aborted
    assert keeper.waiting == set()


def test_one_that_comes_slowly_has_no_longer(keeper: GateKeeper, reactor: FakeReactor) -> None:
    transport = enter(keeper)
    for octet in TEXT[:30]:
        if not transport.closed:
            send(transport, bytes([octet]))
        reactor.advance(0.25)
    assert transport.aborted


def test_the_deadline_of_the_gate_is_not_that_of_the_request(
    keeper: GateKeeper, reactor: FakeReactor
) -> None:
    transport = enter(keeper)
    send(transport, TEXT)
    reactor.pump([0.25] * 40)
    assert not transport.closed
    send(transport, get("/a.txt"))
    assert bodies(transport) == [b"a"]


def test_one_that_vanishes(keeper: GateKeeper, reactor: FakeReactor) -> None:
    transport = enter(keeper)
    protocol: Any = transport.protocol
    transport.closed = True
    protocol.connectionLost(Failure(main.CONNECTION_DONE))
    assert keeper.waiting == set()
    assert reactor.getDelayedCalls() == []


def test_a_factory_that_wants_none(keeper: GateKeeper) -> None:
    class Full:
        def buildProtocol(self, addr: Any) -> None:
            assert addr == IPv4Address("TCP", "198.51.100.7", 4711)

    keeper.behind = Full()
    transport = enter(keeper)
    send(transport, TEXT)
    assert transport.aborted


def test_at_the_end_of_the_port(keeper: GateKeeper) -> None:
    keeper.doStart()
    server = keeper.factory
    assert server.numPorts == 1
    waiting, served = enter(keeper), enter(keeper)
    send(served, TEXT + get("/a.txt"))
    keeper.doStop()
    assert server.numPorts == 0
    assert waiting.aborted
    assert not served.closed
    send(served, get("/a.txt"))
    assert bodies(served) == [b"a", b"a"]


# Real sockets.


@pytest.fixture(params=["own", "stock"])
def stage(
    request: pytest.FixtureRequest, root: Path
) -> Iterator[tuple[SocketReactor, Server, Callable[[], Peer]]]:
    """A port over one of the transports: its reactor, the server, and a way to connect."""
    reactor = SocketReactor()
    server = make_server(root, reactor)
    keeper = GateKeeper(server, Networks(["127.0.0.1"]), server.deadlines)
    port = tcp.Port(0, keeper, 50, "127.0.0.1", reactor)
    port.startListening()
    poller = Poller(reactor)
    acceptor = None
    if request.param == "own":
        acceptor = take_over(port, keeper, poller, reactor)
        assert acceptor is not None
    with ExitStack() as stack:

        def connect() -> Peer:
            client = stack.enter_context(socket.socket())
            client.connect(("127.0.0.1", port.getHost().port))
            return Peer(client)

        yield reactor, server, connect
        if acceptor is not None:
            acceptor.stop()
        port.stopListening()
        for connection in list(server.connections):
            connection.transport.abortConnection()
        reactor.advance(1)
    _ = server.stop()


def turns(reactor: SocketReactor) -> Callable[[], bool]:
    """Return what gives the reactor a turn; what is due now, a close for example, is done too."""

    def turn() -> bool:
        reactor.advance(0)
        return reactor.poll()

    return turn


def test_over_real_sockets(
    stage: tuple[SocketReactor, Server, Callable[[], Peer]],
) -> None:
    """A large file too, which goes by ``sendfile`` over our own."""
    reactor, server, connect = stage
    peer = connect()
    peer.send(TEXT[:5])
    for _ in range(5):
        reactor.poll()
    assert not server.connections
    peer.send(TEXT[5:] + get("/big.bin") + get("/a.txt", "Connection: close"))
    until(lambda: peer.end, turns(reactor), peer.read)
    assert [answer.body for answer in read_answers(bytes(peer.received))] == [BIG, b"a"]


def test_the_client_is_who_the_header_says(
    stage: tuple[SocketReactor, Server, Callable[[], Peer]],
) -> None:
    reactor, server, connect = stage
    peers = [connect(), connect()]
    peers[0].send(TEXT)
    peers[1].send(binary(LOCAL, TCP4, tcp4()))
    until(lambda: len(server.connections) == 2, reactor.poll)
    hosts = sorted(connection.client() for connection in server.connections)
    assert hosts == [b"127.0.0.1", b"198.51.100.7"]


def test_garbage_over_real_sockets(
    stage: tuple[SocketReactor, Server, Callable[[], Peer]],
) -> None:
    reactor, server, connect = stage
    peer = connect()
    peer.send(b"GET / HTTP/1.1\r\n\r\n")
    until(lambda: peer.end, turns(reactor), peer.read)
    assert peer.received == b""
    assert not server.connections


def test_unix_ports_are_taken_over_too(root: Path, tmp_path: Path) -> None:
    reactor = SocketReactor()
    server = make_server(root, reactor)
    keeper = GateKeeper(server, Networks(["unix"]), server.deadlines)
    port = unix.Port(os.fsencode(tmp_path / "socket"), keeper, 50, reactor=reactor)
    port.startListening()
    acceptor = take_over(port, keeper, Poller(reactor), reactor)
    assert acceptor is not None
    acceptor.stop()
    port.stopListening()
    reactor.advance(0)
