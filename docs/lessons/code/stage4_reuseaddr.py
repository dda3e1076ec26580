"""Stage 4: SO_REUSEADDR. A server that is started again wants its port back at once."""

from errno import errorcode
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, create_connection, socket


def listen(port: int, reuse: int) -> socket:
    """Return a listening socket with the option 0 or 1."""
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, reuse)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def serve_one_client_and_end(reuse: int) -> int:
    """Return the port. The server closes first, so its kernel remembers the connection."""
    with listen(0, reuse) as listener:
        address = listener.getsockname()
        with create_connection(address) as client:
            connection, _ = listener.accept()
            connection.close()
            client.recv(1)  # the end of the connection has come; now the client closes as well
    return int(address[1])


def states(port: int) -> set[str]:
    """Return the states of the connections of this port, as Linux numbers them."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {row[3] for row in rows if row[1].endswith(f":{port:04X}")}


def start(port: int, reuse: int) -> str:
    """Return what becomes of a server that wants this port."""
    try:
        listen(port, reuse).close()
    except OSError as error:
        return errorcode.get(error.errno or 0, str(error))
    return "listens"


def main() -> None:
    """Start a server twice, without the option and with it."""
    for reuse in (0, 1):
        port = serve_one_client_and_end(reuse)
        waits = "TIME_WAIT" if "06" in states(port) else "nothing"
        print(f"SO_REUSEADDR={reuse}: left behind: {waits}; started again: {start(port, reuse)}")
    with listen(0, 1) as listener:
        again = start(listener.getsockname()[1], 1)
        print(f"SO_REUSEADDR=1, beside a server that still listens: {again}")


if __name__ == "__main__":
    main()
