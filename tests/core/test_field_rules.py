"""What rules do to the fields of a response."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_path import SITE_PATHS
from tests.core.test_patterns import calls_during
from tinyhttp.core.field_rules import MOST_OCTETS, FieldRules, Operations, merge
from tinyhttp.core.field_rules_file import parse_headers
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect, Problem

BOTH = pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)


def read(text: str, dialect: Dialect) -> FieldRules:
    """Return the rules in ``text``, none of which may be wrong."""
    rules, problems = parse_headers(text, dialect)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return FieldRules(rules, dialect)


def apply(
    text: str, dialect: Dialect, raw: bytes, host: bytes | None = b"example.com"
) -> dict[bytes, tuple[bytes, ...]]:
    path = resolve(raw)
    assert path is not None
    return dict(read(text, dialect).apply(path, host))


@pytest.mark.parametrize(
    ("pattern", "raw", "netlify", "cloudflare"),
    [
        ("/*", b"/", True, True),
        ("/*", b"/a/b", True, True),
        ("/a/*", b"/a/b", True, True),
        ("/a/*", b"/a", True, False),
        ("/a/*", b"/ab", False, False),
        ("/*.js", b"/a/b.js", True, True),
        ("/*.js", b"/a/b.mjs", False, False),
        ("/a/b*c/d", b"/a/bxc/d", True, True),
        ("/a/b*c/d", b"/a/bx/d", False, False),
        ("/:x/a", b"/b/a", True, True),
        ("/:x/a", b"/b/c/a", False, False),
        ("/A", b"/a", True, False),
        ("/a", b"/A", True, False),
        ("/a", b"/a/", True, False),
        ("/a/", b"/a", True, False),
        ("/a", b"/%61", True, True),
    ],
)
def test_which_paths_match(pattern: str, raw: bytes, netlify: bool, cloudflare: bool) -> None:
    text = f"{pattern}\n  X-A: 1"
    assert bool(apply(text, NETLIFY, raw)) is netlify
    assert bool(apply(text, CLOUDFLARE, raw)) is cloudflare


@pytest.mark.parametrize(
    ("text", "netlify", "cloudflare"),
    [
        pytest.param("/*\n X-A: 1\n X-A: 2", (b"1, 2",), (b"1, 2",), id="twice in a block"),
        pytest.param("/*\n X-A: 1\n x-a: 2", (b"1, 2",), (b"1, 2",), id="in another case"),
        pytest.param("/*\n X-A: 1\n/a\n X-A: 2", (b"2",), (b"1, 2",), id="two blocks"),
        pytest.param("/a\n X-A: 1\n/a\n X-A: 2", (b"2",), (b"1, 2",), id="two for the same path"),
        pytest.param("/a\n X-A: 1\n/*\n X-A: 2", (b"2",), (b"1, 2",), id="the order is the file's"),
        pytest.param("/:x\n X-A: 1\n/a\n X-A: 2\n/*\n X-A: 3", (b"3",), (b"1, 2, 3",), id="three"),
    ],
)
def test_several_rules(text: str, netlify: tuple[bytes], cloudflare: tuple[bytes]) -> None:
    assert list(apply(text, NETLIFY, b"/a").values()) == [netlify]
    assert list(apply(text, CLOUDFLARE, b"/a").values()) == [cloudflare]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/*\n X-A: 1\n/a\n ! X-A", {b"x-a": ()}, id="what was set"),
        pytest.param("/a\n ! X-A\n/*\n X-A: 1", {b"X-A": (b"1",)}, id="and set again"),
        pytest.param("/a\n ! X-A\n X-A: 1", {b"X-A": (b"1",)}, id="first, in one block"),
        pytest.param("/a\n X-A: 1\n ! X-A", {b"X-A": (b"1",)}, id="first, though it comes last"),
        pytest.param("/a\n ! X-A", {b"x-a": ()}, id="what the server has set"),
        pytest.param("/b\n ! X-A", {}, id="elsewhere"),
    ],
)
def test_fields_are_removed(text: str, expected: dict[bytes, tuple[bytes, ...]]) -> None:
    assert apply(text, CLOUDFLARE, b"/a") == expected


@pytest.mark.parametrize(
    ("text", "raw", "expected"),
    [
        ("/a/*\n X-A: b/:splat", b"/a/c/d", b"b/c/d"),
        ("/:x/:y\n X-A: :y :x", b"/a/b", b"b a"),
        ("/:id\n X-A: :id_2:id", b"/a", b":id_2a"),
        ("/*\n X-A: 12:30", b"/a", b"12:30"),
        ("/*\n X-A: :splat", b"/%0d%0aX:%20y", b"%0D%0AX:%20y"),
        ("/*\n Link: </:splat>; rel=canonical", b"/a%3E,b", b"</a%3E%2Cb>; rel=canonical"),
        ("https://:p.pages.dev/*\n X-A: :p :splat", b"/a", b"mine a"),
    ],
)
def test_placeholders_in_values(text: str, raw: bytes, expected: bytes) -> None:
    found = apply(text, CLOUDFLARE, raw, b"mine.pages.dev")
    assert list(found.values()) == [(expected,)]


def test_a_value_that_becomes_empty_or_too_long_is_left_out() -> None:
    assert apply("/*\n X-A: :splat", CLOUDFLARE, b"/") == {}
    text = "/:x\n X-A: " + ":x" * 100
    assert apply(text, CLOUDFLARE, b"/" + b"a" * (MOST_OCTETS // 100 + 1)) == {}


def test_placeholders_are_text_in_the_other_dialect() -> None:
    assert apply("/*\n X-A: :splat", NETLIFY, b"/a") == {b"X-A": (b":splat",)}


@pytest.mark.parametrize(
    ("for_", "host", "expected"),
    [
        ("https://example.com/*", b"example.com", True),
        ("https://example.com/*", b"EXAMPLE.com:8080", True),
        ("https://example.com:444/*", b"example.com", True),
        ("http://example.com/*", b"example.com", True),
        ("https://example.com/*", b"www.example.com", False),
        ("https://example.com/*", None, False),
        ("https://*.example.com/a", b"www.example.com", True),
        ("https://example.com", b"example.com", False),
    ],
)
def test_hosts(for_: str, host: bytes | None, expected: bool) -> None:
    assert bool(apply(f"{for_}\n X-A: 1", CLOUDFLARE, b"/a", host)) is expected


def test_what_is_asked_and_what_it_is_for() -> None:
    rules = read("/*\n X-A: 1", CLOUDFLARE)
    assert not rules.asks_host
    assert not rules.files_only
    assert read("https://a/*\n X-A: 1", CLOUDFLARE).asks_host
    assert read("/*\n X-A: 1", NETLIFY).files_only


def test_cookies_are_not_joined() -> None:
    text = "/*\n Set-Cookie: a=1\n set-cookie: b=2\n/a\n Set-Cookie: c=3"
    assert apply(text, CLOUDFLARE, b"/a") == {b"Set-Cookie": (b"a=1", b"b=2", b"c=3")}


FIELDS = [
    (b"Content-Type", b"text/plain"),
    (b"ETag", b'"1"'),
    (b"Vary", b"Accept-Encoding"),
    (b"X-Content-Type-Options", b"nosniff"),
]


@pytest.mark.parametrize(
    ("operations", "status", "changed"),
    [
        pytest.param((), 200, {}, id="nothing"),
        pytest.param(((b"X-A", (b"1",)),), 200, {b"x-a": [b"1"]}, id="added"),
        pytest.param(((b"X-A", (b"1", b"2")),), 200, {b"x-a": [b"1", b"2"]}, id="two lines"),
        pytest.param(
            ((b"content-type", (b"text/html",)),), 200, {b"content-type": [b"text/html"]}, id="set"
        ),
        pytest.param(
            ((b"x-content-type-options", ()),), 200, {b"x-content-type-options": []}, id="removed"
        ),
        pytest.param(((b"x-none", ()),), 200, {}, id="removed, and was not there"),
        pytest.param(
            ((b"vary", (b"Origin, accept-encoding",)),),
            200,
            {b"vary": [b"Accept-Encoding, Origin"]},
            id="Vary is added to",
        ),
        pytest.param(((b"Vary", ()),), 200, {}, id="and never removed"),
        pytest.param(((b"Content-Type", (b"a/b",)),), 304, {}, id="no type for a 304"),
        pytest.param(((b"Content-Type", (b"a/b",)),), 404, {}, id="no type for a page of ours"),
        pytest.param(
            ((b"Cache-Control", (b"a",)),), 304, {b"cache-control": [b"a"]}, id="kept by a 304"
        ),
        pytest.param(((b"Cache-Control", (b"a",)),), 404, {}, id="an error is not kept"),
        pytest.param(((b"CDN-Cache-Control", (b"a",)),), 416, {}, id="nor by a CDN"),
        pytest.param(((b"X-A", (b"1",)),), 404, {b"x-a": [b"1"]}, id="others are for errors too"),
        pytest.param(
            ((b"Access-Control-Allow-Origin", (b"*",)),),
            304,
            {b"access-control-allow-origin": [b"*"]},
            id="and for a 304",
        ),
    ],
)
def test_merging(operations: Operations, status: int, changed: dict[bytes, list[bytes]]) -> None:
    merged = merge(list(FIELDS), operations, status)
    found: dict[bytes, list[bytes]] = {}
    for name, value in merged:
        found.setdefault(name.lower(), []).append(value)
    expected = {name.lower(): [value] for name, value in FIELDS} | changed
    assert found == {name: values for name, values in expected.items() if values}


def test_vary_is_made_if_there_is_none() -> None:
    assert merge([], ((b"vary", (b"Origin", b"Accept")),)) == [(b"Vary", b"Origin, Accept")]


def test_the_fields_that_are_given_are_not_changed() -> None:
    fields = list(FIELDS)
    merge(fields, ((b"content-type", ()),))
    assert fields == FIELDS


@BOTH
def test_a_hundred_blocks_cost_little(dialect: Dialect) -> None:
    """As of a site with a policy for each section."""
    blocks = ["/*\n  X-Frame-Options: DENY\n  Referrer-Policy: no-referrer\n"]
    blocks += [f"/section-{n}/*\n  X-Section: {n}\n" for n in range(97)]
    blocks += ["/assets/*.js\n  Cache-Control: max-age=60\n", "/:x/feed.xml\n  X-Feed: 1\n"]
    rules = read("\n".join(blocks), dialect)
    path = resolve(b"/section-50/page")
    assert path is not None
    assert dict(rules.apply(path))[b"X-Section"] == (b"50",)
    assert calls_during(lambda: rules.apply(path)) < 120


TEXTS = st.lists(
    st.sampled_from(
        [
            *("/*", "/a/*", "/:x", "https://h.example/*", "https://:h.example/:x", "/../a", "x"),
            *(" X-A: 1", " x-a: :x", " X-B: :splat", " ! X-A", "!X", " Date: 1", " : ", "# a"),
            *(" Vary: Origin", " X: \x00", " \u00e9: 1", " X: \u00e9", "", " Set-Cookie: a=:x"),
        ]
    )
    | st.text(max_size=10),
    max_size=15,
).map("\n".join)
VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


@given(TEXTS, st.sampled_from([NETLIFY, CLOUDFLARE]), SITE_PATHS)
def test_whatever_is_written_makes_fields_that_can_be_sent(
    text: str, dialect: Dialect, path: SitePath
) -> None:
    rules, problems = parse_headers(text, dialect)
    assert all(isinstance(problem, Problem) for problem in problems)
    operations = FieldRules(rules, dialect).apply(path, b"mine.example")
    names = [name.lower() for name, _ in operations]
    assert len(set(names)) == len(names)
    for name, value in merge(list(FIELDS), operations):
        assert re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert VALUE.fullmatch(value)
        assert name.lower() != b"date"
