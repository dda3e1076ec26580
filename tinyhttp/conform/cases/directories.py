"""Directories and redirects: RFC 9110 section 15.4, and where a redirect must not lead.

A Location that begins with two slashes, or holds what the client has sent without escapes, takes
whoever follows the link to another host (an open redirect).
"""

import re

from ..kit import EMPTY_DIRECTORY
from ..model import MAY, SECURITY, SHOULD, Case, Level
from ..writing import case, get, outcome

__all__ = ["CASES"]

STATUSES = (301, 302, 307, 308)
REFUSALS = (400, 403, 404)
ELSEWHERE = r"(?!(https?:)?[/\\]{2,}(?!{{host}}(/|$)))[^\\<>]*"
"""Anything that stays on this host."""
AS_ASKED = re.compile(r"(https?://evil\.example(:\d+)?)?/(?![/\\]).*")
"""The host is the one that was asked for, which a browser does not let a page choose."""
STAYS = re.compile(ELSEWHERE)
INDEX = outcome(200, body=b"sub")


def redirect(
    name: str, title: str, target: str, location: str, *others: int, level: Level = SHOULD
) -> Case:
    """Return a case about a directory without its slash; its content at once is right as well."""
    found = re.compile(rf"((https?://{{{{host}}}})?{{{{prefix}}}})?{location}")
    return case(
        name,
        title,
        "9110 15.4",
        get(target),
        outcome(*STATUSES, fields={"Location": found}),
        outcome(200, 400, 403, 404, *others),
        level=level,
    )


CASES: tuple[Case, ...] = (
    case("index", "a directory has an index", "9110 15.3.1", get("/sub/"), INDEX, level=MAY),
    redirect("slash", "redirect of /sub", "/sub", "/?sub/"),
    redirect("query", "redirect of /sub?q=1&r", "/sub?q=1&r", r"/?sub/\?q=1&r"),
    case(
        "query-kept",
        "redirects keep the query",
        "9110 15.4",
        get("/sub?q=1&r"),
        outcome(*STATUSES, fields={"Location": re.compile(r".*/\?q=1&r")}),
        outcome(200, 403, 404),
        level=MAY,
        note="A choice; but pages lose what they were asked for.",
    ),
    *(
        case(
            name,
            f"redirect of {target}",
            "9110 15.4",
            get(target),
            outcome(*STATUSES, fields={"Location": STAYS}),
            outcome(200, *REFUSALS, fields={"Location": None}),
            level=SECURITY,
            at_root=root,
            note="Wherever it leads, it stays on this host.",
        )
        for name, target, root in (
            ("two-slashes", "//sub", True),
            ("three-slashes", "///sub", True),
            ("four-slashes", "////sub?q", True),
            ("dots-and-slashes", "/x/..//sub", False),
            ("host", "//evil.com", True),
            ("host-query", "//evil.com?q", True),
            ("dot-host", "/.//evil.com", False),
            ("escaped-dot-host", "/%2e//evil.com", False),
            ("dots-host", "/../evil.com", True),
        )
    ),
    *(
        case(
            name,
            title,
            "9110 15.4",
            get(target),
            outcome(*STATUSES, fields={"Location": STAYS}),
            outcome(200, *REFUSALS, fields={"Location": None}),
            level=SECURITY,
            at_root=True,
        )
        for name, title, target in (
            ("backslashes", "backslashes in front", "/\\evil.com"),
            ("escaped-backslash", "escaped backslashes in front", "/%5cevil.com"),
            ("escaped-slash", "escaped slash in front", "/%2fevil.com"),
            ("escaped-slash-dots", "escaped slash and dots in front", "//evil.com/%2f.."),
        )
    ),
    *(
        case(
            name,
            f"redirect of {target}",
            "9110 5.5",
            get(target),
            outcome(
                *STATUSES,
                fields={"X-Evil": None, "Location": re.compile(r"[^\r\n]*")},
                escapes=b"<script",
            ),
            outcome(200, *REFUSALS, fields={"X-Evil": None}, escapes=b"<script"),
            level=SECURITY,
            note="What comes back of the target is escaped.",
        )
        for name, target in (
            ("script", "/%3Cscript%3Ealert(1)%3C"),
            ("line-break", "/cr%0D%0AX-Evil%3A%201"),
            ("query-line-break", "/sub?%0d%0aX-Evil:1"),
            ("query-script", "/sub?<script>\"'%zz"),
        )
    ),
    case(
        "query-empty",
        "redirect of /sub?",
        "9110 15.4",
        get("/sub?"),
        outcome(*STATUSES, fields={"Location": STAYS}),
        outcome(200, 403, 404),
        level=SHOULD,
    ),
    case(
        "query-escape",
        "redirect of /sub?a%20b",
        "9110 15.4",
        get("/sub?a%20b"),
        outcome(*STATUSES, fields={"Location": re.compile(r"[^\r\n]*")}),
        outcome(200, 403, 404),
        level=SHOULD,
    ),
    *(
        case(
            name,
            f"redirect of {shown}",
            "9110 15.4",
            get(target),
            outcome(*STATUSES, fields={"Location": AS_ASKED}),
            outcome(200, 400, 403, 404, 421),
            level=SECURITY,
            at_root=True,
            kit=True,
        )
        for name, shown, target in (
            ("absolute", "http://evil.example/sub", "http://evil.example/sub"),
            ("absolute-host", "http://evil.example//evil.com", "http://evil.example//evil.com"),
        )
    ),
    case(
        "no-index",
        "directory without index",
        "9110 15.5.5",
        get(f"/{EMPTY_DIRECTORY}/"),
        outcome(200, 403, 404),
        level=MAY,
        note="A listing, or none.",
    ),
)
