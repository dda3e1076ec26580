"""Which digest of a representation the client wants, and how it is written.

Floor: core (pure). RFC 9530 (Digest Fields), in the syntax of RFC 8941 (structured fields).

There is sha-256 and nothing else: of the algorithms that section 5 calls active it is the one that
everybody has.
"""

import re
from base64 import b64encode

__all__ = ["repr_digest", "wants_sha256"]

_KEY = rb"[a-z*][a-z0-9_\-.*]*"
# RFC 8941 section 3.3: number, string, token, octets and boolean; RFC 9651 has added dates and
# strings for people. Each begins in its own way, so that there is one way to read a value.
_BARE = (
    rb"(?:@?-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})"
    rb'|%?"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
    rb"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"
    rb"|:[A-Za-z0-9+/=]*:"
    rb"|\?[01])"
)
_PARAMETERS = rb"(?:; *" + _KEY + rb"(?:=" + _BARE + rb")?)*"
_ITEM = _BARE + _PARAMETERS
_INNER_LIST = rb"\( *(?:" + _ITEM + rb"(?: +" + _ITEM + rb")* *)?\)"
_MEMBER = re.compile(
    rb"(" + _KEY + rb")(?:=(" + _BARE + rb"|" + _INNER_LIST + rb"))?" + _PARAMETERS
)
_COMMA = re.compile(rb"[ \t]*,[ \t]*")

_WEIGHT = re.compile(rb"0{0,14}([1-9]|10)")


def wants_sha256(value: bytes | None) -> bool:
    """Return whether ``value``, of Want-Repr-Digest, asks for sha-256.

    That is a member with a weight from 1 to 10 (section 4); 0 says that it is not wanted. Of a
    name given twice the last counts. A value that is no dictionary is ignored as a whole, as RFC
    8941 section 4.2 wants it.
    """
    if value is None:
        return False
    weight: bytes | None = None
    position = 0
    while True:
        m = _MEMBER.match(value, position)
        if m is None:
            return False
        if m[1] == b"sha-256":
            weight = m[2]
        if m.end() == len(value):
            return weight is not None and _WEIGHT.fullmatch(weight) is not None
        comma = _COMMA.match(value, m.end())
        if comma is None:
            return False
        position = comma.end()


def repr_digest(sha256: bytes) -> bytes:
    """Return the value of Repr-Digest (section 3) for the 32 octets of a digest."""
    return b"sha-256=:%s:" % b64encode(sha256)
