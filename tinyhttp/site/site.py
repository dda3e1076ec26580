"""A tree of files as a web site, remembered for as long as it may be taken for granted.

Floor: site. `Site.recall` and `Site.remember` belong to the reactor's thread and never touch the
disk; `Site.files` finds what they don't know, in any thread.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ..core.path import SitePath
from ..core.resource import File, OnDemand
from .cache import LRU
from .files import FRESH, Files, Found, NoFiles, let_go

__all__ = ["Capacity", "Site"]


@dataclass(slots=True, frozen=True)
class Capacity:
    """How much is remembered."""

    files: int = 4096
    """Small files, whose content is kept."""
    octets: int = 64 * 1024 * 1024
    """Their content, sidecars included."""
    descriptors: int = 256
    """Descriptors kept open, of files too large for memory."""
    others: int = 1024
    """Paths that lead to no file; kept apart, so that a scan does not push files out."""
    encoded: int = 32 * 1024 * 1024
    """Octets of forms that were encoded on demand."""


class Site:
    """What is known of ``files``, within ``capacity``; ``clock`` gives epoch seconds."""

    def __init__(
        self,
        files: Files | NoFiles,
        clock: Callable[[], float],
        capacity: Capacity | None = None,
    ):
        capacity = capacity or Capacity()
        self.files = files
        self._clock = clock
        self._small: LRU[SitePath, Found] = LRU(capacity.files, capacity.octets, let_go)
        self._large: LRU[SitePath, Found] = LRU(capacity.files, capacity.descriptors, let_go)
        self._closed = False
        self._release = 0
        self.on_switch: Callable[[], object] = int
        """Called when another release is known to be served; see `Releases`."""
        self.hits = self.misses = 0
        """How often a path was known, and how often not."""
        self._others: LRU[SitePath, Found] = LRU(capacity.others, capacity.others)
        self._forms: LRU[tuple[SitePath, bytes, Hashable], OnDemand] = LRU(
            capacity.files, capacity.encoded, _unmake
        )

    def close(self) -> None:
        """Forget everything and close the root, at which no look-up may be under way."""
        self.forget()
        self.files.close()

    def forget(self) -> None:
        """Forget everything, now and from now on; transfers under way keep what they hold."""
        self._closed = True
        self._clear()

    def _clear(self) -> None:
        for memory in (self._small, self._large, self._others):
            memory.clear()
        self._forms.clear()

    def recall(self, path: SitePath) -> Found | None:
        """Return what ``path`` is known to lead to; ``None`` if it has to be looked up.

        What was known a moment ago is looked at again, as far as that takes no time.
        """
        found = self._small.get(path) or self._large.get(path) or self._others.get(path)
        if found is not None and self.is_fresh(path, found, self._clock()):
            self.hits += 1
            return found
        self.misses += 1
        return None

    def is_fresh(self, path: SitePath, found: Found, now: float) -> bool:
        """Return whether ``path`` still leads to what was ``found`` there."""
        if now < found.fresh_until <= now + FRESH:  # later than that: the clock was set back
            return True
        if not self.files.is_unchanged(path, found):
            _outdate(found)
            return False
        found.fresh_until = now + FRESH
        return True

    def remember(self, path: SitePath, found: Found) -> None:
        """Keep ``found`` in place of what was known before; takes over what it holds open.

        The first of another release ends the memory of those before, so that nobody gets a page of
        the new one and then a picture of the old one.
        """
        if found.release < self._release:  # it comes from a thread that was slower than a switch
            _outdate(found)
        if self._closed or found.release < self._release:  # or slower than the end
            let_go(found)
            return
        if found.release > self._release:
            self._release = found.release
            self._clear()
            self.on_switch()
        for memory in (self._small, self._large, self._others):
            memory.remove(path)
        if not isinstance(found.resource, File):
            self._others.put(path, found, 1)
            return
        variants = found.resource.variants
        if open_files := sum(not isinstance(variant.content, bytes) for variant in variants):
            self._large.put(path, found, open_files)
        else:
            self._small.put(path, found, sum(variant.size for variant in variants))

    def recall_form(self, path: SitePath, form: OnDemand) -> bool:
        """Return whether it is known what becomes of ``form``, which knows it itself then.

        As it goes by the state of the file, one that was looked up again is not encoded again.
        """
        known = self._forms.get((path, form.coding, form.source))
        if known is None:
            return False
        if known is not form:
            form.made, form.useless = known.made, known.useless
            self.remember_form(path, form)
        return True

    def remember_form(self, path: SitePath, form: OnDemand) -> None:
        """Keep what became of ``form``, as long as there is room; it knows it no longer then."""
        key = path, form.coding, form.source
        if self._closed or self._forms.get(key) is form:
            return
        size = 0 if form.made is None else form.made.size
        self._forms.put(key, form, size)


def _outdate(found: Found) -> None:
    found.fresh_until, found.seen = 0, None  # for ever, whatever the clock may say later


def _unmake(form: OnDemand) -> None:
    form.made = None
