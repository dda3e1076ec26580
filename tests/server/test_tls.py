"""The layer of TLS: handshakes, requests, ends of all kinds, over a transport in memory."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import LogEvent, capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from tests.certificates import OTHER_KEY, write_pair
from tests.core.test_client_hello import alpn, message, real, records
from tests.support import (
    NOW,
    FakeLog,
    FakeReactor,
    FakeTransport,
    get,
    make_disk,
    make_server,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.networks import Networks
from tinyhttp.core.proxy_header import read_proxy_header
from tinyhttp.core.request import Head
from tinyhttp.server.acceptor import take_over
from tinyhttp.server.any_transport import can_half_close, tls_version
from tinyhttp.server.certificates import CHECK, Certificates
from tinyhttp.server.incoming import Incoming
from tinyhttp.server.poller import Poller
from tinyhttp.server.proxy_gate import GateKeeper
from tinyhttp.server.seldom import SILENCE
from tinyhttp.server.server import Server
from tinyhttp.server.tls import HANDSHAKE, UNASKED, Layer, TLSFactory

from .sockets import PATIENCE, Peer, SocketReactor, until

BIG = bytes(range(256)) * 3000
CLIENT = IPv4Address("TCP", "192.0.2.1", 54321)
VERSIONS = ["TLSv1_2", "TLSv1_3"]
every_version = pytest.mark.parametrize("version", VERSIONS)


class Log(FakeLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple[bytes, int]] = []

    def answered(
        self, connection: Incoming, head: Head | None, line: bytes, status: int, octets: int
    ) -> None:
        self.lines.append((connection.client(head), status))


class Site:
    """A server over TLS, and all that it is made of."""

    def __init__(self, directory: Path, reactor: FakeReactor | None = None):
        self.reactor = reactor or FakeReactor()
        self.log = Log()
        root = write_tree(directory / "root", {"a.txt": b"a", "big.bin": BIG})
        self.server: Server = make_server(root, self.reactor, access_log=self.log)
        names = {"one": ["one.test"], "two": ["two.test", "*.two.test"]}
        self.pairs = [
            write_pair(directory / "keys", *names[n], now=NOW, name=n, key=OTHER_KEY) for n in names
        ]
        self.certificates = Certificates(
            self.pairs,
            reactor=self.reactor,
            disk=make_disk(self.reactor, 0),
            clock=self.reactor.seconds,
        )
        self.factory = TLSFactory(self.server, self.certificates, self.server.deadlines)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Half:
    """A client's half of TLS, whatever the octets travel on."""

    def __init__(
        self,
        name: str | None = None,
        version: str = "TLSv1_3",
        session: ssl.SSLSession | None = None,
        **settings: Any,
    ):
        self.context = settings.pop("context", None) or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        if version:
            self.context.maximum_version = ssl.TLSVersion[version]
        if protocols := settings.pop("protocols", None):
            self.context.set_alpn_protocols(protocols)
        if ciphers := settings.pop("ciphers", None):
            self.context.set_ciphers(ciphers)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(
            self.incoming, self.outgoing, server_hostname=name, session=session
        )
        self.received = b""
        self.established = False
        self.ended = False

    def take(self, data: bytes) -> None:
        """Deal with what the server has sent; raises ``SSLError`` for an alert."""
        self.incoming.write(data)
        try:
            if not self.established:
                self.tls.do_handshake()
                self.established = True
            while not self.ended:
                octets = self.tls.read(1 << 16)
                self.received += octets
                self.ended = not octets
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:  # both sides have ended
            self.ended = True


class TLSClient(Half):
    """A client at the other end of a `FakeTransport`."""

    def __init__(
        self,
        factory: Any,
        *args: Any,
        room: float = float("inf"),
        piece: int = 1 << 20,
        **more: Any,
    ):
        super().__init__(*args, **more)
        self.transport = FakeTransport(room)
        self.layer: Any = factory.buildProtocol(CLIENT)
        behind: Any = self.transport
        behind.protocol = self.layer
        self.layer.makeConnection(self.transport)
        self._piece = piece
        self._seen = 0

    def shake_hands(self) -> "TLSClient":
        self.take(b"")
        while not self.established and not self.transport.closed:
            if not self.exchange():
                break
        self.exchange()
        return self

    def exchange(self) -> bool:
        """Carry what there is both ways; return whether there was anything from the server."""
        data = self.outgoing.read()
        for start in range(0, len(data), self._piece):
            if not self.transport.closed:
                self.layer.dataReceived(data[start : start + self._piece])
        sent = self.transport.value()[self._seen :]
        self._seen += len(sent)
        self.take(sent)
        return bool(sent)

    def send(self, *data: bytes) -> "TLSClient":
        """Send each of ``data`` in a record of its own, all at once."""
        for octets in data:
            self.tls.write(octets)
        self.exchange()
        return self

    def end(self) -> "TLSClient":
        """Send close_notify."""
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        self.exchange()
        return self

    def bodies(self) -> list[bytes]:
        return [answer.body for answer in read_answers(self.received)]


def connected(site: Site, *args: Any, **more: Any) -> TLSClient:
    client = TLSClient(site.factory, *args, **more).shake_hands()
    assert client.established
    return client


def told(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events]


# Handshakes.


@every_version
@pytest.mark.parametrize("piece", [1 << 20, 1000, 1])
def test_requests_over_tls(site: Site, version: str, piece: int) -> None:
    client = connected(site, version=version, piece=piece)
    for _ in range(3):  # the third from memory
        client.send(get("/a.txt"))
    client.send(get("/big.bin"))
    client.send(get("/missing"), get("/a.txt"))
    answers = read_answers(client.received)
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 404, 200]
    assert answers[3].body == BIG
    assert site.log.lines[0] == (b"192.0.2.1", 200)
    assert tls_version(client.layer) == version.replace("_", ".").encode()


def test_nothing_is_above_before_the_handshake_is_done(site: Site) -> None:
    client = TLSClient(site.factory)
    assert not site.server.connections
    assert site.factory.waiting == {client.layer}
    assert tls_version(client.layer) is None
    client.shake_hands()
    assert len(site.server.connections) == 1
    assert not site.factory.waiting


@pytest.mark.parametrize(
    ("name", "number"),
    [(None, 0), ("one.test", 0), ("two.test", 1), ("x.two.test", 1), ("other.test", 0)],
)
@every_version
def test_the_certificate_is_that_of_the_name(
    site: Site, version: str, name: str | None, number: int
) -> None:
    client = connected(site, name, version)
    shown = client.tls.getpeercert(binary_form=True)
    assert shown == ssl.PEM_cert_to_DER_cert(Path(site.pairs[number].certificate).read_text())


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ([], None),
        (["http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], "http/1.1"),
        (["http/1.0", "http/1.1"], "http/1.1"),
        (["http/1.0"], "http/1.0"),
    ],
)
@every_version
def test_protocols(site: Site, version: str, offered: list[str], agreed: str | None) -> None:
    client = connected(site, version=version, protocols=offered)
    assert client.tls.selected_alpn_protocol() == agreed


@every_version
def test_without_a_protocol_in_common_there_is_an_alert(site: Site, version: str) -> None:
    """RFC 7301 section 3.2."""
    with capturedLogs() as events, pytest.raises(ssl.SSLError, match=r"(?i)no.application.proto"):
        TLSClient(site.factory, version=version, protocols=["h2", "h3"]).shake_hands()
    assert told(events) == [
        "1 TLS handshake(s) failed, the last with 192.0.2.1: it offers only b'h2, h3'"
    ]


def test_old_versions_are_refused(site: Site) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    client = TLSClient(site.factory, version="", context=context)
    with capturedLogs() as events, pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        client.shake_hands()
    assert told(events) == [
        "1 TLS handshake(s) failed, the last with 192.0.2.1: UNSUPPORTED_PROTOCOL"
    ]


@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_old_ciphers_are_refused(site: Site, ciphers: str) -> None:
    client = TLSClient(site.factory, version="TLSv1_2", ciphers=ciphers)
    with capturedLogs() as events, pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        client.shake_hands()
    assert "NO_SHARED_CIPHER" in told(events)[0]


@pytest.mark.parametrize(
    ("ciphers", "agreed"),
    [
        ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", "AES128-GCM"),
        ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305", "AES128-GCM"),
        # A client that has no AES in hardware puts this first.
        ("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", "CHACHA20"),
    ],
)
def test_the_server_picks_the_cipher(site: Site, ciphers: str, agreed: str) -> None:
    client = connected(site, version="TLSv1_2", ciphers=ciphers)
    cipher = client.tls.cipher()
    assert cipher is not None
    assert agreed in cipher[0]
    assert client.tls.compression() is None


@every_version
def test_sessions_are_resumed(site: Site, version: str) -> None:
    first = connected(site, "two.test", version).send(get("/a.txt"))
    assert not first.tls.session_reused
    again = TLSClient(
        site.factory, "two.test", version, context=first.context, session=first.tls.session
    ).shake_hands()
    assert again.tls.session_reused
    again.send(get("/a.txt"))
    assert again.bodies() == [b"a"]


@every_version
def test_after_a_renewal_sessions_begin_anew(site: Site, version: str) -> None:
    first = connected(site, "two.test", version).send(get("/a.txt"))
    site.certificates.watch()
    write_pair(Path(site.pairs[1].key).parent, "two.test", now=NOW, days=20, name="two")
    site.reactor.advance(CHECK)
    again = TLSClient(
        site.factory, "two.test", version, context=first.context, session=first.tls.session
    ).shake_hands()
    assert again.established
    assert not again.tls.session_reused
    # Who is connected notices nothing.
    for client in (first, again):
        client.received = b""
        client.send(get("/a.txt"))
        assert client.bodies() == [b"a"]
    site.certificates.stop()


def test_a_handshake_has_its_time(site: Site) -> None:
    slow = TLSClient(site.factory)
    with capturedLogs() as events:
        pass_time(site.reactor, HANDSHAKE - 1)
        assert not slow.transport.closed
        pass_time(site.reactor, 2.5)
    assert slow.transport.aborted
    assert told(events) == [
        "1 TLS handshake(s) failed, the last with 192.0.2.1: it did not come to an end in time"
    ]
    assert not site.factory.waiting
    assert not site.reactor.getDelayedCalls()


def test_octets_do_not_extend_that_time(site: Site) -> None:
    slow = TLSClient(site.factory)
    for octet in real()[:30]:
        slow.layer.dataReceived(bytes([octet]))
        pass_time(site.reactor, 0.5)
    assert slow.transport.aborted


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x15"),
        (b"\x16" + b"\xff" * 100, b""),
        (records(message()), b"\x15"),
        (records(message((16, alpn(b"http/1.1")), (0, b"\0\x09"))), b"\x15"),
        (records(message(), 1), b"\x15"),
    ],
    ids=["too short", "not TLS", "without keys", "malformed name", "many records"],
)
def test_what_openssl_does_not_understand(site: Site, data: bytes, alert: bytes) -> None:
    client = TLSClient(site.factory)
    with capturedLogs() as events:
        client.layer.dataReceived(data)
    assert client.transport.half_closed
    assert len(events) == 1
    assert client.transport.value()[:1] == alert
    client.layer.dataReceived(data)  # to no effect
    client.layer.readConnectionLost()
    assert client.transport.closed
    assert not site.factory.waiting


def test_who_waits_after_an_alert_is_cut_off(site: Site) -> None:
    client = TLSClient(site.factory)
    client.layer.dataReceived(b"\x16" * 100)
    assert not client.transport.closed
    with capturedLogs() as events:
        pass_time(site.reactor, HANDSHAKE + 1)
    assert client.transport.aborted
    assert not events


def test_failures_are_told_once_in_a_while(site: Site) -> None:
    with capturedLogs() as events:
        for _ in range(3):
            TLSClient(site.factory).layer.dataReceived(b"\x16" * 100)
        pass_time(site.reactor, SILENCE + 1)
        TLSClient(site.factory).layer.dataReceived(b"\0")
    assert [line[:26] for line in told(events)] == [
        "1 TLS handshake(s) failed,",
        "3 TLS handshake(s) failed,",
    ]


def test_who_only_connects_and_leaves_is_not_worth_a_line(site: Site) -> None:
    with capturedLogs() as events:
        client = TLSClient(site.factory)
        client.layer.readConnectionLost()
    assert client.transport.closed
    assert not events


def test_when_the_factory_wants_nobody(site: Site) -> None:
    class Full(Factory):
        def buildProtocol(self, addr: object) -> None:
            return None

    site.factory.factory = Full()
    client = TLSClient(site.factory).shake_hands()
    assert client.transport.aborted
    assert not site.factory.waiting


# Without TLS.


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "get"])
def test_http_on_this_port_is_told_so(site: Site, method: str) -> None:
    client = TLSClient(site.factory)
    client.layer.dataReceived(get("/a.txt", method=method))
    (answer,) = read_answers(client.transport.value(), [0] if method == "HEAD" else [])
    assert answer.status == 400
    assert answer["Connection"] == "close"
    assert answer["Date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    assert (b"https://" in answer.body) == (method != "HEAD")
    assert client.transport.half_closed
    client.layer.dataReceived(b"x" * 100_000)
    client.layer.readConnectionLost()
    assert client.transport.closed
    assert not site.server.connections


@pytest.mark.parametrize("data", [b"\0", b"\x80\x2e\x01\x03\x01", b"\r\n\r\n\0\r\nQUIT\n", b"\xff"])
def test_other_things_are_hung_up_on(site: Site, data: bytes) -> None:
    client = TLSClient(site.factory)
    with capturedLogs() as events:
        client.layer.dataReceived(data)
    assert client.transport.value() == b""
    assert client.transport.half_closed
    assert told(events)[0].endswith("what came is neither TLS nor HTTP")


# Ends.


@every_version
def test_the_server_closes_with_a_word(site: Site, version: str) -> None:
    client = connected(site, version=version).send(get("/a.txt", "Connection: close"))
    assert client.ended
    assert client.transport.closed
    assert client.bodies() == [b"a"]


@every_version
def test_after_a_refusal_what_still_comes_is_dropped(site: Site, version: str) -> None:
    """So that no reset takes the answer from a client that is still sending."""
    client = connected(site, version=version)
    request = get("/a.txt", "Content-Length: 1000000", method="POST")
    client.send(request, *[bytes(16_000)] * 5)
    assert client.ended
    assert client.transport.half_closed
    assert not client.transport.closed
    with suppress(ssl.SSLError):
        client.send(bytes(1000))
    client.layer.dataReceived(bytes(10_000))
    assert not client.transport.closed
    assert [answer.status for answer in read_answers(client.received)] == [405]
    client.layer.readConnectionLost()
    assert client.transport.closed


def test_but_not_without_end(site: Site) -> None:
    client = connected(site).send(b"\0 not a request\r\n\r\n")
    assert client.transport.half_closed
    for _ in range(110):
        client.layer.dataReceived(bytes(10_000))
    assert client.transport.aborted


def test_a_client_that_ends_its_side_gets_what_it_asked_for(site: Site) -> None:
    """RFC 8446 section 6.1."""
    client = connected(site, room=20_000)
    client.send(get("/big.bin"), get("/a.txt"))
    client.end()
    assert not client.transport.closed
    while not client.transport.closed:
        client.transport.client_reads(50_000)
    client.exchange()
    assert client.bodies() == [BIG, b"a"]


def test_before_tls_13_it_was_the_end_of_both(site: Site) -> None:
    """RFC 5246 section 7.2.1."""
    client = connected(site, version="TLSv1_2", room=20_000)
    client.send(get("/big.bin"), get("/a.txt"))
    client.end()
    while not client.transport.closed:
        client.transport.client_reads(50_000)
    client.exchange()
    assert len(client.received) < len(BIG)
    assert not site.server.connections


@every_version
def test_an_idle_client_says_that_it_leaves(site: Site, version: str) -> None:
    client = connected(site, version=version).send(get("/a.txt")).end()
    assert client.transport.closed
    assert not site.server.connections


@every_version
def test_a_client_may_end_its_side_without_a_word(site: Site, version: str) -> None:
    client = connected(site, version=version).send(get("/a.txt"))
    client.layer.readConnectionLost()
    assert client.transport.closed


@every_version
def test_a_client_that_vanishes(site: Site, version: str) -> None:
    client = connected(site, version=version, room=20_000).send(get("/big.bin"))
    client.transport._end(ConnectionError())
    assert not site.server.connections
    assert client.layer.getHandle() is None
    client.layer.write(b"to nobody")
    client.layer.writeSequence([b"to", b"nobody"])
    client.layer.loseConnection()


@every_version
def test_what_was_tampered_with_ends_the_connection(site: Site, version: str) -> None:
    client = connected(site, version=version)
    client.tls.write(get("/a.txt"))
    octets = bytearray(client.outgoing.read())
    octets[-1] ^= 1
    client.layer.dataReceived(bytes(octets))
    assert client.transport.closed
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        client.exchange()
    assert not site.server.connections
    assert not site.log.lines


def test_nothing_gets_in_behind_what_was_tampered_with(site: Site) -> None:
    """Over a transport that has more to send, and so is not gone at once."""
    client = connected(site, room=20_000)
    client.send(get("/big.bin"))
    client.layer.dataReceived(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert not client.transport.closed
    client.layer.dataReceived(get("/a.txt"))
    while not client.transport.closed:
        client.transport.client_reads(50_000)
    assert len(site.log.lines) == 1  # about the large one
    assert not site.server.connections


def test_refusing_to_renegotiate_has_an_end(site: Site) -> None:
    """OpenSSL answers each try with a warning; a client may try on, and not read."""
    client = connected(site, version="TLSv1_2")

    class Talkative:
        """In the place of what OpenSSL sends."""

        pending = 100

        def read(self) -> bytes:
            return b"\x15" * self.pending

    client.layer._outgoing = Talkative()
    for _ in range(UNASKED // 100):
        client.tls.write(b"\r")
        client.layer.dataReceived(client.outgoing.read())
        client.layer._above._buffer.clear()
        assert not client.transport.aborted
    client.tls.write(b"\r")
    client.layer.dataReceived(client.outgoing.read())
    assert client.transport.aborted


# What a transport owes to what is above it.


def test_a_client_that_does_not_keep_up(site: Site) -> None:
    client = connected(site, room=20_000).send(get("/big.bin"))
    assert len(client.transport.unread) < 400_000
    pass_time(site.reactor, 200)
    assert client.transport.aborted


def test_what_the_layer_is(site: Site) -> None:
    layer = connected(site).layer
    for interface in (IHalfCloseableProtocol, IConsumer, IPushProducer):
        assert verifyObject(interface, layer)
    assert layer.getPeer() == CLIENT
    assert layer.getHost().type == "TCP"
    assert can_half_close(layer)
    assert layer.octets_sent == 0
    assert layer.logPrefix() == "tinyhttp"


class Echo(Protocol):
    """A protocol that knows nothing of ends of a single side."""

    def connectionMade(self) -> None:
        self.transport: Any
        self.transport.registerProducer(self, True)
        self.transport.unregisterProducer()

    def dataReceived(self, data: bytes) -> None:
        if data == b"bye":
            self.transport.stopProducing()
        else:
            self.transport.pauseProducing()
            self.transport.writeSequence([b"<", b"", data, b">"])
            self.transport.write(b"")
            self.transport.resumeProducing()


@pytest.fixture
def echo(site: Site) -> TLSClient:
    site.factory.factory = Factory.forProtocol(Echo)
    return connected(site)


@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 300_000])
def test_any_size_is_carried(echo: TLSClient, size: int) -> None:
    data = (BIG * 2)[:size]
    pieces = [data[start : start + 16_384] for start in range(0, size, 16_384)]
    echo.send(*pieces)
    assert echo.received == b"".join(b"<" + piece + b">" for piece in pieces)


def test_a_large_piece_is_carried_too(echo: TLSClient) -> None:
    echo.layer.write(BIG)
    echo.exchange()
    assert echo.received == BIG


def test_other_protocols_close(echo: TLSClient) -> None:
    echo.send(b"bye")
    assert echo.ended
    assert echo.transport.closed


def test_other_protocols_lose_the_connection_with_the_client_s_side(echo: TLSClient) -> None:
    echo.layer.readConnectionLost()
    assert echo.transport.closed


# The factory.


def test_the_factory_behind_starts_and_stops_with_it(site: Site) -> None:
    site.factory.doStart()
    assert site.server.numPorts == 1
    waiting = TLSClient(site.factory)
    site.factory.doStop()
    assert site.server.numPorts == 0
    assert waiting.transport.aborted
    assert not site.factory.waiting
    assert not site.reactor.getDelayedCalls()


def test_connections_end_with_the_server(site: Site) -> None:
    idle = connected(site).send(get("/a.txt"))
    stopped = site.server.stop()
    assert stopped.called
    idle.exchange()
    assert idle.ended
    assert idle.transport.closed


def test_a_proxy_header_comes_before_tls(site: Site) -> None:
    header = b"PROXY TCP4 198.51.100.7 192.0.2.9 4711 443\r\n"
    assert read_proxy_header(header) is not None
    keeper = GateKeeper(site.factory, Networks(["192.0.2.0/24"]), site.server.deadlines)
    keeper.doStart()
    client = TLSClient(keeper)
    client.layer.dataReceived(header + real("two.test"))
    assert client.transport.value()[:1] == b"\x16"
    other = TLSClient(keeper)
    other.layer.dataReceived(header)
    other.layer = other.transport.protocol
    assert isinstance(other.layer, Layer)
    other.shake_hands().send(get("/a.txt"))
    assert other.bodies() == [b"a"]
    assert site.log.lines == [(b"198.51.100.7", 200)]
    keeper.doStop()


# Over real sockets.


@pytest.fixture
def over_sockets(tmp_path: Path) -> tuple[Site, SocketReactor]:
    reactor = SocketReactor()
    return Site(tmp_path, reactor), reactor


@pytest.mark.parametrize("own", [True, False], ids=["own transport", "Twisted's"])
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_over_sockets(over_sockets: tuple[Site, SocketReactor], own: bool, proxied: bool) -> None:
    site, reactor = over_sockets
    factory: Any = site.factory
    if proxied:
        factory = GateKeeper(factory, Networks(["127.0.0.1"]), site.server.deadlines)
    port = tcp.Port(0, factory, interface="127.0.0.1", reactor=reactor)
    port.startListening()
    room = Poller(reactor)
    acceptor = take_over(port, factory, room, reactor) if own else None
    assert (acceptor is not None) == own
    with socket.create_connection(port.socket.getsockname(), PATIENCE) as sock:
        if proxied:
            sock.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.9 4711 443\r\n")
        client = Half("two.test")
        peer = Peer(sock)

        def pump() -> bool:
            moved = peer.read()
            data, peer.received = bytes(peer.received), bytearray()
            client.take(data)
            if octets := client.outgoing.read():
                peer.send(octets)
            return moved or bool(octets)

        until(lambda: client.established, reactor.poll, pump)
        for _ in range(2):
            client.tls.write(get("/a.txt") + get("/big.bin"))
        client.tls.write(get("/a.txt", "Connection: close"))
        until(lambda: client.ended and peer.end, reactor.poll, pump)
    bodies = [answer.body for answer in read_answers(client.received)]
    assert bodies == [b"a", BIG, b"a", BIG, b"a"]
    assert {c for c, _ in site.log.lines} == {b"198.51.100.7" if proxied else b"127.0.0.1"}
    if acceptor is not None:
        acceptor.stop()
    port.stopListening()
    reactor.advance(0)
    until(lambda: not site.server.connections, reactor.poll)
