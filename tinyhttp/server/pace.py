"""How much of a body may be sent now.

Floor: server. A connection whose bandwidth is limited asks before each slice of a file, and is
called when it is worth asking again: some four times a second, on one timer for all connections.
What is sent without asking, because it is small and in memory, is paid for later.
"""

from collections.abc import Callable
from math import inf

from ..core.rate import FULL, Rate
from .deadlines import Deadlines

__all__ = ["PORTION", "TICK", "Pace"]

PORTION = 0.25
"""Seconds whose octets are waited for: less would cost more calls, more would come in bursts."""
TICK = 0.125
"""Seconds between two looks at the clock for everyone who waits here."""


class Pace:
    """The pace of one connection, which sends at ``rate``; waits on ``deadlines``."""

    __slots__ = ("_call", "_deadlines", "_full_at", "_rate", "bucket", "deadline")

    def __init__(self, rate: Rate, deadlines: Deadlines):
        self.deadline = inf
        self.bucket = -1
        self._rate = rate
        self._deadlines = deadlines
        self._full_at = FULL
        self._call: Callable[[], object] | None = None

    def allow(self, count: int, call: Callable[[], object]) -> int:
        """Return how many of ``count`` octets may be sent now.

        If it is none, ``call`` is made once it is time to ask again.
        """
        now = self._deadlines.now()
        portion = min(count, max(int(self._rate.per_second * PORTION), 1))
        wait = self._rate.wait(self._full_at, now, portion)
        if wait:
            self._call = call
            self._deadlines.set(self, wait)
            return 0
        return min(count, max(portion, int(self._rate.available(self._full_at, now))))

    def spend(self, octets: int) -> None:
        """Count ``octets`` that were sent, whether they had been allowed or not."""
        self._full_at = self._rate.take(self._full_at, self._deadlines.now(), octets)

    def time_is_up(self) -> None:
        """Make the call."""
        call, self._call = self._call, None
        if call is not None:
            call()

    def stop(self) -> None:
        """Forget whoever waits."""
        self._call = None
        self._deadlines.remove(self)
