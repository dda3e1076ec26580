"""Request lines: RFC 9112 sections 2 and 3."""

from ..kit import A_TXT, HOME
from ..model import MAY, SECURITY, SHOULD, Case
from ..writing import OK, REFUSED, case, get, head, outcome, reads, refused

__all__ = ["CASES"]

SECOND = "Section 3: a server may be lenient about white space, or answer 400; it must not crash."
LENIENT = outcome(*REFUSED, *OK, 404)

CASES: tuple[Case, ...] = (
    case("simplest", "simplest", "9112 2.1", get("/a.txt"), reads(A_TXT)),
    case("index", "index", "9112 3.2.1", get("/"), reads(HOME), level=SHOULD),
    case(
        "empty-line-first",
        "an empty line first is forgiven",
        "9112 2.2",
        b"\r\n" + get("/a.txt"),
        reads(A_TXT),
        level=SHOULD,
    ),
    case(
        "two-empty-lines-first",
        "two empty lines first",
        "9112 2.2",
        b"\r\n\r\n" + get("/a.txt"),
        refused(),
        reads(A_TXT),
        note="At least one is to be ignored; of more, nothing is said.",
    ),
    case(
        "bare-lf-first",
        "bare LF first",
        "9112 2.2",
        b"\n" + get("/a.txt"),
        refused(),
        reads(A_TXT),
        note="A bare LF may be taken for the end of a line.",
    ),
    case(
        "bare-cr-first",
        "CR and another octet first",
        "9112 2.2",
        b"\rGET {{prefix}}/ HTTP/1.1\r\n\r\n",
        refused(),
        kit=False,
    ),
    case(
        "space-first",
        "space first",
        "9112 3",
        b" " + get("/a.txt"),
        refused(),
        reads(A_TXT),
        note=SECOND,
    ),
    case(
        "bare-lf-everywhere",
        "bare LF everywhere",
        "9112 2.2",
        b"GET {{prefix}}/a.txt HTTP/1.1\nHost: {{host}}\n\n",
        refused(),
        reads(A_TXT),
        level=SHOULD,
        note="A server may take it or refuse it; one that does neither waits for nothing.",
    ),
    case(
        "bare-lf-after-request-line",
        "bare LF after the request line",
        "9112 2.2",
        b"GET {{prefix}}/a.txt HTTP/1.1\nHost: {{host}}\r\n\r\n",
        refused(),
        reads(A_TXT),
        level=SHOULD,
    ),
    *(
        case(
            id_,
            title,
            "9112 3.2",
            head(line, "Host: {{host}}"),
            refused(),
            level=SECURITY,
            kit=False,
        )
        for id_, title, line in (
            ("cr-in-target", "bare CR in the target", "GET {{prefix}}/a\rb HTTP/1.1"),
            ("cr-in-method", "bare CR in the method", "G\rET {{prefix}}/ HTTP/1.1"),
            ("nul-in-target", "NUL in the target", "GET {{prefix}}/\0 HTTP/1.1"),
        )
    ),
    case(
        "del-in-target",
        "DEL in the target",
        "9112 3.2",
        head("GET {{prefix}}/\x7f HTTP/1.1", "Host: {{host}}"),
        refused(),
        outcome(404),
        level=SHOULD,
        kit=False,
    ),
    case(
        "lf-in-target",
        "bare LF in the target",
        "9112 3.2",
        head("GET {{prefix}}/a\nb HTTP/1.1", "Host: {{host}}"),
        refused(),
        level=SECURITY,
        kit=False,
    ),
    case(
        "cr-in-version",
        "bare CR in the version",
        "9112 2.2",
        head("GET {{prefix}}/ HTTP/1.1\r", "Host: {{host}}"),
        LENIENT,
        kit=False,
        note="A bare CR is invalid, or is to be replaced by a space.",
    ),
    case(
        "no-version",
        "no version",
        "9112 3",
        head("GET {{prefix}}/a.txt", "Host: {{host}}"),
        refused(),
        kit=False,
    ),
    case("http09", "HTTP/0.9", "9112 3", b"GET {{prefix}}/a.txt\r\n\r\n", refused(), level=MAY),
    *(
        case(id_, title, "9112 3", head(line, "Host: {{host}}"), LENIENT, kit=False, note=SECOND)
        for id_, title, line in (
            ("two-spaces-before", "two spaces before the target", "GET  {{prefix}}/ HTTP/1.1"),
            ("two-spaces-behind", "two spaces behind the target", "GET {{prefix}}/  HTTP/1.1"),
            ("tab-for-space", "tab for a space", "GET\t{{prefix}}/ HTTP/1.1"),
            ("space-at-end", "space at the end", "GET {{prefix}}/ HTTP/1.1 "),
        )
    ),
    case(
        "space-in-target",
        "space in the target",
        "9112 3.2",
        head("GET {{prefix}}/a b HTTP/1.1", "Host: {{host}}"),
        refused(),
        outcome(301, 308),
        level=SHOULD,
        kit=False,
        note="400, or 301 to the target with the space escaped.",
    ),
    case(
        "target-beyond-ascii",
        "target beyond ASCII",
        "9112 3.2",
        head("GET {{prefix}}/\xfc HTTP/1.1", "Host: {{host}}"),
        refused(),
        level=SHOULD,
        kit=False,
    ),
    case("fragment", "fragment", "9112 3.2", get("/a.txt#top"), refused(), level=SHOULD),
    *(
        case(
            id_,
            title,
            "9112 2.3",
            head(f"GET {{{{prefix}}}}/ {version}", "Host: {{host}}"),
            refused(),
            kit=False,
        )
        for id_, title, version in (
            ("lower-case-http", "lower-case http", "http/1.1"),
            ("version-two-digits", "version in two digits", "HTTP/1.10"),
            ("version-without-dot", "version without dot", "HTTP/11"),
        )
    ),
    case(
        "tls-on-plain-port",
        "TLS on a plain port",
        "9112 2.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
        refused(),
        level=MAY,
        kit=False,
        note="Some wait for the rest of a line.",
    ),
    case(
        "http19",
        "HTTP/1.9 is served as 1.1",
        "9110 2.5",
        get("/a.txt", version="1.9"),
        reads(A_TXT),
    ),
    case(
        "http20",
        "HTTP/2.0",
        "9110 15.6.6",
        get("/", version="2.0"),
        refused(),
        level=SHOULD,
        kit=False,
        note="505 says it best.",
    ),
    case(
        "http09-spelled-out",
        "HTTP/0.9 spelled out",
        "9110 15.6.6",
        get("/", version="0.9"),
        refused(),
        level=SHOULD,
        kit=False,
    ),
    case(
        "http2-preface",
        "the preface of HTTP/2",
        "9113 3.4",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        refused(),
        level=MAY,
        kit=False,
        note="A server that knows HTTP/2 without TLS takes it up.",
    ),
)
