"""Which commands ``tinyhttp`` has beside serving.

Each is a module with ``main(arguments) -> status``, imported when it is called for: serving pays
for none of them. They stand above the floors, as `tinyhttp.service` does: they may print, and read
what they are told to read.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["COMMANDS", "listing", "run"]

COMMANDS: dict[str, tuple[str, str]] = {
    "conform": ("conform", "hold a server against HTTP/1.1: right and wrong requests"),
    "import": ("import_", "turn the configuration of another server into one for this"),
    "compress": ("compress", "write precompressed sidecars beside the files of a directory"),
    "manifest": ("manifest", "write down what the files of a directory hold, or check them"),
    "check": ("check", "look for what is wrong with configuration, rules and files"),
    "explain": ("explain", "tell how a request would be answered, and why"),
}
"""Name on the command line: the module here, and what it does in one line."""


def listing() -> str:
    """Return the lines of ``--help`` about the commands; nothing if there are none."""
    width = max(map(len, COMMANDS), default=0) + 2
    return "\n".join(f"  {name:{width}}{text}" for name, (_, text) in COMMANDS.items())


def run(name: str, arguments: Sequence[str]) -> int:
    """Run the command ``name`` and return its exit status; a reader that goes away is no error."""
    module = import_module(f"{__name__}.{COMMANDS[name][0]}")
    try:
        status: int = module.main(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # "| head"
        sys.stdout = None
        return 141
    return status
