"""A file server in this process, on a real port, that leaves nothing in the reactor.

Floor: testing.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Sequence
from time import time
from types import TracebackType
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from zope.interface import directlyProvides

from ..server.server import Timeouts
from .certificates import Trust, make_trust
from .content import Content, Prepared, prepare
from .journal import Entries, Entry, Record, enough, too_few
from .mistakes import ScriptError
from .rules import Rule
from .scripting import ScriptedHere
from .server import ScriptedServer

__all__ = ["FileServer", "Journal"]

HOST = "127.0.0.1"
_TURNS = 0.25
"""Seconds that clients in this process have for noticing that the server is gone. All do in the
next turns of the reactor, but for one that does not read: nobody could tell it."""


class Journal(Entries):
    """The requests that a server in this process has had."""

    def __init__(self, record: Record, reactor: Any):
        self._record = record
        self._reactor = reactor

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries there are, oldest first; the latest 10,000."""
        return self._record.entries

    def clear(self) -> None:
        """Forget what there was."""
        self._record.clear()

    def wait_for(
        self,
        count: int = 1,
        method: str | None = None,
        target: str | None = None,
        *,
        ended: bool = False,
        timeout: float = 10,
    ) -> Deferred[list[Entry]]:
        """Return a Deferred of the entries like that, once there are ``count`` of them.

        With ``ended``, once so many have been answered to the end. Fails with ``TimeoutError``
        after ``timeout`` seconds.
        """
        result: Deferred[list[Entry]] = Deferred(lambda _: None)

        def look() -> None:
            found = enough(self.entries, count, method, target, ended)
            if found is not None and not result.called:
                result.callback(found)

        def give_up() -> None:
            if not result.called:
                result.errback(TimeoutError(too_few(self.entries, count, method, target)))

        def clean(value: Any) -> Any:
            if timer.active():
                timer.cancel()
            forget()
            return value

        timer = self._reactor.callLater(timeout, give_up)
        forget = self._record.listen(look)
        _ = result.addBoth(clean)
        look()
        return result


class FileServer(ScriptedHere):
    """Serves ``content`` on a port of its own, and misbehaves as it is told.

    ``https`` has it speak TLS, with a certificate made for it; ``unix`` has it listen on a UNIX
    socket, of this path or (``True``) of one that it chooses. ``rules`` are in force from the
    start. ``timeouts``, ``hidden_files``, ``index`` and the other ``options`` are those of
    `tinyhttp.Server`. Raises `ScriptError`.
    """

    def __init__(
        self,
        content: Content | Prepared,
        *,
        rules: Iterable[Rule] = (),
        https: bool | Trust = False,
        unix: bool | str = False,
        reactor: Any = None,
        timeouts: Timeouts | None = None,
        **options: Any,
    ):
        self._reactor = _the_reactor() if reactor is None else reactor
        self.trust = make_trust() if https is True else (https or None)
        prepared = content if isinstance(content, Prepared) else prepare(content)
        self._prepared = prepared
        try:
            self._server = ScriptedServer(
                prepared, reactor=self._reactor, clock=time, timeouts=timeouts, **options
            )
            self.script = self._server.script
            self.add(*rules)
        except BaseException:
            prepared.remove()
            raise
        self._server.refuse_for = self._refuse_for
        self.journal = Journal(self._server.record, self._reactor)
        self._unix = unix
        self._directory: str | None = None  # for a socket or a file of certificates
        self._port: IListeningPort | None = None
        self._kept: socket.socket | None = None  # holds the address while nobody listens
        self._reopening: Any = None
        self._age = 0
        self.port = 0
        """The TCP port; 0 before the start and over a UNIX socket."""
        self.socket_path: str | None = None

    # Starting and stopping.

    def start(self) -> Deferred["FileServer"]:
        """Return a Deferred of this server, listening."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> "FileServer":
        if self._unix:
            self.socket_path = self._unix if isinstance(self._unix, str) else self._beside("socket")
        else:
            self._kept = socket.create_server((HOST, 0))
            self.port = self._kept.getsockname()[1]
        self.accept()
        return self

    def stop(self) -> Deferred[None]:
        """Return a Deferred that fires when port, connections and files are gone.

        Requests under way are cut off. Clients in this process have noticed when it fires.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self.refuse()
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        await self._server.stop(grace=0)
        deadline = self._reactor.seconds() + _TURNS
        while self._clients_here() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0)
        self.remove_files()

    def remove_files(self) -> None:
        """Remove what was written for this server; `stop` does so."""
        self._prepared.remove()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    async def __aenter__(self) -> "FileServer":
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # Refusing connections.

    def refuse(self) -> Deferred[None]:
        """Return a Deferred that fires when new connections are refused; others stay."""
        return Deferred.fromCoroutine(self._refuse())

    async def _refuse(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        port, self._port = self._port, None
        if port is None:
            return
        stopping = port.stopListening()
        if stopping is not None:
            await stopping
        if self.socket_path is None:
            # Bound and not listening: nobody else gets the port, and the kernel refuses.
            self._kept = socket.socket()
            self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept.bind((HOST, self.port))

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._reopening = None
        if self._port is not None:
            return
        factory = self._factory()
        if self.socket_path is not None:
            self._port = self._reactor.listenUNIX(self.socket_path, factory)
        elif self._kept is not None:
            kept, self._kept = self._kept, None
            with kept:
                kept.listen(128)
                kept.setblocking(False)
                self._port = self._reactor.adoptStreamPort(kept.fileno(), kept.family, factory)

    def refusing(self) -> "Refusing":
        """Return an async context in which new connections are refused."""
        return Refusing(self)

    def _refuse_for(self, seconds: float) -> None:
        if self._port is None:
            return

        def refused(result: object) -> None:
            self._reopening = self._reactor.callLater(seconds, self.accept)

        _ = self.refuse().addCallback(refused)

    def _factory(self) -> Any:
        if self.trust is None:
            return self._server
        from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
        from twisted.protocols.tls import TLSMemoryBIOFactory

        context = self.trust.server_context()
        directlyProvides(context, IOpenSSLServerConnectionCreator)
        return TLSMemoryBIOFactory(context, False, self._server, clock=self._reactor)

    # What a test wants to know.

    @property
    def url(self) -> str:
        """The URL of the root, without a slash at its end."""
        if self.socket_path is not None:
            return "http://localhost" if self.trust is None else "https://localhost"
        if not self.port:
            raise ScriptError("the server has no URL before it is started: await server.start()")
        return f"{'http' if self.trust is None else 'https'}://{HOST}:{self.port}"

    @property
    def ca_file(self) -> str:
        """The path of a file with the certificate that a client has to trust, as PEM."""
        trust = self._trusted()
        path = self._beside("ca.pem")
        with open(path, "wb") as file:
            file.write(trust.ca_pem)
        return path

    @property
    def trust_root(self) -> Any:
        """What a client of Twisted's has to trust, an ``IOpenSSLTrustRoot``."""
        return self._trusted().trust_root()

    def write(self, path: str, content: str | bytes) -> None:
        """Replace a file, or make one, as a deployment would; it is newer than all before."""
        self._age += 60
        self._prepared.write(path, content, self._age)

    def _trusted(self) -> Trust:
        if self.trust is None:
            raise ScriptError("there is nothing to trust without https=True")
        return self.trust

    def _beside(self, name: str) -> str:
        if self._directory is None:
            self._directory = tempfile.mkdtemp(prefix="tinyhttp-")
        return os.path.join(self._directory, name)

    # Clients in this process.

    def _clients_here(self) -> set[Any]:
        """Return the transports in this process whose other end is this server."""
        here: Any = IPv4Address("TCP", HOST, self.port)
        if self.socket_path is not None:
            here = UNIXAddress(os.fsencode(self.socket_path))
        return {one for one in self._waited_for() if _peer_of(one) == here}

    def _waited_for(self) -> set[Any]:
        found: set[Any] = set()
        for kind in ("getReaders", "getWriters"):
            found.update(getattr(self._reactor, kind, list)())
        return found


class Refusing:
    """An async context in which ``server`` refuses connections."""

    def __init__(self, server: FileServer):
        self._server = server

    async def __aenter__(self) -> None:
        await self._server.refuse()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.accept()


def _peer_of(waited_for: Any) -> Any:
    get: Callable[[], Any] | None = getattr(waited_for, "getPeer", None)
    try:
        return None if get is None else get()
    except Exception:  # a port, or a socket that is not connected: it has no other end
        return None


def _the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor
