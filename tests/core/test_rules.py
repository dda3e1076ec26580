"""What all rules have in common."""

from pathlib import Path

import pytest

from tinyhttp.core.field_rules_file import parse_headers
from tinyhttp.core.path import resolve
from tinyhttp.core.redirect_loops import examine
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.rules import (
    DIALECTS,
    MOST_PROBLEMS,
    NETLIFY,
    Mistake,
    Problem,
    Report,
    check_keys,
    is_rules_file,
    octets,
    suggestion,
)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("_headers", 3, "error", "no"), "_headers:3: error: no"),
        (Problem("_headers", 0, "warning", "no"), "_headers: warning: no"),
        (Problem("[[headers]]", 3, "error", "no"), "[[headers]] 3: error: no"),
    ],
)
def test_a_problem_is_a_line(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_report_is_bounded() -> None:
    report = Report("x")
    for number in range(MOST_PROBLEMS):
        report.warning(number, "a")
    assert len(report.problems()) == MOST_PROBLEMS
    report.warning(1, "b")
    assert str(report.problems()[-1]) == "x: warning: 1 more problems are not told"
    report.error(1, "c")
    assert str(report.problems()[-1]) == "x: error: 2 more problems are not told"


def test_a_problem_is_short_and_moves_no_cursor() -> None:
    report = Report("x")
    report.error(1, "\x1b[2J\n\ud800\u00e9" + "a" * 100_000)
    text = report.problems()[0].text
    assert text.startswith("\\x1b[2J\\n\\ud800\u00e9aaa")
    assert len(text) < 600


def test_dialects_by_name() -> None:
    assert [(name, dialect.name) for name, dialect in DIALECTS.items()] == [
        ("netlify", "netlify"),
        ("cloudflare", "cloudflare"),
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/_redirects", True),
        (b"/_headers", True),
        (b"//%5fheaders", True),
        (b"/_headers/", True),
        (b"/a/_headers", False),
        (b"/_headers/a", False),
        (b"/headers", False),
        (b"/", False),
    ],
)
def test_the_files_themselves(raw: bytes, expected: bool) -> None:
    path = resolve(raw)
    assert path is not None
    assert is_rules_file(path) is expected


def test_octets_that_were_no_text_come_back() -> None:
    assert octets(b"a\xff".decode("utf-8", "surrogateescape")) == b"a\xff"
    with pytest.raises(Mistake):
        octets("\ud800")


def test_suggestions() -> None:
    assert suggestion("stauts", ["status", "to"]) == ' (did you mean "status"?)'
    assert suggestion("x" * 100_000, ["status", "to"]) == ""
    with pytest.raises(Mistake, match="forse: no such key"):
        check_keys({"forse": 1}, ["force"])
    check_keys({"force": 1}, ["force"])


def test_the_examples_of_the_manual_are_rules() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    redirects, headers = (
        page.partition(f"## `{name}`\n")[2].partition("```\n")[2].partition("```")[0]
        for name in ("_redirects", "_headers")
    )
    rules, problems = parse_redirects(redirects, NETLIFY)
    assert [len(rules), problems, examine(Redirects(rules))] == [7, [], []]
    blocks, problems = parse_headers(headers, NETLIFY)
    assert [len(blocks), problems] == [3, []]
