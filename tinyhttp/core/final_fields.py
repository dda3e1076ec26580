"""What the fields of a response, which come from many, say together.

Floor: core (pure). RFC 9110 section 12.5.5 (Vary), RFC 9111 section 3.5 (what a password guards).
"""

from .fields import elements
from .response import Fields

__all__ = ["has", "kept_private", "with_one_vary", "without"]


def with_one_vary(fields: Fields) -> Fields:
    """Return ``fields`` with all that Vary says in one line."""
    said = [value for name, value in fields if name == b"Vary"]
    if len(said) < 2:
        return fields
    names = dict.fromkeys(name for value in said for name in elements(value))
    return [*without(fields, b"vary"), (b"Vary", b", ".join(names))]


def kept_private(fields: Fields) -> Fields:
    """Return ``fields`` with nothing that would let a shared cache hand it out to others.

    RFC 9111 section 3.5: "public" and "s-maxage" would, though a password was asked for.
    """
    said = [value.lower() for name, value in fields if name.lower() == b"cache-control"]
    if said and not any(b"public" in value or b"s-maxage" in value for value in said):
        return fields
    return [*without(fields, b"cache-control"), (b"Cache-Control", b"private, no-cache")]


def has(fields: Fields, name: bytes) -> bool:
    """Return whether there is a field called ``name``, in any case."""
    return any(each.lower() == name.lower() for each, _ in fields)


def without(fields: Fields, name: bytes) -> Fields:
    """Return ``fields`` but for those called ``name``, which is in lower case."""
    return [each for each in fields if each[0].lower() != name]
