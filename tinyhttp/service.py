"""Options on the command line, and the service that they describe.

Where reactor, threads and objects meet. twistd and twist come here through the plugin, ``python -m
tinyhttp`` and the ``tinyhttp`` command through `tinyhttp.__main__`.
"""

import os
import re
import signal
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from .core.fields import TOKEN
from .core.media_types import with_charset
from .core.networks import Networks
from .server.acceptor import Acceptor, obstacle, take_over
from .server.access_log import AccessLog
from .server.disk import Disk
from .server.listening import BACKLOG, EveryAddress, set_backlog
from .server.proxy_gate import GateKeeper
from .server.server import Server

__all__ = ["CannotStart", "FileService", "Options", "makeService"]

DEFAULT_PORT = "8000"
GRACE = 25
"""Seconds that responses under way get at the end: under the 30 s that Heroku, Kubernetes and
others allow before they kill."""

_MIME_TYPE = re.compile(
    r"\.?([^=/\s.]+)=(" + (TOKEN + b"/" + TOKEN).decode() + r"(?:;[\x20-\x7e]*)?)"
)
_PORT = re.compile(r"(?:tcp|tcp6|ssl):(?:port=)?(-?[0-9]{1,9})(?![0-9])")

_log = Logger()


class CannotStart(SystemExit, Exception):  # noqa: N818 (it is both, and says what it means)
    """The service can't start, for the reason given in one line.

    As a ``SystemExit`` it ends the process with that line and status 1 instead of a traceback; as
    an ``Exception`` it is passed on by twistd from a daemon to the terminal that started it.
    """

    def __init__(self, reason: str):
        super().__init__(f"tinyhttp: {reason}")


class Options(usage.Options):
    """Options of ``twistd tinyhttp``."""

    synopsis = "[options]"
    longdesc = "Serves the files of a directory over HTTP/1.1."

    optParameters: ClassVar[list[list[Any]]] = [
        [
            "port",
            None,
            None,
            "Port to listen on, on IPv4 and IPv6, or an endpoint string such as "
            "tcp:8000:interface=127.0.0.1. Without it and without --listen: the "
            f"environment's PORT, else {DEFAULT_PORT}.",
        ],
        ["path", None, ".", "Directory to serve."],
        [
            "threads",
            None,
            "4",
            "Threads that wait for the disk, so that the others do not have to. With 0 the "
            "reactor waits itself.",
        ],
        [
            "backlog",
            None,
            str(BACKLOG),
            "Connections that the kernel holds until they are accepted, unless an endpoint says.",
        ],
        ["access-log", None, "-", "File to append a line per answer to; '-': standard output; "
         "'none': nothing."],
    ]  # fmt: skip

    optFlags: ClassVar[list[list[Any]]] = [
        [
            "hidden-files",
            None,
            "Serve names that start with a dot too. Without it they are not found, but for "
            "/.well-known/.",
        ],
        [
            "follow-symlinks",
            None,
            "Follow symbolic links that lead out of the directory. Without it they are not found.",
        ],
        [
            "plain-transport",
            None,
            "Use Twisted's own transport. Slower; to find out whether ours is at fault.",
        ],
    ]

    compData = usage.Completions(
        multiUse=["listen", "index", "mime-type", "proxy-from"],
        optActions={
            "path": usage.CompleteDirs(descr="directory to serve"),
            "access-log": usage.CompleteFiles(descr="file, '-' or 'none'"),
            "port": usage.Completer(descr="port or endpoint"),
            "listen": usage.Completer(descr="endpoint"),
            "proxy-from": usage.Completer(descr="networks"),
            "index": usage.CompleteList(["index.html", "index.htm"], descr="file name"),
            "threads": usage.Completer(descr="number"),
            "backlog": usage.Completer(descr="number"),
            "mime-type": usage.Completer(descr="EXT=TYPE"),
        },
    )

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["index"] = []
        self["mime-types"] = {}
        self["proxy-from"] = []

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse ``options``; raise `CannotStart` with one clear line for whatever is wrong."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise CannotStart(f"{error} (--help lists the options)") from None

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint to listen on, e.g. unix:/run/tinyhttp.sock. May be repeated."""
        self["listen"].append(endpoint)

    def opt_proxy_from(self, networks: str) -> None:
        """Expect PROXY headers, and only these balancers: CIDR,... or unix. May be repeated."""
        names = [name.strip() for name in networks.split(",")]
        try:
            Networks(names)
        except ValueError as error:
            raise usage.UsageError(
                f"--proxy-from {networks!r}: {error}; wanted are networks such as 10.0.0.0/8, "
                "single addresses, or unix"
            ) from None
        self["proxy-from"] += names

    def opt_index(self, name: str) -> None:
        """File that stands for its directory. May be repeated. [default: index.html]."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise usage.UsageError(f"--index {name!r}: a file name is wanted, without a slash")
        self["index"].append(name)

    def opt_mime_type(self, rule: str) -> None:
        """EXT=TYPE: the media type of files with that extension. May be repeated."""
        m = _MIME_TYPE.fullmatch(rule)
        if m is None:
            raise usage.UsageError(
                f"--mime-type {rule!r}: EXT=TYPE is wanted, such as log=text/plain"
            )
        self["mime-types"][os.fsencode(m[1].lower())] = with_charset(m[2])

    def opt_version(self) -> None:
        """Display the versions of tinyhttp and Twisted, and exit."""
        from twisted import __version__ as twisted_version

        from . import __version__

        print(f"tinyhttp {__version__}, Twisted {twisted_version}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check what can be checked without opening anything."""
        self["threads"] = _whole_number("--threads", self["threads"], 1000)
        self["backlog"] = _whole_number("--backlog", self["backlog"], 65535)
        self["path"] = _directory(self["path"])
        self["endpoints"] = self["listen"] + self._port()
        if self["proxy-from"]:
            _check_proxied(self["endpoints"])

    def _port(self) -> list[str | int]:
        port, source = self["port"], "--port"
        if port is None:
            if self["listen"]:
                return []
            port, source = os.environ.get("PORT", DEFAULT_PORT), "the environment's PORT"
        if ":" in port:
            return [port]
        return [_whole_number(source, port, 65535)]


def _check_proxied(endpoints: list[str | int]) -> None:
    """Refuse endpoints that expect TLS before the PROXY header, which comes first."""
    for endpoint in endpoints:
        if isinstance(endpoint, str) and endpoint.startswith(("ssl:", "tls:", "haproxy:")):
            raise usage.UsageError(
                f"--proxy-from does not go with {endpoint}: the PROXY header comes before TLS; "
                "let the balancer end TLS, and listen with tcp:"
            )


def _whole_number(source: str, value: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", value) or int(value) > most:
        raise usage.UsageError(f"{source} {value!r}: a number from 0 to {most} is wanted")
    return int(value)


def _directory(path: str) -> str:
    if not path:
        raise usage.UsageError("--path: a directory is wanted, not nothing")
    path = os.path.abspath(path)
    if not os.path.exists(path):
        raise usage.UsageError(f"--path {path}: there is no such directory")
    if not os.path.isdir(path):
        raise usage.UsageError(f"--path {path}: that is not a directory")
    as_we_are = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=as_we_are):
        raise usage.UsageError(f"--path {path}: that directory can't be read")
    return path


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
        self._listening = False
        self._started = False
        self._is_running = False
        self._problem = ""
        self._stopping = False

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
        return DeferredList([*closed, self._server.stop(GRACE)])

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

    def _signalled(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._end)

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
    access_log = _access_log(reactor, options["access-log"])
    try:
        server = Server(
            options["path"],
            reactor=reactor,
            index=options["index"] or ["index.html"],
            hidden_files=bool(options["hidden-files"]),
            follow_symlinks=bool(options["follow-symlinks"]),
            media_types=options["mime-types"],
            threads=options["threads"],
            access_log=access_log,
        )
    except OSError as error:
        raise CannotStart(f"--path {options['path']}: {error.strerror}") from None
    _log.info("tinyhttp serves {description}", description=_description(options))
    return FileService(
        reactor,
        server,
        endpoints,
        plain_transport=bool(options["plain-transport"]),
        backlog=options["backlog"],
        proxy_from=Networks(options["proxy-from"]),
    )


def _endpoint(reactor: Any, description: str | int, backlog: int) -> IStreamServerEndpoint:
    if isinstance(description, int):
        return EveryAddress(reactor, description, backlog)
    m = _PORT.match(description)
    if m is not None and not 0 <= int(m[1]) <= 65535:
        raise CannotStart(f"endpoint {description!r}: a port from 0 to 65535 is wanted")
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as error:
        # Endpoint parsers are plugins and raise what they like.
        raise CannotStart(f"endpoint {description!r} is not understood: {error}") from None
    return endpoint


def _access_log(reactor: Any, destination: str) -> AccessLog | None:
    if destination == "none":
        return None
    descriptor = 1
    if destination != "-":
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(destination, flags, 0o644)
        except OSError as error:
            raise CannotStart(f"--access-log {destination}: {error.strerror}") from None
    return AccessLog(reactor, Disk(reactor, 1), descriptor)


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
