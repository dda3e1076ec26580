"""The server as a library, fetched from by treq: real ports, one reactor for both sides."""

import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from pytest_twisted import blockon
from treq.client import HTTPClient
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
    wrapServerTLS,
)
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from tests.loopback_certificate import write_certificate
from tests.support import OLD, get, read_answers, write_tree
from tinyhttp import Server
from tinyhttp.server.access_log import AccessLog
from tinyhttp.server.disk import Disk
from tinyhttp.server.log_destination import open_destination

from .processes import PATIENCE, same
from .waiting import asynchronous

PAGE = b"<!doctype html><title>A page</title>\n"
LARGE = Random(2).randbytes(5 * 1024 * 1024)
T = TypeVar("T", bound="Everything")

LOOPBACK = "tcp:0:interface=127.0.0.1"


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "site", {"index.html": PAGE, "large.bin": LARGE})


class Listening:
    """Servers, their ports and treq's connections, all of them ended with the test."""

    def __init__(self, reactor: Any):
        self._reactor = reactor
        self._servers: list[Server] = []
        self._ends: list[Callable[[], Awaitable[Any]]] = []

    async def listen(
        self, server: Server, where: str | IStreamServerEndpoint = LOOPBACK
    ) -> IListeningPort:
        """Listen with ``server`` on an endpoint."""
        endpoint = serverFromString(self._reactor, where) if isinstance(where, str) else where
        port: IListeningPort = await endpoint.listen(server)

        self._ends.append(partial(stopped, port))
        if server not in self._servers:
            self._servers.append(server)
        return port

    def client(self, **options: Any) -> Any:
        """Return a treq client that keeps its connections."""
        pool = HTTPConnectionPool(self._reactor)
        self._ends.append(pool.closeCachedConnections)
        return HTTPClient(Agent(self._reactor, pool=pool, **options))

    def client_through(self, endpoint: Any) -> Any:
        """Return a treq client whose connections go to ``endpoint`` whatever the URL says."""
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        return HTTPClient(Agent.usingEndpointFactory(self._reactor, Always(endpoint), pool=pool))

    async def end(self) -> None:
        for end in reversed(self._ends):
            await end()
        for server in self._servers:
            await server.stop(grace=0)


@implementer(IAgentEndpointFactory)
class Always:
    def __init__(self, endpoint: Any):
        self._endpoint = endpoint

    def endpointForURI(self, uri: object) -> Any:
        return self._endpoint


async def stopped(port: IListeningPort) -> None:
    stopping = port.stopListening()
    if stopping is not None:  # it was open
        await stopping


@pytest.fixture
def listening(reactor: Any) -> Iterator[Listening]:
    everything = Listening(reactor)
    yield everything
    blockon(Deferred.fromCoroutine(everything.end()).addTimeout(PATIENCE, reactor))


def number_of(port: IListeningPort) -> int:
    address = port.getHost()
    assert isinstance(address, IPv4Address)
    return address.port


async def connected(reactor: Any, port: IListeningPort, protocol: T) -> T:
    """Return ``protocol``, connected to ``port``."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", number_of(port))
    await connectProtocol(endpoint, protocol)
    return protocol


def url(port: IListeningPort, target: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{number_of(port)}{target}"


# Over TCP.


@asynchronous
async def test_get(reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().get(url(port))
    assert response.code == 200
    assert await response.content() == PAGE
    assert response.headers.getRawHeaders("Content-Type") == ["text/html; charset=utf-8"]
    assert response.headers.getRawHeaders("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.hasHeader("Date")


@asynchronous
async def test_head_is_get_without_the_body(reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    client = listening.client()
    got, headed = await client.get(url(port)), await client.head(url(port))
    assert (await got.content(), await headed.content()) == (PAGE, b"")
    assert (got.code, headed.code) == (200, 200)
    # Twisted's client moves a Content-Length out of the headers unless there is no body.
    assert headed.headers.getRawHeaders("Content-Length") == [str(len(PAGE))]
    for name in ("Content-Type", "ETag", "Last-Modified", "Accept-Ranges", "Vary"):
        assert headed.headers.getRawHeaders(name) == got.headers.getRawHeaders(name)


@asynchronous
async def test_a_missing_file_is_a_404(reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().get(url(port, "/missing"))
    assert response.code == 404
    assert await response.content() != b""


@asynchronous
async def test_post_is_refused(reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().post(url(port), data=b"x" * 1000)
    assert response.code == 405
    (allow,) = response.headers.getRawHeaders("Allow")
    assert "GET" in allow
    assert "POST" not in allow


@asynchronous
async def test_a_large_file_is_the_same_at_every_byte(
    reactor: Any, site: Path, listening: Listening
) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().get(url(port, "/large.bin"))
    assert response.length == len(LARGE)
    assert same(await response.content(), LARGE)


@pytest.mark.parametrize("threads", [0, 1, 4])
@asynchronous
async def test_many_at_a_time(threads: int, reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor, threads=threads))
    client = listening.client()

    async def fetch(target: str) -> bytes:
        response = await client.get(url(port, target))
        body: bytes = await response.content()
        return body

    bodies = await gatherResults(
        Deferred.fromCoroutine(fetch(target)) for target in ["/", "/large.bin"] * 6
    )
    for body, wanted in zip(bodies, [PAGE, LARGE] * 6, strict=True):
        assert same(body, wanted)


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1048576-3145727", slice(1048576, 3145728)),
        ("bytes=5242879-", slice(-1, None)),
        ("bytes=-70000", slice(-70000, None)),
    ],
)
@asynchronous
async def test_a_range(
    field: str, span: slice, reactor: Any, site: Path, listening: Listening
) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().get(url(port, "/large.bin"), headers={"Range": field})
    assert response.code == 206
    assert same(await response.content(), LARGE[span])
    start, stop, _ = span.indices(len(LARGE))
    assert response.headers.getRawHeaders("Content-Range") == [
        f"bytes {start}-{stop - 1}/{len(LARGE)}"
    ]


@asynchronous
async def test_a_range_beyond_the_end(reactor: Any, site: Path, listening: Listening) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    response = await listening.client().get(url(port), headers={"Range": "bytes=1000-"})
    assert response.code == 416
    assert response.headers.getRawHeaders("Content-Range") == [f"bytes */{len(PAGE)}"]


@asynchronous
async def test_what_has_not_changed_is_not_sent_again(
    reactor: Any, site: Path, listening: Listening
) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    client = listening.client()
    first = await client.get(url(port))
    await first.content()
    (tag,) = first.headers.getRawHeaders("ETag")
    for fields in ({"If-None-Match": tag}, {"If-Modified-Since": formatdate(OLD, usegmt=True)}):
        response = await client.get(url(port), headers=fields)
        assert response.code == 304
        assert await response.content() == b""
        assert response.headers.getRawHeaders("ETag") == [tag]
    response = await client.get(url(port), headers={"If-None-Match": '"another"'})
    assert (response.code, await response.content()) == (200, PAGE)
    response = await client.get(url(port), headers={"If-Match": '"another"'})
    assert response.code == 412


@asynchronous
async def test_a_change_is_noticed(reactor: Any, site: Path, listening: Listening) -> None:
    now = [OLD + 60.0]
    port = await listening.listen(Server(site, reactor=reactor, clock=lambda: now[0]))
    client = listening.client()
    first = await client.get(url(port))
    assert await first.content() == PAGE
    write_tree(site, {"index.html": b"Changed."}, mtime=OLD + 30)
    now[0] += 1.5
    second = await client.get(url(port))
    assert await second.content() == b"Changed."
    assert second.headers.getRawHeaders("ETag") != first.headers.getRawHeaders("ETag")


@asynchronous
async def test_a_connection_is_kept(reactor: Any, site: Path, listening: Listening) -> None:
    server = Server(site, reactor=reactor)
    port = await listening.listen(server)
    client = listening.client()
    seen = set()
    for _ in range(3):
        response = await client.get(url(port))
        await response.content()
        seen |= server.connections
    assert len(seen) == 1


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


@asynchronous
async def test_pipelined_requests_are_answered_in_their_order(
    reactor: Any, site: Path, listening: Listening
) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    targets = ["/large.bin", "/", "/missing", "/?again", "/large.bin", "/"]
    requests = [get(target) for target in targets]
    requests.append(get("/", "Connection: close"))
    client = await connected(reactor, port, Everything())
    client.transport.write(b"".join(requests))
    answers = read_answers(await client.received)
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 200, 200]
    bodies = [answer.body for answer in answers if answer.status == 200]
    for body, wanted in zip(bodies, [LARGE, PAGE, PAGE, LARGE, PAGE, PAGE], strict=True):
        assert same(body, wanted)
    assert answers[-1]["Connection"] == "close"


@asynchronous
async def test_a_client_that_shuts_down_its_side_gets_its_answer(
    reactor: Any, site: Path, listening: Listening
) -> None:
    port = await listening.listen(Server(site, reactor=reactor))
    client = await connected(reactor, port, Everything())
    client.transport.write(get("/large.bin"))
    client.transport.loseWriteConnection()
    (answer,) = read_answers(await client.received)
    assert same(answer.body, LARGE)


# Several servers, and other transports.


@asynchronous
async def test_several_servers_in_one_process(
    reactor: Any, tmp_path: Path, listening: Listening
) -> None:
    roots = [write_tree(tmp_path / name, {"index.html": name}) for name in ("one", "two")]
    ports = [await listening.listen(Server(root, reactor=reactor)) for root in roots]
    client = listening.client()
    for port, root in zip(ports, roots, strict=True):
        response = await client.get(url(port))
        assert await response.content() == root.name.encode()


@asynchronous
async def test_one_server_on_several_ports(reactor: Any, site: Path, listening: Listening) -> None:
    server = Server(site, reactor=reactor)
    ports = [await listening.listen(server) for _ in range(2)]
    client = listening.client()
    for port in ports:
        response = await client.get(url(port))
        assert await response.content() == PAGE
    await stopped(ports[0])
    response = await client.get(url(ports[1], "/large.bin"))
    assert same(await response.content(), LARGE)


@asynchronous
async def test_a_unix_socket(
    reactor: Any, site: Path, tmp_path: Path, listening: Listening
) -> None:
    path = str(tmp_path / "server.sock")
    await listening.listen(Server(site, reactor=reactor), f"unix:{path}")
    client = listening.client_through(UNIXClientEndpoint(reactor, path))
    response = await client.get("http://localhost/large.bin")
    assert same(await response.content(), LARGE)
    response = await client.get("http://localhost/", headers={"Range": "bytes=2-8"})
    assert (response.code, await response.content()) == (206, PAGE[2:9])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with a certificate for 127.0.0.1 that vouches for itself, and its key."""
    path = write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")
    yield path
    path.unlink()


def through_ssl(reactor: Any, certificate: Path) -> IStreamServerEndpoint:
    endpoint: IStreamServerEndpoint = serverFromString(
        reactor, f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"
    )
    return endpoint


def through_wrapper(reactor: Any, certificate: Path) -> IStreamServerEndpoint:
    keys = PrivateCertificate.loadPEM(certificate.read_bytes())
    wrapped: IStreamServerEndpoint = wrapServerTLS(
        keys.options(), serverFromString(reactor, LOOPBACK)
    )
    return wrapped


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # within Twisted
@pytest.mark.parametrize("endpoint", [through_ssl, through_wrapper])
@asynchronous
async def test_tls(
    endpoint: Callable[[Any, Path], IStreamServerEndpoint],
    certificate: Path,
    reactor: Any,
    site: Path,
    tmp_path: Path,
    listening: Listening,
) -> None:
    destination = open_destination(str(tmp_path / "access.log"))
    log = AccessLog(reactor, Disk(reactor, 0), destination, form="{tls} {scheme} {status}")
    server = Server(site, reactor=reactor, access_log=log)
    port = await listening.listen(server, endpoint(reactor, certificate))
    trust = trustRootFromCertificates([Certificate.loadPEM(certificate.read_bytes())])
    client = listening.client(contextFactory=BrowserLikePolicyForHTTPS(trust))
    response = await client.get(url(port, scheme="https"))
    assert await response.content() == PAGE
    response = await client.get(url(port, "/large.bin", "https"))
    assert same(await response.content(), LARGE)
    response = await client.get(
        url(port, "/large.bin", "https"), headers={"Range": "bytes=-1000000"}
    )
    assert response.code == 206
    assert same(await response.content(), LARGE[-1000000:])
    # With an end to the connection that the client can tell from one that was cut.
    response = await client.get(url(port, "/large.bin", "https"), headers={"Connection": "close"})
    assert same(await response.content(), LARGE)
    log.write_now()
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert lines[:3] == ["TLSv1.3 https 200", "TLSv1.3 https 200", "TLSv1.3 https 206"]


# The end.


class Remains:
    """What there is in the reactor and among the threads, to compare with later."""

    def __init__(self, reactor: Any):
        # treq's side keeps timers of its own, so calls are told apart by who asked for them.
        self._calls = {id(call) for call in reactor.getDelayedCalls()}
        self._descriptors = {id(each) for each in reactor.getReaders() + reactor.getWriters()}
        self._reactor = reactor

    def new_calls(self) -> list[Any]:
        return [c for c in self._reactor.getDelayedCalls() if id(c) not in self._calls]

    def new_descriptors(self) -> list[Any]:
        every = self._reactor.getReaders() + self._reactor.getWriters()
        return [each for each in every if id(each) not in self._descriptors]

    @staticmethod
    def threads() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if "tinyhttp" in t.name]


@asynchronous
async def test_after_stop_nothing_is_left(reactor: Any, site: Path, tmp_path: Path) -> None:
    before = Remains(reactor)
    log = tmp_path / "access.log"
    with log.open("wb", 0) as file:
        descriptor = os.dup(file.fileno())
    server = Server(
        site, reactor=reactor, access_log=AccessLog(reactor, Disk(reactor, 1), descriptor)
    )
    port = await serverFromString(reactor, LOOPBACK).listen(server)
    idle = await connected(reactor, port, Everything())
    busy = await connected(reactor, port, Everything())
    busy.transport.write(get("/large.bin", "Connection: close"))
    (answer,) = read_answers(await busy.received)
    assert same(answer.body, LARGE)
    assert before.threads(), "files are read in threads"
    assert before.new_calls(), "the idle connection has a deadline"
    await stopped(port)
    await server.stop()
    assert await idle.received == b""
    assert server.connections == set()
    assert before.threads() == []
    assert before.new_calls() == []
    assert before.new_descriptors() == []
    assert b"GET /large.bin" in log.read_bytes()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@asynchronous
async def test_stop_lets_a_response_under_way_finish(reactor: Any, site: Path) -> None:
    before = Remains(reactor)
    server = Server(site, reactor=reactor)
    port = await serverFromString(reactor, LOOPBACK).listen(server)
    client = await connected(reactor, port, Unhurried())
    client.transport.write(get("/large.bin"))
    await client.begun
    await stopped(port)
    end = server.stop()
    assert not end.called
    client.transport.resumeProducing()
    (answer,) = read_answers(await client.received)
    assert same(answer.body, LARGE)
    await end
    assert before.new_calls() == []
    assert before.new_descriptors() == []
    assert before.threads() == []


@asynchronous
async def test_stop_cuts_off_whoever_never_finishes(reactor: Any, site: Path) -> None:
    before = Remains(reactor)
    server = Server(site, reactor=reactor)
    port = await serverFromString(reactor, LOOPBACK).listen(server)
    client = await connected(reactor, port, Unhurried())
    client.transport.write(get("/large.bin"))
    await client.begun
    await stopped(port)
    await server.stop(grace=0)
    assert server.connections == set()
    client.transport.abortConnection()
    await client.received
    assert before.new_calls() == []
    assert before.new_descriptors() == []
    for thread in before.threads():  # one may be reading a block that nobody wants any more
        await deferToThread(thread.join, PATIENCE)
    assert before.threads() == []


@asynchronous
async def test_stop_may_be_called_again(reactor: Any, site: Path) -> None:
    server = Server(site, reactor=reactor)
    await server.stop()
    await server.stop()


class Unhurried(Everything):
    """Stops reading at the first octets."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if not self.begun.called:
            self.transport.pauseProducing()
            self.begun.callback(None)
