"""A connection: requests in, responses out, strictly in that order.

Floor: server. RFC 9112 section 9. What to answer is decided elsewhere; here it is decided when:
how long to wait for a request, when to stop reading, when the next request gets its turn, and how
the connection ends so that the client can still read the last response.

A connection is always in one phase, and one exchange at a time is under way. It is the producer of
its transport for all its life, so that it knows when the client does not keep up: it then takes
no further request, and stops reading once enough of them wait.

The module is longer than others because it is one state machine: every way from phase to phase is
on this page, and none is elsewhere.
"""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.body import Body, body_of
from ..core.request import Head, Request, find_head_end, parse
from ..core.resource import Span
from ..core.response import Refused
from .any_transport import can_half_close, octets_acknowledged, send_at_once
from .exchange import Exchange
from .memo import is_closed
from .transfer import begin, rest

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Connection"]

BUFFER: Final = 64 * 1024
"""Octets of further requests that may wait while one is answered; then reading stops."""
JOINED: Final = 8 * 1024
"""Octets of a body up to which it is cheaper to copy it behind its head than to hand over two."""
GATHERED: Final = 32
"""Responses to pipelined requests that are written together."""
LINGER: Final = 1024 * 1024
"""Octets that a client may still send after its last response; then it is cut off."""

# The phases. Plain integers, as they are compared for every request.
_HEAD: Final = 0  # waiting for a head, or for the rest of one
_BODY: Final = 1  # dropping the body of the request
_RESPONDING: Final = 2  # a response is being looked up or sent
_CLOSING: Final = 3  # everything is written, but not yet sent
_LINGERING: Final = 4  # everything is sent; waiting for the client to close

_log = Logger()


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Protocol):
    """One client's connection to ``server``."""

    transport: Any  # ITCPTransport, IConsumer and IPushProducer in one
    exchange_type: type[Exchange] = Exchange
    """What answers a request; `tinyhttp.testing` has one that can be told to misbehave."""

    def __init__(self, server: "Server"):
        self.server = server
        self.deadline = inf
        self.bucket = -1
        self.persistent = True
        """Whether another request may follow."""
        self.is_full = False
        """Whether the transport has more to send than it likes."""
        self._phase: int = _HEAD
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer known not to hold the end of a head
        self._skipped_line = False
        self._unsent: list[bytes] | None = None  # what `_advance` has gathered; None outside it
        self._idle = False  # waiting for the first octet of a request that is not the first
        self._reading = True
        self._client = b""
        self._client_done = False  # it has shut down its side
        self._orderly = True  # nothing unread is left, so a plain close loses nothing
        self._head: Head | None = None
        self._request: Request | None = None  # the one under way
        self._body: Body | None = None
        self._exchange: Exchange | None = None
        self._taken: int | None = None  # of what was sent, when it was looked at last
        self._lingered = 0

    # What the transport tells.

    def connectionMade(self) -> None:
        """Start waiting for the first request."""
        self.transport.registerProducer(self, True)
        send_at_once(self.transport)
        self.server.opened(self)
        self._wait(self.server.timeouts.head)

    def dataReceived(self, data: bytes) -> None:
        """Take ``data`` and answer as many requests as are complete."""
        if self._phase == _HEAD and not self._buffer and not self.is_full:
            head = self.server.heads.read_whole(data)
            if head is not None and self._repeat(head):
                return
        if self._phase >= _CLOSING:
            self._drop(len(data))
            return
        self._buffer += data
        self._advance()

    def readConnectionLost(self) -> None:
        """Remember that the client sends no more; what it asked for it still gets."""
        self._client_done = True
        if self._phase == _LINGERING:
            self._lose()
        else:
            self._advance()

    def writeConnectionLost(self) -> None:
        """The last response is sent and our side shut down: wait for the client to close."""
        if self._client_done:
            self._lose()
        else:
            self._phase = _LINGERING
            self._wait(self.server.timeouts.linger)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind."""
        self._phase = _LINGERING
        self.server.closed(self)
        if self._exchange is not None:
            self._exchange.stop()
        self._buffer.clear()

    def pauseProducing(self) -> None:
        """The client does not keep up: write no more, and see that it takes anything at all."""
        self.is_full = True
        if self._exchange is not None:
            self._exchange.pause()
        self.watch_progress()

    def resumeProducing(self) -> None:
        """There is room again."""
        self.is_full = False
        if self._phase == _HEAD:
            self._wait_for_request()
        elif self._exchange is not None:
            self.watch_progress()
            self._exchange.resume()
        self._advance()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    # What time tells.

    def time_is_up(self) -> None:
        """Act on the one deadline that is set: for a request, for progress, or for the end."""
        if self.is_full or self._phase in (_RESPONDING, _CLOSING):
            self._give_up_unless_moving()
        elif self._phase == _LINGERING:
            self._lose()
        elif self._phase == _BODY or self._buffer:
            self.refuse(Refused(408, "The request took too long to arrive."))
        else:
            self._lose()

    def drain(self) -> None:
        """Finish the request under way, if there is one, and close."""
        self.persistent = False
        if self._phase == _HEAD and not self._buffer and not self.is_full:
            self._lose()

    # Reading.

    def _repeat(self, head: Head) -> bool:
        """Answer a request from memory if that is possible; return whether."""
        server = self.server
        answer = server.memo.get(head.decisive)
        if answer is None or not self.persistent or server.draining:
            return False
        now = server.now()
        if now < answer.made or not server.site.is_fresh(answer.path, answer.found, now):
            return False
        body = answer.body
        if not isinstance(body, bytes) and is_closed(body):
            return False
        self._skipped_line = False
        self.persistent = answer.persistent
        octets = answer.before_date + server.date(now) + answer.after_date
        if isinstance(body, bytes):
            self.send(octets, body)
            sent = len(body)
        else:
            self.flush()
            sent = begin(self.transport, octets, body)
            if pieces := rest(body, sent):
                self._go_on(head, answer.status, pieces, sent)
                return True
        if server.access_log is not None:
            server.access_log.answered(
                self.client(), head.decisive[0], answer.status, sent, head.noted
            )
        if not answer.persistent:
            self._close()
        elif not self.is_full:
            self._wait_for_request()
        return True

    def _go_on(self, head: Head, status: int, pieces: Sequence[bytes | Span], sent: int) -> None:
        """Send the ``pieces`` that are left of an answer behind what was ``sent`` at once."""
        self._phase = _RESPONDING
        self._head = head
        self._exchange = self.exchange_type(self, head.decisive[0], is_head=False, head=head)
        self._exchange.go_on(status, pieces, sent)

    def _advance(self) -> None:
        """Go as far as what has arrived allows. Calls from within come back here, not deeper."""
        if self._unsent is not None:
            return
        self._unsent = []
        try:
            while self._step():
                pass
        except Refused as refused:
            self.refuse(refused)
        except Exception:
            _log.failure("an error of the server's own; the connection is closed")
            self.refuse(Refused(500, ""))
        finally:
            self.flush()
            self._unsent = None
        self._read_on_or_stop()

    def _step(self) -> bool:
        """Return whether there may be another step."""
        if self.is_full:
            return False
        if self._phase == _HEAD:
            return self._read_head()
        if self._phase == _BODY:
            return self._read_body()
        return False

    def _read_head(self) -> bool:
        buffer = self._buffer
        if not self._skipped_line and buffer.startswith(b"\r"):
            # RFC 9112 section 2.2: one empty line before a request is forgiven.
            if len(buffer) == 1 and not self._client_done:
                return False
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
                self._skipped_line = True
        end = find_head_end(buffer, self._scanned, self.server.limits)
        if end < 0:
            self._wait_for_rest_of_head()
            return False
        head = self.server.heads.read(bytes(buffer[:end]))
        del buffer[:end]
        self._scanned = 0
        self._skipped_line = False
        if self._repeat(head):
            return True
        self._head = head
        request = parse(head)
        self.persistent = self.persistent and request.persistent
        if request.body_length == 0:
            self._handle(request)
        else:
            self._start_body(request)
        return True

    def _wait_for_rest_of_head(self) -> None:
        if self._client_done:
            self._lose()
        elif self._buffer and self._idle:
            self._idle = False
            self._wait(self.server.timeouts.head)
        self._scanned = len(self._buffer)

    def _start_body(self, request: Request) -> None:
        self._request = request
        self._body = body_of(request)
        if request.expects_continue or self._body.received > self.server.limits.body:
            # RFC 9110 section 10.1.1: the final status at once spares the client its upload.
            # Whether the body comes all the same can't be known, so nothing may follow it.
            self._handle_without_body(request)
        else:
            self._phase = _BODY
            self._wait(self.server.timeouts.head)

    def _read_body(self) -> bool:
        assert self._body is not None
        assert self._request is not None
        ended = self._body.drop(self._buffer)
        if self._body.received > self.server.limits.body:
            self._handle_without_body(self._request)
        elif ended:
            self._handle(self._request)
        elif self._client_done:
            self._lose()
        else:
            return False
        return True

    def _read_on_or_stop(self) -> None:
        """Keep reading unless more than enough waits for its turn."""
        waiting = self.is_full or self._phase == _RESPONDING
        reading = not waiting or len(self._buffer) <= BUFFER
        if reading == self._reading or self._phase >= _CLOSING:
            return
        self._reading = reading
        if reading:
            self.transport.resumeProducing()
        else:
            self.transport.pauseProducing()

    # Answering.

    def _handle_without_body(self, request: Request) -> None:
        self.persistent = self._orderly = False
        self._handle(request)

    def _handle(self, request: Request) -> None:
        self._phase = _RESPONDING
        self._request = request
        self.server.deadlines.clear(self)
        self._exchange = self.exchange_type(
            self,
            request.line,
            is_head=request.method == b"HEAD",
            head=self._head,
            request=request,
        )
        self._exchange.answer(request)

    def refuse(self, refused: Refused) -> None:
        """Answer what can't be followed by another request, and close."""
        if self._phase >= _CLOSING or (self._exchange is not None and self._exchange.has_begun):
            self._lose()  # it is too late for another answer
            return
        if self._head is not None:
            line = self._head.decisive[0]
        else:
            line = bytes(self._buffer.split(b"\r\n", 1)[0])
        self._phase = _RESPONDING
        self.persistent = self._orderly = False
        self._exchange = self.exchange_type(
            self, line, is_head=line.startswith(b"HEAD "), head=self._head
        )
        self._exchange.respond(refused.response())

    def send(self, head: bytes, body: bytes) -> None:
        """Write a response that is in memory; small ones to pipelined requests together."""
        if len(body) > JOINED:
            self.flush()
            self.transport.writeSequence((head, body))
        elif self._unsent is None:
            self.transport.write(head + body)
        else:
            self._unsent.append(head + body)
            if not self._buffer or len(self._unsent) >= GATHERED:
                self.flush()

    def flush(self) -> None:
        """Write what has been gathered; called before anything else is done to the transport."""
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            self.transport.write(data)

    def connection_field(self, request: Request | None) -> bytes:
        """Return the value of Connection (RFC 9112 section 9.3) in an answer to ``request``."""
        if self.server.draining:
            self.persistent = False
        if not self.persistent:
            return b"close"
        return b"keep-alive" if request is not None and request.old else b""

    def client(self) -> bytes:
        """Return the client's address, for the log."""
        if not self._client:
            host = getattr(self.transport.getPeer(), "host", "unix:")
            self._client = str(host).removeprefix("::ffff:").encode("ascii", "replace")
        return self._client

    def responded(self) -> None:
        """A response is written: go on to the next request, or to the end."""
        self._request = self._body = self._exchange = self._head = None
        if not self.persistent:
            self._close()
            return
        self._phase = _HEAD
        if not self.is_full:
            self._wait_for_request()
        if self._buffer or self._client_done:
            self._advance()

    def cut_short(self) -> None:
        """A response can't be finished."""
        self._exchange = None
        self._lose()

    # Waiting and ending.

    def _wait(self, seconds: float) -> None:
        self.server.deadlines.set(self, seconds)

    def _wait_for_request(self) -> None:
        if self.persistent or self._buffer:
            self._idle = True
            self.server.deadlines.set(self, self.server.timeouts.idle)
        else:
            self._lose()  # told to drain while the last response was still being sent

    def watch_progress(self) -> None:
        """See to it that the client takes something of what is sent to it."""
        self._taken = octets_acknowledged(self.transport)
        self._wait(self.server.timeouts.stall)

    def _give_up_unless_moving(self) -> None:
        taken = octets_acknowledged(self.transport)
        waits_for_disk = self._exchange is not None and self._exchange.waits_for_disk
        if waits_for_disk or (taken is not None and taken != self._taken):
            self.watch_progress()
        else:
            self.transport.abortConnection()

    def _close(self) -> None:
        """End the connection behind a response that has been written.

        If the client may still be sending, closing outright would make the kernel answer its data
        with a reset, which takes the response from it before it was read. So our side is shut
        down, and what still comes is dropped, within bounds (RFC 9112 section 9.6).
        """
        self.flush()
        orderly = self._orderly and not self._buffer
        if orderly or self._client_done or not can_half_close(self.transport):
            self._lose()
            return
        self._phase = _CLOSING
        self.is_full = False
        self._buffer.clear()
        self.watch_progress()
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def _lose(self) -> None:
        """Close as soon as everything written is sent."""
        begins = self._phase < _CLOSING
        if begins:
            self._phase = _CLOSING
            if self._exchange is not None:
                self._exchange.stop()
            self.flush()
            self.transport.unregisterProducer()
        self.is_full = False
        self._buffer.clear()
        self.transport.loseConnection()
        if begins and self._phase == _CLOSING:  # there is still something to be sent
            self.watch_progress()

    def _drop(self, octets: int) -> None:
        self._lingered += octets
        if self._lingered > LINGER:
            self.transport.abortConnection()
