r"""What is answered to which octets: the wire as a table.

Each row is one request, right or wrong, and the one answer to it. Rows hold what other servers
are known to get wrong, and the classes of attack that have an advisory against some server. How
a row is run (in one piece, octet by octet, three times in a row, as HEAD) is no matter of the
table: see ``test_wire``.

Every row is about the same small tree, `write_site`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import OLD, get, write_tree

A_TXT = b"abcdefghijklmnopqrstuvwxyz01234"
"""31 octets, each of which tells its own place."""
HOME = b"<h1>Home</h1>\n"
PAGE = b"<p>A page that has precompressed forms beside it.</p>\n"
PAGE_GZ = b"(gzip, as far as anyone can tell)"
PAGE_BR = b"(brotli, even smaller)"

A_TAG = '"18d70cef92a40000-1f"'
"""OLD in nanoseconds and 31, both in hexadecimal."""
A_DATE = "Sun, 20 Sep 2026 14:13:20 GMT"
"""OLD, a day before the fake clock starts."""

ALLOWED = "GET, HEAD, OPTIONS"


def write_site(parent: Path) -> Path:
    """Write the tree of the table into ``parent``, next to what must not be served."""
    root = parent / "root"
    files: dict[str, bytes | str] = {
        "index.html": HOME,
        "a.txt": A_TXT,
        "empty.txt": b"",
        "unknown.xyzzy": b"?",
        "page.html": PAGE,
        "page.html.gz": PAGE_GZ,
        "page.html.br": PAGE_BR,
        "sub/index.html": b"sub",
        "bare/x.txt": b"x",
        ".secret": b"secret",
        ".git/config": b"secret",
        ".well-known/security.txt": b"Contact: mailto:security@example.com\n",
        "a b.txt": b"space",
        "50%.txt": b"percent",
        "50%25.txt": b"percent twenty-five",
        "\u00fc.txt": b"umlaut",
        "back\\slash.txt": b"backslash",
        "evil.com/index.html": b"a directory called like a host",
        "<script>alert(1)</index.html": b"a directory called like a script",
        "cr\r\nX-Evil: 1/index.html": b"a directory called like two header lines",
        # Names that another server would run.
        "run.rpy": b"resource = object()",
        "run.cgi": b"#!/bin/sh\n",
        "plain.txt": b"a plain file whose sidecar leads out of the root",
    }
    write_tree(root, files)
    write_tree(parent, {"outside.txt": b"secret", "rootless/b.txt": b"secret"})
    (parent / "root2").mkdir()
    write_tree(parent / "root2", {"c.txt": b"secret"})  # a sibling that begins like the root
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


def a_range(value: str, *fields: str) -> bytes:
    return get("/a.txt", f"Range: {value}", *fields)


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


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
    Case("simplest", "9112 2.1", get("/a.txt"), 200, body=A_TXT, fields={"Connection": None}),
    Case("index", "9112 3.2.1", get("/"), 200, body=HOME),
    Case("an empty line first is forgiven", "9112 2.2", b"\r\n" + get("/a.txt"), 200, body=A_TXT),
    Case("two empty lines first", "9112 2.2", b"\r\n\r\n" + get("/a.txt"), 400, False),
    Case("bare LF first", "9112 2.2", b"\n" + get("/a.txt"), 400, False),
    Case("CR and another octet first", "9112 2.2", b"\rGET / HTTP/1.1\r\n\r\n", 400, False),
    Case("space first", "9112 2.2", b" " + get("/a.txt"), 400, False),
    Case("bare LF everywhere", "9112 2.2", b"GET / HTTP/1.1\nHost: x\n\n", 400, False, CLOSE),
    Case(
        "bare LF after the request line", "9112 2.2", b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400, False
    ),
    Case("bare LF after a field", "T1", head("GET / HTTP/1.1", "Host: x\ny: z"), 400, False),
    Case("bare CR in a value", "T1", head("GET / HTTP/1.1", "Host: x", "y: a\rb"), 400, False),
    Case("bare CR in the target", "T3", head("GET /a\rb HTTP/1.1", "Host: x"), 400, False),
    Case("bare LF in the target", "T3", head("GET /a\nb HTTP/1.1", "Host: x"), 400, False),
    Case("bare CR in the method", "T3", head("G\rET / HTTP/1.1", "Host: x"), 400, False),
    Case("bare CR in the version", "T3", head("GET / HTTP/1.1\r", "Host: x"), 400, False),
    Case("NUL in the target", "T3", head("GET /\0 HTTP/1.1", "Host: x"), 400, False),
    Case("DEL in the target", "T3", head("GET /\x7f HTTP/1.1", "Host: x"), 400, False),
    Case("NUL in a value", "9110 5.5", head("GET / HTTP/1.1", "Host: x", "y: \0"), 400, False),
    Case("vertical tab in a value", "9110 5.5", get("/", "x: a\x0bb"), 400, False),
    Case("tab in a value", "9110 5.5", get("/a.txt", "x: a\tb"), 200, body=A_TXT),
    Case("octets beyond ASCII in a value", "9110 5.5", get("/a.txt", "x: \xfc\xff"), 200),
    Case("an empty value", "9110 5.5", get("/a.txt", "x:"), 200, body=A_TXT),
    Case("space before the colon", "9112 5.1", get("/", "X : y"), 400, False),
    Case("tab before the colon", "9112 5.1", get("/", "X\t: y"), 400, False),
    Case("space before the name", "9112 2.2", head("GET / HTTP/1.1", " Host: x"), 400, False),
    Case("empty name", "9112 5.1", get("/", ": y"), 400, False),
    Case("name that is no token", "9112 5.1", get("/", "a(b: y"), 400, False),
    Case("name beyond ASCII", "9112 5.1", get("/", "\xfc: y"), 400, False),
    Case("a line without colon", "9112 5", get("/", "nonsense"), 400, False),
    Case("folded line", "9112 5.2", get("/", "X: y", " z"), 400, False),
    Case("folded by a tab", "9112 5.2", get("/", "X: y", "\tz"), 400, False),
    Case("no version", "9112 3", head("GET /a.txt", "Host: x"), 400, False),
    Case("HTTP/0.9", "9112 3", b"GET /a.txt\r\n\r\n", 400, False),
    Case("two spaces before the target", "9112 3", head("GET  / HTTP/1.1", "Host: x"), 400, False),
    Case("two spaces behind the target", "9112 3", head("GET /  HTTP/1.1", "Host: x"), 400, False),
    Case("tab for a space", "9112 3", head("GET\t/ HTTP/1.1", "Host: x"), 400, False),
    Case("space at the end", "9112 3", head("GET / HTTP/1.1 ", "Host: x"), 400, False),
    Case("space in the target", "9112 3", head("GET /a b HTTP/1.1", "Host: x"), 400, False),
    Case("target beyond ASCII", "9112 3.2", head("GET /\xfc HTTP/1.1", "Host: x"), 400, False),
    Case("fragment", "9112 3.2", get("/a.txt#top"), 400, False),
    Case("lower-case http", "9112 2.3", head("GET / http/1.1", "Host: x"), 400, False),
    Case("version in two digits", "9112 2.3", head("GET / HTTP/1.10", "Host: x"), 400, False),
    Case("version without dot", "9112 2.3", head("GET / HTTP/11", "Host: x"), 400, False),
    Case(
        "TLS on a plain port", "9112 2.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", 400, False
    ),
    Case("HTTP/1.9 is served as 1.1", "9110 2.5", get("/a.txt", version="1.9"), 200, body=A_TXT),
    Case("HTTP/2.0", "9110 15.6.6", get("/", version="2.0"), 505, False, CLOSE),
    Case("HTTP/0.9 spelled out", "9110 15.6.6", get("/", version="0.9"), 505, False),
    Case("the preface of HTTP/2", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, False),
    Case(
        "persistence is the default of 1.1",
        "9112 9.3",
        get("/a.txt", "Connection: x"),
        200,
        fields={"Connection": None},
    ),
    Case("close", "9112 9.6", get("/a.txt", "Connection: close"), 200, False, CLOSE, A_TXT),
    Case("close in a list", "9112 9.6", get("/a.txt", "Connection: x ,, CLOSE"), 200, False, CLOSE),
    Case(
        "close in a second line",
        "9112 9.6",
        get("/a.txt", "Connection: keep-alive", "Connection: close"),
        200,
        False,
        CLOSE,
    ),
    Case("closer is not close", "9112 9.6", get("/a.txt", "Connection: closer"), 200),
    Case("HTTP/1.0", "9112 9.3", get("/a.txt", version="1.0"), 200, False, CLOSE, A_TXT),
    Case(
        "HTTP/1.0 with keep-alive",
        "9112 9.3",
        get("/a.txt", "Connection: Keep-Alive", version="1.0"),
        200,
        fields={"Connection": "keep-alive"},
        body=A_TXT,
    ),
    Case(
        "HTTP/1.0 with keep-alive and close",
        "9112 9.3",
        get("/a.txt", "Connection: keep-alive, close", version="1.0"),
        200,
        False,
        CLOSE,
    ),
]

HOST = [
    Case("1.1 without Host", "9112 3.2", head("GET / HTTP/1.1"), 400, False, CLOSE),
    Case("two Hosts", "9112 3.2", get("/", "Host: a", "Host: b"), 400, False),
    Case("two equal Hosts", "9112 3.2", get("/", "Host: a", "Host: a"), 400, False),
    Case("Host and an empty one", "9112 3.2", get("/", "Host: a", "Host:"), 400, False),
    Case("two empty Hosts", "9112 3.2", get("/", "Host:", "Host:"), 400, False),
    Case("an empty Host", "9112 3.2", get("/a.txt", "Host:"), 200),
    Case("a Host with port", "9112 3.2", get("/a.txt", "Host: example.com:8000"), 200),
    Case("an IPv6 Host", "9112 3.2", get("/a.txt", "Host: [::1]:8000"), 200),
    Case("Host with a path", "9112 3.2", get("/", "Host: a/b"), 400, False),
    Case("Host with a user", "9112 3.2", get("/", "Host: user@a"), 400, False),
    Case("Host with a port of letters", "9112 3.2", get("/", "Host: a:b"), 400, False),
    Case("Host with a script", "T4", get("/", "Host: <script>alert(1)</script>"), 400, False),
    Case("1.0 without Host", "9112 3.2", get("/a.txt", version="1.0"), 200, False),
    Case(
        "1.0 with two Hosts", "9112 3.2", get("/", "Host: a", "Host: b", version="1.0"), 400, False
    ),
    Case("absolute form", "9112 3.2.2", get("http://example.com/a.txt"), 200, body=A_TXT),
    Case("absolute form, https", "9112 3.2.2", get("HTTPS://example.com:443/a.txt"), 200),
    Case("absolute form without path", "9112 3.2.2", get("http://example.com"), 200, body=HOME),
    Case("absolute form, query alone", "9112 3.2.2", get("http://example.com?q"), 200, body=HOME),
    Case("absolute form without host", "9112 3.2.2", get("http:///a.txt"), 400, False),
    Case("absolute form with a port alone", "9110 4.2.1", get("http://:80/a.txt"), 400, False),
    Case("absolute form with a user", "9110 4.2.4", get("http://user@example.com/"), 400, False),
    Case("absolute form of another scheme", "9112 3.2.2", get("ftp://example.com/"), 400, False),
    Case("absolute form without Host", "9112 3.2", head("GET http://a/ HTTP/1.1"), 400, False),
    Case("authority form", "9112 3.2.3", get("example.com:80"), 400, False),
    Case("a path without slash", "9112 3.2", get("a.txt"), 400, False),
    Case("asterisk with GET", "9112 3.2.4", get("*"), 400, False),
    Case(
        "CONNECT",
        "9110 9.3.6",
        get("example.com:443", method="CONNECT"),
        405,
        False,
        {"Allow": ALLOWED, **CLOSE},
    ),
]

METHODS = [
    Case(
        "OPTIONS *",
        "9110 9.3.7",
        get("*", method="OPTIONS"),
        204,
        fields={"Allow": ALLOWED, "Content-Length": None, "Content-Type": None},
        body=b"",
    ),
    Case("OPTIONS of a host", "9112 3.2.4", get("http://a", method="OPTIONS"), 204, body=b""),
    Case("OPTIONS", "9110 9.3.7", get("/a.txt", method="OPTIONS"), 204, fields={"Allow": ALLOWED}),
    *(
        Case(method, "9110 15.5.6", get("/a.txt", method=method), 405, fields={"Allow": ALLOWED})
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE")
    ),
    Case(
        "POST with a body",
        "9110 15.5.6",
        get("/a.txt", "Content-Length: 5", method="POST") + b"x=1\r\n",
        405,
        fields={"Allow": ALLOWED},
    ),
    Case("unknown method", "9110 15.6.2", get("/a.txt", method="BREW"), 501),
    Case("lower-case get", "9110 9.1", get("/a.txt", method="get"), 501),
    Case("a script for a method", "T4", get("/", method="<script>"), 400, False),
    Case("any token is a method", "9110 15.6.2", get("/", method="!#$%&'*+-.^_`|~0Az"), 501),
]

FRAMING = [
    Case("no body", "9112 6.3", get("/a.txt", "Content-Length: 0"), 200, body=A_TXT),
    Case(
        "a body with GET",
        "9110 9.3.1",
        get("/a.txt", "Content-Length: 4") + b"GET ",
        200,
        body=A_TXT,
    ),
    Case(
        "leading zeros", "9110 8.6", get("/a.txt", "Content-Length: 004") + b"body", 200, body=A_TXT
    ),
    *(
        Case(
            f"Content-Length {value[:20]!r}",
            "T1 T9",
            get("/", f"Content-Length: {value}") + b"x",
            400,
            False,
        )
        for value in ("+1", "-1", "1_0", "0x1", "1.0", "", "1 1", "1, 1", "1;", "\xb2", "9" * 40)
    ),
    Case(
        "differing lengths",
        "T1",
        get("/", "Content-Length: 1", "Content-Length: 2") + b"x",
        400,
        False,
    ),
    Case(
        "equal lengths", "T1", get("/", "Content-Length: 1", "Content-Length: 1") + b"x", 400, False
    ),
    Case(
        "length and an empty one",
        "T1",
        get("/", "Content-Length: 0", "Content-Length:"),
        400,
        False,
    ),
    Case(
        "Content-Length and Transfer-Encoding",
        "9112 6.1",
        get("/", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
        False,
        CLOSE,
    ),
    Case(
        "Transfer-Encoding and Content-Length",
        "9112 6.1",
        get("/", "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
        400,
        False,
        CLOSE,
    ),
    Case(
        "Transfer-Encoding in 1.0",
        "9112 6.1",
        get("/", "Transfer-Encoding: chunked", version="1.0") + b"0\r\n\r\n",
        400,
        False,
    ),
    *(
        Case(
            f"Transfer-Encoding {value!r}",
            "9112 6.1",
            get("/", f"Transfer-Encoding: {value}"),
            status,
            False,
        )
        for value, status in (
            ("gzip", 501),
            ("gzip, chunked", 501),
            ("identity", 501),
            ("xchunked", 501),
            ("chunked\xa0", 400),
            ('"chunked"', 400),
            ("chunked;q=1", 400),
            (", chunked,", 400),
            ("chunked, gzip", 400),
            ("chunked, chunked", 400),
            ("", 400),
            (",", 400),
            ("\x0bchunked", 400),
        )
    ),
    Case(
        "Transfer-Encoding in two lines",
        "T1",
        get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
        False,
    ),
    Case(
        "Transfer-Encoding with a space before the colon",
        "T1",
        get("/", "Transfer-Encoding : chunked", "Content-Length: 1") + b"x",
        400,
        False,
    ),
    Case("an empty chunked body", "9112 7.1", chunked(b"0\r\n\r\n"), 200, body=A_TXT),
    Case(
        "chunks",
        "9112 7.1",
        chunked(b"4\r\nGET \r\n00a\r\n0123456789\r\n0\r\n\r\n"),
        200,
        body=A_TXT,
    ),
    Case(
        "Chunked in capitals",
        "9112 7",
        get("/a.txt", "Transfer-Encoding: CHUNKED") + b"1\r\nx\r\n0\r\n\r\n",
        200,
        body=A_TXT,
    ),
    Case("chunks to POST", "9112 7.1", chunked(b"1\r\nx\r\n0\r\n\r\n", "POST"), 405),
    Case(
        "extensions",
        "9112 7.1.1",
        chunked(b'1;a;b=c;d="e;\\"" ; f = g\r\nx\r\n0;z\r\n\r\n'),
        200,
        body=A_TXT,
    ),
    Case("trailers", "9112 7.1.2", chunked(b"0\r\nX: y\r\nHost: z\r\n\r\n"), 200, body=A_TXT),
    *(
        Case(f"chunk {line!r}", "T1 T9", chunked(line + b"\r\nx\r\n0\r\n\r\n"), 400, False, CLOSE)
        for line in (
            *(
                b"+1",
                b"-1",
                b"0x1",
                b" 1",
                b"1 ",
                b"1_0",
                b"\xb2",
                b"",
                b"g",
                b";a",
                b"1;",
                b"1;a=",
            ),
            *(b'1;a="b', b"1;\0", b"1;a\rb", b"1\n", b"1;a=b c", b"f" * 16),
        )
    ),
    Case("chunk longer than it says", "9112 7.1", chunked(b"1\r\nxy\r\n0\r\n\r\n"), 400, False),
    Case("chunk ended by a bare LF", "T1", chunked(b"1\r\nx\n0\r\n\r\n"), 400, False),
    Case("chunk line ended by a bare LF", "T1", chunked(b"1\nx\r\n0\r\n\r\n"), 400, False),
    Case("last line ended by a bare LF", "T1", chunked(b"0\r\n\n"), 400, False),
    Case("a trailer that is no field", "9112 7.1.2", chunked(b"0\r\nX : y\r\n\r\n"), 400, False),
    Case("a folded trailer", "9112 5.2", chunked(b"0\r\nX: y\r\n z\r\n\r\n"), 400, False),
    Case("an endless extension", "T15", chunked(b"1;" + b"a" * 5000), 400, False),
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
    Case(
        "Expect with a body",
        "9110 10.1.1",
        get("/a.txt", "Expect: 100-continue", "Content-Length: 5", method="POST"),
        405,
        False,
        CLOSE,
    ),
    Case(
        "Expect in capitals",
        "9110 10.1.1",
        get("/a.txt", "Expect: 100-Continue", "Transfer-Encoding: chunked"),
        200,
        False,
        CLOSE,
        A_TXT,
    ),
    Case(
        "Expect without body", "9110 10.1.1", get("/a.txt", "Expect: 100-continue"), 200, body=A_TXT
    ),
    Case(
        "Expect in 1.0 means nothing",
        "9110 10.1.1",
        get("/a.txt", "Expect: x", "Connection: keep-alive", "Content-Length: 1", version="1.0")
        + b"x",
        200,
        body=A_TXT,
    ),
    Case("another expectation", "9110 15.5.18", get("/a.txt", "Expect: 200-ok"), 417, False, CLOSE),
    Case("two expectations", "9110 10.1.1", get("/", "Expect: 100-continue, x"), 417, False),
]

LIMITS = [
    Case("20 kB target", "9110 15.5.15", get("/" + "a" * 20_000), 414, False, CLOSE),
    Case("line of 8192", "9112 3", get("/?" + "q" * (8192 - 15)), 200, body=HOME, exact=True),
    Case("line of 8193", "9112 3", get("/?" + "q" * (8193 - 15)), 414, False),
    Case("line without end", "T15", b"A" * 9000, 414, False, CLOSE),
    Case("head of 32768", "6585 5", long_head(32768), 200, body=A_TXT, exact=True),
    Case("head of 32769", "6585 5", long_head(32769), 431, False, CLOSE),
    Case("one huge field", "6585 5", get("/", "x: " + "y" * 100_000), 431, False, CLOSE),
    Case("head without end", "T15", get("/")[:-2] + b"x: y\r\n" * 6000, 431, False),
    Case("100 fields", "6585 5", get("/a.txt", *["x: y"] * 99), 200, body=A_TXT),
    Case("101 fields", "6585 5", get("/a.txt", *["x: y"] * 100), 431, False, CLOSE),
]

RANGES = [
    Case(
        "first octet",
        "9110 14.1.2",
        a_range("bytes=0-0"),
        206,
        fields={"Content-Range": "bytes 0-0/31", "Content-Length": "1", "ETag": A_TAG},
        body=b"a",
        head_status=200,
    ),
    *(
        Case(
            f"Range {value[:40]}",
            "9110 14.1.2",
            a_range(value),
            206,
            fields={"Content-Range": f"bytes {sent}/31"},
            body=body,
            head_status=200,
        )
        for value, sent, body in (
            ("bytes=5-9", "5-9", b"fghij"),
            ("bytes=5-9,", "5-9", b"fghij"),
            ("bytes= 5-9", "5-9", b"fghij"),
            ("bytes=29-", "29-30", b"34"),
            ("bytes=29-1000", "29-30", b"34"),
            ("bytes=29-" + "9" * 400, "29-30", b"34"),
            ("bytes=-2", "29-30", b"34"),
            ("bytes=-31", "0-30", A_TXT),
            ("bytes=-1000", "0-30", A_TXT),
            ("bytes=0-", "0-30", A_TXT),
            ("BYTES=0-1", "0-1", b"ab"),
            ("bytes=0-0,31-", "0-0", b"a"),
            ("bytes=00-01", "0-1", b"ab"),
        )
    ),
    *(
        Case(
            f"Range {value[:40]} is not satisfiable",
            "9110 15.5.17",
            a_range(value),
            416,
            fields={"Content-Range": "bytes */31", "Accept-Ranges": None},
            head_status=200,
        )
        for value in (
            "bytes=-0",
            "bytes=31-",
            "bytes=31-40",
            "bytes=1000-,-0",
            "bytes=" + "9" * 400 + "-",
        )
    ),
    *(
        Case(
            f"Range {value!r} is ignored",
            "9110 14.2 T9",
            a_range(value),
            200,
            fields=WHOLE,
            body=A_TXT,
        )
        for value in (
            *("bytes=5-2", "bytes=,", "bytes=", "bytes", "bytes=-", "bytes=--1", "bytes=a-b"),
            *("bytes=+1-1_0", "bytes=1-+2", "bytes=1_0-11", "bytes=0x1-2", "bytes=\xb2-3"),
            *("bytes=0-1,x", "bytes=0-1;2-3", "bytes 0-1", "bytes =0-1", "items=0-1", "=0-1", ""),
            *(
                "bytes=0-1-2",
                "bytes=1 - 2",
                "bytes=\xd9\xa1-\xd9\xa2",
                "bytes=5-2,0-1",
                "bytes=0.0-1",
            ),
        )
    ),
    Case(
        "one of several is not satisfiable",
        "9110 14.1.2",
        a_range("bytes=0-1,40-50,3-4"),
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
    Case(
        "2000 open ranges",
        "T8",
        a_range("bytes=" + ",".join(["0-"] * 2000)),
        200,
        fields=WHOLE,
        body=A_TXT,
    ),
    Case(
        "2000 suffixes",
        "T8",
        a_range("bytes=" + ",".join(["-1"] * 2000)),
        200,
        fields=WHOLE,
        body=A_TXT,
    ),
    Case("overlapping ranges", "T8", a_range("bytes=0-29,1-30"), 200, fields=WHOLE, body=A_TXT),
    Case(
        "Range of an empty file", "9110 14.1.2", get("/empty.txt", "Range: bytes=0-"), 200, body=b""
    ),
    Case("Range of nothing", "9110 14.2", get("/none", "Range: bytes=0-1"), 404),
    Case(
        "If-Range with the tag",
        "9110 13.1.5",
        a_range("bytes=0-0", f"If-Range: {A_TAG}"),
        206,
        body=b"a",
        head_status=200,
    ),
    Case(
        "If-Range with the date",
        "9110 13.1.5",
        a_range("bytes=0-0", f"If-Range: {A_DATE}"),
        206,
        body=b"a",
        head_status=200,
    ),
    *(
        Case(
            f"If-Range {value}",
            "9110 13.1.5",
            a_range("bytes=0-0", f"If-Range: {value}"),
            200,
            fields=WHOLE,
            body=A_TXT,
        )
        for value in (
            '"other"',
            f"W/{A_TAG}",
            "Sun, 20 Sep 2026 14:13:21 GMT",
            "Sun, 20 Sep 2026 14:13:19 GMT",
            "*",
            "nonsense",
        )
    ),
]

CONDITIONS = [
    *(
        Case(
            f"If-None-Match {value}",
            "9110 13.1.2",
            get("/a.txt", f"If-None-Match: {value}"),
            304,
            fields={"ETag": A_TAG, "Last-Modified": A_DATE, "Content-Type": None},
            body=b"",
        )
        for value in (A_TAG, f"W/{A_TAG}", "*", f'"x", {A_TAG}', f'"x","y" ,W/{A_TAG}, "z"')
    ),
    Case(
        "If-None-Match of another",
        "9110 13.1.2",
        get("/a.txt", 'If-None-Match: "x"'),
        200,
        body=A_TXT,
    ),
    Case(
        "If-None-Match in two lines",
        "9110 5.3",
        get("/a.txt", 'If-None-Match: "x"', f"If-None-Match: {A_TAG}"),
        304,
    ),
    Case(
        "If-None-Match silences If-Modified-Since",
        "9110 13.1.3",
        get("/a.txt", 'If-None-Match: "x"', f"If-Modified-Since: {A_DATE}"),
        200,
    ),
    *(
        Case(
            f"If-Modified-Since {value}",
            "9110 13.1.3",
            get("/a.txt", f"If-Modified-Since: {value}"),
            status,
        )
        for value, status in (
            (A_DATE, 304),
            ("Sunday, 20-Sep-26 14:13:20 GMT", 304),
            ("Sun Sep 20 14:13:20 2026", 304),
            ("Mon, 21 Sep 2026 00:00:00 GMT", 304),
            ("Sun, 20 Sep 2026 14:13:19 GMT", 200),
            ("Sun, 20 Sep 2026 14:13:20 +0000", 200),
            ("Sun, 31 Feb 2026 14:13:20 GMT", 200),
            ("nonsense", 200),
        )
    ),
    Case("If-Match", "9110 13.1.1", get("/a.txt", f"If-Match: {A_TAG}"), 200, body=A_TXT),
    Case("If-Match of any", "9110 13.1.1", get("/a.txt", "If-Match: *"), 200, body=A_TXT),
    Case("If-Match of another", "9110 13.1.1", get("/a.txt", 'If-Match: "x"'), 412),
    Case("If-Match of a weak one", "9110 13.1.1", get("/a.txt", f"If-Match: W/{A_TAG}"), 412),
    Case("If-Match of nothing", "9110 13.1.1", get("/none", "If-Match: *"), 404),
    Case(
        "If-Unmodified-Since",
        "9110 13.1.4",
        get("/a.txt", "If-Unmodified-Since: Sun, 20 Sep 2026 14:13:19 GMT"),
        412,
    ),
    Case(
        "If-Unmodified-Since, unmodified",
        "9110 13.1.4",
        get("/a.txt", f"If-Unmodified-Since: {A_DATE}"),
        200,
    ),
    Case(
        "If-Match goes before If-None-Match",
        "9110 13.2.2",
        get("/a.txt", 'If-Match: "x"', f"If-None-Match: {A_TAG}"),
        412,
    ),
    Case(
        "conditions go before Range",
        "9110 13.2.2",
        a_range("bytes=0-0", f"If-None-Match: {A_TAG}"),
        304,
    ),
    Case(
        "a file without a meaningful time",
        "9110 8.8.2.1",
        get("/reproducible.txt"),
        200,
        fields={"Last-Modified": None, "ETag": '"60764f5fdeb9f92c1fabc082c209d342"'},
    ),
]

PATHS = [
    Case("NUL", "T12", get("/a.txt%00.html"), 400),
    Case("NUL alone", "T12", get("/%00"), 400),
    Case("half an escape", "3986 2.1", get("/a.txt%4"), 400),
    Case("an escape without digits", "3986 2.1", get("/%zz"), 400),
    Case("a percent sign", "3986 2.1", get("/50%.txt"), 400),
    Case("an escaped percent sign", "3986 2.4", get("/50%25.txt"), 200, body=b"percent"),
    Case("decoded once", "3986 2.4", get("/50%2525.txt"), 200, body=b"percent twenty-five"),
    Case("escapes", "3986 2.1", get("/%61%2etxt"), 200, body=A_TXT),
    Case("space", "3986 2.1", get("/a%20b.txt"), 200, body=b"space"),
    Case("plus is no space", "3986 2.1", get("/a+b.txt"), 404),
    Case("UTF-8", "3986 2.5", get("/%C3%BC.txt"), 200, body=b"umlaut"),
    Case("not UTF-8", "T12", get("/%ff.txt"), 200, body=b"not UTF-8"),
    Case("over-long UTF-8 dots", "T6", get("/%c0%ae%c0%ae/outside.txt"), 404),
    Case("name of 300 octets", "T12", get("/" + "a" * 300), 404),
    Case("path of 7000 octets", "T12", get("/a" * 3500), 404),
    Case("backslash", "T10", get("/back\\slash.txt"), 200, body=b"backslash"),
    Case("backslash is no separator", "T10", get("/sub\\index.html"), 404),
    Case("escaped backslashes", "T6", get("/..%5c..%5coutside.txt"), 404),
    Case("escaped slash", "T11", get("/sub%2findex.html"), 404),
    Case("escaped slash and dots", "T6", get("/..%2foutside.txt"), 404),
    Case("escaped slash for the first", "T6", get("/%2fetc/passwd"), 404),
    Case("dots", "3986 5.2.4", get("/sub/../a.txt"), 200, body=A_TXT),
    Case("escaped dots", "3986 5.2.4", get("/sub/%2e%2E/a.txt"), 200, body=A_TXT),
    Case("dots beyond the root", "T6", get("/../../../../a.txt"), 200, body=A_TXT),
    Case("dots to a neighbour", "T6", get("/../outside.txt"), 404),
    Case("dots to a sibling of similar name", "T6", get("/../root2/c.txt"), 404),
    Case("an absolute path", "T6", get("//etc/passwd"), 404),
    Case("dots that would prove what lies above", "T13", get("/../root/a.txt"), 404),
    Case("empty segments", "3986 3.3", get("//sub//index.html"), 200, body=b"sub"),
    Case("file with a slash", "9110 15.5.5", get("/a.txt/"), 404),
    Case("file as a directory", "9110 15.5.5", get("/a.txt/b"), 404),
    Case("directory without index", "9110 15.5.5", get("/bare/"), 404),
    Case(
        "no such file",
        "9110 15.5.5",
        get("/none"),
        404,
        fields={"Content-Type": "text/plain; charset=utf-8"},
    ),
    Case("the query does not matter", "3986 3.4", get("/a.txt?x=/../%zz%00"), 200, body=A_TXT),
    Case("dotfile", "8615", get("/.secret"), 404),
    Case("in a dot directory", "8615", get("/.git/config"), 404),
    Case("an escaped dotfile", "T11", get("/%2esecret"), 404),
    Case("well-known", "8615", get("/.well-known/security.txt"), 200),
    Case("link within", "T6", get("/inside-link.txt"), 200, body=A_TXT),
    Case("link to the outside", "T6", get("/outside-link.txt"), 404),
    Case("directory link to the outside", "T6", get("/outside-directory/b.txt"), 404),
    Case("directory link to the outside, slash", "T6", get("/outside-directory/"), 404),
    Case("directory link to the outside, no slash", "T6", get("/outside-directory"), 404),
    Case("a link to itself", "T6", get("/loop"), 404),
    Case("FIFO", "9110 15.5.5", get("/fifo"), 404),
    Case("FIFO with a slash", "9110 15.5.5", get("/fifo/"), 404),
    Case(
        "scripts are inert",
        "T19",
        get("/run.rpy"),
        200,
        fields={"Content-Type": "application/octet-stream"},
        body=b"resource = object()",
    ),
    Case("scripts are inert, CGI", "T19", get("/run.cgi"), 200, body=b"#!/bin/sh\n"),
    Case("script in the path", "T4", get("/<script>alert(1)</script>"), 404),
]

REDIRECTS = [
    *(
        Case(
            f"redirect of {target}",
            "9110 15.4.2 T5",
            get(target),
            301,
            fields={"Location": location},
        )
        for target, location in (
            ("/sub", "/sub/"),
            ("/sub?q=1&r", "/sub/?q=1&r"),
            ("/sub?", "/sub/?"),
            ("/sub?a%20b", "/sub/?a%20b"),
            ("/sub?<script>\"'%zz", "/sub/?%3Cscript%3E%22'%25zz"),
            ("/sub?%0d%0aX-Evil:1", "/sub/?%0d%0aX-Evil:1"),
            ("//sub", "/sub/"),
            ("///sub", "/sub/"),
            ("////sub?q", "/sub/?q"),
            ("/x/..//sub", "/sub/"),
            ("//evil.com", "/evil.com/"),
            ("//evil.com?q", "/evil.com/?q"),
            ("/.//evil.com", "/evil.com/"),
            ("/%2e//evil.com", "/evil.com/"),
            ("/../evil.com", "/evil.com/"),
            ("http://evil.example/sub", "/sub/"),
            ("http://evil.example//evil.com", "/evil.com/"),
            ("/%3Cscript%3Ealert(1)%3C", "/%3Cscript%3Ealert(1)%3C/"),
            ("/cr%0D%0AX-Evil%3A%201", "/cr%0D%0AX-Evil:%201/"),
        )
    ),
    Case("backslashes in front", "T5", get("/\\evil.com"), 404, fields={"Location": None}),
    Case("escaped backslashes in front", "T5", get("/%5cevil.com"), 404, fields={"Location": None}),
    Case("escaped slash in front", "T5", get("/%2fevil.com"), 404, fields={"Location": None}),
    Case(
        "escaped slash and dots in front",
        "T5",
        get("//evil.com/%2f.."),
        404,
        fields={"Location": None},
    ),
]

CODINGS = [
    *(
        Case(
            f"Accept-Encoding {value!r}",
            "9110 12.5.3",
            get("/page.html", f"Accept-Encoding: {value}"),
            200,
            fields={
                "Content-Encoding": coding,
                "Vary": "Accept-Encoding",
                "Content-Type": "text/html; charset=utf-8",
                "Content-Length": str(len(body)),
            },
            body=body,
        )
        for value, coding, body in (
            ("gzip", "gzip", PAGE_GZ),
            ("x-gzip", "gzip", PAGE_GZ),
            ("gzip, br", "br", PAGE_BR),
            ("br;q=0.5, gzip;q=1", "gzip", PAGE_GZ),
            ("br;q=0, gzip", "gzip", PAGE_GZ),
            ("gzip;q=0", None, PAGE),
            ("gzip;q=0.000, identity", None, PAGE),
            ("*;q=0.1", "br", PAGE_BR),
            ("identity;q=0, *", "br", PAGE_BR),
            ("identity", None, PAGE),
            ("", None, PAGE),
            ("zstd", None, PAGE),
            ("gzippy", None, PAGE),
        )
    ),
    Case(
        "no Accept-Encoding",
        "9110 12.5.3",
        get("/page.html"),
        200,
        fields={"Vary": "Accept-Encoding", "Content-Encoding": None},
        body=PAGE,
    ),
    Case(
        "everything ruled out",
        "9110 15.5.7",
        get("/page.html", "Accept-Encoding: *;q=0"),
        406,
        fields={"Vary": "Accept, Accept-Encoding"},
    ),
    Case(
        "a range counts in the coded form",
        "9110 14.2",
        get("/page.html", "Accept-Encoding: gzip", "Range: bytes=1-4"),
        206,
        fields={"Content-Encoding": "gzip", "Content-Range": "bytes 1-4/33"},
        body=b"gzip",
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
