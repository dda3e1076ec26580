"""How much clients may have, in all and each of them.

Floor: server. What is decided here is only how much; `crowd` deals with connections in all,
`clients` with each client, `allowance` with each connection, `progress` with those that take their
time. docs/limits.md says how to choose the numbers.
"""

import resource
from dataclasses import dataclass, field, replace
from math import ceil, inf

from ..core.networks import Networks
from ..core.rate import Rate
from ..site.site import Capacity

__all__ = ["REASONS", "Quotas", "Refusals", "descriptors_allowed", "places_beside", "within"]

_OWN = 32
"""Descriptors for the root, the log, listening sockets, the reactor, and whatever else there is."""
_PER_THREAD = 8
"""Descriptors that a look-up may have open for a moment: directories, a file and its sidecars."""
_BANDWIDTH_DEBT = 10.0
"""Seconds for which a connection may have to pay for small answers that did not wait."""


@dataclass(slots=True, frozen=True)
class Quotas:
    """How much clients may have; 0 always means as much as they like.

    Raises ``ValueError`` for what is negative or no number.
    """

    connections: int | None = None
    """Connections in all. ``None``: as many as there are descriptors for."""
    client_connections: int = 0
    """Connections of one client: an IPv4 address, or the 2**64 IPv6 addresses of one network."""
    client_rate: float = 0
    """Requests per second of one client, in the long run."""
    client_burst: int = 0
    """Requests that one client may make at once. 0: those of a second, and at least one."""
    bandwidth: float = 0
    """Octets per second of the bodies of responses, on one connection."""
    receive_rate: float = 0
    """Octets per second of a head or body of a request, once ``receive_grace`` is over."""
    receive_grace: float = 5
    """Seconds for which a head or body may arrive as slowly as it likes."""
    send_rate: float = 0
    """Octets per second that a client has to take of what is sent to it."""
    send_window: float = 30
    """Seconds over which that is measured. Those in which it waited for us don't count."""
    exempt: Networks = field(default_factory=lambda: Networks(()))
    """To whom ``client_connections`` and ``client_rate`` don't apply; to UNIX peers they never do.
    """

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0 <= value < inf:
                raise ValueError(f"{name}: 0 or more is wanted, and not {value!r}")

    def requests(self) -> Rate | None:
        """Return the rate of requests of one client, if there is a limit."""
        if not self.client_rate:
            return None
        return Rate(self.client_rate, self.client_burst or max(ceil(self.client_rate), 1))

    def octets(self) -> Rate | None:
        """Return the rate of octets on one connection, if there is a limit."""
        return Rate(self.bandwidth, self.bandwidth, _BANDWIDTH_DEBT) if self.bandwidth else None

    def for_each(self) -> bool:
        """Return whether anything has to be kept in mind for each connection."""
        return bool(
            self.client_connections or self.client_rate or self.bandwidth or self.receive_rate
        )


def descriptors_allowed() -> float:
    """Return how many descriptors this process may have (``RLIMIT_NOFILE``); maybe ``inf``."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return inf if soft == resource.RLIM_INFINITY else soft


def within(capacity: Capacity, allowed: float) -> Capacity:
    """Return ``capacity`` with no more descriptors than a quarter of those ``allowed``."""
    return replace(capacity, descriptors=int(min(capacity.descriptors, max(allowed // 4, 1))))


def places_beside(capacity: Capacity, threads: int, allowed: float) -> float:
    """Return for how many connections there are descriptors, if ``allowed`` is all there are.

    What is remembered and what is looked up needs some as well. Never less than a quarter.
    """
    others = capacity.descriptors + max(threads, 1) * _PER_THREAD + _OWN
    return max(allowed - others, allowed // 4, 1)


CROWDED = "no-place"
SHED = "idle-closed-for-others"
CONNECTIONS = "client-connections"
RATE = "client-rate"
SLOW_REQUEST = "slow-request"
SLOW_RESPONSE = "slow-response"

REASONS = (CROWDED, SHED, CONNECTIONS, RATE, SLOW_REQUEST, SLOW_RESPONSE)
"""Why somebody was refused, or given up: no connection taken (by Twisted's ports; ours wait), an
idle one closed to make room, too many of one client, too many requests of one client, a request
that came too slowly (408), a response that was taken too slowly or not at all."""


class Refusals:
    """How often somebody was refused, by `REASONS` and no others."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(REASONS, 0)

    def count(self, reason: str) -> None:
        """Count one more; raises ``KeyError`` for a reason that is not in `REASONS`."""
        self.counts[reason] += 1
