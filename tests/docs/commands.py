"""What is done with a command of a console block: tried, looked at, or left alone with a reason."""

import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tinyhttp.commands import COMMANDS
from tinyhttp.settings import named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from .blocks import ROOT
from .generating import generated

LEFT_ALONE = {
    r"(python -m )?pip install twisted-tinyhttp( |$)|pip install 'twisted-tinyhttp\[": (
        "takes it from the package index"
    ),
    r"python3 -m venv .*": "what runs the tests was made by it",
    r"\. \S+/activate": "changes the shell that it is typed into",
    r"(systemctl|kubectl|docker|journalctl) .*": "asks for a service of the machine",
    r"cp .* /etc/.*": "writes into the system",
    r"kill .*": "ends a process; test_twistd.py does so",
    r"(trial|twistd) .*--reactor=\S+ .*": "has a process for each reactor in test_reactors.py",
    r"python -m pytest --reactor=.*": "as above",
    r"(ruff|mypy|coverage|trial)\b.*": "a tool of the project, run by .ci/run over everything",
    r"python -m benchmarks\b.*": "takes hours, and the machine to itself",
    r"bash \.ci/run": "runs this test",
    r"sphinx-build .*": "run by test_pages.py, and by .ci/run with warnings as errors",
    r"find .* -exec .*": "wants brotli and zstd; test_compressed.py makes the same",
    r"tinyhttp (explain|check) .*": "run and compared by tests/commands, for what they print",
    r"(htpasswd .*|python3 -c .*getpass.*)": "asks for a password",
    r"tinyhttp conform http.*": "asks a server for hundreds of things; tests/conform does so",
    r"(certbot|openssl|apt-get|haproxy|ab|wrk)\b.*": "a program that need not be there",
    r"tinyhttp .*systemd:.*": "wants a socket of systemd's; test_twistd.py has one",
    r"tinyhttp .* tls:.*": "an endpoint of another package's",
}
"""Commands that no test runs, as patterns of the whole of them, and why."""

AWAITED: frozenset[str] = frozenset()
"""Options and commands that pages speak of and that are being made: run once they are there."""

SERVERS = ("tinyhttp", "twistd", "twist")
_ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)
OF_THE_SYSTEM = re.compile(r"(?:^|(?<=[=:,\[\"]))(?=/(?:srv|etc|var|run|tls|site|certs)\b)")


@dataclass
class Command:
    """One command: its words, and the variables in front of it."""

    line: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        if self.words[0] == "tinyhttp":
            return len(self.words) == 1 or self.words[1] not in COMMANDS
        return self.words[0] in SERVERS


def split(line: str) -> list[Command]:
    """Return the commands of a line, which may be joined by ``&&``; comments are dropped."""
    parts: list[list[str]] = [[]]
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    for word in lexer:
        if word in ("&&", ";", "&"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [_command(words) for words in parts if words]


def _command(words: list[str]) -> Command:
    environment = {}
    while words and (found := _ASSIGNMENT.fullmatch(words[0])):
        environment[found[1]] = found[2]
        words = words[1:]
    words = [re.sub(r"^(\.venv/bin/|\$ )", "", words[0]), *words[1:]] if words else []
    if words and words[0].startswith("--"):
        words = ["tinyhttp", *words]  # an excerpt
    if words[:3] == ["python", "-m", "tinyhttp"]:
        words = ["tinyhttp", *words[3:]]
    return Command(shlex.join(words), words, environment)


def why_left_alone(command: Command) -> str:
    """Return why nothing is run, or nothing."""
    for pattern, reason in LEFT_ALONE.items():
        if re.fullmatch(pattern, command.line) or re.match(pattern, " ".join(command.words)):
            return reason
    return ""


def awaited(command: Command) -> list[str]:
    """Return the options in ``command`` that are not there yet, and are known not to be."""
    said = {word.partition("=")[0] for word in command.words} & AWAITED
    return sorted(each for each in said if not named(each[2:]) and each not in COMMANDS)


def moved(command: Command, place: Path) -> list[str]:
    """Return the words with free ports, and with the system's directories beneath ``place``."""
    words = [OF_THE_SYSTEM.sub(str(place), word) for word in command.words]
    words = [re.sub(r"^(tcp6?|ssl):\d+", r"\1:0", word) for word in words]
    words = [re.sub(r"interface=\d+(\.\d+){3}", "interface=127.0.0.1", word) for word in words]
    for before, word in enumerate(words[1:]):
        if (words[before] == "--port" and word.isdigit()) or word == "$PORT":
            words[before + 1] = "0"
    return words


def names_what_is_there(command: Command) -> str:
    """Return what ``command``, for working on the project, names that is not there."""
    words = command.words
    for word in words[1:]:
        path, _, test = word.partition("::")
        known = path.removeprefix("docs/") in generated().AWAITED or (ROOT / path).exists()
        if re.match(r"(tests|docs|benchmarks)(/|$)", path) and not known:
            return f"there is no {path}"
        if path.endswith(".py") and test and f"def {test}(" not in (ROOT / path).read_text():
            return f"there is no {test} in {path}"
    return ""


def extras_missing(command: Command) -> set[str]:
    """Return the extras that ``pip install`` asks of the project and that it does not have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = re.findall(r"(?:\.|twisted-tinyhttp)\[([\w,-]+)\]", " ".join(command.words))
    return set(",".join(asked).split(",")) - {""} - set(project["optional-dependencies"])
