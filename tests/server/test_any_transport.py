"""What can be asked of any transport, over real sockets."""

import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import alsoProvides

from tests.support import Client, FakeReactor, FakeTransport, get, make_server, write_tree
from tinyhttp.server.any_transport import (
    can_half_close,
    octets_acknowledged,
    send_at_once,
    tls_version,
)

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="TCP_INFO is Linux's")


class Over:
    """A transport over a socket, or over another transport."""

    def __init__(self, lower: Any):
        if isinstance(lower, socket.socket):
            self.socket = lower
        else:
            self.transport = lower


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=10)
        far, _ = listener.accept()
    far.settimeout(10)
    yield near, far
    near.close()
    far.close()


def receive(sock: socket.socket, octets: int) -> None:
    while octets:
        octets -= len(sock.recv(octets))


def fill(sock: socket.socket) -> int:
    """Send until the kernel takes no more; return how much that was."""
    sock.setblocking(False)
    octets = 0
    while True:
        try:
            octets += sock.send(bytes(65_536))
        except BlockingIOError:
            return octets


def known(transport: Any) -> int:
    octets = octets_acknowledged(transport)
    assert octets is not None
    return octets


@linux
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_octets_acknowledged(pair: tuple[socket.socket, socket.socket], layers: int) -> None:
    near, far = pair
    transport = Over(near)
    for _ in range(layers):
        transport = Over(transport)
    before = known(transport)
    near.sendall(bytes(5000))
    receive(far, 5000)
    # What comes back is sent behind the confirmation of what went there.
    far.sendall(b"x")
    receive(near, 1)
    assert known(transport) == before + 5000


@linux
def test_octets_in_the_kernel_alone_do_not_count(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert known(Over(near)) < fill(near)


@linux
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_of_a_unix_socket_what_is_unread_counts(layers: int) -> None:
    """Negatively, so that the number grows as the peer reads; in units of the kernel's own."""
    near, far = socket.socketpair()
    transport = Over(near)
    for _ in range(layers):
        transport = Over(transport)
    with near, far:
        assert known(transport) == 0
        for _ in range(3):
            near.sendall(bytes(1000))
        numbers = [known(transport)]
        for _ in range(3):
            receive(far, 1000)
            numbers.append(known(transport))
    assert numbers[0] <= -3000
    assert numbers[0] < numbers[1] < numbers[2] < numbers[3] == 0


def test_of_other_sockets_nothing_is_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", 9))
        assert octets_acknowledged(Over(sock)) is None


def test_of_a_closed_socket_nothing_is_known(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    near.close()
    assert octets_acknowledged(Over(near)) is None


@pytest.mark.parametrize("transport", [None, object(), Over(None), Over(object())])
def test_without_a_socket_nothing_is_known(transport: object) -> None:
    assert octets_acknowledged(transport) is None


def test_elsewhere_nothing_is_known(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert octets_acknowledged(Over(pair[0])) is None


class Plain:
    """A transport of which only the interfaces matter."""


def test_half_close() -> None:
    tcp, other = Plain(), Plain()
    alsoProvides(tcp, IHalfCloseableDescriptor)
    assert can_half_close(tcp)
    assert not can_half_close(other)


@pytest.mark.parametrize("kind", [ProtocolWrapper, TLSMemoryBIOProtocol])
def test_a_wrapper_can_not_half_close_whatever_it_says(kind: type[ProtocolWrapper]) -> None:
    """It takes over the interfaces of the transport below it when it is connected."""
    wrapper = kind(WrappingFactory(Factory()), Protocol())
    alsoProvides(wrapper, IHalfCloseableDescriptor)
    assert IHalfCloseableDescriptor.providedBy(wrapper)
    assert not can_half_close(wrapper)


def test_a_connected_wrapper_says_that_it_can() -> None:
    wrapper = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
    transport = FakeTransport()
    wrapper.makeConnection(transport)
    assert can_half_close(transport)
    assert IHalfCloseableDescriptor.providedBy(wrapper)
    assert not can_half_close(wrapper)


def test_send_at_once() -> None:
    class TCP:
        no_delay = False

        def setTcpNoDelay(self, enabled: bool) -> None:
            self.no_delay = enabled

    transport = TCP()
    send_at_once(transport)
    assert transport.no_delay
    send_at_once(object())  # not TCP: nothing to ask for


@linux
def test_a_client_that_reads_slowly_but_steadily(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """The kernel holds megabytes for it: nothing seems to move, but its machine confirms octets."""
    near, far = pair
    reactor = FakeReactor()
    root = write_tree(tmp_path / "root", {"big.bin": bytes(500_000)})
    client = Client(make_server(root, reactor), room=0)
    client.transport.socket = near  # type: ignore[attr-defined]
    client.send(get("/big.bin"))
    for _ in range(10):
        near.sendall(b"x" * 100)
        receive(far, 100)
        far.sendall(b"x")
        receive(near, 1)
        for _ in range(119):
            reactor.advance(0.5)
    assert not client.transport.closed
    for _ in range(250):
        reactor.advance(0.5)
    assert client.transport.aborted


@linux
def test_a_client_that_reads_slowly_but_steadily_over_a_unix_socket(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    far.settimeout(10)
    reactor = FakeReactor()
    root = write_tree(tmp_path / "root", {"big.bin": bytes(500_000)})
    client = Client(make_server(root, reactor), room=0)
    client.transport.socket = near  # type: ignore[attr-defined]
    with near, far:
        for _ in range(10):
            near.sendall(b"x" * 100)
        client.send(get("/big.bin"))
        for _ in range(10):
            receive(far, 100)
            for _ in range(119):
                reactor.advance(0.5)
        assert not client.transport.closed
        for _ in range(250):
            reactor.advance(0.5)
    assert client.transport.aborted


class Handle:
    """A transport with a handle."""

    def __init__(self, handle: object):
        self._handle = handle

    def getHandle(self) -> object:
        return self._handle


def test_the_version_of_tls_is_that_of_the_handle() -> None:
    """Ours is an object of Python's ssl, Twisted's one of pyOpenSSL."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_bio(
        ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True
    )
    twisteds = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
    assert tls_version(Handle(ours)) is None  # no handshake yet
    assert tls_version(Handle(twisteds)) == twisteds.get_protocol_version_name().encode()


def test_without_tls_there_is_no_version(pair: tuple[socket.socket, socket.socket]) -> None:
    for transport in (None, object(), Handle(None), Handle(pair[0]), FakeTransport()):
        assert tls_version(transport) is None
