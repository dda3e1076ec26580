"""Where a rule leads.

Floor: core (pure). RFC 9110 section 10.2.2 (Location), RFC 3986 sections 3.3 to 3.5.

The target of a rule is text with placeholders. A path on this site is always taken through
`resolve`, as the path of a request is, whether it ends in Location or at the disk: it has one slash
in front, so that it never names another host; no ``..``, encoded slash or NUL gets into it; and
what the client sent comes out escaped, so that neither a line end nor a delimiter does. The scheme
and host of a target on another site hold no placeholders.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from .path import SitePath, escape_query, resolve
from .patterns import PLACEHOLDER, SPLAT, Captures
from .response import Refused
from .rules import Mistake, octets

__all__ = ["MOST_OCTETS", "Target", "is_url", "parse_target", "split_url"]

MOST_OCTETS = 16 * 1024
"""Of a Location. Placeholders can be repeated in a target, so that it may outgrow every request."""

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.I | re.S)
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

# What may stand bare in a path (RFC 3986 section 3.3) and in a query or fragment (3.4, 3.5).
_PATH_SAFE = "!$&'()*+,;=:@-._~"
_VALUE_SAFE = "-._~"

_ESCAPED_DOT = re.compile(rb"%2[eE]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_Template = tuple[bytes | str, ...]
"""Octets as they go out, and the names of placeholders between them."""


@dataclass(slots=True, frozen=True)
class Target:
    """Where a rule leads."""

    origin: bytes
    """Scheme and authority of another site; empty: a path on this one."""
    path: _Template
    query: _Template | None
    fragment: _Template | None

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same for every request, apart from a query that is kept."""
        parts = (*self.path, *(self.query or ()), *(self.fragment or ()))
        return not any(isinstance(part, str) for part in parts)

    def site_path(self, captures: Captures) -> SitePath | None:
        """Return the path beneath the root; ``None`` if ``captures`` make none of it."""
        raw = self._raw_path(captures)
        if raw is None:
            return None
        try:
            return resolve(raw)
        except Refused:  # a NUL
            return None

    def location(self, captures: Captures, query: bytes | None) -> bytes | None:
        """Return the value of Location; ``None`` if ``captures`` make none.

        ``query`` is that of the request, or what is to be kept of it; a target with a query of its
        own doesn't take it.
        """
        if self.origin:
            path = self._raw_path(captures)
        else:
            beneath = self.site_path(captures)
            path = None if beneath is None else beneath.escaped(directory=beneath.directory)
        if path is None:
            return None
        location = self.origin + path
        if self.query is not None:
            location += b"?" + _fill(self.query, captures, _VALUE_SAFE)
        elif query:
            location += b"?" + escape_query(query)
        if self.fragment is not None:
            location += b"#" + _fill(self.fragment, captures, _VALUE_SAFE)
        return location if len(location) <= MOST_OCTETS else None

    def _raw_path(self, captures: Captures) -> bytes | None:
        """Return the escaped path; ``None`` if a placeholder stands for what would alter it.

        A dot segment would lead out of what stands before it in the target. `Mistake` has kept them
        out of the literals.
        """
        raw = _fill(self.path, captures, _PATH_SAFE)
        if len(raw) > MOST_OCTETS:
            return None
        return None if {b".", b".."} & set(raw.split(b"/")) else raw


def _fill(template: _Template, captures: Captures, safe: str) -> bytes:
    """Return ``template`` with what its placeholders stand for, escaped but for ``safe``.

    The slashes of a splat are separators; those in other values are data.
    """
    return b"".join(
        part
        if isinstance(part, bytes)
        else quote_from_bytes(captures[part], safe + "/" if part == SPLAT else safe).encode()
        for part in template
    )


def is_url(text: str) -> bool:
    """Return whether ``text`` begins as a URL of HTTP does."""
    return text[:8].lower().startswith(("http://", "https://"))


def split_url(text: str) -> tuple[str, str, str]:
    """Return scheme, authority and the rest, from the path on, of a URL; or raise `Mistake`."""
    match = _URL.fullmatch(text)
    if match is None:
        raise Mistake(f"{text!r} is no URL of HTTP")
    return match["scheme"].lower(), match["authority"].lower(), match["rest"]


def parse_target(text: str, known: Collection[str]) -> Target:
    """Return the target that ``text`` writes; ``known`` are the placeholders it may hold.

    Raises `Mistake` for anything that is neither a path of this site nor a URL of HTTP.
    """
    if _CONTROL.search(text):
        raise Mistake(f"{text!r} holds a control character")
    origin, rest = b"", text
    if is_url(text):
        scheme, authority, rest = split_url(text)
        _check_authority(text, authority)
        origin = f"{scheme}://{authority}".encode("ascii")
        rest = rest if rest.startswith("/") else "/" + rest
    elif not text.startswith("/"):
        raise Mistake(f"{text!r}: a target is a path that begins with '/', or a URL of HTTP")
    elif text.startswith(("//", "/\\")):
        raise Mistake(f"{text!r} would be taken for another host: one slash, or 'https://'")
    rest, number, fragment = rest.partition("#")
    path, mark, query = rest.partition("?")
    _check_whole_placeholders(path, known)
    target = Target(
        origin,
        _template(path, known),
        _template(query, known) if mark else None,
        _template(fragment, known) if number else None,
    )
    _check_path(text, path, target)
    return target


def _check_authority(text: str, authority: str) -> None:
    if not authority.startswith("[") and PLACEHOLDER.search(authority):
        raise Mistake(f"{text!r}: a placeholder in the host would let the client choose it")
    if "@" in authority:
        raise Mistake(f"{text!r}: a target has no user and password")
    if not _AUTHORITY.fullmatch(authority):
        raise Mistake(f"{text!r}: the host is no name in ASCII (use the form 'xn--...') or address")


def _check_whole_placeholders(path: str, known: Collection[str]) -> None:
    """A name that looks like a placeholder and is none is a slip; within a name it may be text."""
    for name in path.split("/"):
        match = PLACEHOLDER.fullmatch(name)
        if match and match[1] not in known:
            raise Mistake(f"':{match[1]}' stands for nothing in the path or query that is matched")


def _check_path(text: str, path: str, target: Target) -> None:
    sample = dict.fromkeys(_names(target.path), b"~")
    if target.origin:
        found = target._raw_path(sample) is not None
    elif "\\" in path:
        raise Mistake(f"{text!r}: browsers take a backslash for a slash")
    else:
        found = target.site_path(sample) is not None
    if not found:
        raise Mistake(f"{text!r}: dot segments, encoded slashes and NUL have no place in a target")


def _names(template: _Template) -> list[str]:
    return [part for part in template if isinstance(part, str)]


def _template(text: str, known: Collection[str]) -> _Template:
    """Split ``text`` at the placeholders that are ``known``; others are text."""
    parts: list[bytes | str] = []
    start = 0
    for match in PLACEHOLDER.finditer(text):
        if match[1] in known:
            parts += (_escape(text[start : match.start()]), match[1])
            start = match.end()
    parts.append(_escape(text[start:]))
    return tuple(part for part in parts if part)


def _escape(text: str) -> bytes:
    """Return ``text`` with all escaped that can't stand bare in a URL; whole escapes stay.

    Dots are undone, which changes no meaning (RFC 3986 section 6.2.2.2), so that dot segments are
    only to be looked for in one form.
    """
    return _ESCAPED_DOT.sub(b".", escape_query(octets(text)))
