"""How ports are opened: for everyone, whichever protocol they speak, with options on the socket.

Floor: server.
"""

import errno
import os
import socket
import stat
from collections.abc import Sequence
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from .inheriting import Borrowing, InheritedUNIXPort, under_tls
from .socket_options import SocketOption, apply

__all__ = ["BACKLOG", "EveryAddress", "Preparing", "remove_stale", "set_backlog"]

BACKLOG = 1024
"""Connections that the kernel holds until they are accepted. Linux holds no more than
``net.core.somaxconn`` says, which is 4096."""

_log = Logger()


@implementer(IStreamServerEndpoint)
class EveryAddress:
    """Listens on ``port`` of all addresses, IPv6 and IPv4, with one socket where that is possible.

    Twisted's ``tcp6:`` endpoint does so as well on most machines, but leaves it to a setting of
    the system (``net.ipv6.bindv6only``); here it is asked for. Without IPv6 it is IPv4 alone.
    """

    def __init__(
        self,
        reactor: Any,  # IReactorSocket
        port: int,
        backlog: int = BACKLOG,
        options: Sequence[SocketOption] = (),
    ):
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._options = options

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Return a Deferred of the port; fails with ``CannotListenError``."""
        return execute(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            listener = self._bind()
        except OSError as error:
            raise CannotListenError("", self._port, error) from None
        with listener:
            port: IListeningPort = self._reactor.adoptStreamPort(
                listener.fileno(), listener.family, factory
            )
        return port

    def _bind(self) -> socket.socket:
        if socket.has_dualstack_ipv6():
            try:
                return open_listener("::", self._port, self._backlog, self._options, both=True)
            except OSError as error:
                if not _has_no_ipv6(error):
                    raise
        return open_listener("", self._port, self._backlog, self._options)


def open_listener(
    host: str, port: int, backlog: int, options: Sequence[SocketOption], *, both: bool = False
) -> socket.socket:
    """Return a listening socket with ``options`` set; raises ``OSError``.

    ``host`` is a numeric address; nothing stands for all of IPv4, and ``::`` for both protocols if
    ``both``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    (_, _, _, _, address), *_ = socket.getaddrinfo(
        host or None, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE | socket.AI_NUMERICHOST
    )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        if outcome := apply(listener, options):
            _log.info("socket options: {options}", options=", ".join(outcome))
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


class Preparing(Borrowing):
    """A ``reactor`` that sets ``options`` on each TCP socket before it is bound."""

    def __init__(self, reactor: Any, options: Sequence[SocketOption]):
        super().__init__(reactor)
        self._options = options

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Return a port for ``interface``, a numeric address or nothing for all of IPv4."""
        try:
            listener = open_listener(interface, port, backlog, self._options)
        except OSError as error:
            raise CannotListenError(interface, port, error) from None
        with listener:
            return self._reactor.adoptStreamPort(listener.fileno(), listener.family, factory)

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        *rest: Any,
        **names: Any,
    ) -> Any:
        """Do the same, over TLS."""
        return self.listenTCP(port, under_tls(contextFactory, factory), *rest, **names)


def _has_no_ipv6(error: OSError) -> bool:
    """A kernel with IPv6 compiled in may have it switched off."""
    return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def set_backlog(port: Any, backlog: int) -> None:
    """Have the kernel hold so many connections for ``port``, which is listening already.

    Endpoint strings ask for 50 unless they say otherwise, which a crowd at the start overruns.
    """
    if type(port) in (tcp.Port, unix.Port, InheritedUNIXPort):
        port.socket.listen(backlog)


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
