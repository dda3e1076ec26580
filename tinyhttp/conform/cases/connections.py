"""Connections and pipelining: RFC 9112 section 9."""

import re

from ..kit import A_TXT, PAGE
from ..model import SECURITY, SHOULD, Case, Pause
from ..writing import case, chunked, get, outcome, reads, refused

__all__ = ["CASES"]

PLAIN = "Accept-Encoding: identity"
CLOSE = re.compile(r"(.*,\s*)?close(\s*,.*)?", re.IGNORECASE)
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
NOT_FOUND = outcome(404)

CASES: tuple[Case, ...] = (
    case(
        "persistent",
        "connections of 1.1 persist",
        "9112 9.3",
        get("/a.txt"),
        reads(A_TXT, closes=False),
        level=SHOULD,
    ),
    case(
        "unknown-option",
        "persistence is the default of 1.1",
        "9112 9.3",
        get("/a.txt", "Connection: x"),
        reads(A_TXT, closes=False),
        level=SHOULD,
    ),
    case(
        "close", "close", "9112 9.6", get("/a.txt", "Connection: close"), reads(A_TXT, closes=True)
    ),
    case(
        "close-said",
        "close is said",
        "9112 9.6",
        get("/a.txt", "Connection: close"),
        reads(A_TXT, closes=True, Connection=CLOSE),
        level=SHOULD,
    ),
    case(
        "close-in-list",
        "close in a list",
        "9112 9.6",
        get("/a.txt", "Connection: x ,, CLOSE"),
        reads(A_TXT, closes=True),
    ),
    case(
        "close-second-line",
        "close in a second line",
        "9110 5.3",
        get("/a.txt", "Connection: keep-alive", "Connection: close"),
        reads(A_TXT, closes=True),
    ),
    case(
        "closer",
        "closer is not close",
        "9110 7.6.1",
        get("/a.txt", "Connection: closer"),
        reads(A_TXT, closes=False),
        level=SHOULD,
    ),
    case(
        "after-404",
        "persists after 404",
        "9112 9.3",
        get("/none"),
        outcome(404, closes=False),
        level=SHOULD,
    ),
    case(
        "pipelined",
        "two requests at once",
        "9112 9.3.2",
        get("/a.txt") + get("/page.html", PLAIN),
        reads(A_TXT),
        also=(reads(PAGE),),
        note="Responses come in the order of the requests.",
    ),
    case(
        "pipelined-mixed",
        "four requests at once",
        "9112 9.3.2",
        get("/page.html", PLAIN) + get("/none") + get("/a.txt", method="HEAD") + get("/a%20b.txt"),
        reads(PAGE),
        also=(NOT_FOUND, outcome(200), reads(b"space")),
        bodiless=frozenset({2}),
    ),
    case(
        "pipelined-20",
        "twenty requests at once",
        "9112 9.3.2",
        (get("/a.txt") + get("/page.html", PLAIN)) * 10,
        reads(A_TXT),
        also=(reads(PAGE), *(reads(A_TXT), reads(PAGE)) * 9),
    ),
    case(
        "pipelined-close",
        "nothing behind close",
        "9112 9.6",
        get("/a.txt", "Connection: close") + get("/page.html", PLAIN),
        reads(A_TXT, closes=True),
        outcome(400, closes=True),
        note="The second is not answered; a client that sends it may be refused.",
    ),
    case(
        "pipelined-behind-body",
        "a request behind a body",
        "9112 9.3",
        get("/a.txt", "Content-Length: 5") + b"GET /" + get("/page.html", PLAIN),
        reads(A_TXT),
        also=(reads(PAGE),),
        level=SECURITY,
    ),
    case(
        "pipelined-behind-chunks",
        "a request behind chunks",
        "9112 9.3",
        chunked(b"5\r\nGET /\r\n0\r\n\r\n") + get("/page.html", PLAIN),
        reads(A_TXT),
        also=(reads(PAGE),),
        level=SECURITY,
    ),
    case(
        "octet-by-octet",
        "a request in pieces",
        "9112 2.2",
        (
            b"GET {{prefix}}/a.t",
            Pause(0.05),
            b"xt HTTP/1.1\r",
            Pause(0.05),
            b"\nHost: {{host}}\r\n",
            Pause(0.05),
            b"\r",
            Pause(0.05),
            b"\n",
        ),
        reads(A_TXT),
    ),
    case(
        "second-in-pieces",
        "one and a half, and the rest",
        "9112 9.3.2",
        (
            get("/a.txt") + b"GET {{prefix}}/page.html HT",
            Pause(0.1),
            b"TP/1.1\r\nHost: {{host}}\r\nAccept-Encoding: identity\r\n\r\n",
        ),
        reads(A_TXT),
        also=(reads(PAGE),),
    ),
    case(
        "body-later",
        "a body that comes later",
        "9112 6.3",
        (get("/a.txt", "Content-Length: 5"), Pause(0.1), b"hello"),
        reads(A_TXT),
        refused(),
        level=SECURITY,
    ),
    case(
        "date",
        "responses have a Date",
        "9110 6.6.1",
        get("/a.txt"),
        outcome(200, fields={"Date": DATE}),
    ),
    case(
        "date-404",
        "404 has a Date",
        "9110 6.6.1",
        get("/none"),
        outcome(404, fields={"Date": DATE}),
    ),
    case(
        "length-of-404",
        "404 has an end",
        "9112 6.3",
        get("/none"),
        outcome(404, fields={"Content-Length": re.compile(r"\d+")}),
        outcome(404, fields={"Transfer-Encoding": re.compile("chunked", re.IGNORECASE)}),
        level=SHOULD,
        note="Else only closing ends it.",
    ),
)
