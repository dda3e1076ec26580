"""What a path can turn out to be.

Floor: core (pure). The site floor finds out which of these a path leads to; ``answer`` decides
what to say about it. A resource holds everything about it that does not depend on a request, so
that it can be remembered and used again.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from .fields import EntityTag, HTTPDate

__all__ = [
    "Directory",
    "File",
    "Forbidden",
    "Form",
    "Missing",
    "OnDemand",
    "OpenFile",
    "Representation",
    "Resource",
    "Span",
]


class OpenFile(Protocol):
    """An open regular file whose bytes are read by offset.

    Whoever keeps one beyond the current function holds it, and lets go of it once: the
    descriptor is closed when nobody holds it any more.
    """

    descriptor: int
    """-1 once it is closed."""
    in_memory: tuple[int, int, float]
    """Offset and length of what was last seen to be in the kernel's memory, and when that was
    (``time.monotonic``); kept here by whoever looks, and of no meaning to `core`."""

    def hold(self) -> None:
        """Keep the descriptor open until a matching ``let_go``."""

    def let_go(self) -> None:
        """Close the descriptor if nobody else holds it."""

    def read(self, size: int, offset: int) -> bytes:
        """Return up to ``size`` octets from ``offset``; none at or past the end.

        Blocks on the disk. Raises ``OSError``.
        """


@dataclass(slots=True)
class Span:
    """The octets ``start`` to ``stop`` (not included) of an open file."""

    file: OpenFile
    start: int
    stop: int


@dataclass(slots=True)
class Representation:
    """One form of a file: itself, or a precompressed sidecar (RFC 9110 section 3.2)."""

    size: int
    """Octets, as announced by Content-Length and never exceeded."""
    etag: EntityTag
    last_modified: HTTPDate | None
    """``None`` where the file's time says nothing (reproducible builds set it to 0 or 1)."""
    content_type: bytes
    coding: bytes
    """The content coding; ``b""`` for the file itself."""
    content: bytes | OpenFile
    """All octets in memory, or the open file to read them from."""
    sha256: bytes | None = None
    """Digest of all octets, if it is known (RFC 9530)."""
    divisible: bool = True
    """Whether parts of it may be sent. Not of what was encoded on demand: the next time, or on
    another replica, the same content may become other octets."""


@dataclass(slots=True)
class OnDemand:
    """A form of a file that is made when somebody first asks for it, by encoding the file."""

    size: int
    """What counts in the choice between forms, whatever it becomes: just less than the file. So
    the choice stays the same once the form is made."""
    etag: EntityTag
    last_modified: HTTPDate | None
    coding: bytes
    source: Hashable = None
    """What tells the state of the file that it is made from."""
    made: Representation | None = None
    """As long as it is remembered."""
    useless: bool = False
    """Whether it is not to be sent: nothing is gained, or the file's tag is not yet strong."""


Form: TypeAlias = Representation | OnDemand
"""What there is to choose from."""


@dataclass(slots=True)
class File:
    """A file, with every precompressed form that lies beside it."""

    variants: tuple[Representation, ...]
    """The file itself first, then its sidecars."""
    on_demand: tuple[OnDemand, ...] = ()
    """Forms in other codings, the preferred one first."""


@dataclass(slots=True)
class Directory:
    """A directory whose path came without the closing slash."""

    location: bytes
    """The path that would have been right, escaped, beginning with exactly one slash."""


@dataclass(slots=True)
class Missing:
    """Nothing that could be served: no such name, or one that is nobody's business."""


@dataclass(slots=True)
class Forbidden:
    """A file or directory that exists and that the server may not read."""


Resource: TypeAlias = File | Directory | Missing | Forbidden
