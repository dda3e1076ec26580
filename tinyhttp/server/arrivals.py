"""What has arrived on a connection, and was not dealt with yet.

Floor: server. The octets between the socket and the parsers: a head is taken out once it is whole,
a body is dropped as it arrives. RFC 9112 sections 2.2 and 6.
"""

from ..core.body import Body, body_of
from ..core.request import Head, HeadReader, Limits, Request, find_head_end

__all__ = ["Arrivals"]

_CR = 13


class Arrivals:
    """The octets that wait in ``buffer``, of which heads are read by ``heads``, within ``limits``.

    The buffer stays the same object for ever.
    """

    __slots__ = ("_body", "_limits", "_read", "_scanned", "buffer", "news", "skipped_line")

    def __init__(self, heads: HeadReader, limits: Limits):
        self.buffer = bytearray()
        self.skipped_line = False
        """Whether an empty line stood before the request that is awaited: a second one may not."""
        self.news = 0
        """How many octets of an incomplete head or body the last look has found to be new."""
        self._read = heads.read
        self._limits = limits
        self._scanned = 0  # octets of the buffer known not to hold the end of a head
        self._body: Body | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a part of a head."""
        return self._scanned > 0

    @property
    def is_new(self) -> bool:
        """Whether nothing of that head was there before the last look."""
        return self.news == self._scanned

    def first_line(self) -> bytes:
        """Return the line that waits in front, as far as it has come."""
        return bytes(self.buffer.split(b"\r\n", 1)[0])

    def take_head(self, is_all: bool) -> Head | None:
        """Return the next head, ``None`` if it is not whole yet; ``is_all``: no more will come.

        Raises `Refused` as `find_head_end` and `HeadReader.read` do.
        """
        buffer = self.buffer
        if buffer and buffer[0] == _CR and not self.skipped_line:
            # RFC 9112 section 2.2: one empty line before a request is forgiven.
            if len(buffer) == 1 and not is_all:
                return None
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
                self.skipped_line = True
        end = find_head_end(buffer, self._scanned, self._limits)
        if end < 0:
            self.news = len(buffer) - self._scanned
            self._scanned = len(buffer)
            return None
        head = self._read(bytes(buffer[:end]))
        del buffer[:end]
        self._scanned = 0
        self.skipped_line = False
        return head

    def start_body(self, request: Request) -> bool:
        """Begin with the body of ``request``; return whether it is worth waiting for."""
        self._body = body_of(request)
        self.news = 0
        # RFC 9110 section 10.1.1: the final status at once spares the client its upload.
        return not request.expects_continue and not self.is_too_long

    def drop_body(self) -> bool:
        """Drop what has come of the body; return whether it has ended. Raises `Refused`."""
        assert self._body is not None
        before = len(self.buffer)
        ended = self._body.drop(self.buffer)
        self.news = before - len(self.buffer)
        return ended

    @property
    def is_too_long(self) -> bool:
        """Whether the body has, or is going to have, more octets than are read of any."""
        return self._body is not None and self._body.received > self._limits.body
