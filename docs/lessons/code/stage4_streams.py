"""Stage 4: SO_KEEPALIVE and SO_OOBINLINE. What they change about a connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import (
    AF_INET,
    IPPROTO_TCP,
    MSG_OOB,
    SHUT_WR,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    create_connection,
    socket,
)

TIMERS = {"00": "none", "01": "retransmission", "02": "keepalive"}  # in /proc/net/tcp


@contextmanager
def connected() -> Iterator[tuple[socket, socket]]:
    """Give the two ends of a connection."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with create_connection(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                yield server, client


def timer(connection: socket) -> str:
    """Return which timer the kernel has running for a connection."""
    ends = [f":{end[1]:04X}" for end in (connection.getsockname(), connection.getpeername())]
    with open("/proc/net/tcp") as table:
        for row in map(str.split, table):
            if row[1].endswith(ends[0]) and row[2].endswith(ends[1]):
                return TIMERS.get(row[5][:2], row[5][:2])
    return "gone"


def keepalive() -> None:
    """Does anybody notice that the client's machine has lost its power?"""
    with connected() as (server, _):
        for value in (0, 1):
            server.setsockopt(SOL_SOCKET, SO_KEEPALIVE, value)
            print(f"SO_KEEPALIVE={value}: timer of an idle connection: {timer(server)}")
        idle, interval, count = (
            server.getsockopt(IPPROTO_TCP, name)
            for name in (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)
        )
        print(f"a client that has vanished is noticed after {idle} + {count} * {interval} s")


def urgent() -> None:
    """Where does an octet go that was sent as urgent?"""
    for value in (0, 1):
        with connected() as (server, client):
            server.setsockopt(SOL_SOCKET, SO_OOBINLINE, value)
            client.sendall(b"or")
            client.send(b"!", MSG_OOB)
            client.sendall(b"der")
            client.shutdown(SHUT_WR)
            octets = b""
            while more := server.recv(100):
                octets += more
            print(f"SO_OOBINLINE={value}: read in order: {octets.decode()}")


if __name__ == "__main__":
    keepalive()
    urgent()
