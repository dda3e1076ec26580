"""The pages of the course, taken apart."""

import re
from dataclasses import dataclass
from pathlib import Path

from .stages import LESSONS

ENGLISH = sorted(LESSONS.glob("[0-9][0-9]-*.md"))
CHINESE = [LESSONS / "zh" / page.name for page in ENGLISH]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MEASURED = re.compile(
    r"^<!-- measured: ([^;]+);.*?^<!-- end of what is measured -->$", re.M | re.S
)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Page:
    """One page."""

    text: str

    @classmethod
    def read(cls, path: Path) -> "Page":
        return cls(path.read_text())

    def blocks(self, language: str) -> list[str]:
        """Return the fenced blocks of a language."""
        return [block[2] for block in _BLOCK.finditer(self.text) if block[1] == language]

    def all_blocks(self) -> list[tuple[str, str]]:
        return _BLOCK.findall(self.text)

    def headings(self) -> list[int]:
        """Return the levels of the headings, in order."""
        prose = _BLOCK.sub("", self.text)
        return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]

    def measured(self) -> dict[str, list[list[str]]]:
        """Return the rows of each measured table, without what is language."""
        found = {}
        for region in _MEASURED.finditer(self.text):
            rows = re.findall(r"^\| (.*) \|$", region[0], re.MULTILINE)
            found[region[1]] = [row.split(" | ") for row in rows]
        return found

    def links(self) -> list[str]:
        """Return the targets of links to files."""
        return _LINK.findall(_BLOCK.sub("", self.text))
