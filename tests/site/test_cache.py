"""What was not used for the longest time is forgotten first; whatever leaves is dropped once."""

from collections.abc import Callable
from itertools import count

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tinyhttp.site.cache import LRU


def filled(entries: int, weight: int, *values: tuple[str, int]) -> tuple[LRU[str, str], list[str]]:
    """Return a map into which ``values`` (key, weight) were put, and the list of what it drops.

    The value of a key is the key in capitals.
    """
    dropped: list[str] = []
    lru: LRU[str, str] = LRU(entries, weight, dropped.append)
    for key, each in values:
        lru.put(key, key.upper(), each)
    return lru, dropped


def test_an_empty_map() -> None:
    lru, dropped = filled(2, 10)
    assert lru.get("a") is None
    assert (len(lru), lru.weight) == (0, 0)
    lru.remove("a")
    lru.clear()
    assert dropped == []


def test_what_fits_stays() -> None:
    lru, dropped = filled(3, 10, ("a", 5), ("b", 3), ("c", 2))
    assert [lru.get(key) for key in "abcd"] == ["A", "B", "C", None]
    assert (len(lru), lru.weight) == (3, 10)
    assert dropped == []


@pytest.mark.parametrize(
    ("entries", "weight", "values", "dropped", "left"),
    [
        pytest.param(2, 99, [("a", 1), ("b", 1), ("c", 1)], ["A"], 2, id="one entry too many"),
        pytest.param(9, 10, [("a", 5), ("b", 5), ("c", 1)], ["A"], 6, id="a little too heavy"),
        pytest.param(9, 10, [("a", 4), ("b", 4), ("c", 9)], ["A", "B"], 9, id="room for a heavy"),
        pytest.param(9, 10, [("a", 1), ("b", 11)], ["A"], 11, id="the newest stays, too heavy"),
        pytest.param(9, 10, [("a", 11), ("b", 1)], ["A"], 1, id="too heavy leaves next"),
        pytest.param(0, 10, [("a", 1), ("b", 1)], ["A"], 1, id="no entries: the newest stays"),
        pytest.param(9, 0, [("a", 1), ("b", 1)], ["A"], 1, id="no weight: the newest stays"),
        pytest.param(9, 0, [("a", 0), ("b", 0)], [], 0, id="what weighs nothing fits"),
    ],
)
def test_the_bounds(
    entries: int, weight: int, values: list[tuple[str, int]], dropped: list[str], left: int
) -> None:
    lru, has_dropped = filled(entries, weight, *values)
    assert has_dropped == dropped
    assert lru.weight == left
    assert len(lru) == len(values) - len(dropped)
    assert lru.get(values[-1][0]) is not None


def test_the_least_recently_used_leaves_first() -> None:
    lru, dropped = filled(3, 99, ("a", 1), ("b", 1), ("c", 1))
    lru.get("a")
    lru.put("d", "D", 1)
    lru.put("e", "E", 1)
    assert dropped == ["B", "C"]


def test_asking_for_what_is_not_there_is_no_use_of_anything() -> None:
    lru, dropped = filled(2, 99, ("a", 1), ("b", 1))
    lru.get("x")
    lru.put("c", "C", 1)
    assert dropped == ["A"]


def test_putting_again_is_a_use_and_drops_the_value_before() -> None:
    lru, dropped = filled(2, 99, ("a", 1), ("b", 1))
    lru.put("a", "A again", 4)
    assert dropped == ["A"]
    assert (lru.get("a"), len(lru), lru.weight) == ("A again", 2, 5)
    lru.put("c", "C", 1)
    assert dropped == ["A", "B"]


def test_putting_again_counts_only_the_new_weight() -> None:
    lru, dropped = filled(9, 10, ("a", 5), ("b", 5))
    lru.put("b", "lighter", 1)
    lru.put("c", "C", 4)
    assert dropped == ["B"]
    assert lru.weight == 10


def test_removing() -> None:
    lru, dropped = filled(9, 10, ("a", 5), ("b", 5))
    lru.remove("a")
    lru.remove("a")
    assert dropped == ["A"]
    assert (lru.get("a"), len(lru), lru.weight) == (None, 1, 5)


def test_clearing() -> None:
    lru, dropped = filled(9, 10, ("a", 5), ("b", 5))
    lru.clear()
    lru.clear()
    assert sorted(dropped) == ["A", "B"]
    assert (len(lru), lru.weight) == (0, 0)
    lru.put("c", "C", 10)
    assert lru.get("c") == "C"


def test_a_map_may_have_nothing_to_do_with_what_leaves() -> None:
    lru: LRU[str, list[int]] = LRU(1, 1)
    lru.put("a", [1], 1)
    lru.put("b", [2], 1)
    assert lru.get("b") == [2]


class Model(RuleBasedStateMachine):
    """The map beside a list that is searched from end to end: slow, and plainly right."""

    entries = 4
    heaviest = 10

    def __init__(self) -> None:
        super().__init__()
        self.serial = count()
        self.put: list[int] = []
        self.dropped: list[int] = []
        drop: Callable[[int], None] = self.dropped.append
        self.lru: LRU[str, int] = LRU(self.entries, self.heaviest, drop)
        self.model: list[tuple[str, int, int]] = []  # key, value, weight; the newest last

    keys = st.sampled_from("abcdefg")

    @rule(key=keys, weight=st.integers(0, 12))
    def put_one(self, key: str, weight: int) -> None:
        value = next(self.serial)
        self.put.append(value)
        self.lru.put(key, value, weight)
        self.model = [each for each in self.model if each[0] != key]
        self.model.append((key, value, weight))
        while len(self.model) > 1 and (
            len(self.model) > self.entries or sum(each[2] for each in self.model) > self.heaviest
        ):
            del self.model[0]

    @rule(key=keys)
    def get_one(self, key: str) -> None:
        known = [each for each in self.model if each[0] == key]
        assert self.lru.get(key) == (known[0][1] if known else None)
        self.model = [each for each in self.model if each[0] != key] + known

    @rule(key=keys)
    def remove_one(self, key: str) -> None:
        self.lru.remove(key)
        self.model = [each for each in self.model if each[0] != key]

    @precondition(lambda self: len(self.model) > 2)
    @rule()
    def clear(self) -> None:
        self.lru.clear()
        self.model = []

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert len(self.lru) == len(self.model)
        assert self.lru.weight == sum(weight for _, _, weight in self.model)

    @invariant()
    def whatever_left_was_dropped_once(self) -> None:
        kept = [value for _, value, _ in self.model]
        assert sorted(self.dropped + kept) == self.put


TestAgainstAModel = Model.TestCase
TestAgainstAModel.settings = settings(max_examples=100, deadline=None)
