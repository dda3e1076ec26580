"""A connection: requests in, responses out, strictly in that order.

Floor: server. RFC 9112 section 9. What to answer is decided in `core`; here it is decided when:
how long to wait for a request, when to stop reading, when the next request gets its turn, and how
the connection ends so that the client can still read the last response.

A connection is always in one phase, and one request at a time is under way. It is the producer of
its transport for all its life, so that it knows when the client does not keep up: it then takes
no further request, and stops reading once enough of them wait.
"""

from math import inf
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.answer import answer, check_method
from ..core.body import Body, body_of
from ..core.path import SitePath, resolve
from ..core.request import Request, find_head_end, parse
from ..core.resource import Missing, Resource
from ..core.response import Refused, Response, render_head
from .access_log import combined
from .transfer import Gone, Transfer
from .transport import can_half_close, octets_acknowledged, send_at_once

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Connection"]

BUFFER: Final = 64 * 1024
"""Octets of further requests that may wait while one is answered; then reading stops."""
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

    def __init__(self, server: "Server"):
        self.deadline = inf
        self.bucket = -1
        self._server = server
        self._phase: int = _HEAD
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer known not to hold the end of a head
        self._skipped_line = False
        self._advancing = False
        self._full = False  # the transport has more to send than it likes
        self._reading = True
        self._client_done = False  # it has shut down its side
        self._request: Request | None = None
        self._body: Body | None = None
        self._response: Response | None = None
        self._persistent = True
        self._orderly = True  # nothing unread is left, so a plain close loses nothing
        self._look_up: Deferred[Resource] | None = None
        self._transfer: Transfer | None = None
        self._acknowledged: int | None = None
        self._lingered = 0

    # What the transport tells.

    def connectionMade(self) -> None:
        """Start waiting for the first request."""
        self.transport.registerProducer(self, True)
        send_at_once(self.transport)
        self._server.opened(self)
        self._wait(self._server.timeouts.head)

    def dataReceived(self, data: bytes) -> None:
        """Take ``data`` and answer as many requests as are complete."""
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
            self._wait(self._server.timeouts.linger)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave nothing behind."""
        self._phase = _LINGERING
        self._server.closed(self)
        if self._look_up is not None:
            self._look_up.cancel()
        if self._transfer is not None:
            self._transfer.stop()
        self._buffer.clear()

    def pauseProducing(self) -> None:
        """The client does not keep up: write no more, and see that it takes anything at all."""
        self._full = True
        if self._transfer is not None:
            self._transfer.pause()
        self._watch_progress()

    def resumeProducing(self) -> None:
        """There is room again."""
        self._full = False
        self._server.deadlines.clear(self)
        if self._transfer is not None:
            self._transfer.resume()
        elif self._phase == _HEAD:
            self._wait_for_request()
        self._advance()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    # What time tells.

    def time_is_up(self) -> None:
        """Act on the one deadline that is set: for a request, for progress, or for the end."""
        if self._full or self._phase == _CLOSING:
            self._give_up_unless_moving()
        elif self._phase == _LINGERING:
            self._lose()
        elif self._phase == _BODY or self._buffer:
            self._refuse(Refused(408, "The request took too long to arrive."))
        else:
            self._lose()

    def drain(self) -> None:
        """Finish the request under way, if there is one, and close."""
        self._persistent = False
        if self._phase == _HEAD and not self._buffer and not self._full:
            self._lose()

    # Reading.

    def _advance(self) -> None:
        """Go as far as what has arrived allows. Calls from within come back here, not deeper."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._step():
                pass
        except Refused as refused:
            self._refuse(refused)
        except Exception:
            _log.failure("an error of the server's own; the connection is closed")
            self._refuse(Refused(500, ""))
        finally:
            self._advancing = False
        self._read_on_or_stop()

    def _step(self) -> bool:
        """Return whether there may be another step."""
        if self._full:
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
        limits = self._server.limits
        end = find_head_end(buffer, self._scanned, limits)
        if end < 0:
            self._wait_for_rest_of_head()
            return False
        request = parse(bytes(buffer[:end]), limits)
        del buffer[:end]
        self._scanned = 0
        self._skipped_line = False
        self._request = request
        self._persistent = self._persistent and request.persistent
        if request.body_length == 0:
            self._handle(request)
        else:
            self._start_body(request)
        return True

    def _wait_for_rest_of_head(self) -> None:
        if self._client_done:
            self._lose()
        elif self._buffer and not self._scanned:
            self._wait(self._server.timeouts.head)
        self._scanned = len(self._buffer)

    def _start_body(self, request: Request) -> None:
        self._body = body_of(request)
        if request.expects_continue:
            # RFC 9110 section 10.1.1. The final status at once spares the client its upload;
            # whether the body comes all the same can't be known, so nothing may follow it.
            self._handle_without_body(request)
        elif self._body.received > self._server.limits.body:
            self._handle_without_body(request)
        else:
            self._phase = _BODY
            self._wait(self._server.timeouts.head)

    def _read_body(self) -> bool:
        assert self._body is not None
        assert self._request is not None
        if self._body.drop(self._buffer):
            self._handle(self._request)
        elif self._body.received > self._server.limits.body:
            self._handle_without_body(self._request)
        elif self._client_done:
            self._lose()
        else:
            return False
        return True

    def _read_on_or_stop(self) -> None:
        """Keep reading unless more than enough waits, or nothing more can come."""
        reading = len(self._buffer) <= BUFFER
        if reading == self._reading or self._phase >= _CLOSING:
            return
        self._reading = reading
        if reading:
            self.transport.resumeProducing()
        else:
            self.transport.pauseProducing()

    # Answering.

    def _handle_without_body(self, request: Request) -> None:
        self._persistent = self._orderly = False
        self._handle(request)

    def _handle(self, request: Request) -> None:
        self._phase = _RESPONDING
        self._server.deadlines.clear(self)
        try:
            response = check_method(request)
            if response is None:
                path = resolve(request.path)
                resource = Missing() if path is None else self._server.site.recall(path)
                if resource is None:
                    assert path is not None
                    self._wait_for_disk(path)
                    return
                response = answer(request, resource, self._server.now())
        except Refused as refused:
            response = refused.response()
        self._respond(response)

    def _wait_for_disk(self, path: SitePath) -> None:
        self._look_up = self._server.look_up(path)
        _ = self._look_up.addCallbacks(self._found, self._not_found).addErrback(self._broken)

    def _found(self, resource: Resource) -> None:
        assert self._request is not None
        self._look_up = None
        self._respond(answer(self._request, resource, self._server.now()))

    def _not_found(self, failure: Failure) -> None:
        self._look_up = None
        if failure.check(CancelledError):
            return
        refused = failure.value
        if isinstance(refused, Refused):
            self._respond(refused.response())
        else:
            self._broken(failure)

    def _broken(self, failure: Failure) -> None:
        self._look_up = None
        _log.failure("an error of the server's own; the connection is closed", failure)
        self._refuse(Refused(500, ""))

    def _refuse(self, refused: Refused) -> None:
        """Answer what can't be followed by another request, and close."""
        if self._phase >= _CLOSING or self._response is not None:
            # It is too late for another answer.
            self._lose()
            return
        if self._phase == _HEAD:
            self._request = None
        self._phase = _RESPONDING
        self._persistent = self._orderly = False
        self._respond(refused.response())

    def _respond(self, response: Response) -> None:
        self._response = response
        if self._server.draining:
            self._persistent = False
        head = render_head(response, self._server.date(), self._connection_field())
        body = response.body
        if self._is_head():
            body = b""
        if isinstance(body, bytes):
            self.transport.write(head + body)
            self._responded(len(body))
            return
        self.transport.write(head)
        self._transfer = Transfer(body, self.transport.write, self._server.disk)
        if self._full:
            self._transfer.pause()
        _ = (
            self._transfer.start()
            .addCallbacks(self._transferred, self._transfer_failed)
            .addErrback(self._broken)
        )

    def _is_head(self) -> bool:
        if self._request is not None:
            return self._request.method == b"HEAD"
        return self._buffer.startswith(b"HEAD ")

    def _connection_field(self) -> bytes:
        if not self._persistent:
            return b"close"
        return b"keep-alive" if self._request is not None and self._request.old else b""

    def _transferred(self, result: None) -> None:
        transfer, self._transfer = self._transfer, None
        assert transfer is not None
        self._responded(transfer.sent)
        self._advance()

    def _transfer_failed(self, failure: Failure) -> None:
        """The announced length can't be kept, so the connection has to end (RFC 9112 section 8)."""
        transfer, self._transfer = self._transfer, None
        assert transfer is not None
        if not failure.check(Gone):
            _log.error("a response was cut short: {error!r}", error=failure.value)
        self._write_log(transfer.sent)
        self._response = None
        self._lose()

    def _responded(self, octets: int) -> None:
        """Go on to the next request, or to the end."""
        self._write_log(octets)
        self._request = self._body = self._response = None
        if not self._persistent:
            self._close()
            return
        self._phase = _HEAD
        if not self._full:
            self._wait_for_request()
        if not self._advancing:
            self._advance()

    def _write_log(self, octets: int) -> None:
        log = self._server.access_log
        if log is None or self._response is None:
            return
        request = self._request
        fields = request.fields if request is not None else {}
        line = request.line if request is not None else self._buffer.split(b"\r\n", 1)[0]
        log.add(
            combined(
                self._client(),
                self._server.now(),
                bytes(line),
                self._response.status,
                octets,
                fields.get(b"referer"),
                fields.get(b"user-agent"),
            )
        )

    def _client(self) -> bytes:
        host = getattr(self.transport.getPeer(), "host", "unix:")
        return str(host).removeprefix("::ffff:").encode("ascii", "replace")

    # Waiting and ending.

    def _wait(self, seconds: float) -> None:
        self._server.deadlines.set(self, seconds)

    def _wait_for_request(self) -> None:
        self._wait(self._server.timeouts.idle)

    def _watch_progress(self) -> None:
        self._acknowledged = octets_acknowledged(self.transport)
        self._wait(self._server.timeouts.stall)

    def _give_up_unless_moving(self) -> None:
        now = octets_acknowledged(self.transport)
        if now is not None and now != self._acknowledged:
            self._watch_progress()
        else:
            self.transport.abortConnection()

    def _close(self) -> None:
        """End the connection behind a response that has been written.

        If the client may still be sending, closing outright would make the kernel answer its data
        with a reset, which takes the response from it before it was read. So our side is shut
        down, and what still comes is dropped, within bounds (RFC 9112 section 9.6).
        """
        orderly = self._orderly and not self._buffer
        if orderly or self._client_done or not can_half_close(self.transport):
            self._lose()
            return
        self._phase = _CLOSING
        self._buffer.clear()
        self.transport.unregisterProducer()
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()
        self._watch_progress()
        self.transport.loseWriteConnection()

    def _lose(self) -> None:
        """Close as soon as everything written is sent."""
        if self._phase < _CLOSING:
            self.transport.unregisterProducer()
            self._phase = _CLOSING
            self._watch_progress()
            if self._transfer is not None:
                self._transfer.stop()
        self._full = False
        self._buffer.clear()
        self.transport.loseConnection()

    def _drop(self, octets: int) -> None:
        self._lingered += octets
        if self._lingered > LINGER:
            self.transport.abortConnection()
