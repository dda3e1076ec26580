"""Whom a request comes from, if proxies have brought it.

Floor: core (pure). RFC 7239 (Forwarded); X-Forwarded-For and X-Forwarded-Proto, which no RFC
describes, as proxies write them.

A proxy that passes a request on adds the address it came from at the right end of a list. What the
right end says is as good as whoever is connected to us; what stands further left is as good as the
proxy that is named to its right. So the list is walked from the right, and the first address that
is not one of the trusted proxies is the client. All that is left of it may be the client's own
invention, and is never looked at.

**One of the two, never both.** A proxy that sets X-Forwarded-For passes Forwarded on as it came,
and one that sets Forwarded passes X-Forwarded-For on. So whoever reads both believes what the
client has written into the one that its proxy does not know: a preference of Forwarded is a gift to
everybody behind a balancer of the common kind. Nothing in the request tells which of them the proxy
has set, so it is said beforehand, and the other one is not read at all.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from .fields import TOKEN, elements
from .networks import Address, Networks, plain
from .request import field_line

__all__ = [
    "FORWARDED",
    "REQUEST_ID",
    "UNIX_PEER",
    "X_FORWARDED",
    "Origin",
    "TrustedProxies",
    "request_id",
]

FORWARDED = "forwarded"
"""Proxies set Forwarded."""
X_FORWARDED = "x-forwarded"
"""Proxies set X-Forwarded-For and X-Forwarded-Proto."""
REQUEST_ID = b"x-request-id"
"""The field in which a request brings its name along."""
UNIX_PEER = b"unix:"
"""Stands for the address of whoever connects to a UNIX socket."""

ELEMENTS = 32
"""Proxies in a row. Whoever sends more of them is known by the last that was reached."""

_FIELDS = {
    FORWARDED: frozenset({b"forwarded"}),
    X_FORWARDED: frozenset({b"x-forwarded-for", b"x-forwarded-proto"}),
}

_KNOWN = 4096
_KNOWN_OCTETS = 512

_PORT = rb"(?::[0-9]{1,5})?"
_ADDRESS = re.compile(
    rb"([0-9]{1,3}(?:\.[0-9]{1,3}){3})" + _PORT  # IPv4
    + rb"|\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]{1,44})\]" + _PORT
    + rb"|([0-9A-Fa-f:.]{2,45})"  # IPv6, bare: then no port can be told apart
)  # fmt: skip

# RFC 7239 section 6: an address, IPv6 in brackets; the port may be hidden behind a name.
_NODE = re.compile(
    rb"(?:([0-9]{1,3}(?:\.[0-9]{1,3}){3})|\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]{1,44})\])"
    rb"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._\-]+))?"
)

# Section 4, less escapes in quoted strings. Read from the right, as it must be, a quote with a
# backslash before it could end a string or belong to it; and nothing that matters needs one.
_PAIR = rb"(" + TOKEN + rb")=(" + TOKEN + rb"|\"[^\"\\]*\")"
_NEXT_PAIR = re.compile(rb"[ \t]*(?:" + _PAIR + rb")?[ \t]*(?:;|\Z)")

# An element, read backwards: up to a comma that is not within quotes.
_ELEMENT_BACKWARDS = re.compile(rb'((?:[^",]+|"[^"]*"?)*)(?:,|\Z)')

_REQUEST_ID = re.compile(rb"[\x21\x23-\x26\x28-\x7e]{1,128}")


class Origin(NamedTuple):
    """Where a request comes from."""

    address: bytes
    """An IP address in its usual form, or `UNIX_PEER`."""
    secure: bool
    """Whether the client has sent it by https, as far as the proxies have said so."""


class TrustedProxies:
    """The proxies in ``networks``, which set the fields that ``said_by`` names.

    ``said_by`` is `X_FORWARDED` or `FORWARDED`; raises ``ValueError`` for anything else.
    """

    def __init__(self, networks: Networks, said_by: str = X_FORWARDED):
        if said_by not in _FIELDS:
            raise ValueError(f"{said_by!r}: {X_FORWARDED} or {FORWARDED} is wanted")
        self.fields = _FIELDS[said_by]
        """Names, in lower case, of the fields that `origin` reads."""
        self._networks = networks
        self._walk = _walk_forwarded if said_by == FORWARDED else _walk_x_forwarded
        self._trusted: dict[bytes, bool] = {}
        self._origins: dict[tuple[bytes, tuple[bytes, ...]], Origin] = {}

    def trusts(self, address: bytes) -> bool:
        """Return whether ``address``, an IP address or `UNIX_PEER`, is one of the proxies."""
        trusted = self._trusted.get(address)
        if trusted is None:
            host = None if address == UNIX_PEER else address.decode("ascii", "replace")
            trusted = host in self._networks
            if len(self._trusted) >= _KNOWN:
                self._trusted.clear()
            self._trusted[address] = trusted
        return trusted

    def origin(self, peer: bytes, lines: tuple[bytes, ...]) -> Origin:
        """Return where a request comes from that ``peer`` has sent.

        ``lines`` are those of its field lines whose names are in `fields`. They are not looked at
        if ``peer`` is not one of the proxies.
        """
        if not lines or not self.trusts(peer):
            return Origin(peer, False)
        about = peer, lines
        origin = self._origins.get(about)
        if origin is None:
            origin = self._find(peer, lines)
            if sum(map(len, lines)) <= _KNOWN_OCTETS:
                if len(self._origins) >= _KNOWN:
                    self._origins.clear()
                self._origins[about] = origin
        return origin

    def _find(self, peer: bytes, lines: tuple[bytes, ...]) -> Origin:
        last: Address | None = None
        secure = False
        for address, secure in self._walk(lines):  # noqa: B007 (what was said last counts)
            last = address or last
            if address is None or not self._networks.hold(address):
                break
        return Origin(peer if last is None else str(last).encode(), secure)


def request_id(lines: Iterable[bytes]) -> bytes | None:
    """Return the id that the X-Request-ID ``lines`` give a request, ``None`` if it is not sane.

    That is one of 1 to 128 visible ASCII characters other than quotes: whoever takes it over
    writes it to logs and responses.
    """
    values = [field_line(line)[1] for line in lines]
    if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]):
        return values[0]
    return None


def _values(lines: Iterable[bytes], name: bytes) -> bytes:
    """Return the value of the field ``name``; several lines are one list (RFC 9110 section 5.3)."""
    fields = map(field_line, lines)
    return b",".join(value for found, value in fields if found == name)


def _walk_x_forwarded(lines: Iterable[bytes]) -> Iterator[tuple[Address | None, bool]]:
    """Give, from the right, each address and whether what came from it was https.

    ``None`` stands for an element that is no address: whoever has added it is the last of whom
    anything is known. If there are as many schemes as addresses, every proxy has added its own;
    else it is the last that counts, which is the only one if the outermost proxy has set it.
    """
    addresses = elements(_values(lines, b"x-forwarded-for"))
    schemes = [s.lower() == b"https" for s in elements(_values(lines, b"x-forwarded-proto"))]
    last = bool(schemes) and schemes[-1]
    paired = len(schemes) == len(addresses)
    if not addresses:
        yield None, last
    for number in range(1, min(len(addresses), ELEMENTS) + 1):
        secure = schemes[-number] if paired else last
        yield _address(_ADDRESS.fullmatch(addresses[-number])), secure


def _walk_forwarded(lines: Iterable[bytes]) -> Iterator[tuple[Address | None, bool]]:
    """Give, from the right, what each element of Forwarded says, as `_walk_x_forwarded` does."""
    for element in _elements_from_right(_values(lines, b"forwarded")):
        pairs = _pairs(element)
        if pairs is None:
            return
        address = _address(_NODE.fullmatch(pairs.get(b"for", b"")))
        yield address, pairs.get(b"proto", b"").lower() == b"https"


def _elements_from_right(value: bytes) -> Iterator[bytes]:
    """Give the elements of a list, its last first, up to so many; empty ones are left out.

    Split from the right, where the trusted proxies have written: a quote that a client leaves open
    then spoils its own part of the list and not theirs.
    """
    backwards = value[::-1]
    position = count = 0
    while position < len(backwards) and count < ELEMENTS:
        m = _ELEMENT_BACKWARDS.match(backwards, position)
        assert m is not None  # it matches nothing, too
        position = m.end()
        if element := m[1][::-1].strip(b" \t"):
            count += 1
            yield element


def _pairs(element: bytes) -> dict[bytes, bytes] | None:
    """Return the parameters of an element of Forwarded; ``None`` if it is malformed."""
    pairs: dict[bytes, bytes] = {}
    position = 0
    while position < len(element):
        m = _NEXT_PAIR.match(element, position)
        if m is None:
            return None
        if m[1] is not None:
            name = m[1].lower()
            if name in pairs:
                return None  # RFC 7239 section 4: not twice in an element
            pairs[name] = m[2].strip(b'"')
        position = m.end()
    return pairs


def _address(m: re.Match[bytes] | None) -> Address | None:
    """Return the address among the groups of ``m``; ``None`` if it is none."""
    if m is None:
        return None
    text = next(filter(None, m.groups()), b"").decode()
    try:
        return plain(ip_address(text))
    except ValueError:
        return None
