"""What can be asked of any transport, over real sockets."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport
from zope.interface import alsoProvides

from tests.support import Client, FakeReactor, get, make_server, write_tree
from tinyhttp.server.any_transport import can_half_close, octets_acknowledged, send_at_once

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


def test_of_other_sockets_nothing_is_known() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(b"x")
        assert octets_acknowledged(Over(near)) is None


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
    tcp, tls, other = Plain(), Plain(), Plain()
    alsoProvides(tcp, IHalfCloseableDescriptor)
    alsoProvides(tls, IHalfCloseableDescriptor, ISSLTransport)
    assert can_half_close(tcp)
    assert not can_half_close(tls)
    assert not can_half_close(other)


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
