"""Who says what: the command line before the environment, and both before a file.

Each of the three is a `Layer`. For every setting the first layer that has it is heard, and what it
says replaces what the others say; `port` and `listen` are one setting in two forms, so that a
platform's PORT opens one port and not one more.
"""

import difflib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .settings import SETTINGS, SITE, Setting, named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "TABLES",
    "Configuration",
    "Given",
    "Layer",
    "Mistake",
    "choose",
    "environment",
    "file",
    "guess",
    "nothing",
    "printed",
]

TABLES = ("redirects", "headers")
"""Lists of tables in a file, which are rules of a site; `tinyhttp.core.rule_tables` reads them."""
HOSTS = "hosts"
"""The list of tables of further sites; each has ``names`` and whatever else makes a site."""

PREFIX = "TINYHTTP_"
LONGEST = 1024 * 1024
"""Octets of a configuration file."""

_TOGETHER = frozenset(("port", "listen"))


class Mistake(Exception):  # noqa: N818 (it is not an error of ours)
    """Something is wrong with what was said, for the reason given in one line."""


@dataclass(frozen=True, slots=True)
class Given:
    """What ``source`` says of a setting, and the directory that its paths are relative to."""

    texts: list[str]
    source: str
    base: str

    def value(self, setting: Setting) -> Any:
        """Return the value of ``setting``; raises `Mistake`."""
        texts = [setting.within(self.base, text) for text in self.texts]
        try:
            return setting.value(texts)
        except ValueError as error:
            wrong = next(text for text in texts if not _is_read(setting, text))
            raise Mistake(f"{self.source} {wrong!r}: {error}") from None


Layer = Mapping[str, Given]
"""By the name of the setting."""


def _is_read(setting: Setting, text: str) -> bool:
    try:
        setting.value([text])
    except ValueError:
        return False
    return True


def choose(layers: Iterable[Layer]) -> dict[str, Given]:
    """Return what is heard of ``layers``, the first of which go before the others."""
    chosen: dict[str, Given] = {}
    for layer in layers:
        taken = bool(_TOGETHER & chosen.keys())
        for name, given in layer.items():
            if name not in chosen and not (taken and name in _TOGETHER):
                chosen[name] = given
    return chosen


def guess(name: str, names: Iterable[str]) -> str:
    """Return a question whether one of ``names`` was meant by ``name``, or nothing."""
    likely = difflib.get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {likely[0]}?" if likely else ""


# The environment.


def environment(variables: Mapping[str, str], base: str) -> Layer:
    """Return what ``variables`` say: ``TINYHTTP_MAX_HEAD`` for ``max-head``; raises `Mistake`.

    Several values stand in lines of their own, or as in TOML: ``["a", "b"]``.
    """
    layer: dict[str, Given] = {}
    for setting in SETTINGS:
        if setting.also in variables:
            source = f"the environment's {setting.also}"
            layer[setting.name] = Given([variables[setting.also]], source, base)
    for variable in sorted(variables):
        name = variable.removeprefix(PREFIX).lower().replace("_", "-")
        if not variable.startswith(PREFIX) or name == "config":
            continue
        source = f"the environment's {variable}"
        found = named(name)
        if found is None:
            known = [PREFIX + each.name.upper().replace("-", "_") for each in SETTINGS]
            raise Mistake(f"{source}: there is no such setting{guess(variable, known)}")
        layer[name] = Given(_several(found, source, variables[variable]), source, base)
    return layer


def _several(setting: Setting, source: str, said: str) -> list[str]:
    if not setting.several:
        return [said]
    if said.startswith("["):
        try:
            return _texts(setting, source, tomllib.loads(f"it = {said}")["it"])
        except tomllib.TOMLDecodeError:
            raise Mistake(f'{source}: that is no list such as ["a", "b"]') from None
    return [line.strip() for line in said.splitlines() if line.strip()]


# The file.


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says: of settings, in `TABLES`, and of further hosts."""

    layer: Layer
    tables: Mapping[str, Any]
    hosts: "Sequence[tuple[list[str], Configuration]]"
    """Their names, and what is said of them."""

    @property
    def unprinted(self) -> list[str]:
        """What `printed` leaves out, as it stands in the file."""
        return [f"[[{name}]]" for name in (*self.tables, *[HOSTS][: len(self.hosts)])]

    def told(self) -> dict[str, Any]:
        """Return what no argument can say, for `heard` in another process."""
        return {
            "tables": json.loads(json.dumps(dict(self.tables), default=str)),
            "hosts": [
                [
                    names,
                    {name: asdict(given) for name, given in host.layer.items()},
                    host.told()["tables"],
                ]
                for names, host in self.hosts
            ],
        }

    @staticmethod
    def heard(told: Mapping[str, Any]) -> "Configuration":
        """Return what `told` has told."""
        hosts = [
            (
                names,
                Configuration({name: Given(**given) for name, given in layer.items()}, tables, []),
            )
            for names, layer, tables in told["hosts"]
        ]
        return Configuration({}, told["tables"], hosts)


def nothing() -> Configuration:
    """Return what a file says that is not there."""
    return Configuration({}, {}, [])


def file(path: str) -> Configuration:
    """Return what the TOML file ``path`` says; raises `Mistake`."""
    try:
        with open(path, "rb") as opened:
            content = opened.read(LONGEST + 1)
    except OSError as error:
        raise Mistake(f"--config {path!r}: {error.strerror}") from None
    if len(content) > LONGEST:
        raise Mistake(f"--config {path!r}: that is more than {LONGEST} octets")
    try:
        decoded = content.decode()
        table = tomllib.loads(decoded)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistake(f"{path} line {line}: that is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Mistake(f"{path}: that is not TOML: {error}") from None
    base = os.path.dirname(os.path.abspath(path))
    hosts = table.pop(HOSTS, [])
    if not isinstance(hosts, list) or not all(isinstance(each, dict) for each in hosts):
        raise Mistake(f"{path} line {_line_of(HOSTS, decoded)}: [[{HOSTS}]] are tables")

    def place(name: str) -> str:
        return f"{path} line {_line_of(name, decoded)}: {name}"

    return Configuration(
        _layer(table, SETTINGS, place, base),
        {name: table[name] for name in TABLES if name in table},
        [_host(number, host, path, base) for number, host in enumerate(hosts, 1)],
    )


def _host(
    number: int, table: dict[str, Any], path: str, base: str
) -> tuple[list[str], Configuration]:
    def place(name: str) -> str:
        return f"{path} [[{HOSTS}]] {number}: {name}"

    names = table.pop("names", None)
    if not isinstance(names, list) or not names or not all(map(_is_host, names)):
        raise Mistake(f'{place("names")}: a list of hosts is wanted, such as ["www.example.org"]')
    if "path" not in table:
        raise Mistake(f"{place('path')}: a directory is wanted")
    layer = _layer(table, SITE, place, base)
    tables = {name: table[name] for name in TABLES if name in table}
    return names, Configuration(layer, tables, ())


def _is_host(name: object) -> bool:
    pattern = r"[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\]"
    return isinstance(name, str) and re.fullmatch(pattern, name) is not None


def _layer(
    table: Mapping[str, Any],
    settings: Sequence[Setting],
    place: Callable[[str], str],
    base: str,
) -> Layer:
    layer = {}
    known = {setting.name: setting for setting in settings}
    for name, value in table.items():
        if name in TABLES:
            continue
        source = place(name)
        setting = known.get(name)
        if setting is None:
            raise Mistake(f"{source}: there is no such setting{guess(name, [*known, *TABLES])}")
        layer[name] = Given(_texts(setting, source, value), source, base)
    return layer


def _line_of(key: str, text: str) -> int:
    r"""Return the number of the line that assigns to ``key``; the first if it can't be told."""
    quoted = re.escape(key)
    m = re.search(rf"""^[ \t]*(?:\[+[ \t]*)?["']?{quoted}["']?[ \t]*[=.\]]""", text, re.MULTILINE)
    return text.count("\n", 0, m.start()) + 1 if m else 1


def _texts(setting: Setting, source: str, value: Any) -> list[str]:
    if isinstance(value, list):
        if not setting.several:
            raise Mistake(f"{source}: one value is wanted, not a list")
        return [_text(setting, source, each) for each in value]
    return [_text(setting, source, value)]


def _text(setting: Setting, source: str, value: Any) -> str:
    if isinstance(value, bool):
        if not setting.flag:
            raise Mistake(f"{source}: that can't be true or false")
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Mistake(f"{source}: a string, a number, true or false is wanted")


# What has come of it.


def printed(chosen: Mapping[str, Given]) -> str:
    """Return every setting as TOML, with who has said it; reading it gives the same again.

    But for rules and hosts, which are no settings: see `Configuration.unprinted`.
    """
    lines = []
    for setting in SETTINGS:
        given = chosen.get(setting.name)
        if given is None and setting.name in _TOGETHER and _TOGETHER & chosen.keys():
            continue  # the other form was used
        texts = setting.default_texts if given is None else given.texts
        base = "" if given is None else given.base
        values = [_as_toml(setting, setting.within(base, text)) for text in texts]
        value = f"[{', '.join(values)}]" if setting.several else values[-1]
        lines.append(f"{setting.name} = {value}  # {'default' if given is None else given.source}")
    return "\n".join(lines)


def _as_toml(setting: Setting, text: str) -> str:
    if setting.flag:
        return json.dumps(setting.read(text))
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
        return text
    # A string of JSON is one of TOML, but that TOML wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
