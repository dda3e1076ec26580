"""Which fields a response gets from the policy of a site, and which it may not keep.

Floor: core (pure). RFC 9110 section 12.5.5 (Vary), RFC 9111 section 3.5 and RFC 9213 (what shared
caches may do with what was not for everybody).
"""

from typing import TYPE_CHECKING

from .field_rules import Operations, merge
from .fields import elements
from .path import SitePath
from .reasons import Added, Tell
from .response import Fields, Response

if TYPE_CHECKING:
    from .policy import Policy

__all__ = ["cache_control_of", "dress", "kept_private", "operations_on", "varies_by"]

_SHARES = frozenset((b"public", b"s-maxage", b"must-revalidate"))
"""Any of them has a shared cache keep even what a password was asked for."""


def cache_control_of(
    policy: "Policy",
    path: SitePath,
    content_type: bytes,
    tell: Tell | None = None,
    *,
    renamed: bool = False,
) -> Fields:
    """Return Cache-Control of the file at ``path``, or nothing; see `Caching.cache_control`."""
    if policy.caching is None:
        return []
    if path.directory:
        path = SitePath((*path.segments, policy.index[0]), False)
    value = policy.caching.cache_control(path, content_type, tell, renamed=renamed)
    return [] if value is None else [(b"Cache-Control", value)]


def operations_on(
    policy: "Policy",
    path: SitePath,
    content_type: bytes,
    authority: bytes,
    tell: Tell | None = None,
) -> Operations:
    """Return what rules do to the fields of a response about ``path``.

    ``content_type`` is that of the file in it, if there is one.
    """
    rules = policy.field_rules
    if rules is None or (rules.files_only and not content_type):
        return ()
    return rules.apply(path, authority, tell)


def dress(
    policy: "Policy",
    response: Response,
    cache_control: Fields,
    operations: Operations,
    origin: bytes | None,
    *,
    secure: bool,
    tell: Tell | None = None,
) -> Response:
    """Return ``response`` with ``cache_control``, unless it has one; with what all get; by rules.

    ``origin`` is where the page is from that wants to read it.
    """
    fields = response.fields
    if cache_control and not _has(fields, b"cache-control"):
        fields = [*fields, *cache_control]
    if policy.fields or (secure and policy.secure_fields):
        further = [*policy.fields, *(policy.secure_fields if secure else ())]
        fields = [*fields, *(each for each in further if not _has(fields, each[0].lower()))]
        if tell is not None:
            tell(Added("security-headers and hsts", further))
    if policy.cors is not None:
        fields = policy.cors.apply(fields, origin)
        if tell is not None:
            tell(Added("cors", policy.cors.apply([], origin)))
    response.fields = _with_one_vary(merge(fields, operations, response.status))
    return response


def _has(fields: Fields, name: bytes) -> bool:
    """Return whether there is a field called ``name``, in lower case."""
    return any(each.lower() == name for each, _ in fields)


def _without(fields: Fields, name: bytes) -> Fields:
    """Return ``fields`` less those called ``name``, in lower case."""
    return [each for each in fields if each[0].lower() != name]


def varies_by(fields: Fields) -> list[bytes]:
    """Return the names in Vary."""
    said = (value for name, value in fields if name.lower() == b"vary")
    return [name for value in said for name in elements(value)]


def _with_one_vary(fields: Fields) -> Fields:
    """Return ``fields`` with all that Vary says in one line, and each name once."""
    # Whoever adds one here writes it like that.
    if [name for name, _ in fields].count(b"Vary") < 2:
        return fields
    names: dict[bytes, bytes] = {}
    for name in varies_by(fields):
        names.setdefault(name.lower(), name)
    return [*_without(fields, b"vary"), (b"Vary", b", ".join(names.values()))]


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
    return [*_without(fields, b"cache-control"), (b"Cache-Control", b"private, no-cache")]


def _is_for_some_caches(name: bytes) -> bool:
    return name.endswith(b"-cache-control") or name == b"surrogate-control"
