"""Ports on sockets of somebody else's: what they leave as it was."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.end_to_end.waiting import asynchronous
from tests.loopback_certificate import write_certificate
from tests.support import open_descriptors
from tinyhttp.server.inheriting import Borrowing, InheritedUNIXPort, Inheriting
from tinyhttp.server.listening import Preparing
from tinyhttp.server.socket_options import read_option


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


class Greeter(Factory):
    """Says its name to everybody, and hangs up."""

    noisy = False

    def __init__(self, name: bytes):
        self.name = name

    def buildProtocol(self, addr: object) -> Protocol:
        greeting = Protocol()

        def greet() -> None:
            assert greeting.transport is not None
            greeting.transport.write(self.name)
            greeting.transport.loseConnection()

        greeting.connectionMade = greet  # type: ignore[method-assign]
        return greeting


class Listener(Protocol):
    """Hears what the other end says, until it hangs up."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()
        self._received = b""

    def dataReceived(self, data: bytes) -> None:
        self._received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.heard.callback(self._received)


async def hear(address: Any, tls: CertificateOptions | None = None) -> bytes:
    """Return what is said at ``address`` by whoever listens there."""
    reactor = the_reactor()
    endpoint: Any
    if isinstance(address, str):
        endpoint = UNIXClientEndpoint(reactor, address)
    elif tls is not None:
        endpoint = SSL4ClientEndpoint(reactor, address[0], address[1], tls)
    else:
        endpoint = TCP4ClientEndpoint(reactor, *address)
    listener: Listener = await connectProtocol(endpoint, Listener())
    return await listener.heard


async def close(port: IListeningPort) -> None:
    await maybeDeferred(port.stopListening)


@contextmanager
def unix_socket(path: Path, mode: int = 0o600) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        path.chmod(mode)
        sock.listen()
        yield sock


@pytest.fixture
def tcp_socket() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_interface(tcp_socket: socket.socket) -> None:
    endpoint = Inheriting(the_reactor(), tcp_socket.fileno())
    assert verifyObject(IStreamServerEndpoint, endpoint)


def test_everything_else_is_the_reactors() -> None:
    assert Borrowing(the_reactor()).callLater == the_reactor().callLater


# UNIX sockets.


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o777])
@pytest.mark.parametrize("how", ["alone", "unix:", "adopted"])
@asynchronous
async def test_a_unix_socket_keeps_name_and_mode(how: str, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with unix_socket(path, mode) as sock:
        reactor = Inheriting(the_reactor(), sock.fileno())
        if how == "alone":
            port: Any = await reactor.listen(Greeter(b"one"))
        elif how == "unix:":
            # With another mode than the socket has: it was made so by somebody who has the say.
            port = await serverFromString(reactor, f"unix:{path}:mode=666").listen(Greeter(b"one"))
        else:
            borrowing = Borrowing(the_reactor())
            port = borrowing.adoptStreamPort(sock.fileno(), socket.AF_UNIX, Greeter(b"one"))
        assert isinstance(port, InheritedUNIXPort)
        assert await hear(str(path)) == b"one"
        assert stat.S_IMODE(path.stat().st_mode) == mode
        await close(port)
        assert path.is_socket()
        assert stat.S_IMODE(path.stat().st_mode) == mode
        # Nor is it shut down: the next one takes who has come meanwhile.
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(str(path))
            assert not os.get_blocking(sock.fileno())  # or one that is taken by another blocks all
            another = await Inheriting(the_reactor(), sock.fileno()).listen(Greeter(b"two"))
            assert await hear(str(path)) == b"two"
            await close(another)


@asynchronous
async def test_a_unix_socket_without_a_name(tmp_path: Path) -> None:
    """In the abstract namespace, as ``ListenStream=@name`` makes it."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("")  # the kernel finds a name
        sock.listen()
        port = await Inheriting(the_reactor(), sock.fileno()).listen(Greeter(b"one"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(sock.getsockname())
        await close(port)


@asynchronous
async def test_a_unix_socket_whose_name_is_gone(tmp_path: Path) -> None:
    """Somebody has removed it, or bound it in another mount namespace; the rest still works."""
    with unix_socket(tmp_path / "socket") as sock:
        os.unlink(tmp_path / "socket")
        port = await Inheriting(the_reactor(), sock.fileno()).listen(Greeter(b"one"))
        await close(port)


# TCP.


@asynchronous
async def test_of_two_on_one_socket_either_may_go(tcp_socket: socket.socket) -> None:
    before = open_descriptors()
    address = tcp_socket.getsockname()
    inheriting = Inheriting(the_reactor(), tcp_socket.fileno())
    ports = [await inheriting.listen(Greeter(name)) for name in (b"one", b"two")]
    assert await hear(address) in (b"one", b"two")
    await close(ports[0])
    assert [await hear(address) for _ in range(3)] == [b"two"] * 3
    await close(ports[1])
    with socket.create_connection(address, timeout=10):
        pass  # it waits in the kernel for the next one
    assert open_descriptors() == before


@pytest.mark.parametrize("wish", ["tcp:1", "tcp:1:interface=192.0.2.1", "tcp6:1", "unix:/none"])
@asynchronous
async def test_whatever_is_asked_for_it_is_the_socket_at_hand(
    wish: str, tcp_socket: socket.socket
) -> None:
    """An endpoint string binds nothing, and has no right to."""
    endpoint = serverFromString(Inheriting(the_reactor(), tcp_socket.fileno()), wish)
    port = await endpoint.listen(Greeter(b"here"))
    assert await hear(tcp_socket.getsockname()) == b"here"
    await close(port)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # within Twisted
@asynchronous
async def test_tls_is_spoken_on_it(tcp_socket: socket.socket, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    endpoint = serverFromString(
        Inheriting(the_reactor(), tcp_socket.fileno()),
        f"ssl:1:privateKey={certificate}:certKey={certificate}",
    )
    port = await endpoint.listen(Greeter(b"in secret"))
    address = tcp_socket.getsockname()
    assert await hear(address, CertificateOptions(verify=False)) == b"in secret"
    await close(port)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # within Twisted
@asynchronous
async def test_tls_is_spoken_with_options_on_the_socket(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    endpoint = serverFromString(
        Preparing(the_reactor(), [read_option("SO_KEEPALIVE=1")]),
        f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}",
    )
    port: Any = await endpoint.listen(Greeter(b"in secret"))
    assert port.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    address = port.socket.getsockname()
    assert await hear(address, CertificateOptions(verify=False)) == b"in secret"
    await close(port)


@asynchronous
async def test_what_is_no_socket(tmp_path: Path) -> None:
    with open(os.devnull) as file, pytest.raises(OSError, match="socket"):
        await Inheriting(the_reactor(), file.fileno()).listen(Greeter(b"one"))
