"""Where the directories that are served lead, and where they led a while ago.

The path of a site may come to lead to another directory: to the next release. The server sees that
by itself and serves it (`tinyhttp.site.releases`), but what was read at the start is of the release
before: rules, manifests. So the process that can have that read anew looks once a second whether it
should. It also remembers the releases before, as a server that takes another one's place has not
seen them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .server.disk import Disk
from .site.releases import MOST, Earlier

__all__ = ["LOOK_EVERY", "Before", "Roots"]

LOOK_EVERY = 1.0
"""Seconds; as long as answers are remembered."""

_log = Logger()

_RULES = ("_redirects", "_headers")

Before = Mapping[str, Sequence[Earlier]]
"""Releases that were served before, by the path of the site; the latest first."""


@dataclass(slots=True, frozen=True)
class _Lead:
    """Where a path leads."""

    real: str
    number: tuple[int, int]
    has_rules: bool


@dataclass(slots=True)
class _Root:
    """What is known of the path of a site."""

    lead: _Lead | None
    """As of the last look; ``None``: it led nowhere so far."""
    before: list[Earlier] = field(default_factory=list)
    keep: float = 0
    """Seconds for which releases are of use after a switch."""
    has_manifest: bool = False


class Roots:
    """The paths of all sites of a configuration; ``clock`` gives epoch seconds.

    With no ``threads`` the reactor looks itself.
    """

    def __init__(self, reactor: Any, clock: Callable[[], float] = time, threads: int = 1):
        self._reactor = reactor
        self._clock = clock
        self.disk = Disk(reactor, threads)
        self._roots: dict[str, _Root] = {}
        self._next: Any = None
        self._on_switch: Callable[[], object] | None = None

    def watch(self, *every: Mapping[str, Any]) -> None:
        """Look after the sites of the options in ``every``, and no others, from now on.

        Before they are read for the first time, as a switch in between is not missed then.
        """
        roots: dict[str, _Root] = {}
        sites = [values for options in every for _, values in options["hosts"]]
        for values in (*every, *sites):
            path = values["path"]
            known = self._roots.get(path) or _Root(_lead_of(path))
            root = roots.setdefault(path, _Root(known.lead, known.before))
            root.keep = max(root.keep, values["keep-releases"])
            root.has_manifest = root.has_manifest or bool(values["manifest"])
        self._roots = roots

    def begin(self, on_switch: Callable[[], object]) -> None:
        """Call ``on_switch`` whenever what was read at the start is of a release before."""
        self._on_switch = on_switch
        self._wait()

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._on_switch = None
        self.disk.rest()

    @property
    def before(self) -> dict[str, list[Earlier]]:
        """The releases before those that the paths led to at the last look."""
        now = self._clock()
        return {
            path: [each for each in root.before if now < each.until]
            for path, root in self._roots.items()
        }

    async def look(self) -> bool:
        """Note where the paths lead; return whether what was read at the start is outdated."""
        paths = list(self._roots)
        leads = await self.disk.run(lambda: [_lead_of(path) for path in paths])
        noted = [self._note(path, lead) for path, lead in zip(paths, leads, strict=True)]
        return any(noted)

    def _note(self, path: str, lead: _Lead | None) -> bool:
        root = self._roots.get(path)
        if root is None or lead is None:
            return False  # it is not ours any more; or a moment without a directory
        last, root.lead = root.lead, lead
        if last is None or last.number == lead.number:
            return False
        now = self._clock()
        left = Earlier(last.real, last.number, now + root.keep)
        others = [each for each in root.before if now < each.until and each.number != lead.number]
        root.before = [left, *others][:MOST]
        return last.has_rules or lead.has_rules or root.has_manifest

    # Once in a while.

    def _wait(self) -> None:
        self._next = self._reactor.callLater(LOOK_EVERY, self._look_again)

    def _look_again(self) -> None:
        self._next = None
        _ = Deferred.fromCoroutine(self.look()).addErrback(_not_looked).addCallback(self._looked)

    def _looked(self, is_outdated: bool) -> None:
        if self._on_switch is None:  # it was told to stop meanwhile
            self.disk.rest()
            return
        if is_outdated:
            self._on_switch()
        self._wait()


def _not_looked(failure: Failure) -> bool:
    """Say that no thread could be had, or what it was; it is looked again in a while."""
    _log.failure("it could not be looked where the paths lead", failure)
    return False


def _lead_of(path: str) -> _Lead | None:
    """Return where ``path`` leads; ``None`` if nowhere, or to another place in this moment."""
    try:
        real = os.path.realpath(path)
        state = os.stat(real)
        if not os.path.samestat(state, os.stat(path)):
            return None
        has_rules = any(os.path.exists(os.path.join(real, name)) for name in _RULES)
    except OSError:
        return None
    return _Lead(real, (state.st_dev, state.st_ino), has_rules)
