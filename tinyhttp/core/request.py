"""From the octets of a request head to a `Request`, or to `Refused`.

Floor: core (pure). RFC 9112 sections 2 to 6, RFC 9110 sections 5, 7.2 and 10.1.1.

Strict on purpose: a head that two recipients could read in two ways is how requests are smuggled
past one of them, so whatever is doubtful is refused and the connection closed, since where the
next request would begin is doubtful as well. Nothing but `Refused` is raised for any input.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from .accept import relevant
from .fields import TOKEN, elements, parse_decimal
from .response import Refused

__all__ = [
    "ALLOW",
    "Head",
    "HeadReader",
    "Limits",
    "Request",
    "field_line",
    "find_head_end",
    "noted_fields",
    "parse",
]

ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")


@dataclass(slots=True, frozen=True)
class Limits:
    """How much of a request is read, in octets unless said otherwise."""

    request_line: int = 8 * 1024
    """Longer: 414. RFC 9112 section 3 asks for at least 8000."""
    head: int = 32 * 1024
    """Request line and fields together. Longer: 431."""
    fields: int = 100
    """Number of field lines. More: 431."""
    body: int = 64 * 1024
    """What is read of a body, framing included, to keep the connection. Longer: it is closed."""


@dataclass(slots=True)
class Request:
    """A request head whose syntax and framing are beyond doubt."""

    method: bytes
    path: bytes
    """Still escaped, beginning with a slash; ``*`` for ``OPTIONS *``."""
    query: bytes | None
    authority: bytes
    """Host and port of an absolute target, or else of Host; may be empty."""
    fields: dict[bytes, bytes]
    """Values by name in lower case; fields in several lines are joined by commas."""
    persistent: bool
    """Whether the client would send another request on this connection."""
    old: bool
    """Whether the client speaks HTTP/1.0."""
    body_length: int | None
    """Octets of the body that follows; ``None``: chunked."""
    expects_continue: bool
    """Whether the client waits for a word before it sends the body."""
    line: bytes
    """The request line as it came, for the log."""


_TOKEN = re.compile(TOKEN)
_TOKEN_CHARACTER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")

# A line end that is not CRLF. A CR at the very end may still get its LF.
_BROKEN_LINE_END = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")

# RFC 9112 section 3. Of the target all visible ASCII is let through but "#", as browsers send
# '|' and '"' bare; what RFC 3986 would have escaped has no second meaning for us.
_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])")

# RFC 9110 sections 5.1 and 5.5: visible characters, obs-text, space and tab.
_FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):([\t\x20-\x7e\x80-\xff]*)")

# RFC 3986 section 3.2.2: IPv6 in brackets; or a name or IPv4, which look alike.
_AUTHORITY = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
)
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)")


_IDLE, _DECISIVE, _NOTED, _FORWARDED, _NAMING, _REDUCED = range(6)

_MEANING = {
    **dict.fromkeys(
        (
            *(b"accept-encoding", b"connection", b"content-length", b"expect", b"host"),
            *(b"if-match", b"if-modified-since", b"if-none-match", b"if-range"),
            *(b"if-unmodified-since", b"range", b"transfer-encoding", b"want-repr-digest"),
        ),
        _DECISIVE,
    ),
    **dict.fromkeys((b"referer", b"user-agent"), _NOTED),
    # Decisive in those parts alone that have a say in what we write ourselves: all of it would tell
    # one browser from the next, and pages from pictures, for files to which it is all the same.
    b"accept": _REDUCED,
}
"""What is not here is checked and dropped, so nothing behind the parser can depend on it."""

_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie"))
"""Fields that are never remembered, as nobody would look for passwords in our memory."""

_KNOWN = 4096
_KNOWN_LINE = 512
_KNOWN_HEAD = 1024


def find_head_end(buffer: bytes | bytearray, scanned: int, limits: Limits) -> int:
    """Return where the head at the start of ``buffer`` ends, its empty line included; or -1.

    The first ``scanned`` octets have been looked at before, so that a head that arrives octet by
    octet costs linear time. Raises `Refused` as soon as no continuation could be right, instead of
    waiting for one until the deadline: 400 for something that does not start like a request, for a
    request line that is none, and for a line end other than CRLF; 414 and 431 over the limits.
    """
    end = buffer.find(b"\r\n\r\n", max(scanned - 3, 0))
    if end >= 0:
        _check_lengths(buffer.find(b"\r\n"), end + 4, limits)
        return end + 4
    if buffer and not _TOKEN_CHARACTER.match(buffer):
        raise Refused(400, "That does not look like an HTTP/1.1 request.")
    if _BROKEN_LINE_END.search(buffer, max(scanned - 1, 0)):
        raise Refused(400, "Lines must end with CRLF.")
    line_end = buffer.find(b"\r\n", 0, limits.request_line + 2)
    line = len(buffer) - buffer.endswith(b"\r") if line_end < 0 else line_end
    _check_lengths(line, len(buffer), limits)
    if line_end >= max(scanned - 1, 0) and not _REQUEST_LINE.fullmatch(buffer, 0, line_end):
        raise _malformed_request_line()
    return -1


def _check_lengths(line: int, head: int, limits: Limits) -> None:
    if line > limits.request_line:
        raise Refused(414, "The request line is too long.")
    if head > limits.head:
        raise Refused(431, "The header fields are too long.")


class Head(NamedTuple):
    """A head whose field lines are valid, less those that have no bearing on the answer."""

    decisive: tuple[bytes, ...]
    """The request line, and the field lines that may decide the answer: equal ones get an equal
    answer, as long as the resource stays the same."""
    noted: tuple[bytes, ...]
    """Field lines that the log wants."""
    forwarded: tuple[bytes, ...] = ()
    """Field lines in which proxies tell where the request comes from."""
    naming: tuple[bytes, ...] = ()
    """Field lines that give the request an id."""


class HeadReader:
    """Reads heads within ``limits``; ``also`` are fields, in lower case, that decide as well.

    ``forwarded`` and ``naming`` are names, in lower case, of fields that are put aside as `Head`
    says. They tell one request from the next, and so are never decisive.

    Most field lines are the same from one request to the next, so those that were found valid are
    remembered with what they mean to us: a look-up takes a tenth of the time of another check. A
    head of nothing but known fields is likely to come again as well, and remembered whole.
    """

    def __init__(
        self,
        limits: Limits,
        also: Iterable[bytes] = (),
        *,
        forwarded: Iterable[bytes] = (),
        naming: Iterable[bytes] = (),
    ):
        self._limits = limits
        self._meanings = {
            **_MEANING,
            **dict.fromkeys(also, _DECISIVE),
            **dict.fromkeys(forwarded, _FORWARDED),
            **dict.fromkeys(naming, _NAMING),
        }
        self._lines: dict[bytes, int | bytes] = {}  # what a line means, or what it stands for
        self._heads: dict[bytes, Head] = {}

    def read_whole(self, data: bytes) -> Head | None:
        """Return what `read` does if ``data`` is one head and nothing else, ``None`` if not.

        ``None`` as well for a head that is refused, with which the caller does what it does with
        pieces of one: it finds out again, and why.
        """
        head = self._heads.get(data)
        if head is None and 0 <= data.find(b"\r\n\r\n") == len(data) - 4 < self._limits.head - 3:
            with suppress(Refused):
                return self.read(data)
        return head

    def read(self, head: bytes) -> Head:
        """Return what matters in ``head``, which goes up to and including its empty line.

        Raises `Refused`: 400 for a malformed field line, 431 for too many of them.
        """
        known = self._heads.get(head)
        if known is not None:
            return known
        lines = head[:-4].split(b"\r\n")
        if len(lines) - 1 > self._limits.fields:
            raise Refused(431, "There are too many header fields.")
        decisive = [lines.pop(0)]
        noted = []
        aside: list[tuple[int, bytes]] = []
        meanings = self._lines
        new = len(head) > _KNOWN_HEAD
        for line in lines:
            meaning = meanings.get(line)
            if meaning is None:
                new = True
                meaning = self._look_at(line)
            if meaning == _DECISIVE:
                decisive.append(line)
            elif meaning == _NOTED:
                noted.append(line)
            elif isinstance(meaning, bytes):
                decisive.append(meaning)
            elif meaning:
                aside.append((meaning, line))
        result = Head(tuple(decisive), tuple(noted))
        if aside:
            result = _with_aside(result, aside)
        if not new:
            if len(self._heads) >= _KNOWN:
                self._heads.clear()  # what is frequent is back within a few requests
            self._heads[head] = result
        return result

    def _look_at(self, line: bytes) -> int | bytes:
        name, value = field_line(line)
        meaning: int | bytes = self._meanings.get(name, _IDLE)
        if meaning == _REDUCED:
            value = relevant(value)
            meaning = b"accept: " + value if value else _IDLE
        if len(line) <= _KNOWN_LINE and name not in _SECRET:
            if len(self._lines) >= _KNOWN:
                self._lines.clear()
            self._lines[line] = meaning
        return meaning


def _with_aside(head: Head, aside: list[tuple[int, bytes]]) -> Head:
    return head._replace(
        forwarded=tuple(line for meaning, line in aside if meaning == _FORWARDED),
        naming=tuple(line for meaning, line in aside if meaning == _NAMING),
    )


def noted_fields(noted: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """Return the fields in `Head.noted`, by name in lower case."""
    return _fields(noted)


def parse(head: Head) -> Request:
    """Return the request that ``head`` makes.

    Raises `Refused`: 400 for bad syntax or framing, 405 for CONNECT, 417 for an unknown
    expectation, 501 for an unknown transfer coding, 505 for another major version. After any of
    these the connection has to be closed.
    """
    line = head.decisive[0]
    m = _REQUEST_LINE.fullmatch(line)
    if m is None:
        raise _malformed_request_line()
    method, target, major, minor = m.groups()
    if major != b"1":
        raise Refused(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
    old = minor == b"0"  # a minor version above 1 is served as 1.1: RFC 9110 section 2.5
    fields = _fields((*head.decisive[1:], *head.noted))
    host = _host(fields.get(b"host"), old)
    authority, path, query = _target(method, target, host)
    return Request(
        method,
        path,
        query,
        authority,
        fields,
        _is_persistent(fields.get(b"connection"), old),
        old,
        _body_length(fields, old),
        not old and b"expect" in fields and _expects_continue(fields[b"expect"]),
        line,
    )


def _malformed_request_line() -> Refused:
    return Refused(400, "The request line is malformed.")


def _fields(lines: tuple[bytes, ...]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, value = field_line(line)
        if name in fields:
            # RFC 9110 section 5.3. For a field that may occur once the comma spoils the value,
            # so two of Host or Content-Length are refused like any other malformed one.
            value = fields[name] + b", " + value
        fields[name] = value
    return fields


def field_line(line: bytes) -> tuple[bytes, bytes]:
    """Return name (in lower case) and value of a field line; raises `Refused` (400).

    A name that is empty or no token, white space before the colon, a folded line (obs-fold) and
    control characters in the value are all refused (RFC 9112 section 5).
    """
    m = _FIELD_LINE.fullmatch(line)
    if m is None:
        raise Refused(400, "A header field is malformed.")
    name, value = m.groups()
    return name.lower(), value.strip(b" \t")


def _host(value: bytes | None, old: bool) -> bytes:
    """Check Host (RFC 9112 section 3.2: exactly one in HTTP/1.1, and a valid one)."""
    if value is None:
        if old:
            return b""
        raise Refused(400, "The Host field is missing.")
    if value and not _is_authority(value):
        raise Refused(400, "The Host field is malformed.")
    return value


def _is_authority(value: bytes) -> bool:
    """Return whether ``value`` is a host, not an empty one, with or without a port."""
    m = _AUTHORITY.fullmatch(value)
    if m is None:
        return False
    try:
        return not m[1] or IPv6Address(m[1].decode()) is not None
    except AddressValueError:
        return False


def _target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return authority, path and query of a request target (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        raise Refused(405, "This server is not a proxy.", [ALLOW])
    if target == b"*" and method == b"OPTIONS":
        return host, target, None
    if not target.startswith(b"/"):
        m = _ABSOLUTE.fullmatch(target)
        if m is None or not _is_authority(m[1]):
            raise Refused(400, "The request target is malformed.")
        # Section 3.2.2: Host is ignored in favour of the target's authority.
        host, target = m[1], m[2]
        if method == b"OPTIONS" and not target:
            return host, b"*", None  # section 3.2.4
        if not target.startswith(b"/"):
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    return host, path, query if mark else None


def _is_persistent(connection: bytes | None, old: bool) -> bool:
    """RFC 9112 section 9.3."""
    if connection is None:
        return not old
    options = elements(connection.lower())
    return b"close" not in options and (not old or b"keep-alive" in options)


def _body_length(fields: dict[bytes, bytes], old: bool) -> int | None:
    """Return the length of the body, ``None`` for chunked (RFC 9112 section 6.3)."""
    length = fields.get(b"content-length")
    codings = fields.get(b"transfer-encoding")
    if codings is None:
        return 0 if length is None else _content_length(length)
    if old or length is not None:
        raise Refused(400, "Transfer-Encoding does not go with HTTP/1.0 or Content-Length.")
    if codings.lower() == b"chunked":
        return None
    names = elements(codings.lower())
    if not all(map(_TOKEN.fullmatch, names)):
        raise Refused(400, "The Transfer-Encoding field is malformed.")
    if names in ([], [b"chunked"]) or b"chunked" in names[:-1]:
        raise Refused(400, "In Transfer-Encoding, chunked comes once and last.")
    raise Refused(501, "No transfer coding but chunked is understood.")


def _content_length(value: bytes) -> int:
    """A single run of digits; a list, even of equal numbers, is not worth the doubt."""
    length = parse_decimal(value)
    if length is None:
        raise Refused(400, "The Content-Length field is malformed.")
    return length


def _expects_continue(value: bytes) -> bool:
    expectations = elements(value.lower())
    if expectations and all(e == b"100-continue" for e in expectations):
        return True
    raise Refused(417, "The only expectation understood is 100-continue.")
