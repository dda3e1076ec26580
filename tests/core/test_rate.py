"""The token bucket, against one that is kept in the plain way, and against what it promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.rate import FULL, Rate

NOW = 1_790_000_000.0
NEARLY = 1e-4

rates = st.floats(0.1, 1000)
bursts = st.integers(1, 50)
pauses = st.lists(st.floats(0, 3), max_size=60)


def test_a_burst_and_then_one_after_another() -> None:
    rate = Rate(2, 3)
    full_at = FULL
    for left in (3, 2, 1):
        assert rate.available(full_at, NOW) == left
        assert rate.wait(full_at, NOW) == 0
        full_at = rate.take(full_at, NOW)
    assert rate.wait(full_at, NOW) == 0.5
    assert rate.wait(full_at, NOW + 0.25) == 0.25
    assert rate.wait(full_at, NOW + 0.5) == 0
    full_at = rate.take(full_at, NOW + 0.5)
    assert rate.wait(full_at, NOW + 0.5) == 0.5


def test_it_is_never_more_than_full() -> None:
    rate = Rate(10, 3)
    full_at = rate.take(FULL, NOW)
    assert rate.available(full_at, NOW + 3600) == 3


def test_more_than_a_burst_is_not_waited_for() -> None:
    rate = Rate(1, 3)
    assert rate.wait(FULL, NOW, 100) == 0
    assert rate.wait(rate.take(FULL, NOW), NOW, 100) == 1


def test_debt_is_paid_and_bounded() -> None:
    rate = Rate(10, 10, owed=2)
    assert rate.available(rate.take(FULL, NOW, 15), NOW) == -5
    full_at = rate.take(FULL, NOW, 1000)
    assert rate.available(full_at, NOW) == -20
    assert rate.wait(full_at, NOW) == pytest.approx(2.1)


@given(rates, bursts)
def test_a_clock_that_is_set_back(per_second: float, burst: int) -> None:
    """It costs what the bucket holds, and not the time by which the clock was set back."""
    rate = Rate(per_second, burst)
    full_at = rate.take(FULL, NOW)
    assert rate.wait(full_at, NOW - 86_400) <= 1 / per_second + NEARLY


@given(rates, bursts, pauses)
def test_against_tokens_that_are_counted(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate = Rate(per_second, burst)
    now, full_at = NOW, FULL
    tokens, counted_at = float(burst), NOW
    for pause in pauses:
        now += pause
        tokens = min(tokens + (now - counted_at) * per_second, burst)
        counted_at = now
        if abs(tokens - 1) < NEARLY * per_second + NEARLY:
            return  # a matter of rounding
        assert (rate.wait(full_at, now) == 0) is (tokens >= 1)
        if tokens >= 1:
            tokens -= 1
            full_at = rate.take(full_at, now)


@given(rates, bursts, pauses)
def test_no_more_than_a_burst_and_the_rate(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate = Rate(per_second, burst)
    now, full_at, taken = NOW, FULL, 0
    for pause in pauses:
        now += pause
        if not rate.wait(full_at, now):
            full_at = rate.take(full_at, now)
            taken += 1
        assert taken <= burst + (now - NOW) * per_second + NEARLY * (1 + per_second)


@given(rates, bursts, st.integers(1, 100))
def test_who_waits_as_long_as_told_gets_it(per_second: float, burst: int, takes: int) -> None:
    rate = Rate(per_second, burst)
    now, full_at = NOW, FULL
    for _ in range(takes):
        now += rate.wait(full_at, now)
        assert rate.wait(full_at, now) == 0
        full_at = rate.take(full_at, now)
