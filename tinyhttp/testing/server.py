"""The server that is told how to misbehave, without a port: local, child and memory give it one.

Floor: testing.
"""

import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from ..core.path import resolve
from ..core.resource import File, Missing, Span
from ..server.forms import Forms
from ..server.hosting import Hosts
from ..server.memo import Memo, Remembered
from ..server.server import Server
from ..site.files import Found, let_go
from ..site.site import Site
from .content import Generated, Prepared
from .exchange import ScriptedConnection, WholeHeads
from .journal import Record
from .mistakes import ScriptError
from .rules import Match
from .script import Script

__all__ = ["ScriptedServer"]

MAX_NAMES = 20_000
"""Files among which one like a pattern is looked for; with more of them nobody looks."""


class Unremembered(Site):
    """A site that looks at the disk for each request: a test changes a file and asks at once."""

    def recall(self, path: Any) -> Found | None:
        """Return ``None``: nothing is known."""
        return None


class Nothing(Memo):
    """Remembers no answer: the script has to see every request."""

    def put(self, lines: tuple[bytes, ...], answer: Remembered) -> None:
        """Forget it."""


class ScriptedServer(Server):
    """A `Server` of ``prepared`` content that follows a script and keeps a record.

    Everything is done in the reactor's thread, so that nothing is left when it has stopped.
    """

    def __init__(
        self, prepared: Prepared, *, reactor: Any, clock: Callable[[], float], **options: Any
    ):
        super().__init__(prepared.root, reactor=reactor, clock=clock, threads=0, **options)
        self.site = site = Unremembered(self.site.files, clock)
        host = replace(self.hosts.default, site=site, forms=Forms(reactor, 0, site))
        self.hosts = Hosts(host, {})
        self.memo = Nothing()
        self.heads = WholeHeads(self.limits, host.policy.decisive)
        self.reactor = reactor
        self.prepared = prepared
        self.record = Record()
        self.script = Script(self.size_of, self._any_like)
        self.refuse_for: Callable[[float], None] = _can_not_refuse
        self._connections_made = 0
        self._generated = prepared.open_generated()

    def buildProtocol(self, addr: IAddress | None) -> ScriptedConnection:
        """Return the protocol of a new connection."""
        self._connections_made += 1
        return ScriptedConnection(self, self._connections_made)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Start ``coroutine``."""
        return Deferred.fromCoroutine(coroutine)

    # Files that are made while they are sent.

    def read(self, span: Span) -> bytes:
        """Return the octets of ``span``; raises ``OSError``, or ``EOFError`` if there are less."""
        generated = self._content_of(span)
        if generated is not None:
            return generated.octets(span.start, span.stop)
        octets = span.file.read(span.stop - span.start, span.start)
        if len(octets) < span.stop - span.start:
            raise EOFError("the file has become shorter")
        return octets

    def is_generated(self, piece: bytes | Span) -> bool:
        """Return whether ``piece`` is of a file that is a hole on the disk."""
        return (
            bool(self._generated)
            and isinstance(piece, Span)
            and (self._content_of(piece) is not None)
        )

    def _content_of(self, span: Span) -> Generated | None:
        if not self._generated:
            return None
        state = os.fstat(span.file.descriptor)
        return self._generated.get((state.st_dev, state.st_ino))

    # What the script wants to know.

    def size_of(self, path: str) -> int | None:
        """Return the size of what ``path`` leads to, ``None`` if nothing is there.

        For what is no file, such as a directory without its slash, a size beyond any.
        """
        site_path = resolve(os.fsencode(path)) if path.startswith("/") else None
        if site_path is None:
            return None
        found = self.site.files.find(site_path)
        try:
            if isinstance(found.resource, File):
                return found.resource.variants[0].size
            return None if isinstance(found.resource, Missing) else sys.maxsize
        finally:
            let_go(found)

    def _any_like(self, match: Match) -> bool:
        count = 0
        for count, name in enumerate(self.prepared.names(MAX_NAMES), 1):  # noqa: B007
            if match.covers(name):
                return True
        return count >= MAX_NAMES


def _can_not_refuse(seconds: float) -> None:
    raise ScriptError("refuse_for: there is no port here that could be closed")
