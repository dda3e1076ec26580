"""What a path led to, when somebody looked.

Floor: site.
"""

from dataclasses import dataclass

from ..core.resource import File, OpenFile, Resource
from .snapshot import Identity

__all__ = ["Found", "hold", "let_go"]


@dataclass(slots=True)
class Found:
    """What a path led to, and until when (epoch seconds) that may be taken for granted."""

    resource: Resource
    fresh_until: float
    seen: list[tuple[bytes, Identity | None]] | None = None
    """The names that were looked at in the directory, for `Files.is_unchanged`; ``None`` if the
    answer to that may take its time."""
    directory: Identity | None = None
    """The state of that directory, if whatever makes one of the absent names lead to something is
    sure to change it."""
    release: int = 0
    """The number of the release that was the current one then; see `Releases`."""


def hold(found: Found) -> None:
    """Keep the files that ``found`` holds open until another `let_go`."""
    for file in _open_files(found):
        file.hold()


def let_go(found: Found) -> None:
    """Let go of the files that ``found`` holds open."""
    for file in _open_files(found):
        file.let_go()


def _open_files(found: Found) -> list[OpenFile]:
    if not isinstance(found.resource, File):
        return []
    contents = [variant.content for variant in found.resource.variants]
    return [content for content in contents if not isinstance(content, bytes)]
