"""What HAProxy's agent-check is told, over real sockets and in memory."""

import socket

import pytest
from twisted.internet import tcp
from twisted.internet.testing import StringTransport

from tests.support import FakeReactor, FakeTransport
from tinyhttp.server.agent_check import CONNECTIONS, PATIENCE, AgentCheck
from tinyhttp.server.pages import Health

from .sockets import Peer, SocketReactor, linked, until


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def health() -> Health:
    health = Health()
    health.begin()
    return health


@pytest.fixture
def agent(reactor: FakeReactor, health: Health) -> AgentCheck:
    return AgentCheck(reactor, health)


def connect(agent: AgentCheck) -> FakeTransport:
    transport = FakeTransport()
    protocol = agent.buildProtocol(None)
    assert protocol is not None
    transport.protocol = protocol  # type: ignore[assignment]
    protocol.makeConnection(transport)
    return transport


def test_the_words(agent: AgentCheck, health: Health) -> None:
    assert agent.line() == b"up ready 100%\n"
    health.drain()
    assert agent.line() == b"drain\n"


def test_not_before_it_is_ready(reactor: FakeReactor) -> None:
    assert AgentCheck(reactor, Health()).line() == b"drain\n"


@pytest.mark.parametrize(
    ("connections", "percent"),
    [(0, 100), (1, 100), (10, 95), (100, 50), (198, 1), (199, 1), (200, 1), (250, 1)],
)
def test_the_weight_is_what_is_free(
    reactor: FakeReactor, health: Health, connections: int, percent: int
) -> None:
    """Never 0: that would mean "drain", and keep clients away for good."""
    agent = AgentCheck(reactor, health, lambda: 1 - connections / 200)
    assert agent.line() == b"up ready %d%%\n" % percent


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
@pytest.mark.parametrize("said", [b"", b"who are you?\n"])
def test_one_line_and_the_end(agent: AgentCheck, kind: str, said: bytes) -> None:
    """The client's own word does not cost it the answer, though nobody has asked for it."""
    with linked(kind, protocol=agent.buildProtocol(None)) as link:
        if said:
            link.peer.send(said)
        link.until(lambda: link.peer.end)
        assert link.peer.received == b"up ready 100%\n"
        assert link.peer.end == "closed"
        link.peer.socket.shutdown(socket.SHUT_RDWR)
        link.until(lambda: not agent.connections)


def test_over_twisteds_own_transport(health: Health) -> None:
    ears = SocketReactor()
    agent = AgentCheck(ears, health)
    port = tcp.Port(0, agent, interface="127.0.0.1", reactor=ears)
    port.startListening()
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
        peer = Peer(client)
        peer.send(b"agent\n")
        until(lambda: peer.end, ears.poll, peer.read)
        assert peer.received == b"up ready 100%\n"
        assert peer.end == "closed"
    until(lambda: not agent.connections, ears.poll)
    port.stopListening()
    ears.advance(0)


def test_who_stays_is_hung_up_on(agent: AgentCheck, reactor: FakeReactor) -> None:
    transport = connect(agent)
    assert transport.value() == b"up ready 100%\n"
    assert transport.half_closed
    assert not transport.closed
    for _ in range(int(PATIENCE * 2) + 2):
        reactor.advance(0.5)
    assert transport.aborted
    assert agent.connections == set()
    assert reactor.getDelayedCalls() == []


def test_who_talks_is_hung_up_on(agent: AgentCheck) -> None:
    transport = connect(agent)
    transport.protocol.dataReceived(b"x" * 1024)  # type: ignore[union-attr]
    assert not transport.aborted
    transport.protocol.dataReceived(b"x")  # type: ignore[union-attr]
    assert transport.aborted


def test_there_are_not_many_at_a_time(agent: AgentCheck) -> None:
    transports = [connect(agent) for _ in range(CONNECTIONS)]
    assert agent.buildProtocol(None) is None
    transports[0].abortConnection()
    assert agent.buildProtocol(None) is not None


def test_at_the_end_nobody_is_left(agent: AgentCheck, reactor: FakeReactor) -> None:
    transports = [connect(agent) for _ in range(3)]
    agent.stopFactory()
    assert all(transport.aborted for transport in transports)
    assert agent.connections == set()
    assert reactor.getDelayedCalls() == []


def test_a_transport_that_has_no_sides(agent: AgentCheck) -> None:
    transport = StringTransport()
    protocol = agent.buildProtocol(None)
    assert protocol is not None
    protocol.makeConnection(transport)
    assert transport.value() == b"up ready 100%\n"
    assert transport.disconnecting
