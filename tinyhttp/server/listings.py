"""Listings that are being made, or were made a moment ago.

Floor: server. To read and sort a large directory takes its time, in a thread; whoever asks for the
same meanwhile, or within a second, gets the same.
"""

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..core.policy import ListNames
from ..core.resource import Representation
from ..site.cache import LRU
from ..site.files import FRESH, Listed
from ..site.site import Site
from .disk import Disk

__all__ = ["Listings"]

ENTRIES = 64
"""Listings that are remembered."""
OCTETS = 8 * 1024 * 1024
"""Octets of them."""

_Key: TypeAlias = tuple[Site, ListNames]


class Listings:
    """Has ``disk`` read directories; ``clock`` gives epoch seconds."""

    def __init__(self, disk: Disk, clock: Callable[[], float]):
        self._disk = disk
        self._clock = clock
        self._era = 0
        self._known: LRU[_Key, tuple[float, Listed]] = LRU(ENTRIES, OCTETS)
        self._waiting: dict[_Key, list[Deferred[Listed]]] = {}

    def get(self, site: Site, wish: ListNames) -> "Listed | Deferred[Listed]":
        """Return the listing, or a Deferred of it, which may be cancelled."""
        key = site, wish
        known = self._known.get(key)
        now = self._clock()
        if known is not None and known[0] <= now < known[0] + FRESH:
            return known[1]
        result: Deferred[Listed] = Deferred()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(result)
        if len(waiting) == 1:
            reading = self._disk.run(site.files.listed, wish.path, wish.view, wish.form)
            _ = reading.addCallbacks(
                self._read, self._failed, callbackArgs=(key, now, self._era), errbackArgs=(key,)
            )
        return result

    def forget(self) -> None:
        """Remember nothing, nor what is being read now."""
        self._era += 1
        self._known.clear()

    def _read(self, listed: Listed, key: _Key, since: float, era: int) -> None:
        size = listed.size if isinstance(listed, Representation) else 1
        if era == self._era:
            self._known.put(key, (since, listed), size)
        for waiting in self._waiting.pop(key):
            if not waiting.called:
                waiting.callback(listed)

    def _failed(self, failure: Failure, key: _Key) -> None:
        for waiting in self._waiting.pop(key):
            if not waiting.called:
                waiting.errback(failure)
