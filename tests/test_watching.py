"""What those who watch get to see, with time and endpoints of a test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support import Client, FakeReactor, get, make_server, write_tree
from tinyhttp.options import CannotStart
from tinyhttp.server.admin import make_admin
from tinyhttp.server.agent_check import AgentCheck
from tinyhttp.server.board import Board, Slot, make_board
from tinyhttp.server.quotas import Quotas
from tinyhttp.server.server import Server
from tinyhttp.watching import Watching


class Port:
    """A port that closes."""

    def __init__(self) -> None:
        self.open = True

    def stopListening(self) -> Deferred[None]:
        self.open = False
        return succeed(None)


@implementer(IStreamServerEndpoint)
class Endpoint:
    """An endpoint that remembers who listens on it, or can't be listened on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.factory: Any = None
        self.port = Port()
        self._error = error

    def listen(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        return succeed(self.port) if self._error is None else fail(self._error)


class Ears:
    """Who is told what became of the endpoints."""

    def __init__(self) -> None:
        self.bound: list[str] = []
        self.failed: list[str] = []

    def is_bound(self, port: IListeningPort, option: str) -> None:
        self.bound.append(option)

    def has_failed(self, failure: Failure, option: str) -> None:
        self.failed.append(f"{option}: {failure.value}")

    def listen(self, watching: Watching) -> "Ears":
        watching.listen(self.is_bound, self.has_failed)
        return self


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": b"four"})


def watched(
    root: Path,
    reactor: FakeReactor,
    watching: Watching,
    health_path: str = "",
    quotas: Quotas = Quotas(),  # noqa: B008 (frozen)
) -> Server:
    pages = watching.pages(health_path or None)
    server = make_server(root, reactor, tally=watching.tally, pages=pages, quotas=quotas)
    watching.watch(server)
    return server


def numbers(admin: Server) -> dict[str, float]:
    """Return the sum over its labels of every metric on the page."""
    (answer,) = Client(admin).send(get("/metrics")).answers()
    sums: dict[str, float] = {}
    for family in parser.text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def statuses(server: Server, *targets: str) -> list[int]:
    client = Client(server).send(b"".join(map(get, targets)))
    return [answer.status for answer in client.answers()]


def test_by_default_nothing_is_watched(root: Path, reactor: FakeReactor) -> None:
    watching = Watching(reactor)
    server = watched(root, reactor, watching)
    assert server.tally is None
    assert not server.pages
    ears = Ears().listen(watching)
    watching.begin()
    watching.drain()
    assert watching.stop().called
    assert ears.bound == ears.failed == []
    assert reactor.getDelayedCalls() == []


def test_from_begin_to_end(root: Path, reactor: FakeReactor) -> None:
    admin, agent = Endpoint(), Endpoint()
    watching = Watching(reactor, admin=admin, agent_check=agent, unready=404)
    server = watched(root, reactor, watching, "/healthz", Quotas(connections=4))
    assert Ears().listen(watching).bound == ["--admin", "--agent-check"]
    assert statuses(admin.factory, "/readyz", "/livez") == [404, 200]
    assert agent.factory.line() == b"drain\n"
    watching.begin()
    assert statuses(admin.factory, "/readyz", "/livez") == [200, 200]
    assert statuses(server, "/healthz", "/a.txt") == [200, 200]
    assert agent.factory.line() == b"up ready 75%\n"
    assert numbers(admin.factory)["tinyhttp_requests_total"] == 1
    assert numbers(admin.factory)["tinyhttp_workers"] == 1
    watching.drain()
    assert statuses(admin.factory, "/readyz", "/livez") == [404, 200]
    assert statuses(server, "/healthz", "/a.txt") == [404, 200]
    assert agent.factory.line() == b"drain\n"
    assert admin.port.open
    stopped = watching.stop()
    reactor.advance(1)
    assert stopped.called
    assert not admin.port.open
    assert not agent.port.open


def test_without_a_limit_the_weight_is_whole(reactor: FakeReactor) -> None:
    agent = Endpoint()
    watching = Watching(reactor, agent_check=agent)
    Ears().listen(watching)
    watching.begin()
    assert isinstance(agent.factory, AgentCheck)
    assert agent.factory.line() == b"up ready 100%\n"
    assert watching.tally is None


def test_an_endpoint_that_is_taken(reactor: FakeReactor) -> None:
    error = CannotListenError("127.0.0.1", 9100, OSError("taken"))
    ears = Ears().listen(Watching(reactor, admin=Endpoint(error), agent_check=Endpoint()))
    assert ears.bound == ["--agent-check"]
    assert ears.failed == [f"--admin: {error}"]


def test_without_the_extra(reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tinyhttp.server.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(CannotStart) as raised:
        Watching(reactor, admin=Endpoint())
    (line,) = str(raised.value).splitlines()
    assert line.startswith("tinyhttp: --admin: ")
    assert "twisted-tinyhttp[metrics]" in line
    Watching(reactor, agent_check=Endpoint())


@pytest.fixture
def board() -> Iterator[Board]:
    descriptor = make_board(3)
    board = Board(descriptor, 3)
    yield board
    board.close()
    os.close(descriptor)


def test_any_worker_tells_of_all(root: Path, reactor: FakeReactor, board: Board) -> None:
    endpoints = [Endpoint(), Endpoint()]
    workers = [
        Watching(reactor, admin=endpoint, slot=Slot(board, number))
        for number, endpoint in enumerate(endpoints, 1)
    ]
    servers = [watched(root, reactor, worker) for worker in workers]
    parent = Watching(reactor, slot=Slot(board, 0))
    assert parent.tally is not None
    parent.tally.restarts = 3
    for worker in [*workers, parent]:
        Ears().listen(worker)
        worker.begin()
    statuses(servers[0], "/a.txt", "/a.txt")
    statuses(servers[1], "/a.txt")
    # The one that is asked knows its own requests at once, and the others' within a second.
    assert numbers(endpoints[0].factory)["tinyhttp_requests_total"] == 2
    reactor.advance(1)
    for endpoint in endpoints:
        sums = numbers(endpoint.factory)
        assert sums["tinyhttp_requests_total"] == 3
        assert sums["tinyhttp_open_connections"] == 2
        assert sums["tinyhttp_workers"] == 2
        assert sums["tinyhttp_worker_restarts_total"] == 3
        assert "process_open_fds" not in sums
    stopped = workers[0].stop()
    reactor.advance(1)
    assert stopped.called
    sums = numbers(endpoints[1].factory)
    assert sums["tinyhttp_requests_total"] == 3
    assert sums["tinyhttp_open_connections"] == sums["tinyhttp_workers"] == 1
    for watching in (workers[1], parent):
        _ = watching.stop()
    reactor.advance(1)


def test_administrators_ask_one_server_for_another(root: Path, reactor: FakeReactor) -> None:
    """Their own requests are not among the server's."""
    admin = Endpoint()
    watching = Watching(reactor, admin=admin)
    watched(root, reactor, watching)
    Ears().listen(watching)
    assert type(admin.factory) is type(make_admin(reactor, watching.health))
    assert numbers(admin.factory)["tinyhttp_requests_total"] == 0
    assert numbers(admin.factory)["tinyhttp_connections_total"] == 0
