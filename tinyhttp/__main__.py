"""``python -m tinyhttp`` and the ``tinyhttp`` command: the service in the foreground, or a command.

``tinyhttp`` alone and ``tinyhttp --option ...`` serve; ``tinyhttp NAME ...`` runs one of
`tinyhttp.commands`.
"""

import sys
from collections.abc import Sequence

from .commands import COMMANDS, listing, run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what ``arguments``, those behind the program's name, say; raise ``SystemExit`` to end."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in COMMANDS:
        raise SystemExit(run(arguments[0], arguments[1:]))
    serve(arguments)


def serve(arguments: Sequence[str]) -> None:
    """Serve until a signal ends it."""
    from twisted.logger import globalLogBeginner, textFileLogObserver

    from .service import Options, makeService

    options = Options()
    options.synopsis = "Usage: tinyhttp [options]"
    if COMMANDS:
        options.synopsis += f"\n       tinyhttp COMMAND ...\n\nCommands:\n{listing()}\n"
    options.parseOptions(list(arguments))

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
