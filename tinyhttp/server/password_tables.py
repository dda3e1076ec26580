"""Whose passwords are good, as the files say now.

Floor: server. Files are read at the start, and looked at again in a thread when somebody asks and
the last look was `CHECK` seconds ago; who asks then waits for it. So what a file said more than
that long ago is never believed, and nothing happens while nobody asks. A file that has become
unreadable, or has mistakes, changes nothing: half a table could lock everybody out.
"""

from collections.abc import Callable, Iterable
from os.path import abspath
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core.htpasswd import Table
from ..core.rules import ERROR, Problem
from ..site.password_file import Loaded, State, load
from .disk import Disk
from .hashes import missing

__all__ = ["CannotLoad", "PasswordTables"]

CHECK: Final = 5.0
"""Seconds."""

_log = Logger()


class CannotLoad(ValueError):  # noqa: N818 (as CannotStart, which it becomes)
    """A line about passwords that can't be had."""


class _Source:
    """A file of passwords."""

    def __init__(self, name: str, loaded: Loaded, now: float):
        self.name = name
        self.path = abspath(name)  # a daemon goes elsewhere
        self.table = loaded.table
        self.state: State | None = loaded.state
        self.generation = 0
        self.looked_at = now
        self.waiting: list[Deferred[None]] | None = None
        """Who waits for a look that is under way."""
        self.trouble = ""
        """What was told of the file as it is, so that it is told once."""


class PasswordTables:
    """The files called ``names``, read at once. Raises `CannotLoad`.

    Later looks are taken in threads of ``disk``; ``clock`` gives epoch seconds. ``changed`` is
    called when a table has.
    """

    def __init__(
        self,
        names: Iterable[str],
        disk: Disk,
        clock: Callable[[], float],
        changed: Callable[[], object],
    ):
        self._disk = disk
        self._clock = clock
        self._changed = changed
        self._sources: dict[str, _Source] = {}
        self.warnings: list[Problem] = []
        """About the files as they were at the start."""
        for name in names:
            if name not in self._sources:
                self._sources[name] = self._first(name)

    def _first(self, name: str) -> _Source:
        now = self._clock()
        try:
            loaded = load(abspath(name), name, None, now)
        except OSError as error:
            raise CannotLoad(f"{name}: {error.strerror}") from None
        assert loaded is not None  # nothing was seen before
        trouble = _trouble(name, loaded)
        if trouble:
            raise CannotLoad(trouble)
        self.warnings += loaded.problems
        return _Source(name, loaded, now)

    def current(self, name: str) -> tuple[Table, int]:
        """Return the table called ``name``, and a number that changes whenever it does."""
        source = self._sources[name]
        return source.table, source.generation

    def freshen(self, name: str) -> Deferred[None] | None:
        """Return ``None`` if `current` will do, else a Deferred of when it does.

        It never fails, but may be cancelled.
        """
        source = self._sources[name]
        if source.waiting is None:
            if 0 <= self._clock() - source.looked_at < CHECK:
                return None
            source.waiting = []
            start = True
        else:
            start = False
        result: Deferred[None] = Deferred()
        source.waiting.append(result)
        if start:
            _ = Deferred.fromCoroutine(self._look(source))
        return result

    def reload(self) -> None:
        """Have every file read again before the next who asks is answered."""
        for source in self._sources.values():
            source.looked_at = float("-inf")
            source.state = None

    async def _look(self, source: _Source) -> None:
        source.looked_at = now = self._clock()
        try:
            loaded = await self._disk.run(load, source.path, source.name, source.state, now)
            if loaded is not None:
                self._take(source, loaded)
        except OSError as error:
            source.state = None  # else it would not be read when it is there again
            self._tell(source, f"{source.name}: {error.strerror}")
        except Exception:  # whoever waits must not wait for ever
            _log.failure("{source} could not be read again", source=source.name)
        finally:
            waiting, source.waiting = source.waiting or (), None
            for result in waiting:
                result.callback(None)  # which passes over who has gone

    def _take(self, source: _Source, loaded: Loaded) -> None:
        source.state = loaded.state
        trouble = _trouble(source.name, loaded)
        if trouble:
            self._tell(source, trouble)
            return
        source.trouble = ""
        if loaded.table != source.table:
            source.table = loaded.table
            source.generation += 1
            users = len(source.table.hashes)
            _log.info("{source} has changed: {users} users", source=source.name, users=users)
            self._changed()

    def _tell(self, source: _Source, trouble: str) -> None:
        if trouble != source.trouble:
            source.trouble = trouble
            _log.error("{trouble}; what was read before still counts", trouble=trouble)


def _trouble(name: str, loaded: Loaded) -> str:
    """Return a line about what keeps ``loaded`` from being used, or nothing."""
    errors = [problem for problem in loaded.problems if problem.severity == ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{errors[0]}{more}"
    lacking = missing(loaded.table.kinds)
    return f"{name}: {lacking}" if lacking else ""
