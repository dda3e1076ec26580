"""A response: what it is, and how its head is written.

Floor: core (pure). RFC 9110 section 15 (status codes), RFC 9112 sections 4 and 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .resource import Span

__all__ = ["REASONS", "Body", "Fields", "Refused", "Response", "plain_text", "render_head"]

Fields: TypeAlias = list[tuple[bytes, bytes]]

Body: TypeAlias = bytes | Sequence[bytes | Span]
"""Octets in memory, or pieces in the order in which they are sent."""

# Our own table: the standard library's phrases change from one Python to the next.
REASONS = {
    200: b"OK",
    204: b"No Content",
    206: b"Partial Content",
    301: b"Moved Permanently",
    302: b"Found",
    303: b"See Other",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
    408: b"Request Timeout",
    410: b"Gone",
    412: b"Precondition Failed",
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}

_STATUS_LINES = {
    status: b"HTTP/1.1 %d %s\r\nServer: tinyhttp\r\nDate: " % (status, reason)
    for status, reason in REASONS.items()
}


@dataclass(slots=True)
class Response:
    """An answer that knows nothing of the connection it goes out on."""

    status: int
    fields: Fields
    """All but Server, Date, Content-Length and Connection, which `render_head` adds."""
    body: Body = b""
    length: int | None = 0
    """Content-Length in octets; ``None`` where none may be sent (204, 304)."""
    content_type: bytes = b""
    """That of the file it is about, be it one that says why there is no other; also where the
    fields do not say it, as in a 304. Empty: it is about none."""
    is_logged: bool = True
    """Whether the access log hears of it. What it does not hear of is not remembered either."""


class Refused(Exception):  # noqa: N818 (it is an answer, not a failure of ours)
    """A response in the form of an exception: the caller can only give up.

    ``status`` is the status code; ``detail`` is a sentence for a person, ours and not the
    client's; ``fields`` are further fields of the response.
    """

    def __init__(self, status: int, detail: str, fields: Sequence[tuple[bytes, bytes]] = ()):
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.fields = fields

    def response(self) -> Response:
        """Return the response that this exception stands for."""
        return plain_text(self.status, self.detail, self.fields)


def plain_text(
    status: int, detail: str = "", fields: Sequence[tuple[bytes, bytes]] = ()
) -> Response:
    """Return a response with ``fields`` and a short body for people."""
    body = b"%d %s\n" % (status, REASONS[status])
    if detail:
        body += detail.encode() + b"\n"
    head = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"X-Content-Type-Options", b"nosniff"),
        *fields,
    ]
    return Response(status, head, body, len(body))


def render_head(response: Response, connection: bytes = b"") -> tuple[bytes, bytes]:
    """Return the octets of a response head in two halves, between which the date belongs.

    The second goes up to and including the empty line. ``connection`` is the value of Connection,
    which is left out if empty.
    """
    lines = [b"\r\n"]
    for name, value in response.fields:
        lines += (name, b": ", value, b"\r\n")
    if response.length is not None:
        lines.append(b"Content-Length: %d\r\n" % response.length)
    if connection:
        lines.append(b"Connection: %s\r\n" % connection)
    lines.append(b"\r\n")
    return _STATUS_LINES[response.status], b"".join(lines)
