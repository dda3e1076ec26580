"""The deadlines of many on one timer, against the plain way of keeping them."""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tinyhttp.server.deadlines import Deadlines


@dataclass(eq=False)
class Someone:
    """Waits, and notes when its time was up."""

    clock: Clock
    deadline: float = inf
    bucket: int = -1
    told: list[float] = field(default_factory=list)

    def time_is_up(self) -> None:
        self.told.append(self.clock.seconds())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deadlines(clock: Clock) -> Deadlines:
    return Deadlines(clock)


def pass_time(clock: Clock, seconds: float) -> None:
    for _ in range(int(seconds * 8)):
        clock.advance(0.125)


def test_told_once_when_the_time_is_up(clock: Clock, deadlines: Deadlines) -> None:
    someone = Someone(clock)
    deadlines.set(someone, 5)
    pass_time(clock, 5)
    assert someone.told == []
    pass_time(clock, 20)
    assert someone.told == [5.5]


def test_a_later_deadline_takes_the_place_of_an_earlier_one(
    clock: Clock, deadlines: Deadlines
) -> None:
    someone = Someone(clock)
    deadlines.set(someone, 2)
    pass_time(clock, 1)
    deadlines.set(someone, 10)
    pass_time(clock, 10)
    assert someone.told == []
    pass_time(clock, 1)
    assert someone.told == [11.5]


def test_an_earlier_deadline_takes_the_place_of_a_later_one(
    clock: Clock, deadlines: Deadlines
) -> None:
    someone = Someone(clock)
    deadlines.set(someone, 100)
    deadlines.set(someone, 2)
    pass_time(clock, 200)
    assert someone.told == [2.5]


def test_cleared_and_set_again(clock: Clock, deadlines: Deadlines) -> None:
    someone = Someone(clock)
    deadlines.set(someone, 2)
    deadlines.clear(someone)
    pass_time(clock, 1)
    deadlines.set(someone, 3)
    pass_time(clock, 10)
    assert someone.told == [4.5]


def test_cleared(clock: Clock, deadlines: Deadlines) -> None:
    someone = Someone(clock)
    deadlines.set(someone, 2)
    deadlines.clear(someone)
    pass_time(clock, 10)
    assert someone.told == []
    assert clock.getDelayedCalls() == []


def test_nothing_is_scheduled_while_nobody_waits(clock: Clock, deadlines: Deadlines) -> None:
    assert clock.getDelayedCalls() == []
    first, second = Someone(clock), Someone(clock)
    deadlines.set(first, 2)
    deadlines.set(second, 2)
    assert len(clock.getDelayedCalls()) == 1
    deadlines.remove(first)
    assert len(clock.getDelayedCalls()) == 1
    deadlines.remove(second)
    assert clock.getDelayedCalls() == []
    deadlines.set(first, 1)
    pass_time(clock, 2)
    assert first.told
    assert clock.getDelayedCalls() == []


def test_one_timer_for_everybody(clock: Clock, deadlines: Deadlines) -> None:
    everybody = [Someone(clock) for _ in range(1_000)]
    for i, someone in enumerate(everybody):
        deadlines.set(someone, 1 + i % 7)
    assert len(clock.getDelayedCalls()) == 1
    pass_time(clock, 9)
    assert all(len(someone.told) == 1 for someone in everybody)


def test_removed_by_somebody_whose_time_is_up(clock: Clock, deadlines: Deadlines) -> None:
    """Both were due in the same tick; only one may still be told."""
    told = []

    class Rude(Someone):
        def time_is_up(self) -> None:
            told.append(self)
            deadlines.remove(other[self])

    first, second = Rude(clock), Rude(clock)
    other = {first: second, second: first}
    deadlines.set(first, 1)
    deadlines.set(second, 1)
    pass_time(clock, 5)
    assert len(told) == 1
    assert clock.getDelayedCalls() == []


def test_set_again_when_the_time_is_up(clock: Clock, deadlines: Deadlines) -> None:
    class Again(Someone):
        def time_is_up(self) -> None:
            super().time_is_up()
            deadlines.set(self, 1)

    someone = Again(clock)
    deadlines.set(someone, 1)
    pass_time(clock, 5)
    assert someone.told == [1.5, 3.0, 4.5]
    deadlines.remove(someone)
    assert clock.getDelayedCalls() == []


def test_a_clock_that_jumps_ahead(clock: Clock, deadlines: Deadlines) -> None:
    """As after a night with the lid closed: everybody is told, at once, and it costs no loop."""
    soon, later = Someone(clock), Someone(clock)
    deadlines.set(soon, 5)
    deadlines.set(later, 10**9 + 100)
    clock.advance(10**9)
    assert soon.told == [10**9]
    assert later.told == []
    clock.advance(101)
    clock.advance(1)
    assert len(later.told) == 1


def test_a_clock_that_jumps_back(clock: Clock, deadlines: Deadlines) -> None:
    """Nobody is told too early; nobody is forgotten."""
    clock.rightNow = 1_000.0
    someone = Someone(clock)
    deadlines.set(someone, 5)
    clock.rightNow = 900.0
    pass_time(clock, 104)
    assert someone.told == []
    clock.advance(1_000)
    clock.advance(1)
    assert len(someone.told) == 1


# What may happen: (what, who, how many eighths of a second).
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "clear", "remove", "pass", "pass", "pass"]),
        st.integers(0, 3),
        st.integers(0, 60),
    ),
    max_size=60,
)


def run(steps: list[tuple[str, int, int]]) -> tuple[list[list[float]], list[list[float]], Clock]:
    """Return when each of four was told, and should have been, in exact time."""
    clock = Clock()
    deadlines = Deadlines(clock)
    everybody = [Someone(clock) for _ in range(4)]
    due = [inf] * 4
    expected: list[list[float]] = [[] for _ in range(4)]
    for what, who, eighths in [*steps, ("pass", 0, 100)]:
        someone = everybody[who]
        if what == "pass":
            for _ in range(eighths):
                clock.advance(0.125)
                for i, other in enumerate(everybody):
                    if len(other.told) > len(expected[i]):
                        expected[i].append(due[i])
                        due[i] = inf
            continue
        if what == "set":
            deadlines.set(someone, eighths / 8)
            due[who] = clock.seconds() + eighths / 8
        elif what == "clear":
            deadlines.clear(someone)
            due[who] = inf
        else:
            deadlines.remove(someone)
            due[who] = inf
    assert due == [inf] * 4, "somebody was forgotten"
    return [someone.told for someone in everybody], expected, clock


@given(STEPS)
@settings(deadline=None, max_examples=300)
def test_like_a_timer_each_but_a_little_late(steps: list[tuple[str, int, int]]) -> None:
    told, expected, clock = run(steps)
    for times, exact in zip(told, expected, strict=True):
        for time, due in zip(times, exact, strict=True):
            assert due <= time, "too early"
            assert time < due + 1.0, "too late"
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("start", "seconds", "told"),
    [
        (0.375, 0.625, 1.875),  # due at 1.0, the start of a tick: as late as can be
        (0.375, 0.5, 1.375),  # due at 0.875, told at the tick behind the one that it is due in
        (0, 1, 1.5),
        (0, 0.875, 1),
        (0.125, 0.25, 0.625),
    ],
)
def test_less_than_two_ticks_late(
    clock: Clock, deadlines: Deadlines, start: float, seconds: float, told: float
) -> None:
    """Ticks come every half a second from the first deadline that is set."""
    clock.advance(start)
    someone = Someone(clock)
    deadlines.set(someone, seconds)
    pass_time(clock, 3)
    assert someone.told == [told]
    assert start + seconds <= told < start + seconds + 1.0
