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
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.request import Head, Request, parse
from ..core.resource import Span
from ..core.response import Refused
from .allowance import Allowance
from .any_transport import can_half_close, send_at_once
from .arrivals import Arrivals
from .exchange import Exchange
from .incoming import Incoming
from .memo import Remembered
from .progress import Progress
from .quotas import SLOW_REQUEST, SLOW_RESPONSE
from .repetition import repeat

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
class Connection(Incoming):
    """One client's connection to ``server``."""

    exchange_type: type[Exchange] = Exchange
    """What answers a request; `tinyhttp.testing` has one that can be told to misbehave."""

    def __init__(self, server: "Server"):
        super().__init__(server)
        self.deadline = inf
        self.bucket = -1
        self.persistent = True
        """Whether another request may follow."""
        self.is_full = False
        """Whether the transport has more to send than it likes."""
        self.allowance: Allowance | None = None
        """What it may have, if there is a limit to it; set by the server."""
        self.memo = server.memo
        """Where answers to it are remembered."""
        self._phase: int = _HEAD
        self._arrivals = Arrivals(server.heads, server.limits)
        self._buffer = self._arrivals.buffer
        self._take_head = self._arrivals.take_head
        self._unsent: list[bytes] | None = None  # what `_advance` has gathered; None outside it
        self._idle = False  # waiting for the first octet of a request that is not the first
        self._reading = True
        self._client_done = False  # it has shut down its side
        self._orderly = True  # nothing unread is left, so a plain close loses nothing
        self._head: Head | None = None
        self._request: Request | None = None  # the one under way
        self._exchange: Exchange | None = None
        self._progress: Progress | None = None  # of a client that takes its time
        self._lingered = 0

    # What the transport tells.

    def connectionMade(self) -> None:
        """Start waiting for the first request."""
        self.transport.registerProducer(self, True)
        send_at_once(self.transport)
        self.memo = self.server.memo_for(self)
        self._wait(self.server.timeouts.head)
        self.server.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Take ``data`` and answer as many requests as are complete."""
        server = self.server
        if server.tracing is not None:
            self.arrived = server.tracing.now()
        if self._phase == _HEAD and not self._buffer and not self.is_full:
            head = server.heads.read_whole(data)
            if head is not None and repeat(self, head):
                self._arrivals.skipped_line = False
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
            self.wait_for_request()
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
            self.server.refusals.count(SLOW_REQUEST)
            self.refuse(Refused(408, "The request took too long to arrive."))
        else:
            self._lose()

    def drain(self, patience: float = 0, welcome: float = 0) -> None:
        """Finish the request under way, if there is one, and close.

        If it waits for another request, that may come within ``patience`` seconds, and the first
        one within ``welcome``: whoever has only just been accepted may have sent it by now.
        """
        self.persistent = False
        if self.is_idle:
            if seconds := patience if self._idle else max(patience, welcome):
                self._wait(seconds)
            else:
                self._lose()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, neither a request nor a response."""
        return self._phase == _HEAD and not self._buffer and not self.is_full

    def waits_since(self) -> tuple[float, bool] | None:
        """See `tinyhttp.server.crowd.Member`."""
        if not self.is_idle:
            return None
        timeouts = self.server.timeouts
        return self.deadline - (timeouts.idle if self._idle else timeouts.head), not self._idle

    # Reading.

    def go_on(
        self, head: Head, answer: Remembered, pieces: Sequence[bytes | Span], sent: int
    ) -> None:
        """Send the ``pieces`` that are left of ``answer`` behind what was ``sent`` at once."""
        self._phase = _RESPONDING
        self._head = head
        self._exchange = self.exchange_type(self, head.decisive[0], is_head=False, head=head)
        self._exchange.go_on(answer.status, answer.after_date, pieces, sent)

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
        head = self._take_head(self._client_done)
        if head is None:
            self._wait_for_rest_of_head()
            return False
        if repeat(self, head):
            return True
        self._head = head
        self.begin_trace(head)
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
        elif self._arrivals.has_begun:
            begins = self._idle or self._arrivals.is_new
            if self._idle:
                self._idle = False
                self._wait(self.server.timeouts.head)
            self._watch_arrival(begins=begins)

    def _start_body(self, request: Request) -> None:
        self._request = request
        if self._arrivals.start_body(request):
            self._phase = _BODY
            self._wait(self.server.timeouts.head)
            self._watch_arrival(begins=True)
        else:
            # Whether the body comes all the same can't be known, so nothing may follow it.
            self._handle_without_body(request)

    def _read_body(self) -> bool:
        assert self._request is not None
        ended = self._arrivals.drop_body()
        if self._arrivals.is_too_long:
            self._handle_without_body(self._request)
        elif ended:
            self._handle(self._request)
        elif self._client_done:
            self._lose()
        else:
            self._watch_arrival()
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
        refused = None if self.allowance is None else self.allowance.refusal()
        if refused is None:
            self._exchange.answer(request)
        else:
            self._exchange.respond(refused.response())

    def refuse(self, refused: Refused) -> None:
        """Answer what can't be followed by another request, and close."""
        if self._phase >= _CLOSING or (self._exchange is not None and self._exchange.has_begun):
            self._lose()  # it is too late for another answer
            return
        if self._head is None:
            line = self._arrivals.first_line()
            self.begin_trace(None)
        else:
            line = self._head.decisive[0]
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

    def responded(self) -> None:
        """A response is written: go on to the next request, or to the end."""
        self._request = self._exchange = self._head = None
        if not self.persistent:
            self.close()
            return
        self._phase = _HEAD
        if not self.is_full:
            self.wait_for_request()
        if self._buffer or self._client_done:
            self._advance()

    def cut_short(self) -> None:
        """A response can't be finished."""
        self._exchange = None
        self._lose()

    # Waiting and ending.

    def _wait(self, seconds: float) -> None:
        self.server.deadlines.set(self, seconds)

    def wait_for_request(self) -> None:
        """Wait for another request, if there may be one."""
        if self.persistent or self._buffer:
            self._idle = True
            self.server.deadlines.set(self, self.server.timeouts.idle)
        else:
            self._lose()  # told to drain while the last response was still being sent

    def watch_progress(self) -> None:
        """See to it that the client takes something of what is sent to it."""
        if self._progress is None:
            self._progress = self.server.progress(self.transport)
        self._progress.begin()
        self._wait(self._progress.wait)

    def _watch_arrival(self, *, begins: bool = False) -> None:
        """See to it that what has begun to come does not take too long to be complete."""
        if self.allowance is not None:
            self.allowance.arrived(self._arrivals.news, begins=begins)

    def _give_up_unless_moving(self) -> None:
        assert self._progress is not None
        is_ours = self._exchange is not None and self._exchange.waits_for_disk
        if self._progress.look(is_ours=is_ours):
            self._wait(self._progress.wait)
        else:
            self.server.refusals.count(SLOW_RESPONSE)
            self.transport.abortConnection()

    def close(self) -> None:
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
