"""Where the lines of the access log go.

Floor: server. To a file, to standard output, or to syslog (RFC 3164, RFC 5424, RFC 5426). What is
here may block: it is called in the log's own thread.
"""

import errno
import os
import re
import select
import socket
import stat
from collections.abc import Callable, Sequence
from time import gmtime, time
from typing import Protocol

__all__ = [
    "Destination",
    "LinesLost",
    "LogFile",
    "Syslog",
    "is_the_same",
    "open_destination",
    "open_log",
]

SYSLOG_SOCKET = "/dev/log"
SYSLOG_PORT = 514
SEND_TIMEOUT = 1.0
"""Seconds that a line may wait for a log daemon that does not keep up."""

_PRIORITY = 23 * 8 + 6  # facility local7, severity informational: RFC 5424 section 6.2.1
_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]/]+))(?::([0-9]{1,5}))?")


class LinesLost(Exception):  # noqa: N818 (named after what happened)
    """``lines`` lines could not be written because of ``reason``."""

    def __init__(self, lines: int, reason: OSError):
        super().__init__(f"{reason.strerror or reason}")
        self.lines = lines


class Destination(Protocol):
    """What `AccessLog` writes to, one call at a time."""

    lost_track: OSError | None
    """Why the lines do not go where they should, though they are written."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Write ``lines``, each with its end; raises `LinesLost`.

        Without any, a file that is not the one to write to any more is let go of all the same.
        """

    def close(self) -> None:
        """Write no more."""


class LogFile:
    """The file behind ``descriptor``, which is closed at the end unless it is standard output.

    With a ``path`` it follows the name: if that leads to another file, or to none, because the log
    was rotated, the next lines go to the file of that name.
    """

    def __init__(self, descriptor: int, path: str | os.PathLike[str] | None = None):
        self.lost_track: OSError | None = None
        self._descriptor = descriptor
        self._path = None if path == "-" else path
        # Several processes may write to a pipe, and what is longer than this may be torn apart.
        self._is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._torn = False  # the last write stopped in the middle of a line

    def write(self, lines: Sequence[bytes]) -> None:
        """See `Destination.write`."""
        self._follow()
        data = b"".join(lines)
        if self._torn and lines:
            data = b"\n" + data
        view = memoryview(data)
        error: OSError | None = None
        while view and error is None:
            try:
                view = view[os.write(self._descriptor, self._next(view)) :]
            except OSError as reason:
                error = reason
        done = data[: len(data) - len(view)]
        if done:
            self._torn = not done.endswith(b"\n")
        if error is not None:
            raise LinesLost(len(lines) - done[data.startswith(b"\n") :].count(b"\n"), error)

    def _next(self, view: memoryview) -> memoryview:
        """Return what is written in one go: whole lines that a pipe takes in one piece."""
        if not self._is_pipe or len(view) <= select.PIPE_BUF:
            return view
        whole = bytes(view[: select.PIPE_BUF]).rfind(b"\n") + 1
        return view[: whole or len(view)]

    def close(self) -> None:
        """See `Destination.close`."""
        if self._descriptor > 2:
            os.close(self._descriptor)

    def _follow(self) -> None:
        """Go on in the file that has the name now; in the one at hand if that can't be opened."""
        if self._path is None:
            return
        try:
            if is_the_same(self._path, self._descriptor):
                self.lost_track = None
                return
            descriptor = open_log(self._path)
        except OSError as error:
            self.lost_track = error
            return
        self.lost_track, self._torn = None, False
        os.close(self._descriptor)
        self._descriptor = descriptor


class Syslog:
    """A log daemon, to which each line is a datagram.

    ``address`` is the path of its socket, or a host and a port for UDP. On this machine messages
    are in the form that the daemons there expect, which is that of RFC 3164 without time and host:
    section 4.3.2 has the receiver add them. Over the network they are in that of RFC 5424.

    If the daemon was started anew it is found again. One that takes nothing for ``timeout`` seconds
    costs the rest of the lines at hand. What UDP loses on the way nobody can count. ``clock`` gives
    epoch seconds. Raises ``OSError`` if there is nothing at ``address``.
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        *,
        clock: Callable[[], float] = time,
        timeout: float = SEND_TIMEOUT,
    ):
        self.lost_track: OSError | None = None
        self._address = address
        self._clock = clock
        self._timeout = timeout
        self._host = _printable(socket.gethostname())
        self._socket: socket.socket | None = None
        self._socket = self._connect()

    def write(self, lines: Sequence[bytes]) -> None:
        """See `Destination.write`."""
        header = self._header()
        lost = 0
        reason: OSError | None = None
        for number, line in enumerate(lines):
            try:
                self._send(header + line.rstrip(b"\n"))
            except OSError as error:
                reason = error
                if self._socket is None:  # nobody is there, or nobody reads
                    lost += len(lines) - number
                    break
                lost += 1
        if reason is not None:
            raise LinesLost(lost, reason)

    def close(self) -> None:
        """See `Destination.close`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: bytes) -> None:
        """Send ``message``; raises ``OSError``, with the socket still open if others may follow."""
        try:
            if self._socket is not None:
                self._socket.send(message)
                return
        except TimeoutError:
            self.close()
            raise
        except OSError as error:
            if _is_too_long(error):
                raise
            self.close()  # the daemon was started anew, perhaps: once more
        self._socket = self._connect()
        try:
            self._socket.send(message)
        except OSError as error:
            if not _is_too_long(error):
                self.close()
            raise

    def _connect(self) -> socket.socket:
        if isinstance(self._address, str):
            family, kind, address = socket.AF_UNIX, socket.SOCK_DGRAM, self._address
            return self._connected(socket.socket(family, kind), address)
        found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, target = found[0]
        return self._connected(socket.socket(family, kind, protocol), target)

    def _connected(self, new: socket.socket, address: object) -> socket.socket:
        new.settimeout(self._timeout)
        try:
            new.connect(address)  # type: ignore[arg-type]
        except OSError:
            new.close()
            raise
        return new

    def _header(self) -> bytes:
        if isinstance(self._address, str):
            return b"<%d>tinyhttp[%d]: " % (_PRIORITY, os.getpid())
        now = self._clock()
        when = b"%04d-%02d-%02dT%02d:%02d:%02d" % gmtime(now)[:6]
        fraction = int(now % 1 * 1000)
        return b"<%d>1 %s.%03dZ %s tinyhttp %d access - " % (
            *(_PRIORITY, when, fraction),
            *(self._host, os.getpid()),
        )


def open_destination(name: str) -> Destination:
    """Return the destination called ``name``; raises ``OSError`` if it can't be opened.

    ``-`` is standard output; ``syslog``, ``syslog:/path``, ``syslog:host`` and ``syslog:host:port``
    are log daemons, for which ``ValueError`` is raised if they are written wrongly; everything else
    is a file.
    """
    if name == "-":
        return LogFile(1)
    if name == "syslog":
        return Syslog(SYSLOG_SOCKET)
    if name.startswith("syslog:"):
        return Syslog(syslog_address(name.removeprefix("syslog:")))
    path = os.path.abspath(name)  # a daemon goes elsewhere
    return LogFile(open_log(path), path)


def syslog_address(text: str) -> str | tuple[str, int]:
    """Return the path, or the host and port, that ``text`` names; raises ``ValueError``."""
    if text.startswith("/"):
        return text
    m = _HOST_PORT.fullmatch(text)
    port = int(m[3] or SYSLOG_PORT) if m is not None else 0
    if m is None or not 0 < port < 65536:
        raise ValueError(f"syslog:{text}: syslog:/PATH, syslog:HOST or syslog:HOST:PORT is wanted")
    return m[1] or m[2], port


def open_log(path: str | os.PathLike[str]) -> int:
    """Return a descriptor of the file ``path``, to which lines are appended; raises ``OSError``.

    That is one for a pipe that nobody reads, as to wait for a reader would be to wait for ever.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(errno.ENXIO, "nobody reads this pipe") from None
    os.set_blocking(descriptor, True)
    return descriptor


def is_the_same(path: str | os.PathLike[str], descriptor: int) -> bool:
    """Return whether the name ``path`` leads to the file behind ``descriptor``."""
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _is_too_long(error: OSError) -> bool:
    """Return whether it is the message that is at fault, and the next may be better."""
    return error.errno == errno.EMSGSIZE


def _printable(name: str) -> bytes:
    """Return ``name`` as RFC 5424 section 6 wants a host name: visible ASCII, no space."""
    return re.sub(rb"[^\x21-\x7e]", b"?", name.encode("ascii", "replace"))[:255] or b"-"
