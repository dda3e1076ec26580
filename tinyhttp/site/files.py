"""Which resource answers a path, as the disk has it now.

Floor: site. Finds the file, the index of a directory and precompressed sidecars, and describes
each from the very descriptor that its octets are read from. Everything here blocks on the disk
and may run in any thread.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import TypeAlias

from ..core.media_types import media_type
from ..core.path import SitePath, is_hidden
from ..core.resource import (
    Directory,
    File,
    Forbidden,
    Missing,
    OpenFile,
    Representation,
    Resource,
)
from ..core.response import Refused
from ..core.validators import from_digest, from_time, is_meaningless
from .cache import LRU
from .open_file import SharedFile
from .residency import read_at_once
from .tree import Outside, Place, Tree

__all__ = ["FRESH", "SMALL", "Files", "Found", "hold", "let_go"]

FRESH = 1.0
"""Seconds for which a resource is taken to be as it was seen."""

SMALL = 128 * 1024
"""Octets up to which a file is read whole when it is found."""

STALE = 60.0
"""Seconds behind its freshness after which a resource is not taken to be in the kernel's memory."""

_SIDECARS = ((b".br", b"br"), (b".zst", b"zstd"), (b".gz", b"gzip"))

# No such name; or a socket, or a device without a driver, that took the name of a file.
_NOWHERE = frozenset(
    (
        *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
        *(errno.EILSEQ, errno.ENXIO, errno.ENODEV, errno.ESTALE),
    )
)
_NOT_OURS = frozenset((errno.EACCES, errno.EPERM))
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))

_READS = 3
"""Tries to read a small file between two equal looks at its state."""
_BLOCK = 1024 * 1024
_DIGESTS = 4096
"""Digests remembered of files whose time says nothing."""


Identity: TypeAlias = tuple[int, int, int, int, int]
"""What tells two states of a file apart: device, inode, size, and its two times (ns)."""


@dataclass(slots=True)
class Found:
    """What a path led to, and until when (epoch seconds) that may be taken for granted."""

    resource: Resource
    fresh_until: float
    seen: list[tuple[bytes, Identity | None]] | None = None
    """The names that were looked at in the directory, for `Files.is_unchanged`; ``None`` if the
    answer to that may take its time."""


class Files:
    """The files of a tree, as resources.

    ``index`` are the names tried in a directory, in order; ``media_types`` go before the built-in
    table (see `media_type`); ``clock`` gives epoch seconds.
    """

    def __init__(
        self,
        tree: Tree,
        clock: Callable[[], float],
        *,
        index: Sequence[str] = ("index.html",),
        hidden_files: bool = False,
        media_types: Mapping[bytes, bytes] | None = None,
    ):
        self._tree = tree
        self._clock = clock
        self._index = [os.fsencode(name) for name in index]
        self._hidden_files = hidden_files
        self._media_types = media_types or {}
        self._digests: LRU[Identity, bytes] = LRU(_DIGESTS, _DIGESTS)
        self._digests_lock = Lock()

    def close(self) -> None:
        """Close the root; files that were found stay open until they are let go of."""
        self._tree.close()

    def find(self, path: SitePath) -> Found:
        """Return what ``path`` leads to. The caller has to let go of it (`let_go`).

        Raises `Refused` (503) if the system has no descriptor or memory left, and ``OSError`` for
        what the disk itself is to blame for.
        """
        if not self._hidden_files and is_hidden(path):
            return self._found(Missing())
        try:
            return self._find(path)
        except OSError as error:
            return self._found(_resource_of(error))

    def is_unchanged(self, path: SitePath, found: Found) -> bool:
        """Return whether ``path`` leads to what was ``found`` before, without reading a file.

        Looks at names alone, which the kernel keeps in memory for files in use, so that it may be
        called in the reactor's thread. Says no if that is not certain.
        """
        if found.seen is None or found.fresh_until < self._clock() - STALE:
            return False
        way = path.segments if path.directory else path.segments[:-1]
        try:
            return all(
                _identity(self._tree.state((*way, name))) == seen for name, seen in found.seen
            )
        except OSError:
            return False

    def _found(self, resource: Resource) -> Found:
        return Found(resource, self._clock() + FRESH)

    def _find(self, path: SitePath) -> Found:
        if path.directory:
            with self._tree.directory(path.segments) as place:
                missing: list[tuple[bytes, Identity | None]] = []
                for name in self._index:
                    if found := self._file(place, name):
                        if found.seen is not None:
                            found.seen += missing
                        return found
                    missing.append((name, None))
                return self._found(Missing())
        *way, name = path.segments
        with self._tree.directory(way) as place:
            if found := self._file(place, name):
                return found
            if place.is_directory(name):
                return self._found(Directory(path.escaped(directory=True)))
            return self._found(Missing())

    def _file(self, place: Place, name: bytes) -> Found | None:
        """Return the file ``name`` with its sidecars, ``None`` if there is no such regular file."""
        plain = _open(place, name)
        if plain is None:
            return None
        content_type = media_type(name, self._media_types)
        local = read_at_once(plain.descriptor, 1, 0) is not None
        found = Found(File(()), self._clock() + FRESH, [] if local else None)
        try:
            self._add(found, plain, name, content_type, b"")
            for extension, coding in _SIDECARS:
                sidecar = _open_sidecar(place, name + extension)
                if sidecar is not None:
                    self._add(found, sidecar, name + extension, content_type, coding)
                elif found.seen is not None:
                    found.seen.append((name + extension, None))
        except BaseException:
            let_go(found)
            raise
        return found

    def _add(
        self, found: Found, file: SharedFile, name: bytes, content_type: bytes, coding: bytes
    ) -> None:
        """Add what ``file`` holds to the variants that were ``found``; takes over the file."""
        assert isinstance(found.resource, File)
        try:
            stat, content, torn = _read_if_small(file)
            size = stat.st_size if content is None else len(content)
            if is_meaningless(stat.st_mtime_ns):
                validators = from_digest(self._digest(file, stat), coding)
            else:
                validators = from_time(stat.st_mtime_ns, size, coding, self._clock(), torn=torn)
            if validators.settled:
                found.fresh_until = min(found.fresh_until, validators.settled)
                found.seen = None
            elif found.seen is not None:
                found.seen.append((name, _identity(stat)))
            if content is None:
                file.hold()
            variant = Representation(
                size,
                validators.etag,
                validators.last_modified,
                content_type,
                coding,
                file if content is None else content,
            )
            found.resource = File((*found.resource.variants, variant))
        finally:
            file.let_go()

    def _digest(self, file: SharedFile, stat: os.stat_result) -> bytes:
        key = _identity(stat)
        assert key is not None
        with self._digests_lock:
            known = self._digests.get(key)
        if known is None:
            known = _digest_of(file)
            with self._digests_lock:
                self._digests.put(key, known, 1)
        return known


def _identity(state: os.stat_result | None) -> Identity | None:
    if state is None:
        return None
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _open(place: Place, name: bytes) -> SharedFile | None:
    """Return the regular file ``name``, ``None`` if there is nothing of the kind."""
    try:
        descriptor = place.open_file(name)
    except OSError as error:
        if isinstance(error, Outside) or error.errno in _NOWHERE:
            return None
        raise
    return None if descriptor is None else SharedFile(descriptor)


def _open_sidecar(place: Place, name: bytes) -> SharedFile | None:
    """Return the sidecar ``name``; one that can't be read is no reason not to serve the file."""
    try:
        return _open(place, name)
    except OSError as error:
        _check_exhaustion(error)
        return None


def _read_if_small(file: SharedFile) -> tuple[os.stat_result, bytes | None, bool]:
    """Return the state of a file; its content, if that is small; and whether the two disagree.

    A file that is being written gets a few tries until its state before and after reading are
    the same. One that grows while it is read may stop being small.
    """
    stat = os.fstat(file.descriptor)
    content = b""
    for _ in range(_READS):
        if stat.st_size > SMALL:
            return stat, None, False
        content = _read_up_to(file, SMALL + 1)
        before, stat = stat, os.fstat(file.descriptor)
        if (before.st_mtime_ns, before.st_size) == (stat.st_mtime_ns, len(content)):
            return stat, content, False
    if len(content) > SMALL:
        return stat, None, False
    return stat, content, True


def _read_up_to(file: SharedFile, limit: int) -> bytes:
    blocks = []
    size = 0
    while size < limit and (block := file.read(limit - size, size)):
        blocks.append(block)
        size += len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _digest_of(file: SharedFile) -> bytes:
    digest = blake2b(digest_size=16)
    offset = 0
    while block := file.read(_BLOCK, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest().encode()


def _resource_of(error: OSError) -> Resource:
    """The one place where errors of the system become resources."""
    _check_exhaustion(error)
    if isinstance(error, Outside) or error.errno in _NOWHERE:
        return Missing()
    if error.errno in _NOT_OURS:
        return Forbidden()
    raise error


def _check_exhaustion(error: OSError) -> None:
    if error.errno in _EXHAUSTED:
        raise Refused(503, "The server is short of resources.", [(b"Retry-After", b"1")]) from error


def hold(found: Found) -> None:
    """Keep the files that ``found`` holds open until another `let_go`."""
    for file in _open_files(found):
        file.hold()


def let_go(found: Found) -> None:
    """Let go of the files that ``found`` holds open."""
    for file in _open_files(found):
        file.let_go()


def _open_files(found: Found) -> list[OpenFile]:
    if not isinstance(found.resource, File):
        return []
    contents = [variant.content for variant in found.resource.variants]
    return [content for content in contents if not isinstance(content, bytes)]
