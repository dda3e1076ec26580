"""Stage 7: a slow file is waited for by a thread of a pool, and everybody else is served."""

import sys
from time import sleep
from typing import Any

from stage2_answer import read
from stage5_twisted import run
from stage6_lines import Lines
from stage6_request import Request
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.python import log
from twisted.python.failure import Failure


def read_slowly(path: str) -> tuple[str, bytes, str]:
    """Read a file; one called slow... as from a disk that has to be waited for."""
    if path.startswith("/slow"):
        print("reading", path, flush=True)
        sleep(1)
    return read(path)


class Blocking(Lines):
    """What not to do: while this reads, nobody is accepted, read from or written to."""

    def answer(self, request: Request) -> None:
        """Wait in the reactor's thread."""
        self.send(request, *read_slowly(request.path))


class Patient(Lines):
    """One connection, at most one thread at a time."""

    reading: Deferred[Any] | None = None

    def answer(self, request: Request) -> None:
        """Have a thread read. Until it has, the next request of this client must not be taken."""
        self.pauseProducing()
        self.deadline.reset(60)  # it is our disk that is slow, not the client
        self.reading = deferToThread(read_slowly, request.path)
        _ = self.reading.addCallback(self.have_read, request).addErrback(self.have_failed)

    def have_read(self, found: tuple[str, bytes, str], request: Request) -> None:
        """Answer, in the reactor's thread again: a transport may be touched by no other."""
        self.reading = None
        self.paused = False
        self.send(request, *found)
        if not self.paused:  # by the transport, as the client does not read
            self.resumeProducing()

    def have_failed(self, failure: Failure) -> None:
        """Log what went wrong, unless it is only that nobody wants to know any more."""
        self.reading = None
        if not failure.check(CancelledError):
            log.err(failure)
            self.transport.abortConnection()

    def resumeProducing(self) -> None:
        """Go on, if both the client and the disk have caught up."""
        if self.reading is None:
            super().resumeProducing()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Let go of a result that nobody waits for. The thread itself can't be stopped."""
        super().connectionLost(reason)
        if self.reading is not None:
            self.reading.cancel()


if __name__ == "__main__":
    run(Blocking if sys.argv[2:] == ["blocking"] else Patient)
