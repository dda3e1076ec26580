"""Every block in a language of ours or of others is read by what reads it; none is unknown."""

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.processes import PATIENCE
from tinyhttp import configuration
from tinyhttp.core.field_rules_file import parse_headers
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.rule_tables import headers_from_tables, redirects_from_tables
from tinyhttp.core.rules import NETLIFY
from tinyhttp.settings import named

from . import commands
from .blocks import BLOCKS, ROOT, SHELLS, Block, of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_every_block_is_of_a_known_kind() -> None:
    unknown = {b.id: b.language for b in BLOCKS if b.language not in KINDS and not b.reason}
    assert not unknown, f"say what is done with these: {unknown}"


# Files of ours.


@of("toml")
def test_toml(block: Block, place: Path) -> None:
    """A configuration is read as one; rules in it as rules."""
    table = tomllib.loads(block.text)
    rules = {"redirects": redirects_from_tables, "headers": headers_from_tables}
    for name, read in rules.items():
        if name in table:
            made, problems = read(table.pop(name), NETLIFY)
            assert (bool(made), problems) == (True, [])
    if not table:
        return
    file = place / "example.toml"
    file.write_text(commands.OF_THE_SYSTEM.sub(str(place), block.text))
    for name, given in configuration.file(str(file)).layer.items():
        setting = named(name)
        assert setting is not None
        given.value(setting)


@pytest.mark.parametrize(
    "block",
    [b for b in BLOCKS if b.language == "" and re.fullmatch("`_(redirects|headers)`", b.heading)],
    ids=lambda block: block.id,
)
def test_rules(block: Block) -> None:
    read = parse_redirects if "redirects" in block.heading else parse_headers
    made, problems = read(block.text, NETLIFY)
    assert (bool(made), problems) == (True, [])


# Files of others.


def haproxy(text: str, place: Path) -> None:
    """Check a configuration of HAProxy's; what an excerpt leaves out is put in."""
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    if not re.search("^defaults", text, re.MULTILINE):
        mode = "tcp" if "mode tcp" in text else "http"
        times = "timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
        text = f"defaults\n mode {mode}\n {times}\n{text}"
    if not re.search("^(frontend|listen)", text, re.MULTILINE):
        text += "\nfrontend excerpt\n bind 127.0.0.1:8080\n default_backend files\n"
    file = place / "haproxy.cfg"
    file.write_text(textwrap.dedent(text) + "\n")
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def unit(text: str, place: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    assert parser.sections()


def braces(text: str, place: Path) -> None:
    """Every statement ends, and every block: there is no reader to be had without the server."""
    assert text.count("{") == text.count("}")
    assert all(re.search(r"([;{}]|^\s*#.*|^\s*)$", line) for line in text.splitlines())


def dockerfile(text: str, place: Path) -> None:
    known = {"FROM", "RUN", "COPY", "CMD", "ENV", "EXPOSE", "WORKDIR", "USER", "ENTRYPOINT", "ARG"}
    joined = text.replace("\\\n", " ")
    words = [line.split()[0] for line in joined.splitlines() if line.strip()]
    assert words[0] == "FROM"
    assert {word for word in words if not word.startswith("#")} <= known


def makefile(text: str, place: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        ["make", "-n", "-f", "-"],
        input=text,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def as_yaml(text: str, place: Path) -> None:
    assert all(document for document in yaml.safe_load_all(text))


def as_json(text: str, place: Path) -> None:
    json.loads(text)


def plain(text: str, place: Path) -> None:
    """Output, and what is sent. Excerpts for HAProxy have no language of their own."""
    if re.match(r"\s*(frontend|backend|listen|defaults|global)\b", text):
        haproxy(text, place)


READERS: dict[str, Callable[[str, Path], None]] = {
    "": plain,
    "text": plain,
    "json": as_json,
    "yaml": as_yaml,
    "ini": unit,
    "cfg": haproxy,
    "haproxy": haproxy,
    "nginx": braces,
    "dockerfile": dockerfile,
    "make": makefile,
    "http": plain,
    "diff": plain,
}
KINDS = frozenset({"python", "toml", *SHELLS, *READERS})


@of(*READERS)
def test_formats(block: Block, place: Path) -> None:
    READERS[block.language](block.text, place)


SUFFIXES = {".cfg": haproxy, ".yaml": as_yaml, ".service": unit, ".socket": unit, ".conf": braces}
EXAMPLES = [
    path
    for path in sorted((ROOT / "docs" / "examples").iterdir())
    if path.is_file() and path.suffix != ".md"
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_files(path: Path, place: Path) -> None:
    if path.suffix == ".py":
        ast.parse(path.read_text())
    elif path.suffix == ".toml":
        tomllib.loads(path.read_text())
    elif path.suffix == ".json":
        json.loads(path.read_text())
    else:
        assert path.suffix in SUFFIXES, "say how this is read"
        SUFFIXES[path.suffix](path.read_text(), place)
