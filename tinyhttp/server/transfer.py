"""Bodies too large to be written at once.

Floor: server. Reads a file block by block, in a thread, and writes each block when the transport
has room for it, so that a client that reads nothing costs one block of memory, however large the
file. Works over every transport, TLS included.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from ..core.resource import Span
from .disk import Disk

__all__ = ["BLOCK", "Gone", "Shrunk", "Transfer"]

BLOCK = 128 * 1024
"""Octets read at a time. The stock transport sends at most as many at a time."""


class Shrunk(Exception):  # noqa: N818 (named after what happened to the file)
    """The file ended before the length that has been announced."""


class Gone(Exception):  # noqa: N818 (named after what happened to the client)
    """The connection was lost before the body was sent."""


class Transfer:
    """The sending of ``pieces`` through ``write``.

    ``sent`` counts octets. Whoever owns the transfer passes on when the transport is full
    (`pause`), has room again (`resume`) or is gone (`stop`).
    """

    def __init__(self, pieces: Sequence[bytes | Span], write: Callable[[bytes], None], disk: Disk):
        self.sent = 0
        self._pieces = pieces
        self._write = write
        self._disk = disk
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
        position = span.start
        while position < span.stop:
            await self._wait_for_room()
            size = min(BLOCK, span.stop - position)  # a file that has grown is cut here
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

    def _send(self, data: bytes) -> None:
        self._write(data)
        self.sent += len(data)
