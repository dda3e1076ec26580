"""Whether the conditions that a request sets are met.

Floor: core (pure). RFC 9110 section 13, one function a field, in the order of section 13.2.2.

Each function answers with three states: ``None`` where the field is absent or to be ignored,
else whether its condition holds.
"""

from collections.abc import Mapping

from .fields import matches, parse_entity_tags, parse_http_date
from .reasons import Condition, Tell
from .resource import Form, Representation

__all__ = ["evaluate", "if_range"]


def evaluate(
    fields: Mapping[bytes, bytes], representation: Form, now: float, tell: Tell | None = None
) -> int | None:
    """Return 412 or 304 if a precondition of a GET or HEAD ends it, else ``None``.

    The fifth condition, If-Range, chooses between two successes: see `if_range`.
    """
    name = b"If-Match"
    unchanged = _if_match(fields, representation)
    if unchanged is None:
        name = b"If-Unmodified-Since"
        unchanged = _if_unmodified_since(fields, representation, now)
    if tell is not None and unchanged is not None:
        tell(Condition(name, unchanged))
    if unchanged is False:
        return 412
    name = b"If-None-Match"
    changed = _if_none_match(fields, representation)
    if changed is None:
        name = b"If-Modified-Since"
        changed = _if_modified_since(fields, representation, now)
    if tell is not None and changed is not None:
        tell(Condition(name, changed))
    return 304 if changed is False else None


def _if_match(fields: Mapping[bytes, bytes], representation: Form) -> bool | None:
    """Section 13.1.1: the strong comparison; a weak tag never matches."""
    value = fields.get(b"if-match")
    if value is None:
        return None
    return value == b"*" or any(
        matches(tag, representation.etag, strong=True) for tag in parse_entity_tags(value)
    )


def _if_unmodified_since(
    fields: Mapping[bytes, bytes], representation: Form, now: float
) -> bool | None:
    """Section 13.1.4: ignored if the date is invalid or the representation has none."""
    since = parse_http_date(fields.get(b"if-unmodified-since", b""), now)
    if since is None or representation.last_modified is None:
        return None
    return representation.last_modified <= since


def _if_none_match(fields: Mapping[bytes, bytes], representation: Form) -> bool | None:
    """Section 13.1.2: the weak comparison. Whenever present it silences If-Modified-Since."""
    value = fields.get(b"if-none-match")
    if value is None:
        return None
    return value != b"*" and not any(
        matches(tag, representation.etag, strong=False) for tag in parse_entity_tags(value)
    )


def _if_modified_since(
    fields: Mapping[bytes, bytes], representation: Form, now: float
) -> bool | None:
    """Section 13.1.3: ignored if the date is invalid or the representation has none."""
    since = parse_http_date(fields.get(b"if-modified-since", b""), now)
    if since is None or representation.last_modified is None:
        return None
    return representation.last_modified > since


def if_range(fields: Mapping[bytes, bytes], representation: Representation, now: float) -> bool:
    """Return whether Range may be obeyed (section 13.1.5): no If-Range, or one that matches.

    A tag is compared strongly. A date has to be the very Last-Modified, of a file that is not so
    young that its date says little (section 8.8.2.2).
    """
    value = fields.get(b"if-range")
    if value is None:
        return True
    if value.startswith((b'"', b"W/")):
        return matches(value, representation.etag, strong=True)
    date = parse_http_date(value, now)
    if date is None:
        return False
    return date == representation.last_modified and not representation.etag.startswith(b"W/")
