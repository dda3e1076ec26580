"""Which rules are in force, what they have met, and which can't be meant.

Floor: testing; pure.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .faults import NO_FAULTS
from .journal import Entry
from .mistakes import ScriptError
from .rules import Match, Rule, check

__all__ = ["Script"]

MAX_RULES = 1000
"""Rules that a server takes."""


@dataclass(slots=True)
class _Slot:
    rule: Rule
    count: int = 0
    used: int = 0

    @property
    def says_something(self) -> bool:
        """Whether there is a fault: none was said yet, or what was said has been refused."""
        return self.rule.faults != NO_FAULTS


class Script:
    """The rules of a server; of those that match, the one that was given first is in force.

    ``size_of`` tells how many octets the file at an exact path has, ``None`` if there is none;
    ``any_like`` whether there may be one like a pattern.
    """

    def __init__(self, size_of: Callable[[str], int | None], any_like: Callable[[Match], bool]):
        self._size_of = size_of
        self._any_like = any_like
        self._slots: list[_Slot] = []

    def add(self, rule: Rule) -> int:
        """Put ``rule`` behind the others and return its place; raises `ScriptError`."""
        check(len(self._slots) < MAX_RULES, f"more than {MAX_RULES} rules")
        self._check(rule, len(self._slots))
        self._slots.append(_Slot(rule))
        return len(self._slots) - 1

    def replace(self, place: int, rule: Rule) -> None:
        """Put ``rule`` in ``place`` of what it was made of; raises `ScriptError`."""
        check(place < len(self._slots), f"{rule.match} was cleared; make another")
        self._check(rule, place)
        self._slots[place].rule = rule

    def clear(self) -> None:
        """Forget all rules."""
        self._slots.clear()

    def choose(self, entry: Entry) -> Rule | None:
        """Return the rule that ``entry`` meets, and count it, for every rule that is about it."""
        chosen = None
        for slot in self._slots:
            if slot.rule.match.is_about(entry):
                slot.count += 1
                if chosen is None and slot.rule.match.takes(slot.count) and slot.says_something:
                    chosen = slot.rule
                    slot.used += 1
        return chosen

    def unused(self) -> list[str]:
        """Return the rules that no request has met, as text."""
        return [
            str(slot.rule) if slot.says_something else f"{slot.rule.match}: no fault"
            for slot in self._slots
            if not slot.used or not slot.says_something
        ]

    def _check(self, rule: Rule, place: int) -> None:
        match, size = rule.match, None
        if not match.missing:
            size = self._size_of(match.path)
            if size is None and match.is_pattern:
                check(self._any_like(match), f"{match}: no file is like that")
            else:
                check(
                    size is not None,
                    f"{match}: there is no such file; if there need be none, say missing=True",
                )
        if rule.faults.status is not None:
            size = None if rule.faults.body is None else len(rule.faults.body)
        if size is not None and rule.faults.gzip is None and rule.faults.last_octet() > size:
            raise ScriptError(f"{rule}: that body has only {size} octets")
        self._check_shadow(match, place)

    def _check_shadow(self, match: Match, place: int) -> None:
        for slot in self._slots[:place]:
            earlier = slot.rule.match
            if (
                slot.says_something
                and earlier.is_unconditional
                and earlier.method in (None, match.method)
                and (earlier.path == match.path or earlier.covers(match.path))
            ):
                raise ScriptError(f"{match} would never be used: {slot.rule} comes first")
