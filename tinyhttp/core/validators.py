"""Entity tag and modification date of a file, made from its state.

Floor: core (pure). RFC 9110 section 8.8.

A tag has no inode in it and no name of a machine, so that all replicas of a tree agree.
"""

from dataclasses import dataclass

from .fields import EntityTag, HTTPDate

__all__ = ["Validators", "from_digest", "from_time", "granularity", "is_meaningless", "on_demand"]

_SECOND = 10**9  # nanoseconds


@dataclass(slots=True)
class Validators:
    """What tells two versions of a representation apart."""

    etag: EntityTag
    last_modified: HTTPDate | None
    settled: float
    """Epoch seconds until which the tag is only provisional; 0 if it is final."""


def is_meaningless(mtime_ns: int) -> bool:
    """Return whether the time of a file says nothing, as in builds that aim to be reproducible.

    They set every time to 0 or 1 (Nix, Bazel, image builders): `from_digest` has to serve.
    """
    return mtime_ns // _SECOND in (0, 1)


def from_digest(digest: bytes, coding: bytes, mtime_ns: int = 0) -> Validators:
    """Return validators made from a digest of the content, in characters of an entity tag.

    There is a date if ``mtime_ns`` (nanoseconds) says something.
    """
    date = None if is_meaningless(mtime_ns) else mtime_ns // _SECOND
    return Validators(b'"%s%s"' % (digest, _suffix(coding)), date, 0)


def on_demand(etag: EntityTag, coding: bytes) -> EntityTag | None:
    """Return the tag of what a file with ``etag`` becomes when it is encoded on demand.

    It is weak, as another replica may have another version of the encoder, and the same content
    in other octets (section 8.8.1). ``None`` if the file's own tag is weak: another content may
    have it as well.
    """
    return None if etag.startswith(b"W/") else b'W/%s%s"' % (etag[:-1], _suffix(coding))


def from_time(
    mtime_ns: int, size: int, coding: bytes, now: float, *, torn: bool = False
) -> Validators:
    """Return validators made from modification time (nanoseconds) and size (octets).

    The tag is strong, but for a file so young that it could change again and keep its time. It is
    weak then, and other than the strong tag to come: the weak comparison of If-None-Match would
    otherwise take the two for equal, and a client would keep for ever what it read too early.

    ``torn`` says that the content changed while it was read, so that it belongs to no time at all.
    """
    tag = b"%x-%x%s" % (mtime_ns, size, _suffix(coding))
    seconds = mtime_ns / _SECOND
    apart = granularity(mtime_ns)
    if torn:
        return Validators(b'W/"%s-torn-%x"' % (tag, int(now * 10**6)), mtime_ns // _SECOND, now)
    if abs(now - seconds) < apart:
        return Validators(b'W/"%s-young"' % tag, mtime_ns // _SECOND, seconds + apart)
    return Validators(b'"%s"' % tag, mtime_ns // _SECOND, 0)


def granularity(time_ns: int) -> float:
    """Return how many seconds apart two changes must be to be sure of different times.

    Some file systems keep whole or even seconds: 2 s. The others take the time of the kernel's
    last timer tick, which comes every 1 to 10 ms: 20 ms.
    """
    return 2.0 if time_ns % _SECOND == 0 else 0.02


def _suffix(coding: bytes) -> bytes:
    return b"-" + coding if coding else b""
