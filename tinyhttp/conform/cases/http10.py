"""HTTP/1.0: RFC 9112 section 9.3, RFC 9110 section 2.5."""

import re

from ..kit import A_TXT
from ..model import SHOULD, Case
from ..writing import case, get, head, outcome, reads

__all__ = ["CASES"]

KEPT = re.compile(r"(.*,\s*)?keep-alive(\s*,.*)?", re.IGNORECASE)

CASES: tuple[Case, ...] = (
    case("plain", "HTTP/1.0", "9112 9.3", get("/a.txt", version="1.0"), reads(A_TXT, closes=True)),
    case(
        "no-host",
        "1.0 without Host",
        "9112 3.2",
        head("GET {{prefix}}/a.txt HTTP/1.0"),
        reads(A_TXT),
        outcome(400, 404, 421),
        level=SHOULD,
    ),
    case(
        "not-chunked",
        "no chunks for 1.0",
        "9112 6.1",
        get("/a.txt", version="1.0"),
        outcome(200, fields={"Transfer-Encoding": None}),
        note="It would not know them.",
    ),
    case(
        "keep-alive",
        "HTTP/1.0 with keep-alive",
        "9112 9.3",
        get("/a.txt", "Connection: Keep-Alive", version="1.0"),
        reads(A_TXT, closes=False, Connection=KEPT),
        reads(A_TXT, closes=True),
        note="May be kept, but then it is said.",
    ),
    case(
        "keep-alive-close",
        "HTTP/1.0 with keep-alive and close",
        "9112 9.3",
        get("/a.txt", "Connection: keep-alive, close", version="1.0"),
        reads(A_TXT, closes=True),
    ),
    case(
        "expect",
        "Expect in 1.0",
        "9110 10.1.1",
        get("/a.txt", "Expect: 100-continue", "Content-Length: 1", version="1.0") + b"x",
        outcome(200, 400, 413, 405),
        note="An interim response would not be understood.",
    ),
)
