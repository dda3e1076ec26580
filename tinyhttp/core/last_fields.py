"""What is right about fields whatever has put them together.

Floor: core (pure). RFC 9110 section 12.5.5 (Vary), RFC 9111 section 3.5 and RFC 9213 (what shared
caches may do with what was not for everybody).
"""

from .fields import elements
from .response import Fields

__all__ = ["has", "kept_private", "varies_by", "with_one_vary", "without"]

_SHARES = frozenset((b"public", b"s-maxage", b"must-revalidate"))
"""Any of them has a shared cache keep even what a password was asked for."""


def has(fields: Fields, name: bytes) -> bool:
    """Return whether there is a field called ``name``, in lower case."""
    return any(each.lower() == name for each, _ in fields)


def without(fields: Fields, name: bytes) -> Fields:
    """Return ``fields`` less those called ``name``, in lower case."""
    return [each for each in fields if each[0].lower() != name]


def varies_by(fields: Fields) -> list[bytes]:
    """Return the names in Vary."""
    said = (value for name, value in fields if name.lower() == b"vary")
    return [name for value in said for name in elements(value)]


def with_one_vary(fields: Fields) -> Fields:
    """Return ``fields`` with all that Vary says in one line, and each name once."""
    if sum(name.lower() == b"vary" for name, _ in fields) < 2:
        return fields
    names: dict[bytes, bytes] = {}
    for name in varies_by(fields):
        names.setdefault(name.lower(), name)
    return [*without(fields, b"vary"), (b"Vary", b", ".join(names.values()))]


def kept_private(fields: Fields) -> Fields:
    """Return ``fields`` with nothing that would let a shared cache hand it out to others.

    Neither Cache-Control nor a field of the kind that is meant for some caches alone, such as
    CDN-Cache-Control, and goes before it there.
    """
    fields = [each for each in fields if not _is_for_some_caches(each[0].lower())]
    said = [value.lower() for name, value in fields if name.lower() == b"cache-control"]
    directives = [each for value in said for each in elements(value)]
    shared = any(each.partition(b"=")[0].strip(b" \t") in _SHARES for each in directives)
    if said and (not shared or b"private" in directives):
        return fields
    return [*without(fields, b"cache-control"), (b"Cache-Control", b"private, no-cache")]


def _is_for_some_caches(name: bytes) -> bool:
    return name.endswith(b"-cache-control") or name == b"surrogate-control"
