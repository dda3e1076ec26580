"""The service that the options describe, in one process.

Where reactor, threads and objects meet. twistd and twist come here through the plugin, ``python -m
tinyhttp`` and the ``tinyhttp`` command through `tinyhttp.__main__`. With several workers each of
them runs this service, and `tinyhttp.supervisor` runs them.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .assembly import backlog_of, description, make_endpoints, make_server
from .core.networks import Networks
from .options import GRACE, CannotStart, Options
from .server.acceptor import Acceptor, obstacle, take_over
from .server.listening import BACKLOG, set_backlog
from .server.notify import Notifier
from .server.proxy_gate import GateKeeper
from .server.server import Server
from .signals import take_signals

__all__ = ["CannotStart", "FileService", "Options", "assemble", "makeService", "spoken_address"]

PATIENCE = 2.0
"""Seconds for a client's next request when a process or configuration is replaced by another."""

_log = Logger()


class FileService(Service):
    """Listens with a `Server` on ``endpoints``, and lets it finish its work at the end.

    ``anew`` makes the service that the configuration describes now, of which this one takes over
    everything but the ports that it has already; it raises `CannotStart`.
    """

    def __init__(
        self,
        reactor: Any,
        server: Server,
        endpoints: Mapping[str, IStreamServerEndpoint],
        *,
        plain_transport: bool = False,
        backlog: int = BACKLOG,
        proxy_from: Networks | None = None,
        grace: float = GRACE,
        delay: float = 0,
        anew: Callable[[], "FileService"] | None = None,
        notifier: Notifier | None = None,
    ):
        self._reactor = reactor
        self._server = server
        self._factory: Any = server
        if proxy_from:
            self._factory = GateKeeper(server, proxy_from, server.deadlines)
        self._endpoints = endpoints
        self._ports: dict[str, IListeningPort] = {}
        self._acceptors: dict[str, Acceptor] = {}
        self._plain = plain_transport
        self._backlog = backlog
        self._grace = grace
        self._delay = delay
        self._anew = anew
        self._notifier = notifier
        self._listening = False
        self._started = False
        self._is_running = False
        self._problem = ""
        self._stopping = False
        self._patience = 0.0
        self._leaving: list[Deferred[None]] = []
        self.on_running: Callable[[], None] = lambda: None
        """Called when it listens and heeds signals."""

    @property
    def problem(self) -> str:
        """Why it had to end, if it had to."""
        return self._problem

    def privilegedStartService(self) -> None:
        """Listen, while there may still be the right to; raise `CannotStart` if it fails."""
        super().privilegedStartService()
        self._listening = True
        for name in self._endpoints:
            self._listen(name)
        self._started = True
        if self._problem:
            raise CannotStart(self._problem)

    def startService(self) -> None:
        """Listen, unless that has been done."""
        super().startService()
        if not self._listening:
            self.privilegedStartService()
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[Any]:
        """Return a Deferred that fires when the ports are closed and every response is finished."""
        super().stopService()
        self._stopping = True
        if self._notifier is not None:
            self._notifier.stopping()
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        self._server.announce_end()
        if self._delay and not self._patience:
            # Balancers that ask whether we are ready have so long to stop sending clients.
            await deferLater(self._reactor, self._delay)
        self._server.room.settle()  # answer what has arrived, and accept who has
        closed = [self._close(name) for name in [*self._ports]]
        ended = self._server.stop(self._grace, self._patience)
        await DeferredList([*closed, ended, *self._leaving])
        if self._notifier is not None:
            self._notifier.close()

    def retire(self) -> None:
        """End, as another process takes the next connections: no client is to notice."""
        self._patience = PATIENCE
        self.end()

    def end(self) -> None:
        """Stop the reactor, and with it this service."""
        if not self._stopping:
            self._stopping = True
            _log.info("finishing the responses under way")
            self._reactor.stop()

    # Ports.

    def _listen(self, name: str) -> None:
        _ = maybeDeferred(self._endpoints[name].listen, self._factory).addCallbacks(
            self._bound, self._failed, callbackArgs=(name,), errbackArgs=(name,)
        )

    def _failed(self, failure: Failure, endpoint: str) -> None:
        self._problem = f"can't listen on {endpoint}: {reason_of(failure)}"
        if self._started:  # an endpoint that takes its time: there is nobody left to raise to
            _log.critical("{problem}", problem=self._problem)
            self.end()

    def _bound(self, port: IListeningPort, endpoint: str) -> None:
        set_backlog(port, backlog_of(endpoint, self._backlog))
        self._ports[endpoint] = port
        self._accept(endpoint, tell=True)
        if self._is_running:
            self._log_address(port)

    def _accept(self, endpoint: str, *, tell: bool = False) -> None:
        """Accept at the port ourselves, if that is possible and wished."""
        if self._plain:
            return
        port = self._ports[endpoint]
        acceptor = take_over(port, self._factory, self._server.room, self._reactor)
        if acceptor is not None:
            self._acceptors[endpoint] = acceptor
        elif tell:
            reason = obstacle(port, self._factory)
            _log.info("Twisted's own transport is used, which is slower: {why}", why=reason)

    def _close(self, endpoint: str) -> Deferred[Any]:
        acceptor = self._acceptors.pop(endpoint, None)
        if acceptor is not None:
            acceptor.stop()
        return maybeDeferred(self._ports.pop(endpoint).stopListening)

    def _log_address(self, port: IListeningPort) -> None:
        _log.info("listening on {address}", address=spoken_address(port))

    # Signals.

    def _running(self) -> None:
        """From now on a signal is heeded, so whoever waits for these lines may send one."""
        reload = None if self._anew is None else self.reload
        take_signals(self._reactor, end=self.end, reload=reload, rotate=self._rotate)
        self._is_running = True
        for port in self._ports.values():
            self._log_address(port)
        self._tell_ready()
        self.on_running()

    def _tell_ready(self) -> None:
        if self._notifier is not None:
            self._notifier.ready("answering requests")

    def _rotate(self) -> None:
        if self._server.access_log is not None:
            self._server.access_log.write_now()

    # Another configuration.

    def reload(self) -> None:
        """Do as the configuration says now; go on as before if that can't be done."""
        if self._stopping or self._anew is None:
            return
        if self._notifier is not None:
            self._notifier.reloading()
        try:
            successor = self._anew()
        except CannotStart as error:
            _log.error("the configuration stays as it was: {problem}", problem=said_of(error))
        else:
            self._become(successor)
            _log.info("the configuration was read anew")
        self._tell_ready()

    def _become(self, other: "FileService") -> None:
        """Have ``other``'s server answer at our ports; ours finishes what it has."""
        server, factory = self._server, self._factory
        self._leaving = [each for each in self._leaving if not each.called]
        self._server, self._factory = other._server, other._factory
        self._plain, self._backlog = other._plain, other._backlog
        self._grace, self._delay = other._grace, other._delay
        self._endpoints = other._endpoints
        if isinstance(factory, GateKeeper):
            factory.behind = self._server
        for name in [*self._ports]:
            if name in self._endpoints:
                self._hand_over(name, factory)
            else:
                _log.info("no longer listening on {name}", name=name)
                self._leaving.append(self._close(name))
        for name in self._endpoints:
            if name not in self._ports:
                _ = maybeDeferred(self._endpoints[name].listen, self._factory).addCallbacks(
                    self._bound, self._can_not, callbackArgs=(name,), errbackArgs=(name,)
                )
        server.announce_end()
        self._leaving.append(server.stop(self._grace, PATIENCE))

    def _can_not(self, failure: Failure, endpoint: str) -> None:
        _log.error("can't listen on {e}: {reason}", e=endpoint, reason=reason_of(failure))

    def _hand_over(self, endpoint: str, before: Any) -> None:
        """Have the port of ``endpoint`` use our factory in place of the one ``before``."""
        port: Any = self._ports[endpoint]
        acceptor = self._acceptors.pop(endpoint, None)
        if acceptor is not None:
            acceptor.stop()
        self._factory.doStart()
        holder, attribute = port, "factory"
        while getattr(holder, attribute, before) is not before:  # as for TLS
            holder, attribute = getattr(holder, attribute), "wrappedFactory"
        setattr(holder, attribute, self._factory)
        before.doStop()
        set_backlog(port, backlog_of(endpoint, self._backlog))
        self._accept(endpoint)
        if endpoint not in self._acceptors and hasattr(port, "startReading"):
            port.startReading()


def reason_of(failure: Failure) -> str:
    """Return what went wrong, without the class names of Twisted's and Python's exceptions."""
    error = getattr(failure.value, "socketError", failure.value)
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or os.strerror(error.errno)
    return str(error)


def said_of(error: CannotStart) -> str:
    """Return the reason alone, for the log."""
    return str(error).removeprefix("tinyhttp: ").removesuffix(" (--help lists the options)")


def spoken_address(port: IListeningPort) -> str:
    """Return where ``port`` is, as people write it."""
    factory = type(getattr(port, "factory", None))
    scheme = "https" if factory.__module__ == "twisted.protocols.tls" else "http"
    address: Any = port.getHost()
    host = getattr(address, "host", None)
    if host is None:
        return f"unix:{os.fsdecode(getattr(address, 'name', None) or b'?')}"
    if host == "::":
        return f"port {address.port} of every address ({scheme}://localhost:{address.port}/)"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}/"


def assemble(
    reactor: Any,
    options: Options,
    endpoints: Mapping[str, IStreamServerEndpoint],
    *,
    log: int | None = None,
    anew: Callable[[], FileService] | None = None,
    notifier: Notifier | None = None,
) -> FileService:
    """Return the service of one process; raise `CannotStart` if ``options`` can't be met."""
    return FileService(
        reactor,
        make_server(reactor, options, log),
        endpoints,
        plain_transport=options["plain-transport"],
        backlog=options["backlog"],
        proxy_from=Networks(options["proxy-from"]),
        grace=options["grace"],
        delay=options["shutdown-delay"],
        anew=anew,
        notifier=notifier,
    )


def makeService(options: Options) -> Any:
    """Return the service that ``options`` describe; raise `CannotStart` if they can't be met."""
    from twisted.internet import reactor

    endpoints = make_endpoints(reactor, options)
    notifier = Notifier(reactor, os.environ)
    if options["workers"] > 1:
        from .supervisor import Supervisor

        service: Any = Supervisor(reactor, options, endpoints, notifier)
    else:

        def anew() -> FileService:
            now = options.again()
            return assemble(reactor, now, make_endpoints(reactor, now))

        service = assemble(reactor, options, endpoints, anew=anew, notifier=notifier)
    if options["check"]:
        print("tinyhttp: everything is as it should be")
        raise SystemExit(0)
    _log.info("tinyhttp serves {description}", description=description(options))
    return service
