"""A transport that sends what it can at once.

Floor: server. With `poller`, the only place that knows a socket. Twisted's own transport buffers
every write, waits to be told that there is room, sends, and stops waiting: two system calls and a
turn of the reactor more for each response, nearly all of which fit at once. It also knows nothing
of ``sendfile``. This one does both, and is otherwise what ``ITCPTransport`` asks for. It builds on
no private part of Twisted. docs/performance.md has the figures.

A fourth of it are the small methods of that interface, which is why it is longer than a page.
"""

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    IReadWriteDescriptor,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .poller import WaitingRoom

__all__ = ["FileSource", "SocketTransport", "twisted_address"]

READ = 64 * 1024
"""Octets read at a time."""
HIGH = 64 * 1024
"""Octets waiting to be sent from which on the producer is asked to pause."""
SLICE = 1024 * 1024
"""Octets of a file sent at a time; then others get their turn."""

_RESET = struct.pack("ii", 1, 0)  # struct linger: on, and do not linger at all


class FileSource(Protocol):
    """A part of an open file, as `SocketTransport.send_file` asks for it."""

    descriptor: int
    start: int
    """The next octet to send; moved on by the transport."""
    stop: int
    """The end of the part, not included."""

    def count_ready(self, count: int) -> int:
        """Return how many of ``count`` octets from ``start`` are there without waiting for a disk.

        If none can, `SocketTransport.file_is_ready` has to be called once it is otherwise.
        """

    def done(self, error: Exception | None) -> None:
        """All is sent; or ``EOFError``: the file is too short; or ``OSError``: it can't be read.

        Not called if the connection is lost before.
        """


@implementer(
    ITCPTransport, IConsumer, IPushProducer, IReadWriteDescriptor, IHalfCloseableDescriptor
)
class SocketTransport:
    """A connected TCP or UNIX socket whose client has ``address``, waited for in ``room``."""

    __slots__ = (
        *("_address", "_behind_file", "_buffer", "_buffered", "_closing", "_file"),
        *("_file_is_ready", "_half_closed", "_half_closing", "_paused", "_producer", "_reactor"),
        *("_reading", "_room", "_writing", "connected", "octets_sent", "peer", "protocol"),
        "socket",
    )

    sends_at_once = True
    """TCP_NODELAY was inherited from the listening socket."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        address: Any,
        reactor: Any,
        room: WaitingRoom,
    ):
        sock.setblocking(False)
        self.socket = sock
        self.protocol = protocol
        self.connected = True
        self._address = address
        self.peer: Any = None
        """Whom the other end stands for, if it is a balancer's and has said so."""
        self._reactor = reactor
        self._room = room
        self._buffer: list[bytes | memoryview] = []
        self._buffered = 0  # octets in it
        self._behind_file: list[bytes | memoryview] = []  # written while it is being sent
        self._file: FileSource | None = None
        self._file_is_ready = False
        self.octets_sent = 0
        self._producer: Any = None
        self._paused = False  # the producer was asked to pause
        self._reading = True
        self._writing = False  # waiting for room in the kernel's buffer
        self._closing = self._half_closing = self._half_closed = False
        room.join(self)

    # Sending.

    def write(self, data: bytes, flags: int = 0) -> None:
        """Send ``data``: now, with ``flags``, as far as there is room, the rest later."""
        if self._buffer or self._file is not None:
            self._keep(data)
        elif self.connected and not self._half_closed:
            try:
                sent = self.socket.send(data, flags)
            except OSError:  # no room; or an error, which `doWrite` meets again and reports
                sent = 0
            self.octets_sent += sent
            if sent < len(data):
                self._keep(memoryview(data)[sent:])

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send the pieces of ``iovec`` with one system call, as far as there is room."""
        pieces = list(iovec)
        sent = 0
        if not self._is_behind() and self.connected and not self._half_closed:
            try:
                sent = self.socket.sendmsg(pieces)
            except OSError:
                sent = 0
            self.octets_sent += sent
        for piece in pieces:
            if sent < len(piece):
                self._keep(memoryview(piece)[sent:])
            sent = max(sent - len(piece), 0)

    def send_file(self, file: "FileSource") -> None:
        """Send ``file`` behind all that was written, and let it know when that is done."""
        assert self._file is None
        if not self.connected:  # aborted, and not told yet
            return
        self._file = file
        if not self._buffer and self._send_slice(file) is not None:
            self._wait_for_room(True)  # `doWrite` meets the error again, and reports it

    def send_at_once(self, head: bytes, descriptor: int, start: int, count: int) -> int:
        """Send ``head``, and behind it as much as fits at once of ``count`` octets of a file.

        Return how many of these were sent; none if there is something to be sent before. The file
        has to be in memory. The two go out in the same segments, which saves both sides work.
        """
        self.write(head, socket.MSG_MORE)
        if self._is_behind() or not self.connected or self._half_closed:
            return 0
        try:
            sent = os.sendfile(self.socket.fileno(), descriptor, start, min(count, SLICE))
        except OSError:  # no room; or an error, which comes up again
            sent = 0
        self.octets_sent += sent
        return sent

    def file_is_ready(self) -> None:
        """Go on with a file that was not ready before."""
        self._file_is_ready = True
        if self._file is not None and not self._buffer:
            self._wait_for_room(True)

    def forget_file(self) -> None:
        """Send no more of the file."""
        if self._file is not None:
            self._file = None
            self._buffer += self._behind_file
            self._behind_file = []
            if self._buffer:
                self._wait_for_room(True)
            else:
                self._caught_up()

    def _is_behind(self) -> bool:
        return self._file is not None or bool(self._buffer)

    def _keep(self, data: bytes | memoryview) -> None:
        if not self.connected or self._half_closed:
            return
        (self._buffer if self._file is None else self._behind_file).append(data)
        self._buffered += len(data)
        self._wait_for_room(True)
        if self._buffered > HIGH and self._producer is not None and not self._paused:
            self._paused = True
            self._producer.pauseProducing()

    def doWrite(self) -> Any:  # the interface says Failure, its users want an exception
        """Send more, as there is room again; return what ended the connection, if it did."""
        try:
            if self._buffer:
                self._send_buffer()
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return main.CONNECTION_LOST
        if self._buffer:
            return None
        if self._file is not None:
            return self._send_slice(self._file)
        self._caught_up()
        return None

    def _send_buffer(self) -> None:
        sent = self.socket.sendmsg(self._buffer[:64])
        self.octets_sent += sent
        self._buffered -= sent
        count = 0
        for piece in self._buffer:
            if sent < len(piece):
                self._buffer[count] = memoryview(piece)[sent:]
                break
            sent -= len(piece)
            count += 1
        del self._buffer[:count]

    def _send_slice(self, file: "FileSource") -> Exception | None:
        """Send one slice of ``file``; a bounded one, so that other connections get their turn."""
        self._file_is_ready = False
        count = file.count_ready(min(file.stop - file.start, SLICE))
        if not count:
            self._wait_for_room(self._file_is_ready)  # it may have been told in the meantime
            return None
        try:
            sent = os.sendfile(self.socket.fileno(), file.descriptor, file.start, count)
        except (BlockingIOError, InterruptedError):
            self._wait_for_room(True)
            return None
        except (BrokenPipeError, ConnectionError):
            return main.CONNECTION_LOST
        except OSError as error:
            self._end_file(file, error)
            return None
        self.octets_sent += sent
        file.start += sent
        if sent == 0:
            self._end_file(file, EOFError())
        elif file.start == file.stop:
            self._end_file(file, None)
        else:
            self._wait_for_room(True)
        return None

    def _end_file(self, file: "FileSource", error: Exception | None) -> None:
        self._file = None
        self._buffer, self._behind_file = self._behind_file, []
        file.done(error)
        if self._buffer:
            self._wait_for_room(True)
        if not self._is_behind():
            self._caught_up()

    def _caught_up(self) -> None:
        """Everything is sent: wake the producer, or do what has been waiting for this."""
        self._wait_for_room(False)
        if self._paused and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()
        else:
            self._close_if_sent()

    def _wait_for_room(self, writing: bool) -> None:
        if writing != self._writing and self.connected:
            self._writing = writing
            self._room.want(self, reading=self._reading, writing=writing)

    # Receiving.

    def doRead(self) -> Any:
        """Give what has arrived to the protocol; return what ended the connection, if it did."""
        try:
            data = self.socket.recv(READ)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def pauseProducing(self) -> None:
        """Stop reading."""
        self._read(False)

    def resumeProducing(self) -> None:
        """Read on."""
        if not self._closing:
            self._read(True)

    def stopProducing(self) -> None:
        """See `loseConnection`."""
        self.loseConnection()

    def _read(self, reading: bool) -> None:
        if reading != self._reading and self.connected:
            self._reading = reading
            self._room.want(self, reading=reading, writing=self._writing)

    def readConnectionLost(self, reason: Failure) -> None:
        """The client has shut down its side."""
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is None:
            self.connectionLost(reason)
        else:
            self._read(False)
            protocol.readConnectionLost()

    # Producers.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have ``producer`` paused while more than `HIGH` octets wait."""
        assert streaming, "only push producers are used here"
        assert self._producer is None
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer, for which a close would wait."""
        self._producer = None
        self._paused = False
        self._close_if_sent()

    # The end.

    def writeConnectionLost(self, reason: Failure) -> None:
        """See `connectionLost`. Twisted's own never call it."""
        self.connectionLost(reason)

    def loseConnection(self) -> None:
        """Close as soon as everything is sent and there is no producer."""
        if self.connected and not self._closing:
            self._closing = True
            if self._is_behind():
                self._read(False)
            self._close_if_sent()

    def loseWriteConnection(self) -> None:
        """Shut down our side as soon as everything is sent and there is no producer."""
        self._half_closing = True
        self._close_if_sent()

    def _close_if_sent(self) -> None:
        if not self.connected or self._is_behind() or self._producer is not None:
            return
        if self._closing:
            self.connectionLost(connectionDone)
        elif self._half_closing and not self._half_closed:
            self._half_closed = True
            with suppress(OSError):  # if it is gone already, reading will show it
                self.socket.shutdown(socket.SHUT_WR)
            self.protocol.writeConnectionLost()

    def abortConnection(self) -> None:
        """Close with a reset, dropping what is not sent; ``connectionLost`` comes a turn later."""
        if self.connected:
            self._leave()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._reactor.callLater(0, self._lost, Failure(ConnectionAborted()))

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol."""
        if self.connected:
            self._leave()
            self._lost(reason)

    def _leave(self) -> None:
        self._room.leave(self)
        self.connected = False
        self._buffer.clear()
        self._behind_file.clear()
        self._file = None

    def _lost(self, reason: Failure) -> None:
        self.socket.close()
        self.protocol.connectionLost(reason)

    # Facts.

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 once it is closed."""
        return self.socket.fileno() if self.connected else -1

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "tinyhttp"

    def getHandle(self) -> socket.socket:
        """Return the socket."""
        return self.socket

    def getPeer(self) -> Any:  # a UNIXAddress too, which the interface does not know
        """Return the client's address."""
        return self.peer or twisted_address(self.socket.family, self._address)

    def getHost(self) -> Any:
        """Return our own address."""
        return twisted_address(self.socket.family, self.socket.getsockname())

    def getTcpNoDelay(self) -> bool:
        """Return whether TCP_NODELAY is set."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Set TCP_NODELAY."""
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return whether SO_KEEPALIVE is set."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Set SO_KEEPALIVE."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)


def twisted_address(family: int, address: Any) -> IPv4Address | IPv6Address | UNIXAddress:
    """Return ``address``, as sockets of ``family`` give it, as one of Twisted's."""
    if family == socket.AF_INET:
        return IPv4Address("TCP", *address)
    if family == socket.AF_INET6:
        return IPv6Address("TCP", *address)
    return UNIXAddress(address or None)
