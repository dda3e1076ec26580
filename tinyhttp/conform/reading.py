"""What has the server said? Responses are read from a connection, strictly.

RFC 9112 sections 4, 6 and 7, from the client's side. Nothing of the server's own parsers is used.
"""

import re
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

from .model import SIMPLE

__all__ = ["Closed", "Garbled", "Link", "Response", "TooLate"]

MOST_OF_A_HEAD = 64 * 1024
MOST_OF_A_BODY = 1024 * 1024
MOST_KEPT = 16 * 1024
"""Octets of what was received that are kept to be shown and searched."""
MOST_INTERIM = 8
"""Interim responses in front of one final response."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Closed(Exception):  # noqa: N818 (an end, and no error)
    """The connection was closed before a response."""


class Garbled(Exception):  # noqa: N818 (of theirs, not of ours)
    """What came is no response; says why."""


class TooLate(Exception):  # noqa: N818
    """Nothing came in time."""


@dataclass(frozen=True)
class Response:
    """A final response."""

    minor: int
    """Of its version: HTTP/1.0 or HTTP/1.1."""
    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...]
    """The statuses of interim responses in front of it."""
    until_closed: bool
    """Whether its end is that of the connection."""

    def get(self, name: str) -> str | None:
        """Return the value of a field, lines of one name as a list; ``None`` if there is none."""
        values = [value for known, value in self.fields if known.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def ends_connection(self) -> bool:
        """Whether the server says that nothing follows, or an old one does not say otherwise."""
        options = {word.strip().lower() for word in (self.get("Connection") or "").split(",")}
        if "close" in options or self.until_closed:
            return True
        return self.minor == 0 and "keep-alive" not in options


class Link:
    """A connection: octets out, responses in; everything waits at most until a time."""

    def __init__(self, sock: socket.socket):
        self._socket = sock
        self._buffer = b""
        self._ended = False
        self.received = b""
        """The first octets that came."""

    def send(self, octets: bytes, until: float) -> None:
        """Send what can be sent: who has heard enough may stop reading, or hang up."""
        with suppress(OSError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(_left(until))
                self._socket.sendall(octets)
            else:
                self._send_and_listen(octets, until)

    def _send_and_listen(self, octets: bytes, until: float) -> None:
        # A refusal that comes before all is sent must be taken at once: what is sent on may have
        # it thrown away, by a reset.
        view = memoryview(octets)
        self._socket.setblocking(False)
        while view and not self._ended:
            reads, writes, _ = select.select(
                [self._socket], [self._socket], (), max(0.0, until - time.monotonic())
            )
            if reads:
                self._take()
            if writes:
                view = view[self._socket.send(view) :]
            if not (reads or writes):
                return

    def await_anything(self, until: float) -> None:
        """Wait until something was received that has not been read."""
        if not self._buffer:
            with suppress(Closed, TooLate):
                self._more(until)

    def response(self, until: float, *, bodiless: bool) -> Response:
        """Return the next final response; raises `Closed`, `Garbled` and `TooLate`."""
        interim: list[int] = []
        while True:
            minor, status, fields = self._head(until)
            if status >= 200 or status == SIMPLE:
                break
            if status == 101:
                raise Garbled("101, and nobody has asked for another protocol")
            interim.append(status)
            if len(interim) > MOST_INTERIM:
                raise Garbled("interim responses without end")
        found = Response(minor, status, fields, b"", tuple(interim), until_closed=False)
        if bodiless or status in (204, 304):
            return found
        body, until_closed = self._body(found, until)
        return Response(minor, status, fields, body, tuple(interim), until_closed)

    def _head(self, until: float) -> tuple[int, int, tuple[tuple[str, str], ...]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MOST_OF_A_HEAD:
                raise Garbled("a head without end")
            try:
                self._more(until)
            except Closed:
                if self._buffer.startswith(b"HTTP/"):
                    raise Garbled("half a head") from None
                if self._buffer:
                    return 0, SIMPLE, ()
                raise
        lines, self._buffer = self._buffer[:end].split(b"\r\n"), self._buffer[end + 4 :]
        status = _STATUS_LINE.fullmatch(lines[0])
        if status is None:
            raise Garbled(f"no status line: {lines[0][:60]!r}")
        return int(status[1]), int(status[2]), tuple(map(_field, lines[1:]))

    def _body(self, head: Response, until: float) -> tuple[bytes, bool]:
        """Return the body, and whether it ended with the connection (section 6.3)."""
        coding, length = head.get("Transfer-Encoding"), head.get("Content-Length")
        if coding is not None:
            if length is not None:
                raise Garbled("Content-Length beside Transfer-Encoding")
            if coding.lower() != "chunked":
                raise Garbled(f"Transfer-Encoding: {coding[:40]}")
            return self._chunks(until), False
        if length is not None:
            if not re.fullmatch(r"[0-9]{1,15}", length):
                raise Garbled(f"Content-Length: {length[:40]}")
            return self._exactly(int(length), until), False
        while not self._ended:
            if len(self._buffer) > MOST_OF_A_BODY:
                raise Garbled("a body without end")
            with suppress(Closed):
                self._more(until)
        body, self._buffer = self._buffer, b""
        return body, True

    def _chunks(self, until: float) -> bytes:
        body = b""
        while True:
            size = _CHUNK.fullmatch(self._line(until))
            if size is None:
                raise Garbled("no size of a chunk")
            octets = int(size[1], 16)
            if not octets:
                break
            body += self._exactly(octets, until)
            if len(body) > MOST_OF_A_BODY:
                raise Garbled("a body without end")
            if self._line(until):
                raise Garbled("a chunk longer than it says")
        while self._line(until):
            pass  # trailers
        return body

    def _line(self, until: float) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MOST_OF_A_HEAD:
                raise Garbled("a line without end")
            self._more_of_it(until)
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _exactly(self, octets: int, until: float) -> bytes:
        if octets > MOST_OF_A_BODY:
            raise Garbled(f"a body of {octets} octets")
        while len(self._buffer) < octets:
            self._more_of_it(until)
        body, self._buffer = self._buffer[:octets], self._buffer[octets:]
        return body

    def _more_of_it(self, until: float) -> None:
        try:
            self._more(until)
        except Closed:
            raise Garbled("closed within a body") from None

    def _more(self, until: float) -> None:
        """Receive something; raises `Closed` and `TooLate`."""
        if self._ended:
            raise Closed
        self._socket.settimeout(_left(until))
        try:
            self._take()
        except TimeoutError:
            raise TooLate from None
        if self._ended:
            raise Closed

    def _take(self) -> None:
        try:
            block = self._socket.recv(65536)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:  # reset, or the like
            block = b""
        self._ended = not block
        self._buffer += block
        self.received = (self.received + block)[:MOST_KEPT]

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


def _field(line: bytes) -> tuple[str, str]:
    parts = _FIELD.fullmatch(line)
    if parts is None or _BAD_VALUE.search(parts[2]):
        raise Garbled(f"no field: {line[:60]!r}")
    return parts[1].decode("latin-1"), parts[2].decode("latin-1")


def _left(until: float) -> float:
    """Return the seconds until then; raises `TooLate` if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TooLate
    return left
