"""What a check has found, in groups, and no more of it than somebody reads."""

from collections import Counter
from collections.abc import Iterator

from .terminal import nearby, say

__all__ = ["ERROR", "NOTE", "WARNING", "Findings"]

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)


class Findings:
    """Findings by group and severity; of each kind the first ``most`` are kept, and all counted."""

    def __init__(self, most: int):
        self._most = most
        self._kept: dict[tuple[str, str], list[str]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, group: str, severity: str, text: str) -> None:
        """Note one."""
        key = group, severity
        self._counts[key] += 1
        kept = self._kept.setdefault(key, [])
        if len(kept) < self._most:
            kept.append(nearby(text))

    def count(self, severity: str) -> int:
        """Return how many of a severity there are."""
        return sum(count for (_, each), count in self._counts.items() if each == severity)

    def groups(self) -> Iterator[tuple[str, list[tuple[str, int, list[str]]]]]:
        """Give each group, with severity, count and texts of what is in it, the worst first."""
        for group in dict.fromkeys(group for group, _ in self._kept):
            keys = [(group, severity) for severity in SEVERITIES if (group, severity) in self._kept]
            yield group, [(key[1], self._counts[key], self._kept[key]) for key in keys]

    def report(self, *, quiet: bool) -> None:
        """Print all of it; ``quiet``: without the notes."""
        for group, kinds in self.groups():
            shown = [kind for kind in kinds if not (quiet and kind[0] == NOTE)]
            if shown:
                say(f"{group}: {counted({severity: count for severity, count, _ in shown})}")
            for severity, count, texts in shown:
                for text in texts:
                    say(f"  {severity}: {text}")
                if count > len(texts):
                    say(f"  {severity}: and {count - len(texts)} more")

    def summary(self) -> str:
        """Return the counts of all."""
        return counted({severity: self.count(severity) for severity in SEVERITIES})


def counted(counts: dict[str, int]) -> str:
    """Return ``counts`` in words."""
    said = [f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items() if n]
    return ", ".join(said) or "nothing to tell"
