"""The file ``_redirects``: what is a rule, what is not, and what is said about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_redirects import ruling
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.rules import CLOUDFLARE, MOST_PROBLEMS, NETLIFY, Dialect, Problem

BOTH = pytest.mark.parametrize("dialect", [NETLIFY, CLOUDFLARE], ids=lambda d: d.name)


def problems_of(text: str, dialect: Dialect) -> list[Problem]:
    return parse_redirects(text, dialect)[1]


def of_severity(severity: str, text: str, dialect: Dialect) -> list[tuple[int, str]]:
    return [(p.line, p.text) for p in problems_of(text, dialect) if p.severity == severity]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/a", "no target"),
        ("/a b", "no target"),
        ("/a #c", "no target"),
        ("a /b 301", "begin with a slash"),
        ("/a b /c 301", "neither a target nor 'name=value'"),
        ("/a b=1 b=2 /c 301", "twice"),
        ("/a =1 /c 301", "no name"),
        ("/a /b /c", "is no status"),
        ("/a /b 3o1", "is no status"),
        ("/a /b 301!!", "is no status"),
        ("/a /b -301", "is no status"),
        ("/a /b \u0663\u0660\u0661", "is no status"),
        ("/a /b 304", "status 304"),
        ("/a /b 999999999", "status 999999999"),
        ("/a /b 500", "status 500"),
        ("/a /b 301 Country=de", "Country=..."),
        ("/a /b 301 Language=en,de", "Language=..."),
        ("/a /b 301 Role=admin", "Role=..."),
        ("/a /b 301 Cookie=x", "Cookie=..."),
        ("/a /b 301 Sign=KEY", "Sign=..."),
        ("/a /b 301 Anything=x", "Anything=..."),
        ("/a /b Country=de", "Country=..."),
        ("/a /b 301 /c", "not understood"),
        ("/a/*/b /c 301", "only be at the end"),
        ("/*.php /c 301", "only be at the end"),
        ("/a https://x.example/ 200", "not supported"),
        ("/a/* https://x.example/:splat 200!", "not supported"),
        ("/a 301", "no target"),
        ("/a 200", "no target"),
        ("/a/* 301", "no target"),
        ("/a //evil.example 301", "another host"),
        ("/a /../b 301", "no place"),
        ("https://:x.example/ /b 301", "no host"),
        ("https:///a /b 301", "no host"),
        ("/a?b=c /d 301", "no query"),
        ("/" + "a" * 8192 + " /b 301", "longer than 8192"),
    ],
)
def test_netlify_refuses(line: str, why: str) -> None:
    """The line alone: the rules around it are read."""
    rules, problems = parse_redirects(f"/x /y 301\n{line}\n/z /y 301", NETLIFY)
    assert [rule.line for rule in rules] == [1, 3]
    assert [(p.line, p.severity) for p in problems] == [(2, "error")]
    assert why in problems[0].text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/a", "and not 1"),
        ("/a /b 301 x", "and not 4"),
        ("/a b=1 /c 301", "the query"),
        ("/a b=1 /c", "the query"),
        ("/a 200", "begins with '/'"),
        ("/a /b 301!", "no '!'"),
        ("/a /b 404", "status 404"),
        ("/a /b 410", "status 410"),
        ("/a /b Country=de", "Country=..."),
        ("https://x.example/a /b", "a host"),
        ("/a https://x.example/ 200", "not supported"),
        ("/* /index.html 200", "circles"),
        ("/* /index.html 302", "circles"),
        ("/* /index", "circles"),
        ("/a/* /a/index.html 200", "circles"),
        ("/ /index", "circles"),
        ("/ /index.html", "circles"),
        ("/*/* /b", "only one '*'"),
        ("/" + "a" * 2000 + " /b", "longer than 2000"),
    ],
)
def test_cloudflare_refuses(line: str, why: str) -> None:
    rules, problems = parse_redirects(f"/x /y 301\n{line}\n/z /y 301", CLOUDFLARE)
    assert [rule.line for rule in rules] == [1, 3]
    assert [(p.line, p.severity) for p in problems] == [(2, "error")]
    assert why in problems[0].text


@pytest.mark.parametrize("line", ["/a/* /b/index.html 200", "/a /b/index", "/old /index.html"])
def test_an_index_elsewhere_is_no_circle(line: str) -> None:
    assert of_severity("error", line, CLOUDFLARE) == []


def test_an_application_of_one_page_is_no_circle_for_netlify() -> None:
    rules, problems = parse_redirects("/* /index.html 200", NETLIFY)
    assert problems == []
    assert ruling(Redirects(rules), b"/a/b") == (200, b"/index.html")


@BOTH
def test_comments_and_empty_lines_are_none(dialect: Dialect) -> None:
    text = "# a\n\n   \n\t# b /c\r\n/a /b 301\n"
    rules, problems = parse_redirects(text, dialect)
    assert [rule.line for rule in rules] == [5]
    assert problems == []


@BOTH
def test_lines_are_counted_as_editors_do(dialect: Dialect) -> None:
    """Not at every character that Unicode takes for the end of one."""
    rules, _ = parse_redirects("# \u2028 \x0b \x0c \x85\n/a /b 301", dialect)
    assert [rule.line for rule in rules] == [2]


@BOTH
def test_a_second_rule_for_the_same_is_ignored(dialect: Dialect) -> None:
    rules, problems = parse_redirects("/a /b 301\n/a /c 301\n/:x /d 301\n/:x /e 301", dialect)
    assert [rule.line for rule in rules] == [1, 3]
    assert [(p.line, p.severity) for p in problems] == [(2, "warning"), (4, "warning")]
    assert "_redirects:1 matches the same" in problems[0].text


def test_it_is_not_the_same_with_another_query_or_host() -> None:
    text = "/a x=1 /b 301\n/a x=2 /c 301\nhttps://h.example/a /d 301\n/a /e 301"
    assert len(parse_redirects(text, NETLIFY)[0]) == 4


@pytest.mark.parametrize(("dialect", "own", "other"), [(NETLIFY, 301, 302), (CLOUDFLARE, 302, 301)])
def test_a_missing_status_is_told_once(dialect: Dialect, own: int, other: int) -> None:
    warnings = of_severity("warning", "/x /y 301\n/a /b\n/c /d\n/e /f", dialect)
    assert [line for line, _ in warnings] == [2]
    assert f"on 2 lines below: that is {own}, and {other}" in warnings[0][1]


@pytest.mark.parametrize(
    ("dialect", "meaning"), [(NETLIFY, "is text"), (CLOUDFLARE, "makes a placeholder")]
)
def test_a_colon_within_a_name_means_something_else_in_the_other(
    dialect: Dialect, meaning: str
) -> None:
    warnings = of_severity("warning", "/a-:b /c 301", dialect)
    assert [line for line, _ in warnings] == [1]
    assert meaning in warnings[0][1]


def test_the_colon_of_a_url_is_none() -> None:
    assert problems_of("https://x.example:8080/a /c 301", NETLIFY) == []
    assert problems_of("/:a /c 301", NETLIFY) == []


@BOTH
@pytest.mark.parametrize("target", ["/b.html?x=1", "/b.html#c"])
def test_a_file_has_no_query_and_no_fragment(dialect: Dialect, target: str) -> None:
    warnings = of_severity("warning", f"/a {target} 200", dialect)
    assert [line for line, _ in warnings] == [1]
    assert "no effect" in warnings[0][1]


def test_a_problem_says_where_it_is() -> None:
    problem = parse_redirects("\n/a", NETLIFY, "public/_redirects")[1][0]
    assert str(problem).startswith("public/_redirects:2: error: no target")


@BOTH
def test_the_number_of_problems_is_bounded(dialect: Dialect) -> None:
    problems = problems_of("/a\n" * 5000, dialect)
    assert len(problems) == MOST_PROBLEMS + 1
    assert str(problems[-1]) == "_redirects: error: 4900 more problems are not told"


@BOTH
def test_a_file_that_is_too_long_is_not_read(dialect: Dialect) -> None:
    rules, problems = parse_redirects("#" * ((1 << 20) + 1), dialect)
    assert rules == []
    assert [p.line for p in problems] == [0]


@pytest.mark.parametrize(
    ("dialect", "exact", "patterns"), [(NETLIFY, 10_000, 1_000), (CLOUDFLARE, 2_000, 100)]
)
def test_the_number_of_rules_is_bounded(dialect: Dialect, exact: int, patterns: int) -> None:
    text = "".join(f"/{n} /b 301\n" for n in range(exact + 3))
    text += "".join(f"/{n}/* /b 301\n" for n in range(patterns + 2))
    rules, problems = parse_redirects(text, dialect)
    assert len(rules) == exact + patterns
    assert [p.severity for p in problems] == ["error"] * 5


@BOTH
def test_two_thousand_rules_cost_one_look_up(dialect: Dialect) -> None:
    """As after a move: every page that ever was, and a few patterns behind them."""
    from tests.core.test_patterns import calls_during
    from tinyhttp.core.path import resolve

    text = "# the old shop\n"
    text += "".join(f"/shop/item-{n}.php  /products/{n}  301\n" for n in range(1_950))
    text += "".join(f"/{2000 + n}/*  /archive/{2000 + n}/:splat  301\n" for n in range(50))
    rules, problems = parse_redirects(text, dialect)
    assert problems == []
    assert len(rules) == 2_000
    redirects = Redirects(rules)
    assert ruling(redirects, b"/shop/item-1949.php") == (301, b"/products/1949")
    assert ruling(redirects, b"/2049/x/") == (301, b"/archive/2049/x/")
    for raw in (b"/shop/item-1949.php", b"/2049/x", b"/nothing/here", b"/shop/other"):
        path = resolve(raw)
        assert calls_during(lambda path=path: redirects.match(path)) < 120


LINES = st.lists(
    st.lists(
        st.sampled_from(
            [
                *("/a", "/*", "/:x", "/b/:splat", "301", "200!", "#", "x=:x", "https://h.example/"),
                *("Country=de", "", "\t", "/%zz", "//e", "/..", "!", "=", "\x00", "\ud800"),
            ]
        )
        | st.text(max_size=8),
        max_size=5,
    ).map(" ".join),
    max_size=20,
).map("\n".join)


@given(LINES | st.text(), st.sampled_from([NETLIFY, CLOUDFLARE]))
def test_every_line_is_a_rule_or_a_problem(text: str, dialect: Dialect) -> None:
    rules, problems = parse_redirects(text, dialect)
    told = {p.line for p in problems}
    lines = text.removeprefix("\ufeff").split("\n")
    wanted = {n for n, line in enumerate(lines, 1) if line.strip() and line.strip()[0] != "#"}
    assert wanted == (told | {rule.line for rule in rules}) & wanted
    assert told <= wanted
    errors = {p.line for p in problems if p.severity == "error"}
    assert not errors & {rule.line for rule in rules}
