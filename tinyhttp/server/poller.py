"""Who waits for many connections.

Floor: server. A reactor pays some 5 us for every event: a logging context, checks, look-ups. An
epoll object can itself be waited for; so `Poller` registers connections with an epoll of its own,
and only that one with the reactor, whichever it is. When it is ready its events are dealt with in
one go. docs/performance.md has the figures. Where there is no epoll, `ReactorPoller` hands each
connection to the reactor.
"""

import select
from typing import Any, Protocol

from twisted.internet import main
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Poller", "ReactorPoller", "WaitingRoom", "make_poller"]

EVENTS = 64
"""Events dealt with at a time."""
LOOKS = 4
"""Times in a row that there may be something to deal with; then the reactor has its turn, which
costs as much as a request."""

_IN = getattr(select, "EPOLLIN", 1)
_OUT = getattr(select, "EPOLLOUT", 4)

_log = Logger()


class WaitingRoom(Protocol):
    """What a connection asks of whoever waits for it.

    A member has ``fileno``, and is told by ``doRead``, ``doWrite``, ``readConnectionLost`` and
    ``connectionLost``, as Twisted's descriptors are.
    """

    def join(self, member: Any) -> None:
        """Wait for ``member`` to be readable."""

    def want(self, member: Any, *, reading: bool, writing: bool) -> None:
        """Change what is waited for; errors and hang-ups are told even if it is nothing."""

    def leave(self, member: Any, *, stays_open: bool = False) -> None:
        """Forget ``member``, whose descriptor is going to be closed, unless it ``stays_open``."""

    def settle(self) -> None:
        """Deal with what has happened so far, before something ends."""


class ReactorPoller:
    """A `WaitingRoom` that leaves it to the reactor."""

    def __init__(self, reactor: Any):
        self._reactor = reactor

    def join(self, member: Any) -> None:
        """See `WaitingRoom.join`."""
        self._reactor.addReader(member)

    def want(self, member: Any, *, reading: bool, writing: bool) -> None:
        """See `WaitingRoom.want`."""
        (self._reactor.addReader if reading else self._reactor.removeReader)(member)
        (self._reactor.addWriter if writing else self._reactor.removeWriter)(member)

    def leave(self, member: Any, *, stays_open: bool = False) -> None:
        """See `WaitingRoom.leave`."""
        self._reactor.removeReader(member)
        self._reactor.removeWriter(member)

    def settle(self) -> None:
        """See `WaitingRoom.settle`. The reactor alone knows what has happened."""


@implementer(IReadDescriptor)
class Poller:
    """A `WaitingRoom` with an epoll of its own, which it gives to the reactor while it is used."""

    def __init__(self, reactor: Any):
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._members: dict[int, Any] = {}
        self._new: set[int] = set()  # descriptors that came in since the last look

    # For connections.

    def join(self, member: Any) -> None:
        """See `WaitingRoom.join`."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        descriptor = member.fileno()
        self._epoll.register(descriptor, _IN)
        self._members[descriptor] = member
        self._new.add(descriptor)

    def want(self, member: Any, *, reading: bool, writing: bool) -> None:
        """See `WaitingRoom.want`."""
        assert self._epoll is not None
        self._epoll.modify(member.fileno(), (_IN if reading else 0) | (_OUT if writing else 0))

    def leave(self, member: Any, *, stays_open: bool = False) -> None:
        """See `WaitingRoom.leave`. Closing the descriptor unregisters it: no call for that."""
        if self._members.pop(member.fileno(), None) is None:
            return
        assert self._epoll is not None
        if stays_open:
            self._epoll.unregister(member.fileno())
        if not self._members:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    def settle(self) -> None:
        """See `WaitingRoom.settle`."""
        self.doRead()

    # For the reactor.

    def fileno(self) -> int:
        """Return the descriptor of the epoll object."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "tinyhttp"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor lets go of everything at its end."""
        for member in [*self._members.values()]:
            member.connectionLost(reason)

    def doRead(self) -> None:
        """Deal with what has happened to the connections, and with what happens meanwhile."""
        for _ in range(LOOKS):
            if self._epoll is None or not self._look(self._epoll):
                return

    def _look(self, epoll: select.epoll) -> bool:
        """Deal with the events that there are; return whether there were any."""
        members, new = self._members, self._new
        new.clear()
        happened = epoll.poll(0, EVENTS)
        for descriptor, events in happened:
            member = members.get(descriptor)
            # It may have been closed on account of an event before this one, and its number be
            # another's by now, to whom this event means nothing.
            if member is not None and descriptor not in new:
                try:
                    if events != _IN:
                        _tell(member, events)
                    elif (why := member.doRead()) is not None:  # most of them, without a detour
                        _end(member, why, reading=True)
                except BaseException:
                    failure = Failure()
                    _log.failure("an error of the server's own; a connection is closed", failure)
                    if member.fileno() == descriptor:
                        member.connectionLost(failure)
        return bool(happened)


def _tell(member: Any, events: int) -> None:
    """Tell ``member`` what has happened, as Twisted's reactors do."""
    if events & _IN and (why := member.doRead()) is not None:
        _end(member, why, reading=True)
    elif events & _OUT and member.fileno() >= 0 and (why := member.doWrite()) is not None:
        _end(member, why)
    elif not events & (_IN | _OUT):  # an error or a hang-up, and nothing left to read
        _end(member, main.CONNECTION_LOST)


def _end(member: Any, why: Any, *, reading: bool = False) -> None:
    """Tell ``member`` that its connection, or its client's side of it, has ended."""
    if why is not main.CONNECTION_DONE:
        member.connectionLost(Failure(why))
    elif reading:
        member.readConnectionLost(connectionDone)
    else:
        member.connectionLost(connectionDone)


def make_poller(reactor: Any) -> WaitingRoom:
    """Return the best `WaitingRoom` that this system has."""
    return Poller(reactor) if hasattr(select, "epoll") else ReactorPoller(reactor)
