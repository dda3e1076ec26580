"""How the parts are put together as the options say: server, log, endpoints.

Whatever can't be had raises `CannotStart`, with a line that names the option.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from .core.forwarded import TrustedProxies
from .core.networks import Networks
from .core.request import Limits
from .options import CannotStart, Options
from .server.access_log import AccessLog
from .server.board import Slot
from .server.disk import Disk
from .server.inheriting import Borrowing, Inheriting
from .server.listening import EveryAddress, Preparing, remove_stale
from .server.log_destination import LogFile, open_destination, open_log
from .server.quotas import Quotas
from .server.server import Server, Timeouts
from .site.site import Capacity
from .sites import Sites, read_sites
from .watching import Watching

_log = Logger()

__all__ = [
    "backlog_of",
    "description",
    "make_certificates",
    "make_endpoints",
    "make_server",
    "make_watching",
    "name_of",
    "open_access_log",
]

_PORT = re.compile(r"(?:tcp|tcp6|ssl):(?:port=)?(-?[0-9]+)(?![0-9])")
_UNIX = re.compile(r"unix:(?:address=)?((?:[^:\\]|\\.)*)")
_BACKLOG = re.compile(r":backlog=([0-9]{1,9})(?![0-9])")


def make_server(
    reactor: Any,
    options: Options,
    watching: Watching | None = None,
    log: int | None = None,
    worker: int | None = None,
    sites: Sites | None = None,
) -> Server:
    """Return the server; ``log`` is the descriptor of its access log, if that is open already.

    ``worker`` is the number of this process, if it is one of several. ``sites`` are what
    `read_sites` returns, if that has been done.
    """
    site, hosts = read_sites(reactor, options) if sites is None else sites
    access_log = _access_log(reactor, options, log, worker)
    try:
        server = Server(
            **site,
            hosts=hosts,
            reactor=reactor,
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
                encoded=options["cache-encoded"],
                others=options["cache-misses"],
            ),
            quotas=_quotas(options),
            access_log=access_log,
            trusted_proxies=_trusted_proxies(options),
            request_id=options["request-id"],
            tally=None if watching is None else watching.tally,
            pages=None if watching is None else watching.pages(options["health-path"] or None),
        )
    except OSError as error:
        if access_log is not None:
            _ = access_log.close()
        path = error.filename or options["path"]
        raise CannotStart(f"--path {path}: {error.strerror}") from None
    try:
        server.passwords = _passwords(reactor, server)
    except CannotStart:
        _ = server.stop()
        raise
    return server


def _passwords(reactor: Any, server: Server) -> Any:
    """Return who knows the passwords, ``None`` if none are asked for."""
    accesses = [access for host in server.hosts.every for access in host.policy.accesses]
    if not accesses:
        return None
    from .server.password_tables import CannotLoad
    from .server.passwords import Passwords

    try:
        passwords = Passwords(
            {access.source for access in accesses},
            reactor=reactor,
            disk=server.disk,
            environ=os.environ,
        )
    except CannotLoad as error:
        raise CannotStart(f"--auth: {error}") from None
    for problem in passwords.warnings:
        _log.warn("{problem}", problem=problem)
    return passwords


def _quotas(options: Options) -> Quotas:
    return Quotas(
        connections=options["max-connections"],
        client_connections=options["client-connections"],
        client_rate=options["client-rate"],
        client_burst=options["client-burst"],
        bandwidth=options["bandwidth"],
        receive_rate=options["min-receive-rate"],
        receive_grace=options["receive-grace"],
        send_rate=options["min-send-rate"],
        send_window=options["send-window"],
        exempt=Networks(options["exempt"]),
    )


def make_certificates(reactor: Any, options: Options, server: Server) -> Any:
    """Return the `Certificates` that are named, ``None`` if there are none."""
    if not options["tls-pairs"]:
        return None
    # Here, as these cost 18 MiB of memory.
    try:
        from .server.certificates import Certificates
        from .server.key_pair import BadCertificate, KeyPair
    except ModuleNotFoundError as error:
        raise CannotStart(
            f"--tls-cert: {error.name} is missing; pip install 'twisted-tinyhttp[tls]' brings it"
        ) from None
    pairs = [KeyPair(certificate, key) for certificate, key in options["tls-pairs"]]
    try:
        return Certificates(pairs, reactor=reactor, disk=server.disk)
    except BadCertificate as error:
        raise CannotStart(f"--tls-cert: {error}") from None


def _trusted_proxies(options: Options) -> TrustedProxies | None:
    networks = Networks(options["trusted-proxy"])
    return TrustedProxies(networks, options["forwarded-by"]) if networks else None


def make_watching(reactor: Any, options: Options, slot: Slot | None = None) -> Watching:
    """Return what is shown to those who watch; with a ``slot``, of all processes."""
    endpoints = {
        name: _from_string(reactor, options[name]) if options[name] else None
        for name in ("admin", "agent-check")
    }
    return Watching(
        reactor,
        admin=endpoints["admin"],
        agent_check=endpoints["agent-check"],
        unready=options["unready-status"],
        slot=slot,
    )


# Where to listen.


def name_of(wish: str | int) -> str:
    """Return what a member of ``options["endpoints"]`` is called in messages."""
    return f"port {wish}" if isinstance(wish, int) else wish


def make_endpoints(
    reactor: Any, options: Options, inherited: Sequence[int] | None = None
) -> dict[str, IStreamServerEndpoint]:
    """Return the endpoints by name; they use the ``inherited`` descriptors, in order, if any."""
    wishes = [*options["endpoints"], *options["tls-endpoints"]]
    if inherited is None:
        return {name_of(wish): _endpoint(reactor, wish, options) for wish in wishes}
    made: dict[str, IStreamServerEndpoint] = {}
    for wish, descriptor in zip(wishes, inherited, strict=True):
        source = Inheriting(reactor, descriptor)
        if isinstance(wish, int) or wish.startswith("systemd:"):
            made[name_of(wish)] = source
        else:
            made[name_of(wish)] = _from_string(source, wish)
    return made


def backlog_of(endpoint: str, default: int) -> int:
    """Return how many connections should wait for the endpoint of that name."""
    m = _BACKLOG.search(endpoint)
    return int(m[1]) if m else default


def _endpoint(reactor: Any, wish: str | int, options: Options) -> IStreamServerEndpoint:
    socket_options = options["socket-option"]
    if isinstance(wish, int):
        return EveryAddress(reactor, wish, options["backlog"], socket_options)
    m = _PORT.match(wish)
    if m is not None and not 0 <= int(m[1][:9]) <= 65535:
        raise CannotStart(f"endpoint {wish!r}: a port from 0 to 65535 is wanted")
    if wish.startswith("systemd:"):
        return _from_string(Borrowing(reactor), wish)
    endpoint = _from_string(Preparing(reactor, socket_options) if socket_options else reactor, wish)
    m = None if options["check"] else _UNIX.match(wish)
    if m is not None:
        try:
            remove_stale(re.sub(r"\\(.)", r"\1", m[1]))
        except OSError as error:
            raise CannotStart(f"endpoint {wish!r}: {error.strerror}") from None
    return endpoint


def _from_string(reactor: Any, wish: str) -> IStreamServerEndpoint:
    # Here, as it costs a MiB of memory that a port alone does without.
    from twisted.internet.endpoints import serverFromString

    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, wish)
    except Exception as error:
        # Endpoint parsers are plugins and raise what they like.
        raise CannotStart(f"endpoint {wish!r} is not understood: {error}") from None
    return endpoint


# The access log.


def open_access_log(destination: str) -> int | None:
    """Return a descriptor for the lines, ``None`` if they do not go to a file."""
    if destination == "none" or destination.partition(":")[0] == "syslog":
        return None
    if destination == "-":
        return 1
    try:
        return open_log(destination)
    except OSError as error:
        raise CannotStart(f"--access-log {destination}: {error.strerror}") from None


def _access_log(
    reactor: Any, options: Options, descriptor: int | None, worker: int | None
) -> AccessLog | None:
    name = options["access-log"]
    if name == "none":
        return None
    try:
        destination = open_destination(name) if descriptor is None else LogFile(descriptor, name)
    except ValueError as error:
        raise CannotStart(f"--access-log {error}") from None
    except OSError as error:
        raise CannotStart(f"--access-log {name}: {error.strerror or error}") from None
    disk, form = Disk(reactor, 1), options["access-log-format"]
    return AccessLog(reactor, disk, destination, form=form, worker=worker)


def description(options: Mapping[str, Any]) -> str:
    """Return what is served, and what is switched on, in one line."""
    log = {"-": "standard output"}.get(options["access-log"], options["access-log"])
    parts = [
        options["path"],
        f"index: {', '.join(options['index'] or ['index.html'])}",
        f"threads: {options['threads']}",
        f"access log: {log}",
    ]
    if options["workers"] > 1:
        parts.append(f"workers: {options['workers']}")
    if options["tls-pairs"]:
        parts.append(f"TLS: {', '.join(name_of(each) for each in options['tls-endpoints'])}")
    if options["compress"]:
        parts.append(f"compressed on demand: {', '.join(options['compress'])}")
    if options["manifest"]:
        parts.append(f"manifest: {options['manifest']}")
    if options["hidden-files"]:
        parts.append("hidden files: served")
    if options["proxy-from"]:
        parts.append(f"PROXY protocol from: {', '.join(options['proxy-from'])}")
    if options["trusted-proxy"]:
        parts.append(f"trusted proxies: {', '.join(options['trusted-proxy'])}")
    if options["follow-symlinks"]:
        parts.append("links out of the directory: followed")
    return "; ".join(parts)
