"""The first message of TLS clients: real ones, cut, spread over records, and garbage."""

import ssl
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.core.client_hello import (
    FRAGMENTS,
    LONGEST,
    ClientHello,
    NotTLS,
    read_client_hello,
)

NOTHING = ClientHello()


def real(name: str | None = None, protocols: Sequence[str] = (), most: str = "TLSv1_3") -> bytes:
    """Return what OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion[most]
    if protocols:
        context.set_alpn_protocols(list(protocols))
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


def sized(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def records(message: bytes, size: int = 1 << 14, kind: int = 22) -> bytes:
    """Return ``message`` in records of ``size`` octets at most."""
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(bytes([kind, 3, 1]) + sized(2, piece) for piece in pieces)


def message(*extensions: tuple[int, bytes], kind: int = 1) -> bytes:
    """Return a message with ``extensions``, and nothing of interest before them."""
    listed = b"".join(number.to_bytes(2, "big") + sized(2, value) for number, value in extensions)
    body = b"\3\3" + bytes(32) + b"\0" + sized(2, b"\x13\x01") + sized(1, b"\0") + sized(2, listed)
    return bytes([kind]) + sized(3, body)


def server_name(name: bytes, kind: int = 0) -> bytes:
    return sized(2, bytes([kind]) + sized(2, name))


def alpn(*names: bytes) -> bytes:
    return sized(2, b"".join(sized(1, name) for name in names))


REAL = {
    "TLS 1.3": (real("www.example.org"), ClientHello(b"www.example.org")),
    "TLS 1.2": (real("www.example.org", most="TLSv1_2"), ClientHello(b"www.example.org")),
    "no name": (real(), NOTHING),
    "protocols": (real(None, ["h2", "http/1.1"]), ClientHello(b"", (b"h2", b"http/1.1"))),
    "both": (real("a.test", ["http/1.1"]), ClientHello(b"a.test", (b"http/1.1",))),
}


@pytest.mark.parametrize(("data", "wanted"), REAL.values(), ids=REAL)
def test_real_ones(data: bytes, wanted: ClientHello) -> None:
    assert read_client_hello(data) == wanted
    assert read_client_hello(data + b"\x17\x03\x03 what follows") == wanted


@pytest.mark.parametrize("data", [data for data, _ in REAL.values()], ids=REAL)
def test_as_long_as_it_is_not_whole_it_is_waited_for(data: bytes) -> None:
    for length in range(len(data)):
        assert read_client_hello(data[:length]) is None


@pytest.mark.parametrize("size", [1 << 14, 1000, 400, 60])
def test_it_may_be_spread_over_records(size: int) -> None:
    data, wanted = REAL["both"]
    whole = data[5:]
    assert read_client_hello(records(whole, max(size, len(whole) // FRAGMENTS + 1))) == wanted


def test_but_not_over_any_number_of_them() -> None:
    """Each octet that comes has all of them looked at again."""
    assert read_client_hello(records(message(), 1)) == NOTHING


def test_a_long_one_is_not_waited_for() -> None:
    at_most = message((21, bytes(LONGEST - 4 - 47)))
    assert len(at_most) == LONGEST
    assert read_client_hello(records(at_most[:-1])) is None
    longer = message((21, bytes(LONGEST)))
    assert read_client_hello(records(longer)[:10]) == NOTHING


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01", b"\x15\x03\x01\x00\x02", b"\0", b"S"]
)
def test_what_is_not_tls(data: bytes) -> None:
    with pytest.raises(NotTLS):
        read_client_hello(data)


@pytest.mark.parametrize(
    ("extensions", "wanted"),
    [
        ([], NOTHING),
        ([(0, server_name(b"a"))], ClientHello(b"a")),
        ([(0, server_name(b"\xff\n"))], ClientHello(b"\xff\n")),
        ([(0, server_name(b"a", kind=1))], NOTHING),
        ([(0, sized(2, b""))], NOTHING),
        ([(0, sized(2, b"\1\0\1x" + b"\0\0\1a"))], ClientHello(b"a")),
        ([(16, alpn())], NOTHING),
        ([(16, alpn(b"h2")), (0, server_name(b"a"))], ClientHello(b"a", (b"h2",))),
        ([(0x0A0A, b"grease"), (0, server_name(b"a"))], ClientHello(b"a")),
        # What is malformed says nothing at all.
        ([(0, b"\0\x09\0\0\1a")], NOTHING),
        ([(0, b"\0\4\0\0\2a")], NOTHING),
        ([(0, server_name(b"a")), (16, b"\0\2\3h")], NOTHING),
        ([(0, b"")], NOTHING),
    ],
)
def test_extensions(extensions: list[tuple[int, bytes]], wanted: ClientHello) -> None:
    assert read_client_hello(records(message(*extensions))) == wanted


@pytest.mark.parametrize(
    "data",
    [
        records(message(kind=2)),
        records(message())[:1] + b"\2" + records(message())[2:],
        b"\x16\x03\x01\x00\x00",
        records(b"\1" + sized(3, b"\3\3")),
        records(b"\1" + sized(3, b"\3\3" + bytes(32))),
        records(message((0, server_name(b"a"))), size=20)[:25] + records(b"x", kind=23),
    ],
    ids=["another message", "another version", "empty", "short", "no session", "another record"],
)
def test_what_openssl_has_to_refuse_says_nothing(data: bytes) -> None:
    assert read_client_hello(data) == NOTHING


def test_without_extensions_as_old_clients_send_it() -> None:
    body = b"\3\3" + bytes(32) + b"\0" + sized(2, b"\x13\x01") + sized(1, b"\0")
    assert read_client_hello(records(b"\1" + sized(3, body))) == NOTHING


@given(st.binary(max_size=300))
@example(b"")
def test_garbage_is_never_an_error_of_ours(data: bytes) -> None:
    for start in (b"", b"\x16", b"\x16\x03\x01\x00\x40", b"\x16\x03\x01\x00\x40\x01\0\0\x3c"):
        try:
            read_client_hello(start + data)
        except NotTLS:
            assert (start + data)[0] != 22


@given(st.data())
def test_any_octet_may_be_another(data: st.DataObject) -> None:
    octets = bytearray(REAL["both"][0])
    place = data.draw(st.integers(1, len(octets) - 1))
    octets[place] = data.draw(st.integers(0, 255))
    hello = read_client_hello(bytes(octets))
    assert hello is None or isinstance(hello, ClientHello)
