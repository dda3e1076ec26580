"""A bounded map that forgets what was not used for the longest time.

Floor: site. Bounded twice, in entries and in weight (octets), as a thousand small things and one
large thing are both too much. Used by one thread.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["LRU"]

K = TypeVar("K")
V = TypeVar("V")


class LRU(Generic[K, V]):
    """A least-recently-used map of at most ``entries`` entries that weigh ``weight`` together.

    ``drop`` is called with each value that leaves the map, whatever the reason, once.
    """

    def __init__(self, entries: int, weight: int, drop: Callable[[V], object] = id):
        self._entries = entries
        self._limit = weight
        self._drop = drop
        self._map: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._map)

    def get(self, key: K) -> V | None:
        """Return the value of ``key``, which counts as a use; ``None`` if there is none."""
        found = self._map.get(key)
        if found is None:
            return None
        self._map.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Set the value of ``key``; others leave until it fits. The newest stays: it is in use."""
        self.remove(key)
        self._map[key] = value, weight
        self.weight += weight
        while len(self._map) > 1 and self._is_full():
            self.remove(next(iter(self._map)))

    def _is_full(self) -> bool:
        return len(self._map) > self._entries or self.weight > self._limit

    def remove(self, key: K) -> None:
        """Forget ``key``, if it is there."""
        found = self._map.pop(key, None)
        if found is not None:
            self.weight -= found[1]
            self._drop(found[0])

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._map):
            self.remove(key)
