"""Taking connections: from a real port, without it, and when there is no descriptor left."""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import main, tcp, unix
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure

import twisted
from tests.support import get, make_server, open_descriptors, pass_time, read_answers, write_tree
from tinyhttp.server import poller
from tinyhttp.server.acceptor import ACCEPTS, PAUSE, USED, Acceptor, obstacle, take_over
from tinyhttp.server.poller import Poller
from tinyhttp.server.server import Server
from tinyhttp.server.transport import SocketTransport

from .sockets import Peer, Recorder, SocketReactor, until


class Recording(Recorder):
    transport: Any


class Recorders(Factory):
    """Makes a `Recorder` for each connection, and keeps them."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Recording] = []
        self.addresses: list[Any] = []

    def buildProtocol(self, addr: Any) -> Recording | None:
        self.addresses.append(addr)
        self.made.append(Recording())
        return self.made[-1]


class Stage:
    """A port of Twisted's, which an `Acceptor` has taken over."""

    def __init__(
        self, stack: ExitStack, factory: Any = None, address: Any = None, inherited: Any = None
    ):
        self.stack = stack
        self.reactor = SocketReactor()
        self.poller = Poller(self.reactor)
        self.factory = Recorders() if factory is None else factory
        if inherited is not None:
            self.port: Any = tcp.Port._fromListeningDescriptor(
                self.reactor, inherited.fileno(), inherited.family, self.factory
            )
        elif address is None:
            self.port = tcp.Port(0, self.factory, 200, "127.0.0.1", self.reactor)
        else:
            self.port = unix.Port(address, self.factory, 200, reactor=self.reactor)
        self.port.startListening()
        acceptor = take_over(self.port, self.factory, self.poller, self.reactor)
        assert acceptor is not None
        self.acceptor = acceptor
        stack.callback(self.close)

    def close(self) -> None:
        self.acceptor.stop()
        self.poller.connectionLost(Failure(main.CONNECTION_DONE))
        self.port.stopListening()
        self.reactor.advance(0)

    def connect(self) -> Peer:
        client = self.stack.enter_context(socket.socket(self.port.socket.family))
        client.settimeout(10)
        client.connect(self.port.socket.getsockname())
        return Peer(client)

    def until(self, condition: Callable[[], object]) -> None:
        until(condition, self.reactor.poll)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def stage(stack: ExitStack) -> Stage:
    return Stage(stack)


def test_takes_what_arrives(stage: Stage) -> None:
    peers = [stage.connect() for _ in range(3)]
    stage.until(lambda: len(stage.factory.made) == 3)
    addresses = [IPv4Address("TCP", *peer.socket.getsockname()) for peer in peers]
    assert stage.factory.addresses == addresses
    assert [p.transport.getPeer() for p in stage.factory.made] == addresses
    assert all(type(p.transport) is SocketTransport for p in stage.factory.made)
    assert stage.port not in stage.reactor.readers, "the port itself accepts nothing any more"
    peers[1].send(b"hello")
    stage.until(lambda: stage.factory.made[1].received)
    assert [p.received for p in stage.factory.made] == [b"", b"hello", b""]


def test_unix_sockets(stack: ExitStack, tmp_path: Path) -> None:
    stage = Stage(stack, address=str(tmp_path / "socket"))
    peer = stage.connect()
    stage.until(lambda: stage.factory.made)
    assert stage.factory.addresses == [UNIXAddress(None)]
    stage.factory.made[0].transport.write(b"hello")
    until(lambda: peer.received == b"hello", peer.read)


def test_is_a_reader_like_others(stage: Stage) -> None:
    assert stage.acceptor.fileno() == stage.port.socket.fileno()
    assert stage.acceptor.logPrefix() == "tinyhttp"


def test_a_crowd_does_not_take_every_turn(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever comes while there is no turn waits in the kernel."""
    assert ACCEPTS == 64
    monkeypatch.setattr(poller, "LOOKS", 1)
    for _ in range(150):
        stage.connect()
    taken = []
    while stage.reactor.poll():
        taken.append(len(stage.factory.made))
    assert taken[:3] == [64, 128, 150]


def test_a_factory_that_wants_no_connection(stack: ExitStack) -> None:
    class Closed(Factory):
        noisy = False

        def buildProtocol(self, addr: Any) -> None:
            return None

    stage = Stage(stack, Closed())
    before = open_descriptors()
    peer = stage.connect()
    until(lambda: peer.end, stage.reactor.poll, peer.read)
    assert peer.end == "closed"
    assert len(open_descriptors() - before) == 1, "the client's own"


class FirstFails(Recorders):
    """Something goes wrong while the first connection is made."""

    def buildProtocol(self, addr: Any) -> Recording | None:
        if not self.addresses:
            self.addresses.append(addr)
            raise ZeroDivisionError("a mistake")
        return super().buildProtocol(addr)


class FirstProtocolFails(Recorders):
    def buildProtocol(self, addr: Any) -> Recording | None:
        protocol = super().buildProtocol(addr)
        if protocol is not None and len(self.made) == 1:
            protocol.connectionMade = fail  # type: ignore[method-assign]
        return protocol


def fail() -> None:
    raise ZeroDivisionError("a mistake")


@pytest.mark.parametrize("kind", [FirstFails, FirstProtocolFails])
def test_what_goes_wrong_with_one_connection_is_its_own_end(
    stack: ExitStack, kind: type[Recorders]
) -> None:
    stage = Stage(stack, kind())
    with capturedLogs() as log:
        first = stage.connect()
        stage.until(lambda: log)
        second = stage.connect()
        for _ in range(5):
            stage.reactor.poll(0.01)
        second.send(b"hello")
        for _ in range(5):
            stage.reactor.poll(0.01)
    assert log[0]["log_failure"].type is ZeroDivisionError
    assert [p.received for p in stage.factory.made][-1:] == [b"hello"]
    first.read()
    assert first.end


# No more descriptors.


@contextmanager
def no_descriptors_left(spare: int = 0) -> Iterator[None]:
    """Let this process open no more than ``spare`` descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    # Numbers are given from the lowest on: those that are free below the limit have to be used up.
    limit = max(used) + 1
    fillers = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        while True:
            try:
                fillers.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        if spare:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit + spare, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


def said(log: Any) -> list[str | None]:
    return [formatEvent(event) for event in log]


WARNING = "no new connections for the moment: Too many open files"


def test_no_descriptor_left(stage: Stage) -> None:
    assert PAUSE == 0.25
    established = stage.connect()
    stage.until(lambda: stage.factory.made)
    waiting = [stage.connect() for _ in range(3)]
    with capturedLogs() as log, no_descriptors_left():
        stage.until(lambda: log)
        assert len(stage.factory.made) == 1
        assert not stage.reactor.poll(), "it does not try in vain, over and over"
        established.send(b"hello")
        stage.until(lambda: stage.factory.made[0].received == b"hello")
        stage.factory.made[0].transport.write(b"answer")
        until(lambda: established.received == b"answer", stage.reactor.poll, established.read)
        for _ in range(20):  # five seconds
            stage.reactor.advance(PAUSE)
            stage.reactor.poll()
        assert len(stage.factory.made) == 1
        assert [peer.end for peer in waiting] == ["", "", ""]
    stage.reactor.advance(PAUSE)
    stage.until(lambda: len(stage.factory.made) == 4)
    assert said(log) == [WARNING]
    assert [event["log_level"].name for event in log] == ["warn"]
    assert stage.reactor.getDelayedCalls() == []
    waiting[2].send(b"at last")
    stage.until(lambda: any(p.received == b"at last" for p in stage.factory.made))


def test_as_many_as_there_are_descriptors(stage: Stage) -> None:
    for _ in range(3):
        stage.connect()
    with no_descriptors_left(spare=2):
        stage.until(stage.reactor.getDelayedCalls)
        assert len(stage.factory.made) == 2
        stage.factory.made[0].transport.loseConnection()
        stage.reactor.advance(PAUSE)
        stage.until(lambda: len(stage.factory.made) == 3)


def test_each_time_is_worth_a_warning(stage: Stage) -> None:
    with capturedLogs() as log:
        for count in (1, 2):
            stage.connect()
            with no_descriptors_left():
                stage.until(stage.reactor.getDelayedCalls)
            stage.reactor.advance(PAUSE)
            stage.until(lambda n=count: len(stage.factory.made) == n)  # type: ignore[misc]
    assert said(log) == [WARNING, WARNING]


def test_stop_ends_the_trying(stage: Stage) -> None:
    stage.connect()
    with no_descriptors_left():
        stage.until(stage.reactor.getDelayedCalls)
    stage.acceptor.stop()
    assert stage.reactor.getDelayedCalls() == []
    stage.reactor.advance(1)
    assert not stage.reactor.poll()
    assert stage.factory.made == []


def test_a_server_goes_on_serving(stack: ExitStack, tmp_path: Path) -> None:
    """A whole one: what it has in memory it sends, to whoever is connected."""
    root = write_tree(tmp_path / "root", {"a.txt": b"a"})
    reactor = SocketReactor()
    server = make_server(root, reactor)
    port = tcp.Port(0, server, 50, "127.0.0.1", reactor)
    port.startListening()
    acceptor = take_over(port, server, server.room, reactor)
    assert acceptor is not None
    peer, late = (
        Peer(stack.enter_context(socket.create_connection(port.socket.getsockname())))
        for _ in range(2)
    )
    until(lambda: len(server.connections) == 2, reactor.poll)
    one = len(ask(reactor, peer, 1))
    third = Peer(stack.enter_context(socket.create_connection(port.socket.getsockname())))
    with no_descriptors_left():
        until(lambda: not reactor.poll())
        for count in range(2, 12):
            assert len(ask(reactor, peer, count)) == one * count
        assert [answer.status for answer in read_answers(bytes(peer.received))] == [200] * 11
        assert read_answers(ask(reactor, late, 1))[0].status == 200
        assert len(server.connections) == 2
    pass_time(reactor, 1)
    until(lambda: len(server.connections) == 3, reactor.poll)
    assert read_answers(ask(reactor, third, 1))[0].body == b"a"
    acceptor.stop()
    port.stopListening()
    _ = server.stop()
    reactor.advance(0)


def ask(reactor: SocketReactor, peer: Peer, count: int) -> bytes:
    """Send a request, and return all that has come by the end of its answer."""
    peer.send(get("/a.txt"))
    until(lambda: peer.received.count(b"\r\n\r\na") == count, reactor.poll, peer.read)
    return bytes(peer.received)


# Other errors.


class Unlucky:
    """A listening socket of which some calls of ``accept`` fail."""

    def __init__(self, sock: socket.socket, *errors: int):
        self._socket = sock
        self.errors = list(errors)

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> Any:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return self._socket.accept()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPERM, errno.EPROTO])
def test_a_client_that_is_gone_already(stage: Stage, number: int) -> None:
    """The next one is taken in the same turn."""
    stage.acceptor._socket = Unlucky(stage.port.socket, number, number)  # type: ignore[assignment]
    stage.connect()
    with capturedLogs() as log:
        stage.until(lambda: stage.factory.made)
    assert log == []
    assert stage.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_everything_that_can_run_out(stage: Stage, number: int) -> None:
    stage.acceptor._socket = Unlucky(stage.port.socket, number)  # type: ignore[assignment]
    stage.connect()
    with capturedLogs() as log:
        stage.until(stage.reactor.getDelayedCalls)
    assert said(log) == [f"no new connections for the moment: {os.strerror(number)}"]
    assert stage.factory.made == []
    stage.reactor.advance(PAUSE)
    stage.until(lambda: stage.factory.made)


# The end.


def test_stop(stage: Stage) -> None:
    peer = stage.connect()
    stage.until(lambda: stage.factory.made)
    stage.acceptor.stop()
    stage.acceptor.stop()
    stage.connect()
    peer.send(b"established")
    stage.until(lambda: stage.factory.made[0].received)
    assert len(stage.factory.made) == 1


def test_after_stop_the_port_is_not_waited_for(stage: Stage) -> None:
    stage.connect()
    stage.until(lambda: stage.factory.made)
    stage.acceptor.stop()
    stage.port.stopListening()
    stage.reactor.advance(0)
    assert not stage.reactor.poll()


def test_after_stop_an_inherited_port_is_not_waited_for(stack: ExitStack) -> None:
    """Who started the server (systemd) goes on holding the socket, and clients go on arriving."""
    held = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    held.setblocking(False)  # as whoever adopts it does
    stage = Stage(stack, inherited=held)
    stage.connect()
    stage.until(lambda: stage.factory.made)
    stage.acceptor.stop()
    stage.port.stopListening()
    stage.reactor.advance(0)
    with socket.create_connection(held.getsockname()):
        assert not stage.reactor.poll(0.05)
    assert len(stage.factory.made) == 1


def test_the_end_of_the_reactor(stage: Stage) -> None:
    stage.connect()
    with no_descriptors_left():
        stage.until(stage.reactor.getDelayedCalls)
    stage.poller.connectionLost(Failure(main.CONNECTION_LOST))
    assert stage.reactor.getDelayedCalls() == []
    assert stage.reactor.readers == []


# Whose port.


class Owned:
    """Anything else that listens."""

    def __init__(self, factory: Any):
        self.factory = factory


def test_what_is_not_taken_over(tmp_path: Path) -> None:
    reactor = SocketReactor()
    poller = Poller(reactor)
    factory = Recorders()
    wrapped = tcp.Port(0, WrappingFactory(factory), 50, "127.0.0.1", reactor)
    wrapped.startListening()

    class OtherPort(tcp.Port):
        """Of a plugin, which may do anything else with its connections."""

    other = OtherPort(0, factory, 50, "127.0.0.1", reactor)
    other.startListening()
    for port in (wrapped, other, Owned(factory), object()):
        assert take_over(port, factory, poller, reactor) is None
    assert reactor.readers == [wrapped, other], "they go on as before"
    wrapped.stopListening()
    other.stopListening()
    reactor.advance(0)


@pytest.mark.parametrize("name", ["factory", "socket", "stopReading"])
def test_a_twisted_whose_ports_are_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody has promised that the next release has these."""
    reactor = SocketReactor()
    factory = Recorders()
    port = tcp.Port(0, factory, 50, "127.0.0.1", reactor)
    port.startListening()
    assert obstacle(port, factory) == ""
    with monkeypatch.context() as patch:
        if name == "stopReading":
            patch.delattr("twisted.internet.abstract.FileDescriptor.stopReading")
        else:
            patch.delattr(port, name)
            patch.delattr(tcp.Port, name, raising=False)
        reason = f"the ports of Twisted {twisted.__version__} have no {name}"
        assert obstacle(port, factory) == reason
        assert take_over(port, factory, Poller(reactor), reactor) is None
    with monkeypatch.context() as patch:
        patch.setattr(port, "socket", "something else")
        assert obstacle(port, factory).endswith(" have no socket")
    assert set(USED) == {"factory", "socket", "stopReading"}
    port.stopListening()
    reactor.advance(0)


def test_tls_keeps_its_own_transport(tmp_path: Path) -> None:
    """A wrapped port is recognised by its factory; with Twisted's own TLS."""
    tls = pytest.importorskip("twisted.protocols.tls")
    ssl = pytest.importorskip("twisted.internet.ssl")
    reactor = SocketReactor()
    server: Server = make_server(tmp_path, reactor)
    factory = tls.TLSMemoryBIOFactory(ssl.CertificateOptions(), False, server, reactor)
    port = tcp.Port(0, factory, 50, "127.0.0.1", reactor)
    port.startListening()
    assert take_over(port, server, server.room, reactor) is None
    assert obstacle(port, server) == "TLSMemoryBIOFactory stands between, as for TLS"
    assert reactor.readers == [port]
    port.stopListening()
    reactor.advance(0)
    _ = server.stop()


def test_what_is_taken_over(tmp_path: Path) -> None:
    reactor = SocketReactor()
    poller = Poller(reactor)
    factory = Recorders()
    for port in (
        tcp.Port(0, factory, 50, "127.0.0.1", reactor),
        unix.Port(os.fsencode(tmp_path / "socket"), factory, 50, reactor=reactor),
    ):
        port.startListening()
        acceptor = take_over(port, factory, poller, reactor)
        assert isinstance(acceptor, Acceptor)
        assert reactor.readers == [poller]
        acceptor.stop()
        assert reactor.readers == []
        port.stopListening()
        reactor.advance(0)
