"""Which part of a site is not for everybody, and who says that it may see it.

Floor: core (pure). RFC 7617 (Basic), RFC 9110 section 11. Whether the password is right is asked
elsewhere: it takes time on purpose.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import NamedTuple

from .path import SitePath

__all__ = ["Access", "Credentials", "challenge", "credentials_of"]

LONGEST = 1024
"""Octets of user and password together."""

_BASIC = re.compile(rb"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]{1,2048}={0,2})")
_SIDECARS = (b".br", b".gz", b".zst")


class Credentials(NamedTuple):
    """What a client says of itself; octets, as nobody says how they are encoded."""

    user: bytes
    password: bytes


@dataclass(slots=True, frozen=True)
class Access:
    """``path`` and all beneath it are for those who are known for ``realm``."""

    path: SitePath
    realm: str

    def covers(self, path: SitePath) -> bool:
        """Return whether ``path`` is protected: it is the one, beneath it, or its other coding."""
        names = self.path.segments
        if path.segments[: len(names)] == names:
            return True
        if len(path.segments) != len(names) or not names:
            return False
        *way, name = path.segments
        *our_way, our_name = names
        return way == our_way and any(name == our_name + each for each in _SIDECARS)


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
    """Return the field by which a client is asked who it is (RFC 7617 section 2.1)."""
    realm = re.sub(r'(["\\])', r"\\\1", access.realm).encode("ascii", "replace")
    return b"WWW-Authenticate", b'Basic realm="%s", charset="UTF-8"' % realm
