"""Whom a TLS client wants to talk to, and in which protocol.

Floor: core (pure). RFC 8446 sections 4.1.2 and 5.1 (the message and its records), RFC 6066 section
3 (the name of the server), RFC 7301 section 3.1 (protocols). Read before OpenSSL sees it, so that
the certificate is known from the start, and a client without a protocol in common can be told so.

Whether the message is right is for OpenSSL to say, which gets all of it: what can't be understood
here counts as a message that says nothing. All that this can lead to is the default certificate.
"""

from dataclasses import dataclass
from struct import Struct

__all__ = ["FRAGMENTS", "LONGEST", "ClientHello", "NotTLS", "read_client_hello"]

LONGEST = 16 * 1024
"""Octets of a message that are looked into. With a large key exchange it has some 2,000."""
FRAGMENTS = 16
"""Records that it may be spread over. One or two is usual; each octet may have its own."""

_RECORD = Struct("!BHH")
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME, _ALPN = 0, 16  # extensions
_HOST_NAME = 0
_VERSION_AND_RANDOM = 34


class NotTLS(Exception):  # noqa: N818 (named after what came)
    """What came is not the beginning of a TLS connection."""


@dataclass(slots=True, frozen=True)
class ClientHello:
    """What the first message of a client says about what it wants."""

    server_name: bytes = b""
    """The name of the host, as it came; empty if the client gave none."""
    protocols: tuple[bytes, ...] = ()
    """The protocols that it offers (ALPN); empty if it offered none."""


def read_client_hello(data: bytes) -> ClientHello | None:
    """Return what the message at the start of ``data`` says; ``None`` if it is not there whole.

    Raises `NotTLS` if the first octet is not that of a TLS record.
    """
    if data and data[0] != _HANDSHAKE:
        raise NotTLS
    message = b""
    position = 0
    for _ in range(FRAGMENTS):
        start = position + _RECORD.size
        if len(data) < start:
            return None
        kind, version, length = _RECORD.unpack_from(data, position)
        if kind != _HANDSHAKE or version >> 8 != 3 or not length:
            return ClientHello()
        position = start + length
        message += data[start:position]
        if len(message) >= 4:
            end = 4 + int.from_bytes(message[1:4], "big")
            if message[0] != _CLIENT_HELLO or end > LONGEST:
                return ClientHello()
            if len(message) >= end:
                return _read_message(message[4:end])
        if len(data) < position:
            return None
    return ClientHello()


def _read_message(message: bytes) -> ClientHello:
    name = b""
    protocols: tuple[bytes, ...] = ()
    try:
        position = _VERSION_AND_RANDOM
        for width in (1, 2, 1):  # session id, cipher suites, compression methods
            _, position = _vector(message, position, width)
        extensions, _ = _vector(message, position, 2)
        position = 0
        while position < len(extensions):
            kind = int.from_bytes(extensions[position : position + 2], "big")
            value, position = _vector(extensions, position + 2, 2)
            if kind == _SERVER_NAME:
                name = _host_name(value)
            elif kind == _ALPN:
                protocols = _protocols(value)
    except ValueError:
        return ClientHello()
    return ClientHello(name, protocols)


def _vector(data: bytes, position: int, width: int) -> tuple[bytes, int]:
    """Return what stands behind a length of ``width`` octets, and where that ends.

    Raises ``ValueError`` if ``data`` is too short for it.
    """
    start = position + width
    end = start + int.from_bytes(data[position:start], "big")
    if end > len(data):
        raise ValueError
    return data[start:end], end


def _host_name(value: bytes) -> bytes:
    names, _ = _vector(value, 0, 2)
    position = 0
    while position < len(names):
        kind = names[position]
        name, position = _vector(names, position + 1, 2)
        if kind == _HOST_NAME:
            return name
    return b""


def _protocols(value: bytes) -> tuple[bytes, ...]:
    names, _ = _vector(value, 0, 2)
    protocols = []
    position = 0
    while position < len(names):
        protocol, position = _vector(names, position, 1)
        protocols.append(protocol)
    return tuple(protocols)
