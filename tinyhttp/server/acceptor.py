"""Takes connections from a listening port, and makes our own transports of them.

Floor: server. Twisted's port makes its own transport for each connection, and when the process has
no descriptor left it accepts new clients only to hang up on them. This one leaves them where they
are, in the kernel's queue, until there is room again; whoever is connected already notices nothing.
"""

import errno
import os
import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted import __version__

from .crowd import Crowd
from .inheriting import InheritedUNIXPort
from .poller import WaitingRoom
from .transport import SocketTransport, twisted_address

__all__ = ["Acceptor", "obstacle", "take_over"]

ACCEPTS = 64
"""Connections taken in one go; then others have their turn."""
USED = ("factory", "socket", "stopReading")
"""All that is used of Twisted's ports beyond ``IListeningPort``. None of it is private, but nobody
has promised it either, so it is looked for before it is relied upon."""
PAUSE = 0.25
"""Seconds until another try when there is no room for a connection."""

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

_log = Logger()


class Acceptor:
    """Accepts what arrives at ``port`` instead of the port itself, until `stop`."""

    def __init__(self, port: tcp.Port, room: WaitingRoom, reactor: Any):
        self._socket: socket.socket = port.socket
        self._factory: Any = port.factory
        self._room = room
        self._reactor = reactor
        self._crowd: Crowd | None = getattr(port.factory, "crowd", None)
        self._retry: IDelayedCall | None = None
        self._exhausted = False
        if self._socket.family != socket.AF_UNIX:
            # A response is complete when it is written, and waits for nothing. Connections inherit
            # it from here, on Linux and elsewhere, which saves each of them a system call.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        port.stopReading()
        room.join(self)

    def stop(self) -> None:
        """Accept nothing more; the port can be closed."""
        self._wait_no_more()
        self._room.leave(self, stays_open=True)  # others may have it too, as under systemd

    def fileno(self) -> int:
        """Return the descriptor of the listening socket."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "tinyhttp"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is at its end."""
        self.stop()

    def doRead(self) -> None:
        """Take the connections that have arrived, as far as there are places for them."""
        places = ACCEPTS if self._crowd is None else min(self._crowd.places(), ACCEPTS)
        if self._crowd is not None and not places:
            self._wait(f"all {self._crowd.most} places are taken")
            self._crowd.wait(self._try_again)
        for _ in range(int(places)):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                self._exhausted = False
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._wait(os.strerror(error.errno))
                    return
                if error.errno == errno.EINVAL:  # somebody else who has it has shut it down
                    self.stop()
                    return
                continue  # the client is gone, or a firewall was against it
            self._connect(sock, address)

    def doWrite(self) -> None:
        """Never called; here for the interface."""

    def _connect(self, sock: socket.socket, address: Any) -> None:
        try:
            protocol = self._factory.buildProtocol(twisted_address(sock.family, address))
        except Exception:
            _log.failure("an error of the server's own; a connection is closed")
            protocol = None
        if protocol is None:
            sock.close()
            return
        transport = SocketTransport(sock, protocol, address, self._reactor, self._room)
        try:
            protocol.makeConnection(transport)
        except Exception:
            failure = Failure()
            _log.failure("an error of the server's own; a connection is closed", failure)
            transport.connectionLost(failure)

    def _wait(self, reason: str) -> None:
        if not self._exhausted:
            self._exhausted = True
            _log.warn("no new connections for the moment: {reason}", reason=reason)
        self._room.want(self, reading=False, writing=False)
        self._retry = self._reactor.callLater(PAUSE, self._try_again)

    def _wait_no_more(self) -> None:
        if self._crowd is not None:
            self._crowd.wait_no_more(self._try_again)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _try_again(self) -> None:
        """There may be room again: time has passed, or somebody has left."""
        if self._retry is not None and not self._retry.active():
            self._retry = None
        self._wait_no_more()
        self._room.want(self, reading=True, writing=False)


def take_over(port: Any, factory: Any, room: WaitingRoom, reactor: Any) -> Acceptor | None:
    """Return an `Acceptor` for ``port``; ``None`` if there is an `obstacle`."""
    return None if obstacle(port, factory) else Acceptor(port, room, reactor)


def obstacle(port: Any, factory: Any) -> str:
    """Return why ``port`` should keep Twisted's own transport, or nothing.

    Such is a port that we don't know, and one that puts something between itself and ``factory``,
    as for TLS: those wrappers are written for Twisted's transport, and for ``connectionLost`` to
    come later than ``loseConnection``.
    """
    if type(port) not in (tcp.Port, unix.Port, InheritedUNIXPort):
        return f"{type(port).__name__} is not a kind of port that is known here"
    missing = [name for name in USED if not hasattr(port, name)]
    if missing or not isinstance(port.socket, socket.socket):
        return f"the ports of Twisted {__version__} have no {' and '.join(missing or ['socket'])}"
    if port.factory is not factory:
        return f"{type(port.factory).__name__} stands between, as for TLS"
    return ""
