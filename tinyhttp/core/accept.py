"""In which form the client wants what we write ourselves: a listing, or an error.

Floor: core (pure). RFC 9110 section 12.5.1 (Accept).

Files are served as they are, so that nothing here concerns them. What we write has no parameter
but the charset, so a range with parameters means the type that it names, and gives way to the
same range without.
"""

import re
from collections.abc import Sequence

from .fields import TOKEN, elements, parse_weight

__all__ = ["HTML", "JSON", "PLAIN", "PROBLEM", "preferred", "relevant", "wants_page"]

HTML = b"text/html"
JSON = b"application/json"
PLAIN = b"text/plain"
PROBLEM = b"application/problem+json"  # RFC 9457

_OFFERED = (HTML, JSON, PLAIN, PROBLEM)

_RANGE = re.compile(TOKEN + rb"/" + TOKEN)  # "*" is a character of tokens too
# Never fails, and so never goes back: an unfinished string lasts to the end.
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.?)*"?', re.DOTALL)


def preferred(accept: bytes | None, offers: Sequence[bytes]) -> bytes:
    """Return the one of ``offers`` (media types in lower case) that the client prefers.

    The highest weight wins; among equals a type that is named goes before one that a wildcard
    lets through, and then the earlier. If none is acceptable, or nothing is said, it is the
    first: section 12.5.1 allows to answer as if there had been no such field.
    """
    if not accept:
        return offers[0]
    ranges = _ranges(accept)
    best, best_rank = offers[0], (0, 0)
    for offer in offers:
        rank = _rank(offer, ranges)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = offer, rank
    return best


def _rank(offer: bytes, ranges: dict[bytes, int]) -> tuple[int, int]:
    """Return weight and precision of the most precise of ``ranges`` that ``offer`` is in."""
    for precision, media_range in ((2, offer), (1, _wildcard(offer)), (0, b"*/*")):
        weight = ranges.get(media_range)
        if weight is not None:
            return weight, precision
    return 0, 0


def _wildcard(media_type: bytes) -> bytes:
    return media_type.partition(b"/")[0] + b"/*"


def _ranges(accept: bytes) -> dict[bytes, int]:
    """Return the weights of the ranges, in thousandths; of a range given twice the first counts."""
    plain: dict[bytes, int] = {}
    narrowed: dict[bytes, int] = {}
    for media_range, weight, parameters in _members(accept):
        (narrowed if parameters else plain).setdefault(media_range, weight)
    return {**narrowed, **plain}


def _members(accept: bytes) -> list[tuple[bytes, int, bool]]:
    """Return (range in lower case, weight, whether it has parameters); skips what is malformed."""
    if b'"' in accept:
        accept = _QUOTED.sub(b'""', accept)  # a comma or semicolon in a string separates nothing
    members = []
    for element in elements(accept):
        media_range, *rest = [part.strip(b" \t").lower() for part in element.split(b";")]
        parameters = [part for part in rest if part]
        weights = [part[2:] for part in parameters if part.startswith(b"q=")]
        weight = parse_weight(weights[0]) if weights else 1000
        narrowed = bool(parameters) and not parameters[0].startswith(b"q=")
        if weight is not None and _RANGE.fullmatch(media_range):
            members.append((media_range, weight, narrowed))
    return members


def wants_page(accept: bytes) -> bool:
    """Return whether a page is asked for by its type, as browsers do for what they show."""
    return any(name == HTML and weight > 0 for name, weight, _ in _members(accept))


_OTHERS = b"image/*"

_RELEVANT = frozenset((b"*/*", *_OFFERED, *map(_wildcard, _OFFERED)))


def relevant(accept: bytes) -> bytes:
    """Return what of ``accept`` can have a bearing on anything that `preferred` is asked here.

    Browsers differ in the types of images that they name, and in little else: less those, a
    dozen values become two or three, under which an answer can be remembered for all of them.
    The value of several lines is relevant in the same parts as each line for itself. If there is
    nothing but other types, something stands for them: to want a picture is not to want anything.
    """
    members = b", ".join(
        media_range + (b";x" if narrowed else b"") + (b"" if weight == 1000 else _weight(weight))
        for media_range, weight, narrowed in _members(accept)
        if media_range in _RELEVANT
    )
    return members or (_OTHERS if accept.strip(b" \t,") else b"")


def _weight(weight: int) -> bytes:
    return b";q=0.%03d" % weight
