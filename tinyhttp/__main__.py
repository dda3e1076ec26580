"""``python -m tinyhttp`` and the ``tinyhttp`` command: the service in the foreground."""

import sys
from collections.abc import Sequence

from twisted.logger import globalLogBeginner, textFileLogObserver

from .service import Options, makeService

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal ends it; ``arguments`` are those behind the command's name."""
    from twisted.internet import reactor

    options = Options()
    options.synopsis = "Usage: tinyhttp [options]"
    options.parseOptions(list(sys.argv[1:] if arguments is None else arguments))
    service = makeService(options)
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
