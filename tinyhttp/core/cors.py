"""Which pages of other sites may read what is served here.

Floor: core (pure). The Fetch standard, section "HTTP extensions" (CORS protocol). What this permits
is reading by scripts; everything is public to everybody else anyway, so nothing here protects.
"""

import re
from dataclasses import dataclass

from .fields import TOKEN
from .request import Request
from .response import Fields, Response

__all__ = ["Cors", "parse_origin"]

MAX_AGE = 7200
"""Seconds for which a browser may remember a permission; none of them takes more."""

# RFC 6454 section 6.2: scheme, host and perhaps a port. "null" is what sandboxes send.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._\-]+)(?::[0-9]{1,5})?")
_NAMES = re.compile(rb"[ \t]*" + TOKEN + rb"[ \t]*(?:,[ \t]*" + TOKEN + rb"[ \t]*)*")
_LONGEST = 1024

_EXPOSED = (
    b"Access-Control-Expose-Headers",
    b"Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag",
)
_VARY = (b"Vary", b"Origin")


def parse_origin(text: str) -> bytes:
    """Return the origin that ``text`` names, ``*`` for all; raises ``ValueError``."""
    lower = text.lower()
    if lower not in ("*", "null") and not _ORIGIN.fullmatch(lower):
        raise ValueError("an origin such as https://example.org is wanted, or * for all")
    return lower.encode()


@dataclass(slots=True, frozen=True)
class Cors:
    """Pages of ``origins`` may read what is served; ``*`` among them: those of all sites."""

    origins: frozenset[bytes]

    def apply(self, fields: Fields, origin: bytes | None) -> Fields:
        """Return the fields of a response with those that permit ``origin`` to read it."""
        if b"*" in self.origins:
            return [*fields, (b"Access-Control-Allow-Origin", b"*"), _EXPOSED]
        if origin is None or origin.lower() not in self.origins:
            return [*fields, _VARY]  # for others it would be another one
        return [*fields, _VARY, (b"Access-Control-Allow-Origin", origin), _EXPOSED]

    def preflight(self, request: Request) -> Response | None:
        """Return the answer to a browser that asks whether it may ask; ``None`` if it does not."""
        fields = request.fields
        origin, method = fields.get(b"origin"), fields.get(b"access-control-request-method")
        if request.method != b"OPTIONS" or origin is None or method is None:
            return None
        allowed: Fields = [(b"Allow", b"GET, HEAD, OPTIONS")]
        allowed = [each for each in self.apply(allowed, origin) if each != _EXPOSED]
        if any(name == b"Access-Control-Allow-Origin" for name, _ in allowed):
            allowed.append((b"Access-Control-Allow-Methods", b"GET, HEAD"))
            names = fields.get(b"access-control-request-headers")
            if names and len(names) <= _LONGEST and _NAMES.fullmatch(names):
                allowed.append((b"Access-Control-Allow-Headers", names))
            allowed.append((b"Access-Control-Max-Age", b"%d" % MAX_AGE))
        return Response(204, allowed, length=None)
