"""Servers in a process of their own, told what to do over a pipe.

Floor: testing. `control` starts it. A line of JSON comes in and one goes out for each order; when
the pipe ends, because the other side is done or was killed, this process ends, whatever it does.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from .content import Prepared
from .local import FileServer
from .rules import Rule
from .scripting import check_options

__all__ = ["main"]

LOOK_AFTER_PARENT = 0.5
"""Seconds from one look to the next whether the parent is there: its own children may hold the
pipe open after it."""
ORDER = 64 * 1024 * 1024
"""Octets of an order."""
OPTIONS = ("timeouts", "hidden_files", "follow_symlinks", "index")


class Orders(LineOnlyReceiver):
    """Takes orders, and answers each when it is done."""

    transport: Any
    delimiter = b"\n"
    MAX_LENGTH = ORDER

    def __init__(self, reactor: Any):
        self._reactor = reactor
        self._servers: dict[int, FileServer] = {}
        self._last = 0
        self._parent = os.getppid()
        self._orders: dict[str, Callable[..., Any]] = {
            "serve": self._serve,
            "add": self._add,
            "replace": self._replace,
            "clear": self._clear,
            "unused": self._unused,
            "entries": self._entries,
            "forget": self._forget,
            "wait": self._wait,
            "refuse": self._refuse,
            "accept": self._accept,
            "stop": self._stop,
        }

    def connectionMade(self) -> None:
        """Begin to look after the parent."""
        self._look()

    def _look(self) -> None:
        if os.getppid() != self._parent:
            self.connectionLost()
        else:
            self._reactor.callLater(LOOK_AFTER_PARENT, self._look)

    def lineReceived(self, line: bytes) -> None:
        """Carry out one order."""
        order = json.loads(line)
        number, what = order.pop("id"), order.pop("do")
        result: Deferred[Any] = maybeDeferred(self._orders[what], **order)
        _ = result.addCallbacks(self._done, self._failed, (number,), {}, (number,), {})

    def _done(self, result: Any, number: int) -> None:
        self._say({"id": number, "result": result})

    def _failed(self, failure: Failure, number: int) -> None:
        error = failure.value
        kind = type(error).__name__
        self._say({"id": number, "error": str(error) or kind, "kind": kind})

    def _say(self, answer: dict[str, Any]) -> None:
        self.transport.write(json.dumps(answer).encode() + b"\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The parent is done, or gone: leave no file, and end."""
        for server in self._servers.values():
            server.remove_files()
        if self._reactor.running:
            self._reactor.stop()

    # Orders.

    async def _start(self, server: FileServer) -> dict[str, Any]:
        await server.start()
        self._last += 1
        self._servers[self._last] = server
        return {"server": self._last, "url": server.url, "socket_path": server.socket_path}

    def _serve(
        self,
        prepared: dict[str, Any],
        rules: list[dict[str, Any]],
        trust: list[str] | None,
        unix: bool | str,
        options: dict[str, Any],
    ) -> Deferred[dict[str, Any]]:
        check_options(options, OPTIONS)
        if "timeouts" in options:
            from ..server.server import Timeouts

            options["timeouts"] = Timeouts(**options["timeouts"])
        https: Any = False
        if trust is not None:
            from .certificates import Trust

            https = Trust(trust[0].encode(), trust[1].encode())
        server = FileServer(
            Prepared.from_plain(prepared),
            rules=map(Rule.from_plain, rules),
            https=https,
            unix=unix,
            reactor=self._reactor,
            **options,
        )
        return Deferred.fromCoroutine(self._start(server))

    def _add(self, server: int, rule: dict[str, Any]) -> int:
        return self._servers[server].script.add(Rule.from_plain(rule))

    def _replace(self, server: int, place: int, rule: dict[str, Any]) -> None:
        self._servers[server].script.replace(place, Rule.from_plain(rule))

    def _clear(self, server: int) -> None:
        self._servers[server].clear_rules()

    def _unused(self, server: int) -> list[str]:
        return self._servers[server].script.unused()

    def _entries(self, server: int) -> list[dict[str, Any]]:
        return [entry.plain() for entry in self._servers[server].journal.entries]

    def _forget(self, server: int) -> None:
        self._servers[server].journal.clear()

    def _wait(self, server: int, **wanted: Any) -> Deferred[list[dict[str, Any]]]:
        waiting = self._servers[server].journal.wait_for(**wanted)
        return waiting.addCallback(lambda entries: [entry.plain() for entry in entries])

    def _refuse(self, server: int) -> Deferred[None]:
        return self._servers[server].refuse()

    def _accept(self, server: int) -> None:
        self._servers[server].accept()

    def _stop(self, server: int) -> Deferred[None]:
        return self._servers.pop(server).stop()


def main() -> None:
    """Take orders from standard input until it ends."""
    from twisted.internet import reactor, stdio
    from twisted.logger import (
        FilteringLogObserver,
        LogLevel,
        LogLevelFilterPredicate,
        globalLogBeginner,
        textFileLogObserver,
    )

    running: Any = reactor
    if sys.modules.get("OpenSSL", sys) is None:  # it was hidden from Twisted: see `control`
        del sys.modules["OpenSSL"]
    # An interrupt at the keyboard is for the tests; their end is the end of this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [warnings])],
        redirectStandardIO=False,
        discardBuffer=True,
    )
    stdio.StandardIO(Orders(running), reactor=running)
    running.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
