"""What each client has had already.

Floor: server. Counts connections and requests of clients, whom `tinyhttp.core.networks.one_client`
tells apart. Both tables are bounded: a client is in the first while it has a connection, and the
second forgets who has not asked for the longest time. That is nearly always somebody who could
have a whole burst again, and has lost nothing.
"""

from ..core.networks import one_client
from ..core.rate import FULL
from .quotas import Quotas

__all__ = ["ENTRIES", "Clients"]

ENTRIES = 65_536
"""Clients whose requests are remembered; some 10 MiB."""
_LOOKS = 2
"""Clients that are looked at, to be forgotten, whenever one asks: more than can come in."""


class Clients:
    """The clients of a server, within ``quotas``."""

    def __init__(self, quotas: Quotas, entries: int = ENTRIES):
        self.connections: dict[bytes, int] = {}
        """How many each client has."""
        self.requests: dict[bytes, float] = {}
        """When each client may have a whole burst again, by the time since it has asked."""
        self._exempt = quotas.exempt
        self._rate = quotas.requests()
        self._entries = entries

    def key(self, client: bytes) -> bytes | None:
        """Return what stands for ``client``, as `Connection.client` names it.

        ``None``: it may have what it likes.
        """
        host = client.decode("ascii")
        return None if host in self._exempt else one_client(host)

    def enter(self, key: bytes) -> int:
        """Count a connection in; return how many the client has now."""
        count = self.connections[key] = self.connections.get(key, 0) + 1
        return count

    def leave(self, key: bytes) -> None:
        """Count a connection out."""
        count = self.connections[key] - 1
        if count:
            self.connections[key] = count
        else:
            del self.connections[key]

    def ask(self, key: bytes, now: float) -> float:
        """Count a request in; return 0, or the seconds to wait if there is one too many."""
        if self._rate is None:
            return 0.0
        full_at = self.requests.pop(key, FULL)
        wait = self._rate.wait(full_at, now)
        if not wait:
            full_at = self._rate.take(full_at, now)
        self.requests[key] = full_at
        self._forget(now)
        return wait

    def _forget(self, now: float) -> None:
        for _ in range(_LOOKS):
            oldest = next(iter(self.requests))
            if self.requests[oldest] > now and len(self.requests) <= self._entries:
                return
            if len(self.requests) == 1:
                return
            del self.requests[oldest]
