"""Lets a connection in when its PROXY header is complete.

Floor: server. A gate stands between the transport and the protocol for as long as the header takes
to arrive, and is gone for good then: it gives the transport to the protocol that was meant, with
the address of the client in place of the balancer's. So it costs a request nothing, and whatever
the protocol is, TLS included, the header comes before it.
"""

import socket
from math import inf
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.networks import Networks
from ..core.proxy_header import BadHeader, End, ProxyHeader, read_proxy_header
from .crowd import Crowd
from .deadlines import Deadlines
from .seldom import Seldom
from .transport import SocketTransport, twisted_address

__all__ = ["TIMEOUT", "Gate", "GateKeeper"]

TIMEOUT = 5.0
"""Seconds that a header may take. The specification asks for three at least."""

_log = Logger()


class GateKeeper(Factory):
    """A factory that puts a `Gate` before every protocol of ``factory``.

    Only who connects from one of the networks ``allowed`` gets that far; others are hung up on, as
    a header is no proof of anything.
    """

    noisy = False

    def __init__(self, factory: Any, allowed: Networks, deadlines: Deadlines):
        self.factory = factory
        self.deadlines = deadlines
        self.crowd: Crowd | None = getattr(factory, "crowd", None)
        """Who says whether there is a place for one more, if anybody does."""
        self.waiting: set[Gate] = set()
        self.behind = factory
        """Whom those who wait are let in to."""
        self._allowed = allowed
        self.closed = Seldom(
            _log.warn,
            "{count} connection(s) closed before their PROXY header, the last from {peer}: "
            "{reason}",
            deadlines.now,
        )

    def startFactory(self) -> None:
        """Tell the factory behind."""
        self.factory.doStart()

    def stopFactory(self) -> None:
        """Hang up on whoever still waits for a factory that ends; tell the factory behind."""
        for gate in list(self.waiting) if self.behind is self.factory else ():
            gate.transport.abortConnection()
        self.factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> "Gate | None":
        """Return a gate for a connection from ``addr``, ``None`` if none may come from there."""
        host = getattr(addr, "host", None)
        if host not in self._allowed:
            self.refuse(addr, "it is not one of the balancers that were named")
            return None
        return Gate(self, addr)

    def refuse(self, address: IAddress | None, reason: object) -> None:
        """Count and log a connection that is closed."""
        behind = self.factory
        while not hasattr(behind, "tally") and hasattr(behind, "factory"):  # as for TLS
            behind = behind.factory
        tally = getattr(behind, "tally", None)
        if tally is not None:
            tally.refuse("gate")
        self.closed.tell(address, reason)


class Gate(Protocol):
    """Waits for the PROXY header of one connection."""

    transport: Any  # ITCPTransport

    def __init__(self, keeper: GateKeeper, address: IAddress | None):
        self.deadline = inf
        self.bucket = -1
        self._keeper = keeper
        self._address = address
        self._buffer = b""

    def connectionMade(self) -> None:
        """Start waiting."""
        self._keeper.waiting.add(self)
        self._keeper.deadlines.set(self, TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        """Open if the header is complete."""
        self._buffer += data
        try:
            header = read_proxy_header(self._buffer)
        except BadHeader as error:
            self._keeper.refuse(self._address, error)
            self.transport.abortConnection()
            return
        if header is not None:
            self._open(header)

    def time_is_up(self) -> None:
        """Close: the header did not come."""
        self._keeper.refuse(self._address, "it did not come in time")
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind."""
        self._leave()

    def _leave(self) -> None:
        self._keeper.waiting.discard(self)
        self._keeper.deadlines.remove(self)

    def _open(self, header: ProxyHeader) -> None:
        self._leave()
        transport, rest = self.transport, self._buffer[header.length :]
        address = self._address
        if header.source is not None:
            address = twisted_address_of(header.source)
            _set_peer(transport, address)
        protocol = self._keeper.behind.buildProtocol(address)
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)


def twisted_address_of(end: End) -> IPv4Address | IPv6Address | UNIXAddress:
    """Return ``end`` as one of Twisted's addresses."""
    if end.port is None:
        return twisted_address(socket.AF_UNIX, end.host.encode())
    family = socket.AF_INET6 if ":" in end.host else socket.AF_INET
    return twisted_address(family, (end.host, end.port))


def _set_peer(transport: Any, address: IAddress) -> None:
    """Have ``transport`` say that ``address`` is at its other end."""
    if isinstance(transport, SocketTransport):
        transport.peer = address
    else:
        transport.getPeer = lambda: address
