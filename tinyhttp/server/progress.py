"""Whether the client takes what is sent to it.

Floor: server. Nothing at all for a while ends a connection; and, where a rate is asked for, too
little over a longer one. What is looked at is what the kernel says to have been acknowledged, as
its buffers hide for minutes whether anybody reads. Time in which the client waited for us is left
out: it is looked every second who has to move next.
"""

from collections.abc import Callable
from typing import Any

from .any_transport import counts_all, octets_acknowledged
from .quotas import Quotas

__all__ = ["LOOK", "Progress"]

LOOK = 1.0
"""Seconds between two looks, where a rate is asked for."""
_HELD_UP = 2 * LOOK
"""Seconds that a look may count for at most. What is more was not the client's fault."""


class Progress:
    """The progress of a client at the other end of ``transport``.

    It may take nothing for ``stall`` seconds, and has to keep up with ``quotas.send_rate``.
    """

    __slots__ = (
        *("_counted_from", "_looked_at", "_moved_at", "_now", "_rate", "_seconds", "_stall"),
        *("_taken", "_transport", "_window", "wait"),
    )

    def __init__(self, transport: Any, stall: float, quotas: Quotas, now: Callable[[], float]):
        self._transport = transport
        self._stall = stall
        self._rate = quotas.send_rate if counts_all(transport) else 0.0
        self._window = quotas.send_window
        self._now = now
        self.wait = min(stall, LOOK) if self._rate else stall
        """Seconds until the next look."""
        self._taken: int | None = None  # when it was looked at last
        self._looked_at = self._moved_at = 0.0
        self._counted_from: int | None = None  # octets taken at the start of the window
        self._seconds = 0.0  # of the window, in which it was the client's turn

    def begin(self) -> None:
        """The client has something to take, from now on."""
        self._taken = octets_acknowledged(self._transport)
        self._looked_at = self._moved_at = self._now()
        if self._counted_from is None:
            self._counted_from = self._taken

    def look(self, *, is_ours: bool) -> bool:
        """Return whether to wait on. ``is_ours``: it is not the client that has to move next."""
        now, taken = self._now(), octets_acknowledged(self._transport)
        passed, self._looked_at = min(now - self._looked_at, _HELD_UP), now
        moved = taken is not None and taken != self._taken
        self._taken = taken
        if moved or is_ours:
            self._moved_at = now
        elif now >= self._moved_at + self._stall:
            return False
        return is_ours or not self._rate or self._keeps_up(taken, passed)

    def _keeps_up(self, taken: int | None, passed: float) -> bool:
        if taken is None or self._counted_from is None:  # the connection is gone, or nobody knows
            return True
        self._seconds += passed
        if self._seconds < self._window:
            return True
        if taken - self._counted_from < self._rate * self._seconds:
            return False
        self._counted_from, self._seconds = taken, 0.0
        return True
