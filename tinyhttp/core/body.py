"""Where the body of a request ends.

Floor: core (pure). RFC 9112 sections 6.3, 7.1.

A file server has no use for a request's body, but it has to find the end of it, as that is where
the next request begins. So bodies are read to be dropped, and how much is counted, framing
included, so that a caller can lose patience.
"""

import re
from typing import Protocol

from .fields import TOKEN
from .request import Request, field_line
from .response import Refused

__all__ = ["Body", "Chunked", "FixedLength", "body_of"]


class Body(Protocol):
    """A body that is dropped as it arrives."""

    received: int
    """Octets of the message so far: those dropped and those already announced."""

    def drop(self, buffer: bytearray) -> bool:
        """Remove what belongs to the body from the front of ``buffer``; return whether it ended.

        Raises `Refused` (400) where the framing is broken.
        """


class FixedLength:
    """A body of ``length`` octets (Content-Length)."""

    def __init__(self, length: int):
        self.received = length
        self._missing = length

    def drop(self, buffer: bytearray) -> bool:
        """See `Body.drop`."""
        count = min(self._missing, len(buffer))
        del buffer[:count]
        self._missing -= count
        return self._missing == 0


# RFC 9112 sections 7.1 and 7.1.1. At most 15 hex digits: below 2**60, like every real size.
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"(?:[ \t]*;[ \t]*"
    + TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + TOKEN
    + rb'|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"))?)*'
)

_LINE_LIMIT = 4096


class Chunked:
    """A body in chunks, with extensions and trailer fields checked and ignored."""

    def __init__(self) -> None:
        self.received = 0
        self._missing = 0  # octets of the current chunk, its closing CRLF included
        self._in_trailer = False

    def drop(self, buffer: bytearray) -> bool:
        """See `Body.drop`."""
        while True:
            if self._missing and not self._drop_data(buffer):
                return False
            line = self._take_line(buffer)
            if line is None:
                return False
            if not self._in_trailer:
                self._start_chunk(line)
            elif line:
                field_line(line)
            else:
                return True

    def _drop_data(self, buffer: bytearray) -> bool:
        """Drop the data of a chunk and the CRLF behind it; return whether both are gone."""
        count = min(max(self._missing - 2, 0), len(buffer))
        del buffer[:count]
        self._missing -= count
        while self._missing in (1, 2) and buffer:
            if buffer[0] != b"\n\r"[self._missing - 1]:
                raise Refused(400, "A chunk is not as long as it says.")
            del buffer[0]
            self._missing -= 1
        return self._missing == 0

    def _take_line(self, buffer: bytearray) -> bytes | None:
        end = buffer.find(b"\r\n", 0, _LINE_LIMIT + 2)
        if end < 0:
            if len(buffer) - buffer.endswith(b"\r") > _LINE_LIMIT or b"\n" in buffer:
                raise Refused(400, "A line of the chunked body is malformed or too long.")
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        self.received += end + 2
        return line

    def _start_chunk(self, line: bytes) -> None:
        m = _CHUNK_LINE.fullmatch(line)
        if m is None:
            raise Refused(400, "The size of a chunk is malformed.")
        size = int(m[1], 16)  # the pattern let hex digits through and nothing else
        if size:
            self._missing = size + 2
            self.received += self._missing
        else:
            self._in_trailer = True


def body_of(request: Request) -> Body:
    """Return the body that follows the head of ``request``."""
    return Chunked() if request.body_length is None else FixedLength(request.body_length)
