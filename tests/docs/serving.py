"""Whether commands that serve would start: a program, so that one process tries all of them.

It reads a list of commands from standard input, as JSON: each the changes of the environment and
the words. It writes what was wrong with each, or nothing.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any

from twisted.application.twist._options import TwistOptions
from twisted.scripts._twistd_unix import ServerOptions

from tinyhttp.options import Options
from tinyhttp.service import makeService


def parsed(words: list[str]) -> Options:
    """Return the options of the server in the command ``words``."""
    outer: Any
    if words[0] == "twistd":
        outer = ServerOptions()
        outer.parseOptions(words[1:])
    elif words[0] == "twist":
        outer = TwistOptions()
        outer.parseOptions(words[1:])
    else:
        options = Options()
        options.parseOptions(words[1:])
        return options
    found = outer.subOptions
    assert isinstance(found, Options), "it starts something else"
    return found


def problem(environment: dict[str, str], words: list[str]) -> str:
    """Return what keeps the command from starting."""
    said = io.StringIO()
    os.environ.update(environment)
    try:
        with contextlib.redirect_stdout(said):
            makeService(parsed([*words, "--check"]))
    except SystemExit as end:
        return "" if end.code in (0, None) else str(end)
    finally:
        for name in environment:
            del os.environ[name]
    return "it does not check"


if __name__ == "__main__":
    json.dump([problem(*each) for each in json.load(sys.stdin)], sys.stdout)
