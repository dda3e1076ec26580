"""What one measurement came to."""

from dataclasses import dataclass, field

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """One measurement of one server in one case."""

    value: float
    """What the case is about, in the case's unit."""
    per_second: float | None = None
    """Requests a second."""
    p50: float | None = None
    """Microseconds, like ``p99``."""
    p99: float | None = None
    errors: int = 0
    more: dict[str, float] = field(default_factory=dict)
    """Whatever else was seen, under names that say what it is."""
