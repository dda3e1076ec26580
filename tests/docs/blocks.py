"""The fenced blocks of the pages, and the commands in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

SHELLS = ("console", "sh", "bash", "shell")

ELSEWHERE = {
    "docs/testing.md": "tests/testing/test_docs.py",
    "docs/lessons/": "tests/lessons",
}
"""Pages, or directories of them, whose programs have tests of their own."""

NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
"""What a page says above a block that can't be run, with the reason; code hosts don't show it."""

_FENCE = re.compile(r"^([ ]*)(`{3,}|~{3,})[ ]*(\S*).*$")


@dataclass(frozen=True)
class Block:
    """A block of ``page``, a path from the root, with the heading and the line above it."""

    page: str
    line: int
    language: str
    text: str
    heading: str
    above: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str:
        """Why the page says that it is not run; nothing if it does not."""
        found = NOT_RUN.fullmatch(self.above)
        return found[1] if found else ""


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """Give the blocks of a page; raises ``ValueError`` for one that never ends."""
    heading = above = ""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            if line.startswith("#"):
                heading = line.lstrip("# ")
            above = line.strip() or above
            continue
        indent, marks, language = fence.groups()
        inside: list[str] = []
        for _, each in lines:
            if each.strip() == marks:
                break
            inside.append(each.removeprefix(indent))
        else:
            raise ValueError(f"{page}:{number}: the block never ends")
        yield Block(page, number, language, "\n".join(inside) + "\n", heading, above)
        above = ""


def all_blocks() -> list[Block]:
    """Return every block of every page."""
    return [
        block
        for page in PAGES
        for block in blocks_of(page.relative_to(ROOT).as_posix(), page.read_text())
    ]


BLOCKS = all_blocks()


def of(*languages: str) -> pytest.MarkDecorator:
    """Have a test run for each block of ``languages``."""
    chosen = [b for b in BLOCKS if b.language in languages and not b.reason and not elsewhere(b)]
    return pytest.mark.parametrize("block", chosen, ids=[block.id for block in chosen])


def elsewhere(block: Block) -> bool:
    return any(block.page.startswith(page) for page in ELSEWHERE)


def command_lines(text: str) -> list[str]:
    """Return the commands of a console, joined where they go on in the next line.

    If any line has a prompt, those without one are what was printed.
    """
    joined = re.sub(r"\\\n[ ]*", "", text)
    lines = [line.strip() for line in joined.splitlines()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]
