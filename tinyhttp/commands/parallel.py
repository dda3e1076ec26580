"""Many calls that take their time, a few of them at once.

In threads: hashes and encoders let other threads run while they work on a block.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

__all__ = ["Interrupted", "Stop", "in_threads", "usable_processors"]

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4
"""Calls for each thread that wait or are under way."""


class Interrupted(Exception):  # noqa: N818 (nothing has failed)
    """A call gave up, as nobody waits for its result any more."""


class Stop:
    """What tells the threads that it is over."""

    def __init__(self) -> None:
        self._event = Event()

    def now(self) -> None:
        """Have all calls give up when they look next."""
        self._event.set()

    def look(self) -> None:
        """Raise `Interrupted` if it is over."""
        if self._event.is_set():
            raise Interrupted


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    function: Callable[[T], R], items: Iterable[T], jobs: int, stop: Stop
) -> Iterator[R]:
    """Give the results of ``function`` for ``items``, as they come; at most ``jobs`` at once.

    What one of them raises ends it all, as does whoever stops asking: `stop` tells the others,
    and these are waited for.
    """
    pending: set[Future[R]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for item in items:
                if len(pending) >= jobs * _AHEAD:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                pending.add(pool.submit(function, item))
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            stop.now()
            for future in pending:
                future.cancel()
            raise
