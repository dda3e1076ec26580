"""Who asks how the server is.

Floor: server. Operators, balancers and Prometheus, on an endpoint of their own which the public
does not reach. What answers them is a `Server` like the other one, with pages instead of files: so
the parser, the limits, the timeouts and the end are the same, and tested already.
"""

from collections.abc import Mapping
from typing import Any

from ..core.request import HeadReader, Limits
from .pages import Health, Page, index_page
from .server import Server, Timeouts

__all__ = ["TIMEOUTS", "make_admin"]

TIMEOUTS = Timeouts(head=10, idle=95, stall=30)
"""Prometheus keeps its connection from one scrape to the next, every 15 or 60 s."""


def make_admin(
    reactor: Any,
    health: Health,
    pages: Mapping[bytes, Page] | None = None,
    *,
    limits: Limits | None = None,
    timeouts: Timeouts = TIMEOUTS,
) -> Server:
    """Return a factory for the administrators' endpoint: ``/livez``, ``/readyz``, and ``pages``.

    ``/`` lists them. It should be stopped after the server that it tells of, since it is to say
    until the end that this one is not ready.
    """
    answers = {**(pages or {}), b"/livez": health.live, b"/readyz": health.ready}
    server = Server(
        None,
        reactor=reactor,
        threads=0,
        limits=limits,
        timeouts=timeouts,
        pages={b"/": index_page(answers), **answers},
    )
    server.heads = HeadReader(server.limits, (b"accept",))
    return server
