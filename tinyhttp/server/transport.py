"""What has to be known of sockets.

Floor: server. The only place that looks behind ``ITransport``.
"""

import socket
import struct
import sys
from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport

__all__ = ["can_half_close", "octets_acknowledged", "send_at_once"]

# struct tcp_info, linux/tcp.h: 8 octets, 24 of __u32, 2 of __u64, then tcpi_bytes_acked.
_BYTES_ACKED = struct.Struct("120xQ")


def _socket_of(transport: Any) -> socket.socket | None:
    """Return the socket under ``transport``, through any layers of TLS."""
    while transport is not None:
        handle = getattr(transport, "socket", None)
        if isinstance(handle, socket.socket):
            return handle
        transport = getattr(transport, "transport", None)
    return None


def octets_acknowledged(transport: Any) -> int | None:
    """Return how much of what was sent the peer's machine has confirmed; ``None`` if not known.

    The send buffer of the kernel holds megabytes for a slow client. A program that looks only at
    how much it could hand to the kernel sees nothing move for minutes, and takes a client that
    reads slowly but steadily for one that is dead.
    """
    sock = _socket_of(transport)
    if sock is None or not sys.platform.startswith("linux"):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        return int(_BYTES_ACKED.unpack(info)[0])
    except (OSError, struct.error):  # no TCP socket, or a kernel older than 4.1
        return None


def can_half_close(transport: Any) -> bool:
    """Return whether ``transport`` can end its own side and go on reading the other's.

    TLS can't: what goes out has to be closed by its own message.
    """
    return IHalfCloseableDescriptor.providedBy(transport) and not ISSLTransport.providedBy(
        transport
    )


def send_at_once(transport: Any) -> None:
    """Ask for TCP_NODELAY: a response is complete when it is written, and waits for nothing."""
    set_no_delay = getattr(transport, "setTcpNoDelay", None)
    if set_no_delay is not None:
        set_no_delay(True)
