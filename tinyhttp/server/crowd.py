"""Whether there is a place for one more connection.

Floor: server. When all are taken, those leave who wait for nothing but a request: first who has
never sent one, though there was time to, then who has not sent another for the longest time. They
lose nothing but a connection, which they have to reckon with at any time (RFC 9112 section 9.5).
Nobody who has a request under way is sent away. So a crowd of silent connections does not keep
others out for long. If nobody can leave, whoever arrives waits in the kernel.
"""

from collections.abc import Callable, Collection
from heapq import nsmallest
from typing import Protocol

from .quotas import SHED, Refusals

__all__ = ["YOUNG", "Crowd", "Member"]

YOUNG = 1.0
"""Seconds for which a new connection may stay, as its first request may be on its way."""
_REST = 0.25
"""Seconds until it is looked again whether anybody could go, if nobody could."""
_SHARE = 256
"""One in so many is sent away at a time, so that looking for them costs each arrival as little."""


class Member(Protocol):
    """A connection, seen from here."""

    def waits_since(self) -> tuple[float, bool] | None:
        """Return since when it waits for a request, and whether that is its first.

        ``None``: one is under way.
        """

    def drain(self) -> None:
        """Close."""


class Crowd:
    """The ``members`` of a server, of whom there may be ``most``; ``now`` is their clock."""

    def __init__(
        self,
        members: Collection[Member],
        most: float,
        now: Callable[[], float],
        refusals: Refusals,
    ):
        self.most = most
        self._members = members
        self._now = now
        self._refusals = refusals
        self._waiting: list[Callable[[], None]] = []
        self._in_vain: float | None = None  # when it was last looked for somebody who could go

    def places(self) -> float:
        """Return how many places there are, after some were made if there were none."""
        if len(self._members) >= self.most:
            self._make_room()
        return max(self.most - len(self._members), 0)

    def may_stay(self) -> bool:
        """Return whether there is a place for somebody who has been accepted already.

        That somebody else was asked to leave is enough; some transports take a moment for it.
        """
        return len(self._members) < self.most or self._make_room() > 0

    def wait(self, call: Callable[[], None]) -> None:
        """Have ``call`` made once when somebody leaves."""
        if call not in self._waiting:
            self._waiting.append(call)

    def wait_no_more(self, call: Callable[[], None]) -> None:
        """Have ``call`` not made."""
        if call in self._waiting:
            self._waiting.remove(call)

    def left(self) -> None:
        """Somebody has left."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()

    def _make_room(self) -> int:
        """Return how many were asked to leave."""
        now = self._now()
        if self._in_vain is not None and 0 <= now - self._in_vain < _REST:
            return 0
        idle: list[tuple[bool, float, int, Member]] = []
        for number, member in enumerate(self._members):
            waits = member.waits_since()
            if waits is not None:
                since, is_first = waits
                if not is_first or now - since >= YOUNG:
                    idle.append((not is_first, since, number, member))
        self._in_vain = None if idle else now
        first = nsmallest(1 + len(self._members) // _SHARE, idle)
        for *_, member in first:
            self._refusals.count(SHED)
            member.drain()
        return len(first)
