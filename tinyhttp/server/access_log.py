"""A line per answer, in the combined format.

Floor: server. Lines are gathered and written once a second, in a thread of the log's own, so that
a full disk, a slow one or a pipe that nobody reads costs log lines and never a response. What is
lost is counted and told to the ordinary log.
"""

import os
import re
from collections.abc import Callable
from time import gmtime, time

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.request import noted_fields
from .disk import Disk

__all__ = ["AccessLog", "LinesLost", "combined", "format_timestamp", "open_log"]

INTERVAL = 1.0
"""Seconds for which lines are gathered."""
BUFFER = 1024 * 1024
"""Octets that wait for a write under way; lines beyond are lost."""
PATIENCE = 5.0
"""Seconds that the last write may take."""
MAX_FIELD = 4096
"""Octets of a request line or field that are logged."""

_SAID = 1024
"""Lines whose part behind the time is remembered: it is made of the same words again and again."""
_SAID_LENGTH = 1024
"""Octets of a request line and its fields up to which that is done."""

# Whatever could end a line, a quoted string or a terminal's patience.
_UNSAFE = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_log = Logger()


def combined(
    line: bytes,
    status: int,
    octets: int,
    referer: bytes | None,
    agent: bytes | None,
) -> bytes:
    r"""Return what follows the time in a line of the combined format, its end included.

    ``octets`` are those of the body that were handed to the transport. Control characters,
    quotes, backslashes and everything beyond ASCII are written as ``\xHH``.
    """
    return b'"%s" %d %d "%s" "%s"\n' % (
        _escape(line),
        status,
        octets,
        _escape(referer or b"-"),
        _escape(agent or b"-"),
    )


def format_timestamp(when: int) -> bytes:
    """Return epoch seconds in the form that the combined format has in brackets, in UTC."""
    t = gmtime(when)
    return b"%02d/%s/%04d:%02d:%02d:%02d +0000" % (
        *(t.tm_mday, _MONTHS[t.tm_mon - 1], t.tm_year),
        *(t.tm_hour, t.tm_min, t.tm_sec),
    )


def _escape(value: bytes) -> bytes:
    return _UNSAFE.sub(lambda m: b"\\x%02x" % m[0][0], value[:MAX_FIELD])


class AccessLog:
    """Writes lines to ``descriptor``, which it closes at the end unless it is standard output.

    ``disk`` should run one call at a time, so that lines stay in order. ``clock`` gives epoch
    seconds. With a ``path`` it follows the name: if that leads to another file, or to none, because
    the log was rotated, the next lines go to the file of that name.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        disk: Disk,
        descriptor: int,
        clock: Callable[[], float] = time,
        path: str | os.PathLike[str] | None = None,
    ):
        self._clock = clock
        self._path = path
        self._lost_track: OSError | None = None  # why the name could not be followed
        self._said_so = False
        self.lost = 0
        """Lines that could not be written."""
        self._reactor = reactor
        self._disk = disk
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._size = 0
        self._torn = False  # the last write stopped in the middle of a line
        self._write_under_way: Deferred[None] | None = None
        self._failing = False
        self._timer: IDelayedCall | None = None
        self._patience: IDelayedCall | None = None
        self._closed = False
        self._said: dict[tuple[bytes, int, int, tuple[bytes, ...]], bytes] = {}
        self._second = -1
        self._timestamp = b""
        self._finished: Deferred[None] = Deferred()

    def answered(
        self, client: bytes, line: bytes, status: int, octets: int, noted: tuple[bytes, ...]
    ) -> None:
        """Log an answer; ``noted`` are those field lines of the request that a log wants."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._timestamp = second, format_timestamp(second)
        about = line, status, octets, noted
        said = self._said.get(about) or self._say(about)
        self.add(b"%s - - [%s] %s" % (client, self._timestamp, said))

    def _say(self, about: tuple[bytes, int, int, tuple[bytes, ...]]) -> bytes:
        """Return the part of a line that many of them share, and remember it."""
        line, status, octets, noted = about
        fields = noted_fields(noted)
        said = combined(line, status, octets, fields.get(b"referer"), fields.get(b"user-agent"))
        if len(line) + sum(map(len, noted)) <= _SAID_LENGTH:
            if len(self._said) >= _SAID:
                self._said.clear()
            self._said[about] = said
        return said

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
        if lines:
            writing = self._disk.run(self._write, lines)
            self._write_under_way = writing.addBoth(self._written, len(lines))
            if writing.called:  # inline: it has ended before it could be noted
                self._write_under_way = None
        elif self._closed:
            self._finish()

    def write_now(self) -> None:
        """Write what is waiting, without waiting any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()

    def _follow(self) -> None:
        """Go on in the file that has the name now; in the one at hand if that can't be opened."""
        if self._path is None:
            return
        try:
            if _is_the_same(self._path, self._descriptor):
                self._lost_track = None
                return
            descriptor = open_log(self._path)
        except OSError as error:
            self._lost_track = error
            return
        self._lost_track, self._torn = None, False
        os.close(self._descriptor)
        self._descriptor = descriptor

    def _write(self, lines: list[bytes]) -> None:
        """Write ``lines``, in the log's thread; raises `LinesLost`."""
        self._follow()
        data = b"".join(lines)
        if self._torn:
            data = b"\n" + data
        view = memoryview(data)
        error: OSError | None = None
        while view and error is None:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as reason:
                error = reason
        done = data[: len(data) - len(view)]
        if done:
            self._torn = not done.endswith(b"\n")
        if error is not None:
            raise LinesLost(len(lines) - done[data.startswith(b"\n") :].count(b"\n"), error)

    def _written(self, result: Failure | None, count: int) -> None:
        self._write_under_way = None
        if self._finished.called:  # it was given up
            self._close_descriptor()
            return
        if self._said_so != (self._lost_track is not None):
            self._said_so = not self._said_so
            if self._lost_track is not None:
                reason = self._lost_track.strerror
                _log.warn("the access log can't be opened anew: {reason}", reason=reason)
        if isinstance(result, Failure):
            self._count_lost(result, count)
        elif self._failing:
            self._failing = False
            _log.info("the access log works again; {lost} lines are lost so far", lost=self.lost)
        if self._lines:
            if self._closed:
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

    def _close_descriptor(self) -> None:
        if self._descriptor > 2:
            os.close(self._descriptor)

    def _finish(self) -> None:
        if self._finished.called:
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self.lost:
            _log.warn("{lost} lines of the access log were lost", lost=self.lost)
        if self._write_under_way is None:
            self._close_descriptor()
        self._disk.rest()
        self._finished.callback(None)


def open_log(path: str | os.PathLike[str]) -> int:
    """Return a descriptor of the file ``path``, to which lines are appended; raises ``OSError``."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _is_the_same(path: str | os.PathLike[str], descriptor: int) -> bool:
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


class LinesLost(Exception):  # noqa: N818 (named after what happened)
    """``lines`` lines could not be written because of ``reason``."""

    def __init__(self, lines: int, reason: OSError):
        super().__init__(f"{reason.strerror}")
        self.lines = lines
