"""What all rules have in common."""

import pytest

from tinyhttp.core.path import resolve
from tinyhttp.core.rules import (
    DIALECTS,
    MOST_PROBLEMS,
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
    report.error(1, "b")
    assert [p.text for p in report.problems()[MOST_PROBLEMS:]] == ["1 more problems are not told"]


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
