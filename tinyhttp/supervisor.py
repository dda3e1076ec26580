"""The service in several processes: this one opens the ports and looks after the workers.

It accepts nothing itself. What the workers do is in `tinyhttp.worker` and `tinyhttp.service`; how
they are replaced is in `tinyhttp.server.workers`.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .assembly import (
    backlog_of,
    make_certificates,
    make_endpoints,
    make_server,
    make_watching,
    name_of,
    open_access_log,
)
from .configuration import PREFIX
from .file_service import PATIENCE, reason_of, said_of, spoken_address
from .options import CannotStart, Options
from .roots import Roots
from .server.board import Board, Slot, make_board
from .server.listening import set_backlog
from .server.log_destination import is_the_same
from .server.notify import Notifier, without_notification
from .server.workers import FIRST, Recipe, Worker, WorkerFailed, Workers, descriptors_of
from .settings import MOST_WORKERS, SETTINGS
from .signals import take_signals
from .watching import Watching

__all__ = ["SLOTS", "Supervisor", "name_process"]


SLOTS = 1 + 2 * MOST_WORKERS
"""On the board: ours, and those of workers, each of which may have a successor already."""


class _Nobody(Factory):
    """Stands where a port wants a factory; no connection is ever made with it."""

    noisy = False


KILL_AFTER = 5.0
"""Seconds beyond their own grace after which workers that do not end are killed."""

_log = Logger()


class Supervisor(Service):
    """Listens on ``endpoints`` for workers that do what ``options`` say."""

    def __init__(
        self,
        reactor: Any,
        options: Options,
        endpoints: Mapping[str, IStreamServerEndpoint],
        notifier: Notifier,
        roots: Roots,
    ):
        self._reactor = reactor
        self._roots = roots
        self._options = options
        self._endpoints = endpoints
        self._notifier = notifier
        self._ports: dict[str, IListeningPort] = {}
        # While there may still be the right to; workers get it from us.
        self._log = open_access_log(options["access-log"])
        _check(reactor, options, self._log)
        self._workers = Workers(reactor, options["workers"], self._recipe)
        self._workers.on_end = self._worker_ended
        self._board: tuple[int, Board] | None = None
        self._free_slots = list(range(SLOTS - 1, 0, -1))
        self._watching = self._make_watching()
        self._problem = ""
        self._listening = self._stopping = False
        self._busy = True  # with the start, and later whenever workers are replaced
        self._once_more = False

    @property
    def problem(self) -> str:
        """Why it had to end, if it had to."""
        return self._problem

    def privilegedStartService(self) -> None:
        """Open the ports, while there may still be the right to; raise `CannotStart`."""
        super().privilegedStartService()
        self._listening = True
        for name in self._endpoints:
            self._listen(name)
        self._watching.listen(self._watched, self._failed)
        self._miss_no_port()

    def startService(self) -> None:
        """Start the workers."""
        super().startService()
        if not self._listening:
            self.privilegedStartService()
        self._reactor.callWhenRunning(lambda: Deferred.fromCoroutine(self._start()))

    def stopService(self) -> Deferred[Any]:
        """Return a Deferred that fires when all workers have ended."""
        super().stopService()
        self._stopping = True
        self._roots.stop()
        self._notifier.stopping()
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        take_signals(self._reactor, end=self._end, reload=self.reload, rotate=self._rotate)
        name_process(f"tinyhttp: {self._options['workers']} workers for {self._options['path']}")
        try:
            await self._workers.start()
        except WorkerFailed as error:
            if not self._stopping:
                self._problem = f"a worker can't start: {error}"
                _log.critical("{problem}", problem=self._problem)
                self._end()
            return
        if not self._stopping:
            encrypted = {name_of(wish) for wish in self._options["tls-endpoints"]}
            for name, port in self._ports.items():
                address = spoken_address(port, encrypted=name in encrypted)
                _log.info("listening on {address}", address=address)
            self._watching.begin()
            self._roots.begin(self.reload)
            self._tell_ready()
            self._go_on()

    async def _stop(self) -> None:
        options = self._options
        self._watching.drain()
        delay = options["shutdown-delay"]
        stopping = Deferred.fromCoroutine(self._workers.stop(options["grace"] + delay + KILL_AFTER))
        if delay and self._workers.pids:
            await deferLater(self._reactor, delay)
        for name in [*self._ports]:
            self._close(name)  # for the workers too: Twisted's ports shut their sockets down
        await stopping
        await self._watching.stop()
        _close_log(self._log)
        self._notifier.close()

    def _end(self) -> None:
        if not self._stopping:
            self._stopping = True
            _log.info("telling the workers to finish")
            self._reactor.stop()

    def _rotate(self) -> None:
        if not self._busy:
            self._follow_log()
        self._workers.send(signal.SIGUSR1)

    def _follow_log(self) -> None:
        """Hold the file that the log's name leads to now, for workers that are still to come.

        The one before may have been moved away, and would take its room on the disk as long as it
        is open. Workers follow the name by themselves.
        """
        if self._log is None or self._log <= 2:
            return
        if is_the_same(self._options["access-log"], self._log):
            return
        try:
            log = open_access_log(self._options["access-log"])
        except CannotStart:  # there is no right to any more
            return
        _close_log(self._log)
        self._log = log

    def _tell_ready(self) -> None:
        self._notifier.ready(f"{self._options['workers']} workers answer requests")

    # Who watches.

    def _make_watching(self) -> Watching:
        """Return what is shown of all workers together, by this process."""
        options, slot = self._options, None
        if options["admin"]:
            descriptor = make_board(SLOTS)
            self._board = descriptor, Board(descriptor, SLOTS)
            slot = Slot(self._board[1], 0)
        return make_watching(self._reactor, options, slot)

    def _watched(self, port: IListeningPort, option: str) -> None:
        _log.info("{option} is at {address}", option=option, address=spoken_address(port))

    def _worker_ended(self, worker: Worker) -> None:
        slot = worker.orders["slot"]
        if slot and self._board is not None:
            self._board[1].bury(slot)
            self._free_slots.append(slot)
        if self._watching.tally is not None:
            self._watching.tally.restarts = self._workers.restarts

    # Ports.

    def _listen(self, name: str) -> None:
        _ = maybeDeferred(self._endpoints[name].listen, _Nobody()).addCallbacks(
            self._bound, self._failed, callbackArgs=(name,), errbackArgs=(name,)
        )

    def _bound(self, port: Any, endpoint: str) -> None:
        try:
            descriptors_of([port])
        except (ValueError, OSError) as error:
            self._problem = f"{endpoint}: {error}; that does not go with --workers"
            port.stopListening()
            return
        port.stopReading()  # the workers do
        set_backlog(port, backlog_of(endpoint, self._options["backlog"]))
        self._ports[endpoint] = port

    def _failed(self, failure: Failure, endpoint: str) -> None:
        self._problem = f"can't listen on {endpoint}: {reason_of(failure)}"

    def _miss_no_port(self) -> None:
        """Raise `CannotStart` if a port is not open."""
        missing = [name for name in self._endpoints if name not in self._ports]
        if missing and not self._problem:
            self._problem = f"{missing[0]} takes its time, which does not go with --workers"
        problem, self._problem = self._problem, ""
        if problem:
            raise CannotStart(problem)

    def _close(self, endpoint: str) -> None:
        _ = maybeDeferred(self._ports.pop(endpoint).stopListening)

    # Workers.

    def _recipe(self) -> Recipe:
        descriptors = descriptors_of([self._ports[name] for name in self._endpoints])
        orders: dict[str, Any] = {
            "arguments": _settled(self._options),
            "configuration": self._options.configuration.told(),
            "directory": self._options.directory,
            "descriptors": [FIRST + n for n in range(len(descriptors))],
            "log": None,
            "board": None,
            "slot": 0,
            "before": self._roots.before,
        }
        if self._log == 1:
            orders["log"] = 1
        elif self._log is not None:
            orders["log"] = FIRST + len(descriptors)
            descriptors.append(self._log)
        if self._board is not None and self._free_slots:
            orders["board"] = FIRST + len(descriptors)
            orders["slot"] = self._free_slots.pop()
            descriptors.append(self._board[0])
        return Recipe(
            command=(sys.executable, "-m", "tinyhttp.worker", _reactor_name(self._reactor)),
            # Modules come from where ours did, and never from the directory that is current, which
            # may well be the one that is served.
            directory="/",
            variables={
                **_without_settings(without_notification(os.environ)),
                "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)),
            },
            descriptors=descriptors,
            orders=orders,
        )

    def reload(self) -> None:
        """Have the workers replaced by such as know the configuration as it is now.

        While that is under way, it is done once more afterwards: the configuration may be another
        by then.
        """
        if self._busy:
            self._once_more = True
        elif not self._stopping:
            self._busy = True
            _ = Deferred.fromCoroutine(self._reload()).addErrback(_log_failure).addBoth(self._go_on)

    def _go_on(self, result: None = None) -> None:
        self._busy = False
        if self._once_more:
            self._once_more = False
            self.reload()

    async def _reload(self) -> None:
        self._notifier.reloading()
        self._follow_log()
        await self._roots.look()
        if self._stopping:  # the ports are closed
            return
        before = self._options, self._endpoints, self._log
        try:
            self._options = before[0].again()
            self._roots.watch(before[0], self._options)
            self._endpoints = make_endpoints(self._reactor, self._options)
            if self._options["access-log"] != before[0]["access-log"]:  # else it is at hand
                self._log = open_access_log(self._options["access-log"])
            _check(self._reactor, self._options, self._log)
            self._open_new_ports()
            grace = self._options["grace"] + PATIENCE + KILL_AFTER
            await self._workers.roll(self._options["workers"], grace)
        except Exception as error:
            if not self._stopping:
                _say_why_not(error)
            unused = self._log
            self._options, self._endpoints, self._log = before
        else:
            unused = before[2]
        if self._stopping:
            return
        self._roots.watch(self._options)
        if self._options is not before[0]:
            _log.info("the configuration was read anew, by new workers")
        if unused != self._log:
            _close_log(unused)
        for name in [*self._ports]:
            if name not in self._endpoints:
                self._close(name)
        self._tell_ready()

    def _open_new_ports(self) -> None:
        for name in self._endpoints:
            if name not in self._ports:
                self._listen(name)
        self._miss_no_port()


def _check(reactor: Any, options: Options, log: int | None) -> None:
    """Find out whether a worker would start; raise `CannotStart` if not.

    Here, where whoever started us is still told, and not in a process that nobody looks at.
    """
    server = make_server(reactor, options, log=log if log is None or log <= 2 else os.dup(log))
    make_certificates(reactor, options, server)
    server.site.close()
    if server.access_log is not None:
        _ = server.access_log.close()


def _say_why_not(error: Exception) -> None:
    """Say why there is no other configuration; an error of our own at length."""
    if isinstance(error, CannotStart | WorkerFailed):
        problem = said_of(error) if isinstance(error, CannotStart) else error
        _log.error("the configuration stays as it was: {problem}", problem=problem)
    else:
        _log.failure("an error of the server's own; the configuration stays as it was")


def _log_failure(failure: Failure) -> None:
    _log.failure("an error of the server's own", failure)


def _close_log(log: int | None) -> None:
    if log is not None and log > 2:
        os.close(log)


def _settled(options: Options) -> list[str]:
    """Return arguments that say what ``options`` have come to, whoever said it.

    A worker that replaces another is to do as that did, and not what the file says meanwhile.
    """
    arguments = []
    for setting in SETTINGS:
        given = options.given.get(setting.name)
        for text in [] if given is None else given.texts[0 if setting.several else -1 :]:
            if setting.flag:
                arguments.append(f"--{'' if setting.read(text) else 'no-'}{setting.name}")
            else:
                assert given is not None
                arguments.append(f"--{setting.name}={setting.within(given.base, text)}")
    return arguments


def _without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return ``variables`` without those that say something of ours."""
    also = {setting.also for setting in SETTINGS}
    return {
        name: value
        for name, value in variables.items()
        if name not in also and not name.startswith(PREFIX)
    }


def _reactor_name(reactor: Any) -> str:
    return type(reactor).__module__


def name_process(title: str) -> None:
    """Show ``title`` in lists of processes, if there is a library that can do that."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(title)
