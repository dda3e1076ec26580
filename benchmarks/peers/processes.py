"""The article's second server, in our words: a process for every connection.

It is here to be measured, with what it gets wrong: see what is marked "flaw". The parent closes
its copy of each socket, so that it does not run out of descriptors as the first one does.
"""

import multiprocessing
import sys
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

ROOT = Path(sys.argv[1])
ADDRESS = ("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8000)


def answer(connection: socket) -> None:
    """Read one request, send one response, close."""
    request = connection.recv(1024).decode()  # flaw: whatever has come, it is the request
    lines = request.split("\r\n")
    _, path, *_ = lines[0].split(" ")
    file = ROOT / path.replace("/", "")  # flaw: directories are not found
    if file.exists():
        head = "HTTP/1.1 200 OK\r\nServer: processes\r\n\r\n"  # flaw: how long? of what type?
        body = file.read_text()  # flaw: neither a directory nor all octets can be read as text
    else:
        head = "HTTP/1.1 404 Not Found\r\nServer: processes\r\n\r\n"
        body = head + "Not Found"  # flaw: the head, once more
    connection.sendall((head + body).encode())
    connection.close()


def main() -> None:
    """Serve until an accept fails."""
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(ADDRESS)
    listener.listen(0)  # flaw: nobody can wait
    fork = multiprocessing.get_context("fork")
    while True:
        connection, _ = listener.accept()  # flaw: an error here ends it all
        fork.Process(target=answer, args=(connection,)).start()
        connection.close()


if __name__ == "__main__":
    main()
