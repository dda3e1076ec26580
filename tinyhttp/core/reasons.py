"""Why an answer is what it is.

Floor: core (pure). Whoever decides something can be given a `Tell`, and says into it what was
looked at and what came of it. There is none while requests are served: then it costs a comparison
with ``None`` here and there. ``tinyhttp explain`` gives one. Nothing that is told has any effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .access import Access
from .path import SitePath
from .response import Fields

if TYPE_CHECKING:
    from .redirects import Redirect, Rewrite, Rule

__all__ = [
    "Added",
    "Asked",
    "Chosen",
    "Condition",
    "Guarded",
    "Paged",
    "Ranged",
    "Reason",
    "Ruled",
    "Tell",
    "Tried",
    "Weighed",
    "Went",
]


@dataclass(slots=True, frozen=True)
class Asked:
    """A site was asked for ``path`` (``None``: no file can have that name)."""

    path: SitePath | None
    secure: bool


@dataclass(slots=True, frozen=True)
class Tried:
    """A rule was compared with the request: ``outcome`` is "matches", or what kept it from that."""

    rule: "Rule"
    outcome: str
    captures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Ruled:
    """The rules were asked, before the files or without one; ``None``: none of them counts."""

    before_files: bool
    ruling: "Redirect | Rewrite | None"


@dataclass(slots=True, frozen=True)
class Guarded:
    """A password is needed; ``credentials``: whether the request brought any."""

    access: Access
    credentials: bool


@dataclass(slots=True, frozen=True)
class Went:
    """A turn was taken, for which ``option`` is the reason; ``where`` is the way from there."""

    option: str
    where: bytes = b""


@dataclass(slots=True, frozen=True)
class Weighed:
    """A form of the file came into question, with ``weight`` in thousandths."""

    coding: bytes
    weight: float
    size: int


@dataclass(slots=True, frozen=True)
class Chosen:
    """The form in ``coding`` was chosen (``b""``: the file as it is); ``None``: there is none."""

    coding: bytes | None


@dataclass(slots=True, frozen=True)
class Condition:
    """The condition in a ``field`` of the request was evaluated."""

    field: bytes
    holds: bool


@dataclass(slots=True, frozen=True)
class Ranged:
    """Range was read; ``None``: it is ignored. Spans are half open."""

    value: bytes
    spans: Sequence[tuple[int, int]] | None


@dataclass(slots=True, frozen=True)
class Paged:
    """The body of an error is the site's page at ``path``, or (``None``) our own."""

    status: int
    path: SitePath | None


@dataclass(slots=True, frozen=True)
class Added:
    """``by``, an option or a rule, gave the response ``fields``, or took away those ``removed``."""

    by: str
    fields: Fields
    removed: Sequence[bytes] = ()


Reason: TypeAlias = Any
"""One of those above, or the `Refused` that ended it; the list is open."""

Tell: TypeAlias = Callable[[Reason], object]
