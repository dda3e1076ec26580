"""Which files there are beneath the root.

Floor: site. In the order of their names, so that two walks through equal trees agree. No link to
a directory is entered: what it leads to has a name of its own, or is outside. So nothing is met
twice, and there is no circle to walk in.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..core.path import SitePath, is_hidden
from .tree import Tree

__all__ = ["Names", "Report", "walk"]

Names: TypeAlias = tuple[bytes, ...]
"""The way to a file from the root, its own name last."""

Report: TypeAlias = Callable[[Names, OSError], object]
"""Hears of a directory or file that could not be looked at."""


def walk(tree: Tree, report: Report, *, hidden_files: bool = False) -> Iterator[Names]:
    """Give the names of every regular file, and of every link whatever it leads to.

    Hidden names (see `is_hidden`) are left out, with all that is beneath them, unless
    ``hidden_files``. A directory that can't be read is reported and left out.
    """
    pending: list[Names] = [()]
    while pending:
        way = pending.pop()
        try:
            with tree.directory(way) as place:
                entries = place.entries()
        except OSError as error:
            report(way, error)
            continue
        down = []
        for name, is_directory in entries:
            names = (*way, name)
            if not hidden_files and is_hidden(SitePath(names, is_directory)):
                continue
            if is_directory:
                down.append(names)
            else:
                yield names
        pending += reversed(down)
