"""How a request is answered that was answered a moment ago.

Floor: server. This is the way that most requests take, so it is short, and knows the insides of
what it touches. Whatever is in doubt goes the ordinary way.
"""

from typing import TYPE_CHECKING

from ..core.request import Head
from ..site.files import FRESH
from .memo import is_closed
from .transfer import begin, rest

if TYPE_CHECKING:
    from .protocol import Connection

__all__ = ["repeat"]


def repeat(connection: "Connection", head: Head) -> bool:  # noqa: PLR0912 (a call costs 50 ns)
    """Answer a request from memory if that is possible; return whether."""
    server = connection.server
    answer = connection.memo.get(head.decisive)
    if answer is None or not connection.persistent:
        return False
    (path, found, before_date, after_date, body, status, made, persistent, site, others, cell) = (
        answer
    )
    now = server.now()
    if now < made or not site.is_fresh(path, found, now):
        return False
    for way, led_to in others:  # such as to no file, and to no page that says so
        if not now < led_to.fresh_until <= now + FRESH and not site.is_fresh(way, led_to, now):
            return False
    if not isinstance(body, bytes) and is_closed(body):
        return False
    if server.asks_first and not server.may_repeat(connection, body):
        return False
    connection.persistent = persistent
    date = server.date(now)
    if server.tracing is not None:
        connection.trace = server.tracing.begin(connection, head)
        date += connection.trace.field
    octets = before_date + date + after_date
    tally = server.tally
    if isinstance(body, bytes):
        connection.send(octets, body)
        sent = len(body)
    else:
        connection.flush()
        sent = begin(connection.transport, octets, body)
        if pieces := rest(body, sent):
            connection.go_on(head, answer, pieces, sent)
            return True
        if tally is not None:
            tally.by_sendfile += sent
            tally.took(server.now() - now)
    if tally is not None:
        tally.repeats[cell] += 1
        tally.octets += sent
    log = server.access_log
    if log is not None:
        log.add(log.line(connection, head, head.decisive[0], status, sent, after_date))
    if not persistent:
        connection.close()
    elif not connection.is_full:
        connection.wait_for_request()
    return True
