"""Which part of a directory a query asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.listing import (
    PER_PAGE,
    Entry,
    Listing,
    View,
    date_of,
    href,
    page_span,
    parse_view,
    value_key,
)
from tinyhttp.core.path import SitePath

DAY = 86_400
VIEWS = st.builds(
    View, st.sampled_from(["name", "size", "time"]), st.booleans(), st.integers(1, 10**17)
)


@pytest.mark.parametrize(
    ("query", "view"),
    [
        pytest.param(None, View(), id="no query"),
        pytest.param(b"", View(), id="an empty one"),
        pytest.param(b"sort=size", View("size"), id="by size"),
        pytest.param(b"sort=time&order=desc", View("time", True), id="by time, newest first"),
        pytest.param(b"order=desc", View("name", True), id="by name, downwards"),
        pytest.param(b"order=asc&sort=name", View(), id="what would be anyway"),
        pytest.param(b"page=3", View(page=3), id="a page"),
        pytest.param(b"page=03", View(page=3), id="a page with a zero"),
        pytest.param(b"x=1&sort=size&&=&y", View("size"), id="between others"),
        pytest.param(b"sort=size&sort=time", View("size"), id="the first counts"),
        pytest.param(b"sort=x&sort=time", View(), id="even if it means nothing"),
        pytest.param(b"sort=SIZE&order=Desc", View(), id="case counts"),
        pytest.param(b"sort=%73ize", View(), id="nothing is unescaped"),
        pytest.param(b"sort", View(), id="no value"),
        pytest.param(b"page=0", View(), id="page 0"),
        pytest.param(b"page=-1", View(), id="a sign"),
        pytest.param(b"page=1_0", View(), id="an underscore"),
        pytest.param(b"page=%31", View(), id="an escape"),
        pytest.param(b"page=\xd9\xa3", View(), id="another script's digit"),
        pytest.param(b"page=" + b"9" * 8000, View(), id="a number of 8000 digits"),
        pytest.param(b"&" * 16 + b"page=2", View(), id="behind all that is looked at"),
        pytest.param(b"&" * 15 + b"page=2", View(page=2), id="the last that is looked at"),
    ],
)
def test_query(query: bytes | None, view: View) -> None:
    assert parse_view(query) == view


@given(st.binary(max_size=40))
def test_every_query_is_some_view(query: bytes) -> None:
    assert parse_view(query).page >= 1


@given(VIEWS)
def test_a_reference_leads_back_to_its_view(view: View) -> None:
    reference = view.query()
    assert reference.startswith("?") or (reference, view) == ("./", View())
    assert parse_view(reference.encode().partition(b"?")[2]) == view


@pytest.mark.parametrize(
    ("page", "total", "shown", "start", "stop"),
    [
        (1, 0, 1, 0, 0),
        (1, 1, 1, 0, 1),
        (1, PER_PAGE, 1, 0, PER_PAGE),
        (2, PER_PAGE, 1, 0, PER_PAGE),
        (1, PER_PAGE + 1, 1, 0, PER_PAGE),
        (2, PER_PAGE + 1, 2, PER_PAGE, PER_PAGE + 1),
        (10**17, 2 * PER_PAGE, 2, PER_PAGE, 2 * PER_PAGE),
    ],
)
def test_a_page_that_is_not_there_is_the_last(
    page: int, total: int, shown: int, start: int, stop: int
) -> None:
    assert page_span(View("size", True, page), total) == (View("size", True, shown), start, stop)


@given(st.integers(0, 5 * PER_PAGE))
def test_every_entry_is_on_one_page(total: int) -> None:
    listing = Listing(SitePath((), True), View(), files=total)
    spans = [page_span(View(page=page), total)[1:] for page in range(1, listing.pages + 1)]
    assert [n for start, stop in spans for n in range(start, stop)] == list(range(total))


def entry(name: str, size: int, modified: int | None = None) -> Entry:
    return Entry(name.encode(), False, size, modified)


@pytest.mark.parametrize(
    ("view", "names"),
    [
        pytest.param(View("size"), ["b", "c2", "c10", "a"], id="small first"),
        pytest.param(View("size", True), ["a", "c2", "c10", "b"], id="equals by name even so"),
        pytest.param(View("time"), ["b", "a", "c10", "c2"], id="old first, without time before"),
        pytest.param(View("time", True), ["c2", "c10", "a", "b"], id="new first"),
    ],
)
def test_order_by_value(view: View, names: list[str]) -> None:
    entries = [
        *(entry("a", 10, 100), entry("b", 1), entry("c10", 5, 200), entry("c2", 5, 300)),
    ]
    assert [one.name.decode() for one in sorted(entries, key=value_key(view))] == names


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        (b"a.txt", "./a.txt"),
        (b"a b", "./a%20b"),
        (b"javascript:alert(1)", "./javascript%3Aalert%281%29"),
        (b"\\\\host", "./%5C%5Chost"),
        (b"%2e%2e", "./%252e%252e"),
        (b"a?b#c", "./a%3Fb%23c"),
        (b"\"'<>&", "./%22%27%3C%3E%26"),
        (b"\xff\n", "./%FF%0A"),
        ("é".encode(), "./%C3%A9"),
    ],
)
def test_references_are_relative_and_escaped(name: bytes, reference: str) -> None:
    assert href(name, is_directory=False) == reference
    assert href(name, is_directory=True) == reference + "/"


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (DAY, DAY),
        (0, None),
        (1, None),
        (2, 2),
        (-DAY, None),
        (253_402_300_799, 253_402_300_799),
        (253_402_300_800, None),
    ],
)
def test_times_that_say_nothing_or_have_no_digits_are_left_out(
    seconds: int, date: int | None
) -> None:
    assert date_of(seconds * 10**9 + 999_999_999) == date
