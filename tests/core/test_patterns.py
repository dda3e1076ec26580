"""Patterns of rules: what they match, what their placeholders stand for, and how long it takes."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_path import SITE_PATHS
from tinyhttp.core.path import resolve
from tinyhttp.core.patterns import Index, Name, Pattern, names_of, parse_host, parse_pattern
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect, Mistake


def match(text: str, path: bytes, dialect: Dialect) -> dict[str, bytes] | None:
    pattern = parse_pattern(text, dialect, inner_splat=True)
    site_path = resolve(path)
    assert site_path is not None
    end = b"/" if site_path.directory and not dialect.slash_matters else b""
    return pattern.match(names_of(site_path, dialect), end)


@pytest.mark.parametrize(
    ("pattern", "path", "netlify", "cloudflare"),
    [
        ("/", b"/", {}, {}),
        ("/", b"/a", None, None),
        ("/a", b"/a", {}, {}),
        ("/a", b"/a/", {}, None),
        ("/a/", b"/a/", {}, {}),
        ("/a/", b"/a", {}, None),
        ("/a", b"/A", None, None),
        ("/a//b", b"/a/b", {}, {}),
        ("/a/b", b"//a///b", {}, {}),
        ("/a/b", b"/a/x/../b", {}, {}),
        ("/a b", b"/a%20b", {}, {}),
        ("/a%20b", b"/a%20b", {}, {}),
        ("/caf\u00e9", b"/caf%C3%A9", {}, {}),
        ("/caf%c3%a9", b"/caf%C3%A9", {}, {}),
        ("/%2561", b"/%2561", {}, {}),
        ("/%2561", b"/%61", None, None),
        ("/%2a", b"/*", {}, {}),
        ("/%2a", b"/x", None, None),
        ("/%3aid", b"/:id", {}, {}),
        ("/%3aid", b"/x", None, None),
        ("/*", b"/", {"splat": b""}, {"splat": b""}),
        ("/*", b"/a", {"splat": b"a"}, {"splat": b"a"}),
        ("/*", b"/a/b/", {"splat": b"a/b/"}, {"splat": b"a/b/"}),
        ("/a/*", b"/a", {"splat": b""}, None),
        ("/a/*", b"/a/", {"splat": b""}, {"splat": b""}),
        ("/a/*", b"/ab", None, None),
        ("/a/*", b"/a/b/c", {"splat": b"b/c"}, {"splat": b"b/c"}),
        ("/a/*", b"/a/%0d%0a", {"splat": b"\r\n"}, {"splat": b"\r\n"}),
        ("/a*", b"/a", {"splat": b""}, {"splat": b""}),
        ("/a*", b"/abc", {"splat": b"bc"}, {"splat": b"bc"}),
        ("/a*", b"/a/b", {"splat": b"/b"}, {"splat": b"/b"}),
        ("/a/*/c", b"/a/x/y/c", {"splat": b"x/y"}, {"splat": b"x/y"}),
        ("/a/*/c", b"/a/c", {"splat": b""}, None),
        ("/a/*/c", b"/a/c/c", {"splat": b"c"}, {"splat": b"c"}),
        ("/a/*/c", b"/a/x/d", None, None),
        ("/*.js", b"/a/b.js", {"splat": b"a/b"}, {"splat": b"a/b"}),
        ("/*.js", b"/.js", {"splat": b""}, {"splat": b""}),
        ("/*.js", b"/a.jsx", None, None),
        ("/a*a", b"/a", None, None),
        ("/a*a", b"/aa", {"splat": b""}, {"splat": b""}),
        ("/:x", b"/v", {"x": b"v"}, {"x": b"v"}),
        ("/:x", b"/", None, None),
        ("/:x", b"/v/w", None, None),
        ("/:x/:y", b"/v/w", {"x": b"v", "y": b"w"}, {"x": b"v", "y": b"w"}),
        ("/:x/b/*", b"/v/b/c", {"x": b"v", "splat": b"c"}, {"x": b"v", "splat": b"c"}),
        ("/:x/b", b"/v/c", None, None),
        ("/*/b/:x", b"/v/b/c", {"x": b"c", "splat": b"v"}, {"x": b"c", "splat": b"v"}),
        ("/*/b/:x", b"/v/c/c", None, None),
    ],
)
def test_both_dialects(
    pattern: str,
    path: bytes,
    netlify: dict[str, bytes] | None,
    cloudflare: dict[str, bytes] | None,
) -> None:
    assert match(pattern, path, NETLIFY) == netlify
    assert match(pattern, path, CLOUDFLARE) == cloudflare


@pytest.mark.parametrize(
    ("pattern", "path", "captures"),
    [
        ("/v:x", b"/v1", {"x": b"1"}),
        ("/v:x", b"/v", None),
        ("/v:x.js", b"/v1.2.js", {"x": b"1.2"}),
        ("/:x-:y", b"/a-b", {"x": b"a", "y": b"b"}),
        ("/:x-:y", b"/a-b-c", {"x": b"a-b", "y": b"c"}),
        ("/:x-:y", b"/a--", {"x": b"a", "y": b"-"}),
        ("/:x-:y", b"/-b", None),
        ("/:x-:y", b"/a-", None),
        ("/:x-:y", b"/-", None),
        ("/:x-:y", b"/--", None),
        ("/:x-:y", b"/---", {"x": b"-", "y": b"-"}),
        ("/:x.:y.:z", b"/a.b.c.d", {"x": b"a.b", "y": b"c", "z": b"d"}),
        ("/a:x.a", b"/a.a", None),
        ("/aba:x/", b"/aba", None),
        ("/:place_1", b"/p", {"place_1": b"p"}),
        ("/:1", b"/:1", {}),
        ("/a:", b"/a:", {}),
    ],
)
def test_placeholders_within_names(
    pattern: str, path: bytes, captures: dict[str, bytes] | None
) -> None:
    assert match(pattern, path, CLOUDFLARE) == captures


def test_a_colon_within_a_name_is_text_in_the_other_dialect() -> None:
    assert match("/v:x", b"/v:x", NETLIFY) == {}
    assert match("/v:x", b"/v1", NETLIFY) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "begin with a slash"),
        ("a", "begin with a slash"),
        ("*", "begin with a slash"),
        ("/a?b=c", "no query"),
        ("/a#b", "never sent"),
        ("/a/../b", "resolved before"),
        ("/a/./b", "resolved before"),
        ("/%2e%2E/b", "resolved before"),
        ("/a%2fb", "encoded slash"),
        ("/a%00", "NUL"),
        ("/a\0", "NUL"),
        ("/a%", "two hex digits"),
        ("/a%zz", "two hex digits"),
        ("/*/*", r"only one '\*'"),
        ("/a**", r"only one '\*'"),
        ("/:x*", "can't be in one name"),
        ("/:x/:x", "two things"),
        ("/:splat/*", "two things"),
        ("/\ud800", "not text"),
    ],
)
@pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)
def test_what_is_no_pattern(pattern: str, why: str, dialect: Dialect) -> None:
    with pytest.raises(Mistake, match=why):
        parse_pattern(pattern, dialect, inner_splat=True)


@pytest.mark.parametrize(
    ("pattern", "dialect", "why"),
    [
        ("/:x:y", CLOUDFLARE, "something between"),
        ("/a:x*", CLOUDFLARE, "can't be in one name"),
        ("/:1", NETLIFY, "a whole name"),
        ("/:x-:y", NETLIFY, "a whole name"),
        ("/:", NETLIFY, "a whole name"),
    ],
)
def test_what_is_no_pattern_in_one_dialect(pattern: str, dialect: Dialect, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        parse_pattern(pattern, dialect, inner_splat=True)


@pytest.mark.parametrize("pattern", ["/*/a", "/*.js", "/a*b"])
def test_a_star_only_at_the_end_if_so_wanted(pattern: str) -> None:
    with pytest.raises(Mistake, match="only be at the end"):
        parse_pattern(pattern, NETLIFY, inner_splat=False)


def test_the_case_is_ignored_if_so_wanted() -> None:
    pattern = parse_pattern("/A/*.JS", NETLIFY, inner_splat=True, ignore_case=True)
    assert pattern.match((b"a", b"b.js")) is not None


@pytest.mark.parametrize(
    ("pattern", "host", "captures"),
    [
        ("example.com", b"example.com", {}),
        ("example.com", b"www.example.com", None),
        ("Example.COM", b"example.com", {}),
        (":p.pages.dev", b"mine.pages.dev", {"p": b"mine"}),
        (":p.pages.dev", b"a.b.pages.dev", None),
        (":a-:b.pages.dev", b"x-y.pages.dev", {"a": b"x", "b": b"y"}),
        ("*.example.com", b"a.b.example.com", {"splat": b"a.b"}),
        ("*.example.com", b"example.com", None),
    ],
)
def test_hosts(pattern: str, host: bytes, captures: dict[str, bytes] | None) -> None:
    assert parse_host(pattern).match(host.split(b"."), separator=b".") == captures


@pytest.mark.parametrize("text", ["", "a b", "a/b", "\u00e9.example", "[::1]", "a%20b"])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(Mistake, match="is no host"):
        parse_host(text)


TEXTS = st.text(st.sampled_from("/*:abx-.%2e?\u00e9 "), max_size=12).map(lambda text: "/" + text)
ANY_DIALECT = st.sampled_from([NETLIFY, CLOUDFLARE])


@given(TEXTS | st.text(max_size=20), ANY_DIALECT, st.booleans())
def test_whatever_is_written_is_a_pattern_or_a_mistake(
    text: str, dialect: Dialect, inner_splat: bool
) -> None:
    try:
        pattern = parse_pattern(text, dialect, inner_splat=inner_splat)
    except Mistake:
        return
    names = names_of(pattern.sample(), dialect)
    assert pattern.match(names) is not None
    assert pattern.exact is None or pattern.exact == names
    assert pattern.first is None or pattern.first == names[0]


@given(st.lists(TEXTS, max_size=6), ANY_DIALECT, SITE_PATHS)
def test_the_index_leaves_out_nothing_that_matches(
    texts: list[str], dialect: Dialect, path: Any
) -> None:
    patterns: list[Pattern] = []
    for text in texts:
        try:
            patterns.append(parse_pattern(text, dialect, inner_splat=True))
        except Mistake:
            continue
    index = Index((pattern, None) for pattern in patterns)
    for sample in [path, *(pattern.sample() for pattern in patterns)]:
        names = names_of(sample, dialect)
        offered = {order for part in index.candidates(names) for order, _, _ in part}
        matching = {n for n, pattern in enumerate(patterns) if pattern.match(names) is not None}
        assert matching <= offered


@given(st.lists(st.sampled_from([b"a", b"-", b"ab"]), min_size=1, max_size=8).map(b"".join))
def test_a_name_is_split_as_a_greedy_expression_would(name: bytes) -> None:
    """The other implementation is the expression of which the dialect is made."""
    import re

    captures: dict[str, bytes] = {}
    found = Name((b"", b"-", b"a", b""), ("x", "y", "z")).match(name, captures)
    expected = re.fullmatch(rb"(?P<x>[^/]+)-(?P<y>[^/]+)a(?P<z>[^/]+)", name)
    assert found is (expected is not None)
    if expected is not None:
        assert captures == expected.groupdict()


def calls_during(function: Any) -> int:
    """Return how many functions, of Python's and of ours, are called while ``function`` runs."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


ADVERSARIAL = [
    b"/" + b"a" * 8000,
    b"/" + b"a-" * 4000,
    b"/" + b"-" * 8000,
    b"/" + b"a/" * 4000,
    b"/" + b"/a" * 4000,
    b"/a" * 3999 + b"/b",
    b"/" + b"%2d" * 2600,
]
SLOW_FOR_EXPRESSIONS = [
    "/" + "-".join(f":p{n}" for n in range(60)) + "x",
    "/" + "/".join(f":p{n}" for n in range(60)) + "/x",
    "/" + "-a".join(f":p{n}" for n in range(60)) + "-x/*",
    "/*/" + "/".join(f":p{n}" for n in range(60)) + "/x",
    "/*-a",
    "/a/*/a/a/a/x",
]


@pytest.mark.parametrize("path", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
@pytest.mark.parametrize("pattern", SLOW_FOR_EXPRESSIONS, ids=range(len(SLOW_FOR_EXPRESSIONS)))
def test_the_number_of_steps_is_that_of_the_pattern_and_not_of_the_path(
    pattern: str, path: bytes
) -> None:
    """Each step is one pass, in C, over one name; an expression would try 8000**60 times."""
    compiled = parse_pattern(pattern, CLOUDFLARE, inner_splat=True)
    site_path = resolve(path)
    assert site_path is not None
    names = names_of(site_path, CLOUDFLARE)
    assert calls_during(lambda: compiled.match(names)) < 10 * 60 + 40


def test_a_thousand_patterns_are_a_thousand_times_one() -> None:
    patterns = [
        parse_pattern(f"/:x{n}-:y/:z.a{n}/*", CLOUDFLARE, inner_splat=True) for n in range(1000)
    ]
    index = Index((pattern, None) for pattern in patterns)
    site_path = resolve(b"/" + b"-a" * 1000 + b"/" + b".a" * 1000 + b"/b")
    assert site_path is not None
    names = names_of(site_path, CLOUDFLARE)

    def all_of_them() -> None:
        for part in index.candidates(names):
            for _, pattern, _ in part:
                pattern.match(names)

    assert calls_during(all_of_them) < 1000 * 40
