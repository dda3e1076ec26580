"""What else is said to whom: fields, permissions, passwords."""

from base64 import b64encode
from dataclasses import replace

import pytest

from tinyhttp.core.caching import IMMUTABLE, Caching, parse_cache_rule
from tinyhttp.core.cors import Cors
from tinyhttp.core.policy import Policy
from tinyhttp.core.rules import CLOUDFLARE

from .sites import FakeSite, Outcome, ask, blocks, fields_of, protected, rules

SITE = FakeSite(
    {
        "/index.html": "home",
        "/about.html": "about",
        "/404.html": "no such page",
        "/app.3f2a91bc.js": "script",
        "/readme.txt": "text",
        "/readme.txt.gz": "zipped",
        "/docs/index.html": "docs",
        "/empty/note.txt": "note",
        "/private/index.html": "secret index",
        "/private/404.html": "secret 404",
        "/private/deep/note.txt": "secret note",
        "/secret.html": "secret page",
        "/secret.html.gz": "secret zipped",
        "/secret.html.br": "secret brotli",
    }
)
RIGHT = "Authorization: Basic " + b64encode(b"user:right").decode()
WRONG = "Authorization: Basic " + b64encode(b"user:wrong").decode()
IMMUTABLE_TEXT = IMMUTABLE.decode()


# Listings.


LISTING = Policy(listing=True)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
    ],
)
def test_listings(accept: str, content_type: str) -> None:
    outcome = ask(LISTING, SITE, "/empty/", f"Accept: {accept}")
    assert (outcome.status, outcome["Content-Type"]) == (200, content_type)
    assert outcome["Vary"] == "Accept"
    assert "note.txt" in outcome.body
    assert (outcome["Content-Security-Policy"] is not None) is ("html" in content_type)
    again = ask(LISTING, SITE, "/empty/", f"Accept: {accept}", f"If-None-Match: {outcome['ETag']}")
    assert (again.status, again["ETag"], again["Vary"]) == (304, outcome["ETag"], "Accept")
    head = ask(LISTING, SITE, "/empty/", f"Accept: {accept}", method="HEAD")
    assert head.response == outcome.response


def test_listings_are_sorted_as_asked() -> None:
    one, other = (ask(LISTING, SITE, f"/empty/?sort={key}") for key in ("size", "time"))
    assert one["ETag"] != other["ETag"]


def test_no_listing() -> None:
    assert ask(LISTING, SITE, "/docs/").body == "docs"
    assert ask(LISTING, SITE, "/nowhere/").status == 404
    assert ask(Policy(), SITE, "/empty/").status == 404
    assert ask(LISTING, SITE, "/empty")["Location"] == "/empty/"
    crowded = FakeSite(SITE.files)
    crowded.too_many = True
    assert ask(LISTING, crowded, "/empty/").status == 403


# How long it is kept.


CACHING = Policy(
    caching=Caching(
        [parse_cache_rule("*.html=max-age=60"), parse_cache_rule("/readme.txt=no-store")]
    ),
    redirects=rules(
        "/latest.js /app.3f2a91bc.js 200\n/gone.css /about 200\n/old /about.html 301\n"
        "/gone.3f2a91bc.js /docs 200\n/readme.html /readme.txt 200"
    ),
)


@pytest.mark.parametrize(
    ("policy", "target", "expected"),
    [
        (CACHING, "/about.html", "max-age=60"),
        (CACHING, "/", "max-age=60"),
        (CACHING, "/docs/", "max-age=60"),
        (CACHING, "/readme.txt", "no-store"),
        (CACHING, "/app.3f2a91bc.js", IMMUTABLE_TEXT),
        (CACHING, "/latest.js", None),
        (CACHING, "/gone.css", None),
        (CACHING, "/gone.3f2a91bc.js", "max-age=60"),
        (CACHING, "/readme.html", "no-store"),
        (CACHING, "/old", None),
        (CACHING, "/none.html", None),
        (Policy(caching=Caching()), "/about.html", "no-cache"),
        (Policy(caching=Caching()), "/docs/", "no-cache"),
        (Policy(caching=Caching()), "/readme.txt", None),
        (Policy(caching=Caching(fingerprints=False)), "/app.3f2a91bc.js", None),
        (replace(CACHING, clean_urls=True), "/about", "max-age=60"),
        (replace(CACHING, clean_urls=True), "/gone.css", "max-age=60"),
        (replace(CACHING, trailing_slash="remove"), "/docs", "max-age=60"),
        (replace(CACHING, clean_urls=True, trailing_slash="add"), "/about/", "max-age=60"),
    ],
)
def test_cache_control(policy: Policy, target: str, expected: str | None) -> None:
    whole = ask(policy, SITE, target)
    assert whole["Cache-Control"] == expected
    if whole.status == 200:
        unchanged = ask(policy, SITE, target, f"If-None-Match: {whole['ETag']}")
        assert (unchanged.status, unchanged["Cache-Control"]) == (304, expected)
        part = ask(policy, SITE, target, "Range: bytes=0-0")
        assert (part.status, part["Cache-Control"]) == (206, expected)
        failed = ask(policy, SITE, target, 'If-Match: "x"')
        assert (failed.status, failed["Cache-Control"]) == (412, None)


# Rules for fields.


TEXT = """
/*
  X-All: a
  Cache-Control: max-age=5
  Content-Language: eo
  Vary: X-More
/readme.txt
  X-Text: t
"""
NETLIFYS = Policy(field_rules=blocks(TEXT), redirects=rules("/old /about.html 301"))
CLOUDFLARES = Policy(
    field_rules=blocks(TEXT, CLOUDFLARE), redirects=rules("/old /about.html 301", CLOUDFLARE)
)
PLAIN_404 = Policy(field_rules=blocks(TEXT), own_pages=False)


@pytest.mark.parametrize(
    ("policy", "target", "fields", "status", "applied", "kept", "described"),
    [
        (NETLIFYS, "/readme.txt", [], 200, True, True, True),
        (NETLIFYS, "/readme.txt", ["Range: bytes=0-0"], 206, True, True, True),
        (NETLIFYS, "/readme.txt", ["If-None-Match: *"], 304, True, True, False),
        (NETLIFYS, "/none", [], 404, True, False, False),
        (PLAIN_404, "/none", [], 404, False, False, False),
        (NETLIFYS, "/old", [], 301, False, False, False),
        (NETLIFYS, "/docs", [], 301, False, False, False),
        (NETLIFYS, "/readme.txt", ['If-Match: "x"'], 412, False, False, False),
        (CLOUDFLARES, "/readme.txt", [], 200, True, True, True),
        (CLOUDFLARES, "/readme.txt", ["If-None-Match: *"], 304, True, True, False),
        (CLOUDFLARES, "/none", [], 404, True, False, False),
        (CLOUDFLARES, "/old", [], 301, True, True, False),
        (CLOUDFLARES, "/docs", [], 301, True, True, False),
        (CLOUDFLARES, "/readme.txt", ['If-Match: "x"'], 412, True, False, False),
    ],
)
def test_rules_for_fields(
    policy: Policy,
    target: str,
    fields: list[str],
    status: int,
    applied: bool,
    kept: bool,
    described: bool,
) -> None:
    outcome = ask(policy, SITE, target, *fields)
    assert outcome.status == status
    assert outcome["X-All"] == ("a" if applied else None)
    assert outcome["X-Text"] == ("t" if applied and target == "/readme.txt" else None)
    assert outcome["Cache-Control"] == ("max-age=5" if kept else None)
    assert outcome["Content-Language"] == ("eo" if described else None)
    varies = (outcome["Vary"] or "").split(", ")
    assert ("X-More" in varies) is applied
    if target == "/readme.txt" and status < 400:
        assert "Accept-Encoding" in varies


SECURE = Policy(
    fields=[(b"X-Frame-Options", b"SAMEORIGIN"), (b"Content-Security-Policy", b"base-uri 'self'")],
    secure_fields=[(b"Strict-Transport-Security", b"max-age=1")],
)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("target", "fields", "method", "status"),
    [
        ("/about.html", [], "GET", 200),
        ("/about.html", ["If-None-Match: *"], "GET", 304),
        ("/docs", [], "GET", 301),
        ("/none", [], "GET", 404),
        ("/%zz", [], "GET", 400),
        ("/about.html", [], "DELETE", 405),
    ],
)
def test_fields_of_every_response(
    target: str, fields: list[str], method: str, status: int, secure: bool
) -> None:
    outcome = ask(SECURE, SITE, target, *fields, method=method, secure=secure)
    assert outcome.status == status
    assert outcome["X-Frame-Options"] == "SAMEORIGIN"
    assert outcome["Strict-Transport-Security"] == ("max-age=1" if secure else None)
    assert outcome["Content-Security-Policy"] is not None


def test_what_is_ours_is_stricter_and_stays() -> None:
    page = ask(SECURE, FakeSite({}), "/none", "Accept: text/html")
    policy = page["Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    listing = ask(replace(SECURE, listing=True), SITE, "/empty/")["Content-Security-Policy"]
    assert listing is not None
    assert listing != "base-uri 'self'"


def test_rules_go_before_the_fields_of_every_response() -> None:
    text = "/about.html\n  X-Frame-Options: DENY\n"
    policy = replace(SECURE, field_rules=blocks(text))
    assert ask(policy, SITE, "/about.html")["X-Frame-Options"] == "DENY"
    assert ask(policy, SITE, "/readme.txt")["X-Frame-Options"] == "SAMEORIGIN"
    removing = replace(SECURE, field_rules=blocks("/*\n  ! X-Frame-Options\n", CLOUDFLARE))
    assert ask(removing, SITE, "/about.html")["X-Frame-Options"] is None


# Other sites.


FOR_ALL = Policy(cors=Cors(frozenset((b"*",))))
FOR_ONE = Policy(cors=Cors(frozenset((b"https://one.org",))))
ONE, OTHER = "Origin: https://one.org", "Origin: https://other.org"


@pytest.mark.parametrize("target", ["/readme.txt", "/none", "/docs", "/%zz"])
@pytest.mark.parametrize(
    ("policy", "fields", "allowed", "by_origin"),
    [
        (FOR_ALL, [], "*", False),
        (FOR_ALL, [OTHER], "*", False),
        (FOR_ONE, [ONE], "https://one.org", True),
        (FOR_ONE, [OTHER], None, True),
        (FOR_ONE, [], None, True),
        (Policy(), [ONE], None, False),
    ],
)
def test_who_may_read(
    policy: Policy, fields: list[str], allowed: str | None, by_origin: bool, target: str
) -> None:
    outcome = ask(policy, SITE, target, *fields)
    assert outcome["Access-Control-Allow-Origin"] == allowed
    assert ("Origin" in (outcome["Vary"] or "").split(", ")) is by_origin
    if target == "/readme.txt":
        assert "Accept-Encoding" in (outcome["Vary"] or "").split(", ")


@pytest.mark.parametrize(
    ("policy", "origin", "allowed"),
    [(FOR_ALL, OTHER, "*"), (FOR_ONE, ONE, "https://one.org"), (FOR_ONE, OTHER, None)],
)
def test_who_may_ask(policy: Policy, origin: str, allowed: str | None) -> None:
    wishes = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range, x-a"]
    for each in (policy, replace(policy, accesses=protected("/private"))):
        outcome = ask(each, SITE, "/private/", origin, *wishes, method="OPTIONS")
        assert (outcome.status, outcome.trace) == (204, [])
        assert outcome["Access-Control-Allow-Origin"] == allowed
        names = outcome["Access-Control-Allow-Headers"]
        assert names == (None if allowed is None else "range, x-a")
        assert (outcome["Vary"] == "Origin") is (policy is FOR_ONE)


# Not for everybody.


PRIVATE = Policy(
    accesses=protected("/private", "/secret.html"),
    redirects=rules(
        """
        /in      /private/          200
        /note    /private/deep/note.txt 404
        /out     /secret.html       301
        /forced  /private/deep/note.txt 200!
        /private/open /readme.txt   200!
        """
    ),
    listing=True,
)


@pytest.mark.parametrize(
    "target",
    [
        *("/private/", "/private/index.html", "/private/deep/note.txt", "/private/deep/"),
        *("/private/none", "/private", "/PRIVATE/", "/Private/deep/NOTE.txt", "/x/../private/"),
        *("/%70rivate/", "//private//", "/secret.html", "/secret.html.gz", "/SECRET.html.BR"),
        *("/in", "/note", "/forced"),
    ],
)
def test_a_password_is_asked_for(target: str) -> None:
    for fields in ([], [WRONG], ["Authorization: Bearer x"], ["Accept-Encoding: br", WRONG]):
        outcome = ask(PRIVATE, SITE, target, *fields)
        assert outcome.status == 401
        assert (outcome["WWW-Authenticate"] or "").startswith("Basic realm=")
        assert "secret" not in outcome.body
        assert outcome["Cache-Control"] == "private, no-cache"
    right = ask(PRIVATE, SITE, target, RIGHT)
    assert right.status in (200, 301, 404)
    assert right["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("target", ["/", "/readme.txt", "/out", "/private/open", "/privat", "/x"])
def test_no_password_is_asked_for(target: str) -> None:
    outcome = ask(PRIVATE, SITE, target)
    assert outcome.status != 401
    assert outcome["Cache-Control"] is None
    assert not [step for step in outcome.trace if step.startswith("verify")]


def test_the_page_of_a_protected_part_is_protected() -> None:
    outside, inside = (ask(PRIVATE, SITE, "/private/x", *f) for f in ([], [RIGHT]))
    assert (outside.status, outside.body.partition("\n")[0]) == (401, "401 Unauthorized")
    assert (inside.status, inside.body) == (404, "secret 404")


def test_clean_urls_are_no_way_around() -> None:
    for path in ("/secret", "/secret.html"):
        policy = Policy(accesses=protected(path, clean_urls=True), clean_urls=True)
        for slash in ("keep", "add", "remove"):
            for target in ("/secret", "/secret/", "/secret.html", "/secret.html.gz"):
                outcome = ask(replace(policy, trailing_slash=slash), SITE, target)
                assert outcome.status in (401, 308), (path, slash, target)


def test_a_program_whose_page_is_protected() -> None:
    site = FakeSite({"/index.html": "secret", "/open.txt": "open"})
    policy = Policy(spa=True, accesses=protected("/index.html"))
    for target in ("/", "/any/where", "/index.html"):
        assert ask(policy, site, target, "Accept: text/html").status == 401
        assert ask(policy, site, target, "Accept: text/html", RIGHT).body == "secret"
    assert ask(policy, site, "/open.txt").body == "open"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("no-store", "no-store"),
        ("private, max-age=60", "private, max-age=60"),
        ("max-age=60", "max-age=60"),
        ("private, must-revalidate", "private, must-revalidate"),
        ("public, max-age=60", "private, no-cache"),
        ("s-maxage=60", "private, no-cache"),
        ("max-age=60, must-revalidate", "private, no-cache"),
        ("PUBLIC", "private, no-cache"),
    ],
)
def test_shared_caches_do_not_keep_it(value: str, expected: str) -> None:
    """RFC 9111 section 3.5."""
    more = "  CDN-Cache-Control: max-age=9\n  Surrogate-Control: max-age=9\n"
    text = f"/*\n  Cache-Control: {value}\n{more}"
    policy = replace(PRIVATE, field_rules=blocks(text))
    inside: Outcome = ask(policy, SITE, "/private/", RIGHT)
    assert (inside.status, inside["Cache-Control"]) == (200, expected)
    assert inside["CDN-Cache-Control"] is inside["Surrogate-Control"] is None
    outside = ask(policy, SITE, "/readme.txt", RIGHT)
    assert (outside["Cache-Control"], outside["CDN-Cache-Control"]) == (value, "max-age=9")


def test_vary_is_one_line_whatever_adds_to_it() -> None:
    policy = replace(
        FOR_ONE, listing=True, spa=True, field_rules=blocks("/*\n  Vary: origin, X-More\n")
    )
    for target in ("/readme.txt", "/empty/", "/users", "/none.png", "/docs"):
        (line,) = fields_of(ask(policy, SITE, target).response, "Vary")
        names = [name.lower() for name in line.split(", ")]
        assert len(set(names)) == len(names)
        assert "origin" in names
