"""All that was measured: kept, summed up in medians, written down, read again."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from .measuring import LOAD
from .sample import Sample
from .servers import REFERENCE

__all__ = ["Results", "Summary"]


@dataclass(frozen=True)
class Summary:
    """The medians of the rounds."""

    value: float
    ratio: float | None
    """To nginx; ``None`` where nginx has not been measured."""
    spread: float
    """Between the smallest and the largest value, as a part of the median."""
    per_second: float | None
    p50: float | None
    p99: float | None
    load: float | None
    """Microseconds a request that the load generator used."""
    errors: int
    """Of all rounds together."""
    rounds: int


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


@dataclass
class Results:
    """The samples of each server in each case, and why there are none."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    notes: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, case: str, server: str, sample: Sample) -> None:
        """Keep one more sample."""
        self.samples.setdefault((case, server), []).append(sample)

    def note(self, case: str, server: str, reason: str) -> None:
        """Keep why there is no sample."""
        self.notes[case, server] = reason

    def value(self, case: str, server: str) -> float | None:
        """Return the median of the values, or ``None`` where there are none."""
        samples = self.samples.get((case, server))
        return median(sample.value for sample in samples) if samples else None

    def ratio(self, case: str, server: str, other: str = REFERENCE) -> float | None:
        """Return the server's value in units of the other's; ``None`` where one is missing."""
        value, unit = self.value(case, server), self.value(case, other)
        return value / unit if value is not None and unit else None

    def summary(self, case: str, server: str) -> Summary | None:
        """Return the medians, or ``None`` where nothing was measured."""
        samples = self.samples.get((case, server))
        if not samples:
            return None
        values = [sample.value for sample in samples]
        middle = median(values)
        return Summary(
            value=middle,
            ratio=self.ratio(case, server),
            spread=(max(values) - min(values)) / middle if middle else 0.0,
            per_second=_median([sample.per_second for sample in samples]),
            p50=_median([sample.p50 for sample in samples]),
            p99=_median([sample.p99 for sample in samples]),
            load=_median([sample.more.get(LOAD) for sample in samples]),
            errors=sum(sample.errors for sample in samples),
            rounds=len(samples),
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Return everything, as JSON has it."""
        keys = [*self.samples, *(key for key in self.notes if key not in self.samples)]
        return [self._entry(case, server) for case, server in keys]

    def _entry(self, case: str, server: str) -> dict[str, Any]:
        summary = self.summary(case, server)
        return {
            "case": case,
            "server": server,
            "median": asdict(summary) if summary else None,
            "note": self.notes.get((case, server)),
            "rounds": [asdict(sample) for sample in self.samples.get((case, server), [])],
        }

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> "Results":
        """Return what `to_json` has written; the medians are worked out anew."""
        results = cls()
        for entry in entries:
            case, server = entry["case"], entry["server"]
            for sample in entry["rounds"]:
                results.add(case, server, Sample(**sample))
            if entry["note"] is not None:
                results.note(case, server, entry["note"])
        return results
