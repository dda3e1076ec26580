"""The article's first server, in our words: a thread for every connection.

It is here to be measured, with what it gets wrong: see what is marked "flaw".
"""

import sys
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from threading import Thread

ROOT = Path(sys.argv[1])

released_at_the_end: list[socket] = []
"""Flaw: no descriptor is given back before the program ends."""


def answer(connection: socket) -> None:
    """Read one request, send one response, and say that this was all."""
    request = connection.recv(1024).decode()  # flaw: whatever has come, it is the request
    lines = request.split("\r\n")
    _, path, *_ = lines[0].split(" ")
    file = ROOT / path.replace("/", "")  # flaw: directories are not found
    if file.exists():
        head = "HTTP/1.1 200 OK\r\nServer: threads\r\n\r\n"  # flaw: how long? of what type?
        body = file.read_text()  # flaw: neither a directory nor all octets can be read as text
    else:
        head = "HTTP/1.1 404 Not Found\r\nServer: threads\r\n\r\n"
        body = "Not Found"
    connection.sendall((head + body).encode())
    connection.shutdown(1)


def main() -> None:
    """Ask for a port, and serve on it until an accept fails."""
    port = ""
    while not port.isdigit():
        port = input("Input the port you want:")
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(0)  # flaw: nobody can wait
    while True:
        connection, _ = listener.accept()  # flaw: an error here ends it all
        released_at_the_end.append(connection)
        Thread(target=answer, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
