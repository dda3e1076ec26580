"""What may be asked for, what follows from the number of descriptors, and what is counted."""

from math import inf, nan
from typing import Any

import pytest

from tinyhttp.core.rate import Rate
from tinyhttp.server.quotas import REASONS, Quotas, Refusals, places_beside, within
from tinyhttp.site.site import Capacity


def test_nothing_is_limited_but_connections() -> None:
    quotas = Quotas()
    assert quotas.connections is None
    assert quotas.requests() is None
    assert quotas.octets() is None
    assert not quotas.for_each()
    assert quotas.receive_rate == quotas.send_rate == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": -1},
        {"client_connections": -1},
        {"client_rate": nan},
        {"bandwidth": inf},
        {"receive_grace": -0.1},
        {"send_window": -1},
    ],
)
def test_what_is_no_limit(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name}: 0 or more is wanted"):
        Quotas(**wrong)


@pytest.mark.parametrize(
    "one", [{"client_connections": 1}, {"client_rate": 1}, {"bandwidth": 1}, {"receive_rate": 1}]
)
def test_what_has_to_be_kept_in_mind_for_each(one: dict[str, Any]) -> None:
    assert Quotas(**one).for_each()


@pytest.mark.parametrize(
    ("rate", "burst", "expected"),
    [(10, 0, Rate(10, 10)), (0.2, 0, Rate(0.2, 1)), (2.5, 0, Rate(2.5, 3)), (1, 40, Rate(1, 40))],
)
def test_a_burst_is_a_second_s_worth(rate: float, burst: int, expected: Rate) -> None:
    assert Quotas(client_rate=rate, client_burst=burst).requests() == expected


@pytest.mark.parametrize(
    ("allowed", "descriptors", "threads", "places"),
    [
        (1024, 256, 4, 704),
        (65536, 256, 4, 65216),
        (65536, 4096, 16, 61280),
        (128, 32, 4, 32),
        (64, 16, 4, 16),
        (2, 1, 0, 1),
        (inf, 256, 4, inf),
    ],
)
def test_places(allowed: float, descriptors: int, threads: int, places: float) -> None:
    assert places_beside(Capacity(descriptors=descriptors), threads, allowed) == places


@pytest.mark.parametrize(
    ("allowed", "wanted", "kept"), [(1024, 256, 256), (128, 256, 32), (2, 256, 1), (inf, 9, 9)]
)
def test_what_is_kept_open_leaves_room_for_others(allowed: float, wanted: int, kept: int) -> None:
    capacity = Capacity(files=1, descriptors=wanted)
    assert within(capacity, allowed) == Capacity(files=1, descriptors=kept)


def test_refusals_are_counted_by_known_reasons() -> None:
    refusals = Refusals()
    assert set(refusals.counts) == set(REASONS)
    refusals.count(REASONS[0])
    refusals.count(REASONS[0])
    assert refusals.counts[REASONS[0]] == 2
    with pytest.raises(KeyError):
        refusals.count("whatever a client sends")
    assert len(refusals.counts) == len(REASONS)
