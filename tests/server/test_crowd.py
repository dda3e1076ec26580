"""A server that is full: who leaves, who never does, and who waits outside."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import main, tcp
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.support import Client, FakeReactor, HeldDisk, get, make_server, pass_time, write_tree
from tinyhttp.core.networks import Networks
from tinyhttp.server.acceptor import PAUSE, take_over
from tinyhttp.server.crowd import YOUNG, Crowd
from tinyhttp.server.protocol import Connection
from tinyhttp.server.proxy_gate import GateKeeper
from tinyhttp.server.quotas import CROWDED, SHED, Quotas, Refusals
from tinyhttp.server.server import Server

from .sockets import Peer, SocketReactor, until

BIG = bytes(1_000_000)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": b"a", "big.bin": BIG})


def full(root: Path, reactor: FakeReactor, places: int = 3) -> Server:
    return make_server(root, reactor, quotas=Quotas(connections=places))


def ended(clients: list[Client]) -> list[bool]:
    return [client.ended for client in clients]


# Who leaves.


def test_who_is_idle_for_the_longest_time(root: Path, reactor: FakeReactor) -> None:
    server = full(root, reactor)
    clients = [Client(server) for _ in range(3)]
    for n in (1, 2, 0):
        clients[n].send(get("/a.txt"))
        pass_time(reactor, 1)
    late = Client(server)
    assert ended(clients) == [False, True, False]
    later = Client(server)
    assert ended(clients) == [False, True, True]
    assert [client.answers()[0].body for client in clients] == [b"a"] * 3
    assert [c.send(get("/a.txt")).answers()[0].status for c in (late, later)] == [200, 200]
    assert server.refusals.counts[SHED] == 2
    assert server.refusals.counts[CROWDED] == 0


def test_first_who_has_never_asked(root: Path, reactor: FakeReactor) -> None:
    """But not before its first request has had the time to arrive."""
    server = full(root, reactor, 2)
    idle = Client(server).send(get("/a.txt"))
    pass_time(reactor, 50)
    silent = Client(server)
    pass_time(reactor, YOUNG)
    Client(server)
    assert ended([idle, silent]) == [False, True]
    Client(server)
    assert idle.ended, "the silent one is too young"


def under_way(server: Server) -> list[Client]:
    """Return clients of which each has something under way."""
    held = HeldDisk()
    waiting = Client(server)
    server.disk, disk = held, server.disk
    waiting.send(get("/nothing.txt"))
    server.disk = disk
    return [
        waiting,
        Client(server).send(b"GET / HT"),
        Client(server).send(get("/a.txt")).send(b"G"),
        Client(server).send(get("/a.txt", "Content-Length: 9") + b"12345678"),
        Client(server, room=1000).send(get("/big.bin")),
        Client(server, room=3).send(get("/a.txt")),
    ]


def test_whoever_has_something_under_way_stays(root: Path, reactor: FakeReactor) -> None:
    server = full(root, reactor, 6)
    clients = under_way(server)
    pass_time(reactor, 2)
    late = [Client(server) for _ in range(5)]
    assert ended(late) == [True] * 5
    assert ended(clients) == [False] * 6
    assert server.refusals.counts[CROWDED] == 5
    assert server.refusals.counts[SHED] == 0
    assert len(server.connections) == 6


class Member:
    """A connection that waits, or does not."""

    def __init__(self, crowd: set[Any], waits: tuple[float, bool] | None):
        self.crowd = crowd
        self.waits = waits

    def waits_since(self) -> tuple[float, bool] | None:
        return self.waits

    def drain(self) -> None:
        assert self.waits is not None
        self.crowd.remove(self)


waits = st.none() | st.tuples(st.floats(0, 100), st.booleans())


@given(st.lists(waits, max_size=40), st.integers(1, 40))
def test_the_right_ones_leave(all_waits: list[tuple[float, bool] | None], most: int) -> None:
    members: set[Member] = set()
    refusals = Refusals()
    crowd = Crowd(members, most, lambda: 100.0, refusals)
    members.update(Member(members, wait) for wait in all_waits)
    before = set(members)
    places = crowd.places()
    gone = before - members
    assert places == max(most - len(members), 0)
    assert refusals.counts[SHED] == len(gone)
    if len(before) < most:
        assert not gone
        return

    def order(member: Member) -> tuple[bool, float]:
        assert member.waits is not None
        return not member.waits[1], member.waits[0]

    may_go = [m for m in before if m.waits and (not m.waits[1] or m.waits[0] <= 100 - YOUNG)]
    assert len(gone) == min(len(may_go), 1)
    for member in gone:
        assert member in may_go
        assert order(member) == min(order(other) for other in may_go)


def test_a_search_in_vain_is_not_repeated_at_once() -> None:
    """Else each of many thousand that come would cost a look at all who are there."""
    looks = 0
    now = 100.0

    class Busy(Member):
        def waits_since(self) -> None:
            nonlocal looks
            looks += 1

    members: set[Member] = set()
    members.update(Busy(members, None) for _ in range(5))
    crowd = Crowd(members, 5, lambda: now, Refusals())
    for _ in range(100):
        assert crowd.places() == 0
    assert looks == 5
    now += 0.25
    assert crowd.places() == 0
    assert looks == 10
    now -= 50  # the clock is set back
    assert crowd.places() == 0
    assert looks == 15


def test_many_leave_at_a_time_if_there_are_many() -> None:
    members: set[Member] = set()
    members.update(Member(members, (float(n), False)) for n in range(1024))
    crowd = Crowd(members, 1024, lambda: 5000.0, Refusals())
    assert crowd.places() == 5
    assert min(m.waits[0] for m in members if m.waits) == 5.0


def test_who_leaves_wakes_whoever_waits_once() -> None:
    calls = []

    def wake() -> None:
        calls.append(1)

    crowd = Crowd(set(), 1, lambda: 0.0, Refusals())
    crowd.wait(wake)
    crowd.wait(wake)
    crowd.left()
    crowd.left()
    assert calls == [1]
    crowd.wait(wake)
    crowd.wait_no_more(wake)
    crowd.left()
    assert calls == [1]


# How many places there are.


def test_as_many_as_there_are_descriptors(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyhttp.server.server.descriptors_allowed", lambda: 1024)
    assert make_server(root, threads=4).crowd.most == 704
    assert make_server(root, quotas=Quotas(connections=9)).crowd.most == 9
    assert make_server(root, quotas=Quotas(connections=0)).crowd.most == float("inf")


# At the door.


class Stage:
    """A server that an `Acceptor` lets clients in to, or a gate in between."""

    def __init__(self, root: Path, stack: ExitStack, places: int, *, gate: bool = False):
        self.stack = stack
        self.reactor = SocketReactor()
        self.server = full(root, self.reactor, places)
        factory: Any = self.server
        if gate:
            factory = GateKeeper(factory, Networks(["127.0.0.1"]), self.server.deadlines)
        self.port: Any = tcp.Port(0, factory, 200, "127.0.0.1", self.reactor)
        self.port.startListening()
        acceptor = take_over(self.port, factory, self.server.room, self.reactor)
        assert acceptor is not None
        self.acceptor = acceptor
        stack.callback(self.close)

    def close(self) -> None:
        self.acceptor.stop()
        room: Any = self.server.room
        room.connectionLost(Failure(main.CONNECTION_DONE))
        self.port.stopListening()
        _ = self.server.stop()
        self.reactor.advance(0)

    def connect(self, data: bytes = b"") -> Peer:
        address = self.port.socket.getsockname()
        peer = Peer(self.stack.enter_context(socket.create_connection(address, 10)))
        if data:
            peer.send(data)
        return peer

    def settle(self) -> None:
        while self.reactor.poll():
            pass

    def until_answered(self, peer: Peer) -> None:
        until(lambda: peer.received.endswith(b"\r\n\r\na"), self.reactor.poll, peer.read)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_who_finds_no_place_waits_in_the_kernel(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack, 2)
    busy = [stage.connect(b"GET /a.txt HTTP/1.1\r\n") for _ in range(2)]
    until(lambda: len(stage.server.connections) == 2, stage.reactor.poll)
    with capturedLogs() as log:
        late = [stage.connect(get("/a.txt")) for _ in range(3)]
        stage.settle()
        for _ in range(20):
            stage.reactor.advance(PAUSE)
            stage.settle()
    assert len(stage.server.connections) == 2
    lines = [formatEvent(event) for event in log]
    assert lines == ["no new connections for the moment: all 2 places are taken"]
    assert stage.server.refusals.counts[CROWDED] == 0
    busy[0].send(b"Host: x\r\n\r\n")
    stage.until_answered(busy[0])
    for peer in late:  # one after another takes the place of who was answered before
        stage.reactor.advance(PAUSE)
        stage.until_answered(peer)
    assert busy[1].end == ""
    assert stage.server.refusals.counts[SHED] == 3


def test_who_leaves_makes_room_at_once(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack, 1)
    first = stage.connect(b"GET")
    until(lambda: len(stage.server.connections) == 1, stage.reactor.poll)
    second = stage.connect(get("/a.txt"))
    stage.settle()
    assert len(stage.reactor.getDelayedCalls()) == 2, "the deadline, and another try"
    first.socket.close()
    stage.until_answered(second)


def test_the_acceptor_that_waits_can_be_stopped(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack, 1)
    first = stage.connect(b"GET")
    until(lambda: len(stage.server.connections) == 1, stage.reactor.poll)
    stage.connect()
    stage.settle()
    stage.acceptor.stop()
    first.socket.close()
    until(lambda: not stage.server.connections, stage.reactor.poll)
    assert stage.reactor.getDelayedCalls() == []


def test_no_more_than_there_are_places_are_taken_in_one_go(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack, 5)
    for _ in range(12):
        stage.connect(b"GET")
    for _ in range(20):
        stage.reactor.poll()
        assert len(stage.server.connections) <= 5
    assert len(stage.server.connections) == 5
    assert stage.server.refusals.counts[CROWDED] == 0


def test_before_a_gate_as_well(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack, 1, gate=True)
    header = b"PROXY TCP4 198.51.100.7 192.0.2.9 4711 80\r\n"
    first = stage.connect(header + b"GET")
    until(lambda: len(stage.server.connections) == 1, stage.reactor.poll)
    second = stage.connect(header + get("/a.txt"))
    stage.settle()
    assert second.end == ""
    first.socket.close()
    stage.until_answered(second)


def test_twisteds_own_ports_hang_up(root: Path, reactor: FakeReactor) -> None:
    """They have accepted already when they ask; and connections can only be made to close."""
    server = full(root, reactor, 1)
    busy = Client(server).send(b"GET")
    late = Client(server)
    assert late.transport.closed
    assert late.received == b""
    assert server.connections == {busy.connection}
    busy.send(b" /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    assert busy.answers()[0].body == b"a"
    busy.vanish()
    assert server.connections == set()
    assert reactor.getDelayedCalls() == []


def test_on_them_an_idle_one_makes_room_though_it_takes_a_moment(
    root: Path, reactor: FakeReactor
) -> None:
    server = full(root, reactor, 1)
    idle = Client(server).send(get("/a.txt"))
    transport: Any = idle.transport
    lose, transport.loseConnection = transport.loseConnection, int
    late = Client(server)
    assert not late.ended
    assert Client(server).ended, "nobody else can leave"
    lose()
    assert late.send(get("/a.txt")).answers()[0].body == b"a"


def test_a_connection_knows_whether_it_waits(root: Path, reactor: FakeReactor) -> None:
    server = full(root, reactor)
    client = Client(server)
    connection: Connection = client.connection
    assert connection.waits_since() == (reactor.seconds(), True)
    client.send(b"GET /a.txt HTTP/1.1\r\n")
    assert connection.waits_since() is None
    pass_time(reactor, 2)
    client.send(b"Host: x\r\n\r\n")
    assert connection.waits_since() == (reactor.seconds(), False)
    since = reactor.seconds()
    pass_time(reactor, 20)
    assert connection.waits_since() == (since, False)
