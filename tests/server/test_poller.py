"""Who waits for connections: membership, what is told to whom, and what an error costs."""

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from twisted.internet import main
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReadDescriptor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tinyhttp.server import poller as the_module
from tinyhttp.server.poller import EVENTS, LOOKS, Poller, ReactorPoller, make_poller

from .sockets import SocketReactor, until

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll on this system")


@implementer(IHalfCloseableDescriptor)
class Member:
    """A descriptor that notes what it is told, and does what a test has it do then."""

    def __init__(self, sock: socket.socket):
        self.socket = sock
        self.told: list[str] = []
        self.on_read: Callable[[], Any] = lambda: None
        self.on_write: Callable[[], Any] = lambda: None
        self.on_lost: Callable[[], Any] = lambda: None

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "a member"

    def doRead(self) -> Any:
        self.told.append("read")
        return self.on_read()

    def doWrite(self) -> Any:
        self.told.append("write")
        return self.on_write()

    def readConnectionLost(self, reason: Failure) -> None:
        self.told.append("read side ended")

    def writeConnectionLost(self, reason: Failure) -> None:
        self.told.append("write side ended")

    def connectionLost(self, reason: Failure) -> None:
        self.told.append(type(reason.value).__name__)
        self.on_lost()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


Pair = tuple[Member, socket.socket]


@pytest.fixture
def pair(stack: ExitStack) -> Callable[[], Pair]:
    def pair() -> Pair:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        stack.enter_context(near)
        stack.enter_context(far)
        return Member(near), far

    return pair


@pytest.fixture
def reactor() -> SocketReactor:
    return SocketReactor()


@pytest.fixture
def poller(reactor: SocketReactor) -> Iterator[Poller]:
    poller = Poller(reactor)
    yield poller
    if poller._epoll is not None:
        poller._epoll.close()


def closing(poller: Poller | ReactorPoller, member: Member) -> Callable[[], None]:
    """What a member does at its end: leave, and close."""

    def close() -> None:
        if member.fileno() >= 0:
            poller.leave(member)
            member.socket.close()

    return close


@pytest.fixture(autouse=True)
def one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not dealt with is not told of again at once."""
    monkeypatch.setattr(the_module, "LOOKS", 1)


# Membership.


def test_interface() -> None:
    assert verifyObject(IReadDescriptor, Poller(SocketReactor()))


def test_the_best_there_is(reactor: SocketReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_poller(reactor)) is Poller
    monkeypatch.delattr(select, "epoll")
    assert type(make_poller(reactor)) is ReactorPoller


def test_costs_nothing_while_nobody_waits(reactor: SocketReactor, poller: Poller) -> None:
    assert reactor.readers == []
    assert poller.fileno() == -1
    assert poller.logPrefix() == "tinyhttp"


def test_is_with_the_reactor_while_somebody_waits(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    (first, _), (second, _) = pair(), pair()
    for _ in range(2):
        poller.join(first)
        assert reactor.readers == [poller]
        epoll = poller.fileno()
        assert os.readlink(f"/proc/self/fd/{epoll}") == "anon_inode:[eventpoll]"
        poller.join(second)
        assert reactor.readers == [poller]
        assert reactor.writers == []
        poller.leave(first)
        assert reactor.readers == [poller]
        poller.leave(second)
        assert reactor.readers == []
        assert poller.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(epoll)


def test_whoever_left_may_leave_again(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    (member, _), (other, _) = pair(), pair()
    poller.join(member)
    poller.leave(other)
    assert reactor.readers == [poller]
    poller.leave(member)
    poller.leave(member)
    assert reactor.readers == []


def test_a_member_that_left_hears_nothing(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    (gone, far), (member, _) = pair(), pair()
    poller.join(gone)
    poller.join(member)
    far.send(b"x")
    poller.leave(gone)  # its descriptor is to be closed, but is not yet
    reactor.poll()
    assert gone.told == []
    gone.socket.close()
    assert not reactor.poll(), "a closed descriptor is not waited for"


def test_the_end_of_the_reactor(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    members = [pair()[0] for _ in range(3)]
    for member in members:
        member.on_lost = closing(poller, member)
        poller.join(member)
    poller.connectionLost(Failure(main.CONNECTION_LOST))
    assert [member.told for member in members] == [["ConnectionLost"]] * 3
    assert reactor.readers == []
    poller.connectionLost(Failure(main.CONNECTION_LOST))


# What is waited for.


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("r", ["read"]), ("w", ["write"]), ("rw", ["read", "write"]), ("", [])],
)
def test_what_is_wanted(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], wanted: str, told: list[str]
) -> None:
    member, far = pair()
    far.send(b"x")
    poller.join(member)
    poller.want(member, reading="r" in wanted, writing="w" in wanted)
    reactor.poll()
    assert member.told == told
    reactor.poll()
    assert member.told == told * 2, "told as long as it lasts"
    poller.want(member, reading=False, writing=False)
    assert not reactor.poll()


def test_at_first_it_is_reading(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    member, far = pair()
    poller.join(member)
    assert not reactor.poll()
    far.send(b"x")
    reactor.poll()
    assert member.told == ["read"]


def test_each_hears_of_its_own(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    pairs = [pair() for _ in range(5)]
    for member, _ in pairs:
        poller.join(member)
    for index in (1, 3):
        pairs[index][1].send(b"x")
    reactor.poll()
    assert [member.told for member, _ in pairs] == [[], ["read"], [], ["read"], []]


def test_more_than_are_dealt_with_in_one_go(
    reactor: SocketReactor,
    poller: Poller,
    pair: Callable[[], Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others of the reactor have their turn between; and nobody is forgotten."""
    assert EVENTS * LOOKS == 256
    monkeypatch.setattr(the_module, "LOOKS", LOOKS)
    pairs = [pair() for _ in range(600)]
    for member, far in pairs:
        member.on_read = lambda m=member: m.socket.recv(1) and None  # type: ignore[misc]
        poller.join(member)
        far.send(b"x")
    counts = []
    while reactor.poll():
        counts.append(sum(len(member.told) for member, _ in pairs))
    assert counts == [256, 512, 600]
    assert all(member.told == ["read"] for member, _ in pairs)


@pytest.mark.parametrize("times", [1, 2, 4, 9])
def test_what_happens_meanwhile_is_dealt_with_in_the_same_turn(
    reactor: SocketReactor,
    poller: Poller,
    pair: Callable[[], Pair],
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    """A client that sends its next request at once need not wait for the reactor's turn."""
    monkeypatch.setattr(the_module, "LOOKS", LOOKS)
    member, far = pair()
    poller.join(member)
    left = times

    def answer() -> None:
        nonlocal left
        member.socket.recv(1)
        left -= 1
        if left:
            far.send(b"x")

    member.on_read = answer
    far.send(b"x")
    turns = 0
    while reactor.poll():
        turns += 1
    assert member.told == ["read"] * times
    assert turns == -(-times // LOOKS)


def test_one_that_leaves_last_ends_the_turn(
    reactor: SocketReactor,
    poller: Poller,
    pair: Callable[[], Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(the_module, "LOOKS", LOOKS)
    member, far = pair()
    poller.join(member)
    member.on_read = closing(poller, member)
    far.send(b"x")
    reactor.poll()
    assert member.told == ["read"]
    assert reactor.readers == []


# The ends of connections.


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (main.CONNECTION_DONE, ["read", "read side ended"]),
        (main.CONNECTION_LOST, ["read", "ConnectionLost"]),
        (ConnectionLost("in other words"), ["read", "ConnectionLost"]),
    ],
)
def test_what_reading_returns(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], why: Any, told: list[str]
) -> None:
    """A client that has ended its side may still be sent to: nothing is written in that turn."""
    member, far = pair()
    poller.join(member)
    poller.want(member, reading=True, writing=True)
    member.on_read = lambda: why
    far.send(b"x")
    reactor.poll()
    assert member.told == told


def test_what_writing_returns(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    member, _ = pair()
    poller.join(member)
    poller.want(member, reading=True, writing=True)
    member.on_write = lambda: main.CONNECTION_LOST
    reactor.poll()
    assert member.told == ["write", "ConnectionLost"]


def test_the_last_octets_before_a_hang_up_are_read(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    member, far = pair()
    poller.join(member)
    far.send(b"x")
    far.close()
    reactor.poll()
    assert member.told == ["read"]


def test_a_half_closed_one_is_read(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    member, far = pair()
    poller.join(member)
    far.shutdown(socket.SHUT_WR)
    reactor.poll()
    assert member.told == ["read"]
    poller.want(member, reading=False, writing=False)
    assert not reactor.poll(), "it is not told over and over"


@pytest.mark.parametrize("wanted", ["", "w"])
def test_a_hang_up_is_told_to_whoever_does_not_read(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], wanted: str
) -> None:
    member, far = pair()
    poller.join(member)
    poller.want(member, reading=False, writing="w" in wanted)
    member.on_write = lambda: main.CONNECTION_LOST
    far.close()
    reactor.poll()
    assert member.told[-1] == "ConnectionLost"


def test_an_error_is_told_to_whoever_wants_nothing(
    reactor: SocketReactor, poller: Poller, stack: ExitStack
) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    far = stack.enter_context(socket.create_connection(listener.getsockname()))
    near = stack.enter_context(listener.accept()[0])
    member = Member(near)
    member.on_lost = closing(poller, member)
    poller.join(member)
    poller.want(member, reading=False, writing=False)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    far.close()
    until(lambda: member.told, reactor.poll)
    assert member.told == ["ConnectionLost"]


def test_nothing_is_written_behind_the_end(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    member, far = pair()
    poller.join(member)
    poller.want(member, reading=True, writing=True)
    member.on_read = closing(poller, member)
    far.send(b"x")
    reactor.poll()
    assert member.told == ["read"]


# In the same go.


def test_one_that_was_closed_by_another_is_left_alone(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    """Whichever of the two comes first."""
    (one, far_of_one), (other, far_of_other) = pair(), pair()
    one.on_read = closing(poller, other)
    other.on_read = closing(poller, one)
    poller.join(one)
    poller.join(other)
    far_of_one.send(b"x")
    far_of_other.send(b"x")
    reactor.poll()
    assert sorted([one.told, other.told]) == [[], ["read"]]
    assert len({one.fileno(), other.fileno()} - {-1}) == 1


def test_the_last_one_closes_all(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    """And with the last member the epoll object goes, while its events are dealt with."""
    pairs = [pair() for _ in range(10)]

    def close_all() -> None:
        for member, _ in pairs:
            closing(poller, member)()

    for member, far in pairs:
        member.on_read = close_all
        poller.join(member)
        far.send(b"x")
    reactor.poll()
    assert sum(len(member.told) for member, _ in pairs) == 1
    assert reactor.readers == []


def successors(
    poller: Poller, pair: Callable[[], Pair], stack: ExitStack
) -> tuple[list[Pair], list[Member]]:
    """Two of which the first to be told closes the other, and puts a new one in its place."""
    pairs = [pair(), pair()]
    new: list[Member] = []

    def replace(old: Member) -> None:
        if new:
            return
        near, far = socket.socketpair()
        stack.enter_context(far)
        number = old.fileno()
        closing(poller, old)()
        os.dup2(near.fileno(), number)
        near.close()
        near = socket.socket(fileno=number)
        stack.enter_context(near)
        near.setblocking(False)
        new.append(Member(near))
        poller.join(new[0])

    for this, other in (pairs, pairs[::-1]):
        this[0].on_read = lambda m=other[0]: replace(m)  # type: ignore[misc]
        this[0].on_lost = lambda m=other[0]: replace(m)  # type: ignore[misc]
        poller.join(this[0])
    return pairs, new


def test_a_number_that_is_used_again(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], stack: ExitStack
) -> None:
    """At worst the new owner reads in vain, once."""
    pairs, new = successors(poller, pair, stack)
    for _, far in pairs:
        far.send(b"x")
    reactor.poll()
    assert sorted([pairs[0][0].told, pairs[1][0].told]) == [[], ["read"]]
    assert new[0].told in ([], ["read"])
    told = list(new[0].told)
    for member, _ in pairs:
        if member.fileno() >= 0:
            poller.want(member, reading=False, writing=False)
    reactor.poll()
    assert new[0].told == told


def test_the_hang_up_of_the_last_owner_of_a_number(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], stack: ExitStack
) -> None:
    pairs, new = successors(poller, pair, stack)
    for member, far in pairs:
        poller.want(member, reading=False, writing=False)
        far.close()
    reactor.poll()
    assert new[0].told == []


# What an error costs.


@pytest.mark.parametrize("where", ["read", "write"])
def test_an_exception_ends_one_connection(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair], where: str
) -> None:
    pairs = [pair() for _ in range(3)]
    broken = pairs[1][0]

    def fail() -> None:
        raise ZeroDivisionError("a mistake")

    for member, far in pairs:
        member.on_lost = closing(poller, member)
        poller.join(member)
        poller.want(member, reading=where == "read", writing=where == "write")
        far.send(b"x")
    if where == "read":
        broken.on_read = fail
    else:
        broken.on_write = fail
    with capturedLogs() as log:
        reactor.poll()
    assert [member.told for member, _ in pairs] == [[where], [where, "ZeroDivisionError"], [where]]
    (event,) = log
    assert event["log_failure"].type is ZeroDivisionError
    assert event["log_level"].name == "critical"
    with capturedLogs() as log:
        reactor.poll()
    assert log == []
    assert broken.told == [where, "ZeroDivisionError"]
    assert reactor.readers == [poller]


def test_an_exception_behind_the_end(
    reactor: SocketReactor, poller: Poller, pair: Callable[[], Pair]
) -> None:
    """It is not closed a second time: its number may be another's by then."""
    member, far = pair()

    def fail() -> None:
        closing(poller, member)()
        raise ZeroDivisionError("a mistake")

    member.on_read = fail
    poller.join(member)
    far.send(b"x")
    with capturedLogs() as log:
        reactor.poll()
    assert member.told == ["read"]
    assert [event["log_failure"].type for event in log] == [ZeroDivisionError]


# Under real reactors.


def epoll_reactor() -> Any:
    from twisted.internet.epollreactor import EPollReactor

    return EPollReactor()


REACTORS: dict[str, Callable[[], Any]] = {
    "epoll": epoll_reactor,
    "poll": PollReactor,
    "select": SelectReactor,
    "asyncio": AsyncioSelectorReactor,
}


@pytest.fixture(params=REACTORS)
def real(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A reactor that is not the one of this process, and never runs."""
    reactor: Any
    if request.param == "asyncio":
        import asyncio

        loop = asyncio.new_event_loop()
        reactor = AsyncioSelectorReactor(loop)
    else:
        loop = None
        reactor = REACTORS[request.param]()
    yield reactor
    reactor.removeAll()
    waker = reactor.waker
    reactor._internalReaders.discard(waker)
    reactor.removeReader(waker)
    waker.connectionLost(Failure(main.CONNECTION_DONE))
    if loop is not None:
        loop.close()
    if request.param == "epoll":
        reactor._poller.close()


def iterate(reactor: Any) -> Callable[[], bool]:
    def once() -> bool:
        reactor.iterate(0)
        return False

    return once


@pytest.mark.parametrize("kind", [Poller, ReactorPoller])
def test_real_reactors(real: Any, pair: Callable[[], Pair], kind: Any) -> None:
    """From the first member to the last, twice over."""
    for _ in range(2):
        room = kind(real)
        pairs = [pair() for _ in range(3)]
        for member, _ in pairs:
            member.on_lost = closing(room, member)
            room.join(member)
        turn = iterate(real)
        first, second, third = (member for member, _ in pairs)
        first.on_read = lambda m=first: m.socket.recv(9) and None  # type: ignore[misc]
        pairs[0][1].send(b"x")
        until(lambda: first.told == ["read"], turn)  # noqa: B023
        second.on_write = partial(room.want, second, reading=True, writing=False)
        room.want(second, reading=True, writing=True)
        until(lambda: second.told == ["write"], turn)  # noqa: B023
        third.on_read = lambda: main.CONNECTION_DONE
        pairs[2][1].shutdown(socket.SHUT_WR)
        until(lambda: third.told[:2] == ["read", "read side ended"], turn)  # noqa: B023
        for member, _ in pairs:
            closing(room, member)()
        turn()
        assert real.removeAll() == []
        assert first.told == ["read"]
        assert second.told == ["write"]


def test_real_reactors_at_their_end(real: Any, pair: Callable[[], Pair]) -> None:
    poller = Poller(real)
    members = [pair()[0] for _ in range(3)]
    for member in members:
        member.on_lost = closing(poller, member)
        poller.join(member)
    (removed,) = real.removeAll()
    assert removed is poller
    removed.connectionLost(Failure(main.CONNECTION_LOST))
    assert [member.told for member in members] == [["ConnectionLost"]] * 3
    assert poller.fileno() == -1


# Without epoll.


def test_without_epoll_the_reactor_waits(pair: Callable[[], Pair]) -> None:
    reactor = MemoryReactorClock()
    room = ReactorPoller(reactor)
    member, _ = pair()
    room.join(member)
    assert (reactor.getReaders(), reactor.getWriters()) == ([member], [])
    room.want(member, reading=True, writing=True)
    assert (reactor.getReaders(), reactor.getWriters()) == ([member], [member])
    room.want(member, reading=False, writing=True)
    assert (reactor.getReaders(), reactor.getWriters()) == ([], [member])
    room.want(member, reading=False, writing=False)
    assert (reactor.getReaders(), reactor.getWriters()) == ([], [])
    room.want(member, reading=True, writing=True)
    room.leave(member)
    assert (reactor.getReaders(), reactor.getWriters()) == ([], [])
