"""Which paths the pattern of a rule names, and what its placeholders stand for.

Floor: core (pure). A pattern is compared with the names of a `SitePath`, whose escapes are undone
already and which the disk is asked about too: rule and file can't disagree about the path.

Names are compared one by one, and a name with placeholders from its end with ``rfind``; nothing is
tried twice, so no path can make a pattern slow. At most one ``*`` in a pattern keeps it so: what is
before and behind it has only one place where it can stand.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .path import SitePath, decode
from .response import Refused
from .rules import Dialect, Mistake, octets

__all__ = [
    "PLACEHOLDER",
    "SPLAT",
    "Captures",
    "Index",
    "Name",
    "Pattern",
    "names_of",
    "parse_host",
    "parse_pattern",
]

SPLAT = "splat"
"""The placeholder for what ``*`` has matched."""

PLACEHOLDER = re.compile(r":([A-Za-z][A-Za-z0-9_]*)")

Captures = dict[str, bytes]
"""What placeholders stand for, escapes undone."""

_T = TypeVar("_T")


@dataclass(slots=True, frozen=True)
class Name:
    """One name of a pattern: literals, and a placeholder between each two of them."""

    literals: tuple[bytes, ...]
    placeholders: tuple[str, ...] = ()

    def match(self, name: bytes, captures: Captures) -> bool:
        """Return whether ``name`` is such a one; ``captures`` get what placeholders stand for.

        None of them stands for nothing. The first takes as much as it can, then the second: so each
        literal is looked for from the end, and where it is found last is where it belongs.
        """
        literals = self.literals
        if not self.placeholders:
            return name == literals[0]
        if not (name.startswith(literals[0]) and name.endswith(literals[-1])):
            return False
        start, stop = len(literals[0]), len(name) - len(literals[-1])
        for index in range(len(self.placeholders) - 1, 0, -1):
            found = name.rfind(literals[index], start + 1, max(stop - 1, 0))
            if found < 0:
                return False
            captures[self.placeholders[index]] = name[found + len(literals[index]) : stop]
            stop = found
        captures[self.placeholders[0]] = name[start:stop]
        return stop > start

    def sample(self) -> bytes:
        """Return a name that this one matches."""
        parts = [self.literals[0]]
        for placeholder, literal in zip(self.placeholders, self.literals[1:], strict=True):
            parts += (b"~%s~" % placeholder.encode(), literal)
        return b"".join(parts)


@dataclass(slots=True, frozen=True)
class Pattern:
    """Names, perhaps with one ``*`` among them."""

    before: tuple[Name, ...]
    splat: tuple[bytes, bytes] | None = None
    """What stands before and behind the ``*`` in its own name; ``None``: there is no ``*``."""
    after: tuple[Name, ...] = ()
    may_be_empty: bool = False
    """Whether a ``*`` that is a whole name may stand for none at all: ``/a/*`` for ``/a``."""

    @property
    def exact(self) -> tuple[bytes, ...] | None:
        """The only names that this pattern matches, if it has no placeholders."""
        if self.splat is not None or any(name.placeholders for name in self.before):
            return None
        return tuple(name.literals[0] for name in self.before)

    @property
    def first(self) -> bytes | None:
        """The name that every path must begin with, if there is one."""
        if not self.before or self.before[0].placeholders:
            return None
        return self.before[0].literals[0]

    @property
    def placeholders(self) -> list[str]:
        """The names of all placeholders, `SPLAT` among them."""
        names = [name for part in (*self.before, *self.after) for name in part.placeholders]
        return names if self.splat is None else [*names, SPLAT]

    def match(
        self, names: Sequence[bytes], end: bytes = b"", separator: bytes = b"/"
    ) -> Captures | None:
        """Return what the placeholders stand for in ``names``; ``None``: they don't match.

        ``end`` is added to what the ``*`` stands for, if that is the end of the path.
        """
        start, stop = len(self.before), len(names) - len(self.after)
        if self.splat is None:
            if len(names) != start:
                return None
        elif stop - start < (0 if self.may_be_empty else 1):
            return None
        captures: Captures = {}
        # Every name has one place where it can stand, so the first that doesn't match ends it.
        for part, name in zip(self.before, names, strict=False):
            if not part.match(name, captures):
                return None
        for part, name in zip(self.after, names[stop:], strict=False):
            if not part.match(name, captures):
                return None
        if self.splat is not None:
            rest = _between(separator.join(names[start:stop]), *self.splat)
            if rest is None:
                return None
            is_last = not self.splat[1] and not self.after
            captures[SPLAT] = rest + end if rest and is_last else rest
        return captures

    def sample(self) -> SitePath:
        """Return a path that this pattern matches."""
        names = [name.sample() for name in self.before]
        if self.splat is not None:
            names.append(self.splat[0] + b"~" + self.splat[1])
        names += [name.sample() for name in self.after]
        directory = not names or not names[-1]
        return SitePath(tuple(name for name in names if name), directory)


def _between(text: bytes, before: bytes, behind: bytes) -> bytes | None:
    """Return what of ``text`` is between ``before`` and ``behind``, ``None`` if not both are there.

    They must not overlap: ``a*a`` does not match ``a``.
    """
    if not (text.startswith(before) and text.endswith(behind)):
        return None
    stop = len(text) - len(behind)
    return text[len(before) : stop] if stop >= len(before) else None


def names_of(path: SitePath, dialect: Dialect) -> tuple[bytes, ...]:
    """Return what patterns of ``dialect`` are compared with: an empty name last for a directory."""
    if dialect.slash_matters and path.directory:
        return (*path.segments, b"")
    return path.segments


def parse_pattern(
    text: str, dialect: Dialect, *, inner_splat: bool, ignore_case: bool = False
) -> Pattern:
    """Return the pattern that ``text`` writes; raise `Mistake` if it is none.

    ``inner_splat``: ``*`` may stand elsewhere than at the end.
    """
    if not text.startswith("/"):
        raise Mistake(f"{text!r} does not begin with a slash")
    if "#" in text:
        raise Mistake(f"{text!r}: what follows a '#' is never sent to a server")
    if "?" in text:
        raise Mistake(f"{text!r}: a path holds no query")
    if not inner_splat and "*" in text[:-1]:
        raise Mistake(f"{text!r}: '*' can only be at the end")
    names = [name for name in text[1:].split("/") if name]
    if text.endswith("/") and dialect.slash_matters:
        names.append("")
    return _pattern(names, dialect.parts_of_names, not dialect.slash_matters, ignore_case)


def parse_host(text: str) -> Pattern:
    """Return the pattern of a host, which may have placeholders and a ``*``; or raise `Mistake`."""
    if not re.fullmatch(r"[A-Za-z0-9:*_.-]+", text):
        raise Mistake(f"{text!r} is no host")
    return _pattern(text.lower().split("."), True, False, True)


def _pattern(
    names: Sequence[str], parts_of_names: bool, may_be_empty: bool, ignore_case: bool
) -> Pattern:
    stars = [index for index, name in enumerate(names) if "*" in name]
    if len(stars) > 1 or (stars and names[stars[0]].count("*") > 1):
        raise Mistake("only one '*' can be in a pattern")
    parsed = [
        _splat(name, parts_of_names, ignore_case)
        if "*" in name
        else _name(name, parts_of_names, ignore_case)
        for name in names
    ]
    index = stars[0] if stars else len(names)
    before, after = tuple(parsed[:index]), tuple(parsed[index + 1 :])
    splat = None
    if stars:
        splat = (parsed[index].literals[0], parsed[index].literals[1])
        may_be_empty = may_be_empty and splat == (b"", b"")
    pattern = Pattern(before, splat, after, may_be_empty)
    _check_placeholders(pattern.placeholders)
    return pattern


def _check_placeholders(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise Mistake(f"':{name}' stands for two things")


def _splat(text: str, parts_of_names: bool, ignore_case: bool) -> Name:
    """Return literals before and behind the ``*``, as if it were a placeholder."""
    if text.startswith(":") or (parts_of_names and PLACEHOLDER.search(text)):
        raise Mistake(f"{text!r}: a placeholder and '*' can't be in one name")
    before, _, behind = text.partition("*")
    return Name((_literal(before, ignore_case), _literal(behind, ignore_case)), (SPLAT,))


def _name(text: str, parts_of_names: bool, ignore_case: bool) -> Name:
    if parts_of_names:
        parts = PLACEHOLDER.split(text)
    elif text.startswith(":"):
        if not PLACEHOLDER.fullmatch(text):
            raise Mistake(f"{text!r}: a placeholder is a whole name, such as ':year'")
        parts = ["", text[1:], ""]
    else:
        parts = [text]
    literals, placeholders = parts[::2], parts[1::2]
    if "" in literals[1:-1]:
        raise Mistake(f"{text!r}: there must be something between two placeholders")
    name = Name(tuple(_literal(part, ignore_case) for part in literals), tuple(placeholders))
    if not placeholders and name.literals[0] in (b".", b".."):
        raise Mistake(f"'{text}' is resolved before rules are asked, so that no path has it")
    return name


def _literal(text: str, ignore_case: bool) -> bytes:
    try:
        literal = decode(octets(text))
    except Refused as refused:
        raise Mistake(f"{text!r}: {refused.detail}") from None
    if b"/" in literal:
        raise Mistake(f"{text!r}: no path has an encoded slash in it")
    return literal.lower() if ignore_case else literal


class Index(Generic[_T]):
    """Patterns in an order, and what belongs to each, looked up by the first name of a path.

    A pattern without placeholders is found by one look-up, however many there are; of the others
    only those are tried that begin with the same name, or with a placeholder.
    """

    def __init__(self, entries: Iterable[tuple[Pattern, _T]]):
        self._exact: dict[tuple[bytes, ...], list[tuple[int, Pattern, _T]]] = {}
        self._by_first: dict[bytes, list[tuple[int, Pattern, _T]]] = {}
        self._others: list[tuple[int, Pattern, _T]] = []
        for order, (pattern, value) in enumerate(entries):
            names, first = pattern.exact, pattern.first
            if names is not None:
                entries_there = self._exact.setdefault(names, [])
            elif first is not None:
                entries_there = self._by_first.setdefault(first, [])
            else:
                entries_there = self._others
            entries_there.append((order, pattern, value))

    def candidates(self, names: tuple[bytes, ...]) -> list[list[tuple[int, Pattern, _T]]]:
        """Return lists of ``(order, pattern, value)``, each in its order, that may match."""
        return [
            self._exact.get(names, []),
            self._by_first.get(names[0], []) if names else [],
            self._others,
        ]
