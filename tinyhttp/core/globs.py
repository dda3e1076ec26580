"""Which paths a glob names.

Floor: core (pure). ``*`` is any part of a name, ``?`` one character of it, ``**`` any number of
names. A glob without a slash is about the last name alone, wherever it is; any other begins at the
root.

Names, and characters within a name, are compared by the same loop, which goes back only to the
last star: a longer run for an earlier star could not help. So the time is at most the product of
the two lengths, whatever the path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .path import SitePath
from .rules import Mistake

__all__ = ["Glob", "parse_glob"]

_ANY_NAMES = "**"

_P = TypeVar("_P")
_T = TypeVar("_T")


@dataclass(slots=True, frozen=True)
class Glob:
    """A glob, split into names."""

    names: tuple[str, ...]

    def match(self, path: SitePath) -> bool:
        """Return whether ``path`` is one of those that this glob names."""
        names = [name.decode("utf-8", "surrogateescape") for name in path.segments]
        return _matches(self.names, names, _ANY_NAMES, _name_matches)


def parse_glob(text: str) -> Glob:
    """Return the glob that ``text`` writes; raise `Mistake` if it is none."""
    names = [name for name in text.split("/") if name]
    if not names:
        raise Mistake(f"{text!r} names no file; '**' names all")
    if "/" not in text:
        names.insert(0, _ANY_NAMES)
    if text.endswith("/"):
        names.append(_ANY_NAMES)
    for name in names:
        if name in (".", ".."):
            raise Mistake(f"{text!r}: no path has '{name}' in it")
        if _ANY_NAMES in name and name != _ANY_NAMES:
            raise Mistake(f"{text!r}: '**' is a whole name, as in 'a/**/b'")
    return Glob(tuple(names))


def _name_matches(glob: str, name: str) -> bool:
    if "*" not in glob and "?" not in glob:
        return glob == name
    return _matches(glob, name, "*", _character_matches)


def _character_matches(glob: str, character: str) -> bool:
    return glob in ("?", character)


def _matches(
    pattern: Sequence[_P], items: Sequence[_T], star: _P, one: Callable[[_P, _T], bool]
) -> bool:
    """Return whether ``pattern`` matches all ``items``; ``star`` stands for any number of them."""
    at = item = 0
    after_star, taken = -1, 0
    while item < len(items):
        if at < len(pattern) and pattern[at] == star:
            at += 1
            after_star, taken = at, item
        elif at < len(pattern) and one(pattern[at], items[item]):
            at += 1
            item += 1
        elif after_star >= 0:
            taken += 1
            at, item = after_star, taken
        else:
            return False
    return all(part == star for part in pattern[at:])
