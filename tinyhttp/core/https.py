"""Where the same thing is to be had over TLS, and how a client is told to ask only there.

Floor: core (pure). RFC 9110 sections 7.2 and 15.4.9 (Host, 308), RFC 9112 section 3.2, RFC 6797
(Strict-Transport-Security).
"""

import re

from .request import Request
from .response import Refused, Response, plain_text

__all__ = ["elsewhere", "https_location", "https_redirect", "strict_transport_security"]

HTTPS = 443
YEAR = 365 * 24 * 3600

# Narrower than RFC 3986, by which "(" and "%0d" may be in a name: what a name in DNS can be, so
# that nothing a client puts there means anything else to whoever reads the answer.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::[0-9]*)?")

_HAS_PORT = re.compile(rb":[0-9]+\Z")

# What RFC 3986 sections 3.3 and 3.4 do not let stand bare in a path or a query. Clients send it.
_TO_ESCAPE = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")


def https_location(request: Request, port: int) -> bytes | None:
    """Return the ``https`` address, at ``port``, of what ``request`` asks for.

    ``None`` if it does not say of which host. The host is the client's own word, which is fine as
    it only ever sends itself there; whoever else it might be sent to by a shared cache is not us:
    the scheme, the port and the form of the name are ours.
    """
    m = _HOST.fullmatch(request.authority)
    if m is None:
        return None
    authority = m[1] if port == HTTPS else b"%s:%d" % (m[1], port)
    if request.path == b"*":  # RFC 9112 section 3.2.4: this is what the empty path stands for
        return b"https://" + authority
    query = b"" if request.query is None else b"?" + request.query
    return b"https://" + authority + _TO_ESCAPE.sub(_escaped, request.path + query)


def https_redirect(request: Request, port: int) -> Response:
    """Return the answer to ``request``, which came without TLS: 308, which keeps the method.

    Raises `Refused` (400) if there is nowhere to send the client.
    """
    location = https_location(request, port)
    if location is None:
        raise Refused(400, "This server speaks HTTPS, and the request does not name a host.")
    return plain_text(308, fields=[(b"Location", location)])


def strict_transport_security(
    max_age: int, *, include_subdomains: bool = False, preload: bool = False
) -> bytes:
    """Return the value of Strict-Transport-Security (RFC 6797 section 6.1), for ``max_age`` s.

    0 has browsers forget it. Raises ``ValueError``, which says what is wrong: for a negative age,
    and for ``preload`` under conditions that the browsers' common list would turn down.
    """
    if max_age < 0:
        raise ValueError("the age can't be negative")
    if preload and not (include_subdomains and max_age >= YEAR):
        raise ValueError(f"preload goes only with subdomains and an age of {YEAR} s at least")
    value = b"max-age=%d" % max_age
    if include_subdomains:
        value += b"; includeSubDomains"
    return value + b"; preload" if preload else value


def _escaped(m: re.Match[bytes]) -> bytes:
    return b"%%%02X" % m[0][0]


def elsewhere(
    request: Request, secure: bool, port: int | None, canonical_host: bytes | None
) -> bytes | None:
    """Return where ``request`` should rather be sent, ``None`` if it is at the right place.

    ``port`` is where TLS is to be had, if it is wanted; ``canonical_host`` is the one name, in
    lower case and perhaps with a port, by which the site wants to be known. Both in one step.
    Raises `Refused` (400) if neither is a name to be sent to.
    """
    moves = port is not None and not secure
    if canonical_host is None:
        if port is None or secure:
            return None
        location = https_location(request, port)
        if location is None:
            raise Refused(400, "This server speaks HTTPS, and the request does not name a host.")
        return location
    scheme = b"https" if secure or moves else b"http"
    if port not in (None, HTTPS) and scheme == b"https" and not _HAS_PORT.search(canonical_host):
        canonical_host += b":%d" % port
    canonical_host = _without_default_port(canonical_host, scheme)
    if not moves and _without_default_port(request.authority.lower(), scheme) == canonical_host:
        return None
    query = b"" if request.query is None else b"?" + request.query
    return scheme + b"://" + canonical_host + _TO_ESCAPE.sub(_escaped, request.path + query)


def _without_default_port(authority: bytes, scheme: bytes) -> bytes:
    """RFC 3986 section 6.2.3, as some clients name it always and others never do."""
    default = b":443" if scheme == b"https" else b":80"
    return authority.removesuffix(default).removesuffix(b":")
