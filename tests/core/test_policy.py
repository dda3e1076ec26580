"""The way to a file: what is asked, in which order, and what comes of it."""

from dataclasses import replace

import pytest

from tinyhttp.core.caching import Caching, parse_cache_rule
from tinyhttp.core.policy import Policy
from tinyhttp.core.rules import CLOUDFLARE

from .sites import FakeSite, Outcome, ask, path_of, protected, rules

SITE = FakeSite(
    {
        "/index.html": "home",
        "/about.html": "about",
        "/style.css": "css",
        "/docs/index.html": "docs",
        "/docs/first.html": "first",
        "/docs/404.html": "no such document",
        "/404.html": "no such page",
        "/empty/note.txt": "note",
        "/locked.html": None,
        "/app.js": "plain",
        "/app.js.gz": "gz",
    }
)
PLAIN = Policy()
CLEAN = Policy(clean_urls=True)
HTML = "Accept: text/html,image/avif,*/*;q=0.8"


def location(outcome: Outcome) -> tuple[int, str | None]:
    return outcome.status, outcome["Location"]


# The order of steps.


@pytest.mark.parametrize(
    ("policy", "target", "status", "trace"),
    [
        (PLAIN, "/about.html", 200, ["/about.html"]),
        (PLAIN, "/docs", 301, ["/docs"]),
        (PLAIN, "/x", 404, ["/x", "/404.html"]),
        (PLAIN, "/x%2Fy", 404, ["/404.html"]),
        (PLAIN, "/docs/a/b", 404, ["/docs/a/b", "/docs/a/404.html", "/docs/404.html"]),
        (PLAIN, "/docs/a/", 404, ["/docs/a/", "/docs/a/404.html", "/docs/404.html"]),
        (PLAIN, "/%zz", 400, []),
        (PLAIN, "/locked.html", 403, ["/locked.html"]),
        (Policy(own_pages=False), "/x", 404, ["/x"]),
        (Policy(https_port=443), "/about.html", 308, []),
        (Policy(https_port=443), "/x%2Fy", 308, []),
        (Policy(canonical_host=b"www.example.org"), "/x", 308, []),
        (Policy(redirects=rules("/about.html /x 301!")), "/about.html", 301, []),
        (Policy(redirects=rules("/about.html /x 301")), "/about.html", 200, ["/about.html"]),
        (Policy(redirects=rules("/x /y 301")), "/x", 301, ["/x"]),
        (Policy(redirects=rules("/x /about.html 200")), "/x", 200, ["/x", "/about.html"]),
        (Policy(listing=True, spa=True), "/empty/", 200, ["/empty/", "list /empty/"]),
        (Policy(listing=True, spa=True), "/none/", 200, ["/none/", "list /none/", "/"]),
        (Policy(spa=True, redirects=rules("/* /about.html")), "/x", 301, ["/x"]),
        (CLEAN, "/about", 200, ["/about", "/about.html"]),
        (CLEAN, "/about.html", 308, ["/about.html", "/about"]),
        (CLEAN, "/docs", 301, ["/docs", "/docs.html"]),
    ],
)
def test_steps(policy: Policy, target: str, status: int, trace: list[str]) -> None:
    outcome = ask(policy, SITE, target)
    assert outcome.status == status
    assert outcome.trace == trace


def test_a_long_way_has_few_look_ups() -> None:
    outcome = ask(PLAIN, SITE, "/a" * 2000)
    assert len(outcome.trace) == 18
    assert outcome.trace[-1] == "/404.html"
    assert outcome.body == "no such page"


# Another scheme, another host.


@pytest.mark.parametrize(
    ("policy", "target", "fields", "secure", "expected"),
    [
        (Policy(https_port=443), "/a?b", ["Host: x.org:80"], False, "https://x.org/a?b"),
        (Policy(https_port=8443), "/a", ["Host: x.org:8080"], False, "https://x.org:8443/a"),
        (Policy(https_port=443), "/a", ["Host: [::1]:8"], False, "https://[::1]/a"),
        (Policy(https_port=443), "http://y.org/a", ["Host: x"], False, "https://y.org/a"),
        (Policy(https_port=443), "http://y.org", ["Host: x"], False, "https://y.org/"),
        (Policy(https_port=443), "//evil.org/", ["Host: x.org"], False, "https://x.org//evil.org/"),
        (Policy(https_port=443), "/a", ["Host: x.org"], True, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: X.ORG"], False, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org"], True, None),
        (Policy(canonical_host=b"x.org"), "/a?b", ["Host: y"], False, "http://x.org/a?b"),
        (Policy(canonical_host=b"x.org"), "/a?b", ["Host: y"], True, "https://x.org/a?b"),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org:81"], False, "http://x.org/a"),
        (Policy(canonical_host=b"x.org:81"), "/a", ["Host: x.org:81"], False, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org:80"], False, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org:"], False, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org:443"], True, None),
        (Policy(canonical_host=b"x.org:443"), "/a", ["Host: x.org"], True, None),
        (Policy(canonical_host=b"[::1]"), "/a", ["Host: [::1]:80"], False, None),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: x.org:80"], True, "https://x.org/a"),
        (Policy(canonical_host=b"x.org"), "http://x.org/a", ["Host: y"], False, None),
        (Policy(canonical_host=b"x.org"), "//e.org/", ["Host: y"], False, "http://x.org//e.org/"),
        (Policy(canonical_host=b"x.org"), "/a", ["Host: y(!)"], False, "http://x.org/a"),
        (Policy(canonical_host=b"x.org"), '/"<>', ["Host: y"], False, "http://x.org/%22%3C%3E"),
    ],
)
def test_elsewhere(
    policy: Policy, target: str, fields: list[str], secure: bool, expected: str | None
) -> None:
    outcome = ask(policy, SITE, target, *fields, secure=secure)
    assert location(outcome) == ((404, None) if expected is None else (308, expected))


@pytest.mark.parametrize("port", [443, 8443])
@pytest.mark.parametrize("name", [b"x.org", b"x.org:8443", b"[::1]", b"[::1]:8443"])
@pytest.mark.parametrize("host", ["Host: y.org:80", "Host:", "Host: (evil)", "Host: x.org"])
def test_scheme_and_host_in_one_step(port: int, name: bytes, host: str) -> None:
    """And where one is sent is the right place, whoever has asked."""
    policy = Policy(https_port=port, canonical_host=name)
    status, there = location(ask(policy, SITE, "/about.html?q", host))
    assert status == 308
    assert there is not None
    authority = there.removeprefix("https://").removesuffix("/about.html?q")
    with_port = name.decode() if name.endswith(b":8443") or port == 443 else f"{name.decode()}:8443"
    assert authority == with_port
    follow = ask(policy, SITE, "/about.html?q", f"Host: {authority}", secure=True)
    assert follow.status == 200


def test_a_client_that_names_no_host() -> None:
    """HTTP/1.0: only a host of ours is one to send it to."""
    assert ask(Policy(https_port=443), SITE, "/about.html", version="1.0").status == 400
    both = Policy(https_port=443, canonical_host=b"x.org")
    expected = 308, "https://x.org/about.html"
    assert location(ask(both, SITE, "/about.html", version="1.0")) == expected
    name = Policy(canonical_host=b"x.org")
    expected = 308, "http://x.org/about.html"
    assert location(ask(name, SITE, "/about.html", version="1.0")) == expected


@pytest.mark.parametrize("host", ["(evil)", "a'b", "a%0d%0ab", "a=b"])
def test_a_hostile_host_is_not_repeated(host: str) -> None:
    outcome = ask(Policy(https_port=443), SITE, "/about.html", f"Host: {host}")
    assert location(outcome) == (400, None)
    assert host not in outcome.body


# Rules.


RULES = rules(
    """
    /old           /about.html       301
    /moved/*       /docs/:splat      302
    /far           https://x.org/y   307
    /rewritten     /style.css        200
    /app           /docs             200
    /gone          /about.html       410
    /gone-too      /nowhere.html     410
    /lost          /nowhere.html     404
    /nothing       /nowhere          200
    /about.html    /never            301
    /style.css     /docs/            302!
    """
)


@pytest.mark.parametrize(
    ("target", "status", "expected"),
    [
        ("/old", 301, "/about.html"),
        ("/old?a=b", 301, "/about.html?a=b"),
        ("/moved/first.html", 302, "/docs/first.html"),
        ("/moved//evil.org", 302, "/docs/evil.org"),
        ("/far", 307, "https://x.org/y"),
        ("/style.css", 302, "/docs/"),
        ("/about.html", 200, "about"),
        ("/rewritten", 200, "css"),
        ("/app", 200, "docs"),
        ("/gone", 410, "about"),
        ("/gone-too", 410, "410 Gone\n"),
        ("/lost", 404, "no such page"),
        ("/nothing", 404, "no such page"),
        ("/none", 404, "no such page"),
    ],
)
def test_rules(target: str, status: int, expected: str) -> None:
    outcome = ask(Policy(redirects=RULES), SITE, target)
    assert outcome.status == status
    assert (outcome["Location"] or outcome.body) == expected


def test_a_rewrite_is_a_file_like_others() -> None:
    policy = Policy(redirects=RULES)
    whole = ask(policy, SITE, "/rewritten")
    etag = whole["ETag"]
    assert ask(policy, SITE, "/rewritten", f"If-None-Match: {etag}").status == 304
    part = ask(policy, SITE, "/rewritten", "Range: bytes=1-1")
    assert (part.status, part.body) == (206, "s")
    assert ask(policy, SITE, "/rewritten", 'If-Match: "x"').status == 412
    gone = ask(policy, SITE, "/gone", f"If-None-Match: {etag}", "Range: bytes=0-0")
    assert (gone.status, gone.body, gone["ETag"]) == (410, "about", None)


def test_a_rewrite_finds_pages_by_their_clean_names() -> None:
    policy = Policy(clean_urls=True, redirects=rules("/x/* /about 200"))
    assert ask(policy, SITE, "/x/y").body == "about"
    assert ask(replace(policy, clean_urls=False), SITE, "/x/y").status == 404


def test_the_other_dialect_goes_before_files() -> None:
    policy = Policy(redirects=rules("/about.html /docs/", CLOUDFLARE))
    assert location(ask(policy, SITE, "/about.html")) == (302, "/docs/")


# Other names.


NAMES = FakeSite(
    {
        "/index.html": "home",
        "/about.html": "about",
        "/about.html.gz": "zipped",
        "/both.html": "page of both",
        "/both/index.html": "index of both",
        "/shelf.html": "page of shelf",
        "/shelf/book.html": "book",
        "/plain": "no extension",
        "/plain.html": "page of plain",
        "/docs/index.html": "docs",
        "/docs/index.html.br": "brotli",
        "/.html": "hidden",
    }
)


def follow(policy: Policy, site: FakeSite, target: str, *fields: str) -> list[str]:
    """Return the ways that a client is sent, and in the end status and body."""
    way: list[str] = []
    for _ in range(8):
        outcome = ask(policy, site, target, *fields)
        found = outcome["Location"]
        if found is None:
            return [*way, f"{outcome.status} {outcome.body}"]
        way.append(found)
        target = found
    raise AssertionError(f"sent in circles: {way}")


@pytest.mark.parametrize(
    ("slash", "target", "expected"),
    [
        ("keep", "/", ["200 home"]),
        ("keep", "/index.html", ["/", "200 home"]),
        ("keep", "/index.html?a=b", ["/?a=b", "200 home"]),
        ("keep", "/about", ["200 about"]),
        ("keep", "/about.html", ["/about", "200 about"]),
        ("keep", "/about.html?x=1&y", ["/about?x=1&y", "200 about"]),
        ("keep", "/about/", ["/about", "200 about"]),
        ("keep", "/docs", ["/docs/", "200 docs"]),
        ("keep", "/docs/", ["200 docs"]),
        ("keep", "/docs/index.html", ["/docs/", "200 docs"]),
        ("keep", "/both", ["200 page of both"]),
        ("keep", "/both/", ["200 index of both"]),
        ("keep", "/both.html", ["/both", "200 page of both"]),
        ("keep", "/both/index.html", ["/both/", "200 index of both"]),
        ("keep", "/shelf", ["200 page of shelf"]),
        ("keep", "/shelf/", ["/shelf", "200 page of shelf"]),
        ("keep", "/shelf/book", ["200 book"]),
        ("keep", "/plain", ["200 no extension"]),
        ("keep", "/plain.html", ["200 page of plain"]),
        ("add", "/about", ["/about/", "200 about"]),
        ("add", "/about.html", ["/about/", "200 about"]),
        ("add", "/about/", ["200 about"]),
        ("add", "/docs", ["/docs/", "200 docs"]),
        ("add", "/docs/index.html", ["/docs/", "200 docs"]),
        ("add", "/both/", ["200 index of both"]),
        ("add", "/both.html", ["200 page of both"]),
        ("add", "/plain", ["200 no extension"]),
        ("remove", "/", ["200 home"]),
        ("remove", "/index.html", ["/", "200 home"]),
        ("remove", "/about/", ["/about", "200 about"]),
        ("remove", "/docs/?q", ["/docs?q", "200 docs"]),
        ("remove", "/docs", ["200 docs"]),
        ("remove", "/docs/index.html", ["/docs", "200 docs"]),
        ("remove", "/both", ["200 page of both"]),
        ("remove", "/both/", ["200 index of both"]),
        ("remove", "/both/index.html", ["200 index of both"]),
    ],
)
def test_clean_urls(slash: str, target: str, expected: list[str]) -> None:
    policy = Policy(clean_urls=True, trailing_slash=slash)
    assert follow(policy, NAMES, target) == expected


@pytest.mark.parametrize("target", ["/docs/", "/docs/index.html", "/docs", "/about.html"])
@pytest.mark.parametrize("slash", ["add", "remove", "keep"])
def test_slashes_without_clean_urls(slash: str, target: str) -> None:
    way = follow(Policy(trailing_slash=slash), NAMES, target)
    assert way[-1] == ("200 about" if "about" in target else "200 docs")
    moves = {("remove", "/docs/"): ["/docs"], ("add", "/docs"): ["/docs/"]}
    moves["keep", "/docs"] = ["/docs/"]
    assert way[:-1] == moves.get((slash, target), [])


@pytest.mark.parametrize(("target", "coding"), [("/about", "gzip"), ("/docs/", "br")])
def test_clean_urls_have_sidecars(target: str, coding: str) -> None:
    outcome = ask(CLEAN, NAMES, target, f"Accept-Encoding: {coding}")
    assert (outcome["Content-Encoding"], outcome["Vary"]) == (coding, "Accept-Encoding")


@pytest.mark.parametrize("slash", ["add", "keep", "remove"])
def test_another_index(slash: str) -> None:
    """What stands for a directory is what the site says, and not what is usual."""
    site = FakeSite(
        {"/d/home.html": "home", "/d/index.html": "index", "/e/index.html": "other"},
        ["home.html", "start.html"],
    )
    policy = Policy(clean_urls=True, trailing_slash=slash, index=(b"home.html", b"start.html"))
    assert follow(policy, site, "/d/home.html")[-1] == "200 home"
    assert follow(policy, site, "/d/index.html")[-1] == "200 index"
    assert follow(policy, site, "/e/index.html")[-1] == "200 other"


@pytest.mark.parametrize("slash", ["add", "keep", "remove"])
@pytest.mark.parametrize(
    ("rule", "target", "body"),
    [
        ("/about /about.html 301!", "/about", "about"),
        ("/about/ /about.html 301!", "/about/", "about"),
        ("/ /index.html 301!", "/", "home"),
        ("/about.html /about 301!", "/about.html", "about"),
        ("/x /about.html 301", "/x", "about"),
    ],
)
def test_rules_and_clean_urls_do_not_send_in_circles(
    slash: str, rule: str, target: str, body: str
) -> None:
    policy = Policy(clean_urls=True, trailing_slash=slash, redirects=rules(rule))
    assert follow(policy, NAMES, target)[-1] == f"200 {body}"


# An application of one page.


SPA = Policy(spa=True)


@pytest.mark.parametrize(
    ("target", "fields", "is_page"),
    [
        ("/users/7", [HTML], True),
        ("/users/7", [], True),
        ("/users/7", ["Accept: */*"], True),
        ("/users/7", ["Accept: application/xhtml+xml, text/html;q=0.1"], True),
        ("/users/7", ["Accept: text/html;q=0"], False),
        ("/users/7", ["Accept: image/avif,image/webp,image/*,*/*;q=0.8"], False),
        ("/users/7", ["Accept: image/png"], False),
        ("/users/7", ["Accept: text/css,*/*;q=0.1"], False),
        ("/users/7", ["Accept: application/json"], False),
        ("/users/7.png", [], False),
        ("/users/7.png", ["Accept: */*"], False),
        ("/users/7.png", [HTML], True),
        ("/users/", [HTML], True),
        ("/docs/none", [HTML], True),
        ("/x%2Fy", [HTML], True),
        ("/x%2Fy", ["Accept: */*"], False),
        ("/x%2Fy", ["Accept: image/png"], False),
    ],
)
def test_pages_of_a_program(target: str, fields: list[str], is_page: bool) -> None:
    outcome = ask(SPA, SITE, target, *fields)
    assert outcome.status == (200 if is_page else 404)
    assert (outcome.body == "home") is is_page
    varies = outcome["Vary"]
    assert varies is not None
    assert "Accept" in varies.split(", ")
    if is_page:
        assert outcome["Cache-Control"] == "no-cache"


def test_a_page_of_a_program_is_a_file_like_others() -> None:
    policy = replace(SPA, caching=Caching([parse_cache_rule("*=max-age=60")]))
    whole = ask(policy, SITE, "/users/7", HTML)
    assert whole["Cache-Control"] == "no-cache"
    unchanged = ask(policy, SITE, "/users/7", HTML, f"If-None-Match: {whole['ETag']}")
    assert (unchanged.status, unchanged["Cache-Control"]) == (304, "no-cache")
    assert unchanged["Vary"] == whole["Vary"] == "Accept"
    assert ask(policy, SITE, "/users/7", HTML, "Range: bytes=0-0").body == "h"
    assert ask(policy, SITE, "/users/7", HTML, 'If-Match: "x"').status == 412
    assert ask(policy, SITE, "/users/7", HTML, method="HEAD").response == whole.response


def test_files_go_before_the_program() -> None:
    assert ask(SPA, SITE, "/style.css", HTML).body == "css"
    assert ask(SPA, FakeSite({"/a": "a"}), "/b", HTML).status == 404


# Errors.


PAGES = Policy(
    error_pages={
        status: path_of(f"/errors/{status}.html")
        for status in (400, 401, 403, 404, 405, 406, 412, 416, 501, 503)
    },
    redirects=rules("/none/* /nowhere 200"),
    accesses=protected("/private"),
)
ERRORS = FakeSite(
    {
        **SITE.files,
        **{f"/errors/{status}.html": f"page {status}" for status in PAGES.error_pages},
    }
)
ERRORS.busy.add("/busy")

PROVOKED = [
    (400, "/%zz", [], "GET"),
    (401, "/private/x", [], "GET"),
    (403, "/locked.html", [], "GET"),
    (404, "/x", [], "GET"),
    (404, "/none/x", [], "GET"),
    (405, "/about.html", [], "POST"),
    (406, "/about.html", ["Accept-Encoding: identity;q=0"], "GET"),
    (412, "/about.html", ['If-Match: "x"'], "GET"),
    (416, "/about.html", ["Range: bytes=100-"], "GET"),
    (501, "/about.html", [], "BREW"),
    (503, "/busy", [], "GET"),
]


@pytest.mark.parametrize(("status", "target", "fields", "method"), PROVOKED)
def test_pages_for_errors(status: int, target: str, fields: list[str], method: str) -> None:
    outcome = ask(PAGES, ERRORS, target, *fields, method=method)
    assert outcome.status == status
    assert outcome.body == f"page {status}"
    assert outcome["Content-Type"] == "text/html; charset=utf-8"
    assert outcome["ETag"] is outcome["Last-Modified"] is None
    plain = ask(Policy(accesses=PAGES.accesses), ERRORS, target, *fields, method=method)
    assert plain.status == status
    for name in ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate"):
        assert outcome[name] == plain[name]
    assert [outcome["Allow"], outcome["Content-Range"], outcome["Retry-After"]].count(None) >= 2


@pytest.mark.parametrize(("status", "target", "fields", "method"), PROVOKED)
def test_a_page_that_is_not_there(status: int, target: str, fields: list[str], method: str) -> None:
    site = FakeSite({**SITE.files})
    site.busy.add("/busy")
    outcome = ask(PAGES, site, target, *fields, method=method)
    assert outcome.status == status
    assert outcome.body.startswith(f"{status} ")


def test_a_page_that_is_protected_or_busy() -> None:
    site = FakeSite({"/private/404.html": "secret", "/404.html": "root"})
    policy = Policy(accesses=protected("/private"), error_pages={404: path_of("/private/404.html")})
    outcome = ask(policy, site, "/x")
    assert (outcome.status, outcome["WWW-Authenticate"]) == (404, None)
    assert outcome.body == "404 Not Found\n"
    site = FakeSite({"/a/404.html": "near", "/404.html": "root"})
    site.busy.add("/a/404.html")
    assert ask(PLAIN, site, "/a/b").body == "root"


def test_what_an_error_varies_by_with_a_page_for_it() -> None:
    """The page is the same for all; whether one gets it goes by the codings."""
    outcome = ask(PAGES, ERRORS, "/about.html", "Accept-Encoding: identity;q=0")
    assert (outcome.status, outcome["Vary"]) == (406, "Accept-Encoding")
    assert ask(PAGES, ERRORS, "/x").response.fields.count((b"Vary", b"Accept")) == 0
