"""What a client sees that gets no file.

Floor: core (pure). The same in three forms, by Accept: a small page for browsers, problem details
(RFC 9457) for programs that ask for JSON, and for everybody else the plain text of `plain_text`.
Nothing of the request is repeated in any of them.
"""

from collections.abc import Sequence
from html import escape
from json import dumps

from .accept import HTML, JSON, PLAIN, PROBLEM, preferred
from .page import COLOURS, HTML_TYPE, document, one_line, policy
from .response import REASONS, Fields, Response, plain_text

__all__ = ["ERROR_POLICY", "ERROR_STYLE", "error_body", "error_response"]

ERROR_STYLE = one_line(
    COLOURS
    + """
body{min-height:100vh;display:grid;place-items:center;padding:1.5rem}
main{max-width:28rem;padding:2.25rem 2.5rem;background:var(--card);border:1px solid var(--line);\
border-radius:14px}
b{font-size:4rem;line-height:1;font-weight:700;letter-spacing:-.04em;color:var(--link)}
h1{margin:.75rem 0 0;font-size:1.35rem;line-height:1.3;font-weight:650}
p{margin:.5rem 0 0;color:var(--soft)}
"""
)

ERROR_POLICY = policy(ERROR_STYLE)

_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_VARY = (b"Vary", b"Accept")

# For people, where the server has nothing more precise to say.
_SENTENCES = {
    301: "This page has moved for good.",
    302: "This page is somewhere else for now.",
    303: "The answer is on another page.",
    307: "This page is somewhere else for now.",
    308: "This page has moved for good.",
    400: "The request could not be understood.",
    401: "This page is not for everybody: it asks for a user and a password.",
    403: "This page exists, but not for everybody to read.",
    404: "There is no page at this address. It may have moved, or there is a slip in the link.",
    405: "That can't be done to this page.",
    406: "There is no form of this page that the browser accepts.",
    408: "The request took too long to arrive.",
    410: "This page is gone, and will not come back.",
    412: "The page has changed meanwhile.",
    413: "The request was too large.",
    414: "The address is too long.",
    416: "The page is shorter than that.",
    417: "The server can't do what was expected of it.",
    421: "This server does not answer for that name.",
    429: "There have been too many requests. Try again in a while.",
    431: "The request had too much in its header fields.",
    500: "Something went wrong on the server. It is not your fault.",
    501: "The server does not know how to do that.",
    503: "The server can't answer just now. Try again in a moment.",
    505: "The server does not speak that version of HTTP.",
}


def error_body(status: int, detail: str, accept: bytes | None) -> tuple[bytes, bytes, Fields]:
    """Return type, body and further fields of a response that has no file to send.

    ``detail`` is a sentence of ours for a person, or empty. Vary is among the fields always: a
    cache may keep a 404 or a 301 without being asked to (RFC 9110 section 15.1).
    """
    if not accept:
        return _plain(status, detail)
    form = _form(accept)
    if form == HTML:
        return HTML_TYPE, _page(status, detail), [_NOSNIFF, _VARY, ERROR_POLICY]
    if form == PROBLEM:
        return PROBLEM, _problem(status, detail), [_NOSNIFF, _VARY]
    return _plain(status, detail)


def _plain(status: int, detail: str) -> tuple[bytes, bytes, Fields]:
    plain = plain_text(status, detail)
    assert isinstance(plain.body, bytes)
    (_, content_type), *fields = plain.fields
    return content_type, plain.body, [*fields, _VARY]


def error_response(
    status: int,
    detail: str = "",
    fields: Sequence[tuple[bytes, bytes]] = (),
    *,
    accept: bytes | None = None,
) -> Response:
    """Return what `plain_text` does, in the form that suits the Accept field ``accept``."""
    content_type, body, further = error_body(status, detail, accept)
    if any(name == b"Vary" for name, _ in fields):
        names = b", ".join(value for name, value in (*further, *fields) if name == b"Vary")
        further = [(b"Vary", names), *(each for each in further if each[0] != b"Vary")]
        fields = [each for each in fields if each[0] != b"Vary"]
    return Response(status, [(b"Content-Type", content_type), *further, *fields], body, len(body))


def _form(accept: bytes | None) -> bytes:
    """Plain text unless another form is asked for by name, or by more than is said of text."""
    form = preferred(accept, (PLAIN, HTML, PROBLEM, JSON))
    return PROBLEM if form == JSON else form


def _page(status: int, detail: str) -> bytes:
    reason = REASONS[status].decode()
    sentence = escape(detail or _SENTENCES.get(status, ""))
    body = f"<main><b>{status}</b><h1>{reason}</h1><p>{sentence}</p></main>"
    return document(f"{status} {reason}", ERROR_STYLE, body)


def _problem(status: int, detail: str) -> bytes:
    """Section 4.2.1: with "about:blank" the status says it all, and its phrase is the title."""
    problem = {"type": "about:blank", "title": REASONS[status].decode(), "status": status}
    if detail:
        problem["detail"] = detail
    return dumps(problem).encode() + b"\n"
