"""What anybody may cause, logged now and then.

Floor: server. A line for each would let a stranger fill the disk; so there is one in a while, which
says how many there were.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IAddress

__all__ = ["SILENCE", "Seldom"]

SILENCE = 10.0
"""Seconds between two lines of a kind."""


class Seldom:
    """Lines of one kind, given to ``log``.

    ``text`` has the fields ``count``, ``peer`` and ``reason``. ``now`` gives seconds.
    """

    def __init__(self, log: Callable[..., None], text: str, now: Callable[[], float]):
        self._log = log
        self._text = text
        self._now = now
        self._told_at: float | None = None
        self._untold = 0

    def tell(self, address: IAddress | None, reason: object) -> None:
        """Log what has happened with ``address``, unless there was a line lately; count it then."""
        now = self._now()
        self._untold += 1
        if self._told_at is None or now - self._told_at >= SILENCE:
            peer = getattr(address, "host", "a UNIX socket")
            self._log(self._text, count=self._untold, peer=peer, reason=reason)
            self._told_at, self._untold = now, 0
