"""Several processes at one job: who is started, replaced, rolled over and told to end.

Floor: server; knows no HTTP. A worker is a process that says ``ready`` on descriptor 3, takes
orders from its standard input (first a line of JSON that says what it is to do, later perhaps
``retire``), ends by itself when that input ends, and says on descriptor 2 what is to be logged. It
inherits what it listens with, so that nothing is refused while processes come and go. It starts
with the signals of `HELD` blocked, and lets them in when it knows what to do about them.
"""

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["FIRST", "HELD", "READY", "Recipe", "Worker", "WorkerFailed", "Workers"]

READY = 3
"""The descriptor on which a worker says that it is ready."""
FIRST = 4
"""The first of the descriptors that it inherits besides."""

HELD = frozenset((signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1))
"""Signals that may be sent to all processes at any moment. Between fork and exec they would be
lost, and a program that is only starting dies of them, with a traceback or without."""

PATIENCE = 30.0
"""Seconds in which a new worker has to be ready."""
HEALTHY = 30.0
"""Seconds after which a worker that ends has not failed at its start."""
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds until a worker that has ended is replaced; twice as many for each time in a row."""
LINE = 8192
"""Octets of a line that is logged for a worker."""

_log = Logger()


class WorkerFailed(Exception):  # noqa: N818 (named after what happened)
    """A worker could not start, for the reason that it gave."""


@dataclass(frozen=True)
class Recipe:
    """How to make a worker."""

    command: Sequence[str]
    """The program and its arguments; the number of the worker is added."""
    directory: str
    variables: Mapping[str, str]
    descriptors: Sequence[int]
    """What it inherits, from descriptor `FIRST` on."""
    orders: Mapping[str, Any]
    """What it is told in its first line."""


class Worker(ProcessProtocol):
    """One process, the ``number``-th of its kind."""

    transport: Any

    def __init__(self, number: int, clock: Any, orders: Mapping[str, Any]):
        self.number = number
        self.orders = orders
        """What it was told in its first line."""
        self.is_ready = self.has_ended = self.is_leaving = False
        self.ready: Deferred[None] = Deferred()
        """Fires when it is ready; fails with `WorkerFailed` if it ends before."""
        self.how = ""
        """How it has ended."""
        self._waiting: list[Deferred[None]] = []
        self.pid = 0
        self._clock = clock
        self._began: float = clock.seconds()
        self._partial = b""
        self._last: deque[str] = deque(maxlen=1)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return float(self._clock.seconds() - self._began)

    def connectionMade(self) -> None:
        """Note who it is, as that is asked for later too."""
        self.pid = self.transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803 (Twisted's name)
        """Hear that it is ready, or log what it says."""
        if childFD == READY:
            if not self.is_ready and b"\n" in data:
                self.is_ready = True
                self.ready.callback(None)
            return
        *lines, rest = (self._partial + data).split(b"\n")
        self._partial = rest[:LINE]
        for line in lines:
            self._say(line)

    def _say(self, line: bytes) -> None:
        text = line[:LINE].decode("utf-8", "backslashreplace").rstrip()
        if text:
            self._last.append(text)
            _log.info("worker {number}: {text}", number=self.number, text=text)

    def processEnded(self, reason: Failure) -> None:
        """Tell whoever waits for it."""
        self.has_ended = True
        self._say(self._partial)
        self.how = _how(reason.value)
        waiting, self._waiting = self._waiting, []
        for gone in waiting:
            gone.callback(None)
        if not self.is_ready:
            said = self._last[-1] if self._last else f"it has ended ({self.how})"
            self.ready.errback(WorkerFailed(said.removeprefix("tinyhttp: ")))

    def gone(self) -> Deferred[None]:
        """Return a Deferred that fires when it has ended, which many may wait for."""
        gone: Deferred[None] = Deferred()
        if self.has_ended:
            gone.callback(None)
        else:
            self._waiting.append(gone)
        return gone

    def retire(self) -> None:
        """Have it take no more work, finish what it has, and end."""
        self.is_leaving = True
        if not self.has_ended:
            self.transport.write(b"retire\n")

    def send(self, number: int) -> None:
        """Send it the signal of that number."""
        if not self.has_ended:
            with suppress(ProcessExitedAlready, OSError):
                self.transport.signalProcess(number)


def _how(reason: BaseException | None) -> str:
    if isinstance(reason, ProcessDone | ProcessTerminated):
        return "killed by a signal" if reason.exitCode is None else f"status {reason.exitCode}"
    return f"it can't be started: {getattr(reason, 'strerror', None) or reason}"


@dataclass
class _Place:
    """The place of a worker, which is taken by one after the other."""

    number: int
    worker: Worker | None = None
    is_proven: bool = False
    """Whether somebody was ready here. If not, whoever wants the place taken hears of a failure."""
    failures: int = 0
    retry: IDelayedCall | None = field(default=None, repr=False)


class Workers:
    """Keeps ``count`` workers at work; ``recipe`` is asked for each, so it may change."""

    def __init__(self, reactor: Any, count: int, recipe: Callable[[], Recipe]):
        self._reactor = reactor
        self._recipe = recipe
        self._places = [_Place(number) for number in range(1, count + 1)]
        self._coming: list[_Place] = []  # of those who are to replace the others
        self._living: set[Worker] = set()
        self._stopping = False
        self._rolling = False
        self.restarts = 0
        """How often a worker had to be replaced that nobody had told to end."""
        self.on_end: Callable[[Worker], None] = lambda worker: None
        """Called with each worker that has ended."""

    @property
    def pids(self) -> list[int]:
        """The processes that there are, those that are about to end included."""
        return sorted(worker.pid for worker in self._living)

    async def start(self) -> None:
        """Start all; raise `WorkerFailed` if one of them can't."""
        waiting = [self._spawn(place).ready for place in self._places]
        for ready in waiting:
            _ = ready.addErrback(self._note_failure)
        results = await DeferredList(waiting)
        for _, failed in results:
            if failed is not None:
                raise WorkerFailed(str(failed))

    def _note_failure(self, failure: Failure) -> BaseException | None:
        return failure.value

    def send(self, number: int) -> None:
        """Send the signal of that number to all."""
        for worker in self._living:
            worker.send(number)

    async def roll(self, count: int | None = None, grace: float | None = None) -> None:
        """Replace all workers by new ones, of which there are ``count`` from now on.

        One after the other is started. When the last is ready, those before retire; who has not
        ended ``grace`` s later is killed. Raises `WorkerFailed` if one can't start; everything is
        as before then. Does nothing if it is at it already, or about to `stop`.
        """
        if self._rolling or self._stopping:
            return
        self._rolling = True
        before, leaving = self._places, self._coming
        try:
            for number in range(1, (count or len(before)) + 1):
                place = _Place(number)
                self._coming.append(place)
                await self._spawn(place).ready
                if self._stopping:  # which has told everybody that there was
                    return
            self._places, leaving = self._coming, before
        finally:
            self._coming, self._rolling = [], False
            for place in leaving:
                self._retire(place, grace)

    def _retire(self, place: _Place, grace: float | None) -> None:
        """Have nobody take ``place`` any more."""
        self._forget_retry(place)
        worker = place.worker
        if worker is None or worker.has_ended or self._stopping:
            return
        worker.retire()
        if grace is not None:
            late = self._reactor.callLater(grace, worker.send, signal.SIGKILL)
            _ = worker.gone().addCallback(lambda gone: _cancel(late))

    async def stop(self, grace: float) -> None:
        """Tell all to end, and wait until they have; those left after ``grace`` s are killed."""
        self._stopping = True
        for place in [*self._places, *self._coming]:
            self._forget_retry(place)
        for worker in self._living:
            worker.is_leaving = True
        self.send(signal.SIGTERM)
        late = self._reactor.callLater(grace, self.send, signal.SIGKILL)
        while self._living:
            await next(iter(self._living)).gone()
        _cancel(late)

    def _forget_retry(self, place: _Place) -> None:
        if place.retry is not None:
            place.retry.cancel()
            place.retry = None

    def _spawn(self, place: _Place) -> Worker:
        recipe = self._recipe()
        worker = Worker(place.number, self._reactor, recipe.orders)
        place.worker = worker
        self._living.add(worker)
        _ = worker.gone().addCallback(lambda gone: self._ended(worker, place))
        late = self._reactor.callLater(PATIENCE, worker.send, signal.SIGKILL)

        def settled(result: Any) -> Any:
            _cancel(late)
            place.is_proven |= worker.is_ready
            return result

        _ = worker.ready.addBoth(settled)
        try:
            self._fork(worker, recipe)
        except OSError as error:  # no processes, memory or descriptors are left
            worker.processEnded(Failure(error))
        return worker

    def _fork(self, worker: Worker, recipe: Recipe) -> None:
        inherited = {FIRST + n: fd for n, fd in enumerate(recipe.descriptors)}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            self._reactor.spawnProcess(
                worker,
                recipe.command[0],
                [*recipe.command, str(worker.number)],
                env=dict(recipe.variables),
                path=recipe.directory,
                childFDs={0: "w", 1: 1, 2: "r", READY: "r", **inherited},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        worker.transport.write(json.dumps(recipe.orders).encode() + b"\n")

    def _ended(self, worker: Worker, place: _Place) -> None:
        self._living.discard(worker)
        if place.is_proven and not worker.is_leaving and not self._stopping:
            self._replace_later(place, worker)
        self.on_end(worker)

    def _replace_later(self, place: _Place, worker: Worker) -> None:
        place.worker = None
        place.failures = 1 if worker.age >= HEALTHY else place.failures + 1
        seconds = min(LONGEST, SHORTEST * 2 ** min(place.failures - 1, 10))
        _log.error(
            "worker {number} has ended ({how}); it is replaced in {seconds} s",
            number=worker.number,
            how=worker.how,
            seconds=seconds,
        )
        self.restarts += 1
        place.retry = self._reactor.callLater(seconds, self._replace, place)

    def _replace(self, place: _Place) -> None:
        place.retry = None
        if not self._stopping:
            _ = self._spawn(place).ready.addErrback(self._note_failure)


def _cancel(call: IDelayedCall) -> None:
    if call.active():
        call.cancel()


def descriptors_of(ports: Sequence[Any]) -> list[int]:
    """Return the descriptors that ``ports`` listen with; raises ``ValueError`` for other kinds."""
    found = []
    for port in ports:
        descriptor = getattr(port, "fileno", lambda: -1)()
        if not isinstance(descriptor, int) or descriptor < 0 or not hasattr(port, "stopReading"):
            raise ValueError(f"a {type(port).__name__} can't be shared by several processes")
        os.fstat(descriptor)
        found.append(descriptor)
    return found
