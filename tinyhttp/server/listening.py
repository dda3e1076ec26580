"""How ports are opened: for everyone, whichever protocol they speak, and with what others opened.

Floor: server.
"""

import errno
import os
import socket
import stat
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

__all__ = [
    "BACKLOG",
    "Borrowing",
    "EveryAddress",
    "InheritedUNIXPort",
    "Inheriting",
    "remove_stale",
    "set_backlog",
]

BACKLOG = 1024
"""Connections that the kernel holds until they are accepted. Linux holds no more than
``net.core.somaxconn`` says, which is 4096."""


@implementer(IStreamServerEndpoint)
class EveryAddress:
    """Listens on ``port`` of all addresses, IPv6 and IPv4, with one socket where that is possible.

    Twisted's ``tcp6:`` endpoint does so as well on most machines, but leaves it to a setting of
    the system (``net.ipv6.bindv6only``); here it is asked for. Without IPv6 it is IPv4 alone.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = BACKLOG):  # IReactorSocket
        self._reactor = reactor
        self._port = port
        self._backlog = backlog

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Return a Deferred of the port; fails with ``CannotListenError``."""
        return execute(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            listener = self._bind()
        except OSError as error:
            raise CannotListenError("", self._port, error) from None
        with listener:
            listener.setblocking(False)
            port: IListeningPort = self._reactor.adoptStreamPort(
                listener.fileno(), listener.family, factory
            )
        return port

    def _bind(self) -> socket.socket:
        if socket.has_dualstack_ipv6():
            try:
                return socket.create_server(
                    ("::", self._port),
                    family=socket.AF_INET6,
                    backlog=self._backlog,
                    dualstack_ipv6=True,
                )
            except OSError as error:
                if not _has_no_ipv6(error):
                    raise
        return socket.create_server(("", self._port), backlog=self._backlog)


def _has_no_ipv6(error: OSError) -> bool:
    """A kernel with IPv6 compiled in may have it switched off."""
    return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def set_backlog(port: Any, backlog: int) -> None:
    """Have the kernel hold so many connections for ``port``, which is listening already.

    Endpoint strings ask for 50 unless they say otherwise, which a crowd at the start overruns.
    """
    if type(port) in (tcp.Port, unix.Port, InheritedUNIXPort):
        port.socket.listen(backlog)


class InheritedUNIXPort(unix.Port):
    """A port on a UNIX socket that somebody else has made, keeps open, and will remove.

    Twisted's own takes every socket for its own: it makes it writable for everybody at the start
    and removes its name at the end, from under systemd or the other workers. It shuts it down as
    well, which is the end of it for all who have it.
    """

    _shouldShutdown = False  # noqa: N815 (Twisted's name)

    def startListening(self) -> None:
        """Listen, and leave the mode as it is."""
        if self._preexistingSocket is not None:
            name = self._preexistingSocket.getsockname()
            if name and isinstance(name, str):
                self.mode = stat.S_IMODE(os.stat(name).st_mode)
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
        self, port: Any, factory: IProtocolFactory, context: Any, *rest: Any, **names: Any
    ) -> Any:
        """Listen with our descriptor instead, over TLS."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 (11 MiB)

        return self._adopt(TLSMemoryBIOFactory(context, False, factory))


def remove_stale(path: str) -> None:
    """Remove the UNIX socket ``path`` if nobody listens there any more; raises ``OSError``.

    Whoever was killed leaves it behind, and it would keep the name from being used again.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) == errno.ECONNREFUSED:
            os.unlink(path)
