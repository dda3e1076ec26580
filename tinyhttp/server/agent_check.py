r"""A word for HAProxy: how much this server wants to do.

Floor: server. HAProxy's agent-check connects every few seconds, may send a line (``agent-send``),
and takes the first line it gets: "up ready 70%\n" puts the server to work with 70 % of its
configured weight, "drain\n" keeps new clients away from it and leaves the others. Nothing that the
other side sends is looked at.
"""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .any_transport import can_half_close
from .deadlines import Deadlines
from .pages import Health

__all__ = ["AgentCheck"]

CONNECTIONS: Final = 64
"""Connections at a time; a balancer makes one every few seconds."""
PATIENCE: Final = 5.0
"""Seconds for the other side to close."""
INPUT: Final = 1024
"""Octets that it may send."""


class AgentCheck(Factory):
    """Says of ``health``, and of the share of its work that is free, what HAProxy asks for.

    ``free`` returns a share from 0 to 1; the least that is said is 1 %, as 0 % would mean "drain".
    """

    noisy = False

    def __init__(self, reactor: Any, health: Health, free: Callable[[], float] = lambda: 1.0):
        self.deadlines = Deadlines(reactor)
        self.connections: set[AgentConnection] = set()
        self._health = health
        self._free = free

    def buildProtocol(self, addr: IAddress | None) -> "AgentConnection | None":
        """Return the protocol of a new connection, ``None`` if there are enough."""
        return AgentConnection(self) if len(self.connections) < CONNECTIONS else None

    def stopFactory(self) -> None:
        """Hang up on whoever is left."""
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def line(self) -> bytes:
        """Return what is to be said at this moment."""
        if not self._health.is_ready:
            return b"drain\n"
        return b"up ready %d%%\n" % min(max(round(100 * self._free()), 1), 100)


@implementer(IHalfCloseableProtocol)
class AgentConnection(Protocol):
    """Says its line, and waits within bounds for the other side to close.

    To close first, with a line from there unread, would have the kernel reset the connection, and
    ours might be lost with it.
    """

    transport: Any

    def __init__(self, agent: AgentCheck):
        self.deadline = 0.0
        self.bucket = -1
        self._agent = agent
        self._received = 0

    def connectionMade(self) -> None:
        """Say it."""
        self._agent.connections.add(self)
        self._agent.deadlines.set(self, PATIENCE)
        self.transport.write(self._agent.line())
        if can_half_close(self.transport):
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Drop what comes."""
        self._received += len(data)
        if self._received > INPUT:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """It is said, and our side is shut down."""

    def readConnectionLost(self) -> None:
        """The other side has heard it."""
        self.transport.loseConnection()

    def time_is_up(self) -> None:
        """Hang up."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind."""
        self._agent.connections.discard(self)
        self._agent.deadlines.remove(self)
