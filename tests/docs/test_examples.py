"""Every program and every command in the README and the pages is run, or justified.

A command that nobody knows fails: `tests.docs.commands` has the list of those that are left alone.
A block that can't be run says so in the line above it: ``<!-- not run: and why -->``.
"""

import builtins
import json
import re
import shutil
import subprocess
import symtable
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import certificate, private_key
from tests.end_to_end.processes import PATIENCE, SCRIPTS, Running, environment, start
from tinyhttp.settings import named

from . import commands
from .blocks import BLOCKS, ELSEWHERE, ROOT, SHELLS, Block, blocks_of, command_lines, elsewhere, of
from .commands import Command


def run(line: str, place: Path, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    path = f"{SCRIPTS}:{environment().get('PATH', '')}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=place,
        env=environment(PATH=path, PYTHONPATH=str(ROOT), no_proxy="*"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_pages_with_tests_of_their_own_have_them() -> None:
    for page, test in ELSEWHERE.items():
        if (ROOT / page).exists():
            assert (ROOT / test).exists(), test


def test_blocks_are_found() -> None:
    text = "# A\n<!-- not run: why -->\n```sh\na\n```\n\n- b\n\n  ```\n  c\n  ```\n"
    first, second = blocks_of("p.md", text)
    assert (first.language, first.text, first.heading) == ("sh", "a\n", "A")
    assert first.reason == "why"
    assert (second.language, second.text, second.reason) == ("", "c\n", "")
    with pytest.raises(ValueError, match="never ends"):
        list(blocks_of("p.md", "```sh\na\n"))


# Python.

WITH_A_REACTOR = """
from twisted.internet import reactor
"""

ASKS_ONCE = """
def _ask_once():
    import urllib.request
    from twisted.internet import reactor, threads
    ports = [r.getHost().port for r in reactor.getReaders() if hasattr(r, "socket")]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = threads.deferToThread(opener.open, f"http://127.0.0.1:{ports[0]}/", timeout=10)
    asked.addCallbacks(lambda _: print("answered"), lambda failure: print(failure))
    asked.addBoth(lambda _: reactor.stop())

reactor.callWhenRunning(_ask_once)
"""

PRELUDES = {
    "docs/contributing.md": "from tests.server.wire_table import A_TXT, Case, get\n",
}
"""What a page's programs take for granted."""


def free_names(code: str) -> set[str]:
    """Return the names that ``code`` uses and does not have."""
    table = symtable.symtable(code, "block", "exec")
    own = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    for child in table.get_children():
        own.add(child.get_name())
        used |= {s.get_name() for s in child.get_symbols() if s.is_global()}
    return used - own - set(dir(builtins))


@of("python")
def test_python(block: Block, place: Path) -> None:
    """A program that runs a reactor is asked for a page, and ended."""
    code = PRELUDES.get(block.page, "") + block.text
    if "reactor" in free_names(code):
        code = WITH_A_REACTOR + code
    if missing := free_names(code):
        pytest.fail(f"{missing}: where are these from? A program has to be whole, or marked")
    if "reactor.run()" in code:
        code = code.replace("8000", "0").replace("reactor.run()", ASKS_ONCE + "reactor.run()")
    if "manifest" in code:
        assert run("tinyhttp manifest --quiet site", place).returncode == 0
    (place / "program.py").write_text(code)
    done = run(f"{sys.executable} -W error program.py", place)
    assert done.returncode == 0, done.stderr
    if "reactor.run()" in code:
        assert done.stdout.strip().endswith("answered"), done.stdout + done.stderr


def test_names_that_are_missing_are_found() -> None:
    assert free_names("import a\nfrom b import c\na(c, d, len)\n") == {"d"}
    assert free_names("x = 1\ndef f(y):\n    return x + y + z\n") == {"z"}


# Consoles.


def consoles() -> list[tuple[str, Command]]:
    """Return every command of the pages that have no tests of their own."""
    found = []
    for block in BLOCKS:
        procfile = block.language == "" and block.text.startswith("web: ")
        if (block.language not in SHELLS and not procfile) or block.reason or elsewhere(block):
            continue
        for line in command_lines(block.text.removeprefix("web: ")):
            found += [(block.id, command) for command in commands.split(line)]
    return found


CONSOLES = consoles()


def chosen(wanted: Callable[[Command], bool]) -> pytest.MarkDecorator:
    """Have a test run for each command that is ``wanted`` and not left alone."""
    cases = [c for c in CONSOLES if not commands.why_left_alone(c[1]) and wanted(c[1])]
    return pytest.mark.parametrize(("where", "command"), cases, ids=[c.line for _, c in cases])


def is_pip(command: Command) -> bool:
    return command.words[0].endswith("pip")


def is_pytest(command: Command) -> bool:
    return command.words[:3] == ["python", "-m", "pytest"]


def is_ours(command: Command) -> bool:
    return command.words[0] == "tinyhttp" and not command.serves


def is_curl(command: Command) -> bool:
    return command.words[0] == "curl"


def test_every_command_is_known() -> None:
    kinds = (is_pip, is_pytest, is_ours, is_curl)
    unknown = [
        f"{where}: {command.line}"
        for where, command in CONSOLES
        if not commands.why_left_alone(command)
        and not command.serves
        and not any(is_kind(command) for is_kind in kinds)
    ]
    assert not unknown, "run these, or say in tests/docs/commands.py why not"


USER = {"BASIC_AUTH_USERNAME": "anna", "BASIC_AUTH_PASSWORD": "a long one, for a test"}


@pytest.fixture(scope="module")
def problems(place: Path) -> dict[str, str]:
    """What keeps each command that serves from starting, tried in one process."""
    tried = [c for _, c in CONSOLES if c.serves and not commands.why_left_alone(c)]
    cases = [(c.environment, commands.moved(c, place)) for c in tried if not commands.awaited(c)]
    for word in {word for _, words in cases for word in words}:
        provide_key_pair(place, word)
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.serving"],
        cwd=place,
        env=environment(PYTHONPATH=str(ROOT), **USER),
        input=json.dumps([*cases, *([{}, line.split()] for line in WRONG)]),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [c.line for c in tried if not commands.awaited(c)]
    return dict(zip([*lines, *WRONG], json.loads(done.stdout), strict=True))


WRONG = ("tinyhttp --prot 1", "twistd tinyhttp --path nowhere", "twist tinyhttp --port x")


@pytest.mark.parametrize("line", WRONG)
def test_a_server_that_would_not_start_is_found(line: str, problems: dict[str, str]) -> None:
    assert problems[line].startswith("tinyhttp: ")


def provide_key_pair(place: Path, word: str) -> None:
    """Make the files that ``word`` names if they look like certificates or keys."""
    for name in re.findall(r"[^\s:=,]+\.(?:pem|key|crt)\b", word):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = certificate("example.org", now=time.time())
        is_key = "key" in path.name
        path.write_bytes(private_key() if is_key else made + private_key())


@chosen(lambda command: command.serves)
def test_a_server_would_start(where: str, command: Command, problems: dict[str, str]) -> None:
    """With ``--check``, free ports, and the system's directories in a scratch one."""
    if missing := commands.awaited(command):
        pytest.skip(f"{', '.join(missing)}: being made")
    assert problems[command.line] == "", where


@chosen(is_ours)
def test_our_commands(where: str, command: Command, place: Path) -> None:
    """In the order of the pages: what one writes the next may read."""
    done = run(re.sub(r"'([<>|])'", r"\1", command.line), place)
    assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Running]:
    options = ["--port", "tcp:0:interface=127.0.0.1", "--path", str(place / "site")]
    options += ["--listing"] if named("listing") else []
    with start("command", *options, "--access-log", "none", cwd=place) as server:
        yield server


@chosen(is_curl)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(where: str, command: Command, served: Running, place: Path) -> None:
    line = re.sub(r"\b(localhost|127\.0\.0\.1):8000\b", f"127.0.0.1:{served.port()}", command.line)
    assert line != command.line, "which server is asked?"
    done = run(line, place)
    assert done.returncode == 0, f"{where}: {done.stderr}"


@chosen(is_pip)
def test_extras_are_there(where: str, command: Command) -> None:
    assert commands.extras_missing(command) == set(), where


@pytest.mark.parametrize(
    ("where", "command"), CONSOLES, ids=[command.line for _, command in CONSOLES]
)
def test_commands_name_what_is_there(where: str, command: Command) -> None:
    assert commands.names_what_is_there(command) == "", where


def test_commands_are_taken_apart() -> None:
    first, second = commands.split("A=1 .venv/bin/tinyhttp --port 8000 && ls 'a b' # why")
    assert (first.words, first.environment) == (["tinyhttp", "--port", "8000"], {"A": "1"})
    assert first.serves
    assert second.words == ["ls", "a b"]
    assert command_lines("$ a \\\n  b\nsaid\n") == ["a b"]
    assert commands.moved(first, Path("/x")) == ["tinyhttp", "--port", "0"]
