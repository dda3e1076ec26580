"""Rules in the tables of a configuration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_redirects import ruling
from tinyhttp.core.field_rules import FieldRules
from tinyhttp.core.path import SitePath
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.rule_tables import headers_from_tables, redirects_from_tables
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"from": "/a", "to": "/b"}, "/a /b"),
        ({"from": "/a", "to": "/b", "status": 302}, "/a /b 302"),
        ({"from": "/a", "to": "/b", "status": 302, "force": True}, "/a /b 302!"),
        ({"from": "/a", "to": "/b", "force": False}, "/a /b"),
        ({"from": "/a", "to": "/b/:i", "query": {"id": ":i"}}, "/a id=:i /b/:i"),
        ({"from": "/a", "to": "/b", "host": "h.example"}, "https://h.example/a /b"),
        ({"from": "https://h.example/a", "to": "/b"}, "https://h.example/a /b"),
        ({"from": "/a/*", "status": 200}, "/a/* 200"),
    ],
)
def test_a_table_is_what_a_line_is(table: dict[str, object], line: str) -> None:
    rules, problems = redirects_from_tables([table], NETLIFY, "_redirects")
    assert problems == []
    assert rules == parse_redirects(line, NETLIFY)[0]


def test_a_space_may_be_in_a_path() -> None:
    rules, _ = redirects_from_tables([{"from": "/a b", "to": "/c d?e f"}], NETLIFY)
    assert ruling(Redirects(rules), b"/a%20b") == (301, b"/c%20d?e%20f")


def test_the_default_is_the_dialects() -> None:
    (rule,), _ = redirects_from_tables([{"from": "/a", "to": "/b"}], CLOUDFLARE)
    assert (rule.status, rule.forced) == (302, True)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({}, "from: missing"),
        ({"from": 1, "to": "/b"}, "from: text in quotes"),
        ({"from": "/a", "to": ["/b"]}, "to: text in quotes"),
        ({"from": "/a", "to": "/b", "status": "301"}, "status: a number"),
        ({"from": "/a", "to": "/b", "status": True}, "status: a number"),
        ({"from": "/a", "to": "/b", "status": 304}, "status 304"),
        ({"from": "/a", "to": "/b", "force": 1}, "force: true or false"),
        ({"from": "/a", "to": "/b", "query": "a=b"}, "query: a table"),
        ({"from": "/a", "to": "/b", "query": {"a": 1}}, "query: the value of 'a'"),
        ({"from": "/a", "to": "/b", "host": 1}, "host: text"),
        ({"from": "/a", "to": "/b", "stauts": 301}, 'stauts: no such key (did you mean "status"?)'),
        ({"from": "/a", "to": "/b", "conditions": {}}, "conditions: no such key"),
        ({"from": "/a", "to": "/b\r\n"}, "control character"),
        ("/a /b", "a table is wanted"),
    ],
)
def test_a_table_that_is_no_redirect(table: object, text: str) -> None:
    rules, problems = redirects_from_tables([{"from": "/x", "to": "/y"}, table], NETLIFY)
    assert len(rules) == 1
    assert len(problems) == 1
    assert str(problems[0]).startswith("[[redirects]] 2: error: ")
    assert text in problems[0].text


@pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)
def test_a_query_in_either_dialect(dialect: Dialect) -> None:
    table = {"from": "/a", "to": "/b/:id", "query": {"id": ":id"}, "status": 301}
    rules, problems = redirects_from_tables([table], dialect)
    assert problems == []
    assert ruling(Redirects(rules), b"/a?id=7") == (301, b"/b/7")


@pytest.mark.parametrize("tables", [{}, "a", 1, None, {"from": "/a", "to": "/b"}])
def test_what_is_no_array_of_tables(tables: object) -> None:
    for function, name in ((redirects_from_tables, "redirects"), (headers_from_tables, "headers")):
        rules, problems = function(tables, NETLIFY)
        assert rules == []
        assert str(problems[0]).startswith(f"[[{name}]]: error: an array of tables")


def operations(table: dict[str, object], dialect: Dialect = NETLIFY) -> dict[bytes, object]:
    rules, problems = headers_from_tables([table], dialect)
    assert problems == []
    return dict(FieldRules(rules, dialect).apply(SitePath((b"a",), False)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"X-A": "1"}, {b"X-A": (b"1",)}),
        ({"X-A": ["1", "2"]}, {b"X-A": (b"1, 2",)}),
        ({"X-A": ""}, {b"x-a": ()}),
        ({"X-A": False}, {b"x-a": ()}),
        ({"X-A": "1", "X-B": "2"}, {b"X-A": (b"1",), b"X-B": (b"2",)}),
    ],
)
def test_fields(values: dict[str, object], expected: dict[bytes, object]) -> None:
    for dialect in (NETLIFY, CLOUDFLARE):
        assert operations({"for": "/*", "values": values}, dialect) == expected


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"values": {"X-A": "1"}}, "for: missing"),
        ({"for": 1, "values": {"X-A": "1"}}, "for: text"),
        ({"for": "/*"}, "values: missing"),
        ({"for": "/*", "values": {}}, "values: missing"),
        ({"for": "/*", "values": "X-A: 1"}, "values: a table"),
        ({"for": "/*", "values": {"X-A": 1}}, "values: a value is text"),
        ({"for": "/*", "values": {"X-A": True}}, "values: a value is text"),
        ({"for": "/*", "values": {"X-A": []}}, "values: a value is text"),
        ({"for": "/*", "values": {"X-A": ["a", 1]}}, "values: a value is text"),
        ({"for": "/*", "values": {"X-A": "a\nb"}}, "values: X-A"),
        ({"for": "/*", "values": {"X-A": "a" * 9000}}, "values: X-A: the value is longer"),
        ({"for": "/*", "values": {"Set-Cookie": "a=b"}}, "in the dialect netlify"),
        ({"for": "/*", "values": {"Date": "x"}}, "values: Date is not for rules"),
        ({"for": "/*", "values": {"Vary": ""}}, "values: Vary can't be removed"),
        ({"for": "/*", "values": {"X-A": "1", "x-a": "2"}}, "values: x-a is there twice"),
        ({"for": "*", "values": {"X-A": "1"}}, "begin with a slash"),
        ({"path": "/*", "values": {"X-A": "1"}}, "path: no such key"),
        ({"for": "/*", "value": {"X-A": "1"}}, 'did you mean "values"?'),
        (None, "a table is wanted"),
    ],
)
def test_a_table_that_is_no_rule_for_fields(table: object, text: str) -> None:
    good = {"for": "/x", "values": {"X-A": "1"}}
    rules, problems = headers_from_tables([good, table], NETLIFY)
    assert len(rules) == 1
    assert len(problems) == 1
    assert str(problems[0]).startswith("[[headers]] 2: error: ")
    assert text in problems[0].text


def test_the_number_is_bounded() -> None:
    table = {"for": "/x", "values": {"X-A": "1"}}
    rules, problems = headers_from_tables([table] * 102, CLOUDFLARE)
    assert len(rules) == 100
    assert len(problems) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("/*"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["from", "to", "status", "force", "query", "host", "for", "values", "x"])


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=5) | VALUES, max_size=4) | VALUES)
def test_nothing_is_raised(tables: object) -> None:
    for dialect in (NETLIFY, CLOUDFLARE):
        for function in (redirects_from_tables, headers_from_tables):
            function(tables, dialect)
