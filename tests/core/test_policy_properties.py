"""What holds for any request to any policy."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from tests.support import NOW
from tinyhttp.core.caching import Caching
from tinyhttp.core.cors import Cors
from tinyhttp.core.field_rules import FieldRules
from tinyhttp.core.known_files import MOST, KnownFiles
from tinyhttp.core.other_names import shorter
from tinyhttp.core.policy import Policy
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.resource import File
from tinyhttp.core.response import REASONS, Refused, Response
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect

from .sites import FakeSite, ask, blocks, fields_of, path_of, protected, request_of, rules
from .test_policy_fields import RIGHT, WRONG

NAMES = ["a", "b", "a.html", "index.html", "index", "404.html", "a.css", "private", "_next"]
SECRET = "the secret"

TARGETS = st.one_of(
    st.lists(
        st.sampled_from([*NAMES, "", ".", "..", "%61", "PRIVATE", "a.html.gz"]), max_size=4
    ).map(lambda names: "/" + "/".join(names)),
    st.text("/ab.%2f5c\\?&=:@*;!~'\"<>|^[]{}(),$+-_`", max_size=12).map(
        lambda text: "/" + text.replace("#", "").replace(" ", "")
    ),
)
FIELDS = st.lists(
    st.sampled_from(
        [
            *("Accept: text/html", "Accept: */*", "Accept: application/json", "Accept: image/png"),
            *(
                "Accept-Encoding: gzip",
                "Accept-Encoding: identity;q=0",
                "Accept-Encoding: br, *;q=0",
            ),
            *("If-None-Match: *", 'If-Match: "x"', "Range: bytes=1-2", "Range: bytes=999-"),
            *("Range: bytes=0-0,2-2", "If-Modified-Since: Sun, 20 Sep 2037 14:13:20 GMT"),
            *("Origin: https://one.org", "Origin: null", WRONG),
        ]
    ),
    max_size=4,
    unique_by=lambda line: line.partition(":")[0],
)
HOSTS = st.sampled_from(
    ["localhost", "x.org", "x.org:80", "X.ORG:443", "x.org:8443", "(evil)", "[::1]:1", "a%0d%0ab"]
)

RULES: dict[Dialect, list[Redirects | None]] = {
    NETLIFY: [
        None,
        rules("/a /b 302\n/b/* /:splat 301\n/c /private/a 200!"),
        rules("/a /a.html 301!\n/index /index.html 301!\n/* /index.html 200"),
        rules("/:x/b /private/:x 200\n/* https://x.org/:splat 302"),
        rules("/* /404.html 404"),
    ],
    CLOUDFLARE: [None, rules("/a /a.html\n/b/* /a/:splat 301\n/x/:y /:y 200", CLOUDFLARE)],
}
BLOCKS = {
    NETLIFY: [None, blocks("/*\n  X-A: b\n  Vary: Accept, X\n  Cache-Control: public\n")],
    CLOUDFLARE: [
        None,
        blocks("/:name\n  X-Name: :name\n/*\n  X-All: <:splat>\n  ! ETag-X\n", CLOUDFLARE),
    ],
}


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    dialect = draw(st.sampled_from([NETLIFY, CLOUDFLARE]))
    clean = draw(st.booleans())
    cors = draw(st.sampled_from([None, frozenset((b"*",)), frozenset((b"https://one.org",))]))
    redirects: Redirects | None = draw(st.sampled_from(RULES[dialect]))
    field_rules: FieldRules | None = draw(st.sampled_from(BLOCKS[dialect]))
    errors = draw(st.lists(st.sampled_from([404, 416, 401, 406, 400]), unique=True))
    return Policy(
        listing=draw(st.booleans()),
        clean_urls=clean,
        trailing_slash=draw(st.sampled_from(["keep", "add", "remove"])),
        spa=draw(st.booleans()),
        own_pages=draw(st.booleans()),
        error_pages={
            status: path_of(draw(st.sampled_from(["/a.html", "/no"]))) for status in errors
        },
        redirects=redirects,
        field_rules=field_rules,
        caching=draw(st.sampled_from([None, Caching()])),
        cors=None if cors is None else Cors(cors),
        accesses=protected(
            *draw(st.sampled_from([[], ["/private"], ["/"], ["/a", "/b"]])), clean_urls=clean
        ),
        https_port=draw(st.sampled_from([None, 443, 8443])),
        canonical_host=draw(st.sampled_from([None, b"x.org", b"x.org:81", b"x.org:443"])),
        fields=draw(st.sampled_from([[], [(b"X-Frame-Options", b"DENY")]])),
        secure_fields=draw(st.sampled_from([[], [(b"Strict-Transport-Security", b"max-age=1")]])),
    )


SITES = st.builds(
    FakeSite,
    st.dictionaries(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda n: "/" + "/".join(n)),
        st.sampled_from(["content", "more content", "", None]),
        max_size=8,
    ).map(lambda files: {**files, "/private/a": SECRET, "/private/index.html": SECRET}),
)

NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


def check_form(response: Response) -> None:
    assert response.status in REASONS
    for field, value in response.fields:
        assert NAME.fullmatch(field), field
        assert VALUE.fullmatch(value), value
    for name in ("Content-Type", "Vary", "Location", "ETag", "Cache-Control", "Content-Encoding"):
        assert len(fields_of(response, name)) <= 1, name
    has_body = response.status not in (204, 304)
    assert len(fields_of(response, "Content-Type")) == has_body
    (location,) = fields_of(response, "Location") or ["/"]
    assert re.match(r"/(?![/\\])|https?://[A-Za-z0-9.\[:\]]+(?:/|$)", location), location
    if isinstance(response.body, bytes) and has_body:
        assert response.length == len(response.body)


@given(policies(), SITES, TARGETS, FIELDS, HOSTS, st.booleans())
def test_every_response_is_well_formed(
    policy: Policy, site: FakeSite, target: str, fields: list[str], host: str, secure: bool
) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        outcome = ask(policy, site, target, f"Host: {host}", *fields, method=method, secure=secure)
        check_form(outcome.response)
        assert len(outcome.trace) <= 40


def octets_of(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    pieces = [piece for piece in response.body if isinstance(piece, bytes)]
    return b"".join(pieces)


@given(policies(), SITES, TARGETS, FIELDS)
def test_what_is_protected_is_in_no_body(
    policy: Policy, site: FakeSite, target: str, fields: list[str]
) -> None:
    policy = replace(policy, accesses=protected("/private", clean_urls=policy.clean_urls))
    outcome = ask(policy, site, target, *fields, secure=True)
    assert SECRET.encode() not in octets_of(outcome.response)
    assert b"secret" not in octets_of(outcome.response)


@given(policies(), SITES, TARGETS)
def test_what_a_password_was_asked_for_is_not_shared(
    policy: Policy, site: FakeSite, target: str
) -> None:
    """And nothing is said of it that would be said to everybody."""
    policy = replace(policy, accesses=protected("/private", clean_urls=policy.clean_urls))
    outcome = ask(policy, site, target, RIGHT, secure=True)
    if any(step.startswith("verify") for step in outcome.trace):
        said = outcome["Cache-Control"]
        assert said is not None
        assert "public" not in said
        assert "s-maxage" not in said


UNRULED = policies().map(lambda policy: replace(policy, redirects=None))
"""Rules may lead in circles, of which their author is told."""
FORCED = st.sampled_from(
    [
        None,
        rules("/a /a.html 301!"),
        rules("/a/ /a.html 301!"),
        rules("/ /index.html 301!"),
        rules("/a.html /a 301!"),
        rules("/b/ /b/index.html 301!"),
        rules("/x/* /:splat 301"),
        rules("/a/b /b 301"),
    ]
)


@given(UNRULED, SITES, TARGETS, HOSTS, FORCED, st.booleans())
def test_nobody_is_sent_in_circles(
    policy: Policy,
    site: FakeSite,
    target: str,
    host: str,
    redirects: Redirects | None,
    is_terse: bool,
) -> None:
    """Neither those who name the usual port nor those who leave it out."""
    policy = replace(policy, redirects=redirects)
    secure, way = False, [target]
    while True:
        outcome = ask(policy, site, target, f"Host: {host}", RIGHT, secure=secure)
        location = outcome["Location"]
        if location is None:
            break
        way.append(location)
        assert len(way) <= 5, way  # the scheme and host; the rule; the slash; the name
        parts = urlsplit(location)
        if parts.scheme:
            secure, host = parts.scheme == "https", parts.netloc
            location = location.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
            if is_terse:
                host = host.removesuffix(":443" if secure else ":80")
        target = location


@given(policies(), SITES, TARGETS, FIELDS)
def test_head_is_answered_as_get(
    policy: Policy, site: FakeSite, target: str, fields: list[str]
) -> None:
    fields = [field for field in fields if not field.startswith("Range")]
    get, head = (
        ask(policy, site, target, *fields, RIGHT, method=method, secure=True)
        for method in ("GET", "HEAD")
    )
    assert get == head


@given(policies(), SITES, TARGETS, FIELDS, HOSTS, st.booleans())
def test_a_known_file_is_answered_as_any_other(
    policy: Policy, site: FakeSite, target: str, fields: list[str], host: str, secure: bool
) -> None:
    try:
        request, path = request_of(policy, target, f"Host: {host}", *fields)
    except Refused:
        return
    file = None if path is None else site.look_up(path)
    if path is None or not isinstance(file, File):
        return
    known = KnownFiles(policy)
    for _ in range(2):
        response = known.respond(request, path, file, NOW, secure=secure)
        asked = ask(policy, site, target, f"Host: {host}", *fields, secure=secure)
        if response is not None:
            assert asked.response == response
            assert len(asked.trace) == 1
        elif asked.status in (200, 206, 304) and len(asked.trace) == 1:
            assert policy.redirects is not None or shorter(policy, path) is not None
    assert len(known.remembered) <= 1


def test_known_files_are_bounded() -> None:
    policy = Policy(caching=Caching(), field_rules=blocks("https://a/*\n  X: y\n", CLOUDFLARE))
    site = FakeSite({"/a": "a"})
    known = KnownFiles(policy)
    file = site.look_up(path_of("/a"))
    assert isinstance(file, File)
    for number in range(MOST + 10):
        request, path = request_of(policy, f"/{number % 7}", f"Host: x{number}")
        assert path is not None
        assert known.respond(request, path, file, NOW, secure=False) is not None
        assert len(known.remembered) <= MOST
    assert len(known.remembered) == 10
