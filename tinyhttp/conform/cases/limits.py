"""Limits: RFC 9110 section 2.3 asks for some; how high they are is a choice."""

from ..kit import A_TXT
from ..model import MAY, SECURITY, SHOULD, Case
from ..writing import case, get, head, outcome, reads, refused

__all__ = ["CASES"]

TOO_LONG = (400, 404, 413, 414, 431)
HIGHER = "Or it is taken, by a server with higher limits."
SILENT = "Also closed without a word: the section asks for a status."

CASES: tuple[Case, ...] = (
    case(
        "target-of-8000",
        "a target of 8000 octets",
        "9112 3",
        get("/a.txt?" + "q" * 7950),
        reads(A_TXT),
        level=SHOULD,
        note="Request lines of 8000 octets at the least.",
    ),
    case(
        "target-of-20000",
        "20 kB target",
        "9110 15.5.15",
        get("/" + "a" * 20_000),
        outcome(*TOO_LONG),
        level=SHOULD,
        kit=False,
        note=SILENT,
    ),
    case(
        "field-of-100000",
        "one huge field",
        "6585 5",
        get("/a.txt", "x: " + "y" * 100_000),
        outcome(*TOO_LONG),
        reads(A_TXT),
        level=SHOULD,
        kit=False,
        note=HIGHER,
    ),
    case(
        "field-of-4000",
        "a field of 4000 octets",
        "9110 5.4",
        get("/a.txt", "x: " + "y" * 4000),
        reads(A_TXT),
        level=SHOULD,
        note="Cookies alone are as long as that.",
    ),
    case(
        "100-fields",
        "100 fields",
        "6585 5",
        get("/a.txt", *["x: y"] * 99),
        reads(A_TXT),
        outcome(*TOO_LONG),
        level=MAY,
    ),
    case(
        "10000-fields",
        "10000 fields",
        "6585 5",
        get("/a.txt", *["x: y"] * 10_000),
        outcome(*TOO_LONG, 0),
        reads(A_TXT),
        level=SECURITY,
        kit=False,
        note=HIGHER,
    ),
    case(
        "method-of-9000",
        "line without end",
        "9112 3",
        b"A" * 9000 + b" / HTTP/1.1\r\n\r\n",
        refused(),
        level=SHOULD,
        kit=False,
    ),
    case(
        "length-beyond",
        "a body beyond all limits",
        "9110 8.6",
        get("/a.txt", f"Content-Length: {2**64 + 1}") + b"x",
        refused(closes=True),
        reads(A_TXT, closes=True),
        outcome(200, 0, waits=True),
        level=SECURITY,
        note="A number that overflows is no small one.",
    ),
    case(
        "version-long",
        "a long version",
        "9112 2.3",
        head("GET {{prefix}}/ HTTP/1.1" + "1" * 4000, "Host: {{host}}"),
        refused(),
        level=SHOULD,
        kit=False,
    ),
)
