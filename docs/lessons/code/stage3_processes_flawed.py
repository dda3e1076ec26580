"""Stage 3 as it is often written: a process for each connection. What is marked "flaw" is one."""

import sys
from multiprocessing import get_context
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

ROOT = Path("site")


def answer(connection: socket) -> None:
    """Read one request, send one response, close."""
    text = connection.recv(1024).decode()  # flaw: as in stage 2
    lines = text.split("\r\n")
    _, path, *_ = lines[0].split(" ")
    file = ROOT / path.replace("/", "")  # flaw: as in stage 2
    if file.exists():
        head = "HTTP/1.1 200 OK\r\nServer: stage3\r\n\r\n"  # flaw: as in stage 2
        body = file.read_text()  # flaw: as in stage 2
    else:
        head = "HTTP/1.1 404 Not Found\r\nServer: stage3\r\n\r\n"
        body = head + "Not found.\n"  # flaw: the head once more, inside the body
    connection.sendall((head + body).encode())
    connection.close()


def main() -> None:
    """Serve on 127.0.0.1:8000 until something fails."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)  # flaw: hardly anybody can wait
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    fork = get_context("fork")
    while True:
        connection, _ = listener.accept()  # flaw: an error here ends it for everyone
        # flaw: as many processes as clients, for as long as these like
        fork.Process(target=answer, args=(connection,)).start()
        connection.close()  # right: the child has a copy of its own


if __name__ == "__main__":
    main()
