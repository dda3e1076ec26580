"""The server under Twisted's own test runner, which pytest does not replace everywhere.

``trial tests`` runs this; pytest runs that, in ``tests/end_to_end/test_trial.py``.
"""

from pathlib import Path
from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.support import Client, FakeReactor, get, make_server, read_answers, write_tree
from tinyhttp import Server
from tinyhttp.server.listening import EveryAddress
from tinyhttp.service import FileService, Options, makeService

PAGE = b"<!doctype html><title>A page</title>\n"
LARGE = bytes(range(256)) * 8192


class Everything(Protocol):
    """Takes what comes until the connection ends."""

    transport: Any  # ITCPTransport

    def __init__(self) -> None:
        self._data = bytearray()
        self.received: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.received.callback(bytes(self._data))


class RealPort(TestCase):
    """On the reactor that runs; trial fails a test that leaves anything in it."""

    timeout = 30

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.root = write_tree(Path(self.mktemp()), {"index.html": PAGE, "large.bin": LARGE})
        self.server = Server(self.root, reactor=self.reactor)
        endpoint = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        self.port = await endpoint.listen(self.server)
        address = self.port.getHost()
        assert isinstance(address, IPv4Address)
        self.address = TCP4ClientEndpoint(self.reactor, "127.0.0.1", address.port)

    async def tearDown(self) -> None:  # type: ignore[override]
        stopping = self.port.stopListening()
        if stopping is not None:
            await stopping
        await self.server.stop()

    async def exchange(self, *requests: bytes) -> bytes:
        """Return everything that comes back for ``requests``, until the server closes."""
        client = await connectProtocol(self.address, Everything())
        client.transport.write(b"".join(requests))
        received: bytes = await client.received
        return received

    async def test_get(self) -> None:
        (answer,) = read_answers(await self.exchange(get("/", "Connection: close")))
        assert (answer.status, answer.body) == (200, PAGE)

    async def test_large_file(self) -> None:
        (answer,) = read_answers(await self.exchange(get("/large.bin", "Connection: close")))
        assert answer.body == LARGE

    async def test_pipeline(self) -> None:
        last = get("/missing", "Connection: close")
        answers = read_answers(await self.exchange(get("/large.bin"), get("/"), last))
        assert [a.status for a in answers] == [200, 200, 404]
        assert [a.body for a in answers[:2]] == [LARGE, PAGE]

    async def test_nonsense(self) -> None:
        (answer,) = read_answers(await self.exchange(b"nonsense\r\n\r\n"))
        assert answer.status == 400

    async def test_client_that_vanishes(self) -> None:
        """Nothing of it stays; trial looks."""
        client = await connectProtocol(self.address, Everything())
        client.transport.write(get("/large.bin") * 5)
        client.transport.abortConnection()
        await client.received

    async def test_idle_connection_at_the_end(self) -> None:
        client = await connectProtocol(self.address, Everything())
        await self.server.stop()
        assert await client.received == b""
        self.server = Server(self.root, reactor=self.reactor)  # for tearDown


class Fakes(SynchronousTestCase):
    """On a clock that stands still and a transport in memory."""

    def setUp(self) -> None:
        self.root = write_tree(Path(self.mktemp()), {"index.html": PAGE, "large.bin": LARGE})
        self.reactor = FakeReactor()
        self.server = make_server(self.root, self.reactor)

    def tearDown(self) -> None:
        self.successResultOf(self.server.stop())

    def test_get(self) -> None:
        (answer,) = Client(self.server).send(get("/", "Connection: close")).answers()
        assert (answer.status, answer.body) == (200, PAGE)

    def test_octet_by_octet(self) -> None:
        client = Client(self.server)
        client.send(get() + get("/missing", "Connection: close"), piece=1)
        assert [a.status for a in client.answers()] == [200, 404]
        assert client.ended

    def test_client_that_says_nothing(self) -> None:
        client = Client(self.server)
        self.reactor.pump([1] * 40)
        assert client.ended
        assert self.reactor.getDelayedCalls() == []

    def test_nothing_is_logged_as_an_error(self) -> None:
        Client(self.server).send(b"\x00" * 100).vanish()
        assert self.flushLoggedErrors() == []


class Interfaces(SynchronousTestCase):
    """What is handed to Twisted is what Twisted asks for."""

    def test_server(self) -> None:
        server = make_server(Path())
        assert verifyObject(IProtocolFactory, server)
        connection = server.buildProtocol(None)
        assert verifyObject(IPushProducer, connection)
        assert verifyObject(IHalfCloseableProtocol, connection)
        self.successResultOf(server.stop())

    def test_endpoint(self) -> None:
        endpoint = EveryAddress(MemoryReactorClock(), 8000)
        assert verifyObject(IStreamServerEndpoint, endpoint)

    def test_plugin(self) -> None:
        (plugin,) = [p for p in getPlugins(IServiceMaker) if p.tapname == "tinyhttp"]
        assert verifyObject(IServiceMaker, plugin)
        assert plugin.options is Options
        assert plugin.makeService is makeService

    def test_service(self) -> None:
        server = make_server(Path())
        assert verifyObject(IService, FileService(FakeReactor(), server, {}))
        self.successResultOf(server.stop())
