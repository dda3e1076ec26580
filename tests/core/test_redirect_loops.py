"""Which redirects go in circles, and which rules are never reached."""

import pytest
from hypothesis import given

from tests.core.test_redirects_file import LINES
from tinyhttp.core import redirect_loops
from tinyhttp.core.redirect_loops import examine
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.rules import CLOUDFLARE, NETLIFY, Dialect


def told(text: str, dialect: Dialect) -> list[tuple[int, str, str]]:
    """Return line, severity and the first words of what is found."""
    problems = examine(Redirects(parse_redirects(text, dialect)[0]))
    return [(p.line, p.severity, " ".join(p.text.split()[:2])) for p in problems]


CIRCLE, NEVER, NO_EFFECT = "redirects go", "never reached:", "leads to"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        pytest.param("/a /b 301\n/b /a 301", "error", id="two"),
        pytest.param("/a /b\n/b /c\n/c /a", "error", id="three"),
        pytest.param("/a /b\n/b /a?x=1", "error", id="with a query"),
        pytest.param("/a /b\n/b /a#c", "error", id="with a fragment"),
        pytest.param("/a/:x /b/:x\n/b/:x /a/:x", "error", id="two patterns"),
        pytest.param("/a/:x /b/1\n/b/:x /a/2", "error", id="patterns that meet later"),
        pytest.param("/a /b/1\n/b/* /a", "error", id="a pattern and a path"),
        pytest.param("/a/* /a/b/:splat", "error", id="ever longer"),
        pytest.param("/* /x/:splat", "error", id="ever longer, from the root"),
    ],
)
def test_circles(text: str, severity: str) -> None:
    assert told(text, CLOUDFLARE) == [(1, severity, CIRCLE)]
    assert told(text.replace(" 301", ""), NETLIFY) == [(1, "warning", CIRCLE)]


def test_a_circle_of_forced_rules_is_an_error() -> None:
    assert told("/a /b 301!\n/b /a 301!", NETLIFY) == [(1, "error", CIRCLE)]
    assert told("/a /b 301!\n/b /a 301", NETLIFY) == [(1, "warning", CIRCLE)]


def test_a_circle_on_another_host() -> None:
    rules = "https://a.example/x https://a.example/y\nhttps://a.example/y https://a.example/x"
    assert told(rules, NETLIFY) == [(1, "warning", CIRCLE)]


def test_a_circle_by_the_query() -> None:
    rules = "/a k=:k /b?k=:k\n/b k=:k /a?k=:k"
    assert told(rules, NETLIFY) == [(1, "warning", CIRCLE)]


def test_the_lines_of_a_circle_are_told() -> None:
    rules, _ = parse_redirects("/x /a 301\n\n/a /b 301\n/b /a 301", CLOUDFLARE)
    assert [str(p) for p in examine(Redirects(rules))] == [
        "_redirects:3: error: redirects go in circles, or on for ever: _redirects:3, _redirects:4"
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/a /b\n/b /c\n/c /d", id="one after the other"),
        pytest.param("/* /index.html 200", id="a rewrite of everything"),
        pytest.param("/a /b 200\n/b /a 200", id="rewrites are not rewritten"),
        pytest.param("/a /b\n/b /a 200", id="one of them is a rewrite"),
        pytest.param("/* /index.html", id="everything to one file"),
        pytest.param("/* https://x.example/:splat", id="another host"),
        pytest.param("https://a.example/* https://b.example/:splat", id="from host to host"),
        pytest.param("/a k=1 /b?k=2\n/b k=1 /a?k=1", id="not with that query"),
        pytest.param("/blog /blog/", id="the slash is added"),
        pytest.param("/a/:x /b/1\n/b/2 /a/x", id="not with that value"),
        pytest.param("".join(f"/{n} /{n + 1}\n" for n in range(30)), id="many, but an end"),
    ],
)
def test_no_circles(text: str) -> None:
    assert told(text, NETLIFY) == []


@pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)
def test_rules_that_are_never_reached(dialect: Dialect) -> None:
    assert told("/a/* /b 301\n/a/x /c 301\n/d /e 301", dialect) == [(2, "warning", NEVER)]
    assert told("/a/x /c 301\n/a/* /b 301", dialect) == []
    assert told("/a/:x /b 301\n/a/* /c 301", dialect) == []


def test_a_rule_for_some_requests_leaves_others() -> None:
    assert told("/a x=1 /b\n/a /c", NETLIFY) == []
    assert told("https://h.example/* /b\n/a /c", NETLIFY) == []


def test_a_rule_that_leads_back_has_no_effect() -> None:
    assert told("/a /a", NETLIFY) == [(1, "warning", NO_EFFECT)]
    text = "http://h.example/* https://h.example/:splat 301!"
    problems = examine(Redirects(parse_redirects(text, NETLIFY)[0]))
    assert "https-redirect" in problems[0].text


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("/a/ /a 301", CLOUDFLARE, ["warning"]),
        ("/a /a/ 301", CLOUDFLARE, []),
        ("/a/ /b 301", CLOUDFLARE, []),
        ("/a/ /a 200", CLOUDFLARE, []),
        ("/a/ https://h.example/a 301", CLOUDFLARE, []),
        ("/a/:x /a 301", CLOUDFLARE, []),
        ("/a/ /a#:x", CLOUDFLARE, ["warning"]),
    ],
)
def test_a_directory_gets_its_slash_back(text: str, dialect: Dialect, expected: list[str]) -> None:
    problems = examine(Redirects(parse_redirects(text, dialect)[0]))
    assert [p.severity for p in problems if "slash" in p.text] == expected


def test_the_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect_loops, "MOST_COMPARISONS", 20)
    text = "".join(f"/{n} /{n}\n" for n in range(100))
    assert len(told(text, NETLIFY)) == 20


@given(LINES)
def test_nothing_is_raised(text: str) -> None:
    for dialect in (NETLIFY, CLOUDFLARE):
        redirects = Redirects(parse_redirects(text, dialect)[0])
        lines = {rule.line for rule in redirects.rules}
        assert {p.line for p in examine(redirects)} <= lines
