"""Which form of a file the client gets.

Floor: core (pure). RFC 9110 section 12.5.3 (Accept-Encoding).
"""

from collections.abc import Sequence

from .fields import parse_weights
from .reasons import Chosen, Tell, Weighed
from .resource import Form

__all__ = ["choose"]

_ALIASES = {b"x-gzip": b"gzip"}  # section 8.4.1.3

_IMPLICIT_IDENTITY = 0.5
"""Thousandths: identity is acceptable unless refused, but less so than anything asked for."""


def choose(
    accept_encoding: bytes | None, variants: Sequence[Form], tell: Tell | None = None
) -> int | None:
    """Return the index of the variant to send, ``None`` if the client accepts none of them.

    The highest weight wins; among equals the smallest. A client that sends no Accept-Encoding
    would accept anything; it gets the file itself, as it may not know how to decode.
    """
    if accept_encoding is None:
        if tell is not None:
            tell(Chosen(b""))
        return 0
    weights = parse_weights(accept_encoding)
    for alias, name in _ALIASES.items():
        if alias in weights:
            weights.setdefault(name, weights[alias])
    best, best_rank = None, (0.0, 0)
    for index, variant in enumerate(variants):
        rank = (_weight(weights, variant.coding), -variant.size)
        if tell is not None:
            tell(Weighed(variant.coding, rank[0], variant.size))
        if rank[0] > 0 and (best is None or rank > best_rank):
            best, best_rank = index, rank
    if tell is not None:
        tell(Chosen(None if best is None else variants[best].coding))
    return best


def _weight(weights: dict[bytes, int], coding: bytes) -> float:
    weight = weights.get(coding or b"identity", weights.get(b"*"))
    if weight is None:
        return 0 if coding else _IMPLICIT_IDENTITY
    return weight
