"""What can be asked of any transport, ours or not.

Floor: server.
"""

import fcntl
import socket
import struct
import sys
import termios
from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.protocols.policies import ProtocolWrapper

__all__ = ["can_half_close", "octets_acknowledged", "send_at_once", "socket_of"]

# struct tcp_info, linux/tcp.h: 8 octets, 24 of __u32, 2 of __u64, then tcpi_bytes_acked.
_BYTES_ACKED = struct.Struct("120xQ")
_INT = struct.Struct("i")


def socket_of(transport: Any) -> socket.socket | None:
    """Return the socket under ``transport``, through any layers of TLS."""
    while transport is not None:
        handle = getattr(transport, "socket", None)
        if isinstance(handle, socket.socket):
            return handle
        transport = getattr(transport, "transport", None)
    return None


def octets_acknowledged(transport: Any) -> int | None:
    """Return a number that grows with what the peer has taken of what was sent; or ``None``.

    The send buffer of the kernel holds megabytes for a slow client. A program that looks only at
    how much it could hand to the kernel sees nothing move for minutes, and takes a client that
    reads slowly but steadily for one that is dead.
    """
    sock = socket_of(transport)
    if sock is None or sock.fileno() < 0 or not sys.platform.startswith("linux"):
        return None
    try:
        if sock.family == socket.AF_UNIX:
            # What was sent, as far as that is counted, less what lies in the kernel unread.
            sent = getattr(transport, "octets_sent", 0)
            unread = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(_INT.size))
            return int(sent) - int(_INT.unpack(unread)[0])
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        return int(_BYTES_ACKED.unpack(info)[0])
    except (OSError, struct.error):  # a kernel older than 4.1
        return None


def can_half_close(transport: Any) -> bool:
    """Return whether ``transport`` can end its own side and go on reading the other's.

    A wrapper can't, though it says so: TLS has to close by its own message, and none of Twisted's
    tells that it was done.
    """
    return IHalfCloseableDescriptor.providedBy(transport) and not isinstance(
        transport, ProtocolWrapper
    )


def send_at_once(transport: Any) -> None:
    """Ask for TCP_NODELAY: a response is complete when it is written, and waits for nothing."""
    set_no_delay = getattr(transport, "setTcpNoDelay", None)
    if set_no_delay is not None and not getattr(transport, "sends_at_once", False):
        set_no_delay(True)
