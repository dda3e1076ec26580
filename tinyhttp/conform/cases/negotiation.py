"""Content codings: RFC 9110 section 12.5.3. Files have `.gz` and `.br` beside them.

A server need not look at those: the file itself is right for every request but one.
"""

import re

from ..kit import A_TXT, PAGE, PAGE_BR, PAGE_GZ
from ..model import MAY, MUST, SHOULD, Case, Level, Outcome
from ..writing import case, get, outcome, reads

__all__ = ["CASES"]

VARY = re.compile(r"(.*,\s*)?accept-encoding(\s*,.*)?", re.IGNORECASE)
PLAIN = reads(PAGE, Content_Encoding=None)
GZIP = reads(PAGE_GZ, Content_Encoding=re.compile("(x-)?gzip"))
BROTLI = reads(PAGE_BR, Content_Encoding="br")
ON_THE_FLY = outcome(200, fields={"Content-Encoding": re.compile("gzip|deflate")})
"""Compressed by the server itself."""
ON_THE_FLY_BR = outcome(200, fields={"Content-Encoding": "br"})


def asked(name: str, value: str, *right: Outcome, note: str = "", level: Level = MUST) -> Case:
    """Return a case about one Accept-Encoding."""
    return case(
        name,
        f"Accept-Encoding {value!r}",
        "9110 12.5.3",
        get("/page.html", f"Accept-Encoding: {value}"),
        *right,
        note=note,
        level=level,
    )


CASES: tuple[Case, ...] = (
    asked("gzip", "gzip", PLAIN, GZIP, ON_THE_FLY),
    asked("x-gzip", "x-gzip", PLAIN, GZIP, ON_THE_FLY),
    asked("both", "gzip, br", PLAIN, GZIP, BROTLI, ON_THE_FLY, ON_THE_FLY_BR),
    asked("weights", "br;q=0.5, gzip;q=1", PLAIN, GZIP, BROTLI, ON_THE_FLY, ON_THE_FLY_BR),
    asked("br-refused", "br;q=0, gzip", PLAIN, GZIP, ON_THE_FLY, note="Weight 0: not acceptable."),
    asked("gzip-refused", "gzip;q=0", PLAIN, note="Weight 0: not acceptable."),
    asked("gzip-refused-long", "gzip;q=0.000, identity", PLAIN),
    asked("any", "*;q=0.1", PLAIN, GZIP, BROTLI, ON_THE_FLY, ON_THE_FLY_BR),
    asked(
        "identity-refused",
        "identity;q=0, *",
        GZIP,
        BROTLI,
        ON_THE_FLY,
        ON_THE_FLY_BR,
        outcome(406),
        PLAIN,
        level=MAY,
        note="Who has no other form may send this one all the same.",
    ),
    asked("identity", "identity", PLAIN),
    asked("empty", "", PLAIN),
    asked("unknown", "zstd", PLAIN, level=SHOULD),
    asked("like-gzip", "gzippy", PLAIN),
    asked("in-capitals", "GZIP", PLAIN, GZIP, ON_THE_FLY),
    case(
        "no-field",
        "no Accept-Encoding",
        "9110 12.5.3",
        get("/page.html"),
        PLAIN,
        GZIP,
        BROTLI,
        ON_THE_FLY,
        ON_THE_FLY_BR,
        note="Any coding is acceptable then.",
    ),
    case(
        "everything-refused",
        "everything ruled out",
        "9110 12.5.3",
        get("/page.html", "Accept-Encoding: *;q=0"),
        PLAIN,
        outcome(406),
        level=SHOULD,
    ),
    case(
        "range",
        "a range counts in the coded form",
        "9110 14.2",
        get("/page.html", "Accept-Encoding: gzip", "Range: bytes=1-4"),
        outcome(
            206,
            body=PAGE_GZ[1:5],
            fields={"Content-Encoding": "gzip", "Content-Range": f"bytes 1-4/{len(PAGE_GZ)}"},
        ),
        outcome(
            206,
            body=PAGE[1:5],
            fields={"Content-Encoding": None, "Content-Range": f"bytes 1-4/{len(PAGE)}"},
        ),
        PLAIN,
        GZIP,
        ON_THE_FLY,
    ),
    case(
        "file-without-forms",
        "a file without other forms",
        "9110 8.4",
        get("/a.txt", "Accept-Encoding: gzip, br, zstd"),
        reads(A_TXT, Content_Encoding=None),
        ON_THE_FLY,
        ON_THE_FLY_BR,
    ),
    case(
        "type",
        "the type is that of the page",
        "9110 8.4",
        get("/page.html", "Accept-Encoding: gzip, br"),
        outcome(200, fields={"Content-Type": re.compile("text/html(;.*)?")}),
    ),
    case(
        "sidecars",
        "forms beside the file are used",
        "9110 12.5.3",
        get("/page.html", "Accept-Encoding: gzip"),
        GZIP,
        level=MAY,
    ),
    case(
        "vary",
        "Vary on a coded form",
        "9110 12.5.5",
        get("/page.html", "Accept-Encoding: gzip"),
        outcome(200, fields={"Content-Encoding": None}),
        outcome(200, fields={"Vary": VARY}),
        level=SHOULD,
        note="Else a cache gives it to those who can't read it.",
    ),
    case(
        "vary-on-plain",
        "Vary on the plain form too",
        "9110 12.5.5",
        get("/page.html", "Accept-Encoding: identity"),
        outcome(200, fields={"Vary": VARY}),
        level=MAY,
        note="Should be there if another request could get another form.",
    ),
)
