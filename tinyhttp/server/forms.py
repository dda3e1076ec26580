"""Who waits for a form that is being made.

Floor: server. Forms are made in threads of their own, so that no look-up waits for an encoder.
Everyone who asks for one that is being made gets the same. If too many are being made, or one
can't be, the file is sent as it lies.
"""

from collections.abc import Hashable
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.path import SitePath
from ..core.resource import File, OnDemand, Representation
from ..site.files import Found, hold, let_go
from ..site.forms import make_form
from ..site.site import Site
from .disk import Disk

__all__ = ["Forms"]

MOST: Final = 64
"""Forms that are being made or wait for it."""
THREADS: Final = 2

_Key: TypeAlias = tuple[SitePath, bytes, Hashable]

_log = Logger()


class Forms:
    """Makes forms in a few of the ``threads`` that there may be, and has ``site`` remember them."""

    def __init__(self, reactor: IReactorFromThreads, threads: int, site: Site):
        self.disk = Disk(reactor, min(threads, THREADS))
        self._site = site
        self._under_way: dict[_Key, list[tuple[Deferred[None], Found]]] = {}

    def make(self, path: SitePath, found: Found, form: OnDemand) -> Deferred[None] | None:
        """Return a Deferred that fires when it is known what becomes of ``form``.

        ``None`` if too many are being made. The Deferred may be cancelled; `Site.recall_form` has
        the result. What was ``found`` at ``path`` is held until then.
        """
        key = path, form.coding, form.source
        waiting = self._under_way.get(key)
        if waiting is None:
            if len(self._under_way) >= MOST:
                return None
            waiting = self._under_way[key] = []
        result: Deferred[None] = Deferred()
        hold(found)
        waiting.append((result, found))
        if len(waiting) == 1:
            assert isinstance(found.resource, File)
            _ = (
                self.disk.run(make_form, found.resource.variants[0], form)
                .addErrback(self._failed)
                .addCallback(self._made, key, form)
            )
        return result

    def rest(self) -> None:
        """See `Disk.rest`."""
        self.disk.rest()

    def _failed(self, failure: Failure) -> None:
        _log.failure("a file could not be encoded, and is sent as it is", failure)

    def _made(self, made: Representation | None, key: _Key, form: OnDemand) -> None:
        form.made, form.useless = made, made is None
        self._site.remember_form(key[0], form)
        for result, found in self._under_way.pop(key):
            if not result.called:
                result.callback(None)
            let_go(found)
