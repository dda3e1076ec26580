"""What is to be done about one sidecar of one file, and doing it.

A sidecar is written beside its file under a hidden name, which is never served, and renamed when
it is whole. It gets the mode and the time of its file: equal trees get equal sidecars.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from secrets import token_hex

from ..site.coding import EXTENSIONS, make_encoder
from ..site.tree import Outside, Place, Tree
from ..site.walk import Names
from .decoding import holds_the_same
from .parallel import Stop

__all__ = ["Change", "Outcome", "Rules", "Sidecars"]

_BLOCK = 64 * 1024
_LEAST_SHARE = 20
"""One part in so many has to be saved: the client's work and one more file are a price too."""
_LEAST_SAVED = 64
"""Octets: about what the fields cost that go with a coding."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Change(Enum):
    """What became of a sidecar, or with ``--check`` what would."""

    WRITTEN = "written"
    CURRENT = "up to date"
    USELESS = "not worth it"
    PRUNED = "removed"
    LEFT = "wrong, and left"
    MISSING = "missing"
    STALE = "stale"
    TOO_LARGE = "too large"
    FAILED = "failed"
    NO_FILE = "no file"


@dataclass(slots=True, frozen=True)
class Outcome:
    """What became of the sidecar of the file ``names`` in ``coding``; sizes in octets."""

    names: Names
    coding: bytes
    change: Change
    before: int = 0
    after: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Rules:
    """When a sidecar is wanted, and what may be done about it."""

    levels: dict[bytes, int]
    """By coding."""
    min_size: int = 256
    """Octets of a file that is worth it."""
    max_size: int = 128 * 1024 * 1024
    """Octets of a file that does not take for ever."""
    check: bool = False
    """Write nothing."""
    prune: bool = False
    """Remove sidecars that would not be written."""


class Sidecars:
    """The sidecars in ``tree``, kept by ``rules``; used by many threads at once."""

    def __init__(self, tree: Tree, rules: Rules, stop: Stop):
        self._tree = tree
        self._rules = rules
        self._stop = stop

    def update(self, names: Names, coding: bytes) -> Outcome:
        """Bring the sidecar of the file ``names`` in ``coding`` up to date, and tell about it."""
        try:
            with self._tree.directory(names[:-1]) as place:
                descriptor = place.open_file(names[-1])
                if descriptor is None:  # a link to a directory, or something else since
                    return Outcome(names, coding, Change.NO_FILE)
                try:
                    return _Sidecar(place, names, coding, descriptor, self._stop).update(
                        self._rules
                    )
                finally:
                    os.close(descriptor)
        except (Outside, FileNotFoundError):  # a link to what is not served
            return Outcome(names, coding, Change.NO_FILE)
        except OSError as error:
            reason = error.strerror or str(error)
            return Outcome(names, coding, Change.FAILED, reason=reason)


class _Changed(OSError):  # noqa: N818
    """The file was changed while it was read."""

    def __init__(self) -> None:
        super().__init__("it was changed meanwhile; run this again")


class _Sidecar:
    """The sidecar in ``place`` of the file ``names``, which is open as ``source``."""

    def __init__(self, place: Place, names: Names, coding: bytes, source: int, stop: Stop):
        self._place = place
        self._names = names
        self._name = names[-1] + EXTENSIONS[coding]
        self._coding = coding
        self._source = source
        self._state = os.fstat(source)
        self._stop = stop

    def update(self, rules: Rules) -> Outcome:
        """Do what ``rules`` want."""
        size = self._state.st_size
        current = self._is_current(certain=rules.check)
        if size < rules.min_size:
            return self._unwanted(rules, current)
        if size > rules.max_size and not current:
            return self._unwanted(rules, current, Change.TOO_LARGE)
        if current:
            return self._outcome(Change.CURRENT, self._keep(rules))
        level = rules.levels[self._coding]
        after = self._measure(level) if rules.check else self._write(level)
        if after is None:
            return self._unwanted(rules, current)
        if not rules.check:
            return self._outcome(Change.WRITTEN, after)
        return self._outcome(Change.MISSING if current is None else Change.STALE, after)

    def _outcome(self, change: Change, after: int = 0) -> Outcome:
        return Outcome(self._names, self._coding, change, self._state.st_size, after)

    def _unwanted(
        self, rules: Rules, current: bool | None, change: Change = Change.USELESS
    ) -> Outcome:
        """The file had better be sent as it is; but there may be a sidecar all the same."""
        if current is not None and rules.prune:
            if not rules.check:
                os.unlink(self._name, dir_fd=self._place.descriptor)
            return self._outcome(Change.STALE if rules.check else Change.PRUNED)
        if current is False:  # it would be served
            return self._outcome(Change.STALE if rules.check else Change.LEFT)
        return self._outcome(change)

    def _keep(self, rules: Rules) -> int:
        """Give the sidecar the time of its file, if it has another, and return its size."""
        here = self._place.descriptor
        old = os.stat(self._name, dir_fd=here, follow_symlinks=False)
        mtime = self._state.st_mtime_ns
        if old.st_mtime_ns != mtime and not rules.check:
            with suppress(PermissionError):  # somebody else's: looked into the next time as well
                os.utime(self._name, ns=(mtime, mtime), dir_fd=here, follow_symlinks=False)
        return old.st_size

    def _is_current(self, *, certain: bool) -> bool | None:
        """Return whether the sidecar goes with its file, ``None`` if there is none.

        Looked for in its content, unless it has its file's time and was written since the file
        was last touched in any way, which the system notes and nobody can set; that is not
        ``certain``, as another program may have copied the time.
        """
        here = self._place.descriptor
        try:
            old = os.stat(self._name, dir_fd=here, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(old.st_mode):
            raise OSError(f"{os.fsdecode(self._name)!r} is in the way, which is no regular file")
        if not certain and self._seems_current(old):
            return True
        sidecar = self._place.open_file(self._name)
        if sidecar is None:
            return False
        try:
            return holds_the_same(self._source, sidecar, self._coding, self._stop)
        finally:
            os.close(sidecar)

    def _seems_current(self, old: os.stat_result) -> bool:
        state = self._state
        younger = state.st_ctime_ns < old.st_ctime_ns
        return younger and state.st_mtime_ns == old.st_mtime_ns and old.st_size > 0

    def _encoded(self, level: int) -> Iterator[bytes]:
        """Give the encoded content, piece by piece. Raises `_Changed`."""
        size = self._state.st_size
        encoder = make_encoder(self._coding, level, size)
        offset = 0
        while offset < size:
            self._stop.look()
            block = os.pread(self._source, min(_BLOCK, size - offset), offset)
            if not block:
                raise _Changed
            offset += len(block)
            yield encoder.process(block)
        yield encoder.finish()
        now = os.fstat(self._source)
        if (now.st_size, now.st_mtime_ns) != (size, self._state.st_mtime_ns):
            raise _Changed

    def _measure(self, level: int) -> int | None:
        """Return the size in octets that the sidecar would have; ``None`` if it is not worth it."""
        after = sum(map(len, self._encoded(level)))
        return after if _is_worth_it(self._state.st_size, after) else None

    def _write(self, level: int) -> int | None:
        """Write the sidecar and return its size in octets; ``None`` if it is not worth it."""
        here = self._place.descriptor
        with _temporary(here) as (name, descriptor):
            after = 0
            for piece in self._encoded(level):
                after += len(piece)
                _write_all(descriptor, piece)
            if not _is_worth_it(self._state.st_size, after):
                return None
            os.fchmod(descriptor, stat.S_IMODE(self._state.st_mode) & 0o777)
            os.utime(descriptor, ns=(self._state.st_mtime_ns, self._state.st_mtime_ns))
            os.fsync(descriptor)  # else a crash may leave the name without the content
            os.rename(name, self._name, src_dir_fd=here, dst_dir_fd=here)
        return after


def _is_worth_it(before: int, after: int) -> bool:
    saved = before - after
    return saved >= _LEAST_SAVED and saved * _LEAST_SHARE >= before


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _temporary(directory: int) -> Iterator[tuple[bytes, int]]:
    """Give a new file in ``directory``, by name and descriptor; remove it unless it was renamed."""
    name = b".tinyhttp-" + token_hex(8).encode() + b".tmp"
    descriptor = os.open(name, _NEW, 0o600, dir_fd=directory)
    try:
        yield name, descriptor
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
