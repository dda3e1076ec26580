"""Stage 5: the same server as a Twisted Protocol and Factory: one thread for all connections."""

import sys
from collections.abc import Callable
from typing import Any

from stage2_answer import END, LIMIT, respond
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

PATIENCE = 3.0  # seconds for a whole head
SENDING = 60.0  # seconds for a whole response


class Answering(Protocol):
    """One connection: what stage 2 keeps in the variables of a thread is kept in an object."""

    transport: Any

    def __init__(self, reactor: Any):
        self.reactor = reactor
        self.head = b""

    def connectionMade(self) -> None:
        """Set the clock. A timer costs less than a thread that waits."""
        self.deadline = self.reactor.callLater(PATIENCE, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """Take a piece, as the network has cut it; this is called again for the next one."""
        self.head += data
        if END in self.head or len(self.head) > LIMIT:
            self.deadline.reset(SENDING)
            self.transport.write(respond(self.head))
            self.transport.loseConnection()  # as soon as everything is sent

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Leave nothing behind."""
        if self.deadline.active():
            self.deadline.cancel()


class Answers(Factory):
    """What all connections share, and who makes a protocol for each of them."""

    def __init__(self, reactor: Any, protocol: Callable[[Any], Protocol]):
        self.reactor = reactor
        self.make = protocol

    def buildProtocol(self, addr: object) -> Protocol:
        """Return the protocol of a new connection; steps 1 and 2 are Twisted's own."""
        return self.make(self.reactor)


def run(protocol: Callable[[Any], Protocol]) -> None:
    """Listen on 127.0.0.1, and hand the thread to the reactor until Ctrl-C."""
    from twisted.internet import reactor

    loop: Any = reactor
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    listening = loop.listenTCP(port, Answers(loop, protocol), interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{listening.getHost().port}", flush=True)
    loop.run()


if __name__ == "__main__":
    run(Answering)
