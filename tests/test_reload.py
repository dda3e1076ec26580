"""Another configuration in a process that goes on: real ports, real clients."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.end_to_end.waiting import asynchronous
from tests.loopback_certificate import write_certificate
from tests.support import open_descriptors, write_tree
from tinyhttp.core.networks import Networks
from tinyhttp.core.path import SitePath
from tinyhttp.options import CannotStart
from tinyhttp.server.server import Server
from tinyhttp.service import FileService

TCP = "tcp:0:interface=127.0.0.1"
BIG = bytes(range(256)) * 80_000


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


class Stage:
    """A service, and what it becomes at each reload."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.generation = 0
        self.service = self.make()

    def make(self, *wishes: str, networks: Sequence[str] = (), plain: bool = False) -> FileService:
        self.generation += 1
        name = f"{self.generation}"
        root = write_tree(self.directory / name, {"index.html": name.encode(), "big.bin": BIG})
        endpoints: Mapping[str, IStreamServerEndpoint] = {
            wish: serverFromString(the_reactor(), wish) for wish in wishes or (TCP,)
        }
        return FileService(
            the_reactor(),
            Server(root, reactor=the_reactor(), threads=1),
            endpoints,
            plain_transport=plain,
            proxy_from=Networks(networks),
            anew=self.make,
        )

    def start(self, *wishes: str, **options: Any) -> "Stage":
        self.service._server.site.close()
        self.service = self.make(*wishes, **options)
        self.service.privilegedStartService()
        return self

    def reload(self, *wishes: str, **options: Any) -> None:
        self.service._anew = lambda: self.make(*wishes, **options)
        self.service.reload()

    def port(self, wish: str = TCP) -> int:
        return int(self.service._ports[wish].getHost().port)  # type: ignore[attr-defined]

    async def fetch(self, wish: str = TCP, greeting: bytes = b"") -> bytes:
        body: bytes = await deferToThread(fetch, self.port(wish), "ssl:" in wish, greeting)
        return body

    @property
    def current(self) -> bytes:
        return str(self.generation).encode()

    async def stop(self) -> None:
        await self.service.stopService()


def fetch(port: int, tls: bool, greeting: bytes, target: str = "/") -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    connection.connect()
    connection.sock.sendall(greeting)
    connection.request("GET", target, headers={"Connection": "close"})
    body = connection.getresponse().read()
    connection.close()
    return body


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
@asynchronous
async def test_the_transport_may_be_another(before: bool, after: bool, stage: Stage) -> None:
    stage.start(plain=before)
    assert await stage.fetch() == b"2"
    for plain in (after, before, after):
        stage.reload(plain=plain)
        assert await stage.fetch() == stage.current
    await stage.stop()


HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"


@asynchronous
async def test_balancers_come_and_go(stage: Stage) -> None:
    stage.start()
    assert await stage.fetch() == b"2"
    stage.reload(networks=["127.0.0.1"])
    assert await stage.fetch(greeting=HEADER) == b"3"
    stage.reload(networks=["127.0.0.0/8"])
    assert await stage.fetch(greeting=HEADER) == b"4"
    stage.reload()
    assert await stage.fetch() == b"5"
    await stage.stop()


@pytest.mark.parametrize("networks", [["127.0.0.1"], []])
@asynchronous
async def test_who_is_at_the_gate_gets_in(networks: list[str], stage: Stage) -> None:
    """To the configuration that there is by then."""
    stage.start(networks=["127.0.0.1"])
    with socket.create_connection(("127.0.0.1", stage.port()), timeout=10) as client:
        client.sendall(HEADER[:10])
        while not stage.service._factory.waiting:
            await turn()
        stage.reload(networks=networks)
        client.sendall(HEADER[10:] + b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        while block := await deferToThread(client.recv, 65_536):
            received += block
    assert received.endswith(b"\r\n\r\n" + stage.current)
    await stage.stop()


async def turn() -> None:
    """Let the reactor do what there is to do."""
    turned: Deferred[None] = Deferred()
    the_reactor().callLater(0, turned.callback, None)
    await turned


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # within Twisted
@asynchronous
async def test_tls_goes_on(stage: Stage, tmp_path: Path) -> None:
    pem = write_certificate(tmp_path / "server.pem")
    wish = f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    stage.start(wish)
    for _ in range(3):
        assert await stage.fetch(wish) == stage.current
        stage.reload(wish)
    assert await stage.fetch(wish) == stage.current
    await stage.stop()


@asynchronous
async def test_ports_come_stay_and_go(stage: Stage) -> None:
    another = f"{TCP}:backlog=7"
    stage.start()
    first = stage.port()
    stage.reload(TCP, another)
    assert stage.port() == first
    assert await stage.fetch() == await stage.fetch(another) == b"3"
    stage.reload(another)
    assert await stage.fetch(another) == b"4"
    await turn()
    with pytest.raises(ConnectionRefusedError):
        await deferToThread(fetch, first, False, b"")
    await stage.stop()


@asynchronous
async def test_a_port_that_cannot_be_had(stage: Stage) -> None:
    """Then everything is as before, and the next reload tries again."""
    stage.start()
    port = stage.port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wish = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        with capturedLogs() as events:
            stage.reload("tcp:0:interface=localhost", wish)
        assert [formatEvent(event) for event in events if event["log_level"] >= LogLevel.warn] == [
            f"the configuration stays as it was: can't listen on {wish}: Address already in use"
        ]
        assert list(stage.service._ports) == [TCP]
        assert await stage.fetch() == b"2"
        assert stage.port() == port
    stage.reload(TCP, wish)
    assert await stage.fetch(wish) == await stage.fetch() == b"4"
    await stage.stop()


@asynchronous
async def test_a_configuration_that_is_refused(stage: Stage) -> None:
    def refuse() -> FileService:
        raise CannotStart("--threads 'x': no (--help lists the options)")

    stage.start()
    stage.service._anew = refuse
    with capturedLogs() as events:
        stage.service.reload()
    assert [formatEvent(event) for event in events] == [
        "the configuration stays as it was: --threads 'x': no"
    ]
    assert await stage.fetch() == b"2"
    await stage.stop()


@asynchronous
async def test_a_configuration_that_takes_its_time(stage: Stage) -> None:
    """What comes meanwhile is answered as before, and another HUP is not forgotten."""
    stage.start()
    made: list[Deferred[FileService]] = []

    def anew() -> Deferred[FileService]:
        made.append(Deferred())
        return made[-1]

    stage.service._anew = anew
    for _ in range(3):
        stage.service.reload()
    assert len(made) == 1
    assert await stage.fetch() == b"2"
    made[0].callback(stage.make())
    assert len(made) == 2, "once for all that came meanwhile"
    assert await stage.fetch() == b"3"
    with capturedLogs() as events:
        made[1].errback(CannotStart("no"))
    assert [formatEvent(e) for e in events] == ["the configuration stays as it was: no"]
    assert len(made) == 2
    assert await stage.fetch() == b"3"
    await stage.stop()


@asynchronous
async def test_an_end_before_the_other_configuration_is_read(stage: Stage) -> None:
    stage.start()
    made: Deferred[FileService] = Deferred()
    stage.service._anew = lambda: made
    stage.service.reload()
    await stage.stop()
    successor = stage.make()
    made.callback(successor)
    with pytest.raises(OSError, match="closed"):
        successor._server.site.files.find(SitePath((), True))


@asynchronous
async def test_an_error_of_our_own_changes_nothing(stage: Stage) -> None:
    def anew() -> FileService:
        raise ZeroDivisionError

    stage.start()
    stage.service._anew = anew
    with capturedLogs() as events:
        stage.service.reload()
    assert [each["log_failure"].type for each in events] == [ZeroDivisionError]
    assert await stage.fetch() == b"2"
    await stage.stop()


def download(port: int, go_on: Callable[[], bool]) -> int:
    """Fetch the big file until told not to; return how often it came whole."""
    count = 0
    while go_on():
        assert fetch(port, False, b"", "/big.bin") == BIG
        count += 1
    return count


@pytest.mark.parametrize("plain", [False, True])
@asynchronous
async def test_many_reloads_leave_nothing_behind(plain: bool, stage: Stage) -> None:
    await deferToThread(lambda: None)  # the reactor's own threads, which stay
    descriptors, timers = open_descriptors(), the_reactor().getDelayedCalls()
    names = {thread.name for thread in threading.enumerate() if "twisted" not in thread.name}
    stage.service._server.site.close()
    stage.service = stage.make(plain=plain)
    stage.service.privilegedStartService()
    ended = threading.Event()
    downloads = [
        deferToThread(download, stage.port(), lambda: not ended.is_set()) for _ in range(2)
    ]
    for _ in range(8):
        stage.reload(plain=plain)
        assert await stage.fetch() == stage.current
    ended.set()
    for each in downloads:
        assert await each > 0
    await stage.stop()
    limit = 1000
    while (left := threads_but(names)) and limit:
        limit -= 1
        await turn()
        for thread in left:
            await deferToThread(thread.join, 10)
    assert set(the_reactor().getDelayedCalls()) <= set(timers)
    left_open = open_descriptors() - descriptors
    assert {each for each in left_open if not each.endswith("/dev/null")} == set()  # the reserve


def threads_but(names: set[str]) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name not in names and "twisted" not in thread.name and thread.is_alive()
    ]
