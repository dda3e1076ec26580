"""The service that the options describe, in one process.

Where reactor, threads and objects meet. twistd and twist come here through the plugin, ``python -m
tinyhttp`` and the ``tinyhttp`` command through `tinyhttp.__main__`. With several workers each of
them runs this service, and `tinyhttp.supervisor` runs them.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import provider

from .assembly import (
    description,
    make_certificates,
    make_endpoints,
    make_server,
    make_watching,
    name_of,
)
from .core.networks import Networks
from .file_service import FileService, spoken_address
from .options import CannotStart, Options
from .roots import Roots
from .server.notify import Notifier
from .sites import Sites, read_sites
from .watching import Watching

__all__ = ["CannotStart", "FileService", "Options", "assemble", "makeService", "spoken_address"]

_log = Logger()


def assemble(
    reactor: Any,
    options: Options,
    endpoints: Mapping[str, IStreamServerEndpoint],
    watching: Watching,
    *,
    log: int | None = None,
    worker: int | None = None,
    sites: Sites | None = None,
    anew: Callable[[], FileService | Deferred[FileService]] | None = None,
    on_reloaded: Callable[[], object] = lambda: None,
    roots: Roots | None = None,
    notifier: Notifier | None = None,
) -> FileService:
    """Return the service of one process; raise `CannotStart` if ``options`` can't be met."""
    server = make_server(reactor, options, watching, log, worker, sites)
    try:
        certificates = make_certificates(reactor, options, server)
    except CannotStart:
        _ = server.stop()
        raise
    return FileService(
        reactor,
        server,
        endpoints,
        options=options,
        plain_transport=options["plain-transport"],
        backlog=options["backlog"],
        proxy_from=Networks(options["proxy-from"]),
        certificates=certificates,
        encrypted=[name_of(each) for each in options["tls-endpoints"]],
        grace=options["grace"],
        delay=options["shutdown-delay"],
        anew=anew,
        on_reloaded=on_reloaded,
        roots=roots,
        notifier=notifier,
        watching=watching,
    )


async def read_anew(reactor: Any, options: Options, roots: Roots) -> tuple[Options, Sites]:
    """Return ``options`` and the sites as they are said to be now; raise `CannotStart`.

    In a thread, as the configuration may be long, and the files of a manifest longer. From before
    that on it is looked where the paths of both lead.
    """
    await roots.look()
    now = await roots.disk.run(options.again)
    roots.watch(options, now)
    return now, await roots.disk.run(read_sites, reactor, now, roots.before)


@contextmanager
def _heard_warnings() -> Iterator[list[str]]:
    """Give a list to which every warning is added that goes to the log meanwhile."""
    heard: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.warn:
            heard.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield heard
    finally:
        globalLogPublisher.removeObserver(observe)


def makeService(options: Options) -> Any:
    """Return the service that ``options`` describe; raise `CannotStart` if they can't be met.

    With ``--check``, say so instead and raise ``SystemExit``.
    """
    if options["check"]:
        with _heard_warnings() as warnings:
            _make_service(options)
        for warning in warnings:
            print(f"tinyhttp: warning: {warning}", file=sys.stderr)
        good = "it would start" if warnings else "everything is as it should be"
        print(f"tinyhttp: {good}")
        raise SystemExit(0)
    service = _make_service(options)
    _log.info("tinyhttp serves {description}", description=description(options))
    return service


def _make_service(options: Options) -> Any:
    from twisted.internet import reactor

    endpoints = make_endpoints(reactor, options)
    notifier = Notifier(reactor, os.environ)
    roots = Roots(reactor)
    roots.watch(options)
    if options["workers"] > 1:
        from .supervisor import Supervisor

        return Supervisor(reactor, options, endpoints, notifier, roots)
    watching = make_watching(reactor, options)

    async def anew() -> FileService:
        now, sites = await read_anew(reactor, service.options, roots)
        if now["workers"] > 1:
            _log.warn("several workers are not had before a restart")
        return assemble(reactor, now, make_endpoints(reactor, now), watching, sites=sites)

    service = assemble(
        reactor,
        options,
        endpoints,
        watching,
        anew=lambda: Deferred.fromCoroutine(anew()),
        on_reloaded=lambda: roots.watch(service.options),
        roots=roots,
        notifier=notifier,
    )
    return service
