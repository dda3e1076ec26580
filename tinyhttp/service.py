"""The service that the options describe.

Where reactor, threads and objects meet. twistd and twist come here through the plugin, ``python -m
tinyhttp`` and the ``tinyhttp`` command through `tinyhttp.__main__`.
"""

import os
import re
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from .core.networks import Networks
from .core.request import Limits
from .options import GRACE, CannotStart, Options
from .server.acceptor import Acceptor, obstacle, take_over
from .server.access_log import AccessLog, open_log
from .server.disk import Disk
from .server.listening import BACKLOG, EveryAddress, set_backlog
from .server.proxy_gate import GateKeeper
from .server.server import Server, Timeouts
from .site.site import Capacity

__all__ = ["CannotStart", "FileService", "Options", "makeService"]

_PORT = re.compile(r"(?:tcp|tcp6|ssl):(?:port=)?(-?[0-9]{1,9})(?![0-9])")

_log = Logger()


class FileService(Service):
    """Listens with a `Server` on ``endpoints``, and lets it finish its work at the end."""

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
    ):
        self._reactor = reactor
        self._server = server
        self._factory: Any = server
        if proxy_from:
            self._factory = GateKeeper(server, proxy_from, server.deadlines)
        self._endpoints = endpoints
        self._ports: list[IListeningPort] = []
        self._acceptors: list[Acceptor] = []
        self._plain = plain_transport
        self._backlog = backlog
        self._grace = grace
        self._listening = False
        self._started = False
        self._is_running = False
        self._problem = ""
        self._stopping = False
        self._rotate: Any = None

    def privilegedStartService(self) -> None:
        """Listen, while there may still be the right to; raise `CannotStart` if it fails."""
        super().privilegedStartService()
        self._listening = True
        for name, endpoint in self._endpoints.items():
            _ = maybeDeferred(endpoint.listen, self._factory).addCallbacks(
                self._bound, self._failed, callbackArgs=(name,), errbackArgs=(name,)
            )
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
        for acceptor in self._acceptors:
            acceptor.stop()
        self._acceptors = []
        closed = [maybeDeferred(port.stopListening) for port in self._ports]
        self._ports = []
        return DeferredList([*closed, self._server.stop(self._grace)])

    def _failed(self, failure: Failure, endpoint: str) -> None:
        self._problem = f"can't listen on {endpoint}: {_reason(failure)}"
        if self._started:  # an endpoint that takes its time: there is nobody left to raise to
            _log.critical("{problem}", problem=self._problem)
            self._end()

    def _bound(self, port: IListeningPort, endpoint: str) -> None:
        if "backlog=" not in endpoint and not endpoint.startswith("systemd:"):
            set_backlog(port, self._backlog)
        if not self._plain:
            acceptor = take_over(port, self._factory, self._server.room, self._reactor)
            if acceptor is None:
                reason = obstacle(port, self._factory)
                _log.info("Twisted's own transport is used, which is slower: {why}", why=reason)
            else:
                self._acceptors.append(acceptor)
        self._ports.append(port)
        if self._is_running:
            self._log_address(port)

    def _log_address(self, port: IListeningPort) -> None:
        factory = type(getattr(port, "factory", None))
        scheme = "https" if factory.__module__ == "twisted.protocols.tls" else "http"
        _log.info("listening on {address}", address=_address(scheme, port.getHost()))

    def _running(self) -> None:
        """From now on a signal is heeded, so whoever waits for these lines may send one."""
        self._take_signals()
        self._is_running = True
        for port in self._ports:
            self._log_address(port)

    def _take_signals(self) -> None:
        """End with status 0 on TERM and INT, however often they are sent.

        The reactor's own handlers make the process die of the signal, after it has finished its
        work, which supervisors take for a crash; and a second signal makes them raise.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(signal.getsignal(number)):
                signal.signal(number, self._signalled)
        # The signal by which logs are rotated; twistd may have a use for it as well.
        self._rotate = signal.getsignal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, self._told_to_rotate)

    def _signalled(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._end)

    def _told_to_rotate(self, number: int, frame: FrameType | None) -> None:
        if callable(self._rotate):
            self._rotate(number, frame)
        if self._server.access_log is not None:
            self._reactor.callFromThread(self._server.access_log.write_now)

    def _end(self) -> None:
        if not self._stopping:
            self._stopping = True
            _log.info("finishing the responses under way")
            self._reactor.stop()


def _reason(failure: Failure) -> str:
    """Return what went wrong, without the class names of Twisted's and Python's exceptions."""
    error = getattr(failure.value, "socketError", failure.value)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error)


def _address(scheme: str, address: Any) -> str:
    host = getattr(address, "host", None)
    if host is None:
        return f"unix:{os.fsdecode(getattr(address, 'name', None) or b'?')}"
    if host == "::":
        return f"port {address.port} of every address ({scheme}://localhost:{address.port}/)"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}/"


def makeService(options: Options) -> FileService:
    """Return the service that ``options`` describe; raise `CannotStart` if they can't be met."""
    from twisted.internet import reactor

    endpoints = {
        f"port {wish}" if isinstance(wish, int) else wish: _endpoint(
            reactor, wish, options["backlog"]
        )
        for wish in options["endpoints"]
    }
    server = _server(reactor, options)
    if options["check"]:
        print("tinyhttp: everything is as it should be")
        raise SystemExit(0)
    _log.info("tinyhttp serves {description}", description=_description(options))
    return FileService(
        reactor,
        server,
        endpoints,
        plain_transport=bool(options["plain-transport"]),
        backlog=options["backlog"],
        proxy_from=Networks(options["proxy-from"]),
        grace=options["grace"],
    )


def _server(reactor: Any, options: Options) -> Server:
    access_log = _access_log(reactor, options["access-log"])
    try:
        return Server(
            options["path"],
            reactor=reactor,
            index=options["index"] or ["index.html"],
            hidden_files=bool(options["hidden-files"]),
            follow_symlinks=bool(options["follow-symlinks"]),
            media_types=options["mime-types"],
            threads=options["threads"],
            limits=Limits(
                request_line=options["max-request-line"],
                head=options["max-head"],
                fields=options["max-fields"],
                body=options["max-body"],
            ),
            timeouts=Timeouts(
                head=options["head-timeout"],
                idle=options["idle-timeout"],
                stall=options["stall-timeout"],
                linger=options["linger-timeout"],
            ),
            capacity=Capacity(
                files=options["cache-files"],
                octets=options["cache-size"],
                descriptors=options["cache-descriptors"],
                others=options["cache-misses"],
            ),
            access_log=access_log,
        )
    except OSError as error:
        raise CannotStart(f"--path {options['path']}: {error.strerror}") from None


def _endpoint(reactor: Any, description: str | int, backlog: int) -> IStreamServerEndpoint:
    if isinstance(description, int):
        return EveryAddress(reactor, description, backlog)
    m = _PORT.match(description)
    if m is not None and not 0 <= int(m[1]) <= 65535:
        raise CannotStart(f"endpoint {description!r}: a port from 0 to 65535 is wanted")
    # Here, as it costs a MiB of memory that a port alone does without.
    from twisted.internet.endpoints import serverFromString

    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as error:
        # Endpoint parsers are plugins and raise what they like.
        raise CannotStart(f"endpoint {description!r} is not understood: {error}") from None
    return endpoint


def _access_log(reactor: Any, destination: str) -> AccessLog | None:
    if destination == "none":
        return None
    if destination == "-":
        return AccessLog(reactor, Disk(reactor, 1), 1)
    path = os.path.abspath(destination)  # a daemon goes elsewhere
    try:
        descriptor = open_log(path)
    except OSError as error:
        raise CannotStart(f"--access-log {destination}: {error.strerror}") from None
    return AccessLog(reactor, Disk(reactor, 1), descriptor, path=path)


def _description(options: Options) -> str:
    log = {"-": "standard output", "none": "none"}.get(options["access-log"], options["access-log"])
    parts = [
        options["path"],
        f"index: {', '.join(options['index'] or ['index.html'])}",
        f"threads: {options['threads']}",
        f"access log: {log}",
    ]
    if options["hidden-files"]:
        parts.append("hidden files: served")
    if options["proxy-from"]:
        parts.append(f"PROXY protocol from: {', '.join(options['proxy-from'])}")
    if options["follow-symlinks"]:
        parts.append("links out of the directory: followed")
    return "; ".join(parts)
