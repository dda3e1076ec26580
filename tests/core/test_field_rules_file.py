"""The file ``_headers``: what is a block, what is a field, and what is said about the rest."""

import pytest

from tinyhttp.core.field_rules_file import parse_headers
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect

BOTH = pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)


def told(text: str, dialect: Dialect) -> list[tuple[int, str]]:
    return [(p.line, p.severity) for p in parse_headers(text, dialect)[1]]


@BOTH
def test_blocks(dialect: Dialect) -> None:
    text = "# a\n/a\n  X-A: 1\n\n  X-B: b: c\n/b\nX-C:d\r\n"
    rules, problems = parse_headers(text, dialect)
    assert problems == []
    assert [rule.line for rule in rules] == [2, 6]
    assert [rule.fields for rule in rules] == [
        ((b"X-A", ((b"1",),)), (b"X-B", ((b"b: c",),))),
        ((b"X-C", ((b"d",),)),),
    ]


@BOTH
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("X-A", "neither a path nor"),
        ("X-A:", "empty"),
        (": 1", "no name"),
        ("X A: 1", "no name"),
        ("X\u00c4: 1", "no name"),
        ("X-A: \x01", "control character"),
        ("X-A: a\x7fb", "control character"),
        ("X-A: a\rb", "control character"),
        ("Content-Length: 1", "not for rules"),
        ("content-length: 1", "not for rules"),
        ("Transfer-Encoding: chunked", "not for rules"),
        ("Connection: close", "not for rules"),
        ("Date: x", "not for rules"),
        ("Content-Range: x", "not for rules"),
        ("Content-Encoding: br", "not for rules"),
        ("Accept-Ranges: none", "not for rules"),
        ("Age: 1", "not for rules"),
        ("Allow: GET", "not for rules"),
        ("Location: /", "not for rules"),
        ("Server: x", "not for rules"),
        ("Trailer: x", "not for rules"),
        ("Upgrade: h2c", "not for rules"),
        ("ETag: x", "not for rules"),
        ("Last-Modified: x", "not for rules"),
        ("X-A: " + "a" * 9000, "longer than"),
        ("!X-A", "removed in the dialect|a space"),
        ("! Vary", "removed"),
        ("! Date", "removed in the dialect|not for rules"),
    ],
)
def test_a_line_that_is_no_field(dialect: Dialect, line: str, why: str) -> None:
    rules, problems = parse_headers(f"/a\n X-A: 1\n {line}\n X-B: 2", dialect)
    assert [(p.line, p.severity) for p in problems] == [(3, "error")]
    assert any(part in problems[0].text for part in why.split("|"))
    assert [[name for name, _ in rule.fields] for rule in rules] == [[b"X-A", b"X-B"]]


@pytest.mark.parametrize("name", ["Alt-Svc", "Set-Cookie"])
def test_two_more_are_ignored_by_netlify(name: str) -> None:
    assert told(f"/a\n {name}: x\n X-A: 1", NETLIFY) == [(2, "error")]
    assert told(f"/a\n {name}: x\n X-A: 1", CLOUDFLARE) == []


@BOTH
@pytest.mark.parametrize("path", ["/a/*/*", "/..", "/a%zz", "/a?b", "/:x/:x", "ftp://h/"])
def test_a_block_whose_path_is_none(dialect: Dialect, path: str) -> None:
    rules, problems = parse_headers(f"/a\n X-A: 1\n{path}\n X-B: 2\n what?\n/c\n X-C: 3", dialect)
    assert [(p.line, p.severity) for p in problems] == [(3, "error")]
    assert "the fields below" in problems[0].text
    assert [rule.line for rule in rules] == [1, 6]


def test_a_host_in_each_dialect() -> None:
    text = "https://h.example/a\n X-A: 1"
    assert told(text, CLOUDFLARE) == []
    assert told(text, NETLIFY) == [(1, "error")]


@pytest.mark.parametrize(
    "path", ["https://*.h.example/*", "https://:x.example/:x", "https:///a", "https://h_\u00e9/a"]
)
def test_a_host_that_is_none(path: str) -> None:
    assert told(f"{path}\n X-A: 1", CLOUDFLARE) == [(1, "error")]


@BOTH
def test_a_field_before_the_first_path(dialect: Dialect) -> None:
    assert told("X-A: 1\n/a\n X-A: 1", dialect) == [(1, "error")]


@BOTH
def test_a_path_without_fields(dialect: Dialect) -> None:
    assert told("/a\n/b\n X-A: 1\n/c", dialect) == [(1, "warning"), (4, "warning")]
    assert told("/a\n Date: x", dialect) == [(2, "error")]


def test_removing() -> None:
    assert told("/a\n ! X-A", CLOUDFLARE) == []
    assert parse_headers("/a\n ! X-A", CLOUDFLARE)[0][0].removed == (b"x-a",)
    assert told("/a\n ! X-A", NETLIFY) == [(2, "error")]


def test_a_placeholder_that_is_none_here() -> None:
    assert told("/*\n X-A: :splat", NETLIFY) == [(2, "warning")]
    assert told("/*\n X-A: :splat", CLOUDFLARE) == []


@BOTH
def test_values_that_are_too_long_together(dialect: Dialect) -> None:
    text = "/a\n" + f" X-A: {'a' * 1900}\n" * 5
    assert told(text, dialect) == [(1, "error")]


@pytest.mark.parametrize(("dialect", "length"), [(NETLIFY, 8192), (CLOUDFLARE, 2000)])
def test_lines_that_are_too_long(dialect: Dialect, length: int) -> None:
    line = "X: " + "a" * (length - 3)
    assert told(f"/a\n{line}", dialect) == []
    assert told(f"/a\n{line}a\n X-A: 1", dialect) == [(2, "error")]


@pytest.mark.parametrize(("dialect", "blocks"), [(NETLIFY, 1000), (CLOUDFLARE, 100)])
def test_the_number_of_blocks_is_bounded(dialect: Dialect, blocks: int) -> None:
    text = "".join(f"/{n}\n X-A: 1\n" for n in range(blocks + 2))
    rules, problems = parse_headers(text, dialect)
    assert len(rules) == blocks
    assert [p.severity for p in problems] == ["error", "error"]
