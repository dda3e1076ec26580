"""A layer of TLS between a transport and a connection.

Floor: server. RFC 8446 (TLS 1.3), RFC 5246 (1.2), RFC 7301 (ALPN). A `Layer` is the protocol of a
transport, ours or Twisted's, and the transport of a `Connection`. It reads the first message of the
client, picks the certificate, has Python's ``ssl`` shake hands, and only then is there a protocol
above it; until then it has a deadline of its own.

Why not Twisted's own TLS: docs/decisions/0010-tls-by-ssl.md. After the handshake a request costs
four calls of ``ssl`` here, none of which raises anything.
"""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from typing import Any

from twisted.internet.interfaces import IAddress, IConsumer, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.client_hello import NotTLS, read_client_hello
from ..core.fields import format_http_date
from ..core.response import Refused, render_head
from .any_transport import can_half_close, send_at_once
from .certificates import Certificates
from .deadlines import Deadlines
from .key_pair import PROTOCOLS
from .seldom import Seldom

__all__ = ["HANDSHAKE", "RECORD", "Layer", "TLSFactory"]

HANDSHAKE = 10.0
"""Seconds that a handshake may take, from the first octet of the connection."""
RECORD = 16 * 1024
"""Octets of a record at most (RFC 8446 section 5.1): what is read or written by one call."""
FLUSHED = 32 * 1024
"""Octets encrypted before they are handed on. OpenSSL keeps a buffer of that size for good."""
UNASKED = 16 * 1024
"""Octets that OpenSSL may send of its own accord after the handshake. A client that has it refuse
to renegotiate over and over, and reads none of that, is up to no good."""

_NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"  # a fatal alert: RFC 8446 section 6
_PROTOCOLS = frozenset(name.encode() for name in PROTOCOLS)

_log = Logger()


class TLSFactory(Factory):
    """A factory that puts a `Layer` under every protocol of ``factory``."""

    noisy = False

    def __init__(
        self,
        factory: Any,
        certificates: Certificates,
        deadlines: Deadlines,
        timeout: float = HANDSHAKE,
    ):
        self.factory = factory
        self.crowd = getattr(factory, "crowd", None)
        self.certificates = certificates
        self.deadlines = deadlines
        self.timeout = timeout
        """Seconds that a handshake may take."""
        self.waiting: set[Layer] = set()
        """The layers that have nothing above them yet, or never will."""
        self.failures = Seldom(
            _log.info,
            "{count} TLS handshake(s) failed, the last with {peer}: {reason}",
            deadlines.now,
        )

    def startFactory(self) -> None:
        """Tell the factory behind, and keep the certificates fresh."""
        self.certificates.watch()
        self.factory.doStart()

    def stopFactory(self) -> None:
        """Hang up on whoever still shakes hands, and tell the factory behind."""
        self.certificates.stop()
        for layer in list(self.waiting):
            layer.abortConnection()
        self.factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:  # it provides IProtocol
        """Return a layer for a connection from ``addr``."""
        return Layer(self, addr)


@implementer(IHalfCloseableProtocol, IConsumer, IPushProducer)
class Layer:
    """TLS between ``transport`` and the protocol that ``factory`` makes after the handshake."""

    __slots__ = (
        *("_above", "_address", "_ended", "_factory", "_hello", "_incoming", "_outgoing", "_tls"),
        *("_unasked", "bucket", "deadline", "transport"),
    )

    def __init__(self, factory: TLSFactory, address: IAddress | None):
        self.deadline = inf
        self.bucket = -1
        self.transport: Any = None  # ITCPTransport
        self._factory = factory
        self._address = address
        self._hello = b""  # as much as has come of the first message
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._above: Any = None
        self._ended = False  # our side: nothing can be written any more
        self._unasked = 0

    # The handshake.

    def makeConnection(self, transport: Any) -> None:
        """Start waiting for the first message."""
        self.transport = transport
        send_at_once(transport)
        self._factory.waiting.add(self)
        self._factory.deadlines.set(self, self._factory.timeout)

    def dataReceived(self, data: bytes) -> None:
        """Take what has come, and pass on what it holds."""
        if self._ended:
            if self._above is not None and self._tls is not None:
                # It has closed, and only counts what still comes: it gets as many octets, but not
                # these, which nobody decrypts any more. OpenSSL would take them amiss.
                self._above.dataReceived(bytes(len(data)))
        elif self._above is not None:
            self._incoming.write(data)
            self._deliver()
        elif self._tls is not None:
            self._incoming.write(data)
            self._shake_hands()
        else:
            self._hello += data
            self._begin()

    def time_is_up(self) -> None:
        """Close: the handshake takes too long, or a client that speaks no TLS is still there."""
        if not self._ended:
            self._factory.failures.tell(self._address, "it did not come to an end in time")
        self.transport.abortConnection()

    def _begin(self) -> None:
        try:
            hello = read_client_hello(self._hello)
        except NotTLS:
            self._refuse_plain_text()
            return
        if hello is None:
            return
        if hello.protocols and _PROTOCOLS.isdisjoint(hello.protocols):
            # RFC 7301 section 3.2. OpenSSL would go on, as if nothing had been offered.
            self.transport.write(_NO_APPLICATION_PROTOCOL)
            self._fail(f"it offers only {b', '.join(hello.protocols[:5])!r}")
            return
        context = self._factory.certificates.context(hello.server_name)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(self._hello)
        self._hello = b""
        self._shake_hands()

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (OSError, ValueError) as error:
            self._flush()  # an alert, which says why
            self._fail(getattr(error, "reason", None) or error)
        else:
            self._flush()
            self._open()

    def _open(self) -> None:
        self._leave()
        self._above = self._factory.factory.buildProtocol(self._address)
        if self._above is None:
            self.abortConnection()
            return
        self._above.makeConnection(self)
        self._deliver()

    def _fail(self, reason: object) -> None:
        self._factory.failures.tell(self._address, reason)
        self._close_plainly()

    def _refuse_plain_text(self) -> None:
        """Answer a request that was sent without TLS; hang up on everything else."""
        if not self._hello[:1].isalpha():
            self._fail("what came is neither TLS nor HTTP")
            return
        refused = Refused(400, "This port speaks HTTPS: the address has to begin with https://")
        response = refused.response()
        before_date, after_date = render_head(response, b"close")
        date = format_http_date(int(self._factory.certificates.now()))
        body = b"" if self._hello.startswith(b"HEAD ") else response.body
        assert isinstance(body, bytes)
        self.transport.write(before_date + date + after_date + body)
        self._fail("HTTP without TLS")

    def _close_plainly(self) -> None:
        """End a connection that has nothing above it, so that the client can read what was sent."""
        self._ended = True
        self._tls = None
        if can_half_close(self.transport):
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def _leave(self) -> None:
        self._factory.waiting.discard(self)
        self._factory.deadlines.remove(self)

    # Receiving.

    def _deliver(self) -> None:
        """Pass on what can be read of what has come.

        A record that is not full has been read to its end. If nothing has come behind it there is
        no need for another try, which would end in an exception and cost more than decrypting.
        """
        tls, incoming, above = self._tls, self._incoming, self._above
        assert tls is not None
        while not self._ended:
            try:
                data = tls.read(RECORD)
            except ssl.SSLWantReadError:
                break
            except OSError:
                self._break()
                return
            if not data:
                self._client_has_ended()
                return
            above.dataReceived(data)
            if len(data) < RECORD and not incoming.pending:
                break
        if self._outgoing.pending and not self._ended:
            self._flush_unasked()

    def _client_has_ended(self) -> None:
        """It has said (close_notify) that it sends no more.

        In TLS 1.3 that is its own side alone (RFC 8446 section 6.1); before, it was to be answered
        at once, and what was still to be sent is dropped (RFC 5246 section 7.2.1).
        """
        assert self._tls is not None
        if self._tls.version() == "TLSv1.3":
            self.readConnectionLost()
        else:
            self._end_side()
            self._break()

    def _break(self) -> None:
        """Close at once, with the alert that OpenSSL may have left: nothing can follow."""
        self._flush()
        self._ended = True
        self._tls = None
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _flush_unasked(self) -> None:
        self._unasked += self._outgoing.pending
        if self._unasked > UNASKED:
            self.abortConnection()
        else:
            self._flush()

    def readConnectionLost(self) -> None:
        """The client has shut down its side; requests say themselves whether they are complete."""
        above = self._above
        if above is None:
            self.transport.loseConnection()
        elif (protocol := IHalfCloseableProtocol(above, None)) is not None:
            protocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our side is shut down, and all is sent."""
        if self._above is not None:
            self._above.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind, and tell the protocol above."""
        self._leave()
        self._ended = True
        above, self._above = self._above, None
        if above is not None:
            above.connectionLost(reason)
        self._tls = None

    def pauseProducing(self) -> None:
        """Stop reading."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """See `loseConnection`."""
        self.loseConnection()

    # Sending.

    def write(self, data: bytes) -> None:
        """Encrypt and send ``data``."""
        if not self._ended and data:
            self._encrypt(data)
            self._flush()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Encrypt and send the pieces of ``iovec`` together."""
        if not self._ended:
            for piece in iovec:
                if piece:
                    self._encrypt(piece)
            self._flush()

    def _encrypt(self, data: bytes) -> None:
        tls = self._tls
        assert tls is not None
        try:
            if len(data) <= FLUSHED:
                tls.write(data)
                return
            rest = memoryview(data)
            while rest:
                self._flush()
                rest = rest[tls.write(rest[:FLUSHED]) :]
        except OSError:
            self._break()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have ``producer`` paused while the transport has more to send than it likes."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    # The end.

    def _end_side(self) -> None:
        """Say that we send no more (close_notify)."""
        if not self._ended and self._tls is not None:
            self._ended = True
            with suppress(OSError):  # it does not wait for the client to say the same
                self._tls.unwrap()
            self._flush()

    def loseConnection(self) -> None:
        """Close as soon as everything is sent and there is no producer."""
        self._end_side()
        self.transport.loseConnection()

    @property
    def can_half_close(self) -> bool:
        """Whether our side can be ended alone: see `any_transport.can_half_close`."""
        return can_half_close(self.transport)

    def loseWriteConnection(self) -> None:
        """Shut down our side as soon as everything is sent and there is no producer."""
        self._end_side()
        self.transport.loseWriteConnection()

    def abortConnection(self) -> None:
        """Close with a reset, dropping what is not sent."""
        self._ended = True
        self.transport.abortConnection()

    # Facts.

    def getHandle(self) -> ssl.SSLObject | None:
        """Return what knows version, cipher and protocol; ``None`` before the handshake."""
        return self._tls

    def getPeer(self) -> Any:
        """Return the client's address."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Return our own address."""
        return self.transport.getHost()

    @property
    def octets_sent(self) -> int:
        """What has gone to the socket, where that is counted."""
        return int(getattr(self.transport, "octets_sent", 0))

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "tinyhttp"
