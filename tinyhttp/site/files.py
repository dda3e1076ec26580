"""Which resource answers a path, as the disk has it now.

Floor: site. Finds the file, the index of a directory and precompressed sidecars, and describes
each from the very descriptor that its octets are read from. Everything here blocks on the disk
and may run in any thread.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from ..core.caching import may_be_fingerprinted
from ..core.listing import TooMany, View
from ..core.listing_forms import represent
from ..core.media_types import is_compressible, media_type
from ..core.path import SitePath, is_hidden
from ..core.resource import (
    Directory,
    File,
    Forbidden,
    Missing,
    OnDemand,
    Representation,
    Resource,
)
from ..core.response import Refused
from ..core.rules import RULES_FILES
from ..core.validators import Validators, from_digest, from_time, is_meaningless, on_demand
from .cache import LRU
from .coding import EXTENSIONS
from .found import Found, hold, let_go
from .names import is_public, read_names
from .open_file import SharedFile
from .releases import Earlier, Release, Releases
from .residency import read_at_once
from .snapshot import Identity, Snapshot, identity, take_digest, take_snapshot
from .tree import Outside, Place, Tree
from .walk import Names

if TYPE_CHECKING:
    from .verification import Contents  # json, which serving has no other use for

__all__ = ["FRESH", "Files", "Found", "NoFiles", "hold", "let_go"]

FRESH = 1.0
"""Seconds for which a resource is taken to be as it was seen."""

STALE = 60.0
"""Seconds behind its freshness after which a resource is not taken to be in the kernel's memory."""

_SIDECARS = tuple((extension, coding) for coding, extension in EXTENSIONS.items())

LEAST_ENCODED = 1024
"""Octets of a file that is worth encoding on demand."""
MOST_ENCODED = 1024 * 1024
"""Octets of a file that is encoded in some tens of milliseconds at most."""

_TAG_DIGITS = 32
"""Hex digits of a SHA-256 in an entity tag: 128 bits are enough to tell contents apart."""

# No such name; or a socket, or a device without a driver, that took the name of a file.
_NOWHERE = frozenset(
    (
        *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
        *(errno.EILSEQ, errno.ENXIO, errno.ENODEV, errno.ESTALE),
    )
)
_NOT_OURS = frozenset((errno.EACCES, errno.EPERM))
# EAGAIN: somebody holds a lease on the file (fcntl F_SETLEASE), as Samba does.
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))

_SETTLED = 2.0
"""Seconds after which a file that was changed has other times if it is changed again."""
_DIGESTS = 4096
"""Digests remembered of files whose time says nothing."""


Listed: TypeAlias = Representation | TooMany | Resource
"""A listing; that there are too many names for one; or why there is none."""


class Files:
    """The files of a tree, and of those that take its place, as resources.

    ``index`` are the names tried in a directory, in order; ``media_types`` go before the built-in
    table (see `media_type`); ``clock`` gives epoch seconds. Where the ``contents`` of a file are
    known, its tag is made from them. ``on_demand`` are the codings that compressible files get
    which have no sidecar for them, the preferred one first. For ``keep`` seconds after another tree
    has taken the place of one, files that may have a fingerprint are looked for in the old one as
    well; ``tell`` hears of it: see `Releases`.
    """

    def __init__(
        self,
        tree: Tree,
        clock: Callable[[], float],
        *,
        index: Sequence[str] = ("index.html",),
        hidden_files: bool = False,
        media_types: Mapping[bytes, bytes] | None = None,
        contents: "Contents | None" = None,
        on_demand: Sequence[bytes] = (),
        keep: float = 0,
        before: Sequence[Earlier] = (),
        tell: Callable[[OSError | None], object] = id,
    ):
        self._releases = Releases(tree, clock, keep=keep, before=before, tell=tell)
        self._clock = clock
        self._index = [os.fsencode(name) for name in index]
        self._hidden_files = hidden_files
        self._media_types = media_types or {}
        self._contents = contents
        self._on_demand = tuple(on_demand)
        self._digests: LRU[Identity, bytes] = LRU(_DIGESTS, _DIGESTS)
        self._digests_lock = Lock()
        self.on_miss: Callable[[Names, OSError | None], object] | None = None
        """Hears which names led to nothing that could be served, and why; ``None``: no regular
        file. Nobody does, but where ``tinyhttp explain`` looks."""

    def close(self) -> None:
        """Close the root; files that were found stay open until they are let go of."""
        self._releases.close()

    def find(self, path: SitePath) -> Found:
        """Return what ``path`` leads to. The caller has to let go of it (`let_go`).

        Raises `Refused` (503) if the system has no descriptor or memory left, and ``OSError`` for
        what the disk itself is to blame for.
        """
        now = self._clock()  # before the first look, as what is seen is as old as that at least
        if not self._hidden_files and is_hidden(path):
            return Found(Missing(), now + FRESH, release=self._releases.number)
        with self._releases.current() as release:
            found = self._find_in(release, path, now)
        if isinstance(found.resource, Missing) and may_be_fingerprinted(path):
            found = self._find_earlier(path, now) or found
        found.release = release.number
        return found

    def listed(self, path: SitePath, view: View, form: bytes) -> Listed:
        """Return which names the directory ``path`` holds, in a ``form`` of `listing_forms`.

        A `Resource` if there is no directory, or none that may be read. Raises as `find` does.
        """
        if not self._hidden_files and is_hidden(path):
            return Missing()
        shown = _anything if self._hidden_files else is_public
        top = not path.segments
        try:
            with (
                self._releases.current() as release,
                release.tree.directory(path.segments) as place,
            ):
                listing = read_names(
                    place,
                    path,
                    view,
                    is_shown=lambda name: shown(name) and not (top and name in RULES_FILES),
                )
        except OSError as error:
            return _resource_of(error)
        return listing if isinstance(listing, TooMany) else represent(listing, form)

    def is_unchanged(self, path: SitePath, found: Found) -> bool:
        """Return whether ``path`` leads to what was ``found`` before, without reading a file.

        Looks at names alone, which the kernel keeps in memory for files in use, so that it may be
        called in the reactor's thread. Says no if that is not certain.
        """
        if found.seen is None or found.fresh_until < self._clock() - STALE:
            return False
        try:
            release = self._releases.still(found.release)
            if release is None:
                return False
            try:
                return _is_same(release.tree, path, found)
            finally:
                self._releases.let_go(release)
        except OSError:
            return False

    def _find_in(self, release: Release, path: SitePath, now: float) -> Found:
        try:
            return self._find(release, path, now)
        except OSError as error:
            if self.on_miss is not None:
                self.on_miss(path.segments, error)
            return Found(_resource_of(error), now + FRESH)

    def _find_earlier(self, path: SitePath, now: float) -> Found | None:
        """Return the file that an earlier release has at ``path``, if one has.

        As whatever becomes of the current one comes first, all is looked up again after a second.
        """
        with self._releases.earlier() as releases:
            for release in releases:
                try:
                    found = self._find(release, path, now)
                except OSError as error:  # on its way out, perhaps with its whole disk
                    _check_exhaustion(error)
                    continue
                if isinstance(found.resource, File):
                    found.seen = None
                    found.fresh_until = min(found.fresh_until, release.until)
                    return found
        return None

    def _find(self, release: Release, path: SitePath, now: float) -> Found:
        nothing = Found(Missing(), now + FRESH)
        if path.directory:
            with release.tree.directory(path.segments) as place:
                missing: list[bytes] = []
                for name in self._index:
                    if found := self._file(release, place, (*path.segments, name), now):
                        for absent in missing:
                            _note_absence(found, place, absent)
                        return found
                    missing.append(name)
                return nothing
        *way, name = path.segments
        with release.tree.directory(way) as place:
            if found := self._file(release, place, path.segments, now):
                return found
            if place.is_directory(name):
                return Found(Directory(path.escaped(directory=True)), now + FRESH)
            return nothing

    def _file(self, release: Release, place: Place, names: Names, now: float) -> Found | None:
        """Return the file ``names``, which is in ``place``, with its sidecars.

        ``None`` if there is no such regular file.
        """
        # First, so that what is not seen now changes it; and by the clock as it is here, as it may
        # have taken long to get here.
        directory = _settled(place.state(), self._clock())
        *way, name = names
        plain = self._open(place, names)
        if plain is None:
            return None
        content_type = media_type(name, self._media_types)
        local = read_at_once(plain.descriptor, 1, 0) is not None
        found = Found(File(()), now + FRESH, [] if local else None, directory, release.number)
        try:
            state = self._add(found, plain, names, content_type, b"", now)
            for extension, coding in _SIDECARS:
                sidecar = (*way, name + extension)
                self._add_sidecar(found, place, sidecar, content_type, coding, now)
            if self._on_demand:
                self._add_on_demand(found, state)
        except BaseException:
            let_go(found)
            raise
        return found

    def _add_sidecar(
        self,
        found: Found,
        place: Place,
        names: Names,
        content_type: bytes,
        coding: bytes,
        now: float,
    ) -> None:
        """Add a sidecar, if there is one; one that can't be read is no reason to fail."""
        try:
            file = self._open(place, names)
            if file is not None:
                self._add(found, file, names, content_type, coding, now)
            else:
                _note_absence(found, place, names[-1])
        except OSError as error:
            _check_exhaustion(error)
            found.seen = None

    def _open(self, place: Place, names: Names) -> SharedFile | None:
        """Return the regular file ``names``, ``None`` if there is nothing of the kind."""
        try:
            descriptor = place.open_file(names[-1])
        except OSError as error:
            if self.on_miss is not None:
                self.on_miss(names, error)
            if isinstance(error, Outside) or error.errno in _NOWHERE:
                return None
            raise
        if descriptor is None and self.on_miss is not None:
            self.on_miss(names, None)
        return None if descriptor is None else SharedFile(descriptor)

    def _add(
        self,
        found: Found,
        file: SharedFile,
        names: Names,
        content_type: bytes,
        coding: bytes,
        now: float,
    ) -> Identity:
        """Add what ``file`` holds to the variants that were ``found``; takes over the file.

        Returns the state in which it was read.
        """
        assert isinstance(found.resource, File)
        try:
            snapshot = take_snapshot(file)
            sha256 = self._known(names, snapshot, found.release)
            validators = self._validators(file, snapshot, coding, now, sha256)
            if validators.settled or snapshot.torn:
                found.fresh_until = min(found.fresh_until, validators.settled or now)
                found.seen = None
            elif found.seen is not None:
                found.seen.append((names[-1], identity(snapshot.stat)))
            if snapshot.content is None:
                file.hold()
            variant = Representation(
                snapshot.size,
                validators.etag,
                validators.last_modified,
                content_type,
                coding,
                file if snapshot.content is None else snapshot.content,
                sha256,
            )
            found.resource = File((*found.resource.variants, variant))
            return identity(snapshot.stat)
        finally:
            file.let_go()

    def _add_on_demand(self, found: Found, state: Identity) -> None:
        """Add the forms that a file in that ``state`` may get.

        They are not sent of one so young that its tag says little; but it varies all the same.
        """
        assert isinstance(found.resource, File)
        variants = found.resource.variants
        plain = variants[0]
        if not LEAST_ENCODED <= plain.size <= MOST_ENCODED:
            return
        if not is_compressible(plain.content_type):
            return
        present = [variant.coding for variant in variants]
        forms = [
            OnDemand(plain.size - 1, plain.etag, plain.last_modified, coding, state, useless=True)
            for coding in self._on_demand
            if coding not in present
        ]
        for form in forms:
            etag = on_demand(plain.etag, form.coding)
            if etag is not None:
                form.etag, form.useless = etag, False
        found.resource = File(variants, tuple(forms))

    def _known(self, names: Names, snapshot: Snapshot, release: int) -> bytes | None:
        """Return the SHA-256 of the content, if it is known beforehand: of the first release."""
        if self._contents is None or snapshot.torn or release:
            return None
        return self._contents.digest(names, identity(snapshot.stat))

    def _validators(
        self,
        file: SharedFile,
        snapshot: Snapshot,
        coding: bytes,
        now: float,
        sha256: bytes | None,
    ) -> Validators:
        mtime = snapshot.stat.st_mtime_ns
        if sha256 is not None:
            return from_digest(sha256.hex()[:_TAG_DIGITS].encode(), coding, mtime)
        if is_meaningless(mtime):
            digest = self._digest(file, snapshot, now)
            if not snapshot.torn or snapshot.content is not None:
                return from_digest(digest, coding)
        return from_time(mtime, snapshot.size, coding, now, torn=snapshot.torn)

    def _digest(self, file: SharedFile, snapshot: Snapshot, now: float) -> bytes:
        key = identity(snapshot.stat)
        with self._digests_lock:
            known = self._digests.get(key)
        if known is not None and not snapshot.torn:
            return known
        digest = take_digest(file, snapshot)
        if not snapshot.torn and _settled(snapshot.stat, now):
            with self._digests_lock:
                self._digests.put(key, digest, 1)
        return digest


class NoFiles:
    """What stands in for `Files` where there are none; ``clock`` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock

    def close(self) -> None:
        """Do nothing, as nothing is open."""

    def find(self, path: SitePath) -> Found:
        """Return that ``path`` leads to nothing."""
        return Found(Missing(), self._clock() + FRESH)

    def listed(self, path: SitePath, view: View, form: bytes) -> Listed:
        """Return that there is no directory."""
        return Missing()

    def is_unchanged(self, path: SitePath, found: Found) -> bool:
        """Return that it still does."""
        return True


def _is_same(tree: Tree, path: SitePath, found: Found) -> bool:
    """Return whether the names that ``found`` came of lead to the same files in ``tree``."""
    way = path.segments if path.directory else path.segments[:-1]
    same = found.directory is not None and found.directory == _identity(tree, (*way, b"."))
    return all(
        (same and seen is None) or _identity(tree, (*way, name)) == seen
        for name, seen in found.seen or ()
    )


def _identity(tree: Tree, names: Names) -> Identity | None:
    stat = tree.state(names)
    return None if stat is None else identity(stat)


def _anything(name: bytes) -> bool:
    return True


def _note_absence(found: Found, place: Place, name: bytes) -> None:
    """Note that ``name`` led to nothing that could be served."""
    if found.seen is not None:
        found.seen.append((name, None))
    if place.holds(name):  # a link: what it leads to may come without a trace in this directory
        found.directory = None


def _settled(stat: os.stat_result, now: float) -> Identity | None:
    """Return the identity of a state that no later one can share.

    A change so recent that another might leave the same times is not to be relied on.
    """
    return identity(stat) if abs(now - stat.st_ctime_ns / 1e9) > _SETTLED else None


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
