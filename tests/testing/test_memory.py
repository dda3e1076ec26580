"""treq against a server in memory: no socket, and time that passes when it is told to."""

from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as TimedOut
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from tinyhttp.testing import MemoryServer, generated, on

from .wires import A, memory


def result_of(deferred: Deferred[Any]) -> Any:
    """Return what ``deferred`` has come to, raise what it has failed with."""
    results: list[Any] = []
    _ = deferred.addBoth(results.append)
    assert results, "there is no result yet"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


@pytest.fixture
def client(server: MemoryServer) -> HTTPClient:
    return HTTPClient(server.agent)


def test_it_is_an_agent(server: MemoryServer) -> None:
    assert verifyObject(IAgent, server.agent)


def test_an_answer_is_there_at_once(server: MemoryServer, client: HTTPClient) -> None:
    response = result_of(client.get(server.url + "/a.bin"))
    assert response.code == 200
    assert result_of(response.content()) == A
    assert result_of(client.get("https://anything.example/b/c.txt")).code == 200


def test_connections_are_kept(server: MemoryServer, client: HTTPClient) -> None:
    for _ in range(3):
        result_of(result_of(client.get(server.url + "/a.bin")).content())
    server.journal.assert_connections(1)


def test_a_large_body_goes_through_a_slow_reader() -> None:
    with memory({"/big": generated(5_000_000)}) as server:
        response = result_of(HTTPClient(server.agent).get(server.url + "/big"))
        assert server.journal.last.octets < 300_000
        assert result_of(response.content()) == generated(5_000_000).octets()


def test_time_is_the_clocks(server: MemoryServer, client: HTTPClient) -> None:
    server.on("/a.bin").delay(60).pause(500, 60)
    response = client.get(server.url + "/a.bin")
    server.clock.advance(60)
    body = result_of(response).content()
    assert not body.called
    server.clock.advance(60)
    assert result_of(body) == A


def test_a_timeout_of_treq(server: MemoryServer, client: HTTPClient) -> None:
    clock: Any = server.clock  # all that treq wants of a reactor
    server.on("/a.bin").stall()
    response = client.get(server.url + "/a.bin", timeout=5, reactor=clock)
    server.clock.advance(5)
    with pytest.raises((ResponseNeverReceived, TimedOut)):
        result_of(response)
    assert server.journal.last.ended  # as it has closed the connection


def test_redirects(server: MemoryServer, client: HTTPClient) -> None:
    server.on("/a.bin", nth=1).redirect("/b/c.txt")
    response = result_of(client.get(server.url + "/a.bin"))
    assert result_of(response.text()) == "text"
    server.on("/a.bin").redirect("/a.bin")
    with pytest.raises(ResponseFailed):
        result_of(client.get(server.url + "/a.bin"))
    assert len(server.journal) > 10


@pytest.mark.parametrize(
    "rule",
    [on("/a.bin").close(), on("/a.bin").reset(), on("/a.bin").garbage()],
    ids=str,
)
def test_no_answer(server: MemoryServer, client: HTTPClient, rule: Any) -> None:
    server.add(rule)
    with pytest.raises((ResponseNeverReceived, ResponseFailed)):
        result_of(client.get(server.url + "/a.bin"))


@pytest.mark.parametrize(
    "rule",
    [
        on("/a.bin").truncate(10),
        on("/a.bin").reset(10),
        on("/a.bin").content_length(1),
        on("/a.bin").chunked(broken="end"),
        on("/a.bin").chunked(broken="size"),
    ],
    ids=str,
)
def test_half_an_answer(server: MemoryServer, client: HTTPClient, rule: Any) -> None:
    server.add(rule)
    with pytest.raises(ResponseFailed):
        result_of(result_of(client.get(server.url + "/a.bin")).content())


def test_refusing(server: MemoryServer, client: HTTPClient) -> None:
    server.refuse()
    with pytest.raises(Refused):
        result_of(client.get(server.url + "/a.bin"))
    server.accept()
    assert result_of(client.get(server.url + "/a.bin")).code == 200


def test_a_clock_of_the_tests_own() -> None:
    clock = Clock()
    server = MemoryServer({"/a": "x"}, clock=clock, rules=[on("/a").delay(1)])
    response = HTTPClient(server.agent).get(server.url + "/a")
    clock.advance(1)
    assert result_of(response).code == 200
    assert result_of(server.stop()) is None
    assert clock.getDelayedCalls() == []


def test_an_idle_connection_is_closed_when_its_time_is_up(
    server: MemoryServer, client: HTTPClient
) -> None:
    result_of(result_of(client.get(server.url + "/b/c.txt")).content())
    server.clock.pump([10] * 20)
    result_of(result_of(client.get(server.url + "/b/c.txt")).content())
    server.journal.assert_connections(2)


def test_stopping_ends_what_is_under_way(client: HTTPClient, server: MemoryServer) -> None:
    server.on("/a.bin").stall(at=10)
    body = result_of(client.get(server.url + "/a.bin")).content()
    assert result_of(server.stop()) is None
    with pytest.raises(ResponseFailed):
        result_of(body)
