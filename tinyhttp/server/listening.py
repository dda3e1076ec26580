"""A port for everyone, whichever Internet protocol they speak.

Floor: server.
"""

import errno
import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

__all__ = ["BACKLOG", "EveryAddress", "set_backlog"]

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
    if type(port) in (tcp.Port, unix.Port):
        port.socket.listen(backlog)
