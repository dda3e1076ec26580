"""Paths that functions answer, on a server of files too: health before all."""

from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from tests.support import NOW, Client, FakeLog, FakeReactor, get, make_server, write_tree
from tinyhttp.core.request import Head, Request
from tinyhttp.core.response import Response
from tinyhttp.server.incoming import Incoming
from tinyhttp.server.pages import Health
from tinyhttp.server.server import Server
from tinyhttp.server.tally import Tally


class Log(FakeLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def answered(
        self, connection: Incoming, head: Head | None, line: bytes, status: int, octets: int
    ) -> None:
        self.lines.append(line)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def server(tmp_path: Path, health: Health, log: Log) -> Server:
    root = write_tree(tmp_path / "root", {"healthz": b"a file", "a.txt": b"a"})
    pages = {b"/healthz": health.ready}
    return make_server(root, pages=pages, access_log=log, tally=Tally())


def statuses(server: Server, *requests: bytes) -> list[int]:
    return [answer.status for answer in Client(server).send(b"".join(requests)).answers()]


def test_a_page_goes_before_a_file_of_its_name(server: Server, health: Health) -> None:
    health.begin()
    (answer,) = Client(server).send(get("/healthz")).answers()
    assert answer.status == 200
    assert answer.body == b"ready\n"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Date"]


def test_it_says_what_is_so_at_that_moment(server: Server, health: Health) -> None:
    """So it can't have come from a memory."""
    client = Client(server).send(get("/healthz") * 2)
    health.begin()
    client.send(get("/healthz") * 2)
    health.drain()
    client.send(get("/healthz") * 2)
    answers = client.answers()
    assert [answer.status for answer in answers] == [503, 503, 200, 200, 503, 503]
    words = [b"starting\n"] * 2 + [b"ready\n"] * 2 + [b"draining\n"] * 2
    assert [answer.body for answer in answers] == words


def test_who_has_been_told_to_drain_is_not_ready_again(health: Health) -> None:
    health.drain()
    health.begin()
    assert not health.is_ready


def test_another_status_for_unready(tmp_path: Path) -> None:
    health = Health(404)
    server = make_server(tmp_path, pages={b"/ready": health.ready, b"/live": health.live})
    assert statuses(server, get("/ready"), get("/live")) == [404, 200]


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "BREW"])
def test_pages_can_only_be_read(server: Server, method: str) -> None:
    (answer,) = Client(server).send(get("/healthz", method=method)).answers()
    assert answer.status == 405
    assert answer["Allow"] == "GET, HEAD"
    assert len(Client(server).send(get("/healthz", method=method) * 2).answers()) == 2


def test_head_has_no_body(server: Server) -> None:
    (answer,) = Client(server).send(get("/healthz", method="HEAD")).answers([0])
    assert answer["Content-Length"] == "9"


@pytest.mark.parametrize("target", ["/healthz?verbose", "http://any.example/healthz"])
def test_the_path_alone_decides(server: Server, target: str) -> None:
    assert statuses(server, get(target)) == [503]


@pytest.mark.parametrize("target", ["/healthz/", "/Healthz", "/a.txt", "/%68ealthz"])
def test_other_paths_lead_to_files(server: Server, target: str) -> None:
    (status,) = statuses(server, get(target))
    assert status in (200, 404)


def test_nobody_visits_a_page(server: Server, log: Log) -> None:
    Client(server).send(get("/healthz") * 3 + get("/a.txt") + get("/healthz", method="POST"))
    assert log.lines == [b"GET /a.txt HTTP/1.1"]
    assert server.tally is not None
    assert sum(server.tally.requests) + sum(server.tally.repeats) == 1
    assert server.tally.octets == 1
    assert not any(server.tally.refused)


def test_a_page_that_fails_does_not_take_the_server_with_it(tmp_path: Path) -> None:
    def broken(request: Request) -> Response:
        raise LookupError

    server = make_server(tmp_path, pages={b"/broken": broken})
    with capturedLogs() as events:
        client = Client(server).send(get("/broken"))
    assert [answer.status for answer in client.answers()] == [500]
    assert client.ended
    assert len(events) == 1


def test_a_server_without_files() -> None:
    reactor = FakeReactor(NOW)
    server = Server(None, reactor=reactor, threads=0, clock=reactor.seconds)
    client = Client(server).send(get("/") + get("/etc/passwd") + get("/etc/passwd"))
    assert [answer.status for answer in client.answers()] == [404] * 3
    assert server.stop() is not None
