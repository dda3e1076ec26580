"""What those who watch the server see: metrics, health, and HAProxy's agent-check.

Used by the service, which knows the options and says when what begins and ends.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure

from .options import CannotStart
from .server.admin import make_admin
from .server.agent_check import AgentCheck
from .server.board import Posting, Slot
from .server.pages import Health, Page
from .server.server import Server
from .server.tally import Tally

__all__ = ["Watching"]


class Watching:
    """What this process shows of itself on the endpoints ``admin`` and ``agent_check``.

    ``unready`` is the status of ``/readyz`` when no requests are wanted. With a ``slot`` the
    metrics are those of every process on its board. HAProxy hears which share of the connections
    is free that the server takes, if that was said. Raises `CannotStart` if there is an ``admin``
    but no ``prometheus_client``.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        admin: IStreamServerEndpoint | None = None,
        agent_check: IStreamServerEndpoint | None = None,
        unready: int = 503,
        slot: Slot | None = None,
    ):
        self.health = Health(unready)
        self.tally = Tally() if admin is not None or slot is not None else None
        """For the `Server`; ``None`` if nobody would see it."""
        self._server: Server | None = None
        self._posting: Posting | None = None
        if self.tally is not None and slot is not None:
            self._posting = Posting(reactor, slot, self._row)
        self._slot = slot
        self._ports: list[IListeningPort] = []
        self._listeners: list[tuple[str, IStreamServerEndpoint, Any]] = []
        self._admin: Server | None = None
        if admin is not None:
            page = _metrics_page(self.numbers, process=slot is None)
            self._admin = make_admin(reactor, self.health, {b"/metrics": page})
            self._listeners.append(("--admin", admin, self._admin))
        if agent_check is not None:
            agent = AgentCheck(reactor, self.health, self._free)
            self._listeners.append(("--agent-check", agent_check, agent))

    def pages(self, health_path: str | None) -> dict[bytes, Page]:
        """Return the pages for the server's own ports: readiness, at ``health_path``, if any."""
        return {} if health_path is None else {health_path.encode(): self.health.ready}

    def watch(self, server: Server) -> None:
        """Tell of ``server`` from now on."""
        self._server = server

    def listen(
        self,
        bound: Callable[[IListeningPort, str], object],
        failed: Callable[[Failure, str], object],
    ) -> None:
        """Open the endpoints; ``bound`` or ``failed`` is called for each, with its option."""
        if self._posting is not None:
            self._posting.start()
        for option, endpoint, factory in self._listeners:
            _ = (
                maybeDeferred(endpoint.listen, factory)
                .addCallback(self._opened)
                .addCallbacks(bound, failed, callbackArgs=(option,), errbackArgs=(option,))
            )

    def begin(self) -> None:
        """Say that requests are wanted."""
        if self.tally is not None and self._server is not None:
            self.tally.workers = 1
        self.health.begin()

    def drain(self) -> None:
        """Say that no more requests are wanted."""
        self.health.drain()

    def stop(self) -> Deferred[Any]:
        """Return a Deferred that fires when all is closed; to be called behind all others."""
        ports, self._ports = self._ports, []
        ended: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        if self._admin is not None:
            ended.append(self._admin.stop(grace=1))
        return DeferredList(ended).addCallback(self._stopped)

    def numbers(self) -> Sequence[int]:
        """Return what is to be shown: the row of this process, or of all of them."""
        if self._posting is None or self._slot is None:
            return self._row()
        self._posting.post()
        return self._slot.board.sum()

    def _row(self) -> list[int]:
        assert self.tally is not None
        return self.tally.row(self._server)

    def _free(self) -> float:
        """Return the share of connections that is free."""
        if self._server is None or not self._server.quotas.connections:
            return 1.0
        return 1 - len(self._server.connections) / self._server.quotas.connections

    def _opened(self, port: IListeningPort) -> IListeningPort:
        self._ports.append(port)
        return port

    def _stopped(self, result: object) -> None:
        if self._posting is not None:
            self._posting.stop()


def _metrics_page(source: Callable[[], Sequence[int]], *, process: bool) -> Page:
    from . import __version__  # noqa: PLC0415 (the package is complete only now)

    try:
        from .server.metrics import MetricsPage  # noqa: PLC0415 (an extra that may be missing)
    except ModuleNotFoundError as error:
        raise CannotStart(
            f"--admin: {error.name} is missing; pip install 'twisted-tinyhttp[metrics]' brings it"
        ) from None
    return MetricsPage(source, version=__version__, process=process)
