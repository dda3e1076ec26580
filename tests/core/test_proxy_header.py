"""The PROXY header, whole, in pieces, and malformed."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.proxy_header import (
    LONGEST,
    BadHeader,
    End,
    ProxyHeader,
    crc32c,
    read_proxy_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6, UNIX, UDP4, UNSPEC = 0x11, 0x21, 0x31, 0x12, 0x00


def binary(command: int, family: int, payload: bytes) -> bytes:
    """Return a version 2 header."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(payload)) + payload


def tcp4(source: str = "192.0.2.1", port: int = 56324) -> bytes:
    packed = IPv4Address(source).packed + IPv4Address("198.51.100.1").packed
    return packed + struct.pack("!HH", port, 443)


def tcp6(source: str = "2001:db8::1") -> bytes:
    packed = IPv6Address(source).packed + IPv6Address("2001:db8::2").packed
    return packed + struct.pack("!HH", 56324, 443)


def unix(source: bytes = b"/run/client", destination: bytes = b"/run/server") -> bytes:
    return source.ljust(108, b"\0") + destination.ljust(108, b"\0")


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def with_checksum(family: int, addresses: bytes, *, wrong: int = 0) -> bytes:
    """Return a version 2 header that holds its own CRC32c between two other TLVs."""
    before, after = addresses + tlv(4, b"noop") + b"\x03\x00\x04", tlv(1, b"h2")
    blank = binary(PROXY, family, before + bytes(4) + after)
    checksum = crc32c(blank) ^ wrong
    return binary(PROXY, family, before + struct.pack("!I", checksum) + after)


V4 = (End("192.0.2.1", 56324), End("198.51.100.1", 443))
V6 = (End("2001:db8::1", 56324), End("2001:db8::2", 443))
NOBODY = (None, None)

HEADERS = {
    "TCP4": (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", V4),
    "TCP6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", V6),
    "TCP6, written out": (
        b"PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 2001:DB8::2 56324 443\r\n",
        V6,
    ),
    "the largest ports": (
        b"PROXY TCP4 192.0.2.1 198.51.100.1 65535 0\r\n",
        (End("192.0.2.1", 65535), End("198.51.100.1", 0)),
    ),
    "UNKNOWN": (b"PROXY UNKNOWN\r\n", NOBODY),
    "UNKNOWN with addresses": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", NOBODY),
    "UNKNOWN with anything": (b"PROXY UNKNOWN \0\xff what ever\r\n", NOBODY),
    "the longest line": (
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        NOBODY,
    ),
    "binary TCP4": (binary(PROXY, TCP4, tcp4()), V4),
    "binary TCP6": (binary(PROXY, TCP6, tcp6()), V6),
    "binary, a mapped address": (
        binary(PROXY, TCP6, tcp6("::ffff:192.0.2.1")),
        (End(str(IPv6Address("::ffff:192.0.2.1")), 56324), V6[1]),
    ),
    "binary UNIX": (
        binary(PROXY, UNIX, unix()),
        (End("/run/client", None), End("/run/server", None)),
    ),
    "binary UNIX, nameless": (
        binary(PROXY, UNIX, unix(b"", b"\xff")),
        (End("", None), End("\\xff", None)),
    ),
    "binary, LOCAL": (binary(LOCAL, UNSPEC, b""), NOBODY),
    "binary, LOCAL with addresses": (binary(LOCAL, TCP4, tcp4()), NOBODY),
    "binary, unspecified": (binary(PROXY, UNSPEC, b""), NOBODY),
    "binary, datagrams": (binary(PROXY, UDP4, b""), NOBODY),
    "binary, TLVs": (binary(PROXY, TCP4, tcp4() + tlv(2, b"host") + tlv(0xEE, bytes(300))), V4),
    "binary, an empty TLV": (binary(PROXY, TCP4, tcp4() + tlv(4, b"")), V4),
    "binary, a checksum": (with_checksum(TCP4, tcp4()), V4),
    "binary, a checksum over IPv6": (with_checksum(TCP6, tcp6()), V6),
    "binary, the longest": (binary(PROXY, TCP4, tcp4() + tlv(4, bytes(LONGEST - 31))), V4),
}

EVERY_HEADER = pytest.mark.parametrize(("header", "ends"), HEADERS.values(), ids=HEADERS.keys())


def test_the_longest_line_is_as_long_as_may_be() -> None:
    assert len(HEADERS["the longest line"][0]) == 107
    assert len(HEADERS["binary, the longest"][0]) == LONGEST


@EVERY_HEADER
def test_whole(header: bytes, ends: tuple[End | None, End | None]) -> None:
    expected = ProxyHeader(len(header), *ends)
    assert read_proxy_header(header) == expected
    for rest in (b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"PROXY UNKNOWN\r\n", b"\0" * 5000):
        assert read_proxy_header(header + rest) == expected


@EVERY_HEADER
def test_every_piece_is_waited_behind(header: bytes, ends: object) -> None:
    for end in range(len(header)):
        assert read_proxy_header(header[:end]) is None


MALFORMED = {
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "one octet of it": b"G",
    "TLS": b"\x16\x03\x01\x02\x00",
    "lower case": b"proxy ",
    "half the word": b"PROXX",
    "no space": b"PROXY\r\n",
    "no family": b"PROXY \r\n",
    "another family": b"PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
    "family in lower case": b"PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
    "a word too few": b"PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
    "a word too many": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
    "two spaces": b"PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
    "a space at the end": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
    "IPv6 for IPv4": b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
    "IPv4 for IPv6": b"PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
    "no address": b"PROXY TCP4 localhost 198.51.100.1 1 2\r\n",
    "an octet of 256": b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
    "a leading zero": b"PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
    "octets beyond ASCII": b"PROXY TCP4 192.0.2.\xb2 198.51.100.1 1 2\r\n",
    "port 65536": b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n",
    "a port below zero": b"PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n",
    "a port with a zero": b"PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
    "a port in hexadecimal": b"PROXY TCP4 192.0.2.1 198.51.100.1 0x1 2\r\n",
    "no port": b"PROXY TCP4 192.0.2.1 198.51.100.1  2\r\n",
    "a line too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "a line without end": b"PROXY TCP4 " + b"1" * 100,
    "LF alone": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n" + b"x" * 70,
    "half a signature": SIGNATURE[:7] + b"x",
    "version 1 in binary": binary(0x11, TCP4, tcp4()),
    "version 3 in binary": binary(0x31, TCP4, tcp4()),
    "another command": binary(0x22, TCP4, tcp4()),
    "addresses cut short": binary(PROXY, TCP4, tcp4()[:-1]),
    "addresses of IPv4 for IPv6": binary(PROXY, TCP6, tcp4()),
    "UNIX addresses cut short": binary(PROXY, UNIX, unix()[:215]),
    "a TLV without length": binary(PROXY, TCP4, tcp4() + b"\x04\x00"),
    "a TLV cut short": binary(PROXY, TCP4, tcp4() + b"\x04\x00\x05noop"),
    "a checksum of three octets": binary(PROXY, TCP4, tcp4() + tlv(3, b"abc")),
    "a wrong checksum": with_checksum(TCP4, tcp4(), wrong=1),
    "a header too long": binary(PROXY, TCP4, tcp4() + tlv(4, bytes(LONGEST - 30))),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(data: bytes) -> None:
    with pytest.raises(BadHeader, match=r"^[a-zA-Z].{10,70}$"):
        read_proxy_header(data)


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        (b"GET / HTTP/1.1", 1),
        (b"PROXZ", 5),
        (b"\r\n\r\nGET", 5),
        (binary(0x31, TCP4, b"") + bytes(12), 16),
        (SIGNATURE + b"\x21\x11\xff\xff", 16),
    ],
)
def test_what_can_not_become_one_is_not_waited_for(data: bytes, octets: int) -> None:
    for end in range(octets):
        assert read_proxy_header(data[:end]) is None
    with pytest.raises(BadHeader):
        read_proxy_header(data[:octets])


LINES = st.binary(max_size=60).map(lambda data: b"PROXY " + data + b"\r\n")


@given(st.binary(max_size=200) | LINES)
def test_anything(data: bytes) -> None:
    """Nothing but these three comes of it, and never more octets than there are."""
    try:
        header = read_proxy_header(data)
    except BadHeader:
        return
    assert header is None or header.length <= len(data)


@given(
    st.ip_addresses(v=4) | st.ip_addresses(v=6),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.binary(max_size=20),
)
def test_both_versions_say_the_same(
    address: IPv4Address | IPv6Address, source: int, destination: int, rest: bytes
) -> None:
    kind = b"TCP4" if address.version == 4 else b"TCP6"
    name = str(address).encode()
    text = b"PROXY %s %s %s %d %d\r\n" % (kind, name, name, source, destination)
    packed = address.packed * 2 + struct.pack("!HH", source, destination)
    octets = binary(PROXY, TCP4 if address.version == 4 else TCP6, packed)
    for header in (text, octets):
        read = read_proxy_header(header + rest)
        assert read is not None
        assert read.length == len(header)
        assert read.source == End(str(address), source)
        assert read.destination == End(str(address), destination)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c(data: bytes, checksum: int) -> None:
    """The check value of the polynomial, and the vectors of RFC 3720 appendix B.4."""
    assert crc32c(data) == checksum
