"""How a server would answer one request, if it were running.

Nothing listens, and nothing leaves the process: the octets of a request go into a `Connection` of
a real `Server`, and what it writes is kept. So whatever is decided is decided where it always is;
this module only listens at the seams (`tinyhttp.core.reasons`, `Files.on_miss`, the questions of
`tinyhttp.core.policy`), and notes in order what it hears.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..core.policy import Answer, Question, Steps
from ..core.request import Request
from ..core.response import Refused, Response
from ..server.exchange import Exchange
from ..server.memo import Memo
from ..server.protocol import Connection
from ..server.server import Server
from ..site.files import Files
from ..site.walk import Names

__all__ = ["Asking", "Ending", "Missed", "Parsed", "Rehearsal", "Unread", "Waiting", "rehearse"]

_PATIENCE = 60.0
"""Seconds for which a thread is waited for, such as one that checks a password."""


@dataclass(slots=True, frozen=True)
class Parsed:
    """The head made a request; a ``page`` of ours answers it, or the site of ``host``."""

    request: Request
    page: bool
    host: int
    """0 for the default site, else which of the further ones."""


@dataclass(slots=True, frozen=True)
class Unread:
    """The head made no request; the connection is closed behind the answer."""

    refused: Refused


@dataclass(slots=True, frozen=True)
class Missed:
    """A name led to nothing; ``error`` says why, ``None``: it is no regular file."""

    names: Names
    error: OSError | None


@dataclass(slots=True, frozen=True)
class Asking:
    """The policy asked a question, and this was the answer."""

    question: Question
    answer: Answer | Refused


@dataclass(slots=True, frozen=True)
class Ending:
    """The response, before it is written."""

    response: Response


class Waiting(Clock):
    """A reactor of which there is only the time, which stands still, and calls from threads."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(  # noqa: N802 (the name is Twisted's)
        self, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Keep a call for `turn`."""
        self._calls.put(lambda: function(*args, **kwargs))

    def turn(self) -> None:
        """Make the next call that a thread wants; raises `TimeoutError` if none comes."""
        try:
            call = self._calls.get(timeout=_PATIENCE)
        except Empty:
            raise TimeoutError("the disk, or the check of a password, takes too long") from None
        call()


@dataclass(slots=True)
class Rehearsal:
    """What was heard, in order, and the octets of the response's head: none if there is none."""

    heard: list[Any] = field(default_factory=list)
    head: bytes = b""

    @property
    def status(self) -> int:
        """The status code, 0 if the server waits for more of the request."""
        return int(self.head[9:12]) if self.head else 0


class _Exchange(Exchange):
    """An exchange that tells, and sends no body."""

    def __init__(self, connection: Connection, *args: Any, **kwargs: Any):
        super().__init__(connection, *args, **kwargs)
        assert isinstance(connection, _Connection)
        self.tell = connection.rehearsal.heard.append

    def answer(self, request: Request) -> None:
        server = self._server
        host = server.hosts.every.index(server.hosts.of(request.authority))
        assert self.tell is not None
        self.tell(Parsed(request, request.path in server.pages, host))
        super().answer(request)

    def _inquire(self, request: Request, steps: Steps, *others: Any) -> None:
        super()._inquire(request, self._watched(steps), *others)

    def _watched(self, steps: Steps) -> Steps:
        """Pass on questions and answers."""
        assert self.tell is not None
        step: Callable[[Any], Question] = steps.send
        value: Any = None
        while True:
            try:
                question = step(value)
            except StopIteration as end:
                response: Response = end.value
                return response
            try:
                value = yield question
                step = steps.send
            except Refused as refused:
                value, step = refused, steps.throw
            self.tell(Asking(question, value))

    def respond(self, response: Response) -> None:
        assert self.tell is not None
        self.tell(Ending(response))
        response.body = b""  # its length is told all the same
        super().respond(response)


class _Connection(Connection):
    """A connection to nobody."""

    exchange_type = _Exchange

    def __init__(self, server: Server, rehearsal: Rehearsal):
        super().__init__(server)
        self.rehearsal = rehearsal

    def connectionMade(self) -> None:
        super().connectionMade()
        self.memo = Memo(0)  # what was answered a moment ago has no reasons any more

    def refuse(self, refused: Refused) -> None:
        self.rehearsal.heard.append(Unread(refused))
        super().refuse(refused)


class _Transport:
    """Where the response goes; of a client that closes as soon as it may."""

    def __init__(self, *, secure: bool):
        self.written = b""
        self._secure = secure

    def write(self, data: bytes) -> None:
        self.written += data

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 1)

    getHost = getPeer

    def getHandle(self) -> Any:
        return SimpleNamespace(version=lambda: "TLSv1.3") if self._secure else None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Do nothing: it is never full."""

    def unregisterProducer(self) -> None:
        """Do nothing either."""

    pauseProducing = resumeProducing = unregisterProducer
    loseConnection = loseWriteConnection = abortConnection = unregisterProducer


def rehearse(
    server: Server, octets: bytes, *, secure: bool = False, turn: Callable[[], object] | None = None
) -> Rehearsal:
    """Return what ``server`` answers to ``octets``, and how it comes to that.

    ``secure``: as if they had come over TLS. ``turn`` is called while the answer waits for a
    thread; ``server`` forgets what it knows of its files first. Raises what ``turn`` does.
    """
    rehearsal = Rehearsal()
    every = [host.site for host in server.hosts.every]
    for site in every:
        site.forget()
        if isinstance(site.files, Files):
            site.files.on_miss = lambda *miss: rehearsal.heard.append(Missed(*miss))
    connection = _Connection(server, rehearsal)
    transport = _Transport(secure=secure)
    try:
        connection.transport = transport
        connection.connectionMade()
        connection.dataReceived(octets)
        waits = turn is not None and any(isinstance(each, Parsed) for each in rehearsal.heard)
        while waits and turn is not None and not transport.written:
            turn()
    finally:
        connection.connectionLost(Failure(ConnectionAbortedError()))
        for site in every:
            if isinstance(site.files, Files):
                site.files.on_miss = None
    end = transport.written.find(b"\r\n\r\n")
    rehearsal.head = transport.written[: end + 4] if end >= 0 else b""
    return rehearsal
