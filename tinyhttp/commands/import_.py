"""``tinyhttp import FILE``: the configuration of another server, as one for this.

Above the floors. The configuration goes to standard output, what has no equivalent to standard
error, so that the one can be kept and the other read.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..core.rules import printable
from .imported import Imported
from .serve_json import import_serve_json
from .static_json import import_static_json
from .staticfile import import_staticfile

__all__ = ["USAGE", "main"]

USAGE = """Usage: tinyhttp import FILE

FILE is a static.json, a serve.json or a Staticfile. What it says is printed as a configuration in
TOML; what has no equivalent is told on standard error."""

MOST_OCTETS = 1 << 20


class _CannotImport(Exception):  # noqa: N818 (the end of the command, in one line)
    pass


def main(arguments: Sequence[str]) -> int:
    """Print what the file comes to; return 0, or 1 if it can't be read and 2 for a wrong call."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        imported = _import(arguments[0])
        document = imported.document()
    except _CannotImport as error:
        print(f"tinyhttp import: {error}", file=sys.stderr)
        return 1
    except UnicodeEncodeError:
        print(f"tinyhttp import: {arguments[0]}: half a surrogate pair in it", file=sys.stderr)
        return 1
    print(document, end="")
    for line in imported.missing:
        print(f"{arguments[0]}: {printable(line)}", file=sys.stderr)
    return 0


def _import(path: str) -> Imported:
    kind = os.path.basename(path).lower()
    if kind == "static.json":
        return _from_json(path, import_static_json)
    if kind == "serve.json":
        return _from_json(path, import_serve_json)
    if kind == "staticfile":
        return import_staticfile(_read(path))
    raise _CannotImport(
        f"{path}: what it is is told by the name: static.json, serve.json or Staticfile"
    )


def _from_json(path: str, convert: Callable[[dict[str, Any]], Imported]) -> Imported:
    try:
        config = json.loads(_read(path))
    except ValueError as error:
        raise _CannotImport(f"{path}: no JSON: {error}") from None
    except RecursionError:
        raise _CannotImport(f"{path}: nested too deeply") from None
    if not isinstance(config, dict):
        raise _CannotImport(f"{path}: an object of JSON is wanted")
    return convert(config)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_OCTETS + 1)
    except OSError as error:
        raise _CannotImport(f"{path}: {error.strerror}") from None
    if len(content) > MOST_OCTETS:
        raise _CannotImport(f"{path}: more than {MOST_OCTETS} octets")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _CannotImport(f"{path}: not UTF-8") from None
