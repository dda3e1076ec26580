"""A client for the stages."""

import socket
from pathlib import Path

from tests.end_to_end.processes import PATIENCE

A_TXT = b"A short file.\n"


def connect(port: int) -> socket.socket:
    """Return a connection on which nothing has been said."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def get(target: str, *fields: str, end: str = "Connection: close") -> bytes:
    """Return the octets of a request."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *fields, end, "", ""]).encode()


def everything(connection: socket.socket) -> bytes:
    """Return all that comes until the end."""
    received = b""
    try:
        while octets := connection.recv(65536):
            received += octets
    except ConnectionResetError:
        pass
    return received


def ask(port: int, target: str, patience: float = PATIENCE) -> bytes:
    """Return the octets of the response; wait for so many seconds."""
    with connect(port) as connection:
        connection.settimeout(patience)
        connection.sendall(get(target))
        return everything(connection)


def threads_of(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def children_of(pid: int) -> list[int]:
    """Return the children of a process's first thread; zombies too."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
