"""Since when a request is answered, and what it is called.

Floor: server. Only a log or a response that wants to know makes the server ask: without them there
is no `Tracing`, and a request costs nothing more.
"""

import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from ..core.forwarded import REQUEST_ID, TrustedProxies, request_id
from ..core.request import Head

if TYPE_CHECKING:
    from .access_log import AccessLog
    from .incoming import Incoming

__all__ = ["Trace", "Tracing", "make_tracing"]


class Trace(NamedTuple):
    """What is known of one request."""

    arrived: float
    """When the last octets of its head came, by the clock of the `Tracing`."""
    request_id: bytes
    """Its id; empty if nobody wants one."""
    field: bytes
    """What goes behind the date into the head of the response; may be empty."""
    now: Callable[[], float]

    def elapsed(self) -> float:
        """Return the seconds since the head came."""
        return self.now() - self.arrived


class Tracing:
    """Makes a `Trace` of each request.

    ``named``: each gets an id, which is its own if one of ``proxies`` has sent a sane one.
    ``echoed``: the response says it. ``now`` gives seconds from any beginning.
    """

    def __init__(
        self,
        proxies: TrustedProxies | None,
        *,
        named: bool,
        echoed: bool,
        now: Callable[[], float],
    ):
        self.now = now
        believes = named and proxies is not None
        self.fields = frozenset({REQUEST_ID}) if believes else frozenset()
        """Names, in lower case, of the fields that may give a request its id."""
        self._proxies = proxies
        self._named = named
        self._echoed = echoed
        self._prefix = b""
        self._numbers = count(1)

    def begin(self, connection: "Incoming", head: Head | None) -> Trace:
        """Return the trace of the request ``head``; ``None``: of one that is refused unread."""
        name = self._name(connection, head) if self._named else b""
        field = b"\r\nX-Request-ID: " + name if self._echoed else b""
        return Trace(connection.arrived, name, field, self.now)

    def _name(self, connection: "Incoming", head: Head | None) -> bytes:
        if (
            head is not None
            and head.naming
            and self._proxies is not None
            and self._proxies.trusts(connection.peer())
            and (given := request_id(head.naming))
        ):
            return given
        if not self._prefix:  # not before the first request: a process may fork until then
            self._prefix = os.urandom(6).hex().encode()
        return b"%s-%d" % (self._prefix, next(self._numbers))


def make_tracing(
    log: "AccessLog | None",
    proxies: TrustedProxies | None,
    echoed: bool,
    now: Callable[[], float],
) -> Tracing | None:
    """Return what ``log`` and, if ids are to be ``echoed``, the responses want; may be ``None``."""
    wants = frozenset() if log is None else log.wants
    named = echoed or "request_id" in wants
    if not named and "duration" not in wants:
        return None
    return Tracing(proxies, named=named, echoed=echoed, now=now)
