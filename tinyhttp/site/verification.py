"""Whether the files of a tree hold what they ought to, and for how long that is certain.

Floor: site. What a file was seen to hold is taken for granted as long as the system says that
nobody has touched it: every change of content, and of anything else, changes the time that
nobody can set (ctime).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Protocol, TypeVar

from ..core.validators import granularity
from .manifest import MANIFEST, Entry, Manifest
from .snapshot import Identity, identity
from .tree import Outside, Tree
from .walk import Names, Report, walk

__all__ = ["Audit", "Changing", "Contents", "Differences", "Each"]

_BLOCK = 1024 * 1024
_TRIES = 3

T = TypeVar("T")
R = TypeVar("R")


class Each(Protocol):
    """``map``, or something like it that uses threads and gives the results in any order."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> Iterable[R]:
        """Give ``function`` of each of ``items``."""


class Changing(OSError):  # noqa: N818
    """A file was changed whenever it was read."""

    def __init__(self) -> None:
        super().__init__("it was changed while it was read")


@dataclass(slots=True, frozen=True)
class _Seen:
    """What a file was seen to hold; or why it could not be seen."""

    names: Names
    entry: Entry | None = None
    """``None`` for what is not served; with an empty digest if it was not read."""
    state: Identity | None = None
    """Its state, if its content can't change any more without changing that."""
    error: OSError | None = None


@dataclass(slots=True)
class Differences:
    """What is otherwise in a tree than its manifest says; false if they agree."""

    missing: list[Names] = field(default_factory=list)
    added: list[Names] = field(default_factory=list)
    changed: list[Names] = field(default_factory=list)
    unreadable: list[Names] = field(default_factory=list)
    certain: dict[Names, tuple[Identity, bytes]] = field(default_factory=dict)
    """State and digest of the files that are as they should be, for `Contents`."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.added or self.changed or self.unreadable)


class Contents:
    """The digests of files whose content is ``certain``, as long as these stay as they were.

    ``tell`` is called once with the names of each file that does not, in any thread.
    """

    def __init__(
        self,
        certain: Mapping[Names, tuple[Identity, bytes]],
        tell: Callable[[Names], object] = id,
    ):
        self._certain = certain
        self._tell = tell
        self._lock = Lock()
        self.changed: set[Names] = set()
        """The files that did not."""

    def digest(self, names: Names, state: Identity) -> bytes | None:
        """Return the SHA-256 of the file ``names`` in ``state``; ``None`` if that is not known."""
        known = self._certain.get(names)
        if known is None:
            return None
        if known[0] == state:
            return known[1]
        with self._lock:
            is_news = names not in self.changed
            self.changed.add(names)
        if is_news:
            self._tell(names)
        return None


class Audit:
    """A look at every file of ``tree``.

    ``clock`` gives epoch seconds; ``each`` reads the files; ``pause`` is called between the
    blocks of a file, and may raise to end it. ``wait`` waits for so many seconds, 2 at most,
    until a file that was just changed could not change again and look the same.
    """

    def __init__(
        self,
        tree: Tree,
        clock: Callable[[], float],
        *,
        each: Each = map,
        pause: Callable[[], object] = int,
        wait: Callable[[float], object] = int,
    ):
        self._tree = tree
        self._clock = clock
        self._each = each
        self._pause = pause
        self._wait = wait

    def files(self, report: Report, *, hidden_files: bool = False) -> Iterator[Names]:
        """Give the names of all that may be files (see `walk`), but for a manifest at the top."""
        for names in walk(self._tree, report, hidden_files=hidden_files):
            if names != (MANIFEST,):
                yield names

    def entries(self, files: Iterable[Names], report: Report) -> Iterator[tuple[Names, Entry]]:
        """Give each of ``files`` that is served with what it holds, in any order.

        What can't be read is reported and left out.
        """
        for seen in self._each(lambda names: self._look(names, lambda size: True), files):
            if seen.error is not None:
                report(seen.names, seen.error)
            elif seen.entry is not None:
                yield seen.names, seen.entry

    def differences(self, manifest: Manifest) -> Differences:
        """Return how the tree differs from ``manifest``; what has another size is not read."""
        result = Differences()
        expected = manifest.entries
        met: set[Names] = set()
        unread: set[Names] = set()

        def look(names: Names) -> _Seen:
            entry = expected.get(names)
            return self._look(names, lambda size: entry is not None and entry.size == size)

        def note(names: Names, error: OSError) -> None:
            unread.add(names)
            result.unreadable.append(names)

        for seen in self._each(look, self.files(note, hidden_files=manifest.hidden_files)):
            if seen.error is not None:
                note(seen.names, seen.error)
            elif seen.entry is not None:
                met.add(seen.names)
                _sort_in(seen, expected.get(seen.names), result)
        result.missing = sorted(
            names for names in expected if names not in met and not _is_beneath(names, unread)
        )
        for some in (result.added, result.changed, result.unreadable):
            some.sort()
        return result

    def _look(self, names: Names, is_read: Callable[[int], bool]) -> _Seen:
        """Return what the file ``names`` holds; it is read if ``is_read`` says so of its size."""
        try:
            with self._tree.directory(names[:-1]) as place:
                descriptor = place.open_file(names[-1])
            if descriptor is None:
                return _Seen(names)
            try:
                return self._read(names, descriptor, is_read)
            finally:
                os.close(descriptor)
        except (Outside, FileNotFoundError):  # a link to what is not served
            return _Seen(names)
        except OSError as error:
            return _Seen(names, error=error)

    def _read(self, names: Names, descriptor: int, is_read: Callable[[int], bool]) -> _Seen:
        seen = None
        for _ in range(_TRIES):
            now = self._clock()
            before = os.fstat(descriptor)
            if not is_read(before.st_size):
                return _Seen(names, Entry(before.st_size, b""))
            digest = self._digest(descriptor, before.st_size)
            if identity(before) != identity(os.fstat(descriptor)):
                continue
            apart = granularity(before.st_ctime_ns)
            if abs(now - before.st_ctime_ns / 1e9) > apart:
                return _Seen(names, Entry(before.st_size, digest), identity(before))
            seen = _Seen(names, Entry(before.st_size, digest))
            self._wait(apart)
        if seen is None:
            raise Changing
        return seen

    def _digest(self, descriptor: int, size: int) -> bytes:
        """Return the digest of the first ``size`` octets: a file may grow while it is read."""
        digest = sha256()
        offset = 0
        while offset < size:
            self._pause()
            block = os.pread(descriptor, min(_BLOCK, size - offset), offset)
            if not block:
                break
            digest.update(block)
            offset += len(block)
        return digest.digest()


def _sort_in(seen: _Seen, expected: Entry | None, result: Differences) -> None:
    if expected is None:
        result.added.append(seen.names)
    elif seen.entry != expected:
        result.changed.append(seen.names)
    elif seen.state is not None:
        result.certain[seen.names] = seen.state, expected.sha256


def _is_beneath(names: Names, unread: set[Names]) -> bool:
    """Return whether ``names`` are ``unread``, or a directory on the way is."""
    return bool(unread) and any(names[:length] in unread for length in range(len(names) + 1))
