"""What a connection may have.

Floor: server. Made for a connection where the quotas say something of each client or of each
connection; else there is none, and nothing is asked. `Connection` asks when a client comes in,
while a request arrives, when it is there, and before a body is sent.
"""

from math import ceil
from typing import TYPE_CHECKING

from ..core.response import Body, Refused
from .clients import Clients
from .pace import Pace
from .quotas import CONNECTIONS, RATE, Quotas, Refusals

if TYPE_CHECKING:
    from .protocol import Connection

__all__ = ["TOLD", "TOLD_WITHIN", "Allowance"]

TOLD = 4
"""Connections of one client beyond its own that are told so at a time; others are hung up on."""
TOLD_WITHIN = 5.0
"""Seconds for the request of such a connection, which has to be there before an answer is."""


class Allowance:
    """What ``connection`` may have, by the ``quotas``, and by what its client has already.

    Who has too many connections, or asks too often, gets 429 (RFC 6585 section 4). That it says of
    itself, and 503 would say it of the server: balancers take that for a reason to try the next
    one. An answer has to wait for a request: what comes without one is no response to the client
    (RFC 9112 section 9.2). So that nobody keeps connections in this way, few are answered at a
    time. To hang up on the others is what RFC 6585 section 7.2 suggests.
    """

    __slots__ = (
        *("_arrived", "_began", "_client", "_clients", "_connection", "_entered", "_is_surplus"),
        *("_key", "_latest", "_quotas", "_refusals", "pace"),
    )

    def __init__(
        self,
        connection: "Connection",
        quotas: Quotas,
        clients: Clients,
        refusals: Refusals,
        pace: Pace | None,
    ):
        self.pace = pace
        """By which bodies are sent, if not at once."""
        self._connection = connection
        self._quotas = quotas
        self._clients = clients
        self._refusals = refusals
        self._client = b""
        self._key: bytes | None = None
        self._entered: bytes | None = None  # whose connection it is counted as
        self._is_surplus = False
        self._began = self._latest = 0.0
        self._arrived = 0

    # Connections.

    def enter(self) -> None:
        """Count the connection in; and end it, or have it end soon, if it is one too many."""
        key = self._find_key()
        if not self._quotas.client_connections or key is None:
            return
        self._entered = key
        surplus = self._clients.enter(key) - self._quotas.client_connections
        if surplus > 0:
            self._is_surplus = True
            self._refusals.count(CONNECTIONS)
            if surplus > TOLD:
                self._connection.drain()
            else:
                self._connection.persistent = False
                self._connection.server.deadlines.set(self._connection, TOLD_WITHIN)

    def leave(self) -> None:
        """Count the connection out."""
        if self._entered is not None:
            self._clients.leave(self._entered)
            self._entered = None
        if self.pace is not None:
            self.pace.stop()

    # Requests.

    def refusal(self) -> Refused | None:
        """Count a request in; return what it is answered if it is one too many."""
        if self._is_surplus:
            return _too_many("There are too many connections from your address.", 1)
        wait = self._ask()
        if not wait:
            return None
        self._refusals.count(RATE)
        return _too_many("There are too many requests from your address.", ceil(wait))

    def may_repeat(self, body: Body) -> bool:
        """Return whether a request may be answered from memory; count request and body if so."""
        if self.pace is not None and not isinstance(body, bytes):
            return False  # for a transfer, which asks before each slice
        if self._ask():
            return False  # for `refusal`, which says how long to wait
        self.spend(len(body))
        return True

    def _ask(self) -> float:
        key = self._find_key()
        if key is None:
            return 0.0
        return self._clients.ask(key, self._connection.server.deadlines.now())

    def _find_key(self) -> bytes | None:
        """Return what stands for the client of the request that is under way."""
        client = self._connection.client()
        if client != self._client:
            self._client, self._key = client, self._clients.key(client)
        return self._key

    def arrived(self, octets: int, *, begins: bool) -> None:
        """Wait for the rest of a head or body, of which ``octets`` more have come.

        It ``begins`` with the deadline that the connection has set. Each octet that comes puts off
        the end by as long as it may take, but not beyond that.
        """
        if not self._quotas.receive_rate:
            return
        deadlines, connection = self._connection.server.deadlines, self._connection
        now = deadlines.now()
        if begins:
            self._began, self._latest, self._arrived = now, connection.deadline, 0
        self._arrived += octets
        due = self._began + self._quotas.receive_grace + self._arrived / self._quotas.receive_rate
        deadlines.set(connection, min(due, self._latest) - now)

    # Responses.

    def spend(self, octets: int) -> None:
        """Count ``octets`` of a body that did not have to wait."""
        if self.pace is not None and octets:
            self.pace.spend(octets)


def _too_many(detail: str, seconds: int) -> Refused:
    # RFC 9110 section 10.2.3: whole seconds.
    return Refused(429, detail, [(b"Retry-After", b"%d" % seconds)])
