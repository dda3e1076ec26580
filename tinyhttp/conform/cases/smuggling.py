"""Where does a request end? Disagreement about it is request smuggling: RFC 9112 section 11.2.

If two servers in a row see the end in different places, somebody can put a request of his own into
the connection of somebody else. Each of these is refused, or taken in the one way that can't do
harm, and where the clause says so the connection is closed.
"""

from ..kit import A_TXT
from ..model import SECURITY, SHOULD, Case
from ..writing import CLOSED, REFUSED, case, chunked, get, outcome, reads, refused

__all__ = ["CASES"]

WAITING = outcome(*range(200, 500), 0, closes=True, waits=True)
OVERFLOW = "A number that overflows is no small one; to wait for so much is right."
HIDDEN = b"GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNKNOWN = "An unknown coding: 501 or 400, and closing."

CASES: tuple[Case, ...] = (
    *(
        case(
            f"length-{name}",
            f"Content-Length {value[:20]!r}",
            "9112 6.3",
            get("/", f"Content-Length: {value}") + b"x",
            refused(closes=True),
            level=SECURITY,
            kit=False,
        )
        for name, value in (
            ("plus", "+1"),
            ("minus", "-1"),
            ("underscore", "1_0"),
            ("hex", "0x1"),
            ("decimal", "1.0"),
            ("empty", ""),
            ("two-numbers", "1 1"),
            ("semicolon", "1;"),
            ("superscript", "\xb2"),
        )
    ),
    case(
        "length-list",
        "Content-Length '1, 1'",
        "9112 6.3",
        get("/a.txt", "Content-Length: 1, 1") + b"x",
        refused(closes=True),
        reads(A_TXT),
        level=SECURITY,
        note="A list of equal numbers may be taken for one.",
    ),
    case(
        "lengths-differ",
        "differing lengths",
        "9112 6.3",
        get("/", "Content-Length: 1", "Content-Length: 2") + b"x",
        refused(closes=True),
        level=SECURITY,
        kit=False,
    ),
    case(
        "lengths-equal",
        "equal lengths",
        "9112 6.3",
        get("/a.txt", "Content-Length: 1", "Content-Length: 1") + b"x",
        refused(closes=True),
        reads(A_TXT),
        level=SECURITY,
        note="Equal ones may be taken for one.",
    ),
    case(
        "lengths-one-empty",
        "length and an empty one",
        "9112 6.3",
        get("/", "Content-Length: 0", "Content-Length:"),
        refused(closes=True),
        level=SECURITY,
        kit=False,
    ),
    *(
        case(
            id_,
            title,
            "9112 6.1",
            get("/a.txt", *lines) + b"0\r\n\r\n",
            CLOSED,
            level=SECURITY,
            note="Refused, or read by Transfer-Encoding; closed in either case.",
        )
        for id_, title, lines in (
            (
                "length-and-coding",
                "Content-Length and Transfer-Encoding",
                ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ),
            (
                "coding-and-length",
                "Transfer-Encoding and Content-Length",
                ("Transfer-Encoding: chunked", "Content-Length: 5"),
            ),
        )
    ),
    case(
        "coding-in-10",
        "Transfer-Encoding in 1.0",
        "9112 6.1",
        get("/a.txt", "Transfer-Encoding: chunked", "Connection: keep-alive", version="1.0")
        + b"0\r\n\r\n",
        CLOSED,
        level=SECURITY,
    ),
    *(
        case(
            f"coding-{name}",
            f"Transfer-Encoding {value!r}",
            "9112 6.1",
            get("/", f"Transfer-Encoding: {value}"),
            refused(closes=True),
            level=SECURITY,
            kit=False,
            note=UNKNOWN,
        )
        for name, value in (
            ("gzip", "gzip"),
            ("xchunked", "xchunked"),
            ("nbsp", "chunked\xa0"),
            ("quoted", '"chunked"'),
            ("not-last", "chunked, gzip"),
            ("vt", "\x0bchunked"),
        )
    ),
    *(
        case(
            f"coding-{name}",
            f"Transfer-Encoding {value!r}",
            "9112 6.1",
            get("/", f"Transfer-Encoding: {value}") + b"0\r\n\r\n",
            CLOSED,
            level=SECURITY,
            kit=False,
            note="Refused, or read as it may be; then nobody may go on behind it.",
        )
        for name, value in (
            ("identity", "identity"),
            ("parameter", "chunked;q=1"),
            ("twice", "chunked, chunked"),
            ("empty", ""),
            ("comma", ","),
        )
    ),
    case(
        "coding-gzip-chunked",
        "Transfer-Encoding 'gzip, chunked'",
        "9112 6.1",
        get("/a.txt", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        refused(),
        level=SHOULD,
        note="Where it ends is known; what it holds is not understood: 501.",
    ),
    case(
        "coding-empty-members",
        "Transfer-Encoding ', chunked,'",
        "9110 5.6.1.2",
        get("/a.txt", "Transfer-Encoding: , chunked,") + b"0\r\n\r\n",
        refused(),
        reads(A_TXT),
        level=SECURITY,
        note="Empty members of lists are to be ignored; being strict is safe.",
    ),
    case(
        "coding-two-lines",
        "Transfer-Encoding in two lines",
        "9112 6.1",
        get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        CLOSED,
        level=SECURITY,
        kit=False,
    ),
    case(
        "coding-space-before-colon",
        "Transfer-Encoding with a space before the colon",
        "9112 5.1",
        get("/", "Transfer-Encoding : chunked", "Content-Length: 1") + b"x",
        refused(closes=True),
        level=SECURITY,
        kit=False,
    ),
    *(
        case(
            f"chunk-{name}",
            f"chunk {line!r}",
            "9112 7.1",
            chunked(line + b"\r\nx\r\n0\r\n\r\n"),
            CLOSED,
            level=SECURITY,
        )
        for name, line in (
            ("plus", b"+1"),
            ("minus", b"-1"),
            ("hex", b"0x1"),
            ("underscore", b"1_0"),
            ("superscript", b"\xb2"),
            ("empty", b""),
            ("letter", b"g"),
            ("extension-alone", b";a"),
        )
    ),
    *(
        case(
            f"chunk-{name}",
            f"chunk {line!r}",
            "9112 7.1.1",
            chunked(line + b"\r\nx\r\n0\r\n\r\n"),
            CLOSED,
            reads(A_TXT),
            level=SECURITY,
            note="Bad white space, or a part of an extension that is ignored.",
        )
        for name, line in (
            ("space-first", b" 1"),
            ("space-behind", b"1 "),
            ("extension-empty", b"1;"),
            ("extension-no-value", b"1;a="),
            ("extension-open-quote", b'1;a="b'),
            ("extension-nul", b"1;\0"),
            ("extension-cr", b"1;a\rb"),
            ("extension-space", b"1;a=b c"),
        )
    ),
    *(
        case(
            f"chunk-{name}",
            title,
            "9112 7.1",
            chunked(body),
            CLOSED,
            level=SECURITY,
        )
        for name, title, body in (
            ("too-long", "chunk longer than it says", b"1\r\nxy\r\n0\r\n\r\n"),
        )
    ),
    *(
        case(
            f"chunk-{name}",
            title,
            "9112 2.2",
            chunked(body),
            CLOSED,
            reads(A_TXT),
            level=SECURITY,
            note="A bare LF as the end of a line is meant for heads; in bodies it has been used.",
        )
        for name, title, body in (
            ("lf-line", "chunk line ended by a bare LF", b"1\nx\r\n0\r\n\r\n"),
            ("lf-data", "chunk ended by a bare LF", b"1\r\nx\n0\r\n\r\n"),
        )
    ),
    case(
        "chunk-lf-and-crlf",
        r"chunk b'1\n'",
        "9112 7.1",
        chunked(b"1\n\r\nx\r\n0\r\n\r\n"),
        CLOSED,
        level=SECURITY,
    ),
    case(
        "length-huge",
        f"Content-Length {'9' * 20!r}",
        "9110 8.6",
        get("/a.txt", f"Content-Length: {'9' * 40}") + b"x",
        refused(closes=True),
        WAITING,
        level=SECURITY,
        note=OVERFLOW,
    ),
    *(
        case(
            f"chunk-{name}",
            f"chunk {line!r}",
            "9112 7.1",
            chunked(line + b"\r\nx"),
            refused(closes=True),
            WAITING,
            level=SECURITY,
            note=OVERFLOW,
        )
        for name, line in (("huge", b"f" * 16), ("overflow", b"1" + b"0" * 16 + b"1"))
    ),
    case(
        "hidden-request-length",
        "a request within a body",
        "9112 6.3",
        get("/a.txt", f"Content-Length: {len(HIDDEN)}", method="POST") + HIDDEN,
        outcome(*range(200, 300), *REFUSED),
        level=SECURITY,
        note="One request, one response: what is in the body is not answered.",
    ),
    case(
        "hidden-request-behind-get",
        "a request within the body of a GET",
        "9112 6.3",
        get("/a.txt", f"Content-Length: {len(HIDDEN)}") + HIDDEN,
        reads(A_TXT),
        refused(),
        level=SECURITY,
        note="One request, one response: what is in the body is not answered.",
    ),
)
