"""Stage 6: lines, many requests on a connection, and a limit for everything that a client sends."""

from typing import Any

from stage2_answer import read, response
from stage5_twisted import PATIENCE, SENDING, run
from stage6_request import Refused, Request, parse
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure


class Lines(LineReceiver):
    """One connection. LineReceiver cuts at CR LF; a bare LF stays in its line, and is refused."""

    MAX_LENGTH = 8000  # octets of a line
    MAX_LINES = 100  # of a head
    transport: Any

    def __init__(self, reactor: Any):
        self.reactor = reactor
        self.lines: list[bytes] = []

    def connectionMade(self) -> None:
        """Set the clock, and have us paused while a client does not read what it asked for."""
        self.deadline = self.reactor.callLater(PATIENCE, self.transport.abortConnection)
        self.transport.registerProducer(self, True)

    def lineReceived(self, line: bytes) -> None:
        """Gather a head. Empty lines before one are forgiven (RFC 9112, 2.2)."""
        if line:
            self.lines.append(line)
            if len(self.lines) > self.MAX_LINES:
                self.refuse("431 Request Header Fields Too Large")
        elif self.lines:
            lines, self.lines = self.lines, []
            try:
                self.answer(parse(lines))
            except Refused as refused:
                self.refuse(str(refused))

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is too long, ended or not."""
        self.refuse("431 Request Header Fields Too Large")

    def answer(self, request: Request) -> None:
        """Answer at once: whoever is connected waits for the disk. Stage 7 does better."""
        self.send(request, *read(request.path))

    def send(self, request: Request, status: str, body: bytes, media_type: str) -> None:
        """Send a response, and see what follows."""
        octets = response(status, body, media_type, persists=request.persists)
        length = len(octets) - (len(body) if request.method == "HEAD" else 0)
        self.deadline.reset(SENDING)  # for the client to take it, and to send the next head
        self.transport.write(octets[:length])
        if not request.persists:
            self.finish()

    def refuse(self, status: str) -> None:
        """Say why, and end: nobody knows where another request would begin."""
        self.transport.write(response(status, f"{status}\n".encode()))
        self.finish()

    def finish(self) -> None:
        """Close our side, and drop what still comes: to close all of it would send a reset."""
        self.deadline.reset(SENDING)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self.setRawMode()
        LineReceiver.resumeProducing(self)

    def rawDataReceived(self, data: bytes) -> None:
        """Drop it."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.deadline.active():
            self.deadline.cancel()


if __name__ == "__main__":
    run(Lines)
