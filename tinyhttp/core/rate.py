"""How much somebody may have now, who may have so much a second.

Floor: core (pure). The token bucket, seen from its other end: instead of tokens and the time when
they were counted, one number is kept, the time at which the bucket will be full again. It needs no
refilling, a bucket that is full is one whose time is past, and to forget that one loses nothing.
Times are seconds of any clock that the caller likes, as long as it is always the same.
"""

from dataclasses import dataclass

__all__ = ["FULL", "Rate"]

FULL = 0.0
"""The time of a bucket that nobody has taken from."""


_RESOLUTION = 1e-6
"""Seconds that make no difference: less can't be told apart in seconds since 1970."""


@dataclass(slots=True, frozen=True)
class Rate:
    """``per_second`` units a second, which is more than none, and ``burst`` of them at once.

    Who takes more than there is owes it, but never for longer than ``owed`` seconds: what goes
    beyond is let off. That is also what bounds the harm of a clock that is set back.
    """

    per_second: float
    burst: float
    owed: float = 0

    def available(self, full_at: float, now: float) -> float:
        """Return the units in a bucket; less than none if something is owed."""
        return self.burst - (self._settled(full_at, now) - now) * self.per_second

    def take(self, full_at: float, now: float, units: float = 1) -> float:
        """Return when a bucket will be full again, from which ``units`` are taken now."""
        return self._settled(self._settled(full_at, now) + units / self.per_second, now)

    def wait(self, full_at: float, now: float, units: float = 1) -> float:
        """Return the seconds until there are so many ``units``, which is at most a burst."""
        missing = min(units, self.burst) - self.available(full_at, now)
        seconds = missing / self.per_second
        return seconds if seconds > _RESOLUTION else 0.0

    def _settled(self, full_at: float, now: float) -> float:
        latest = now + self.burst / self.per_second + self.owed
        return min(max(full_at, now), latest)
