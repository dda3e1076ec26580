"""The factory of connections, and what they share.

Floor: server. `Server` is an ordinary ``IProtocolFactory``: any endpoint can listen with it, and
several of them can live in one process.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.fields import format_http_date
from ..core.forwarded import TrustedProxies
from ..core.path import SitePath
from ..core.policy import Policy, Verify
from ..core.request import HeadReader, Limits
from ..core.response import Body
from ..site.files import Found, hold, let_go
from ..site.releases import Earlier
from ..site.site import Capacity, Site
from .access_log import AccessLog
from .allowance import Allowance
from .clients import Clients
from .crowd import Crowd
from .deadlines import Deadlines
from .disk import Disk
from .hosting import SiteOptions, make_host, make_hosts
from .listings import Listings
from .memo import Memo
from .pace import TICK, Pace
from .pages import Page
from .poller import make_poller
from .progress import Progress
from .protocol import Connection
from .quotas import CROWDED, Quotas, Refusals, descriptors_allowed, places_beside, within
from .tally import Tally
from .trace import make_tracing

if TYPE_CHECKING:
    from ..site.verification import Contents
    from .passwords import Passwords

__all__ = ["WELCOME", "Server", "Timeouts"]

WELCOME = 1.0
"""Seconds for the first request of a client that was accepted just before the end."""


@dataclass(slots=True, frozen=True)
class Timeouts:
    """How long is waited, in seconds."""

    head: float = 30
    """For a whole request head, from its first octet (from the start, on a new connection); and
    once more for its body."""
    idle: float = 95
    """For the next request. Longer than the 90 s after which Heroku's router and other balancers
    close a connection: whoever sends requests has to be the first to close."""
    stall: float = 60
    """For a client that accepts nothing of its response."""
    linger: float = 5
    """For a client to close after the last response."""


@implementer(IProtocolNegotiationFactory)
class Server(Factory):
    """Serves the directory ``root`` to every connection made through it.

    ``index``, ``hidden_files`` and ``media_types`` (extension to field value) are as in `Files`,
    ``follow_symlinks`` as in `Tree`. ``threads`` bounds the threads that wait for the disk; with 0
    the reactor waits itself. What ``trusted_proxies`` say of a request's origin is believed. With
    ``request_id`` every response has X-Request-ID. ``clock`` gives epoch seconds, ``stopwatch``
    seconds from any beginning. ``tally`` counts what is done, and ``pages`` are paths that are
    answered without looking for a file. ``compress`` names the codings in which text without
    sidecars is sent ("br", "zstd", "gzip"), the preferred one first; ``contents`` is what is known
    of the files beforehand, as in `Files`. With ``None`` for ``root`` there are no files at all.

    If ``root`` comes to lead to another directory, that is served, and for ``keep_releases``
    seconds more the fingerprinted files of the one before; and those of ``earlier`` ones, which
    another server has served.

    Raises ``OSError`` if ``root`` can't be opened, ``ValueError`` for a coding that there is no
    encoder for.
    """

    noisy = False

    def __init__(
        self,
        root: str | os.PathLike[str] | None,
        *,
        reactor: Any,  # IReactorTime and IReactorFromThreads
        index: Sequence[str] = ("index.html",),
        hidden_files: bool = False,
        follow_symlinks: bool = False,
        media_types: Mapping[bytes, bytes] | None = None,
        threads: int = 4,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        capacity: Capacity | None = None,
        quotas: Quotas | None = None,
        access_log: AccessLog | None = None,
        trusted_proxies: TrustedProxies | None = None,
        request_id: bool = False,
        clock: Callable[[], float] = time,
        tally: Tally | None = None,
        pages: Mapping[bytes, Page] | None = None,
        compress: Sequence[str] = (),
        contents: "Contents | None" = None,
        policy: Policy | None = None,
        hosts: Mapping[bytes, SiteOptions] | None = None,
        passwords: "Passwords | None" = None,
        keep_releases: float = 0,
        earlier: Sequence[Earlier] = (),
        stopwatch: Callable[[], float] = perf_counter,
    ):
        own = SiteOptions(
            root,
            index,
            hidden_files,
            follow_symlinks,
            media_types or {},
            compress,
            contents,
            policy or Policy(),
            keep_releases,
            earlier,
        )
        allowed = descriptors_allowed()
        capacity = within(capacity or Capacity(), allowed)
        make = partial(make_host, reactor=reactor, threads=threads, clock=clock, capacity=capacity)
        self.hosts = make_hosts(own, hosts or {}, make)
        self.site = self.hosts.default.site
        self.disk = Disk(reactor, threads)
        self.listings = Listings(self.disk, clock)
        self.passwords = passwords
        self.deadlines = Deadlines(reactor)
        self.limits = limits or Limits()
        self.timeouts = timeouts or Timeouts()
        self.access_log = access_log
        self.tally = tally
        self.pages = pages or {}
        self.look_ups = 0
        """How often something was looked up on the disk."""
        self.trusted_proxies = trusted_proxies
        self.tracing = make_tracing(access_log, trusted_proxies, request_id, stopwatch)
        policies = [host.policy for host in self.hosts.every]
        self.heads = HeadReader(
            self.limits,
            frozenset[bytes]().union(*(each.decisive for each in policies)),
            forwarded=() if trusted_proxies is None else trusted_proxies.fields,
            naming=() if self.tracing is None else self.tracing.fields,
        )
        self.now = clock
        self.draining = False
        self.quotas = quotas or Quotas()
        self.refusals = Refusals()
        self.asks_first = self.quotas.for_each()
        """Whether even what is in memory may not just be sent: a limit, or draining, forbids it."""
        self.memo = Memo()
        self._secure_memo = self.memo
        if any(each.asks_secure for each in policies):
            self._secure_memo = Memo()
        for host in self.hosts.every:
            host.site.on_switch = self._forget_answers
        self.room = make_poller(reactor)
        self.connections: set[Connection] = set()
        self.crowd = self._make_crowd(places_beside(capacity, threads, allowed))
        self._clients = Clients(self.quotas)
        self._octets = self.quotas.octets()
        self._paces = Deadlines(reactor, TICK)
        self._reactor = reactor
        self._look_ups: dict[tuple[Site, SitePath], list[Deferred[Found]]] = {}
        self._date = b""
        self._date_of = -1
        self._empty: Deferred[None] | None = None
        self._ended = self._root_closed = False
        self._stopping: Deferred[None] | None = None
        self._wait_for_stop: list[Deferred[None]] = []

    def _make_crowd(self, places: float) -> Crowd:
        """Return who sees to it that there are no more connections than ``places``, or as told."""
        most = self.quotas.connections
        if most is not None:
            places = most or inf
        return Crowd(self.connections, places, self.deadlines.now, self.refusals)

    # For endpoints.

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    def acceptableProtocols(self) -> list[bytes]:
        """Return what ALPN (RFC 7301) offers under TLS; without it Twisted sends an alert."""
        return [b"http/1.1"]

    def stopFactory(self) -> None:
        """No port is listening any more: rest, as soon as the last connection is gone."""
        self._rest_if_unused()

    # For connections.

    def opened(self, connection: Connection) -> None:
        """Count ``connection`` in; it is closed if there is no place for it, or one too many."""
        has_place = self.crowd.may_stay()
        self.connections.add(connection)
        if self.tally is not None:
            self.tally.accepted += 1
        if self.quotas.for_each():
            pace = Pace(self._octets, self._paces) if self._octets else None
            connection.allowance = Allowance(
                connection, self.quotas, self._clients, self.refusals, pace
            )
        if not has_place:
            self.refusals.count(CROWDED)
            connection.drain(0, 0)
        elif connection.allowance is not None:
            connection.allowance.enter()

    def closed(self, connection: Connection) -> None:
        """Count ``connection`` out."""
        self.connections.discard(connection)
        self.deadlines.remove(connection)
        if connection.allowance is not None:
            connection.allowance.leave()
        self.crowd.left()
        self._rest_if_unused()
        if not self.connections and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def progress(self, transport: Any) -> Progress:
        """Return the progress of the client at the other end of ``transport``."""
        return Progress(transport, self.timeouts.stall, self.quotas, self.deadlines.now)

    def may_repeat(self, connection: Connection, body: Body) -> bool:
        """Return whether ``connection`` may be sent ``body`` from memory, if `asks_first`."""
        if self.draining:
            return False
        return connection.allowance is None or connection.allowance.may_repeat(body)

    def date(self, now: float) -> bytes:
        """Return the value of Date; made once a second."""
        second = int(now)
        if second != self._date_of:
            self._date, self._date_of = format_http_date(second), second
        return self._date

    def memo_for(self, connection: Connection) -> Memo:
        """Return where answers to ``connection`` are remembered.

        Where it matters whether a request came over TLS, those that did have a memory of their own;
        and if a proxy says it of each, nothing is remembered.
        """
        if self._secure_memo is self.memo:
            return self.memo
        if self.trusted_proxies is not None and self.trusted_proxies.trusts(connection.peer()):
            return Memo(0)
        return self._secure_memo if connection.is_secure(None) else self.memo

    def verify(self, question: Verify) -> Deferred[bool] | bool:
        """Return whether credentials are good, or a Deferred of that."""
        if self.passwords is None:
            return False
        return self.passwords.verify(question.access.source, question.credentials)

    def _forget_answers(self) -> None:
        """Forget what was made of files that are others now."""
        self.memo.clear()
        self._secure_memo.clear()
        self.listings.forget()

    def look_up(self, path: SitePath, site: Site | None = None) -> Deferred[Found]:
        """Return a Deferred of what ``path`` leads to in ``site``, or else ours; may be cancelled.

        Everyone who asks while a look-up is under way gets its result.
        """
        site = site or self.site
        key = site, path
        result: Deferred[Found] = Deferred()
        waiting = self._look_ups.setdefault(key, [])
        waiting.append(result)
        if len(waiting) == 1:
            self.look_ups += 1
            _ = self.disk.run(site.files.find, path).addCallbacks(
                self._found, self._failed, callbackArgs=key, errbackArgs=key
            )
        return result

    @property
    def look_ups_waiting(self) -> int:
        """How many paths are being looked up, or are to be."""
        return len(self._look_ups)

    def _found(self, found: Found, site: Site, path: SitePath) -> None:
        hold(found)  # what one of them does next may push it out of the memory again
        site.remember(path, found)
        for waiting in self._look_ups.pop((site, path)):
            if not waiting.called:
                waiting.callback(found)
        let_go(found)
        self._close_root()

    def _failed(self, failure: Failure, site: Site, path: SitePath) -> None:
        for waiting in self._look_ups.pop((site, path)):
            if not waiting.called:
                waiting.errback(failure)
        self._close_root()

    # The end.

    def announce_end(self) -> None:
        """From now on every response is the last one on its connection."""
        self.draining = self.asks_first = True

    def stop(self, grace: float = 25, patience: float = 0) -> Deferred[None]:
        """Return a Deferred that fires when every connection has ended and all is released.

        Idle connections close at once, or after ``patience`` seconds, so that who has a request on
        the way gets its answer; responses under way are finished; what is left after ``grace``
        seconds is cut off. The ports are to be closed by whoever opened them, before.
        """
        stopped: Deferred[None] = Deferred()
        self._wait_for_stop.append(stopped)
        if self._stopping is None:
            self.announce_end()
            self._stopping = Deferred.fromCoroutine(self._stop(grace, patience))
        # What was asked for twice is done once, and everyone hears of it.
        self._stopping = self._stopping.addCallback(self._tell_stopped)
        return stopped

    async def _stop(self, grace: float, patience: float) -> None:
        for connection in list(self.connections):
            connection.drain(min(patience, grace), min(WELCOME, grace))
        if self.connections:
            self._empty = Deferred()
            cut_off = self._reactor.callLater(grace, self._cut_off)
            await self._empty
            if cut_off.active():
                cut_off.cancel()
        for host in self.hosts.every:
            host.site.forget()
        self._ended = True
        self._close_root()
        self._rest()
        if self.access_log is not None:
            await self.access_log.close()

    def _close_root(self) -> None:
        """Close the root at the end, but not under a thread that is still at a look-up."""
        if self._ended and not self._look_ups and not self._root_closed:
            self._root_closed = True
            for host in self.hosts.every:
                host.site.close()

    def _tell_stopped(self, result: None) -> None:
        waiting, self._wait_for_stop = self._wait_for_stop, []
        for stopped in waiting:
            stopped.callback(None)

    def _cut_off(self) -> None:
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def _rest_if_unused(self) -> None:
        if not self.numPorts and not self.connections:
            self._rest()

    def _rest(self) -> None:
        """End the threads; they come back if they are needed."""
        self.disk.rest()
        for host in self.hosts.every:
            host.forms.rest()
        if self.passwords is not None:
            self.passwords.rest()
