"""Stage 2, mended: how one client is talked to. Stage 3 uses it as well."""

from contextlib import suppress
from socket import SHUT_WR, socket
from time import monotonic

from stage2_answer import END, LIMIT, respond

PATIENCE = 3.0  # seconds for a whole head; short, so that you can watch it pass
SENDING = 60.0  # seconds for a whole response


def receive(connection: socket, deadline: float) -> bytes:
    """Return what comes next; raises TimeoutError. One octet a second does not put it off."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(LIMIT)


def converse(connection: socket) -> None:
    """Read one head, however many segments it comes in; send one response; close."""
    deadline = monotonic() + PATIENCE
    head = b""
    with connection, suppress(OSError):  # a client that is slow or gone is nobody else's trouble
        while END not in head and len(head) <= LIMIT:
            octets = receive(connection, deadline)
            if not octets:
                return
            head += octets
        connection.settimeout(SENDING)
        connection.sendall(respond(head))
        # To close while octets wait to be read resets the connection, response and all.
        connection.shutdown(SHUT_WR)
        deadline = monotonic() + PATIENCE
        while receive(connection, deadline):
            pass
