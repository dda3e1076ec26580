r"""What this server answers to which octets: the wire as a table.

Most rows are cases that any server can be tested with, from `tinyhttp.conform.cases`, which has
their octets and every answer that the RFCs allow. A `row` says which of these is ours. What holds
for this server alone (its limits, links, files without a time) is a `Case` of its own. How a row is
run (in one piece, octet by octet, three times in a row, as HEAD) is no matter of the table: see
``test_wire``.

Every row is about the same small tree, `write_site`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from tests.support import OLD, get, write_tree
from tinyhttp.conform.cases import find
from tinyhttp.conform.kit import A_TXT, HOME, PAGE, PAGE_BR, PAGE_GZ, PLACE, SECRET, write_kit
from tinyhttp.conform.kit import KIT_DATE as A_DATE
from tinyhttp.conform.model import Await, Target, fill_in

__all__ = ["A_TXT", "CASES", "Case", "write_site"]

A_TAG = '"18d70cef92a40000-1f"'
"""The time of the kit in nanoseconds and 31, both in hexadecimal."""

ALLOWED = "GET, HEAD, OPTIONS"


def write_site(parent: Path) -> Path:
    """Write the tree of the table into ``parent``, next to what must not be served."""
    assert write_kit(parent) == []
    root = parent / PLACE
    write_tree(
        root,
        {
            ".git/config": b"secret",
            "plain.txt": b"a plain file whose sidecar leads out of the root",
        },
    )
    write_tree(parent, {"rootless/b.txt": SECRET})
    (root / "inside-link.txt").symlink_to("a.txt")
    (root / "outside-link.txt").symlink_to("../outside.txt")
    (root / "outside-directory").symlink_to("../rootless")
    (root / "plain.txt.gz").symlink_to("../outside.txt")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    name = os.fsencode(root) + b"/\xff.txt"
    with open(name, "wb") as file:
        file.write(b"not UTF-8")
    os.utime(name, (OLD, OLD))
    zero = root / "reproducible.txt"
    zero.write_bytes(b"built with all times set to zero")
    os.utime(zero, (0, 0))
    return root


@dataclass(frozen=True)
class Case:
    """A request and its answer."""

    name: str
    clause: str
    """Of RFC 9110 ("9110 14.2"), RFC 9112, or the class of attack that the row stands for."""
    request: bytes
    status: int
    stays_open: bool = True
    """Whether another request on the same connection is answered."""
    fields: Mapping[str, str | None] = field(default_factory=dict)
    """Values that fields of the answer must have; ``None``: the field must be absent."""
    body: bytes | None = None
    head_status: int | None = None
    """What HEAD gets, where that is not what GET gets: Range is for GET alone."""
    exact: bool = False
    """Whether the row is about its own length, to the octet: HEAD would be one longer."""

    def __str__(self) -> str:
        return self.name


US = Target(host="localhost", etag=A_TAG, strong=A_TAG, date=A_DATE)
"""What any server is asked about in its own words."""


def row(
    id_: str,
    status: int,
    stays_open: bool = True,
    *,
    fields: Mapping[str, str | None] | None = None,
    body: bytes | None = None,
    head_status: int | None = None,
) -> Case:
    """Return the row of a case that any server can be tested with, and the answer that is ours.

    What would be sent only after an answer is left out: this server does not wait for it.
    """
    case = find(id_)
    at_once = takewhile(lambda part: not isinstance(part, Await), case.octets)
    octets = b"".join(part for part in at_once if isinstance(part, bytes))
    request = fill_in(octets, US)
    return Case(
        case.title, case.clause, request, status, stays_open, fields or {}, body, head_status
    )


def refused(*ids: str) -> list[Case]:
    """Return the rows of cases that get 400 here, and after which nothing is read any more."""
    return [row(id_, 400, False, fields=CLOSE) for id_ in ids]


def chunked(body: bytes, method: str = "GET") -> bytes:
    return get("/a.txt", "Transfer-Encoding: chunked", method=method) + body


def long_head(octets: int) -> bytes:
    """A request for /a.txt whose head is so many octets long, in lines of a sensible length."""
    lines = [b"GET /a.txt HTTP/1.1\r\n", b"Host: localhost\r\n"]
    size = sum(map(len, lines)) + 2
    while size < octets:
        line = b"x: " + b"y" * (min(octets - size, 1000) - 5) + b"\r\n"
        rest = octets - size - len(line)
        if 0 < rest < 5:  # no line is as short as that
            line = line[:-7] + b"\r\n"
        lines.append(line)
        size += len(line)
    return b"".join([*lines, b"\r\n"])


WHOLE = {"Content-Length": "31", "Content-Range": None, "Accept-Ranges": "bytes"}
CLOSE = {"Connection": "close"}

SYNTAX = [
    *refused(
        "line-two-empty-lines-first",
        "line-bare-lf-first",
        "line-bare-cr-first",
        "line-space-first",
        "line-bare-lf-everywhere",
        "line-bare-lf-after-request-line",
        "field-lf-after-field",
        "field-cr-in-value",
        "line-cr-in-target",
        "line-lf-in-target",
        "line-cr-in-method",
        "line-cr-in-version",
        "line-nul-in-target",
        "line-del-in-target",
        "field-nul-in-value",
        "field-vt-in-value",
        "field-space-before-colon",
        "field-tab-before-colon",
        "field-space-before-name",
        "field-empty-name",
        "field-name-no-token",
        "field-name-beyond-ascii",
        "field-line-without-colon",
        "field-folded",
        "field-folded-by-tab",
        "line-no-version",
        "line-http09",
        "line-two-spaces-before",
        "line-two-spaces-behind",
        "line-tab-for-space",
        "line-space-at-end",
        "line-space-in-target",
        "line-target-beyond-ascii",
        "line-fragment",
        "line-lower-case-http",
        "line-version-two-digits",
        "line-version-without-dot",
        "line-tls-on-plain-port",
    ),
    row("line-simplest", 200, fields={"Connection": None}, body=A_TXT),
    row("line-index", 200, body=HOME),
    row("line-empty-line-first", 200, body=A_TXT),
    row("field-tab-in-value", 200, body=A_TXT),
    row("field-beyond-ascii-in-value", 200),
    row("field-empty-value", 200, body=A_TXT),
    row("line-http19", 200, body=A_TXT),
    row("line-http20", 505, False, fields=CLOSE),
    row("line-http09-spelled-out", 505, False),
    row("line-http2-preface", 505, False),
    row("connection-unknown-option", 200, fields={"Connection": None}),
    row("connection-close", 200, False, fields=CLOSE, body=A_TXT),
    row("connection-close-in-list", 200, False, fields=CLOSE),
    row("connection-close-second-line", 200, False, fields=CLOSE),
    row("connection-closer", 200),
    row("http10-plain", 200, False, fields=CLOSE, body=A_TXT),
    row("http10-keep-alive", 200, fields={"Connection": "keep-alive"}, body=A_TXT),
    row("http10-keep-alive-close", 200, False, fields=CLOSE),
]

HOST = [
    *refused(
        "host-none",
        "host-two",
        "host-two-equal",
        "host-and-empty",
        "host-two-empty",
        "host-path",
        "host-user",
        "host-port-of-letters",
        "host-script",
        "host-http10-two",
        "host-absolute-no-host",
        "host-absolute-port-alone",
        "host-absolute-user",
        "host-absolute-ftp",
        "host-absolute-without-host",
        "host-authority",
        "host-no-slash",
        "host-asterisk-get",
    ),
    row("host-empty", 200),
    row("host-port", 200),
    row("host-ipv6", 200),
    row("http10-no-host", 200, False),
    row("host-absolute", 200, body=A_TXT),
    row("host-absolute-https", 200),
    row("host-absolute-no-path", 200, body=HOME),
    row("host-absolute-query", 200, body=HOME),
    row("host-connect", 405, False, fields={"Allow": ALLOWED, "Connection": "close"}),
]

METHODS = [
    *refused(
        "method-no-token",
    ),
    row(
        "method-options-asterisk",
        204,
        fields={"Allow": ALLOWED, "Content-Length": None, "Content-Type": None},
        body=b"",
    ),
    row("method-options-host", 204, body=b""),
    row("method-options", 204, fields={"Allow": ALLOWED}),
    row("method-post", 405, fields={"Allow": ALLOWED}),
    row("method-put", 405, fields={"Allow": ALLOWED}),
    row("method-delete", 405, fields={"Allow": ALLOWED}),
    row("method-patch", 405, fields={"Allow": ALLOWED}),
    row("method-trace", 405, fields={"Allow": ALLOWED}),
    row("method-post-with-body", 405, fields={"Allow": ALLOWED}),
    row("method-unknown", 501),
    row("method-lower-case", 501),
    row("method-any-token", 501),
]

FRAMING = [
    *refused(
        "smuggling-length-plus",
        "smuggling-length-minus",
        "smuggling-length-underscore",
        "smuggling-length-hex",
        "smuggling-length-decimal",
        "smuggling-length-empty",
        "smuggling-length-two-numbers",
        "smuggling-length-list",
        "smuggling-length-semicolon",
        "smuggling-length-superscript",
        "smuggling-length-huge",
        "smuggling-lengths-differ",
        "smuggling-lengths-equal",
        "smuggling-lengths-one-empty",
        "smuggling-length-and-coding",
        "smuggling-coding-and-length",
        "smuggling-coding-in-10",
        "smuggling-coding-nbsp",
        "smuggling-coding-quoted",
        "smuggling-coding-parameter",
        "smuggling-coding-empty-members",
        "smuggling-coding-not-last",
        "smuggling-coding-twice",
        "smuggling-coding-empty",
        "smuggling-coding-comma",
        "smuggling-coding-vt",
        "smuggling-coding-two-lines",
        "smuggling-coding-space-before-colon",
        "smuggling-chunk-plus",
        "smuggling-chunk-minus",
        "smuggling-chunk-hex",
        "smuggling-chunk-space-first",
        "smuggling-chunk-space-behind",
        "smuggling-chunk-underscore",
        "smuggling-chunk-superscript",
        "smuggling-chunk-empty",
        "smuggling-chunk-letter",
        "smuggling-chunk-extension-alone",
        "smuggling-chunk-extension-empty",
        "smuggling-chunk-extension-no-value",
        "smuggling-chunk-extension-open-quote",
        "smuggling-chunk-extension-nul",
        "smuggling-chunk-extension-cr",
        "smuggling-chunk-lf-and-crlf",
        "smuggling-chunk-extension-space",
        "smuggling-chunk-huge",
        "smuggling-chunk-too-long",
        "smuggling-chunk-lf-data",
        "smuggling-chunk-lf-line",
        "field-trailer-no-field",
        "field-trailer-folded",
        "field-endless-extension",
    ),
    row("field-length-zero", 200, body=A_TXT),
    row("field-body-with-get", 200, body=A_TXT),
    row("field-length-leading-zeros", 200, body=A_TXT),
    row("smuggling-coding-gzip", 501, False),
    row("smuggling-coding-gzip-chunked", 501, False),
    row("smuggling-coding-identity", 501, False),
    row("smuggling-coding-xchunked", 501, False),
    row("field-chunked-empty", 200, body=A_TXT),
    row("field-chunks", 200, body=A_TXT),
    row("field-chunked-in-capitals", 200, body=A_TXT),
    row("field-chunks-to-post", 405),
    row("field-chunk-extensions", 200, body=A_TXT),
    row("field-trailers", 200, body=A_TXT),
    Case("last line ended by a bare LF", "T1", chunked(b"0\r\n\n"), 400, False),
    Case(
        "a body beyond the limit",
        "9112 9.3",
        get("/a.txt", "Content-Length: 65537"),
        200,
        False,
        CLOSE,
    ),
    Case(
        "a body as long as the limit",
        "9112 9.3",
        get("/a.txt", "Content-Length: 65536") + b"x" * 65536,
        200,
    ),
    Case("a chunk beyond the limit", "T15", chunked(b"fffffff\r\nx"), 200, False, CLOSE, A_TXT),
    row("expect-body", 405, False, fields=CLOSE),
    row("expect-capitals", 200, False, fields=CLOSE, body=A_TXT),
    row("expect-no-body", 200, body=A_TXT),
    Case(
        "Expect in 1.0 means nothing",
        "9110 10.1.1",
        get("/a.txt", "Expect: x", "Connection: keep-alive", "Content-Length: 1", version="1.0")
        + b"x",
        200,
        body=A_TXT,
    ),
    row("expect-unknown", 417, False, fields=CLOSE),
    row("expect-two", 417, False),
]

LIMITS = [
    row("limit-target-of-20000", 414, False, fields=CLOSE),
    Case("line of 8192", "9112 3", get("/?" + "q" * (8192 - 15)), 200, body=HOME, exact=True),
    Case("line of 8193", "9112 3", get("/?" + "q" * (8193 - 15)), 414, False),
    row("limit-method-of-9000", 414, False, fields=CLOSE),
    Case("head of 32768", "6585 5", long_head(32768), 200, body=A_TXT, exact=True),
    Case("head of 32769", "6585 5", long_head(32769), 431, False, CLOSE),
    row("limit-field-of-100000", 431, False, fields=CLOSE),
    Case("head without end", "T15", get("/")[:-2] + b"x: y\r\n" * 6000, 431, False),
    row("limit-100-fields", 200, body=A_TXT),
    Case("101 fields", "6585 5", get("/a.txt", *["x: y"] * 100), 431, False, CLOSE),
]

RANGES = [
    row(
        "range-first-octet",
        206,
        fields={"Content-Range": "bytes 0-0/31", "Content-Length": "1", "ETag": A_TAG},
        body=b"a",
        head_status=200,
    ),
    *(
        row(
            f"range-{name}",
            206,
            fields={"Content-Range": f"bytes {sent}/31"},
            body=body,
            head_status=200,
        )
        for name, sent, body in (
            ("middle", "5-9", b"fghij"),
            ("empty-member", "5-9", b"fghij"),
            ("space-in-front", "5-9", b"fghij"),
            ("beyond-end", "29-30", b"34"),
            ("huge-end", "29-30", b"34"),
            ("suffix-all", "0-30", A_TXT),
            ("suffix-too-long", "0-30", A_TXT),
            ("everything", "0-30", A_TXT),
            ("upper-case-unit", "0-1", b"ab"),
            ("leading-zeros", "0-1", b"ab"),
        )
    ),
    row("range-open", 206, fields={"Content-Range": "bytes 29-30/31"}, body=b"34", head_status=200),
    row(
        "range-suffix", 206, fields={"Content-Range": "bytes 29-30/31"}, body=b"34", head_status=200
    ),
    row(
        "range-one-left", 206, fields={"Content-Range": "bytes 0-0/31"}, body=b"a", head_status=200
    ),
    *(
        row(
            id_,
            416,
            fields={"Content-Range": "bytes */31", "Accept-Ranges": None},
            head_status=200,
        )
        for id_ in (
            "range-suffix-zero",
            "range-behind-end",
            "range-beyond",
            "range-none-left",
            "range-huge-start",
        )
    ),
    *(
        row(id_, 200, fields=WHOLE, body=A_TXT)
        for id_ in (
            "range-backwards",
            "range-comma",
            "range-nothing",
            "range-unit-alone",
            "range-hyphen",
            "range-negative",
            "range-letters",
            "range-plus-and-underscore",
            "range-plus",
            "range-underscore",
            "range-hex",
            "range-superscript",
            "range-one-bad",
            "range-semicolon",
            "range-no-equals",
            "range-space-before-equals",
            "range-unknown-unit",
            "range-no-unit",
            "range-empty",
            "range-three",
            "range-spaces",
            "range-arabic-digits",
            "range-backwards-first",
            "range-decimal",
            "range-2000-open",
            "range-2000-suffixes",
            "range-overlapping",
            "range-if-range-other",
            "range-if-range-weak",
            "range-if-range-later",
            "range-if-range-earlier",
            "range-if-range-any",
            "range-if-range-nonsense",
        )
    ),
    row(
        "range-one-unsatisfiable",
        206,
        fields={
            "Content-Type": "multipart/byteranges; boundary=ae0d722577c75d46fd8463e7",
            "Content-Range": None,
            "Content-Length": "240",
        },
        body=(
            b"\r\n--ae0d722577c75d46fd8463e7\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Range: bytes 0-1/31\r\n\r\nab\r\n"
            b"--ae0d722577c75d46fd8463e7\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Range: bytes 3-4/31\r\n\r\nde\r\n"
            b"--ae0d722577c75d46fd8463e7--\r\n"
        ),
        head_status=200,
    ),
    row("range-empty-file", 200, body=b""),
    row("range-nothing-there", 404),
    row("range-if-range-tag", 206, body=b"a", head_status=200),
    row("range-if-range-date", 206, body=b"a", head_status=200),
]

CONDITIONS = [
    *(
        row(
            f"conditional-inm-{name}",
            304,
            fields={"ETag": A_TAG, "Last-Modified": A_DATE, "Content-Type": None},
            body=b"",
        )
        for name in ("tag", "weak", "any", "in-list", "in-long-list")
    ),
    row("conditional-inm-other", 200, body=A_TXT),
    row("conditional-inm-two-lines", 304),
    row("conditional-inm-before-ims", 200),
    row("conditional-ims-equal", 304),
    row("conditional-ims-rfc850", 304),
    row("conditional-ims-asctime", 304),
    row("conditional-ims-later", 304),
    row("conditional-ims-earlier", 200),
    row("conditional-ims-other-zone", 200),
    row("conditional-ims-no-such-day", 200),
    row("conditional-ims-nonsense", 200),
    row("conditional-im-tag", 200, body=A_TXT),
    row("conditional-im-any", 200, body=A_TXT),
    row("conditional-im-other", 412),
    row("conditional-im-weak", 412),
    row("conditional-im-nothing", 404),
    row("conditional-ius-earlier", 412),
    row("conditional-ius-equal", 200),
    row("conditional-im-before-inm", 412),
    row("conditional-before-range", 304),
    Case(
        "a file without a meaningful time",
        "9110 8.8.2.1",
        get("/reproducible.txt"),
        200,
        fields={"Last-Modified": None, "ETag": '"60764f5fdeb9f92c1fabc082c209d342"'},
    ),
]

PATHS = [
    row("path-nul", 400),
    row("path-nul-alone", 400),
    row("path-half-escape", 400),
    row("path-no-digits", 400),
    row("path-percent", 400),
    row("path-escaped-percent", 200, body=b"percent"),
    row("path-decoded-once", 200, body=b"percent twenty-five"),
    row("path-escapes", 200, body=A_TXT),
    row("path-space", 200, body=b"space"),
    row("path-plus", 404),
    row("path-utf8", 200, body=b"umlaut"),
    Case("not UTF-8", "T12", get("/%ff.txt"), 200, body=b"not UTF-8"),
    row("path-overlong-dots", 404),
    row("path-name-of-300", 404),
    row("path-path-of-7000", 404),
    row("path-backslash", 200, body=b"backslash"),
    row("path-backslash-separator", 404),
    row("path-escaped-backslashes", 404),
    row("path-escaped-slash", 404),
    row("path-escaped-slash-dots", 404),
    row("path-escaped-first-slash", 404),
    row("path-dots", 200, body=A_TXT),
    row("path-escaped-dots", 200, body=A_TXT),
    row("path-dots-beyond", 200, body=A_TXT),
    row("path-dots-neighbour", 404),
    row("path-dots-sibling", 404),
    row("path-absolute-path", 404),
    row("path-above-root", 404),
    row("path-empty-segments", 200, body=b"sub"),
    row("path-file-slash", 404),
    row("path-file-as-directory", 404),
    *(
        row(f"directory-{name}", 301, fields={"Location": location})
        for name, location in (
            ("slash", "/sub/"),
            ("query", "/sub/?q=1&r"),
            ("query-empty", "/sub/?"),
            ("query-escape", "/sub/?a%20b"),
            ("query-script", "/sub/?%3Cscript%3E%22'%25zz"),
            ("query-line-break", "/sub/?%0d%0aX-Evil:1"),
            ("two-slashes", "/sub/"),
            ("three-slashes", "/sub/"),
            ("four-slashes", "/sub/?q"),
            ("dots-and-slashes", "/sub/"),
            ("host", "/evil.com/"),
            ("host-query", "/evil.com/?q"),
            ("dot-host", "/evil.com/"),
            ("escaped-dot-host", "/evil.com/"),
            ("dots-host", "/evil.com/"),
            ("absolute", "/sub/"),
            ("absolute-host", "/evil.com/"),
            ("script", "/%3Cscript%3Ealert(1)%3C/"),
            ("line-break", "/cr%0D%0AX-Evil:%201/"),
        )
    ),
    row("directory-no-index", 404),
    row("path-none", 404, fields={"Content-Type": "text/plain; charset=utf-8"}),
    row("path-query", 200, body=A_TXT),
    row("path-dotfile", 404),
    Case("in a dot directory", "8615", get("/.git/config"), 404),
    row("path-dotfile-escaped", 404),
    row("path-well-known", 200),
    Case("link within", "T6", get("/inside-link.txt"), 200, body=A_TXT),
    Case("link to the outside", "T6", get("/outside-link.txt"), 404),
    Case("directory link to the outside", "T6", get("/outside-directory/b.txt"), 404),
    Case("directory link to the outside, slash", "T6", get("/outside-directory/"), 404),
    Case("directory link to the outside, no slash", "T6", get("/outside-directory"), 404),
    Case("a link to itself", "T6", get("/loop"), 404),
    Case("FIFO", "9110 15.5.5", get("/fifo"), 404),
    Case("FIFO with a slash", "9110 15.5.5", get("/fifo/"), 404),
    row(
        "path-inert-rpy",
        200,
        fields={"Content-Type": "application/octet-stream"},
        body=b"resource = object()",
    ),
    row("path-inert-cgi", 200, body=b"#!/bin/sh\n"),
    row("path-script", 404),
]

REDIRECTS = [
    row("directory-backslashes", 404, fields={"Location": None}),
    row("directory-escaped-backslash", 404, fields={"Location": None}),
    row("directory-escaped-slash", 404, fields={"Location": None}),
    row("directory-escaped-slash-dots", 404, fields={"Location": None}),
]

CODINGS = [
    *(
        row(
            f"negotiation-{name}",
            200,
            fields={
                "Content-Encoding": coding,
                "Vary": "Accept-Encoding",
                "Content-Type": "text/html; charset=utf-8",
                "Content-Length": str(len(body)),
            },
            body=body,
        )
        for name, coding, body in (
            ("gzip", "gzip", PAGE_GZ),
            ("x-gzip", "gzip", PAGE_GZ),
            ("both", "br", PAGE_BR),
            ("weights", "gzip", PAGE_GZ),
            ("br-refused", "gzip", PAGE_GZ),
            ("gzip-refused", None, PAGE),
            ("gzip-refused-long", None, PAGE),
            ("any", "br", PAGE_BR),
            ("identity-refused", "br", PAGE_BR),
            ("identity", None, PAGE),
            ("empty", None, PAGE),
            ("unknown", None, PAGE),
            ("like-gzip", None, PAGE),
        )
    ),
    row(
        "negotiation-no-field",
        200,
        fields={"Vary": "Accept-Encoding", "Content-Encoding": None},
        body=PAGE,
    ),
    row("negotiation-everything-refused", 406, fields={"Vary": "Accept, Accept-Encoding"}),
    row(
        "negotiation-range",
        206,
        fields={"Content-Encoding": "gzip", "Content-Range": f"bytes 1-4/{len(PAGE_GZ)}"},
        body=PAGE_GZ[1:5],
        head_status=200,
    ),
    Case(
        "a sidecar that leads out of the root",
        "T7",
        get("/plain.txt", "Accept-Encoding: gzip"),
        200,
        fields={"Content-Encoding": None, "Vary": None},
        body=b"a plain file whose sidecar leads out of the root",
    ),
]

CASES = [
    *SYNTAX,
    *HOST,
    *METHODS,
    *FRAMING,
    *LIMITS,
    *RANGES,
    *CONDITIONS,
    *PATHS,
    *REDIRECTS,
    *CODINGS,
]
