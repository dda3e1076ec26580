"""A server that is watched, for the tests beside this file: a program of its own.

Called with a directory to serve, and the status that says it is not ready. It says on which ports
it listens, drains on SIGUSR2, and ends on SIGTERM.
"""

import signal
import sys
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

from tinyhttp.server.quotas import Quotas
from tinyhttp.server.server import Server
from tinyhttp.watching import Watching


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(directory: str, unready: int) -> None:
    reactor: Any = the_reactor
    watching = Watching(
        reactor,
        admin=TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
        agent_check=TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
        unready=unready,
    )
    server = Server(
        directory,
        reactor=reactor,
        quotas=Quotas(connections=4),
        tally=watching.tally,
        pages=watching.pages("/healthz"),
    )
    watching.watch(server)
    port = reactor.listenTCP(0, server, interface="127.0.0.1")

    def say(port: IListeningPort, option: str) -> None:
        tell(f"{option}: {port.getHost().port}")  # type: ignore[attr-defined]

    def give_up(failure: Failure, option: str) -> None:
        failure.printTraceback()
        reactor.stop()

    def running() -> None:
        signal.signal(signal.SIGUSR2, lambda *_: reactor.callFromThread(drain))
        watching.begin()
        watching.listen(say, give_up)
        say(port, "--port")

    def drain() -> None:
        watching.drain()
        tell("draining")

    reactor.callWhenRunning(running)
    reactor.addSystemEventTrigger("before", "shutdown", server.stop, 1)
    reactor.addSystemEventTrigger("before", "shutdown", watching.stop)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
