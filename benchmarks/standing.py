"""What is measured without load or beside idle connections: memory, starting, waiting."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

from .accounting import resident_octets
from .asking import ask
from .content import KIB, MIB, SMALL
from .errors import UnableError
from .measuring import Requests
from .running import Running
from .sample import Sample

__all__ = ["BesideIdle", "IdleMemory", "base_memory", "start_up"]

_HELD = 0.99
"""The part of the idle connections that must still be there in the end."""


def start_up(server: Running, seconds: int) -> Sample:
    """Return the milliseconds from the command to the first response."""
    return Sample(server.started_in * 1000)


def base_memory(server: Running, seconds: int) -> Sample:
    """Return the resident MiB after the first response."""
    return Sample(resident_octets(server.session) / MIB)


@dataclass(frozen=True)
class IdleMemory:
    """Resident KiB for each connection that has had an answer and waits."""

    connections: int

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Let a few connections come and go first: the first ones cost what they all share."""
        with _idle_connections(server, 64):
            pass
        before = resident_octets(server.session)
        with _idle_connections(server, self.connections):
            after = resident_octets(server.session)
        return Sample((after - before) / KIB / self.connections)


@dataclass(frozen=True)
class BesideIdle:
    """Processor time per request, microseconds, beside connections that only wait."""

    idle: int
    requests: Requests

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Measure the requests while the other connections wait."""
        with _idle_connections(server, self.idle) as idle:
            sample = self.requests(server, seconds)
            held = _count_open(idle)
        if held < _HELD * self.idle:
            raise UnableError(f"has closed {self.idle - held} of {self.idle} idle connections")
        return replace(sample, more={**sample.more, "idle connections": held})


@contextmanager
def _idle_connections(server: Running, count: int) -> Iterator[list[socket.socket]]:
    """Open so many connections and let each have one answer; close them after the block."""
    if not ask(server.job.port, f"/{SMALL}", {}).stays_open:
        raise UnableError("closes every connection")
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(_served_connection(server.job.port))) for _ in range(count)
        ]


def _served_connection(port: int) -> socket.socket:
    """Return a connection that has asked for a small file and got it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(f"GET /{SMALL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < KIB:
        more = connection.recv(65536)
        if not more:
            connection.close()
            raise UnableError("closes connections before they are idle")
        received += more
    return connection


def _count_open(connections: list[socket.socket]) -> int:
    """Return on how many of them nothing has come: no end either."""
    poller = select.poll()
    for connection in connections:
        poller.register(connection, select.POLLIN)
    return len(connections) - len(poller.poll(0))
