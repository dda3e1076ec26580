"""What becomes of a response that faults are done to.

Floor: testing; pure. A `Plan` is made of the real response and the faults: which octets, with
which gaps, and how it ends. The order is always the same, whatever was said first: content,
fields, framing, time, end.
"""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..core.request import Request
from ..core.resource import Span
from ..core.response import REASONS, Body, Fields, Response
from .faults import Ending, Faults

__all__ = ["ChunkWriter", "Plan", "Portion", "change_request", "make_plan", "portions"]

MOST = 64 * 1024
"""Octets that are sent at a time."""
PACKED = 64 * 1024 * 1024
"""Octets up to which a file is compressed; a bigger one goes as it is."""
_STEPS = 20
"""Times a second that something drips."""

_REASONS = {
    **REASONS,
    100: b"Continue",
    102: b"Processing",
    103: b"Early Hints",
    201: b"Created",
    202: b"Accepted",
    302: b"Found",
    303: b"See Other",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    401: b"Unauthorized",
    410: b"Gone",
    421: b"Misdirected Request",
    425: b"Too Early",
    429: b"Too Many Requests",
    502: b"Bad Gateway",
    504: b"Gateway Timeout",
    507: b"Insufficient Storage",
}

_CONDITIONS = (
    *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"),
)


_ONE_RANGE = re.compile(rb"bytes=([0-9]{1,15})-([0-9]{0,15})")


@dataclass(slots=True)
class Plan:
    """How a response is sent."""

    before: bytes
    """Informational responses."""
    delay: float
    head: bytes
    body: Sequence[bytes | Span]
    size: int
    """Octets of the body, without its framing."""
    persistent: bool
    """Whether another request may follow."""
    ending: Ending | None = None
    chunks: "ChunkWriter | None" = None
    pauses: dict[int, float] = field(default_factory=dict)
    rate: float | None = None
    piece: int = MOST
    corrupt_at: int | None = None

    def portions(self) -> Iterator["Portion"]:
        """Give the body in the pieces in which it is sent."""
        marks = {*self.pauses, *([self.chunks.mark] if self.chunks is not None else [])}
        stop = self.size
        if self.ending is not None and self.ending.at is not None:
            stop = min(stop, self.ending.at)
        if self.corrupt_at is not None:
            marks |= {self.corrupt_at, self.corrupt_at + 1}
        return portions(self.body, marks, stop, self.piece)


@dataclass(slots=True)
class Portion:
    """Octets of a body, from ``start`` on, or where in a file they are."""

    start: int
    source: bytes | Span


def portions(
    body: Sequence[bytes | Span], marks: set[int], stop: int, most: int
) -> Iterator[Portion]:
    """Give ``body`` up to ``stop`` in portions of up to ``most`` octets; none goes over a mark."""
    position = 0
    for piece in body:
        length = len(piece) if isinstance(piece, bytes) else piece.stop - piece.start
        end = min(position + length, stop)
        inner = sorted(mark for mark in marks if position < mark < end)
        for start, upto in pairwise([position, *inner, end]):
            for at in range(start, upto, most):
                until = min(at + most, upto)
                yield Portion(at, _part(piece, at - position, until - position))
        position += length


def _part(piece: bytes | Span, start: int, stop: int) -> bytes | Span:
    if isinstance(piece, bytes):
        return piece[start:stop]
    return Span(piece.file, piece.start + start, piece.start + stop)


class ChunkWriter:
    """Puts the ``size`` octets of a body into chunks (RFC 9112 section 7.1).

    With ``broken`` something is wrong from the middle of the body on.
    """

    def __init__(self, size: int, broken: str):
        self.mark = (size + 1) // 2
        self._size = size
        self._broken = broken

    def chunk(self, start: int, data: bytes) -> bytes:
        """Return the chunk that holds ``data``, which is at ``start`` of the body."""
        kind = self._broken if start >= self.mark or self._size == len(data) else ""
        if kind == "size":
            return b"zz\r\n" + data + b"\r\n"
        if kind == "huge":
            return b"1" + b"0" * 24 + b"\r\n" + data + b"\r\n"
        if kind == "short":
            return b"%x\r\n" % (len(data) + 16) + data
        end = b"--" if kind == "crlf" else b"\r\n"
        return b"%x\r\n" % len(data) + data + end

    def end(self) -> bytes:
        """Return what comes behind the last chunk."""
        if self._broken in ("end", "short"):
            return b""
        if self._broken == "size" and not self._size:
            return b"zz\r\n\r\n"
        if self._broken == "trailer":
            return b"0\r\n no field\r\n\r\n"
        return b"0\r\n\r\n"


def change_request(request: Request, faults: Faults) -> None:
    """Change what was asked so that the real policy gives the wrong answer."""
    if faults.ignore_range:
        request.fields.pop(b"range", None)
    if faults.shift_range is not None and b"range" in request.fields:
        request.fields[b"range"] = _shifted(request.fields[b"range"], faults.shift_range)
    if faults.ignore_conditions:
        for name in _CONDITIONS:
            request.fields.pop(name, None)
    if faults.flap_etag:
        # Its tags are none that a client could have, but a date it has, and would get a 304.
        request.fields.pop(b"if-modified-since", None)


def _shifted(value: bytes, by: int) -> bytes:
    m = _ONE_RANGE.fullmatch(value)
    if m is None:
        return value
    last = b"%d" % max(int(m[2]) + by, 0) if m[2] else b""
    return b"bytes=%d-%s" % (max(int(m[1]) + by, 0), last)


def make_plan(
    response: Response,
    faults: Faults,
    *,
    number: int,
    date: bytes,
    persistent: bool,
    is_head: bool,
    old: bool,
) -> Plan:
    """Return how ``response`` is sent with ``faults``; ``number`` is the request's.

    ``persistent`` tells whether the connection stays open if nothing is wrong, ``old`` whether the
    client speaks HTTP/1.0.
    """
    until_close = faults.until_close or (faults.chunks is not None and old)
    close = bool(faults.chunks) or until_close or (faults.length_off_by or 0) > 0
    persistent = persistent and not close and faults.garbage is None
    body, fields, status = _content(response, faults)
    size = sum(_length(piece) for piece in body)
    bodiless = is_head or status in (204, 304)
    chunks = None
    if faults.chunks is not None and not until_close:
        chunks = ChunkWriter(size, faults.chunks)
    if chunks is not None and status not in (204, 304):
        fields.append((b"Transfer-Encoding", b"chunked"))
    elif not until_close and status not in (204, 304):
        fields.append((b"Content-Length", b"%d" % max(size + (faults.length_off_by or 0), 0)))
    if not persistent or old:
        fields.append((b"Connection", b"keep-alive" if persistent else b"close"))
    all_fields = [(b"Server", b"tinyhttp"), (b"Date", date), *fields]
    head = _head(status, faults.reason, _changed(all_fields, faults, number))
    before = b"" if old else b"".join(_informational(s, lines) for s, lines in faults.informational)
    piece = MOST
    if faults.rate is not None:
        piece = faults.piece or min(max(int(faults.rate / _STEPS), 1), MOST)
    return Plan(
        before,
        faults.delay or 0,
        head if faults.garbage is None else faults.garbage,
        () if bodiless or faults.garbage is not None else body,
        0 if bodiless or faults.garbage is not None else size,
        persistent,
        faults.ending,
        None if bodiless else chunks,
        dict(faults.pauses),
        faults.rate,
        piece,
        faults.corrupt_at,
    )


def _content(response: Response, faults: Faults) -> tuple[Sequence[bytes | Span], Fields, int]:
    """Return body, fields and status, with an answer of another kind if one is wanted."""
    if faults.status is not None:
        body = faults.body
        if body is None:
            body = b"%d\n" % faults.status if faults.status not in (204, 304) else b""
        return (body,), [(b"Content-Type", b"text/plain; charset=utf-8")], faults.status
    body_pieces, fields = _pieces(response.body), list(response.fields)
    if faults.gzip is not None and response.status == 200 and (response.length or 0) <= PACKED:
        packed = _packed(b"".join(map(_read, body_pieces)), faults.gzip)
        fields = [f for f in fields if f[0] != b"Accept-Ranges"]
        return (packed,), [*fields, (b"Content-Encoding", b"gzip")], 200
    return body_pieces, fields, response.status


def _pieces(body: Body) -> Sequence[bytes | Span]:
    if isinstance(body, bytes):
        return (body,) if body else ()
    return body


def _length(piece: bytes | Span) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.stop - piece.start


def _read(piece: bytes | Span) -> bytes:
    if isinstance(piece, bytes):
        return piece
    return piece.file.read(piece.stop - piece.start, piece.start)


def _packed(octets: bytes, broken: str) -> bytes:
    """Return ``octets`` in the gzip format (RFC 1952), or in something that only begins so."""
    packed = bytearray(gzip.compress(octets, mtime=0))
    if broken == "checksum":
        packed[-8] ^= 0xFF
    elif broken == "data":
        packed[10] = 0xFF  # a block of the reserved type
    elif broken == "cut":
        del packed[len(packed) // 2 :]
    return bytes(packed)


def _changed(fields: Fields, faults: Faults, number: int) -> Fields:
    if faults.flap_etag:
        fields = [(n, b'"flap-%d"' % number if n == b"ETag" else v) for n, v in fields]
    dropped = {name.lower().encode() for name in faults.dropped_fields}
    for name, value in faults.set_fields:
        line = (name.encode(), value.encode("latin-1"))
        lower = line[0].lower()
        place = next((i for i, (n, _) in enumerate(fields) if n.lower() == lower), len(fields))
        rest = [f for f in fields[place:] if f[0].lower() != lower]
        fields = [*fields[:place], line, *rest]
    added = [(n.encode(), v.encode("latin-1")) for n, v in faults.added_fields]
    return [*(f for f in fields if f[0].lower() not in dropped), *added]


def _head(status: int, reason: str | None, fields: Fields) -> bytes:
    phrase = _REASONS.get(status, b"") if reason is None else reason.encode("latin-1")
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, phrase)]
    lines += [b"%s: %s\r\n" % field for field in fields]
    return b"".join([*lines, b"\r\n"])


def _informational(status: int, lines: tuple[tuple[str, str], ...]) -> bytes:
    fields = [(name.encode(), value.encode("latin-1")) for name, value in lines]
    return _head(status, None, fields)
