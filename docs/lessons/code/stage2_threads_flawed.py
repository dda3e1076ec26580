"""Stage 2 as it is often written: a thread for each connection. What is marked "flaw" is one."""

from pathlib import Path
from socket import AF_INET, SHUT_WR, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from threading import Thread

ROOT = Path("site")

kept: list[socket] = []  # flaw: no connection is released until the program ends


def answer(connection: socket) -> None:
    """Read one request, send one response, and say that this was all."""
    text = connection.recv(1024).decode()  # flaw: whatever has come is the request, and is text
    lines = text.split("\r\n")
    _, path, *_ = lines[0].split(" ")
    file = ROOT / path.replace("/", "")  # flaw: /a/b.txt is read from ab.txt
    if file.exists():
        head = "HTTP/1.1 200 OK\r\nServer: stage2\r\n\r\n"  # flaw: how long, of what type?
        body = file.read_text()  # flaw: a directory, an image, a FIFO
    else:
        head = "HTTP/1.1 404 Not Found\r\nServer: stage2\r\n\r\n"
        body = "Not found.\n"
    connection.sendall((head + body).encode())
    connection.shutdown(SHUT_WR)


def main() -> None:
    """Ask for a port, and serve on it until an accept fails."""
    port = ""
    while not port.isdigit():
        port = input("Input the port you want:")
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))  # flaw: 99999 and a port that is taken end the program
    listener.listen(0)  # flaw: hardly anybody can wait
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listener.accept()  # flaw: an error here ends it for everyone
        kept.append(connection)
        # flaw: as many threads as clients, for as long as these like
        Thread(target=answer, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
