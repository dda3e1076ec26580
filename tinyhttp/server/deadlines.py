"""Deadlines of many connections on one timer.

Floor: server. A connection has one deadline at a time and moves it with every request. A
``DelayedCall`` for each would be made and cancelled as often; here moving a deadline back is one
assignment. Connections stand in buckets by the tick in which they are due, each in one bucket;
when its tick comes, whoever has moved on in the meantime is put into the bucket where it belongs
now. Nothing is scheduled while nobody waits, so that a reactor left alone stays clean.
"""

from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["TICK", "Deadlines", "Waiting"]

TICK = 0.5
"""Seconds. A deadline is noticed less than two ticks too late, and never too early."""


class Waiting(Protocol):
    """Somebody with a deadline."""

    deadline: float
    """When the time is up, in the reactor's seconds. Set by `Deadlines` alone."""
    bucket: int
    """Where `Deadlines` keeps it; -1: nowhere."""

    def time_is_up(self) -> None:
        """Act on the deadline; it may set another one."""


class Deadlines:
    """The deadlines of everyone who waits, on the clock of ``reactor``, looked at each ``tick``."""

    def __init__(self, reactor: IReactorTime, tick: float = TICK):
        self._reactor = reactor
        self._length = tick
        self.now = reactor.seconds
        self._buckets: dict[int, set[Waiting]] = {}
        self._call: IDelayedCall | None = None
        self._last = 0  # the newest tick that has been dealt with

    def set(self, waiting: Waiting, seconds: float) -> None:
        """Give ``waiting`` a deadline so many seconds from now, in place of any other."""
        deadline = waiting.deadline = self.now() + seconds
        # A later deadline is found out about when the bucket comes up.
        if not 0 <= waiting.bucket <= deadline / self._length + 1:
            self._file(waiting)

    def clear(self, waiting: Waiting) -> None:
        """Take the deadline of ``waiting`` away; it keeps its place for the next one."""
        waiting.deadline = inf

    def remove(self, waiting: Waiting) -> None:
        """Forget ``waiting``."""
        self._unfile(waiting)
        waiting.deadline = inf
        if not self._buckets and self._call is not None:
            self._call.cancel()
            self._call = None

    def _file(self, waiting: Waiting) -> None:
        self._unfile(waiting)
        bucket = int(waiting.deadline / self._length) + 1
        waiting.bucket = bucket
        self._buckets.setdefault(bucket, set()).add(waiting)
        if self._call is None:
            self._last = int(self._reactor.seconds() / self._length)
            self._call = self._reactor.callLater(self._length, self._tick)

    def _unfile(self, waiting: Waiting) -> None:
        members = self._buckets.get(waiting.bucket)
        if members is not None:
            members.discard(waiting)
            if not members:
                del self._buckets[waiting.bucket]
        waiting.bucket = -1

    def _tick(self) -> None:
        self._call = None
        now = self._reactor.seconds()
        current = int(now / self._length)
        ticks = range(self._last + 1, current + 1)
        # A clock that was set, or a machine that slept, must not cost a step for each tick missed.
        due = ticks if len(ticks) < len(self._buckets) else sorted(self._buckets)
        for bucket in due:
            if bucket <= current:
                self._empty(bucket, now)
        self._last = current
        if self._buckets and self._call is None:
            self._call = self._reactor.callLater(self._length, self._tick)

    def _empty(self, bucket: int, now: float) -> None:
        for waiting in self._buckets.pop(bucket, ()):
            waiting.bucket = -1
            if waiting.deadline <= now:
                waiting.deadline = inf
                waiting.time_is_up()
            elif waiting.deadline != inf:
                self._file(waiting)
