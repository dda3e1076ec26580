"""``python -m tinyhttp`` and the ``tinyhttp`` command: the service in the foreground, or a command.

``tinyhttp``, ``tinyhttp DIRECTORY`` and ``tinyhttp --option ...`` serve; ``tinyhttp NAME ...`` runs
one of `tinyhttp.commands`.
"""

import os
import sys
from collections.abc import Sequence

from .commands import COMMANDS, listing, run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what ``arguments``, those behind the program's name, say; raise ``SystemExit`` to end."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    first = arguments[0] if arguments else "-"
    if first in COMMANDS:
        raise SystemExit(run(first, arguments[1:]))
    if not first.startswith("-") and not os.path.isdir(first):
        from .configuration import guess

        likely = guess(first, COMMANDS)
        raise SystemExit(f"tinyhttp: {first!r} is no command and no directory{likely}")
    serve(arguments)


def serve(arguments: Sequence[str]) -> None:
    """Serve until a signal ends it."""
    from twisted.logger import globalLogBeginner, textFileLogObserver

    from .service import Options, makeService

    options = Options()
    options.synopsis = "Usage: tinyhttp [options] [DIRECTORY]"
    if COMMANDS:
        options.synopsis += f"\n       tinyhttp COMMAND ...\n\nCommands:\n{listing()}\n"
    try:
        options.parseOptions(list(arguments))
    except BrokenPipeError:  # "--help | head"
        sys.stdout = None
        raise SystemExit(141) from None

    from twisted.internet import reactor

    service = makeService(options)
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    if service.problem:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
