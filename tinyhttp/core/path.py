"""From the path of a request target to a path beneath the root.

Floor: core (pure). RFC 3986 sections 2.1 (percent-encoding) and 5.2.4 (dot segments).

The escapes are undone once, here and nowhere else, and the result is split already: a segment
can't contain a slash or a NUL and is never ``.`` or ``..``. Whatever protects a path and whatever
opens it look at the same `SitePath`, so they can't disagree about which file is meant, and no
arrangement of dots, slashes, backslashes and escapes leads out of the root.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from .response import Refused

__all__ = ["SitePath", "decode", "escape_query", "is_hidden", "resolve"]

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_OCTET = {b"%02x" % n: bytes((n,)) for n in range(256)}

# RFC 3986 section 3.3 pchar, less "%" which always starts an escape.
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"
# Section 3.4: whatever is not one of these, nor a whole escape, is escaped before it goes out.
_NOT_QUERY = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")


@dataclass(slots=True, frozen=True)
class SitePath:
    """A path beneath the root."""

    segments: tuple[bytes, ...]
    """Decoded names, outermost first; none is empty, ``.`` or ``..``, none holds ``/`` or NUL."""
    directory: bool
    """Whether the target ended as a directory does: with a slash or a dot segment."""

    def escaped(self, *, directory: bool) -> bytes:
        """Return the path as it stands in a Location field: one slash in front, all else escaped.

        As no segment is empty it can't start with two slashes, which would name another host.
        """
        path = "".join("/" + quote_from_bytes(s, _SEGMENT_SAFE) for s in self.segments)
        return (path + "/" if directory or not path else path).encode("ascii")


def resolve(raw: bytes) -> SitePath | None:
    """Return the path that ``raw`` (escaped, beginning with a slash) names beneath the root.

    ``None``: no file can have that name, since a segment holds an encoded slash, which is data
    and never a separator. Raises `Refused` (400) for an incomplete escape and for NUL.
    """
    names = raw.split(b"/")[1:]
    if b"%" in raw:
        names = [decode(name) for name in names]
        if any(b"/" in name for name in names):
            return None
    return _without_dot_segments(names)


def decode(name: bytes) -> bytes:
    """Return ``name``, a segment or a part of one, with its escapes undone.

    Raises `Refused` as `resolve` does; who asks for anything but a literal of a rule wants that.
    """
    decoded = _ESCAPE.sub(_octet, name)
    if b"\0" in decoded:
        raise Refused(400, "The path contains a NUL.")
    return decoded


def _octet(escape: re.Match[bytes]) -> bytes:
    if escape[1] is None:
        raise Refused(400, "The path contains a '%' that is not followed by two hex digits.")
    return _OCTET[escape[1].lower()]


def _without_dot_segments(names: list[bytes]) -> SitePath:
    """Resolve ``.`` and ``..`` (RFC 3986 section 5.2.4), then drop empty segments.

    In this order, as the RFC counts an empty segment as a level: ``/a//../b`` is ``/a/b``.
    """
    kept: list[bytes] = []
    for name in names:
        if name == b"..":
            if kept:
                kept.pop()
        elif name != b".":
            kept.append(name)
    directory = names[-1] in (b"", b".", b"..")
    return SitePath(tuple(name for name in kept if name), directory)


def is_hidden(path: SitePath) -> bool:
    """Return whether a name on the way starts with a dot, other than ``/.well-known/`` (RFC 8615).

    The exception is for the first segment alone: the RFC registers the name at the top only.
    """
    segments = path.segments
    if segments and segments[0] == b".well-known":
        segments = segments[1:]
    return any(name.startswith(b".") for name in segments)


def escape_query(query: bytes) -> bytes:
    """Return ``query`` with everything escaped that RFC 3986 does not allow to stand there bare."""
    return _NOT_QUERY.sub(lambda m: b"%%%02X" % m[0][0], query)
