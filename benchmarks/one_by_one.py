"""A load generator for servers whose responses have no length: one connection after another.

wrk counts an error for each of their responses and opens a connection that it does not use; and
with a backlog of 0 most of its connections would wait for a second or more to be made.
"""

import socket
import time
from statistics import quantiles
from urllib.parse import urlsplit

from .errors import UnableError
from .wrk import Counted, Load

__all__ = ["run", "warm_up"]

_PLAIN = "report"
"""The script of loads that are the same request again and again."""


def warm_up(load: Load) -> None:
    """Ask for half a second, and count nothing."""
    run(load, 0.5)


def run(load: Load, seconds: float) -> Counted:
    """Return what so many seconds of this load came to, however many connections it names."""
    if load.script != _PLAIN:
        raise UnableError("sends no lengths: asked for one file alone")
    parts = urlsplit(load.url)
    address = ("127.0.0.1", parts.port or 80)
    fields = "".join(f"{name}: {value}\r\n" for name, value in load.fields.items())
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{fields}\r\n".encode()
    times: list[float] = []
    octets = refused = 0
    begun = now = time.perf_counter()
    while now < begun + seconds:
        status, received = _exchange(address, request)
        octets += received
        refused += status >= b"4"
        now, before = time.perf_counter(), now
        times.append(now - before)
    microseconds = int((now - begun) * 1e6)
    middle, high = _percentiles(times)
    return Counted(microseconds, len(times), octets, middle, high, 0, 0, 0, 0, refused)


def _exchange(address: tuple[str, int], request: bytes) -> tuple[bytes, int]:
    """Send a request; return the status code and the octets that came before the end."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        start = connection.recv(65536)
        octets = len(start)
        while more := connection.recv(65536):
            octets += len(more)
    return start[9:12], octets


def _percentiles(times: list[float]) -> tuple[int, int]:
    """Return the 50th and the 99th, microseconds."""
    if len(times) < 2:
        return (int(times[0] * 1e6),) * 2
    cuts = quantiles(times, n=100)
    return int(cuts[49] * 1e6), int(cuts[98] * 1e6)
