"""Whose page says that there is nothing at a path.

Floor: core (pure). A site may have pages of its own for errors, such as ``404.html``: one for all
of it, or one in each part. The nearest above a path counts.
"""

from collections.abc import Iterator

from .path import SitePath

__all__ = ["DEPTH", "error_pages"]

DEPTH = 16
"""Directories on the way that may have a page of their own, counted from the root: a path of
thousands of names leads to as few look-ups as any other, and to the root's page in the end."""


def error_pages(path: SitePath | None, name: bytes = b"404.html") -> Iterator[SitePath]:
    """Give the paths at which the page called ``name`` may be, nearest first.

    ``path`` is what was asked for; ``None`` if no file can have its name (see `resolve`), of
    which the root alone can know.
    """
    above = () if path is None else path.segments if path.directory else path.segments[:-1]
    for depth in range(min(len(above), DEPTH), -1, -1):
        yield SitePath((*above[:depth], name), False)
