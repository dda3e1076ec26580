"""How a planned response goes out, in time and to its end.

Floor: testing. Time is the reactor's, so a test with a ``Clock`` decides how it passes.
"""

import fcntl
import termios
from collections.abc import Callable
from struct import Struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ..core.resource import Span
from ..server.any_transport import socket_of
from ..server.transfer import Gone
from .wire import Plan

__all__ = ["Sending"]

_INT = Struct("i")
_LOOK = 0.002
_PATIENCE = 2.0


class Sending:
    """Sends a plan over ``transport``; ``read`` gives the octets of a part of a file.

    ``sent`` is called when the head has been written and after every portion of the body.
    ``octets`` counts those of the body. Whoever owns it passes on when the transport is full
    (`pause`), has room again (`resume`) or is gone (`stop`).
    """

    def __init__(
        self,
        transport: Any,
        reactor: Any,
        read: Callable[[Span], bytes],
        sent: Callable[[], None],
    ):
        self.octets = 0
        self.head_sent = False
        self._transport = transport
        self._reactor = reactor
        self._read = read
        self._sent = sent
        self._full = False
        self._stopped = False
        self._waiting: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None

    async def run(self, plan: Plan) -> None:
        """Send ``plan`` up to its end, or to where it ends too early; fails with `Gone`."""
        if plan.before:
            self._transport.write(plan.before)
        await self._sleep(plan.delay)
        ending = plan.ending
        if ending is None or ending.at is not None:
            self._transport.write(plan.head)
            self.head_sent = True
            self._sent()
            await self._send_body(plan)
        if ending is not None and (ending.at is None or ending.at <= self.octets):
            await self._end(ending.kind)
        elif plan.chunks is not None:
            self._transport.write(plan.chunks.end())
        self._check_stopped()

    async def _send_body(self, plan: Plan) -> None:
        due = self._reactor.seconds()  # when the next octets may go, by the rate
        for portion in plan.portions():
            if portion.start in plan.pauses or self._full:
                await self._sleep(plan.pauses.get(portion.start, 0))
                await self._wait_for_room()
                due = self._reactor.seconds()
            self._check_stopped()
            source = portion.source
            data = source if isinstance(source, bytes) else self._read(source)
            if portion.start == plan.corrupt_at:
                data = bytes(octet ^ 0xFF for octet in data)
            framed = data if plan.chunks is None else plan.chunks.chunk(portion.start, data)
            self._transport.write(framed)
            self.octets += len(data)
            self._sent()
            if plan.rate is not None:
                due += len(data) / plan.rate
                await self._sleep(due - self._reactor.seconds())

    async def _end(self, kind: str) -> None:
        if kind == "stall":
            await self._wait(Deferred())
        elif kind == "reset":
            await self._wait_until_taken()
            self._transport.abortConnection()
            raise Gone

    def pause(self) -> None:
        """Write no more until `resume`."""
        self._full = True

    def resume(self) -> None:
        """Go on."""
        self._full = False
        if self._timer is None and self._waiting is not None and self._for_room:
            self._waiting.callback(None)

    def stop(self) -> None:
        """Give up."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting is not None:
            self._waiting.errback(Gone())

    _for_room = False

    async def _wait_for_room(self) -> None:
        if self._full:
            self._for_room = True
            try:
                await self._wait(Deferred())
            finally:
                self._for_room = False

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            waiting: Deferred[None] = Deferred()
            self._timer = self._reactor.callLater(seconds, self._wake, waiting)
            await self._wait(waiting)

    def _wake(self, waiting: Deferred[None]) -> None:
        self._timer = None
        waiting.callback(None)

    async def _wait(self, waiting: Deferred[None]) -> None:
        self._check_stopped()
        self._waiting = waiting.addBoth(self._waited)
        await waiting

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Gone

    def _waited(self, result: Any) -> Any:
        self._waiting = None
        return result

    async def _wait_until_taken(self) -> None:
        """Wait until the client's kernel has all of it: a reset takes back what is under way.

        A client that reads nothing is not waited for longer than a moment.
        """
        quiet, waited = 0, 0.0
        while quiet < 2 and waited < _PATIENCE and socket_of(self._transport) is not None:
            await self._sleep(_LOOK)
            waited += _LOOK
            quiet = quiet + 1 if not self._full and not _unsent(self._transport) else 0


def _unsent(transport: Any) -> int:
    """Return how many octets the kernel has and the client's has not."""
    sock = socket_of(transport)
    try:
        if sock is None:
            return 0
        return int(_INT.unpack(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(_INT.size)))[0])
    except OSError:
        return 0
