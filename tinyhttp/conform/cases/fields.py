"""Field lines and the framing of bodies: RFC 9112 sections 5 to 7, RFC 9110 section 5."""

from ..kit import A_TXT
from ..model import MAY, SHOULD, Case
from ..writing import CLOSED, OK, REFUSED, case, chunked, get, head, outcome, reads, refused

__all__ = ["CASES"]

ANY = outcome(*REFUSED, *OK)
LATER = "A server that does not want the body of a GET may refuse it."
BODY = (reads(A_TXT), refused())

CASES: tuple[Case, ...] = (
    case(
        "lf-after-field",
        "bare LF after a field",
        "9112 2.2",
        head("GET {{prefix}}/a.txt HTTP/1.1", "Host: {{host}}\ny: z"),
        ANY,
        note="A bare LF may be taken for the end of a line.",
    ),
    case(
        "cr-in-value",
        "bare CR in a value",
        "9110 5.5",
        get("/a.txt", "y: a\rb"),
        ANY,
        note="To be refused, or replaced by a space.",
    ),
    case(
        "nul-in-value",
        "NUL in a value",
        "9110 5.5",
        get("/a.txt", "y: \0"),
        ANY,
        note="To be refused, or replaced by a space.",
    ),
    case(
        "vt-in-value",
        "vertical tab in a value",
        "9110 5.5",
        get("/a.txt", "x: a\x0bb"),
        ANY,
        note="Other control characters may be kept, in a safe context.",
    ),
    case("tab-in-value", "tab in a value", "9110 5.5", get("/a.txt", "x: a\tb"), reads(A_TXT)),
    case(
        "beyond-ascii-in-value",
        "octets beyond ASCII in a value",
        "9110 5.5",
        get("/a.txt", "x: \xfc\xff"),
        reads(A_TXT),
        level=SHOULD,
    ),
    case("empty-value", "an empty value", "9110 5.5", get("/a.txt", "x:"), reads(A_TXT)),
    case(
        "unknown-field",
        "an unknown field",
        "9110 5.1",
        get("/a.txt", "X-Nobody-Knows: 1"),
        reads(A_TXT),
    ),
    case(
        "names-without-case",
        "names in any case",
        "9110 5.1",
        head("GET {{prefix}}/a.txt HTTP/1.1", "hOsT: {{host}}", "rAnGe: bytes=0-0"),
        reads(A_TXT),
        outcome(206, body=b"a"),
    ),
    case(
        "value-without-space",
        "no space before a value",
        "9112 5",
        head("GET {{prefix}}/a.txt HTTP/1.1", "Host:{{host}}"),
        reads(A_TXT),
    ),
    case(
        "space-around-value",
        "white space around a value",
        "9112 5.1",
        head("GET {{prefix}}/a.txt HTTP/1.1", "Host: \t {{host}} \t "),
        reads(A_TXT),
    ),
    case(
        "space-before-colon",
        "space before the colon",
        "9112 5.1",
        get("/a.txt", "X : y"),
        refused(),
        kit=False,
    ),
    case(
        "tab-before-colon",
        "tab before the colon",
        "9112 5.1",
        get("/a.txt", "X\t: y"),
        refused(),
        kit=False,
    ),
    case(
        "space-before-name",
        "space before the name",
        "9112 2.2",
        head("GET {{prefix}}/ HTTP/1.1", " Host: {{host}}"),
        refused(),
        kit=False,
        note="To be refused; or the line is to be skipped, and then there is no Host.",
    ),
    *(
        case(id_, title, clause, get("/a.txt", line), refused(), level=SHOULD, kit=False)
        for id_, title, clause, line in (
            ("empty-name", "empty name", "9112 2.2", ": y"),
            ("name-no-token", "name that is no token", "9112 2.2", "a(b: y"),
            ("name-beyond-ascii", "name beyond ASCII", "9112 2.2", "\xfc: y"),
            ("line-without-colon", "a line without colon", "9112 2.2", "nonsense"),
        )
    ),
    *(
        case(
            id_,
            title,
            "9112 5.2",
            get("/a.txt", "X: y", f"{space}z"),
            refused(),
            reads(A_TXT),
            note="To be refused, or unfolded.",
        )
        for id_, title, space in (
            ("folded", "folded line", " "),
            ("folded-by-tab", "folded by a tab", "\t"),
        )
    ),
    case("length-zero", "no body", "9112 6.3", get("/a.txt", "Content-Length: 0"), reads(A_TXT)),
    case(
        "body-with-get",
        "a body with GET",
        "9110 9.3.1",
        get("/a.txt", "Content-Length: 4") + b"GET ",
        *BODY,
        note=LATER,
    ),
    case(
        "length-leading-zeros",
        "leading zeros",
        "9110 8.6",
        get("/a.txt", "Content-Length: 004") + b"body",
        *BODY,
        note=LATER,
    ),
    case("chunked-empty", "an empty chunked body", "9112 7.1", chunked(b"0\r\n\r\n"), *BODY),
    case(
        "chunks",
        "chunks",
        "9112 7.1",
        chunked(b"4\r\nGET \r\n00a\r\n0123456789\r\n0\r\n\r\n"),
        *BODY,
        note=LATER,
    ),
    case(
        "chunked-in-capitals",
        "Chunked in capitals",
        "9112 7",
        get("/a.txt", "Transfer-Encoding: CHUNKED") + b"1\r\nx\r\n0\r\n\r\n",
        *BODY,
        note=LATER,
    ),
    case(
        "chunks-to-post",
        "chunks to POST",
        "9112 7.1",
        chunked(b"1\r\nx\r\n0\r\n\r\n", "POST"),
        outcome(405, 501, 403, 404, 411, *OK),
        note="411 asks for a length instead.",
    ),
    case(
        "chunk-extensions",
        "extensions",
        "9112 7.1.1",
        chunked(b'1;a;b=c;d="e;\\"" ; f = g\r\nx\r\n0;z\r\n\r\n'),
        *BODY,
        note="To be ignored; a server may limit them.",
    ),
    case("trailers", "trailers", "9112 7.1.2", chunked(b"0\r\nX: y\r\nHost: z\r\n\r\n"), *BODY),
    case(
        "endless-extension",
        "an endless extension",
        "9112 7.1.1",
        chunked(b"1;" + b"a" * 5000),
        refused(),
        CLOSED,
        level=MAY,
        note="Limits are asked for; how high, is not said.",
    ),
    case(
        "trailer-no-field",
        "a trailer that is no field",
        "9112 7.1.2",
        chunked(b"0\r\nX : y\r\n\r\n"),
        ANY,
        level=MAY,
    ),
    case(
        "trailer-folded",
        "a folded trailer",
        "9112 5.2",
        chunked(b"0\r\nX: y\r\n z\r\n\r\n"),
        ANY,
    ),
)
