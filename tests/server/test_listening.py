"""A port for everyone, and real connections to it."""

import errno
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from tests.support import get, read_answers, write_tree
from tinyhttp.server import listening
from tinyhttp.server.listening import BACKLOG, EveryAddress, set_backlog
from tinyhttp.server.server import Server

BIG = bytes(range(256)) * 4000

ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def server(tmp_path: Path) -> Server:
    root = write_tree(tmp_path / "root", {"a.txt": b"a", "big.bin": BIG})
    return Server(root, reactor=the_reactor())


Listen = Callable[[IStreamServerEndpoint], Awaitable[IListeningPort]]


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def listen(server: Server) -> AsyncIterator[Listen]:
    ports: list[IListeningPort] = []

    async def listen(endpoint: IStreamServerEndpoint) -> IListeningPort:
        port: IListeningPort = await endpoint.listen(server)
        ports.append(port)
        return port

    yield listen
    for port in ports:
        await maybeDeferred(port.stopListening)
    await server.stop(grace=1)


def exchange(address: Any, data: bytes, *, half_close: bool = False) -> bytes:
    """Send ``data`` and return all that comes; for a thread, as it blocks."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(address)
    else:
        sock = socket.create_connection(address, timeout=10)
    with sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        received = b""
        while block := sock.recv(65_536):
            received += block
    return received


ONE = get("/a.txt", "Connection: close")


def test_interface() -> None:
    assert verifyObject(IStreamServerEndpoint, EveryAddress(the_reactor(), 0))


@ipv6
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_both_protocols_on_one_port(listen: Listen) -> None:
    _, port = address_of(await listen(EveryAddress(the_reactor(), 0)))
    for host in ("127.0.0.1", "::1"):
        (answer,) = read_answers(await deferToThread(exchange, (host, port), ONE))
        assert answer.body == b"a"


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_port_in_use(server: Server) -> None:
    with socket.create_server(("", 0)) as taken:
        endpoint = EveryAddress(the_reactor(), taken.getsockname()[1])
        with pytest.raises(CannotListenError, match="in use") as caught:
            await endpoint.listen(server)
        assert caught.value.port == taken.getsockname()[1]
    assert isinstance(caught.value.socketError, OSError)
    assert caught.value.socketError.errno == errno.EADDRINUSE


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_system_without_ipv6(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    port = await listen(EveryAddress(the_reactor(), 0))
    assert isinstance(port.getHost(), IPv4Address)
    assert b" 200 OK" in await deferToThread(exchange, address_of(port), ONE)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_system_with_ipv6_switched_off(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    open_listener = listening.open_listener

    def without_ipv6(host: str, *arguments: Any, **names: Any) -> Any:
        if host == "::":
            raise OSError(number, "no IPv6 here")
        return open_listener(host, *arguments, **names)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(listening, "open_listener", without_ipv6)
    port = await listen(EveryAddress(the_reactor(), 0))
    assert b" 200 OK" in await deferToThread(exchange, address_of(port), ONE)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_another_error_is_not_taken_for_a_lack_of_ipv6(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(host: str, *arguments: Any, **names: Any) -> Any:
        assert host == "::"
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(listening, "open_listener", refuse)
    with pytest.raises(CannotListenError) as caught:
        await EveryAddress(the_reactor(), 0).listen(server)
    assert isinstance(caught.value.socketError, PermissionError)
    assert caught.value.socketError.errno == errno.EACCES


# Things that only a real socket can show.


@pytest.fixture(params=["tcp", "unix"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> IStreamServerEndpoint:
    if request.param == "unix":
        endpoint: IStreamServerEndpoint = serverFromString(the_reactor(), f"unix:{tmp_path}/socket")
        return endpoint
    return EveryAddress(the_reactor(), 0)


def address_of(port: IListeningPort) -> Any:
    host: Any = port.getHost()
    return ("127.0.0.1", host.port) if hasattr(host, "port") else host.name.decode()


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_big_file(listen: Listen, endpoint: IStreamServerEndpoint) -> None:
    address = address_of(await listen(endpoint))
    data = get("/big.bin") + get("/a.txt") + get("/big.bin", "Connection: close")
    answers = read_answers(await deferToThread(exchange, address, data))
    assert [answer.body for answer in answers] == [BIG, b"a", BIG]


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_half_close(listen: Listen, endpoint: IStreamServerEndpoint) -> None:
    address = address_of(await listen(endpoint))
    data = get("/a.txt") + get("/big.bin")
    received = await deferToThread(exchange, address, data, half_close=True)
    assert [answer.body for answer in read_answers(received)] == [b"a", BIG]


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_the_last_response_survives_what_is_still_sent(
    listen: Listen, endpoint: IStreamServerEndpoint
) -> None:
    """Without lingering a reset would take it away."""
    address = address_of(await listen(endpoint))
    data = get("/a.txt", "Content-Length: 800000", method="POST") + bytes(800_000)
    received = await deferToThread(exchange, address, data, half_close=True)
    assert [answer.status for answer in read_answers(received)] == [405]


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_many_at_once(listen: Listen, endpoint: IStreamServerEndpoint) -> None:
    address = address_of(await listen(endpoint))
    data = get("/big.bin", "Connection: close")
    waiting = [deferToThread(exchange, address, data) for _ in range(5)]
    for result in waiting:
        (answer,) = read_answers(await result)
        assert answer.body == BIG


# The backlog, as the kernel has it.


def backlog_of(port: Any) -> int:
    """Return struct tcp_info's tcpi_sacked, which for a listening socket is its backlog."""
    info = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
    return int(struct.unpack_from("I", info, 28)[0])


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="struct tcp_info")


@on_linux
@pytest.mark.parametrize("backlog", [1, 7, 300])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_the_backlog(listen: Listen, backlog: int) -> None:
    port = await listen(EveryAddress(the_reactor(), 0, backlog))
    assert backlog_of(port) == backlog


@on_linux
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_the_backlog_of_a_port_that_is_open_already(listen: Listen) -> None:
    port = await listen(serverFromString(the_reactor(), "tcp:0:interface=127.0.0.1"))
    assert backlog_of(port) == 50
    set_backlog(port, 77)
    assert backlog_of(port) == 77


@on_linux
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_the_backlog_that_is_usual(listen: Listen) -> None:
    port = await listen(EveryAddress(the_reactor(), 0))
    assert backlog_of(port) == min(BACKLOG, int(Path(SOMAXCONN).read_text()))


def test_the_backlog_of_what_is_no_port_is_its_own_matter() -> None:
    class Port:
        """Without a socket."""

    set_backlog(Port(), 5)


SOMAXCONN = "/proc/sys/net/core/somaxconn"
