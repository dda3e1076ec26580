"""Whether a password is right.

Floor: server. Hashes are slow on purpose, so they are worked on in a few threads, the same
credentials once for all who show them, and the outcome is remembered for a while. What waits is
bounded, for each source and in all, and sources take turns: guesses at one realm keep the others
waiting for one hash at most. A user who is not there takes as long as one who is.

What is remembered is found by a keyed hash of the credentials, with a key that this process alone
has, and no password is kept beyond its check.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from hmac import compare_digest
from time import time
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.access import ENV, Credentials
from ..core.htpasswd import Hash, parse_environment
from ..core.response import Refused
from ..core.rules import Problem
from ..site.cache import LRU
from .disk import Disk
from .hashes import can_be, matches
from .password_tables import CannotLoad, PasswordTables

__all__ = ["Passwords"]

THREADS: Final = 2
MOST: Final = 64
"""Checks that are under way or wait."""
MOST_OF_ONE: Final = 16
"""The same, of one source."""
RETRY_AFTER: Final = 5
"""Seconds."""

RIGHT: Final = 60.0
"""Seconds for which a right password is remembered. A change of the file ends it sooner. It could
be for ever, but for whoever reads this memory: there a fast hash stands for a slow one."""
WRONG: Final = 2.0
"""Seconds for a wrong one: a page has many parts, and a browser asks for all of them."""
MOST_REMEMBERED: Final = 1024
"""Of each kind. Apart, so that guesses don't push out those who are in."""

_log = Logger()


class _Check:
    """A check of a password that somebody waits for."""

    def __init__(self, key: bytes, source: str, password: bytes, hashed: Hash, believed: bool):
        self.key = key
        self.source = source
        self.password = password
        self.hashed = hashed
        self.believed = believed
        """Whether the outcome counts; if not, it is only for the time that it takes."""
        self.started = False
        self.waiting: list[Deferred[bool]] = []

    def end(self, outcome: bool | Failure) -> None:
        """Give the outcome to all who wait."""
        waiting, self.waiting = self.waiting, []
        for result in waiting:
            if not result.called:
                result.callback(outcome)


class Passwords:
    """Checks passwords against ``sources``: files, and `ENV` for the one in ``environ``.

    Files are looked at again by way of ``disk``; hashes have threads of their own. ``clock`` gives
    epoch seconds. ``matches`` tells in a thread whether a password is that of a hash. Raises
    `CannotLoad`, with a line that names file and line or variable.
    """

    def __init__(
        self,
        sources: Iterable[str],
        *,
        reactor: Any,  # IReactorFromThreads
        disk: Disk,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time,
        matches: Callable[[bytes, Hash], bool] = matches,
    ):
        names = list(sources)
        self.threads = Disk(reactor, THREADS)
        self._clock = clock
        self._matches = matches
        self._key = os.urandom(32)
        self._right: LRU[bytes, float] = LRU(MOST_REMEMBERED, MOST_REMEMBERED)
        self._wrong: LRU[bytes, float] = LRU(MOST_REMEMBERED, MOST_REMEMBERED)
        self._checks: dict[bytes, _Check] = {}
        self._turns: OrderedDict[str, deque[_Check]] = OrderedDict()
        self._running = 0
        self._env = self._of_environment(environ) if ENV in names else b""
        files = [name for name in names if name != ENV]
        self._tables = PasswordTables(files, disk, clock, self._forget)

    def _of_environment(self, environ: Mapping[str, str]) -> bytes:
        try:
            return self._digest(ENV, 0, parse_environment(environ))
        except ValueError as error:
            raise CannotLoad(str(error)) from None

    @property
    def warnings(self) -> list[Problem]:
        """What should be told of the files at the start."""
        return self._tables.warnings

    def verify(self, source: str, credentials: Credentials) -> bool | Deferred[bool]:
        """Return whether ``source`` knows ``credentials``, at once if that is remembered.

        The Deferred may be cancelled. It fails with `Refused` (503) if too many are waiting.
        """
        if source == ENV:
            return compare_digest(self._digest(ENV, 0, credentials), self._env)
        fresh = self._tables.freshen(source)
        if fresh is None:
            _, generation = self._tables.current(source)
            known = self._recall(self._digest(source, generation, credentials))
            if known is not None:
                return known
        return Deferred.fromCoroutine(self._verify(source, credentials, fresh))

    def reload(self) -> None:
        """Have the files read again before anybody else is answered."""
        self._tables.reload()
        self._forget()

    def rest(self) -> None:
        """See `Disk.rest`."""
        self.threads.rest()

    async def _verify(
        self, source: str, credentials: Credentials, fresh: Deferred[None] | None
    ) -> bool:
        if fresh is not None:
            await fresh
        table, generation = self._tables.current(source)
        if table.decoy is None:
            return False
        key = self._digest(source, generation, credentials)
        known = self._recall(key)
        if known is not None:
            return known
        check = self._checks.get(key)
        if check is None:
            hashed = table.hashes.get(credentials.user)
            check = self._add(key, source, credentials.password, hashed, table.decoy)
        result: Deferred[bool] = Deferred(lambda result: self._leave(check, result))
        check.waiting.append(result)
        self._start()
        return await result

    # What is remembered.

    def _digest(self, source: str, generation: int, credentials: Credentials) -> bytes:
        """Return what stands for ``credentials``, shown to a table in one state."""
        user, password = credentials
        # Lengths in front, so that no two of them run together into the same octets.
        front = b"%d %d %d " % (len(source), generation, len(user))
        name = source.encode("utf-8", "surrogateescape")
        return blake2b(front + name + b" " + user + password, key=self._key).digest()

    def _recall(self, key: bytes) -> bool | None:
        now = self._clock()
        for memory, outcome, seconds in ((self._right, True, RIGHT), (self._wrong, False, WRONG)):
            since = memory.get(key)
            if since is not None:
                if 0 <= now - since < seconds:
                    return outcome
                memory.remove(key)
        return None

    def _forget(self) -> None:
        self._right.clear()
        self._wrong.clear()

    # What is under way.

    def _add(
        self, key: bytes, source: str, password: bytes, known: Hash | None, decoy: Hash
    ) -> _Check:
        """Return a new check in the queue; raise `Refused` if that is full."""
        of_one = sum(check.source == source for check in self._checks.values())
        if of_one >= MOST_OF_ONE or len(self._checks) >= MOST:
            retry_after = (b"Retry-After", b"%d" % RETRY_AFTER)
            raise Refused(503, "Too many passwords are being checked.", [retry_after])
        hashed = known or decoy
        possible = can_be(password, hashed)
        believed = known is not None and possible
        check = _Check(key, source, password if possible else b"", hashed, believed)
        self._checks[key] = check
        self._turns.setdefault(source, deque()).append(check)
        return check

    def _leave(self, check: _Check, result: Deferred[bool]) -> None:
        """Have ``result`` wait no longer; a check for nobody is not begun."""
        if result in check.waiting:
            check.waiting.remove(result)
        if not check.waiting and not check.started and check.key in self._checks:
            del self._checks[check.key]
            queue = self._turns[check.source]
            queue.remove(check)
            if not queue:
                del self._turns[check.source]

    def _start(self) -> None:
        """Begin as many checks as there are threads, one of each source in turn."""
        while self._running < THREADS and self._turns:
            source, queue = self._turns.popitem(last=False)
            check = queue.popleft()
            if queue:
                self._turns[source] = queue
            check.started = True
            self._running += 1
            _ = Deferred.fromCoroutine(self._run(check))

    async def _run(self, check: _Check) -> None:
        outcome: bool | Failure
        try:
            right = await self.threads.run(self._matches, check.password, check.hashed)
            outcome = right and check.believed
            (self._right if outcome else self._wrong).put(check.key, self._clock(), 1)
        except Exception as error:
            # Its kind alone: who knows what a library says of a hash.
            kind = type(error).__name__
            _log.error(
                "no password of {source} can be checked: {kind}", source=check.source, kind=kind
            )
            outcome = Failure(Refused(503, "The password can't be checked just now."))
        self._running -= 1
        del self._checks[check.key]
        self._start()
        check.end(outcome)
