"""Ranges: RFC 9110 section 14. A server may always send the whole instead; but nothing wrong."""

import re

from ..kit import A_TXT
from ..model import MAY, SECURITY, SHOULD, Case, Outcome
from ..writing import case, get, outcome, reads

__all__ = ["CASES"]

WHOLE = reads(A_TXT, Content_Range=None)
IGNORED = "A server may ignore any Range."
MULTIPART = re.compile(r"multipart/byteranges; *boundary=.+", re.IGNORECASE)


def a_range(value: str, *fields: str) -> bytes:
    """Return a request for a part of /a.txt."""
    return get("/a.txt", f"Range: {value}", *fields)


def part(span: str, body: bytes) -> Outcome:
    """Return the outcome of one part."""
    return outcome(206, body=body, fields={"Content-Range": f"bytes {span}/31"})


UNSATISFIABLE = outcome(416, fields={"Content-Range": "bytes */31"})
BARE_416 = outcome(416)
SEVERAL = outcome(206, fields={"Content-Type": MULTIPART, "Content-Range": None})

CASES: tuple[Case, ...] = (
    *(
        case(
            name,
            title,
            "9110 14.1.2",
            a_range(value),
            part(span, body),
            WHOLE,
            note=IGNORED,
        )
        for name, title, value, span, body in (
            ("first-octet", "first octet", "bytes=0-0", "0-0", b"a"),
            ("middle", "Range bytes=5-9", "bytes=5-9", "5-9", b"fghij"),
            ("open", "Range bytes=29-", "bytes=29-", "29-30", b"34"),
            ("beyond-end", "Range bytes=29-1000", "bytes=29-1000", "29-30", b"34"),
            ("suffix", "Range bytes=-2", "bytes=-2", "29-30", b"34"),
            ("suffix-all", "Range bytes=-31", "bytes=-31", "0-30", A_TXT),
            ("suffix-too-long", "Range bytes=-1000", "bytes=-1000", "0-30", A_TXT),
            ("everything", "Range bytes=0-", "bytes=0-", "0-30", A_TXT),
            ("upper-case-unit", "Range BYTES=0-1", "BYTES=0-1", "0-1", b"ab"),
            ("last-octet", "Range bytes=30-30", "bytes=30-30", "30-30", b"4"),
        )
    ),
    case(
        "huge-end",
        "Range bytes=29-" + "9" * 25,
        "9110 14.1.2",
        a_range("bytes=29-" + "9" * 400),
        part("29-30", b"34"),
        WHOLE,
        outcome(400, 416),
        level=SHOULD,
    ),
    case(
        "leading-zeros",
        "Range bytes=00-01",
        "9110 14.1.1",
        a_range("bytes=00-01"),
        part("0-1", b"ab"),
        WHOLE,
    ),
    case(
        "empty-member",
        "Range bytes=5-9,",
        "9110 5.6.1.2",
        a_range("bytes=5-9,"),
        part("5-9", b"fghij"),
        WHOLE,
        BARE_416,
        outcome(400),
        level=SHOULD,
    ),
    case(
        "space-in-front",
        "Range bytes= 5-9",
        "9110 14.1.1",
        a_range("bytes= 5-9"),
        part("5-9", b"fghij"),
        WHOLE,
        BARE_416,
        outcome(400),
        level=SHOULD,
    ),
    case(
        "one-left",
        "Range bytes=0-0,31-",
        "9110 14.1.2",
        a_range("bytes=0-0,31-"),
        part("0-0", b"a"),
        SEVERAL,
        WHOLE,
        note="The set is satisfiable if one range is.",
        level=SHOULD,
    ),
    *(
        case(
            name,
            f"Range {value[:40]} is not satisfiable",
            "9110 15.5.17",
            a_range(value),
            UNSATISFIABLE,
            WHOLE,
            level=SHOULD,
            note=IGNORED,
        )
        for name, value in (
            ("suffix-zero", "bytes=-0"),
            ("behind-end", "bytes=31-"),
            ("beyond", "bytes=31-40"),
            ("none-left", "bytes=1000-,-0"),
        )
    ),
    case(
        "huge-start",
        "Range bytes=" + "9" * 34 + " is not satisfiable",
        "9110 15.5.17",
        a_range("bytes=" + "9" * 400 + "-"),
        BARE_416,
        WHOLE,
        outcome(400),
        level=SHOULD,
    ),
    *(
        case(
            name,
            f"Range {value!r} is ignored",
            "9110 14.2",
            a_range(value),
            WHOLE,
            BARE_416,
            outcome(400),
            level=SHOULD,
            note="To be ignored or refused.",
        )
        for name, value in (
            ("backwards", "bytes=5-2"),
            ("comma", "bytes=,"),
            ("nothing", "bytes="),
            ("unit-alone", "bytes"),
            ("hyphen", "bytes=-"),
            ("negative", "bytes=--1"),
            ("letters", "bytes=a-b"),
            ("hex", "bytes=0x1-2"),
            ("superscript", "bytes=\xb2-3"),
            ("one-bad", "bytes=0-1,x"),
            ("semicolon", "bytes=0-1;2-3"),
            ("no-equals", "bytes 0-1"),
            ("no-unit", "=0-1"),
            ("empty", ""),
            ("three", "bytes=0-1-2"),
            ("arabic-digits", "bytes=\xd9\xa1-\xd9\xa2"),
            ("backwards-first", "bytes=5-2,0-1"),
            ("decimal", "bytes=0.0-1"),
        )
    ),
    *(
        case(
            name,
            f"Range {value!r} is ignored",
            "9110 14.1.1",
            a_range(value),
            WHOLE,
            BARE_416,
            outcome(400),
            level=SHOULD,
            note="No digits, to be ignored or refused: others would read another range.",
        )
        for name, value in (
            ("plus-and-underscore", "bytes=+1-1_0"),
            ("plus", "bytes=1-+2"),
            ("underscore", "bytes=1_0-11"),
        )
    ),
    *(
        case(
            name,
            f"Range {value!r} is ignored",
            "9110 14.1.1",
            a_range(value),
            WHOLE,
            BARE_416,
            outcome(400),
            outcome(206),
            level=MAY,
            note="White space: some forgive it.",
        )
        for name, value in (("space-before-equals", "bytes =0-1"), ("spaces", "bytes=1 - 2"))
    ),
    case("unknown-unit", "Range 'items=0-1' is ignored", "9110 14.2", a_range("items=0-1"), WHOLE),
    case(
        "several",
        "several ranges",
        "9110 14.6",
        a_range("bytes=0-1,5-6"),
        SEVERAL,
        WHOLE,
        part("0-1", b"ab"),
        part("0-6", A_TXT[:7]),
        note="The first alone, or the whole, is right as well.",
        level=SHOULD,
    ),
    case(
        "one-unsatisfiable",
        "one of several is not satisfiable",
        "9110 14.1.2",
        a_range("bytes=0-1,40-50,3-4"),
        SEVERAL,
        WHOLE,
        part("0-1", b"ab"),
        part("0-4", A_TXT[:5]),
        level=SHOULD,
    ),
    *(
        case(
            name,
            title,
            "9110 14.2",
            a_range(value),
            WHOLE,
            SEVERAL,
            outcome(206),
            BARE_416,
            outcome(400, 431),
            level=SECURITY,
            note="Small parts without number cost more than the whole: an attack.",
        )
        for name, title, value in (
            ("2000-open", "2000 open ranges", "bytes=" + ",".join(["0-"] * 2000)),
            ("2000-suffixes", "2000 suffixes", "bytes=" + ",".join(["-1"] * 2000)),
            ("overlapping", "overlapping ranges", "bytes=0-29,1-30"),
        )
    ),
    case(
        "empty-file",
        "Range of an empty file",
        "9110 14.1.2",
        get("/empty.txt", "Range: bytes=0-"),
        outcome(200, body=b""),
        BARE_416,
    ),
    case(
        "nothing-there",
        "Range of nothing",
        "9110 14.2",
        get("/none", "Range: bytes=0-1"),
        outcome(404),
    ),
    case(
        "two-fields",
        "Range in two lines",
        "9110 5.3",
        a_range("bytes=0-1", "Range: bytes=5-6"),
        WHOLE,
        SEVERAL,
        part("0-1", b"ab"),
        part("5-6", b"fg"),
        outcome(400),
        BARE_416,
        level=MAY,
    ),
    case(
        "head",
        "Range of HEAD",
        "9110 14.2",
        get("/a.txt", "Range: bytes=0-1", method="HEAD"),
        outcome(200, fields={"Content-Range": None}),
        note="Range is for GET alone.",
    ),
    case(
        "if-range-tag",
        "If-Range with the tag",
        "9110 13.1.5",
        a_range("bytes=0-0", "If-Range: {{etag}}"),
        part("0-0", b"a"),
        WHOLE,
    ),
    case(
        "if-range-date",
        "If-Range with the date",
        "9110 13.1.5",
        a_range("bytes=0-0", "If-Range: {{date}}"),
        part("0-0", b"a"),
        WHOLE,
    ),
    *(
        case(
            f"if-range-{name}",
            f"If-Range {title}",
            "9110 13.1.5",
            a_range("bytes=0-0", f"If-Range: {value}"),
            WHOLE,
        )
        for name, title, value in (
            ("other", '"other"', '"other"'),
            ("weak", "W/tag", "W/{{etag}}"),
            ("later", "Sun, 20 Sep 2026 14:13:21 GMT", "Sun, 20 Sep 2026 14:13:21 GMT"),
            ("earlier", "Sun, 20 Sep 2026 14:13:19 GMT", "Sun, 20 Sep 2026 14:13:19 GMT"),
        )
    ),
    *(
        case(
            f"if-range-{name}",
            f"If-Range {value}",
            "9110 13.1.5",
            a_range("bytes=0-0", f"If-Range: {value}"),
            WHOLE,
            outcome(400),
            level=SHOULD,
        )
        for name, value in (("any", "*"), ("nonsense", "nonsense"))
    ),
    case(
        "accept-ranges",
        "files have Accept-Ranges",
        "9110 14.3",
        get("/a.txt"),
        reads(A_TXT, Accept_Ranges=re.compile("bytes", re.IGNORECASE)),
        level=MAY,
    ),
)
