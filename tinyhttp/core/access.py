"""Which part of a site is not for everybody, and who says that it may see it.

Floor: core (pure). RFC 7617 (Basic), RFC 9110 section 11. Whether the password is right is asked
elsewhere: it takes time on purpose.
"""

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from unicodedata import normalize

from .path import SitePath, resolve
from .response import Refused

__all__ = [
    "ENV",
    "Access",
    "Credentials",
    "challenge",
    "credentials_of",
    "deepest_first",
    "parse_auth",
]

ENV = "env"
"""The source that is no file but two variables of the environment."""

LONGEST = 1024
"""Octets of user and password together."""

_BASIC = re.compile(rb"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]{1,2048}={0,2})")
_SIDECARS = (b".br", b".gz", b".zst")


class Credentials(NamedTuple):
    """What a client says of itself; octets, as nobody says how they are encoded."""

    user: bytes
    password: bytes

    def __repr__(self) -> str:
        """Return nothing of either: people type passwords where the user belongs."""
        return "Credentials(...)"


@dataclass(slots=True, frozen=True)
class Access:
    """``path`` and all beneath it are for those who are known for ``realm``."""

    path: SitePath
    realm: str
    source: str = ""
    """Where their passwords are: a file, or `ENV`."""
    index: tuple[bytes, ...] = (b"index.html",)
    """Names by which a directory is answered: its own URL leads to them as well."""
    clean_urls: bool = False
    """Whether ``path`` may stand for the file of that name with ``.html`` behind it."""
    _names: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    _last: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(map(_folded, self.path.segments))
        last = {names[-1]} if names else set()
        if self.clean_urls:
            last |= {name + b".html" for name in last}
        last |= {name + each for name in last for each in _SIDECARS}
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_last", frozenset(last))

    def covers(self, path: SitePath) -> bool:
        """Return whether ``path`` is protected: it is the one, beneath it, or leads to the same.

        The same is the file in another coding, beside it, and the directory of which it is the
        index. Names that differ in case alone, or in how an accent is composed, count as one: to
        some file systems they are, and there they would be a way around.
        """
        names = self._names
        asked = tuple(map(_folded, path.segments))
        if asked[: len(names)] == names:
            return True
        if len(asked) == len(names):
            return asked[:-1] == names[:-1] and asked[-1] in self._last
        if path.directory and asked == names[:-1]:
            return any(_folded(name) in self._last for name in self.index)
        return False


def _folded(name: bytes) -> bytes:
    """Return ``name`` as file systems see it that know no case (Unicode, definition D145)."""
    if name.isascii():
        return name.lower()
    text = name.decode("utf-8", "surrogateescape")
    folded = normalize("NFD", normalize("NFD", text).casefold())
    return folded.encode("utf-8", "surrogateescape")


def credentials_of(authorization: bytes | None) -> Credentials | None:
    """Return what an Authorization field says in the scheme Basic, ``None`` if it does not."""
    m = None if authorization is None else _BASIC.fullmatch(authorization)
    if m is None:
        return None
    try:
        decoded = b64decode(m[1], validate=True)
    except ValueError:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon or len(decoded) > LONGEST or b"\0" in decoded:
        return None
    return Credentials(user, password)


def challenge(access: Access) -> tuple[bytes, bytes]:
    """Return the field by which a client is asked who it is (RFC 7617 section 2.1).

    What a quoted string can't hold, or nobody knows the encoding of, is a question mark.
    """
    visible = re.sub(r"[^\x20-\x7e]", "?", access.realm)
    realm = re.sub(r'(["\\])', r"\\\1", visible).encode("ascii")
    return b"WWW-Authenticate", b'Basic realm="%s", charset="UTF-8"' % realm


# What the option says.


def parse_auth(text: str) -> tuple[SitePath, str]:
    """Return the path and the source of its passwords that ``text``, ``PATH=FILE``, names.

    PATH is escaped as in a URL; a slash at its end has no meaning. Raises ``ValueError``.
    """
    written, _, source = text.partition("=")
    if not written.startswith("/"):
        raise ValueError("PATH=FILE is wanted, where PATH begins with a slash: /private=FILE")
    if not source or "\0" in source:
        raise ValueError(
            "behind PATH= a file made by 'htpasswd -B' is wanted, or env; a '=' in PATH is %3D"
        )
    if "?" in written or "#" in written:
        raise ValueError("PATH has no query and no fragment; '?' is written %3F, '#' is %23")
    try:
        path = resolve(written.encode("utf-8", "surrogateescape"))
    except Refused as refused:
        raise ValueError(f"PATH: {refused.detail}") from None
    except UnicodeEncodeError:
        raise ValueError("PATH is not text") from None
    if path is None:
        raise ValueError("PATH: no file can have a slash (%2F) in its name")
    return SitePath(path.segments, not path.segments), source


def deepest_first(accesses: Iterable[Access]) -> tuple[Access, ...]:
    """Return ``accesses`` so that the first that covers a path is the one nearest to it.

    Raises ``ValueError`` if two are about the same path.
    """
    seen: dict[tuple[bytes, ...], Access] = {}
    for access in accesses:
        names = tuple(map(_folded, access.path.segments))
        if seen.setdefault(names, access) is not access:
            path = access.path.escaped(directory=False).decode("ascii")
            raise ValueError(f"{path} is protected twice; which one should count?")
    # Of equal depth the longer first: "/a.gz" may be a path of its own and the sidecar of "/a".
    return tuple(seen[names] for names in sorted(seen, key=_depth, reverse=True))


def _depth(names: tuple[bytes, ...]) -> tuple[int, tuple[int, ...], tuple[bytes, ...]]:
    return len(names), tuple(map(len, names)), names
