"""A file server without sockets: an agent for treq, on a clock that the test moves.

Floor: testing. What one end writes the other has before the call returns that wrote it; only time
has to be made to pass.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IConsumer, IPushProducer, IStreamClientEndpoint, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

from ..server.server import Timeouts
from .content import Content, prepare
from .local import Journal
from .rules import Rule
from .scripting import ScriptedHere
from .server import ScriptedServer

__all__ = ["MemoryServer"]

START = 1_767_225_600
"""The time at the server when its clock says 0, in epoch seconds: the beginning of 2026."""
HIGH = 64 * 1024
"""Octets on their way from which on a producer is asked to pause."""


class Network:
    """Does one thing after the other, so that nobody is called back from within his own call."""

    def __init__(self) -> None:
        self._pending: deque[Callable[[], object]] = deque()
        self._busy = False

    def soon(self, call: Callable[[], object]) -> None:
        """Do ``call`` behind what is pending, and before the outermost `soon` returns."""
        self._pending.append(call)
        if not self._busy:
            with self.held():
                pass

    @contextmanager
    def held(self) -> Iterator[None]:
        """Do nothing of what is asked for within; all of it at the end, if this is the outermost.

        Twisted's client must not get its answer while it is still writing the request.
        """
        busy, self._busy = self._busy, True
        try:
            yield
            while self._pending and not busy:
                self._pending.popleft()()
        finally:
            self._busy = busy


@implementer(ITransport, IConsumer, IPushProducer)
class End:
    """One end of a connection in memory, for ``protocol``."""

    def __init__(self, network: Network, protocol: Any, number: int):
        self.other: End = self
        self.disconnecting = False
        self.connected = True
        self.producer: Any = None
        self._network = network
        self._protocol = protocol
        self._number = number
        self._streaming = True
        self._producer_paused = False
        self._inbox: deque[bytes] = deque()
        self._waiting = 0  # octets in it
        self._reading = True

    # For the protocol.

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        if not self.connected or self.disconnecting or not data:
            return
        other = self.other
        other._inbox.append(bytes(data))
        other._waiting += len(data)
        self._network.soon(other._deliver)
        if other._waiting > HIGH and self.producer is not None and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send the pieces of ``iovec``."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close when all that was written has arrived."""
        self.disconnecting = True
        self._network.soon(self._finish)

    def abortConnection(self) -> None:
        """Close at once; to the other end it is a connection that was lost."""
        self.disconnecting = True
        self._network.soon(lambda: self._end(ConnectionAborted()))
        self._network.soon(lambda: self.other._end(ConnectionLost()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have ``producer`` told when to pause, or, if it is not ``streaming``, when to write."""
        self.producer, self._streaming = producer, streaming
        self._producer_paused = False
        if not streaming:
            self._network.soon(self._pull)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer, self._producer_paused = None, False
        if self.disconnecting:
            self._network.soon(self._finish)

    def pauseProducing(self) -> None:
        """Deliver nothing until `resumeProducing`."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Deliver again."""
        self._reading = True
        self._network.soon(self._deliver)

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def getHost(self) -> IPv4Address:
        """Return the address of this end."""
        return IPv4Address("TCP", "127.0.0.1", self._number)

    def getPeer(self) -> IPv4Address:
        """Return the address of the other end."""
        return self.other.getHost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no delay."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """There is nothing that could go away."""

    # For the network.

    def _deliver(self) -> None:
        while self._inbox and self._reading and self.connected:
            data = self._inbox.popleft()
            self._waiting -= len(data)
            self._protocol.dataReceived(data)
        if not self._waiting and self.connected:
            self.other._has_room()

    def _has_room(self) -> None:
        if self._producer_paused and self.producer is not None:
            self._producer_paused = False
            self.producer.resumeProducing()
        self._finish()

    def _pull(self) -> None:
        if self.producer is not None and not self._streaming and self.connected:
            self.producer.resumeProducing()
            self._network.soon(self._pull)

    def _finish(self) -> None:
        if self.disconnecting and self.producer is None and not self.other._inbox:
            self._end(ConnectionDone())
            self.other._end(ConnectionDone())

    def _end(self, reason: Exception) -> None:
        if self.connected:
            self.connected = False
            self._inbox.clear()
            self._protocol.connectionLost(Failure(reason))


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Endpoint:
    """Leads to ``server``, whatever host and port a URL names; until it is told to refuse."""

    def __init__(self, network: Network, server: ScriptedServer):
        self.refuses = False
        self._network = network
        self._server = server
        self._number = 50_000

    def endpointForURI(self, uri: object) -> "Endpoint":
        """Return this one."""
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """Return a Deferred of a protocol that ``factory`` makes, connected to the server."""
        if self.refuses:
            return fail(error.ConnectionRefusedError())
        return maybeDeferred(self._connect, factory)

    def _connect(self, factory: Any) -> Any:
        self._number += 1
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 80))
        theirs = self._server.buildProtocol(None)
        client = End(self._network, protocol, self._number)
        server = End(self._network, theirs, 80)
        client.other, server.other = server, client
        for made, end in ((theirs, server), (protocol, client)):
            made.makeConnection(end)
        return protocol


@implementer(IAgent)
class MemoryAgent:
    """Twisted's own ``agent``, over ``network``."""

    def __init__(self, network: Network, agent: Agent):
        self._network = network
        self._agent = agent

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        """See ``IAgent.request``; the answer may be there already."""
        with self._network.held():
            response: Deferred[Any] = self._agent.request(method, uri, headers, bodyProducer)
        return response


class MemoryServer(ScriptedHere):
    """Serves ``content`` to whoever asks through ``agent``, an ``IAgent``; nothing else can.

    Host and port of a URL don't matter, and ``https`` is not encrypted. Time is that of ``clock``;
    a delay passes when the test advances it. ``rules`` and ``options`` are those of `FileServer`.
    """

    url = "http://files.test"
    """A URL of the root, without a slash at its end."""

    def __init__(
        self,
        content: Content,
        *,
        clock: Clock | None = None,
        rules: Iterable[Rule] = (),
        timeouts: Timeouts | None = None,
        **options: Any,
    ):
        self.clock = Clock() if clock is None else clock
        self._prepared = prepare(content)
        self._age = 0
        try:
            self._server = ScriptedServer(
                self._prepared,
                reactor=self.clock,
                clock=lambda: START + self.clock.seconds(),
                timeouts=timeouts,
                **options,
            )
            self.script = self._server.script
            self.add(*rules)
        except BaseException:
            self._prepared.remove()
            raise
        self._server.refuse_for = self._refuse_for
        network = Network()
        self.endpoint = Endpoint(network, self._server)
        """Connects a protocol of the test's own."""
        self._pool = HTTPConnectionPool(self.clock)
        self.agent = MemoryAgent(
            network, Agent.usingEndpointFactory(self.clock, self.endpoint, self._pool)
        )
        self.journal = Journal(self._server.record, self.clock)

    def stop(self) -> Deferred[None]:
        """Return a Deferred that has fired: every connection has ended, nothing is left."""
        self.endpoint.refuses = True
        stopped = self._server.stop(grace=0)
        _ = self._pool.closeCachedConnections()
        self.clock.advance(0)
        self._prepared.remove()
        return stopped

    def refuse(self) -> None:
        """Refuse new connections; others stay."""
        self.endpoint.refuses = True

    def accept(self) -> None:
        """Accept connections again."""
        self.endpoint.refuses = False

    def write(self, path: str, content: str | bytes) -> None:
        """Replace a file, or make one, as a deployment would; it is newer than all before."""
        self._age += 60
        self._prepared.write(path, content, self._age)

    def _refuse_for(self, seconds: float) -> None:
        self.refuse()
        self.clock.callLater(seconds, self.accept)
