"""Tests that wait for Deferreds, on the reactor that pytest-twisted runs."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred

from .processes import PATIENCE

__all__ = ["asynchronous"]

P = ParamSpec("P")


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, Any]:
    """Mark a coroutine as a test, and give it a limit: it fails where it would wait for ever."""

    @wraps(test)
    async def limited(*args: P.args, **kwargs: P.kwargs) -> None:
        from twisted.internet import reactor

        timed: Deferred[None] = Deferred()

        async def under_a_limit() -> None:
            await timed  # so that a test that looks at the reactor's timers finds this one there
            await test(*args, **kwargs)

        ended = Deferred.fromCoroutine(under_a_limit()).addTimeout(PATIENCE, reactor)
        timed.callback(None)
        await ended

    marked: Callable[P, Any] = ensureDeferred(limited)
    return marked
