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

from ..core.forwarded import UNIX_PEER

__all__ = [
    "can_half_close",
    "counts_all",
    "octets_acknowledged",
    "peer_address",
    "send_at_once",
    "socket_of",
    "tls_version",
]

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


def counts_all(transport: Any) -> bool:
    """Return whether `octets_acknowledged` counts octets, and does not only tell that some moved.

    For a UNIX socket somebody has to know what was sent.
    """
    sock = socket_of(transport)
    return sock is not None and (sock.family != socket.AF_UNIX or hasattr(transport, "octets_sent"))


def can_half_close(transport: Any) -> bool:
    """Return whether ``transport`` can end its own side and go on reading the other's.

    A wrapper of Twisted's can't, though it says so: TLS has to close by its own message, and none
    of them tells that it was done. A layer of ours can if the transport below it can.
    """
    if (of_layer := getattr(transport, "can_half_close", None)) is not None:
        return bool(of_layer)
    return IHalfCloseableDescriptor.providedBy(transport) and not isinstance(
        transport, ProtocolWrapper
    )


def send_at_once(transport: Any) -> None:
    """Ask for TCP_NODELAY: a response is complete when it is written, and waits for nothing."""
    set_no_delay = getattr(transport, "setTcpNoDelay", None)
    if set_no_delay is not None and not getattr(transport, "sends_at_once", False):
        set_no_delay(True)


def peer_address(transport: Any) -> bytes:
    """Return the IP address at the other end of ``transport``, or `UNIX_PEER`."""
    host = getattr(transport.getPeer(), "host", None)
    if host is None:
        return UNIX_PEER
    return str(host).removeprefix("::ffff:").encode("ascii", "replace")


def tls_version(transport: Any) -> bytes | None:
    """Return which TLS is spoken over ``transport``, such as ``TLSv1.3``; ``None`` for none."""
    get_handle = getattr(transport, "getHandle", None)
    handle = None if get_handle is None else get_handle()
    # Ours has an object of Python's ssl, Twisted's one of pyOpenSSL; others have a socket.
    version = getattr(handle, "version", None) or getattr(handle, "get_protocol_version_name", None)
    said = None if version is None else version()
    return None if said is None else str(said).encode("ascii", "replace")
