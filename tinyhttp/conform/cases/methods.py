"""Methods: RFC 9110 section 9."""

import re

from ..model import MAY, SECURITY, SHOULD, Case
from ..writing import REFUSED, case, get, outcome, refused

__all__ = ["CASES"]

ALLOW = re.compile(r"(?=[A-Z, ]*\bGET\b)[A-Z, ]+")
NOT_ALLOWED = outcome(405, 501, 403)

CASES: tuple[Case, ...] = (
    *(
        case(
            method.lower(),
            method,
            "9110 9.1",
            get("/a.txt", method=method),
            NOT_ALLOWED,
            level=SHOULD,
            note="405 or 501; a file has no other method than GET and HEAD.",
        )
        for method in ("PUT", "DELETE", "PATCH")
    ),
    case(
        "post",
        "POST",
        "9110 9.3.3",
        get("/a.txt", method="POST"),
        outcome(403, 405, 411, 501),
        level=MAY,
        note="What it means is up to the resource; to a file, nothing.",
    ),
    case(
        "trace",
        "TRACE",
        "9110 9.3.8",
        get("/a.txt", "X-Secret: 1", method="TRACE"),
        outcome(*range(200, 500), 501, 0, lacks=b"X-Secret"),
        level=SECURITY,
        note="A response that repeats the request would show what a script may not see.",
    ),
    case(
        "allow",
        "405 says what is allowed",
        "9110 15.5.6",
        get("/a.txt", method="DELETE"),
        outcome(405, fields={"Allow": ALLOW}),
        outcome(*range(200, 405), *range(406, 500), 501),
    ),
    case(
        "post-with-body",
        "POST with a body",
        "9110 15.5.6",
        get("/a.txt", "Content-Length: 5", method="POST") + b"x=1\r\n",
        outcome(405, 501, 403, 411),
        level=MAY,
    ),
    case(
        "options",
        "OPTIONS",
        "9110 9.3.7",
        get("/a.txt", method="OPTIONS"),
        outcome(200, 204, 405, 501),
        note="Only GET and HEAD must be supported.",
    ),
    case(
        "options-asterisk",
        "OPTIONS *",
        "9110 9.3.7",
        get("*", method="OPTIONS"),
        outcome(200, 204, 405, 501, 400, 404),
        level=MAY,
        kit=False,
    ),
    case(
        "options-host",
        "OPTIONS of a host",
        "9112 3.2.4",
        get("http://{{host}}", method="OPTIONS"),
        outcome(200, 204, 400, 404, 405, 501),
        level=MAY,
        kit=False,
    ),
    case(
        "unknown",
        "unknown method",
        "9110 9.1",
        get("/a.txt", method="BREW"),
        outcome(501, 405, 400, 403),
        level=SHOULD,
        note="501 for one that is not recognized.",
    ),
    case(
        "lower-case",
        "lower-case get",
        "9110 9.1",
        get("/a.txt", method="get"),
        outcome(*REFUSED),
        note="Methods are compared with case.",
    ),
    case(
        "no-token",
        "a script for a method",
        "9110 9.1",
        get("/", method="<script>"),
        outcome(*REFUSED, escapes=b"<script>"),
        level=SECURITY,
        kit=False,
    ),
    case(
        "any-token",
        "any token is a method",
        "9110 9.1",
        get("/", method="!#$%&'*+-.^_`|~0Az"),
        outcome(400, 405, 501, 403, 0),
        level=SHOULD,
        kit=False,
    ),
    case(
        "body-of-delete",
        "a body with DELETE",
        "9110 9.3.5",
        get("/a.txt", "Content-Length: 3", method="DELETE") + b"GET",
        refused(),
        level=SHOULD,
    ),
)
