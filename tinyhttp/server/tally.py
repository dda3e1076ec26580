"""How much was done.

Floor: server. Plain integers, as they are counted for every request; who shows them, and in which
form, is decided elsewhere (`metrics`). What others count anyhow, and what is true of this moment
alone, is not counted here a second time but looked up when a `row` is made, once a second or when
somebody asks.

No number is kept of a path, a host or a client: how many there are would be for the clients to say.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import accumulate
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from .server import Server

__all__ = [
    "BOUNDS",
    "COLUMNS",
    "METHODS",
    "OFFSETS",
    "REASONS",
    "STATUS_CLASSES",
    "WIDTH",
    "Column",
    "Tally",
    "cell",
]

METHODS: Final = ("GET", "HEAD", "OPTIONS", "other")
STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")

REASONS: Final = (
    *("syntax", "method", "too-large", "unsupported", "overload", "error"),
    *("slow-request", "slow-response", "client-connections", "client-rate"),
    *("no-place", "idle-closed-for-others", "gate"),
)
"""Why something was refused. Those of the first line follow from the status of an answer; the
others are limits, and connections that got no answer: too slow, too many or too much of one client,
too many of all, and not let in by the PROXY gate."""

BOUNDS: Final = (
    *(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5),
    *(1.0, 5.0, 10.0, 60.0, 300.0),
)
"""Upper bounds of durations, in seconds. Answers from memory take tens of microseconds, names that
have to be looked up up to a millisecond, a disk that turns ten, one that is far away or busy a
hundred. Above a second it is the client's line that is measured, so it is enough to know whether it
was seconds or minutes."""

_METHOD_OF: Final = {b"GET": 0, b"HEAD": 1, b"OPTIONS": 2}
_FIRST: Final = BOUNDS[0]
_OTHER: Final = 3
_CELLS: Final = len(METHODS) * len(STATUS_CLASSES)

_REASON_OF: Final = {
    status: REASONS.index(reason)
    for status, reason in (
        *((400, "syntax"), (405, "method"), (501, "unsupported"), (505, "unsupported")),
        *((417, "unsupported"), (413, "too-large"), (414, "too-large"), (431, "too-large")),
        *((408, "slow-request"), (429, "client-rate"), (503, "overload"), (500, "error")),
    )
}


def cell(line: bytes, status: int) -> int:
    """Return where answers with ``status`` to request lines like ``line`` are counted."""
    method = _METHOD_OF.get(line[: line.find(b" ")], _OTHER)
    return method * len(STATUS_CLASSES) + status // 100 - 1


class Column(NamedTuple):
    """A number, or ``size`` of a kind, in a row."""

    name: str
    size: int = 1
    kind: str = "counter"
    """How the numbers of several processes make one. "counter": added up, those of ended processes
    too. "gauge": added up, while the process lives. "earliest": the smallest that is not zero,
    while the process lives."""


COLUMNS: Final = (
    Column("requests", _CELLS),
    Column("refused", len(REASONS)),
    Column("buckets", len(BOUNDS) + 1),
    Column("nanoseconds"),
    Column("written_octets"),
    Column("sendfile_octets"),
    Column("memo_hits"),
    Column("cache_hits"),
    Column("cache_misses"),
    Column("look_ups"),
    Column("disk_reads"),
    Column("lines_lost"),
    Column("accepted"),
    Column("restarts"),
    Column("open", kind="gauge"),
    Column("idle", kind="gauge"),
    Column("look_ups_waiting", kind="gauge"),
    Column("workers", kind="gauge"),
    Column("certificate_expiry", kind="earliest"),
)
"""What a row holds, in this order; each number is an integer of 64 bits."""

WIDTH: Final = sum(column.size for column in COLUMNS)
OFFSETS: Final = dict(
    zip(
        (column.name for column in COLUMNS),
        accumulate((column.size for column in COLUMNS), initial=0),
        strict=False,  # the last sum is the end
    )
)
"""Where in a row the numbers of each column begin."""


class Tally:
    """What one process has done since it started; ``clock`` gives seconds that only go forward."""

    __slots__ = (
        *("accepted", "by_sendfile", "certificate_expiry", "clock", "octets", "refused"),
        *("refused_elsewhere", "repeats", "requests", "restarts", "resumed", "seconds", "slower"),
        "workers",
    )

    def __init__(self, clock: Callable[[], float] = monotonic):
        self.clock = clock
        self.requests = [0] * _CELLS
        """Answers by `cell`, without ``repeats``."""
        self.repeats = [0] * _CELLS
        """Answers that were written from the memo alone, in the same order. What they take is only
        measured if they come from a file: the others are written within tens of microseconds, wait
        for nothing, and looking at a clock would add a tenth to that."""
        self.resumed = 0
        """Answers that the memo had begun, and that took longer."""
        self.refused = [0] * len(REASONS)
        self.refused_elsewhere: Callable[[], Mapping[str, int]] = dict
        """Returns what is counted by somebody else of `REASONS`, and goes before ``refused``."""
        self.slower = [0] * len(BOUNDS)
        """Answers that took longer than each of `BOUNDS`, and not longer than the next."""
        self.seconds = 0.0
        """All durations together."""
        self.octets = 0
        """Octets of bodies, counted as they are sent: a response may take hours."""
        self.by_sendfile = 0
        """Those of them that the kernel took straight from a file."""
        self.accepted = 0
        """Connections there have been."""
        self.restarts = 0
        """Workers that had to be started again; for whoever starts them to count."""
        self.workers = 0
        """1 in a process that serves."""
        self.certificate_expiry: Callable[[], float] = float
        """Returns until when the certificates are valid, in epoch seconds; 0: there is none. For
        whoever reads them to set."""

    def answered(self, line: bytes, status: int, began: float) -> None:
        """Count an answer to a request that was there when ``clock`` said ``began``."""
        self.requests[cell(line, status)] += 1
        self.took(self.clock() - began)
        reason = _REASON_OF.get(status)
        if reason is not None:
            self.refused[reason] += 1

    def took(self, seconds: float) -> None:
        """Note how long an answer took; what is not longer than the first bound needs no place."""
        if seconds > _FIRST:  # nearly all answers from memory are not
            self.slower[bisect_left(BOUNDS, seconds) - 1] += 1
        elif seconds < 0:  # the clock was set back
            return
        self.seconds += seconds

    def refuse(self, reason: str) -> None:
        """Count a connection that was refused for one of `REASONS`; raises ``ValueError``."""
        self.refused[REASONS.index(reason)] += 1

    def row(self, server: "Server | None" = None) -> list[int]:
        """Return the numbers in the order of `COLUMNS`, with those that only ``server`` knows."""
        requests = [a + b for a, b in zip(self.requests, self.repeats, strict=True)]
        refused = {**dict(zip(REASONS, self.refused, strict=True)), **self.refused_elsewhere()}
        return [
            *requests,
            *(refused[reason] for reason in REASONS),
            sum(requests) - sum(self.slower),
            *self.slower,
            int(self.seconds * 1e9),
            self.octets - self.by_sendfile,
            self.by_sendfile,
            sum(self.repeats) + self.resumed,
            *_of(server),
            self.accepted,
            self.restarts,
            *_now(server),
            self.workers,
            int(self.certificate_expiry()),
        ]


def _of(server: "Server | None") -> tuple[int, int, int, int, int]:
    """Return what ``server`` counts anyhow: from "cache_hits" to "lines_lost"."""
    if server is None:
        return 0, 0, 0, 0, 0
    lost = 0 if server.access_log is None else server.access_log.lost
    site, look_ups = server.site, server.look_ups
    return site.hits, site.misses, look_ups, server.disk.calls - look_ups, lost


def _now(server: "Server | None") -> tuple[int, int, int]:
    """Return what is true of ``server`` at the moment: "open", "idle" and "look_ups_waiting"."""
    if server is None:
        return 0, 0, 0
    idle = sum(connection.is_idle for connection in server.connections)
    return len(server.connections), idle, server.look_ups_waiting
