"""What can be told to every kind of server here.

Floor: testing; pure.
"""

from collections.abc import Callable, Collection, Mapping

from .journal import Entry
from .mistakes import ScriptError
from .rules import Rule, on
from .script import Script

__all__ = ["ScriptedHere", "Scripting", "check_options"]


class Scripting:
    """The part of a server that takes rules."""

    def on(
        self,
        path: str,
        *,
        method: str | None = None,
        nth: int | Collection[int] | None = None,
        first: int | None = None,
        after: int | None = None,
        fields: Mapping[str, str] | None = None,
        where: Callable[[Entry], bool] | None = None,
        missing: bool = False,
    ) -> Rule:
        """Return a rule that is in force; the faults that are said of it are so at once.

        The parameters are those of ``tinyhttp.testing.on``. Raises `ScriptError`.
        """
        rule = on(
            path,
            method=method,
            nth=nth,
            first=first,
            after=after,
            fields=fields,
            where=where,
            missing=missing,
        )
        place = self._add(rule)
        return Rule(rule.match, rule.faults, lambda changed: self._replace(place, changed))

    def add(self, *rules: Rule) -> None:
        """Put ``rules``, made by ``tinyhttp.testing.on``, in force; raises `ScriptError`."""
        for rule in rules:
            self._add(rule)

    def clear_rules(self) -> None:
        """Forget all rules: from now on every answer is right."""
        self._clear()

    def assert_all_used(self) -> None:
        """Fail if a rule has met no request, or says no fault."""
        unused = self._unused()
        if unused:
            raise AssertionError("never used:\n" + "\n".join(unused))

    def _add(self, rule: Rule) -> int:
        raise NotImplementedError

    def _replace(self, place: int, rule: Rule) -> None:
        raise NotImplementedError

    def _clear(self) -> None:
        raise NotImplementedError

    def _unused(self) -> list[str]:
        raise NotImplementedError


class ScriptedHere(Scripting):
    """A server whose script is in this process."""

    script: Script

    def _add(self, rule: Rule) -> int:
        return self.script.add(rule)

    def _replace(self, place: int, rule: Rule) -> None:
        self.script.replace(place, rule)

    def _clear(self) -> None:
        self.script.clear()

    def _unused(self) -> list[str]:
        return self.script.unused()


def check_options(options: Mapping[str, object], allowed: Collection[str]) -> None:
    """Raise `ScriptError` for an option that there is not."""
    for name in options:
        if name not in allowed:
            raise ScriptError(f"there is no option {name!r}; there are {', '.join(allowed)}")
