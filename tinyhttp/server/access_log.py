"""A line per answer.

Floor: server. What it says is the format's affair, and where it goes the destination's. Here lines
are gathered and written once a second, in a thread of the log's own, so that a full disk, a slow
one or a pipe that nobody reads costs log lines and never a response. What is lost is counted and
told to the ordinary log.
"""

import os
from collections.abc import Callable
from time import time

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .disk import Disk
from .log_destination import Destination, LinesLost, LogFile, open_log
from .log_format import make_format

__all__ = ["AccessLog", "open_log"]

INTERVAL = 1.0
"""Seconds for which lines are gathered."""
BUFFER = 1024 * 1024
"""Octets that wait for a write under way; lines beyond are lost."""
PATIENCE = 5.0
"""Seconds that the last write may take."""

_log = Logger()


class AccessLog:
    """Writes a line per answer to ``destination``: what `line` makes, and `add` takes.

    A descriptor, and the ``path`` that it was opened by, stand for their `LogFile`. ``disk`` should
    run one call at a time, so that lines stay in order. ``clock`` gives epoch seconds. ``form`` is
    as in `make_format`, which raises ``ValueError``; ``worker`` is the number of this process among
    several.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        disk: Disk,
        destination: Destination | int,
        clock: Callable[[], float] = time,
        path: str | os.PathLike[str] | None = None,
        *,
        form: str = "combined",
        worker: int | None = None,
    ):
        made = make_format(form, clock=clock, worker=worker)
        self.wants = made.wants
        """Names of the fields of its lines; none for the combined format."""
        self.lost = 0
        """Lines that could not be written."""
        self.line = made.line
        """Makes a line of what was answered; see `Format.line`."""
        self._said_so = False  # that the destination has lost track
        self._reactor = reactor
        self._disk = disk
        if isinstance(destination, int):
            destination = LogFile(destination, path)
        self._destination = destination
        self._lines: list[bytes] = []
        self._size = 0
        self._write_under_way: Deferred[None] | None = None
        self._failing = False
        self._timer: IDelayedCall | None = None
        self._patience: IDelayedCall | None = None
        self._closed = False
        self._hurry = False  # the next write does not wait, and takes place with no lines as well
        self._finished: Deferred[None] = Deferred()

    def add(self, line: bytes) -> None:
        """Take ``line`` for the next write; count it as lost if too many are waiting."""
        if self._size >= BUFFER or self._closed:
            self.lost += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if self._timer is None and self._write_under_way is None:
            self._timer = self._reactor.callLater(INTERVAL, self._flush)

    def close(self) -> Deferred[None]:
        """Return a Deferred that fires when what is waiting is written and the file closed.

        From now on `add` only counts.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._write_under_way is None:
            self._flush()
        if not self._finished.called:
            self._patience = self._reactor.callLater(PATIENCE, self._give_up)
        return self._finished

    def _give_up(self) -> None:
        """Let go of a pipe that nobody reads; the thread stays behind in its write."""
        self._patience = None
        _log.warn("the last lines of the access log could not be written in time")
        self._finish()

    def _flush(self) -> None:
        self._timer = None
        lines, self._lines, self._size = self._lines, [], 0
        hurry, self._hurry = self._hurry, False
        if lines or hurry:
            writing = self._disk.run(self._destination.write, lines)
            self._write_under_way = writing.addBoth(self._written, len(lines))
            if writing.called:  # inline: it has ended before it could be noted
                self._write_under_way = None
        elif self._closed:
            self._finish()

    def write_now(self) -> None:
        """Write what is waiting without further delay, and let go of a file that was moved away."""
        if self._closed:
            return
        self._hurry = True
        if self._timer is not None:
            self._timer.cancel()
        if self._write_under_way is None:
            self._flush()

    def _written(self, result: Failure | None, count: int) -> None:
        self._write_under_way = None
        if self._finished.called:  # it was given up
            self._destination.close()
            return
        lost_track = self._destination.lost_track
        if self._said_so != (lost_track is not None):
            self._said_so = lost_track is not None
            if lost_track is not None:
                reason = lost_track.strerror
                _log.warn("the access log can't be opened anew: {reason}", reason=reason)
        if isinstance(result, Failure):
            self._count_lost(result, count)
        elif self._failing and count:
            self._failing = False
            _log.info("the access log works again; {lost} lines are lost so far", lost=self.lost)
        if self._lines or self._hurry:
            if self._closed or self._hurry:
                self._flush()
            else:
                self._timer = self._reactor.callLater(INTERVAL, self._flush)
        elif self._closed:
            self._finish()

    def _count_lost(self, failure: Failure, count: int) -> None:
        error = failure.value
        self.lost += error.lines if isinstance(error, LinesLost) else count
        if not self._failing:  # once for each time of trouble, not once a second
            self._failing = True
            _log.error("the access log can't be written, lines are lost: {error}", error=error)

    def _finish(self) -> None:
        if self._finished.called:
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self.lost:
            _log.warn("{lost} lines of the access log were lost", lost=self.lost)
        if self._write_under_way is None:
            self._destination.close()
        self._disk.rest()
        self._finished.callback(None)
