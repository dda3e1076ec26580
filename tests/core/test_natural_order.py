"""In which order names are listed."""

from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core import natural_order
from tinyhttp.core.natural_order import in_order, natural_key

# Few characters, so that names differ late and by little.
NAMES = st.text("aA01 9_.é", max_size=8).map(str.encode) | st.binary(max_size=6)


def in_words(names: list[str]) -> list[str]:
    return [name.decode() for name in in_order([n.encode() for n in names], natural_key)]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["a2", "a10"], id="numbers count"),
        pytest.param(["a2b10", "a10b2"], id="the first number first"),
        pytest.param(["a1b2", "a1b10"], id="the second number next"),
        pytest.param(["a", "B", "c"], id="case does not count"),
        pytest.param(["A", "a"], id="unless nothing else does"),
        pytest.param(["a9", "a010", "a11"], id="zeros in front are not counted"),
        pytest.param(["a0", "a00", "a1"], id="nothing but zeros"),
        pytest.param(["v1.9.3", "v1.10.0", "v2.0"], id="versions"),
        pytest.param(["a-1", "a1", "aa"], id="digits stay where digits are"),
        pytest.param(["1", "10", "a"], id="numbers before letters"),
        pytest.param(["a", "a1"], id="the shorter first"),
        pytest.param(["straße 2", "STRASSE 10"], id="case folding"),
        pytest.param(["x" + "9" * 99, "x1" + "0" * 99], id="numbers of any length"),
        pytest.param(["٣", "٢0"][::-1], id="other digits are letters"),
    ],
)
def test_order(names: list[str]) -> None:
    assert in_words(names[::-1]) == names
    assert in_words(names) == names


def test_octets_that_are_no_text_have_a_place() -> None:
    names = [b"a", b"\xff2", b"\xff10", b"\xfe", b"z"]
    assert list(in_order(names, natural_key)) == [b"a", b"z", b"\xfe", b"\xff2", b"\xff10"]


@given(NAMES, NAMES, NAMES)
def test_it_is_a_total_order(a: bytes, b: bytes, c: bytes) -> None:
    x, y, z = natural_key(a), natural_key(b), natural_key(c)
    assert (x == y) == (a == b)
    assert (x < y) + (x == y) + (x > y) == 1
    assert x <= z or not (x <= y and y <= z)


@given(st.integers(0, 10**20), st.integers(0, 10**20), st.sampled_from(["", "a", "é-"]))
def test_numbers_are_compared_as_numbers(a: int, b: int, before: str) -> None:
    x, y = (natural_key(f"{before}{number}.txt".encode()) for number in (a, b))
    assert (x < y) == (a < b)


def test_a_million_digits_are_compared_like_any_others() -> None:
    """``int`` refuses as many, for the time that it would take."""
    long = b"1" * 10**6
    assert natural_key(long) < natural_key(long + b"0") < natural_key(b"2" * (10**6 + 1))


def test_beyond_all_bounds_it_is_still_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natural_order, "_LONGEST", 3)
    keys = [natural_key(name) for name in (b"1", b"12", b"123", b"1234", b"124", b"2")]
    assert len(set(keys)) == 6
    assert max(keys) == natural_key(b"124")


@given(st.lists(NAMES, max_size=40, unique=True), st.booleans(), st.integers(1, 5))
def test_runs_make_no_difference(names: list[bytes], descending: bool, run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(natural_order, "_RUN", run)
        ordered = list(in_order(names, natural_key, descending=descending))
    assert ordered == sorted(names, key=natural_key, reverse=descending)


def test_what_is_not_asked_for_is_not_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natural_order, "_RUN", 10)
    asked = 0

    def key(item: int) -> Any:
        nonlocal asked
        asked += 1
        return item

    assert list(islice(in_order(range(100, 0, -1), key), 5)) == [1, 2, 3, 4, 5]
    assert asked < 100 + 30
