"""Which names a directory holds, for everybody to see.

Floor: site. What is shown is what would be served: regular files and directories, and links to
these where links may lead there. Everything here blocks on the disk, takes its time, and may run
in any thread; none of its calls keeps the other threads waiting for longer than a few
milliseconds.

The system tells with a name whether it is a directory, and no more. So in the order of names only
the page that is asked for is looked at closely: of 100,000, a thousand.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from ..core.listing import Entry, Listing, TooMany, View, date_of, page_span, value_key
from ..core.natural_order import in_order, natural_key
from ..core.path import SitePath
from .tree import Place

__all__ = ["LIMIT", "LINKS", "is_public", "read_names"]

LIMIT = 1_000_000
"""Names that are read of a directory; they take about 100 octets of memory each."""
LINKS = 20_000
"""Symbolic links among them; each takes several system calls to see where it leads."""

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))


class _Crowd(Exception):  # noqa: N818 (it is an outcome)
    """There are more than the limit."""


def is_public(name: bytes) -> bool:
    """Return whether ``name`` may be shown where hidden files are not served."""
    return not name.startswith(b".")


def read_names(
    place: Place,
    path: SitePath,
    view: View,
    *,
    is_shown: Callable[[bytes], bool] = is_public,
    limit: int = LIMIT,
    links: int = LINKS,
) -> Listing | TooMany:
    """Return the page of the directory ``place`` (at ``path``) that ``view`` asks for.

    ``is_shown`` is asked for each name. With more than ``limit`` names, or more than ``links``
    symbolic links, there is no listing. Raises ``OSError`` if the directory can't be read.
    """
    descriptor = place.open_directory()
    try:
        directories, files = _Reader(place, is_shown, limit, links).read(descriptor)
    except _Crowd:
        return TooMany()
    finally:
        os.close(descriptor)
    return _page(place, Listing(path, view, [], len(directories), len(files)), directories, files)


class _Reader:
    """Tells directories and files among the names of ``place`` apart."""

    def __init__(self, place: Place, is_shown: Callable[[bytes], bool], limit: int, links: int):
        self._place = place
        self._is_shown = is_shown
        self._left = limit
        self._links_left = links

    def read(self, descriptor: int) -> tuple[list[bytes], list[bytes]]:
        """Return the names of directories and of files; raises `_Crowd`."""
        directories: list[bytes] = []
        files: list[bytes] = []
        with os.scandir(descriptor) as found:
            for one in found:
                self._left -= 1
                if self._left < 0:
                    raise _Crowd
                name = os.fsencode(one.name)
                if self._is_shown(name):
                    kind = self._kind(one, name)
                    if kind is not None:
                        (directories if kind else files).append(name)
        return directories, files

    def _kind(self, one: "os.DirEntry[str]", name: bytes) -> bool | None:
        """Return whether ``one`` is a directory; ``None`` if it is nothing that is served.

        The system tells with the name, so that this is no system call, but for links.
        """
        try:
            if one.is_file(follow_symlinks=False):
                return False
            if one.is_dir(follow_symlinks=False):
                return True
            if not one.is_symlink():
                return None
        except OSError:  # where the system does not tell, and the name has gone
            return None
        self._links_left -= 1
        if self._links_left < 0:
            raise _Crowd
        entry = _entry(self._place, name)
        return None if entry is None else entry.is_directory


def _entry(place: Place, name: bytes) -> Entry | None:
    """Return what ``name`` leads to, ``None`` if that is nothing that is served (any more).

    One name that leads to an error is no reason to fail for all, unless nothing else would work.
    """
    try:
        state = place.look(name)
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        return None
    if stat.S_ISDIR(state.st_mode):
        return Entry(name, True, 0, date_of(state.st_mtime_ns))
    if stat.S_ISREG(state.st_mode):
        return Entry(name, False, state.st_size, date_of(state.st_mtime_ns))
    return None


def _page(
    place: Place, listing: Listing, directories: Sequence[bytes], files: Sequence[bytes]
) -> Listing:
    listing.view, start, stop = page_span(listing.view, listing.total)
    split = listing.directories
    # The span of the page among the directories, and among the files behind them.
    listing.entries += _span(place, listing.view, directories, min(start, split), min(stop, split))
    listing.entries += _span(
        place, listing.view, files, max(start - split, 0), max(stop - split, 0)
    )
    return listing


def _span(place: Place, view: View, names: Sequence[bytes], start: int, stop: int) -> list[Entry]:
    """Return what is at ``start`` up to ``stop`` when ``names`` are in the order of ``view``."""
    if start == stop:
        return []
    if view.sort == "name":
        ordered = in_order(names, natural_key, descending=view.descending)
        return list(_entries(place, islice(ordered, start, stop)))
    return list(islice(in_order(list(_entries(place, names)), value_key(view)), start, stop))


def _entries(place: Place, names: Iterable[bytes]) -> Iterator[Entry]:
    return (entry for name in names if (entry := _entry(place, name)) is not None)
