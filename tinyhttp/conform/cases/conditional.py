"""Conditional requests: RFC 9110 section 13.

A server without entity tags is not asked about them. What a condition says of a date can be asked
of any that sends Last-Modified.
"""

import re

from ..kit import A_TXT, KIT_DATE
from ..model import MAY, MUST, SHOULD, Case
from ..writing import case, get, outcome, reads

__all__ = ["CASES"]

A_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
DATED = frozenset({"date"})
NOT_MODIFIED = outcome(304, body=b"", fields={"Transfer-Encoding": None})
WHOLE = reads(A_TXT)
FAILED = outcome(412)
LATER = "Mon, 21 Sep 2026 00:00:00 GMT"
EARLIER = "Sun, 20 Sep 2026 14:13:19 GMT"

CASES: tuple[Case, ...] = (
    *(
        case(
            f"inm-{name}",
            f"If-None-Match {title}",
            "9110 13.1.2",
            get("/a.txt", f"If-None-Match: {value}"),
            NOT_MODIFIED,
        )
        for name, title, value in (
            ("tag", "tag", "{{etag}}"),
            ("weak", "W/tag", "W/{{etag}}"),
            ("in-list", '"x", tag', '"x", {{etag}}'),
            ("in-long-list", '"x","y" ,W/tag, "z"', '"x","y" ,W/{{etag}}, "z"'),
        )
    ),
    case(
        "inm-any", "If-None-Match *", "9110 13.1.2", get("/a.txt", "If-None-Match: *"), NOT_MODIFIED
    ),
    case(
        "inm-other",
        "If-None-Match of another",
        "9110 13.1.2",
        get("/a.txt", 'If-None-Match: "x"'),
        WHOLE,
    ),
    case(
        "inm-two-lines",
        "If-None-Match in two lines",
        "9110 5.3",
        get("/a.txt", 'If-None-Match: "x"', "If-None-Match: {{etag}}"),
        NOT_MODIFIED,
        level=SHOULD,
    ),
    case(
        "inm-comma-inside",
        "a comma within a tag",
        "9110 8.8.3",
        get("/a.txt", 'If-None-Match: "a, b"'),
        WHOLE,
    ),
    case(
        "inm-before-ims",
        "If-None-Match silences If-Modified-Since",
        "9110 13.1.3",
        get("/a.txt", 'If-None-Match: "x"', f"If-Modified-Since: {KIT_DATE}"),
        WHOLE,
    ),
    case(
        "inm-nothing",
        "If-None-Match of nothing",
        "9110 13.2.1",
        get("/none", "If-None-Match: *"),
        outcome(404),
    ),
    *(
        case(
            f"ims-{name}",
            f"If-Modified-Since {value}",
            "9110 13.1.3",
            get("/a.txt", f"If-Modified-Since: {value}"),
            NOT_MODIFIED,
            level=level,
            requires=DATED,
        )
        for name, value, level in (
            ("equal", KIT_DATE, SHOULD),
            ("rfc850", "Sunday, 20-Sep-26 14:13:20 GMT", SHOULD),
            ("asctime", "Sun Sep 20 14:13:20 2026", SHOULD),
            ("later", LATER, SHOULD),
        )
    ),
    *(
        case(
            f"ims-{name}",
            f"If-Modified-Since {value}",
            clause,
            get("/a.txt", f"If-Modified-Since: {value}"),
            WHOLE,
            *others,
            level=level,
            note=note,
        )
        for name, value, clause, level, others, note in (
            ("earlier", EARLIER, "9110 13.1.3", MUST, (), ""),
            ("nonsense", "nonsense", "9110 13.1.3", MUST, (), "No date: to be ignored."),
            (
                "no-such-day",
                "Sun, 31 Feb 2026 14:13:20 GMT",
                "9110 13.1.3",
                MUST,
                (),
                "No date: to be ignored.",
            ),
            (
                "other-zone",
                "Sun, 20 Sep 2026 14:13:20 +0000",
                "9110 13.1.3",
                MAY,
                (outcome(304),),
                "No date of HTTP; but a recipient may be robust.",
            ),
        )
    ),
    case(
        "ims-nothing",
        "If-Modified-Since of nothing",
        "9110 13.2.1",
        get("/none", f"If-Modified-Since: {LATER}"),
        outcome(404),
    ),
    case("im-tag", "If-Match", "9110 13.1.1", get("/a.txt", "If-Match: {{strong}}"), WHOLE),
    case("im-any", "If-Match of any", "9110 13.1.1", get("/a.txt", "If-Match: *"), WHOLE),
    case("im-other", "If-Match of another", "9110 13.1.1", get("/a.txt", 'If-Match: "x"'), FAILED),
    case(
        "im-weak",
        "If-Match of a weak one",
        "9110 13.1.1",
        get("/a.txt", "If-Match: W/{{etag}}"),
        FAILED,
        note="The comparison is strong.",
    ),
    case(
        "im-nothing",
        "If-Match of nothing",
        "9110 13.2.1",
        get("/none", "If-Match: *"),
        outcome(404, 412),
    ),
    case(
        "im-before-inm",
        "If-Match goes before If-None-Match",
        "9110 13.2.2",
        get("/a.txt", 'If-Match: "x"', "If-None-Match: {{etag}}"),
        FAILED,
    ),
    case(
        "ius-earlier",
        "If-Unmodified-Since",
        "9110 13.1.4",
        get("/a.txt", f"If-Unmodified-Since: {EARLIER}"),
        FAILED,
        requires=DATED,
    ),
    case(
        "ius-equal",
        "If-Unmodified-Since, unmodified",
        "9110 13.1.4",
        get("/a.txt", f"If-Unmodified-Since: {KIT_DATE}"),
        WHOLE,
    ),
    case(
        "ius-nonsense",
        "If-Unmodified-Since nonsense",
        "9110 13.1.4",
        get("/a.txt", "If-Unmodified-Since: nonsense"),
        WHOLE,
    ),
    case(
        "before-range",
        "conditions go before Range",
        "9110 13.2.2",
        get("/a.txt", "Range: bytes=0-0", "If-None-Match: {{etag}}"),
        NOT_MODIFIED,
    ),
    case(
        "last-modified",
        "files have Last-Modified",
        "9110 8.8.2.1",
        get("/a.txt"),
        reads(A_TXT, Last_Modified=KIT_DATE),
        level=SHOULD,
    ),
    case(
        "etag",
        "files have an ETag",
        "9110 8.8.3",
        get("/a.txt"),
        reads(A_TXT, ETag=A_TAG),
        level=SHOULD,
    ),
    case(
        "etag-304",
        "304 has the ETag",
        "9110 15.4.5",
        get("/a.txt", "If-None-Match: {{etag}}"),
        outcome(304, fields={"ETag": re.compile("(W/)?{{etag}}")}),
    ),
    case(
        "both-hold",
        "If-None-Match and If-Modified-Since hold",
        "9110 13.2.2",
        get("/a.txt", "If-None-Match: {{etag}}", f"If-Modified-Since: {EARLIER}"),
        NOT_MODIFIED,
    ),
)
