"""The PROXY protocol: who is at the other end of a balancer's connection.

Floor: core (pure). The PROXY protocol, versions 1 and 2, as HAProxy's ``proxy-protocol.txt`` has it
(sections 2.1 and 2.2). A header stands before the first octet of a connection, before TLS too. It
may arrive in pieces, and nothing is taken for granted before it is there whole.
"""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from struct import Struct

from .fields import parse_decimal

__all__ = ["LONGEST", "BadHeader", "End", "ProxyHeader", "read_proxy_header"]

LONGEST = 4096
"""Octets of a header that are waited for. A version 1 header has 107 at most; version 2 could have
65,551, and no balancer sends more than a few hundred."""

_V1 = b"PROXY "
_V1_LONGEST = 107
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21  # version and command, in one octet
_STREAM = {0x11: 4, 0x21: 16}  # TCP over IPv4, over IPv6: octets of an address
_UNIX = 0x31
_UNIX_LENGTH = 216
_CRC32C_TLV = 3


class BadHeader(Exception):  # noqa: N818 (named after what came)
    """What came is no PROXY header; the connection has to be closed."""


@dataclass(slots=True, frozen=True)
class End:
    """One end of a connection."""

    host: str
    """An IP address, in its usual form; or the path of a UNIX socket, which may be empty."""
    port: int | None
    """``None`` for a UNIX socket."""


@dataclass(slots=True, frozen=True)
class ProxyHeader:
    """A header that has come whole."""

    length: int
    """Octets of it; what follows is the connection's own."""
    source: End | None
    """The client; ``None``: it is the balancer itself that connects, or it does not know who."""
    destination: End | None
    """What the client has connected to."""


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Return the header at the start of ``data``; ``None`` if it is not there whole.

    Raises `BadHeader` as soon as no continuation could be right.
    """
    if _agrees(data, _V2):
        return _read_binary(data) if len(data) >= _V2_HEAD.size else None
    if _agrees(data, _V1):
        return _read_text(data)
    raise BadHeader("it does not begin like a PROXY header")


def _agrees(data: bytes, beginning: bytes) -> bool:
    """Return whether ``data`` begins so, as far as it goes; nothing agrees with everything."""
    return data[: len(beginning)] == beginning[: len(data)]


# Version 1: a line of text.


def _read_text(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(data) >= _V1_LONGEST:
            raise BadHeader("the line is too long")
        return None
    words = data[len(_V1) : end].split(b" ")
    length = end + 2
    if words[0] == b"UNKNOWN":
        return ProxyHeader(length, None, None)
    if words[0] not in (b"TCP4", b"TCP6") or len(words) != 5:
        raise BadHeader("TCP4, TCP6 or UNKNOWN is wanted, and two addresses and ports")
    version = IPv4Address if words[0] == b"TCP4" else IPv6Address
    _, source, destination, source_port, destination_port = words
    return ProxyHeader(
        length,
        End(_host(version, source), _port(source_port)),
        End(_host(version, destination), _port(destination_port)),
    )


def _host(version: type[IPv4Address | IPv6Address], text: bytes) -> str:
    try:
        return str(version(text.decode("ascii")))
    except (AddressValueError, UnicodeDecodeError):
        raise BadHeader("an address is malformed") from None


def _port(text: bytes) -> int:
    port = parse_decimal(text)
    if port is None or port > 65535 or text != b"%d" % port:
        raise BadHeader("a port is malformed")
    return port


# Version 2: octets.


def _read_binary(data: bytes) -> ProxyHeader | None:
    _, command, family, size = _V2_HEAD.unpack_from(data)
    length = _V2_HEAD.size + size
    if command not in (_LOCAL, _PROXY):
        raise BadHeader("the version is not 2, or the command is not known")
    if length > LONGEST:
        raise BadHeader("the header is too long")
    if len(data) < length:
        return None
    payload = data[_V2_HEAD.size : length]
    taken = _address_octets(family)
    if command == _PROXY and len(payload) < taken:
        raise BadHeader("the addresses are cut short")
    _check_checksum(data[:length], _V2_HEAD.size + taken)
    if command == _LOCAL:
        return ProxyHeader(length, None, None)
    return ProxyHeader(length, *_ends(family, payload))


def _address_octets(family: int) -> int:
    if family == _UNIX:
        return _UNIX_LENGTH
    return 2 * _STREAM[family] + 4 if family in _STREAM else 0


def _ends(family: int, payload: bytes) -> tuple[End | None, End | None]:
    """Return source and destination; neither where the family is not one that we serve."""
    if family == _UNIX:
        return _unix_end(payload[:108]), _unix_end(payload[108:216])
    if family not in _STREAM:  # AF_UNSPEC, and datagrams, which can't be meant
        return None, None
    size = _STREAM[family]
    version = IPv4Address if size == 4 else IPv6Address
    ports = 2 * size
    return (
        End(str(version(payload[:size])), int.from_bytes(payload[ports : ports + 2], "big")),
        End(
            str(version(payload[size:ports])),
            int.from_bytes(payload[ports + 2 : ports + 4], "big"),
        ),
    )


def _unix_end(path: bytes) -> End:
    return End(path.partition(b"\0")[0].decode("utf-8", "backslashreplace"), None)


def _check_checksum(header: bytes, offset: int) -> None:
    """Check the CRC32c of ``header`` if one of its TLVs, from ``offset``, holds it (2.2.3)."""
    while offset < len(header):
        if len(header) < offset + 3:
            raise BadHeader("a TLV is cut short")
        kind, size = header[offset], int.from_bytes(header[offset + 1 : offset + 3], "big")
        start, offset = offset + 3, offset + 3 + size
        if offset > len(header):
            raise BadHeader("a TLV is cut short")
        if kind == _CRC32C_TLV:
            if size != 4:
                raise BadHeader("a checksum has four octets")
            expected = int.from_bytes(header[start:offset], "big")
            if crc32c(header[:start] + bytes(4) + header[offset:]) != expected:
                raise BadHeader("the checksum is wrong")


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C = _crc32c_table()


def crc32c(data: bytes) -> int:
    """Return the CRC32c of ``data`` (Castagnoli, RFC 9260 appendix A): zlib's is another one."""
    value = 0xFFFFFFFF
    for octet in data:
        value = (value >> 8) ^ _CRC32C[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
