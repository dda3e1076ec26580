"""Ports on sockets that somebody else has opened: systemd, or the process that looks after us.

Floor: server.
"""

import os
import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

__all__ = ["Borrowing", "InheritedUNIXPort", "Inheriting", "under_tls"]


class InheritedUNIXPort(unix.Port):
    """A port on a UNIX socket that somebody else has made, keeps open, and will remove.

    Twisted's own takes every socket for its own: it makes it writable for everybody at the start
    and removes its name at the end, from under systemd or the other workers. It shuts it down as
    well, which is the end of it for all who have it.
    """

    _shouldShutdown = False  # noqa: N815 (Twisted's name)

    def startListening(self) -> None:
        """Listen, and leave the mode as it is."""
        # As if it had no name in the file system. It may have none any more, or a relative one, and
        # we be in another directory; and whose mode it is has decided that already.
        self._bindPath = b"\0"
        super().startListening()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Any) -> None:
        """Let go of the socket, and leave its name."""
        tcp.Port.connectionLost(self, reason)


class Borrowing:
    """A ``reactor`` for endpoints whose sockets belong to somebody else, such as systemd."""

    def __init__(self, reactor: Any):
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        """Everything else is the reactor's own."""
        return getattr(self._reactor, name)

    def adoptStreamPort(self, descriptor: int, family: int, factory: IProtocolFactory) -> Any:
        """Return a port for the listening socket ``descriptor``, of which it makes a copy."""
        # systemd leaves it as it is without ``NonBlocking=true``, and then the first client that
        # somebody else has taken would have everybody wait.
        os.set_blocking(descriptor, False)
        if family != socket.AF_UNIX:
            return self._reactor.adoptStreamPort(descriptor, family, factory)
        adopt: Any = InheritedUNIXPort._fromListeningDescriptor
        port = adopt(self._reactor, descriptor, factory)
        port.startListening()
        return port


@implementer(IStreamServerEndpoint)
class Inheriting(Borrowing):
    """A ``reactor`` that listens with ``descriptor``, whatever port it is asked for.

    An endpoint made with it does all that it does besides, such as TLS, and binds nothing. Where
    there is nothing besides, it is an endpoint itself.
    """

    def __init__(self, reactor: Any, descriptor: int):
        super().__init__(reactor)
        self._descriptor = descriptor

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Return a Deferred of the port."""
        return execute(self._adopt, factory)

    def _adopt(self, factory: IProtocolFactory) -> Any:
        with socket.socket(fileno=os.dup(self._descriptor)) as copy:
            copy.setblocking(False)
            return super().adoptStreamPort(copy.fileno(), copy.family, factory)

    def adoptStreamPort(self, descriptor: int, family: int, factory: IProtocolFactory) -> Any:
        """Listen with our descriptor instead."""
        return self._adopt(factory)

    def listenTCP(self, port: Any, factory: IProtocolFactory, *rest: Any, **names: Any) -> Any:
        """Listen with our descriptor instead."""
        return self._adopt(factory)

    def listenUNIX(self, address: Any, factory: IProtocolFactory, *rest: Any, **names: Any) -> Any:
        """Listen with our descriptor instead."""
        return self._adopt(factory)

    def listenSSL(
        self,
        port: Any,
        factory: IProtocolFactory,
        contextFactory: Any,
        *rest: Any,
        **names: Any,
    ) -> Any:
        """Listen with our descriptor instead, over TLS."""
        return self._adopt(under_tls(contextFactory, factory))


def under_tls(context: Any, factory: IProtocolFactory) -> Any:
    """Return what puts TLS between a port and ``factory``."""
    from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 (11 MiB)

    return TLSMemoryBIOFactory(context, False, factory)
