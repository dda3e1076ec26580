"""Work that blocks on the disk, done in threads of our own.

Floor: server. A bounded pool, apart from the reactor's: that one also resolves names, and neither
should wait for the other. With no threads at all everything runs inline, which is fine for disks
that never keep one waiting, and for tests.
"""

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

__all__ = ["Disk"]

P = ParamSpec("P")
T = TypeVar("T")


class _Pool(ThreadPool):
    """A pool whose threads do not keep the process alive while they wait for a dead disk."""

    threadFactory = staticmethod(partial(Thread, daemon=True))  # type: ignore[assignment]


class Disk:
    """Runs blocking functions in up to ``threads`` threads, which start when first needed."""

    def __init__(self, reactor: IReactorFromThreads, threads: int):
        self._reactor = reactor
        self._threads = threads
        self._pool: ThreadPool | None = None
        self._running = 0
        self._resting = False
        self.calls = 0
        """How often something was run."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Return a Deferred of what ``function`` returns. It can't be cancelled.

        How much may queue up is for the caller to bound: a connection has one call under way.
        """
        self.calls += 1
        if not self._threads:
            return execute(function, *args, **kwargs)
        if self._pool is None:
            self._pool = _Pool(0, self._threads, "tinyhttp")
            self._pool.start()
        self._running += 1
        result: Deferred[T] = deferToThreadPool(
            self._reactor,
            self._pool,
            function,
            *args,
            **kwargs,
        )
        return result.addBoth(self._ended)

    def rest(self) -> None:
        """Stop the threads once they have nothing to do; the next `run` starts new ones."""
        self._resting = True
        self._stop_if_idle()

    def _ended(self, result: T) -> T:
        self._running -= 1
        if self._resting:
            self._stop_if_idle()
        return result

    def _stop_if_idle(self) -> None:
        # ThreadPool.stop joins its threads, which is quick when they have nothing to do.
        if not self._running:
            self._resting = False
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.stop()
