"""Host and the forms of a target: RFC 9112 section 3.2."""

from ..kit import A_TXT, HOME
from ..model import MAY, SECURITY, SHOULD, Case
from ..writing import OK, REFUSED, case, get, head, outcome, reads, refused

__all__ = ["CASES"]

MISDIRECTED = "A server that knows its names may refuse others with 421 or 404."
ANY_NAME = outcome(200, 400, 403, 404, 421)

CASES: tuple[Case, ...] = (
    case(
        "none",
        "1.1 without Host",
        "9112 3.2",
        head("GET {{prefix}}/a.txt HTTP/1.1"),
        outcome(400),
        kit=False,
    ),
    *(
        case(id_, title, "9112 3.2", get("/a.txt", *lines), outcome(400), kit=False)
        for id_, title, lines in (
            ("two", "two Hosts", ("Host: {{host}}", "Host: b")),
            ("two-equal", "two equal Hosts", ("Host: {{host}}", "Host: {{host}}")),
            ("and-empty", "Host and an empty one", ("Host: {{host}}", "Host:")),
            ("two-empty", "two empty Hosts", ("Host:", "Host:")),
        )
    ),
    *(
        case(id_, title, "9112 3.2", get("/", f"Host: {host}"), outcome(400), kit=False)
        for id_, title, host in (
            ("path", "Host with a path", "a/b"),
            ("user", "Host with a user", "user@a"),
            ("port-of-letters", "Host with a port of letters", "a:b"),
        )
    ),
    case(
        "script",
        "Host with a script",
        "9112 3.2",
        get("/", "Host: <script>alert(1)</script>"),
        outcome(400, lacks=b"<script>"),
        kit=False,
        level=SECURITY,
    ),
    case(
        "empty",
        "an empty Host",
        "9112 3.2",
        get("/a.txt", "Host:"),
        ANY_NAME,
        note="Allowed for a target without authority; but a server need not serve it.",
    ),
    case(
        "port",
        "a Host with port",
        "9112 3.2",
        get("/a.txt", "Host: example.com:8000"),
        ANY_NAME,
        note=MISDIRECTED,
    ),
    case(
        "ipv6",
        "an IPv6 Host",
        "9112 3.2",
        get("/a.txt", "Host: [::1]:8000"),
        ANY_NAME,
        note=MISDIRECTED,
    ),
    case(
        "http10-two",
        "1.0 with two Hosts",
        "9112 3.2",
        get("/", "Host: a", "Host: b", version="1.0"),
        outcome(400),
        level=SHOULD,
        kit=False,
        note="Any request, the section says; that of 1.0 is not named.",
    ),
    case(
        "absolute",
        "absolute form",
        "9112 3.2.2",
        get("http://{{host}}{{prefix}}/a.txt"),
        reads(A_TXT),
    ),
    case(
        "absolute-wins",
        "absolute form against Host",
        "9112 3.2.2",
        get("http://{{host}}{{prefix}}/a.txt", "Host: other.example"),
        reads(A_TXT),
        outcome(400, 421),
        note="What the target says counts; a server may wish them to agree.",
    ),
    case(
        "absolute-https",
        "absolute form, https",
        "9112 3.2.2",
        get("HTTPS://{{host}}{{prefix}}/a.txt"),
        reads(A_TXT),
        outcome(400, 404, 421),
        level=MAY,
        note="Whether it serves https on this port, or behind a balancer.",
    ),
    case(
        "absolute-no-path",
        "absolute form without path",
        "9112 3.2.2",
        get("http://{{host}}"),
        reads(HOME),
        at_root=True,
    ),
    case(
        "absolute-query",
        "absolute form, query alone",
        "9112 3.2.2",
        get("http://{{host}}?q"),
        reads(HOME),
        at_root=True,
    ),
    case(
        "absolute-no-host",
        "absolute form without host",
        "9110 4.2.1",
        get("http:///a.txt"),
        outcome(*REFUSED),
        kit=False,
    ),
    case(
        "absolute-port-alone",
        "absolute form with a port alone",
        "9110 4.2.1",
        get("http://:80/a.txt"),
        outcome(*REFUSED),
        kit=False,
    ),
    case(
        "absolute-user",
        "absolute form with a user",
        "9110 4.2.4",
        get("http://user@{{host}}{{prefix}}/"),
        outcome(*REFUSED, *OK),
        level=MAY,
        note="To be treated as an error, if it came from an untrusted source.",
    ),
    case(
        "absolute-ftp",
        "absolute form of another scheme",
        "9110 7.4",
        get("ftp://{{host}}{{prefix}}/a.txt"),
        outcome(*REFUSED),
        level=SHOULD,
        kit=False,
    ),
    case(
        "absolute-without-host",
        "absolute form without Host",
        "9112 3.2",
        head("GET http://{{host}}{{prefix}}/a.txt HTTP/1.1"),
        outcome(400),
        kit=False,
    ),
    case(
        "authority",
        "authority form",
        "9112 3.2.3",
        get("example.com:80"),
        refused(),
        level=SHOULD,
        kit=False,
    ),
    case(
        "no-slash",
        "a path without slash",
        "9112 3.2",
        get("a.txt"),
        refused(),
        level=SHOULD,
        kit=False,
        note="No form of target.",
    ),
    case(
        "asterisk-get",
        "asterisk with GET",
        "9112 3.2.4",
        get("*"),
        refused(),
        level=SHOULD,
        kit=False,
    ),
    case(
        "connect",
        "CONNECT",
        "9110 9.3.6",
        get("example.com:443", method="CONNECT"),
        refused(),
        level=SECURITY,
        kit=False,
        note="A tunnel to anywhere would be an open proxy.",
    ),
    case(
        "proxy",
        "the URL of somebody else",
        "9110 7.4",
        get("http://example.com/a.txt"),
        outcome(400, 403, 404, 421),
        reads(A_TXT),
        level=SECURITY,
        note="Own content, or a refusal; never what the other host has.",
    ),
)
