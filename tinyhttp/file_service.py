"""Listens, answers, takes another configuration, and ends: the server in one process.

Where reactor, threads and objects meet. `tinyhttp.service` makes it.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .assembly import (
    backlog_of,
)
from .core.networks import Networks
from .options import GRACE, CannotStart
from .roots import Roots
from .server.acceptor import Acceptor, obstacle, take_over
from .server.listening import BACKLOG, set_backlog
from .server.notify import Notifier
from .server.proxy_gate import GateKeeper
from .server.server import WELCOME, Server
from .signals import take_signals
from .watching import Watching

__all__ = ["PATIENCE", "FileService", "reason_of", "said_of", "spoken_address"]

_OVER_TLS = frozenset(("twisted.protocols.tls", "tinyhttp.server.tls"))

PATIENCE = 2.0
"""Seconds for a client's next request when a process or configuration is replaced by another."""

_log = Logger()


class FileService(Service):
    """Listens with a `Server` on ``endpoints``, and lets it finish its work at the end.

    ``anew`` makes the service that the configuration describes now, of which this one takes over
    everything but the ports that it has already; it raises `CannotStart`, or returns a Deferred.
    That is done at ``HUP``, and when ``roots`` lead elsewhere; ``on_reloaded`` is called behind it,
    whether it could be done or not.
    """

    def __init__(
        self,
        reactor: Any,
        server: Server,
        endpoints: Mapping[str, IStreamServerEndpoint],
        *,
        options: Any = None,
        plain_transport: bool = False,
        backlog: int = BACKLOG,
        proxy_from: Networks | None = None,
        certificates: Any = None,
        encrypted: Collection[str] = (),
        grace: float = GRACE,
        delay: float = 0,
        anew: Callable[[], "FileService | Deferred[FileService]"] | None = None,
        on_reloaded: Callable[[], object] = lambda: None,
        roots: Roots | None = None,
        notifier: Notifier | None = None,
        watching: Watching | None = None,
    ):
        self.options = options
        """What it was made from."""
        self._reactor = reactor
        self._server = server
        self._certificates = certificates
        self._factory = _gated(server, server, proxy_from)
        self._tls: Any = None
        self._encrypted = frozenset(encrypted)
        if certificates is not None:
            from .server.tls import TLSFactory

            layered = TLSFactory(server, certificates, server.deadlines)
            self._tls = _gated(layered, server, proxy_from)
        self._endpoints = endpoints
        self._ports: dict[str, IListeningPort] = {}
        self._acceptors: dict[str, Acceptor] = {}
        self._plain = plain_transport
        self._backlog = backlog
        self._grace = grace
        self._delay = delay
        self._anew = anew
        self._on_reloaded = on_reloaded
        self._roots = roots
        self._notifier = notifier
        self._watching = watching or Watching(reactor)
        self._be_watched()
        self._listening = False
        self._started = False
        self._is_running = False
        self._problem = ""
        self._stopping = False
        self._reloading = self._once_more = False
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
        self._watching.listen(self._watched, self._failed)
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
        if self._roots is not None:
            self._roots.stop()
        if self._notifier is not None:
            self._notifier.stopping()
        return Deferred.fromCoroutine(self._drain())

    def _be_watched(self) -> None:
        """Have the figures be ours, and no longer those of whoever was made in between."""
        self._watching.watch(self._server)
        tally, certificates = self._watching.tally, self._certificates
        refusals = self._server.refusals
        if tally is not None:
            tally.refused_elsewhere = lambda: refusals.counts
            tally.certificate_expiry = lambda: certificates.expires_soonest if certificates else 0

    def _factory_of(self, endpoint: str) -> Any:
        return self._tls if endpoint in self._encrypted else self._factory

    async def _drain(self) -> None:
        if not self._patience:  # else another process goes on, and clients are wanted
            self._watching.drain()
        self._server.announce_end()
        if self._delay and not self._patience:
            # Balancers that ask whether we are ready have so long to stop sending clients.
            await deferLater(self._reactor, self._delay)
        self._server.room.settle()  # answer what has arrived, and accept who has
        await self._welcome()
        closed = [self._close(name) for name in [*self._ports]]
        ended = self._server.stop(self._grace, self._patience)
        await DeferredList([*closed, ended, *self._leaving])
        await self._watching.stop()
        if self._notifier is not None:
            self._notifier.close()

    async def _welcome(self) -> None:
        """Accept nobody more, and let those come in who are at the door: in a TLS handshake."""
        for name, port in self._ports.items():
            if name in self._acceptors:
                self._acceptors.pop(name).stop()
            elif hasattr(port, "stopReading"):
                port.stopReading()
        if any(
            getattr(each, "waiting", ()) for each in (*_chain(self._factory), *_chain(self._tls))
        ):
            await deferLater(self._reactor, min(WELCOME, self._grace))

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
        _ = maybeDeferred(self._endpoints[name].listen, self._factory_of(name)).addCallbacks(
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
        factory = self._factory_of(endpoint)
        acceptor = take_over(port, factory, self._server.room, self._reactor)
        if acceptor is not None:
            self._acceptors[endpoint] = acceptor
        elif tell:
            reason = obstacle(port, factory)
            _log.info("Twisted's own transport is used, which is slower: {why}", why=reason)

    def _close(self, endpoint: str) -> Deferred[Any]:
        acceptor = self._acceptors.pop(endpoint, None)
        if acceptor is not None:
            acceptor.stop()
        return maybeDeferred(self._ports.pop(endpoint).stopListening)

    def _watched(self, port: IListeningPort, option: str) -> None:
        _log.info("{option} is at {address}", option=option, address=spoken_address(port))

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
        self._watching.begin()
        if self._roots is not None:
            self._roots.begin(self.reload)
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
        """Do as the configuration says now; go on as before if that can't be done.

        While that is under way, it is done once more afterwards: the configuration may be another
        by then.
        """
        if self._stopping or self._anew is None:
            return
        if self._reloading:
            self._once_more = True
            return
        self._reloading = True
        if self._notifier is not None:
            self._notifier.reloading()
        made = Deferred.fromCoroutine(self._take(self._anew))
        _ = made.addErrback(self._not_made).addBoth(self._reloaded)

    async def _take(self, anew: Callable[[], Any]) -> None:
        """Become what ``anew`` makes; raise `CannotStart`, and be as before, if it can't listen."""
        successor: FileService = await maybeDeferred(anew)
        opened: dict[str, IListeningPort] = {}
        try:
            await self._open(successor, opened)
        finally:
            is_wanted = opened.keys() | self._ports.keys() >= successor._endpoints.keys()
            if self._stopping or not is_wanted:
                for port in opened.values():
                    _ = maybeDeferred(port.stopListening)
                _ = successor._server.stop()
                self._be_watched()
        if not self._stopping:
            self._become(successor, opened)
            _log.info("the configuration was read anew")

    async def _open(self, other: "FileService", opened: dict[str, IListeningPort]) -> None:
        """Listen where ``other`` wants to and we do not; put the ports into ``opened``."""
        for name, endpoint in other._endpoints.items():
            if name in self._ports or self._stopping:
                continue
            try:
                opened[name] = await maybeDeferred(endpoint.listen, other._factory_of(name))
            except Exception:
                raise CannotStart(f"can't listen on {name}: {reason_of(Failure())}") from None

    def _not_made(self, failure: Failure) -> None:
        if isinstance(failure.value, CannotStart):
            problem = said_of(failure.value)
            _log.error("the configuration stays as it was: {problem}", problem=problem)
        else:
            text = "an error of the server's own; the configuration stays as it was"
            _log.failure(text, failure)

    def _reloaded(self, result: object) -> None:
        if isinstance(result, Failure):
            _log.failure("an error of the server's own", result)
        self._reloading = False
        if self._stopping:
            return
        self._on_reloaded()
        self._tell_ready()
        if self._once_more:
            self._once_more = False
            self.reload()

    def _become(self, other: "FileService", opened: Mapping[str, IListeningPort]) -> None:
        """Have ``other``'s server answer at our ports, and at those ``opened`` for it.

        Ours finishes what it has.
        """
        server = self._server
        factories = {name: self._factory_of(name) for name in self._ports}
        self._leaving = [each for each in self._leaving if not each.called]
        self._server, self._factory = other._server, other._factory
        self._tls, self._encrypted = other._tls, other._encrypted
        self._certificates, self.options = other._certificates, other.options
        self._be_watched()
        self._plain, self._backlog = other._plain, other._backlog
        self._grace, self._delay = other._grace, other._delay
        self._endpoints = other._endpoints
        for name in [*self._ports]:
            if name in self._endpoints:
                self._hand_over(name, factories[name])
            else:
                _log.info("no longer listening on {name}", name=name)
                self._leaving.append(self._close(name))
        for name, port in opened.items():
            self._bound(port, name)
        left = [factories[name] for name in self._ports if name in factories]
        self._leaving.append(Deferred.fromCoroutine(self._leave(server, left)))

    async def _leave(self, server: Server, factories: Sequence[Any]) -> None:
        """Let ``server`` finish, and before that those come in who are at its door."""
        server.announce_end()
        await deferLater(self._reactor, PATIENCE)
        for factory in factories:
            factory.doStop()
        await server.stop(self._grace)

    def _hand_over(self, endpoint: str, before: Any) -> None:
        """Have the port of ``endpoint`` use our factory in place of the one ``before``."""
        port: Any = self._ports[endpoint]
        acceptor = self._acceptors.pop(endpoint, None)
        if acceptor is not None:
            acceptor.stop()
        after = self._factory_of(endpoint)
        after.doStart()
        holder, attribute = port, "factory"
        while getattr(holder, attribute, before) is not before:  # as for TLS
            holder, attribute = getattr(holder, attribute), "wrappedFactory"
        setattr(holder, attribute, after)
        if isinstance(before, GateKeeper):  # who waits there is let in to the new server
            before.behind = after.factory if isinstance(after, GateKeeper) else after
        set_backlog(port, backlog_of(endpoint, self._backlog))
        self._accept(endpoint)
        if endpoint not in self._acceptors and hasattr(port, "startReading"):
            port.startReading()


def _gated(factory: Any, server: Server, proxy_from: Networks | None) -> Any:
    """Return ``factory``, behind a gate if balancers are to say whom they bring."""
    return GateKeeper(factory, proxy_from, server.deadlines) if proxy_from else factory


def _chain(factory: Any) -> Iterator[Any]:
    """Give ``factory``, and those that it stands in front of."""
    while factory is not None:
        yield factory
        factory = getattr(factory, "factory", None)


def reason_of(failure: Failure) -> str:
    """Return what went wrong, without the class names of Twisted's and Python's exceptions."""
    error = getattr(failure.value, "socketError", failure.value)
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or os.strerror(error.errno)
    return str(error)


def said_of(error: CannotStart) -> str:
    """Return the reason alone, for the log."""
    return str(error).removeprefix("tinyhttp: ").removesuffix(" (--help lists the options)")


def spoken_address(port: IListeningPort, *, encrypted: bool = False) -> str:
    """Return where ``port`` is, as people write it."""
    modules = {type(each).__module__ for each in _chain(getattr(port, "factory", None))}
    scheme = "https" if encrypted or modules & _OVER_TLS else "http"
    address: Any = port.getHost()
    host = getattr(address, "host", None)
    if host is None:
        return f"unix:{os.fsdecode(getattr(address, 'name', None) or b'?')}"
    if host == "::":
        return f"port {address.port} of every address ({scheme}://localhost:{address.port}/)"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}/"
