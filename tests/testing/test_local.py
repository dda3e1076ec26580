"""A server in this process, on a real port, with treq on the same reactor."""

import os
from pathlib import Path
from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ResponseFailed

from tests.end_to_end.waiting import asynchronous
from tests.support import get, read_answers
from tinyhttp.testing import FileServer, ScriptError, generated, on


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


def unkept(reactor: Any) -> HTTPConnectionPool:
    """Return a pool that keeps nothing: Twisted's own has a timer for what it keeps."""
    return HTTPConnectionPool(reactor, persistent=False)


def watched(reactor: Any) -> set[Any]:
    """Return everything that the reactor waits for."""
    return {*reactor.getReaders(), *reactor.getWriters(), *reactor.getDelayedCalls()}


@asynchronous
async def test_nothing_is_left(reactor: Any) -> None:
    """Though the client keeps its connections, and one waits for an answer that never comes."""
    before = watched(reactor)
    pool = HTTPConnectionPool(reactor)
    client = HTTPClient(Agent(reactor, pool=pool))
    async with FileServer({"/a.txt": "text", "/stall": "x"}) as server:
        root = server._prepared.root
        for _ in range(3):
            response = await client.get(server.url + "/a.txt")
            assert await response.text() == "text"
        server.on("/stall").stall()
        stalled = client.get(server.url + "/stall")
        await server.journal.wait_for(target="/stall")
        server.journal.assert_connections(1)
    with pytest.raises((ResponseFailed, ConnectError)):  # Twisted's client asks again
        await stalled
    await pool.closeCachedConnections()
    assert watched(reactor) == before
    assert not os.path.exists(root)


@asynchronous
async def test_nothing_is_left_over_tls(reactor: Any) -> None:
    before = watched(reactor)
    async with FileServer({"/big": generated(2_000_000)}, https=True) as server:
        policy = BrowserLikePolicyForHTTPS(server.trust_root)
        client = HTTPClient(Agent(reactor, policy, pool=unkept(reactor)))
        response = await client.get(server.url + "/big")
        assert await response.content() == generated(2_000_000).octets()
        assert server.url.startswith("https://127.0.0.1:")
        host = server.url.replace("127.0.0.1", "localhost")
        server.on("/big").reset(at=1000)
        with pytest.raises(ResponseFailed):
            await (await client.get(host + "/big")).content()
        assert Path(server.ca_file).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        directory = os.path.dirname(server.ca_file)
    assert watched(reactor) == before
    assert not os.path.exists(directory)


class Everything(Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.received: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.received.callback(self.data)


@pytest.mark.parametrize("chosen", [True, False])
@asynchronous
async def test_a_unix_socket(reactor: Any, tmp_path: Path, chosen: bool) -> None:
    before = watched(reactor)
    unix: bool | str = str(tmp_path / "s") if chosen else True
    async with FileServer({"/a": "text"}, unix=unix) as server:
        assert server.socket_path is not None
        client = await connectProtocol(
            UNIXClientEndpoint(reactor, server.socket_path), Everything()
        )
        client.transport.write(get("/a", "Connection: close"))
        (answer,) = read_answers(await client.received)
        assert answer.body == b"text"
        assert server.url == "http://localhost"
        assert server.port == 0
    assert watched(reactor) == before
    assert not os.path.exists(server.socket_path)


@asynchronous
async def test_refusing(reactor: Any) -> None:
    async with FileServer({"/a": "text"}) as server:
        client = HTTPClient(Agent(reactor, pool=unkept(reactor)))
        port = server.port
        for _ in range(3):
            async with server.refusing():
                with pytest.raises(ConnectError):
                    await client.get(server.url + "/a")
            response = await client.get(server.url + "/a")
            assert await response.text() == "text"
        assert server.port == port
        server.on("/a").refuse_for(0.05)
        await (await client.get(server.url + "/a")).content()
        server.clear_rules()
        refused = 0
        while True:
            try:
                await (await client.get(server.url + "/a")).content()
                break
            except ConnectError:
                refused += 1
        assert refused > 0


@asynchronous
async def test_stopping_while_refusing(reactor: Any) -> None:
    before = watched(reactor)
    server = await FileServer({"/a": "text"}).start()
    client = HTTPClient(Agent(reactor, pool=unkept(reactor)))
    server.on("/a").refuse_for(60)
    await (await client.get(server.url + "/a")).content()
    await server.stop()
    await server.stop()
    assert watched(reactor) == before


@asynchronous
async def test_a_hundred_servers(reactor: Any) -> None:
    before = watched(reactor)
    servers = [await FileServer({"/a": str(n)}).start() for n in range(100)]
    assert len({server.url for server in servers}) == 100
    client = HTTPClient(Agent(reactor, pool=unkept(reactor)))
    assert await (await client.get(servers[42].url + "/a")).text() == "42"
    for server in servers:
        await server.stop()
    assert watched(reactor) == before


@asynchronous
async def test_a_reset_takes_nothing_back_that_was_sent(reactor: Any) -> None:
    content = generated(900_000)
    async with FileServer({"/big": content}) as server:
        server.on("/big").reset(at=800_000)
        client = await connectProtocol_(reactor, server)
        client.transport.write(get("/big"))
        received = await client.received
        assert received.partition(b"\r\n\r\n")[2] == content.octets(0, 800_000)


async def connectProtocol_(reactor: Any, server: FileServer) -> Any:
    from twisted.internet.endpoints import TCP4ClientEndpoint

    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
    return await connectProtocol(endpoint, Everything())


@asynchronous
async def test_rules_and_options_from_the_start(reactor: Any) -> None:
    rules = [on("/.hidden", nth=1).status(503)]
    async with FileServer({"/.hidden": "x"}, rules=rules, hidden_files=True) as server:
        client = HTTPClient(Agent(reactor, pool=unkept(reactor)))
        for status in (503, 200):
            response = await client.get(server.url + "/.hidden")
            await response.content()
            assert response.code == status
        server.assert_all_used()


def unstarted() -> FileServer:
    """Return a server that has no files any more, and never had a port."""
    server = FileServer({"/a": "x"})
    server.remove_files()
    return server


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: unstarted().url, "no URL before it is started"),
        (lambda: unstarted().ca_file, "nothing to trust without https=True"),
        (lambda: FileServer({"/a": "x"}, rules=[on("/b")]), "no such file"),
        (lambda: FileServer("/nowhere"), "does not exist"),
    ],
)
def test_mistakes(mistake: Any, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        mistake()


def test_https_without_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ImportError, match=r"pip install 'twisted-tinyhttp\[tls\]'"):
        FileServer({"/a": "x"}, https=True)
