"""Options of sockets: what is understood, and that the kernel has taken them."""

import os
import socket
from collections.abc import Iterator

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from tinyhttp.server.listening import EveryAddress, Preparing
from tinyhttp.server.socket_options import KNOWN, SocketOption, apply, read_option


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("SO_KEEPALIVE=1", 1),
        ("so_keepalive=on", 1),
        ("SO_KEEPALIVE=0", 0),
        ("SO_REUSEPORT=yes", 1),
        ("SO_RCVBUF=65536", 65_536),
        ("TCP_KEEPIDLE=30", 30),
        ("SO_BINDTODEVICE=eth0.100", b"eth0.100"),
    ],
)
def test_what_is_understood(said: str, value: int | bytes) -> None:
    assert read_option(said) == SocketOption(said.partition("=")[0].upper(), value)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "there is no such option; known are SO_BROADCAST, "),
        ("SO_KEEPALIV=1", "there is no such option; did you mean SO_KEEPALIVE?"),
        ("SO_LINGER=1", "there is no such option; "),
        ("SO_KEEPALIVE", "a value is wanted, such as SO_KEEPALIVE=1"),
        ("SO_KEEPALIVE=", "1 or 0 is wanted"),
        ("SO_KEEPALIVE=2", "1 or 0 is wanted"),
        ("SO_RCVBUF=-1", "a number is wanted"),
        ("SO_RCVBUF=1e3", "a number is wanted"),
        ("SO_RCVBUF=\u0661", "a number is wanted"),
        ("SO_BINDTODEVICE=", "the name of a network device is wanted"),
        ("SO_BINDTODEVICE=a/b", "the name of a network device is wanted"),
        ("SO_BINDTODEVICE=longer-than-fifteen", "the name of a network device is wanted"),
    ],
)
def test_what_is_not(said: str, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace("?", r"\?")):
        read_option(said)


class Adopting:
    """A reactor that takes sockets over."""

    def __init__(self) -> None:
        self.adopted: list[socket.socket] = []

    def adoptStreamPort(self, descriptor: int, family: int, factory: object) -> socket.socket:
        self.adopted.append(socket.socket(fileno=os.dup(descriptor)))
        return self.adopted[-1]


@pytest.fixture
def reactor() -> Iterator[Adopting]:
    reactor = Adopting()
    yield reactor
    for sock in reactor.adopted:
        sock.close()


EVERY = [
    *("SO_BROADCAST=1", "SO_DONTROUTE=1", "SO_KEEPALIVE=1", "SO_OOBINLINE=1", "SO_REUSEADDR=1"),
    *("SO_REUSEPORT=1", "SO_RCVBUF=65536", "SO_SNDBUF=65536", "TCP_KEEPIDLE=31"),
    *("TCP_KEEPINTVL=32", "TCP_KEEPCNT=3", "TCP_FASTOPEN=33", "TCP_DEFER_ACCEPT=3"),
]
LISTENERS = {"TCP_FASTOPEN", "TCP_DEFER_ACCEPT"}


def test_every_option_is_tried() -> None:
    assert {each.partition("=")[0] for each in EVERY} | {"SO_BINDTODEVICE"} == set(KNOWN)


@pytest.mark.parametrize("said", EVERY)
def test_the_kernel_has_taken_it(said: str) -> None:
    """And each connection has it from the socket that it was accepted by, if it is for those."""
    option = read_option(said)
    number = getattr(socket, option.name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (outcome,) = apply(listener, [option])
        value = listener.getsockopt(option.level, number)
        assert outcome == f"{option.name}={value}"
        assert isinstance(option.value, int)
        assert value >= option.value  # the kernel doubles sizes, and rounds times up
        if option.name in LISTENERS:
            return
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(option.level, number) >= option.value


def test_unix_sockets_have_but_two() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        outcome = apply(listener, [read_option(said) for said in EVERY])
    assert [said.partition("=")[0] for said in outcome] == ["SO_RCVBUF", "SO_SNDBUF"]


def test_the_device_is_lo() -> None:
    """Linux before 5.7 wants rights for that."""
    with socket.socket() as listener:
        try:
            outcome = list(apply(listener, [read_option("SO_BINDTODEVICE=lo")]))
        except PermissionError as error:
            outcome = [str(error)]
    assert outcome[0].removeprefix("[Errno 1] ").startswith("SO_BINDTODEVICE=lo")


@pytest.mark.parametrize("family", ["every address", "tcp:"])
def test_they_are_set_before_the_socket_is_bound(family: str, reactor: Adopting) -> None:
    """Else a second one could not have the same port."""
    options = [read_option("SO_REUSEPORT=1"), read_option("SO_KEEPALIVE=1")]

    def listen(port: int) -> int:
        if family == "tcp:":
            Preparing(reactor, options).listenTCP(port, Factory(), 5, "127.0.0.1")
        else:
            _ = EveryAddress(reactor, port, 5, options).listen(Factory())
        made = reactor.adopted[-1]
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        return int(made.getsockname()[1])

    port = listen(0)
    assert listen(port) == port
    assert len(reactor.adopted) == 2


def test_a_device_that_is_not_there(reactor: Adopting) -> None:
    preparing = Preparing(reactor, [read_option("SO_BINDTODEVICE=nosuchdevice")])
    with pytest.raises(CannotListenError) as caught:
        preparing.listenTCP(0, Factory(), 5, "127.0.0.1")
    assert "SO_BINDTODEVICE=nosuchdevice" in str(caught.value.socketError)
