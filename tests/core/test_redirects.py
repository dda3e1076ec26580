"""Where rules lead: in both dialects, and never to where their author did not send anybody."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.test_path import RAW_PATHS
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.redirects import Redirect, Redirects, Rewrite, Rule, make_rule, plain_host
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.response import Refused
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect, Mistake
from tinyhttp.core.targets import MOST_OCTETS, is_url, parse_target, split_url

Expected = tuple[int, bytes] | None


def site_path(raw: bytes) -> SitePath:
    path = resolve(raw)
    assert path is not None
    return path


def read(text: str, dialect: Dialect) -> Redirects:
    """Return the rules in ``text``, none of which may be wrong."""
    rules, problems = parse_redirects(text, dialect)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return Redirects(rules)


def ruling(
    redirects: Redirects, target: bytes, host: bytes | None = b"www.example.com"
) -> Expected:
    """Return status and Location, or the path of the file."""
    raw, question, query = target.partition(b"?")
    found = redirects.match(site_path(raw), query if question else None, host)
    if found is None:
        return None
    if isinstance(found, Redirect):
        return found.status, found.location
    return found.status, found.path.escaped(directory=found.path.directory)


@pytest.mark.parametrize(
    ("rules", "target", "expected"),
    [
        pytest.param("/a /b", b"/a", (301, b"/b"), id="the status is 301"),
        pytest.param("/a /b 302", b"/a", (302, b"/b"), id="another status"),
        pytest.param("/a /b 303", b"/a", (303, b"/b"), id="303"),
        pytest.param("/a /b 307", b"/a", (307, b"/b"), id="307"),
        pytest.param("/a /b 308", b"/a", (308, b"/b"), id="308"),
        pytest.param("/a /b.html 200", b"/a", (200, b"/b.html"), id="a rewrite"),
        pytest.param("/a /no.html 404", b"/a", (404, b"/no.html"), id="a page for 404"),
        pytest.param("/a /no.html 410", b"/a", (410, b"/no.html"), id="a page for 410"),
        pytest.param("/a /b # c", b"/a", (301, b"/b"), id="a comment behind it"),
        pytest.param("  /a\t\t/b  301 \r\n", b"/a", (301, b"/b"), id="blanks"),
        pytest.param("\ufeff/a /b", b"/a", (301, b"/b"), id="a byte order mark"),
        pytest.param("/a /b\n/a /c", b"/a", (301, b"/b"), id="the first counts"),
        pytest.param("/* /b\n/a /c", b"/a", (301, b"/b"), id="even if the second is exact"),
        pytest.param("/a /c\n/* /b", b"/a", (301, b"/c"), id="or the other way round"),
        pytest.param("/:x /b\n/a/* /c", b"/a", (301, b"/b"), id="any before named"),
        pytest.param("/a/* /c\n/:x /b", b"/a", (301, b"/c"), id="named before any"),
        pytest.param("/a/* /b/:splat", b"/a/x/y", (301, b"/b/x/y"), id="a splat"),
        pytest.param("/a/* /b/:splat", b"/a/x/", (301, b"/b/x/"), id="a splat with a slash"),
        pytest.param("/a/* /b/:splat", b"/a", (301, b"/b/"), id="an empty splat"),
        pytest.param("/a /b", b"/a/", (301, b"/b"), id="slashes at the end don't matter"),
        pytest.param("/a/ /b", b"/a", (301, b"/b"), id="nor in the rule"),
        pytest.param("/a /a/", b"/a", (301, b"/a/"), id="a slash can be added"),
        pytest.param("/a /a/", b"/a/", None, id="once"),
        pytest.param(
            "/:y/:m /p/:m-:y", b"/2026/11", (301, b"/p/11-2026"), id="placeholders in any order"
        ),
        pytest.param("/s id=:id /p/:id", b"/s?id=7", (301, b"/p/7"), id="from the query"),
        pytest.param("/s id=:id /p/:id", b"/s", None, id="which is not there"),
        pytest.param("/s id=:id /p/:id", b"/s?id=", None, id="which is empty"),
        pytest.param("/s id=:id /p/:id", b"/s?ID=7", None, id="of another name"),
        pytest.param("/s id=7 /p", b"/s?id=7", (301, b"/p"), id="one value of the query"),
        pytest.param("/s id=7 /p", b"/s?id=8", None, id="another value"),
        pytest.param("/s a=:a b=:b /:b/:a", b"/s?b=2&a=1", (301, b"/2/1"), id="two of the query"),
        pytest.param("/s a=:a b=:b /:b/:a", b"/s?a=1", None, id="all must be there"),
        pytest.param("/s id=:id /p/:id", b"/s?id=7&x=1", (301, b"/p/7?x=1"), id="others are kept"),
        pytest.param("/s id=:id /p/:id", b"/s?id=a+b%20", (301, b"/p/a%20b%20"), id="unescaped"),
        pytest.param("/s id=:id /p/:id", b"/s?id=a%2Fb", None, id="a slash in it is no path"),
        pytest.param("/s id=:id /p/:id", b"/s?id=..", None, id="dots don't lead out of the target"),
        pytest.param("/s id=:id /p/:id", b"/s?id=%00", None, id="no NUL gets through"),
        pytest.param("/s id=a%20b /p", b"/s?id=a+b", (301, b"/p"), id="an escape in the rule"),
        pytest.param("/s id=:id /p?k=:id", b"/s?id=a%26b", (301, b"/p?k=a%26b"), id="into a query"),
        pytest.param("/a /b", b"/a?q=1", (301, b"/b?q=1"), id="the query is kept"),
        pytest.param("/a /b?x=1", b"/a?q=1", (301, b"/b?x=1"), id="unless there is one"),
        pytest.param("/a /b#c", b"/a?q=1", (301, b"/b?q=1#c"), id="a fragment comes last"),
        pytest.param(
            "/a https://x.example", b"/a", (301, b"https://x.example/"), id="a host alone"
        ),
        pytest.param(
            "/a/* https://x.example:8443/b/:splat?c#d",
            b"/a/e",
            (301, b"https://x.example:8443/b/e?c#d"),
            id="a URL",
        ),
        pytest.param(
            "https://old.example/* https://new.example/:splat",
            b"/a",
            None,
            id="a rule for another host",
        ),
        pytest.param(
            "http://WWW.Example.com/* https://new.example/:splat",
            b"/a",
            (301, b"https://new.example/a"),
            id="a rule for this host",
        ),
        pytest.param("/* 200", b"/a/b", (200, b"/a/b"), id="no target"),
        pytest.param("/a/* 200!", b"/a/b", (200, b"/a/b"), id="no target, in a directory"),
        pytest.param("/caf\u00e9 /th\u00e9", b"/caf%c3%a9", (301, b"/th%C3%A9"), id="UTF-8"),
        pytest.param("/a /%7eb", b"/a", (301, b"/~b"), id="an escape that needs none"),
        pytest.param("/a /b%2", b"/a", (301, b"/b%252"), id="a lonely percent sign"),
        pytest.param("/a /b//c", b"/a", (301, b"/b/c"), id="slashes are not repeated"),
        pytest.param("/a /x/Talk:Main", b"/a", (301, b"/x/Talk:Main"), id="a colon in the target"),
        pytest.param("/A /b", b"/a", None, id="the case counts"),
    ],
)
def test_netlify(rules: str, target: bytes, expected: Expected) -> None:
    assert ruling(read(rules, NETLIFY), target) == expected


@pytest.mark.parametrize(
    ("rules", "target", "expected"),
    [
        pytest.param("/a /b", b"/a", (302, b"/b"), id="the status is 302"),
        pytest.param("/a /b 301", b"/a", (301, b"/b"), id="another status"),
        pytest.param("/a /b 303", b"/a", (303, b"/b"), id="303"),
        pytest.param("/a /b 307", b"/a", (307, b"/b"), id="307"),
        pytest.param("/a /b 308", b"/a", (308, b"/b"), id="308"),
        pytest.param("/a /b.html 200", b"/a", (200, b"/b.html"), id="a rewrite"),
        pytest.param("/a /b 301 # c d", b"/a", (301, b"/b"), id="a comment behind three words"),
        pytest.param("/a /b # c d", b"/a", (302, b"/b"), id="a comment behind two"),
        pytest.param("/a /b#c", b"/a", (302, b"/b#c"), id="a fragment"),
        pytest.param("/a /b\n/a /c", b"/a", (302, b"/b"), id="the first counts"),
        pytest.param("/a /c\n/* /b", b"/a", (302, b"/c"), id="static rules first"),
        pytest.param("/* /b\n/a /c", b"/a", (302, b"/b"), id="but not behind a dynamic one"),
        pytest.param("/a /b", b"/a/", None, id="a slash at the end matters"),
        pytest.param("/a/ /b", b"/a", None, id="and that there is none"),
        pytest.param("/a/* /b/:splat", b"/a", None, id="the slash must be there"),
        pytest.param("/a/* /b/:splat", b"/a/x/", (302, b"/b/x/"), id="a splat"),
        pytest.param("/a/*/c /b/:splat", b"/a/x/y/c", (302, b"/b/x/y"), id="a splat inside"),
        pytest.param("/a/*/c /b/:splat", b"/a/c/c/c", (302, b"/b/c/c"), id="which is greedy"),
        pytest.param("/a* /b/:splat", b"/abc", (302, b"/b/bc"), id="a splat within a name"),
        pytest.param("/:y-:m /:m/:y", b"/2026-11", (302, b"/11/2026"), id="two in a name"),
        pytest.param("/:id /x:id_2", b"/7", (302, b"/x:id_2"), id="a name is not cut short"),
        pytest.param("/a /b", b"/a?q=1", (302, b"/b?q=1"), id="the query is kept"),
        pytest.param("/a /b?x=1", b"/a?q=1", (302, b"/b?x=1"), id="unless there is one"),
        pytest.param("/* /b//:splat", b"/x", (302, b"/b/x"), id="slashes are not repeated"),
        pytest.param(
            "/a/* https://x.example/:splat", b"/a/b", (302, b"https://x.example/b"), id="a URL"
        ),
        pytest.param("/a /b:c", b"/a", (302, b"/b:c"), id="what is no placeholder is text"),
    ],
)
def test_cloudflare(rules: str, target: bytes, expected: Expected) -> None:
    assert ruling(read(rules, CLOUDFLARE), target) == expected


@pytest.mark.parametrize(
    ("rules", "target"),
    [
        ("/a* /:splat", b"/a/evil.example"),
        ("/a* /:splat", b"/a//evil.example"),
        ("/a* /:splat", b"/a\\evil.example"),
        ("/a* /:splat", b"/a/%5Cevil.example"),
        ("/a* /:splat", b"/a%5C%5Cevil.example"),
        ("/a/* /:splat", b"/a/%09/evil.example"),
        ("/a/* /:splat", b"/a///evil.example/"),
        ("/:x/* /:splat/:x", b"/evil.example/"),
        ("/:x/* /:splat:x", b"/evil.example/%5C"),
        ("/:x/* /y:splat/:x/", b"/%0d%0aSet-Cookie:a=b/"),
        ("/* https://x.example/:splat", b"/%0d%0aSet-Cookie:a=b"),
        ("/* https://x.example/?:splat", b"/%0d%0aSet-Cookie:a=b"),
        ("/* https://x.example/#:splat", b"/%0d%0aSet-Cookie:a=b"),
        ("/* https://x.example:splat/", b"/.evil.example"),
    ],
)
def test_no_redirect_goes_anywhere_else(rules: str, target: bytes) -> None:
    """The class of attack T5: what the client sends chooses no host, and ends no line."""
    rules_there, problems = parse_redirects(rules, CLOUDFLARE)
    if not rules_there:
        assert [p.severity for p in problems] == ["error"]
        return
    found = ruling(Redirects(rules_there), target)
    assert found is not None
    location = found[1]
    assert re.match(rb"https://x\.example/|/(?![/\\])", location)
    assert re.fullmatch(rb"[\x21-\x7e]+", location)
    assert b"\\" not in location


@pytest.mark.parametrize("status", [200, 301])
@pytest.mark.parametrize(
    "target",
    [b"/a../x", b"/a..", b"/a/../../x", b"/a%2e%2e/x", b"/a.", b"/a%2e/x"],
)
def test_a_splat_does_not_lead_out_of_its_target(target: bytes, status: int) -> None:
    redirects = read(f"/a* /inside/:splat {status}", CLOUDFLARE)
    found = redirects.match(site_path(target))
    assert found is None


def test_dots_are_not_put_together_from_pieces() -> None:
    redirects = read("/f:x /in/%2e:x/y 200\n/g:x /in/.:x/y 200", CLOUDFLARE)
    assert redirects.match(site_path(b"/f.")) is None
    assert redirects.match(site_path(b"/g.")) is None
    assert ruling(redirects, b"/fa") == (200, b"/in/.a/y")


def test_escapes_are_undone_once() -> None:
    """The class of attack T11: what is matched is what is opened."""
    redirects = read("/private/* /login.html 200!", NETLIFY)
    for target in (
        b"/private/x",
        b"/%70rivate/x",
        b"//private/x",
        b"/./private//x",
        b"/a/../private/x",
    ):
        assert ruling(redirects, target) == (200, b"/login.html")
    for target in (b"/%2570rivate/x", b"/PRIVATE/x", b"/private%5Cx"):
        assert ruling(redirects, target) is None
    assert ruling(read("/a/* /b/:splat 200", NETLIFY), b"/a/%252e%252e/c") == (
        200,
        b"/b/%252e%252e/c",
    )


def test_a_rule_is_passed_over_where_it_would_lead_back() -> None:
    redirects = read("/* https://www.example.com/:splat 301!\n/x /y", NETLIFY)
    assert ruling(redirects, b"/a?b", b"example.com") == (301, b"https://www.example.com/a?b")
    assert ruling(redirects, b"/a?b", b"WWW.EXAMPLE.COM:8080") is None
    assert ruling(redirects, b"/x", b"www.example.com.") == (301, b"/y")
    assert redirects.asks_host


def test_what_becomes_too_long_is_no_target() -> None:
    redirects = read("/:a /x" + "-:a" * 100, NETLIFY)
    assert ruling(redirects, b"/a") is not None
    assert ruling(redirects, b"/" + b"a" * (MOST_OCTETS // 100)) is None
    with_query = read("/:a /x?" + ":a" * 100, NETLIFY)
    assert ruling(with_query, b"/" + b"a" * (MOST_OCTETS // 100 + 1)) is None


class TestTheOrderOfRulesAndFiles:
    def test_only_forced_rules_come_first(self) -> None:
        redirects = read("/a /b\n/c /d 301!", NETLIFY)
        assert redirects.has_forced
        assert redirects.first(site_path(b"/a")) is None
        assert redirects.first(site_path(b"/c")) is not None
        assert redirects.otherwise(site_path(b"/a")) is not None
        assert redirects.otherwise(site_path(b"/x")) is None

    def test_the_first_that_matches_decides_though_a_forced_one_follows(self) -> None:
        redirects = read("/a/* /b\n/a/x /d 301!", NETLIFY)
        assert redirects.first(site_path(b"/a/x")) is None
        found = redirects.otherwise(site_path(b"/a/x"))
        assert isinstance(found, Redirect)
        assert found.location == b"/b"

    def test_none_is_asked_for_if_none_is_forced(self) -> None:
        redirects = read("/a /b", NETLIFY)
        assert not redirects.has_forced
        assert redirects.first(site_path(b"/a")) is None

    def test_all_come_first_in_the_other_dialect(self) -> None:
        redirects = read("/a /b\n/c /d 200", CLOUDFLARE)
        first = redirects.first(site_path(b"/a"))
        assert first is not None
        assert first.forced
        second = redirects.first(site_path(b"/c"))
        assert isinstance(second, Rewrite)
        assert second.forced

    def test_no_rules_say_nothing(self) -> None:
        redirects = Redirects([])
        assert redirects.first(site_path(b"/")) is None
        assert redirects.otherwise(site_path(b"/")) is None
        assert not redirects.asks_query
        assert not redirects.asks_host

    def test_two_dialects_do_not_mix(self) -> None:
        rules = [make_rule(d, from_="/a", to="/b") for d in (NETLIFY, CLOUDFLARE)]
        with pytest.raises(ValueError, match="two dialects"):
            Redirects(rules)

    def test_whether_the_query_is_asked(self) -> None:
        assert read("/a b=c /d", NETLIFY).asks_query
        assert not read("/a /d", NETLIFY).asks_query


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("b", "begins with '/'"),
        ("", "begins with '/'"),
        ("ftp://x.example/", "begins with '/'"),
        ("javascript:alert(1)", "begins with '/'"),
        ("//x.example/", "another host"),
        ("/\\x.example/", "another host"),
        ("/a\\b", "backslash"),
        ("/a\r\nSet-Cookie: x", "control character"),
        ("/a\0", "control character"),
        ("/a%00", "no place"),
        ("/a%2fb", "no place"),
        ("/a/../b", "no place"),
        ("/%2e%2e/b", "no place"),
        ("/a/.", "no place"),
        ("https://x.example/a/../b", "no place"),
        ("https://", "no name in ASCII"),
        ("https:///a", "no name in ASCII"),
        ("https://\u00e9.example/", "no name in ASCII"),
        ("https://a b/", "no name in ASCII"),
        ("https://x.example:port/", "would let the client choose"),
        ("https://x.example:999999/", "no name in ASCII"),
        ("https://:who.example/", "would let the client choose"),
        ("https://u:p@x.example/", "would let the client choose|user and password"),
        ("https://u@x.example/", "user and password"),
        ("/b/:unknown", "stands for nothing"),
        ("/:splat", "stands for nothing"),
        ("/\ud800", "not text"),
    ],
)
def test_what_is_no_target(target: str, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        parse_target(target, ["id"])


def test_addresses_are_hosts() -> None:
    for text in ("https://192.0.2.1/", "http://[2001:db8::1]:8080/", "HTTPS://x.example"):
        assert parse_target(text, []).location({}, None) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://a/b", True), ("HTTP://a", True), ("http:/a", False), ("/a", False), ("", False)],
)
def test_what_begins_as_a_url(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_what_is_no_url() -> None:
    with pytest.raises(Mistake, match="no URL"):
        split_url("/a")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"from_": "a", "to": "/b"}, "begin with a slash"),
        ({"from_": "/a"}, "no target"),
        ({"from_": "/a/*", "status": 301}, "no target"),
        ({"from_": "/a", "to": "https://x.example/", "status": 200}, "not supported"),
        ({"from_": "/a", "to": "https://x.example/", "status": 404}, "a file of this site"),
        ({"from_": "/a", "to": "/.netlify/functions/x", "status": 200}, "functions"),
        ({"from_": "https://a/b", "to": "/b", "host": "c"}, "host is given twice"),
        ({"from_": "/b", "to": "/c", "host": ""}, "no host"),
        ({"from_": "/b", "to": "/c", "host": "."}, "no host"),
        ({"from_": "/b", "to": "/c", "host": "a/b"}, "no host"),
        ({"from_": "https://*.example/b", "to": "/c"}, "no host"),
        ({"from_": "https://:x.example/b", "to": "/c"}, "no host"),
        ({"from_": "/:x", "to": "/b", "query": {"a": ":x"}}, "two things"),
        ({"from_": "/b", "to": "/c", "query": {"": "a"}}, "no name"),
        ({"from_": "/a", "to": "/b/:x", "query": {"x": "1"}}, "stands for nothing"),
    ],
)
def test_what_makes_no_rule(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(Mistake, match=why):
        make_rule(NETLIFY, **parts)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (None, None),
        (b"", None),
        (b"Example.COM", b"example.com"),
        (b"example.com:80", b"example.com"),
        (b"example.com.:80", b"example.com"),
        (b"[2001:DB8::1]:80", b"[2001:db8::1]"),
        (b"[2001:db8::1]", b"[2001:db8::1]"),
        (b":80", b""),
    ],
)
def test_the_host_of_an_authority(authority: bytes | None, host: bytes | None) -> None:
    assert plain_host(authority) == host


# Properties.

PIECES = st.sampled_from(
    ["/", "//", "a", "*", ":x", ":splat", "..", "%2e", "\\", "%2f", "?", "#", ":y", "\u00e9", "-"]
)
PATHS = st.lists(PIECES, max_size=6).map(lambda parts: "/" + "".join(parts))
TARGETS = PATHS | PATHS.map(lambda path: "https://x.example" + path)
STATUSES = st.sampled_from([200, 301, 302, 307, 404])
QUERIES = st.none() | st.binary(max_size=20) | st.just(b"k=%0d%0a%2f%2fevil.example")


def rule_or_none(dialect: Dialect, from_: str, to: str, status: int) -> Rule | None:
    try:
        return make_rule(dialect, from_=from_, to=to, status=status)
    except Mistake:
        return None


@given(st.sampled_from([NETLIFY, CLOUDFLARE]), PATHS, TARGETS, STATUSES, RAW_PATHS, QUERIES)
@example(CLOUDFLARE, "/a*", "/:splat", 301, b"/a//evil.example", None)
@example(NETLIFY, "/a/*", "/:splat#:splat", 301, b"/a/%0d%0a", b"\r\n")
def test_whatever_a_rule_makes_is_a_location_or_a_path(
    dialect: Dialect, from_: str, to: str, status: int, raw: bytes, query: bytes | None
) -> None:
    rule = rule_or_none(dialect, from_, to, status)
    if rule is None:
        return
    try:
        path = resolve(raw)
    except Refused:
        return
    for asked in (path, rule.pattern.sample()):
        if asked is None:
            continue
        found = Redirects([rule]).match(asked, query, b"h.example")
        if isinstance(found, Redirect):
            assert re.fullmatch(rb"(?:https://x\.example)?/[\x21-\x7e]*", found.location)
            assert not found.location.startswith((b"//", b"/\\"))
        elif found is not None:
            assert not {b"", b".", b".."} & set(found.path.segments)
            assert not any(set(b"/\0") & set(name) for name in found.path.segments)
