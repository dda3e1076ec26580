"""Who sends on a connection, and which of its requests is under way.

Floor: server. The part of a connection that knows nothing of turns and waits. It is the one place
that says whose a request is: the log writes that down, and limits for each client count by it.
"""

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol

from ..core.request import Head
from .any_transport import peer_address, tls_version
from .trace import Trace

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Incoming"]


class Incoming(Protocol):
    """What comes in for ``server``."""

    transport: Any  # ITCPTransport, IConsumer and IPushProducer in one

    def __init__(self, server: "Server"):
        self.server = server
        self.arrived = 0.0
        """When octets came last, if the server has a `Tracing`."""
        self.trace: Trace | None = None
        """That of the request under way, if the server has a `Tracing`."""
        self._peer = b""

    def peer(self) -> bytes:
        """Return the address at the other end, which may be that of a proxy."""
        if not self._peer:
            self._peer = peer_address(self.transport)
        return self._peer

    def client(self, head: Head | None = None) -> bytes:
        """Return the address of whoever has sent the request ``head``.

        That is the peer's, unless it is a trusted proxy and tells of another one. A proxy sends
        the requests of many clients over one connection, so this is asked for each of them.
        """
        proxies = self.server.trusted_proxies
        if proxies is None or head is None:
            return self._peer or self.peer()
        return proxies.origin(self.peer(), head.forwarded).address

    def is_secure(self, head: Head | None) -> bool:
        """Return whether the client has sent the request ``head`` by https.

        To a trusted proxy that says how it got it, if there is one; else to us.
        """
        proxies = self.server.trusted_proxies
        told = () if head is None else head.forwarded
        if proxies is not None and told and proxies.trusts(self.peer()):
            return proxies.origin(self.peer(), told).secure
        return tls_version(self.transport) is not None

    def begin_trace(self, head: Head | None) -> None:
        """Note what is wanted of the request ``head``; ``None``: of one that is refused unread."""
        if self.server.tracing is not None:
            self.trace = self.server.tracing.begin(self, head)
