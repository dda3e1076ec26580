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
from .deadlines import Deadlines
from .transport import SocketTransport, twisted_address

__all__ = ["TIMEOUT", "Gate", "GateKeeper"]

TIMEOUT = 5.0
"""Seconds that a header may take. The specification asks for three at least."""

SILENCE = 10.0
"""Seconds between two lines in the log about connections that were closed."""

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
        self.waiting: set[Gate] = set()
        self.behind = factory
        """Whom those who wait are let in to."""
        self._allowed = allowed
        self._told_at: float | None = None
        self._untold = 0

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
            self.tell(addr, "it is not one of the balancers that were named")
            return None
        return Gate(self, addr)

    def tell(self, address: IAddress | None, reason: object) -> None:
        """Log why a connection is closed; at most once in a while, as anybody may cause it."""
        now = self.deadlines.now()
        self._untold += 1
        if self._told_at is None or now - self._told_at >= SILENCE:
            _log.warn(
                "{count} connection(s) closed before their PROXY header, the last from {peer}: "
                "{reason}",
                count=self._untold,
                peer=getattr(address, "host", "a UNIX socket"),
                reason=reason,
            )
            self._told_at, self._untold = now, 0


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
            self._keeper.tell(self._address, error)
            self.transport.abortConnection()
            return
        if header is not None:
            self._open(header)

    def time_is_up(self) -> None:
        """Close: the header did not come."""
        self._keeper.tell(self._address, "it did not come in time")
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
