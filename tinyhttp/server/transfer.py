"""Bodies too large to be written at once.

Floor: server. Two ways: `Transfer` reads a file block by block, in a thread unless the block is in
the kernel's memory, and writes each block when the transport has room for it, so that a client that
reads nothing costs one block of memory, however large the file. It works over every transport, TLS
included. `FileTransfer` has our own transport send from the file (``sendfile``), and nothing of it
passes through this process.
"""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred

from ..core.resource import Span
from ..site.residency import read_at_once, resident, warm
from .disk import Disk
from .pace import Pace
from .tally import Tally
from .transport import SLICE, SocketTransport

__all__ = ["BLOCK", "Gone", "Shrunk", "Transfer", "begin", "make_transfer", "rest"]

BLOCK = 128 * 1024
"""Octets read at a time. The stock transport sends at most as many at a time."""


LOOK = 1.0
"""Seconds for which what was seen in memory is taken to be there. If the kernel drops it within
that second, one read of the disk keeps everybody waiting."""


class Shrunk(Exception):  # noqa: N818 (named after what happened to the file)
    """The file ended before the length that has been announced."""


class Gone(Exception):  # noqa: N818 (named after what happened to the client)
    """The connection was lost before the body was sent."""


class Transfer:
    """The sending of ``pieces`` through ``write``, at a ``pace`` if there is one.

    ``sent`` counts octets. Whoever owns the transfer passes on when the transport is full
    (`pause`), has room again (`resume`) or is gone (`stop`).
    """

    def __init__(
        self,
        pieces: Sequence[bytes | Span],
        write: Callable[[bytes], None],
        disk: Disk,
        pace: Pace | None = None,
    ):
        self.sent = 0
        self.tally: Tally | None = None
        """Where the octets are counted as they go."""
        self._pieces = pieces
        self._write = write
        self._disk = disk
        self._pace = pace
        self._turn: Deferred[None] | None = None  # waits for the pace
        self._paused = False
        self._stopped = False
        self._room: Deferred[None] | None = None

    def start(self) -> Deferred[None]:
        """Return a Deferred that fires once everything has been written.

        Fails with `Gone` after `stop`, `Shrunk` if the file is too short, and ``OSError``.
        """
        for piece in self._pieces:
            if isinstance(piece, Span):
                piece.file.hold()
        return Deferred.fromCoroutine(self._run())

    def pause(self) -> None:
        """Write no more until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stop(self) -> None:
        """Give up. A read under way in a thread keeps its file open until it returns."""
        self._stopped = True
        self.resume()
        self._take_turn()

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client, and not the disk, that has to move next."""
        return self._room is not None

    async def _run(self) -> None:
        try:
            for piece in self._pieces:
                if isinstance(piece, Span):
                    await self._send_span(piece)
                else:
                    await self._wait_for_room()
                    self._send(piece)
        finally:
            for piece in self._pieces:
                if isinstance(piece, Span):
                    piece.file.let_go()

    async def _send_span(self, span: Span) -> None:
        """Send ``span``, whose file is held."""
        position = span.start
        while position < span.stop:
            await self._wait_for_room()
            size = min(BLOCK, span.stop - position)  # a file that has grown is cut here
            if self._pace is not None:
                size = await self._wait_for_turn(self._pace, size)
            block = read_at_once(span.file.descriptor, size, position)
            if block is None:
                block = await self._disk.run(span.file.read, size, position)
            if not block:
                raise Shrunk
            if self._stopped:
                raise Gone
            position += len(block)
            self._send(block)

    async def _wait_for_room(self) -> None:
        if self._paused and not self._stopped:
            self._room = Deferred()
            await self._room
        if self._stopped:
            raise Gone

    async def _wait_for_turn(self, pace: Pace, size: int) -> int:
        """Return how much of ``size`` may be sent now, which is something."""
        while not self._stopped:
            if allowed := pace.allow(size, self._take_turn):
                return allowed
            self._turn = Deferred()
            await self._turn
        raise Gone

    def _take_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.callback(None)

    def _send(self, data: bytes) -> None:
        self._write(data)
        self.sent += len(data)
        if self.tally is not None:
            self.tally.octets += len(data)
        if self._pace is not None:
            self._pace.spend(len(data))


class FileTransfer(Transfer):
    """A `Transfer` that leaves files to the transport, where it can be known what is in memory."""

    def __init__(
        self,
        pieces: Sequence[bytes | Span],
        transport: SocketTransport,
        disk: Disk,
        pace: Pace | None = None,
    ):
        super().__init__(pieces, transport.write, disk, pace)
        self._transport = transport
        self._source: _Source | None = None

    def stop(self) -> None:
        """See `Transfer.stop`."""
        super().stop()
        if self._source is not None and not self._source.sent.called:
            self._transport.forget_file()
            self._source.sent.errback(Gone())

    @property
    def waits_for_client(self) -> bool:
        """See `Transfer.waits_for_client`."""
        return super().waits_for_client or (
            self._source is not None and not self._source.waits_for_us
        )

    async def _send_span(self, span: Span) -> None:
        await self._wait_for_room()
        if span.start >= span.stop:
            return
        if not await self._disk_can_tell(span):
            await super()._send_span(span)
            return
        ready = self._transport.file_is_ready
        self._source = source = _Source(span, self._disk, ready, self._pace, self.tally)
        self._transport.send_file(source)
        try:
            await source.sent
        finally:
            self.sent += source.start - span.start
            source.count()
            self._source = None

    async def _disk_can_tell(self, span: Span) -> bool:
        file = span.file.descriptor
        if read_at_once(file, 1, span.start) is not None:
            return True
        await self._disk.run(warm, file, span.start, 1)
        if self._stopped:
            raise Gone
        return read_at_once(file, 1, span.start) is not None


class _Source:
    """A `FileSource` over ``span`` that is warmed in a thread where it is not in memory.

    It is sent at a ``pace`` if there is one. ``sent`` fires when all is sent, or fails as
    `Transfer.start` does.
    """

    def __init__(
        self,
        span: Span,
        disk: Disk,
        ready: Callable[[], None],
        pace: Pace | None = None,
        tally: Tally | None = None,
    ):
        self.descriptor = span.file.descriptor
        self.start = span.start
        self.stop = span.stop
        self.sent: Deferred[None] = Deferred()
        self._file = span.file
        self._disk = disk
        self._ready = ready
        self._ready_until = 0
        self._pace = pace
        self._tally = tally
        self._counted = span.start  # up to where it is known what was sent
        self.waits_for_us = False
        """Whether it is the disk, or the pace, and not the client, that has to move next."""

    def count_ready(self, count: int) -> int:
        """See `FileSource.count_ready`. What was looked at or warmed is not looked at again."""
        self.count()
        if self._pace is not None:
            count = self._pace.allow(count, self._go_on)
            if not count:
                self.waits_for_us = True
                return 0
        if self._ready_until <= self.start:
            try:
                self._ready_until = self.start + resident(self.descriptor, self.start, count)
            except OSError:  # sending meets it again, and deals with it
                return count
        if self._ready_until <= self.start:
            self.waits_for_us = True
            self._file.hold()  # for the thread, which may outlive the connection
            warming = self._disk.run(warm, self.descriptor, self.start, count)
            _ = warming.addBoth(self._warmed, self.start + count)
        return max(min(count, self._ready_until - self.start), 0)

    def _warmed(self, result: object, stop: int) -> None:  # an error comes up again on sending
        self._file.let_go()
        self._ready_until = stop
        self._go_on()

    def _go_on(self) -> None:
        self.waits_for_us = False
        self._ready()

    def count(self) -> None:
        """Count what was sent since the last time."""
        sent, self._counted = self.start - self._counted, self.start
        if self._tally is not None:
            self._tally.octets += sent
            self._tally.by_sendfile += sent
        if self._pace is not None:
            self._pace.spend(sent)

    def done(self, error: Exception | None) -> None:
        """See `FileSource.done`."""
        self.count()
        if error is None:
            self.sent.callback(None)
        else:
            self.sent.errback(Shrunk() if isinstance(error, EOFError) else error)


def make_transfer(
    pieces: Sequence[bytes | Span], transport: Any, disk: Disk, pace: Pace | None = None
) -> Transfer:
    """Return the transfer of ``pieces`` that suits ``transport``, at a ``pace`` if there is one."""
    if isinstance(transport, SocketTransport):
        return FileTransfer(pieces, transport, disk, pace)
    return Transfer(pieces, transport.write, disk, pace)


def begin(transport: Any, head: bytes, pieces: Sequence[bytes | Span]) -> int:
    """Write ``head``, and of ``pieces`` what costs no waiting; return how many octets these were.

    `rest` has to be sent by a transfer.
    """
    span = pieces[0]
    if isinstance(transport, SocketTransport) and isinstance(span, Span):
        count = _ready(span)
        if count:
            return transport.send_at_once(head, span.file.descriptor, span.start, count)
    transport.write(head)
    return 0


def rest(pieces: Sequence[bytes | Span], sent: int) -> Sequence[bytes | Span]:
    """Return what is left of ``pieces`` behind what `begin` has sent."""
    span = pieces[0]
    if not sent or not isinstance(span, Span):
        return pieces
    if span.start + sent == span.stop:
        return pieces[1:]
    return (Span(span.file, span.start + sent, span.stop), *pieces[1:])


def _ready(span: Span) -> int:
    """Return how much of the beginning of ``span`` is in memory; a look is good for a second."""
    file = span.file
    count = min(span.stop - span.start, SLICE)
    now = monotonic()
    start, length, when = file.in_memory
    if start == span.start and length == count and now - when < LOOK:
        return count
    try:
        ready = resident(file.descriptor, span.start, count)
    except OSError:  # a transfer meets it again, and deals with it
        return 0
    if ready == count:
        file.in_memory = span.start, count, now
    return ready
