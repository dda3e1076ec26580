"""The tables hold together, and our own rows are among what they accept."""

import re
from collections import Counter

import pytest

from tests.server import wire_table
from tinyhttp.conform.cases import CASES, GROUPS, find
from tinyhttp.conform.model import LEVELS, NOTHING, Case, Target, fill_in, fill_in_value
from tinyhttp.conform.report import escaped, wanted

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def test_names_and_titles_are_unique() -> None:
    assert [id_ for id_, n in Counter(case.id for case in CASES).items() if n > 1] == []
    assert [t for t, n in Counter(case.title for case in CASES).items() if n > 1] == []


def test_every_group_has_cases() -> None:
    assert {case.group for case in CASES} == set(GROUPS)


@every_case
def test_is_well_formed(case: Case) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", case.id)
    assert case.id.startswith(f"{case.group}-")
    assert re.fullmatch(r"\d{4} \d+(\.\d+)*", case.clause)
    assert case.level in LEVELS
    assert case.accept
    assert case.request
    assert case.bodiless <= set(range(1 + len(case.also)))
    assert wanted(case).isprintable()


@every_case
def test_no_error_of_the_servers_is_right(case: Case) -> None:
    """What is at fault is the request, or nothing; 501 and 505 say so of the server."""
    if case.id == "path-nul-end":
        return  # about what it does worse
    for outcome in case.accept:
        assert not outcome.statuses & {500, 502, 503, 504}
        assert outcome.statuses - {NOTHING} or outcome.waits


@every_case
def test_everything_is_filled_in(case: Case) -> None:
    target = Target("host", "/prefix", '"tag"', '"tag"', "date")
    assert b"{{" not in fill_in(case.request, target)
    for outcome in (*case.accept, *case.also):
        for _, value in outcome.fields:
            filled = fill_in_value(value, target)
            assert "{{" not in str(getattr(filled, "pattern", filled))


def test_our_own_answers_are_among_the_accepted() -> None:
    """Statuses here; the rest by asking a server of our own, in `test_own_server`."""
    titles = {case.title: case for case in CASES}
    rows = [row for row in wire_table.CASES if row.name in titles]
    assert len(rows) > 300
    for row in rows:
        accepted = [o for o in titles[row.name].accept if row.status in o.statuses]
        assert accepted, row.name
        assert any(o.closes in (None, not row.stays_open) for o in accepted), row.name


def test_find() -> None:
    assert find("line-simplest").request.startswith(b"GET {{prefix}}/a.txt HTTP/1.1\r\n")
    with pytest.raises(KeyError):
        find("line")


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"GET / HTTP/1.1\r\n\t", "GET / HTTP/1.1\\r\\n\\t"),
        (b"\\\x00\x7f\xff", "\\\\\\x00\\x7f\\xff"),
        (b"\x1b[31m", "\\x1b[31m"),
        (b"a" * 400, "a" * 150 + " ...100 octets... " + "a" * 150),
    ],
)
def test_what_is_shown_is_printable(octets: bytes, text: str) -> None:
    assert escaped(octets) == text
