"""What the pages have readers type, typed; and what they say comes back, compared.

A line that begins with ``$`` is a command, and what stands behind it is all that it writes. ``...``
stands for anything in a line; alone in a line, for any number of lines. A command that says that it
listens goes on running, until the next one does or the page ends; as it gets any free port, that is
put in the place of 8000. Both languages have the same blocks, which another test sees to.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.processes import PATIENCE, SCRIPTS, environment

from .pages import ENGLISH, Page
from .stages import CODE, PROMPTED, started

PROMPT = "Input the port you want:"
SERVES = re.compile(r"listening on 127\.0\.0\.1:8000|Answers starting on 8000")


@dataclass(frozen=True)
class Command:
    """A line that is typed, and what comes back."""

    line: str
    output: list[str]

    @property
    def serves(self) -> bool:
        return any(SERVES.search(line) for line in self.output)

    @property
    def stage(self) -> str:
        """The name of the stage that is started."""
        if "twistd" in self.line:
            return "stage8_plugin"
        return shlex.split(self.line)[1].removesuffix(".py")


def commands(page: Page) -> list[Command]:
    found: list[Command] = []
    for block in page.blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            else:
                found[-1].output.append(line)
    return found


def matches(wanted: list[str], text: str) -> bool:
    """Return whether the text is what the lines say; a line of dots is any number of lines."""
    parts = []
    for line in wanted:
        one = ".*".join(re.escape(part) for part in line.split("..."))
        parts.append(r"(?:.*\n)*" if line == "..." else rf"{one}\n")
    return re.fullmatch("".join(parts), text) is not None


def run(command: Command, code: Path, port: int) -> str:
    """Return what a command writes that ends by itself."""
    env = environment()
    words = shlex.split(command.line)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    programs = {"python3": [sys.executable], "twistd": [sys.executable, str(SCRIPTS / "twistd")]}
    line = [*programs[words[0]], *(str(port) if word == "8000" else word for word in words[1:])]
    done = subprocess.run(
        line,
        cwd=code,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Future[None]]]:
    """Type all pages at once: most of it is waiting."""
    with ThreadPoolExecutor(len(ENGLISH)) as pool:
        yield {path: pool.submit(type_page, path, tmp_path_factory.mktemp("p")) for path in ENGLISH}


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.name)
def test_a_page_typed_from_top_to_bottom(path: Path, typed: dict[Path, Future[None]]) -> None:
    typed[path].result(4 * PATIENCE)


def type_page(path: Path, directory: Path) -> None:
    """Do what the page says, in a copy of the code without ``site``."""
    ignored = shutil.ignore_patterns("__pycache__", "site", "dropin.cache")
    code = Path(shutil.copytree(CODE, directory / "code", ignore=ignored))
    port = 0
    with ExitStack() as stack:
        for command in commands(Page.read(path)):
            if command.serves:
                stack.close()  # whoever reads has pressed Ctrl-C
                typed = [line.removeprefix(PROMPT) for line in command.output if PROMPT in line]
                answers = "\n".join("0" if answer == "8000" else answer for answer in typed)
                stage = stack.enter_context(started(command.stage, code, typed=f"{answers}\n"))
                port = stage.port()
                if command.stage in PROMPTED:
                    assert stage.written.count(PROMPT.encode()) == len(typed)
                else:
                    assert shlex.split(command.line)[-1] == "8000"
            else:
                text = run(command, code, port)
                assert matches(command.output, text), f"{command.line}: {text}"


def test_every_page_has_something_to_type() -> None:
    for path in ENGLISH:
        assert len(commands(Page.read(path))) > 1 or path.name.startswith("04")


@pytest.mark.parametrize(
    ("wanted", "text", "same"),
    [
        (["a"], "a\n", True),
        (["a"], "a\nb\n", False),
        (["a", "..."], "a\nb\nc\n", True),
        (["a...c"], "abc\n", True),
        (["a.c"], "abc\n", False),
        (["...", "z"], "a\nz\n", True),
    ],
)
def test_comparing(wanted: list[str], text: str, same: bool) -> None:
    assert matches(wanted, text) == same


def test_twistd_finds_the_plugin_by_its_place(code: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "twistd"), "--help"],
        cwd=code,
        env=environment(PYTHONPATH=f"stage8_plugin{os.pathsep}."),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert re.search(r"^\s+lesson\s+The server of the lessons\.$", done.stdout, re.MULTILINE)
