"""Which octets a Range field asks for, and how several spans travel in one response.

Floor: core (pure). RFC 9110 section 14.

Spans are half open inside, ``(start, stop)`` like a slice; the inclusive ends of the wire are
read and written in this module only.
"""

import re
from collections.abc import Sequence
from hashlib import blake2s
from typing import TypeAlias

from .fields import EntityTag

__all__ = ["MAX_SPANS", "Spans", "content_range", "multipart", "parse_range"]

MAX_SPANS = 100
"""More in one request: the whole representation is sent instead (section 14.2 allows it)."""

Spans: TypeAlias = Sequence[tuple[int, int]]

_RANGES_SPECIFIER = re.compile(rb"[Bb][Yy][Tt][Ee][Ss]=(.*)", re.DOTALL)
_RANGE_SPEC = re.compile(rb"([0-9]*)-([0-9]*)")
_DIGITS = 19
_BEYOND = 10**19
"""What a number with as many digits or more is taken for: it lies beyond the end of every file."""


def parse_range(value: bytes, size: int) -> Spans | None:
    """Return the spans of a representation of ``size`` octets that ``value`` asks for.

    ``None``: the field has to be ignored, as it is malformed or in another unit, or may be and
    is, as it asks for more octets or more spans than a reader has use for. An empty sequence:
    none of the ranges can be satisfied (416). An empty representation has no ranges.
    """
    specifier = _RANGES_SPECIFIER.fullmatch(value)
    if specifier is None or size == 0:
        return None
    specs = [spec for part in specifier[1].split(b",", MAX_SPANS) if (spec := part.strip(b" \t"))]
    if not 0 < len(specs) <= MAX_SPANS:
        return None
    spans = []
    for spec in specs:
        m = _RANGE_SPEC.fullmatch(spec)  # a spec that holds commas came after MAX_SPANS others
        if m is None:
            return None
        first, last = m.groups()
        if first:
            start, stop = _number(first), _number(last) + 1 if last else size
            if last and stop <= start:
                return None  # section 14.1.2: invalid, and with it the whole set
        elif last:
            start, stop = max(size - _number(last), 0), size
        else:
            return None
        if start < size:
            spans.append((start, min(stop, size)))
    if sum(stop - start for start, stop in spans) > size:
        return None  # overlapping ranges that add up to more than the whole: section 14.2
    return spans


def _number(digits: bytes) -> int:
    significant = digits.lstrip(b"0")
    if len(significant) >= _DIGITS:
        return _BEYOND
    return int(significant or b"0")  # the pattern let ASCII digits through and nothing else


def content_range(start: int, stop: int, size: int) -> bytes:
    """Return the value of Content-Range (section 14.4)."""
    return b"bytes %d-%d/%d" % (start, stop - 1, size)


def multipart(
    spans: Spans, size: int, content_type: bytes, etag: EntityTag
) -> tuple[bytes, list[bytes], bytes]:
    """Return the frame of a multipart/byteranges body (section 14.6, RFC 2046 section 5.1.1).

    Three things: its content type; what stands before each span; and what stands behind the last.
    The boundary is a digest of tag and spans, so that the same request gets the same octets from
    every replica. A part's end is told by its Content-Range, never by searching for the boundary.
    """
    boundary = blake2s(b"%b %b" % (etag, repr(spans).encode()), digest_size=12).hexdigest().encode()
    delimiters = [
        b"\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n"
        % (boundary, content_type, content_range(start, stop, size))
        for start, stop in spans
    ]
    return (
        b"multipart/byteranges; boundary=" + boundary,
        delimiters,
        b"\r\n--%s--\r\n" % boundary,
    )
