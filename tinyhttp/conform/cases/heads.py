"""HEAD: RFC 9110 section 9.3.2. It says what GET says, and has no body."""

import re

from ..kit import A_TXT, KIT_DATE
from ..model import MAY, SHOULD, Case
from ..writing import case, get, outcome

__all__ = ["CASES"]

LENGTH = outcome(200, fields={"Content-Length": str(len(A_TXT))})
NO_LENGTH = outcome(200, fields={"Content-Length": None})

CASES: tuple[Case, ...] = (
    case(
        "plain",
        "HEAD",
        "9110 9.3.2",
        get("/a.txt", method="HEAD"),
        LENGTH,
        NO_LENGTH,
        note="A length, if there is one, is that of the content of GET.",
    ),
    case(
        "length",
        "HEAD has the length",
        "9110 8.6",
        get("/a.txt", method="HEAD"),
        LENGTH,
        level=SHOULD,
    ),
    case(
        "date",
        "HEAD has the date of the file",
        "9110 9.3.2",
        get("/a.txt", method="HEAD"),
        outcome(200, fields={"Last-Modified": re.compile(KIT_DATE)}),
        level=SHOULD,
        requires=frozenset({"date"}),
    ),
    case("none", "HEAD of nothing", "9110 9.3.2", get("/none", method="HEAD"), outcome(404)),
    case(
        "index", "HEAD of the index", "9110 9.3.2", get("/", method="HEAD"), outcome(200), level=MAY
    ),
    case(
        "directory",
        "HEAD of a directory without its slash",
        "9110 9.3.2",
        get("/sub", method="HEAD"),
        outcome(200, 301, 302, 307, 308, 403, 404),
    ),
    case(
        "not-modified",
        "HEAD with a condition",
        "9110 13.1.2",
        get("/a.txt", "If-None-Match: {{etag}}", method="HEAD"),
        outcome(304),
    ),
    case(
        "bad",
        "HEAD without Host",
        "9112 3.2",
        b"HEAD {{prefix}}/a.txt HTTP/1.1\r\n\r\n",
        outcome(400),
        kit=False,
        note="An error has no body either.",
        level=SHOULD,
    ),
    case(
        "two",
        "HEAD twice",
        "9110 9.3.2",
        get("/a.txt", method="HEAD") + get("/none", method="HEAD"),
        outcome(200),
        also=(outcome(404),),
        bodiless=frozenset({0, 1}),
    ),
)
