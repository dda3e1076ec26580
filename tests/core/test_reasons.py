"""That reasons are told, and that telling them changes nothing."""

from typing import Any

import pytest

from tests.support import NOW, get, parse
from tinyhttp.core.answer import answer
from tinyhttp.core.caching import Caching, parse_cache_rule
from tinyhttp.core.path import resolve
from tinyhttp.core.reasons import Added, Chosen, Condition, Ranged, Tried, Weighed
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.request import Limits
from tinyhttp.core.resource import File, Representation
from tinyhttp.core.rules import NETLIFY

PLAIN = Representation(10, b'"a"', 784111777, b"text/plain", b"", b"0123456789")
GZIP = Representation(4, b'"b"', 784111777, b"text/plain", b"gzip", b"gzip")
FILE = File((PLAIN, GZIP))
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ([], [Chosen(b"")]),
        (
            ["Accept-Encoding: gzip"],
            [Weighed(b"", 0.5, 10), Weighed(b"gzip", 1000, 4), Chosen(b"gzip")],
        ),
        (
            ["Accept-Encoding: *;q=0"],
            [Weighed(b"", 0, 10), Weighed(b"gzip", 0, 4), Chosen(None)],
        ),
        (['If-None-Match: "a"'], [Chosen(b""), Condition(b"If-None-Match", False)]),
        (['If-Match: "x"', "If-None-Match: *"], [Chosen(b""), Condition(b"If-Match", False)]),
        (
            [f"If-Unmodified-Since: {DATE}", f"If-Modified-Since: {DATE}"],
            [
                Chosen(b""),
                Condition(b"If-Unmodified-Since", True),
                Condition(b"If-Modified-Since", False),
            ],
        ),
        (["If-Modified-Since: nonsense"], [Chosen(b"")]),
        (["Range: bytes=2-3"], [Chosen(b""), Ranged(b"bytes=2-3", [(2, 4)])]),
        (["Range: bytes=99-"], [Chosen(b""), Ranged(b"bytes=99-", [])]),
        (["Range: lines=1"], [Chosen(b""), Ranged(b"lines=1", None)]),
        (
            ["Range: bytes=2-3", 'If-Range: "x"'],
            [Chosen(b""), Condition(b"If-Range", False), Ranged(b"bytes=2-3", None)],
        ),
    ],
)
def test_what_is_told_of_a_file(fields: list[str], told: list[Any]) -> None:
    request = parse(get("/", *fields), Limits())
    heard: list[Any] = []
    assert answer(request, FILE, NOW, heard.append) == answer(request, FILE, NOW)
    assert heard == told


def test_rules_that_come_into_question() -> None:
    text = "/a/* /x/:splat 301\n/a/b q=1 /y 301\n/a/:z/c /z 301\n/other /z 301\n"
    rules, problems = parse_redirects(text, NETLIFY)
    assert problems == []
    redirects = Redirects(rules)
    path = resolve(b"/a/b")
    assert path is not None
    heard: list[Tried] = []
    assert redirects.match(path, None, None, heard.append) == redirects.match(path)
    outcomes = {(each.rule.line, each.outcome) for each in heard}
    assert outcomes == {(1, "matches"), (2, "the query is another")}
    assert [each.captures for each in heard if each.rule.line == 1] == [{"splat": b"b"}]


@pytest.mark.parametrize(
    ("name", "content_type", "why"),
    [
        (b"/a.css", b"text/css", "cache-control, for the glob **/*.css"),
        (b"/a.html", b"text/html", "caching, as it is a page"),
        (b"/a.txt", b"text/plain", None),
    ],
)
def test_why_something_may_be_kept(name: bytes, content_type: bytes, why: str | None) -> None:
    caching = Caching([parse_cache_rule("*.css=max-age=60")])
    path = resolve(name)
    assert path is not None
    heard: list[Added] = []
    value = caching.cache_control(path, content_type, heard.append)
    assert value == caching.cache_control(path, content_type)
    assert [each.by for each in heard] == ([] if why is None else [why])
