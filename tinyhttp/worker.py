"""One of several processes that serve: ``python -m tinyhttp.worker REACTOR NUMBER``.

Started by `tinyhttp.supervisor`, never by hand. What to do stands in the first line of its standard
input; when that input ends, nobody is left to look after it, and it ends too.
"""

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

from twisted.logger import ILogObserver, LogLevel, eventAsText
from zope.interface import implementer

__all__ = ["main"]


def main(reactor_name: str, number: str) -> None:
    """Serve until told to end."""
    _take_what_is_held()
    orders = json.loads(_first_line())
    import_module(reactor_name).install()
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner

    from .assembly import make_endpoints
    from .configuration import Configuration
    from .options import Options
    from .server.board import Board, Slot
    from .server.workers import READY
    from .service import assemble
    from .site.releases import Earlier
    from .sites import read_sites
    from .supervisor import SLOTS, name_process
    from .watching import Watching

    name_process(f"tinyhttp: worker {number}")
    globalLogBeginner.beginLoggingTo([_log_line], redirectStandardIO=False)
    options = Options(orders["directory"])
    options.configuration = Configuration.heard(orders["configuration"])
    options.parseOptions(orders["arguments"])
    endpoints = make_endpoints(reactor, options, orders["descriptors"])
    slot = None
    if orders["board"] is not None:
        slot = Slot(Board(orders["board"], SLOTS), orders["slot"])
    watching = Watching(reactor, unready=options["unready-status"], slot=slot)
    before = {
        path: [Earlier(real, (device, inode), until) for real, (device, inode), until in releases]
        for path, releases in orders["before"].items()
    }
    service = assemble(
        reactor,
        options,
        endpoints,
        watching,
        log=orders["log"],
        worker=int(number),
        sites=read_sites(reactor, options, before),
    )
    service.on_running = lambda: _say_ready(READY)
    service.startService()
    for descriptor in orders["descriptors"]:
        # The reactor has a copy. As long as one is open at all, the kernel accepts who connects.
        os.close(descriptor)
    _Superior(reactor, service)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


def _take_what_is_held() -> None:
    """Let signals in. Those that are not meant for us, or too early, mean nothing from now on.

    ``INT`` and ``HUP`` come to us because we are in one group with the supervisor, which does what
    is to be done.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    # Here, as the import costs nothing that is not needed later.
    from .server.workers import HELD

    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def _first_line() -> bytes:
    """Return the first line of standard input, and not an octet more."""
    line = bytearray()
    while not line.endswith(b"\n"):
        octet = os.read(0, 1)
        if not octet:
            raise SystemExit("tinyhttp.worker is started by tinyhttp --workers, not by hand")
        line += octet
    return bytes(line)


def _say_ready(descriptor: int) -> None:
    os.write(descriptor, b"ready\n")
    os.close(descriptor)


@implementer(ILogObserver)
def _log_line(event: Any) -> None:
    """Write what is worth a line; whoever reads it adds time and number."""
    ours = str(event.get("log_namespace")).startswith("tinyhttp")
    if not ours and event.get("log_level", LogLevel.info) < LogLevel.warn:
        return  # what Twisted says about its ports and factories
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    if text and not text.startswith("listening on "):  # the same for all
        os.write(2, text.replace("\n", "\n  ").encode("utf-8", "backslashreplace") + b"\n")


class _Superior:
    """Hears from standard input when to retire, and ends the service with it."""

    def __init__(self, reactor: Any, service: Any):
        self._reactor = reactor
        self._service = service
        os.set_blocking(0, False)
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor of standard input."""
        return 0

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "tinyhttp"

    def doRead(self) -> None:
        """Take an order."""
        data = os.read(0, 4096)
        if b"retire" in data:
            self._service.retire()
        elif not data:
            self.connectionLost(None)

    def connectionLost(self, reason: object) -> None:
        """The supervisor is gone, or the reactor at its end."""
        self._reactor.removeReader(self)
        self._service.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
