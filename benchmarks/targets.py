"""What tinyhttp is to reach, and whether it does."""

from collections.abc import Callable
from dataclasses import dataclass

from .results import Results
from .servers import MEASURED

__all__ = ["RATIOS", "TARGETS", "Bounds", "Target"]


@dataclass(frozen=True)
class Bounds:
    """How far tinyhttp must come, and how far it is meant to come."""

    must: float
    reach: float


RATIOS = {
    "simple": Bounds(0.75, 0.55),
    "files": Bounds(0.75, 0.55),
    "304": Bounds(0.75, 0.55),
    "browser": Bounds(1.10, 0.85),
    "404": Bounds(1.0, 0.7),
    "range": Bounds(1.0, 0.7),
    "100k": Bounds(0.85, 0.7),
    "10m": Bounds(0.85, 0.7),
    "1g": Bounds(0.85, 0.7),
    "close": Bounds(1.6, 1.2),
    "log": Bounds(0.85, 0.65),
}
"""Of tinyhttp's processor time to nginx's, by case."""


@dataclass(frozen=True)
class Target:
    """A figure that is to be small, or large."""

    title: str
    measured: Callable[[Results], float | None]
    bounds: Bounds
    at_least: bool = False

    def verdict(self, results: Results) -> str:
        """Return how the figure stands to its bounds."""
        value = self.measured(results)
        if value is None:
            return "not measured"
        sign = -1 if self.at_least else 1
        if value * sign <= self.bounds.reach * sign:
            return "reached"
        return "met" if value * sign <= self.bounds.must * sign else "missed"


def _ratio(case: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(case, MEASURED)


def _value(case: str) -> Callable[[Results], float | None]:
    return lambda results: results.value(case, MEASURED)


def _beside_idle(results: Results) -> float | None:
    """Return what 10,000 idle connections add to the price of a request, as a ratio."""
    alone, beside = results.value("idle-0", MEASURED), results.value("idle-10k", MEASURED)
    return beside / alone if alone and beside else None


TARGETS = (
    *(Target(f"{case}, tinyhttp / nginx", _ratio(case), RATIOS[case]) for case in RATIOS),
    Target(
        "simple, twistd web / tinyhttp",
        lambda results: results.ratio("simple", "twistd-web", MEASURED),
        Bounds(15, 25),
        at_least=True,
    ),
    Target("idle connection, KiB", _value("idle-memory"), Bounds(6, 3)),
    Target("base memory, MiB", _value("memory"), Bounds(45, 35)),
    Target("beside 10,000 idle connections / beside none", _beside_idle, Bounds(1.3, 1.1)),
)
"""All of them, in the order in which they are shown."""
