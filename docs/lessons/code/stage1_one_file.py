"""Stage 1: one socket, one client at a time. HTTP in ten steps, and nothing more."""

import sys
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

ROOT = Path("site")


def answer(connection: socket) -> None:
    """Do steps 3 to 10 for one client."""
    # 3. Receive the request: up to 1,024 octets.
    octets = connection.recv(1024)
    # 4. Decode it: from now on it is text.
    text = octets.decode()
    # 5. Split it into lines. HTTP's line end is two characters.
    lines = text.split("\r\n")
    # 6. Parse the first line.
    method, path, version = lines[0].split(" ")
    print(method, path, version, flush=True)
    # 7. Look the file up by the path.
    file = ROOT / path.lstrip("/")
    # 8. Build the response: status line, fields, an empty line, body.
    if file.exists():
        status, body = "200 OK", file.read_text()
    else:
        status, body = "404 Not Found", "Not found.\n"
    response = f"HTTP/1.1 {status}\r\nServer: stage1\r\n\r\n{body}"
    # 9. Encode it.
    octets = response.encode()
    # 10. Send it, and close: the end of the connection is the end of the body.
    connection.sendall(octets)
    connection.close()


def main() -> None:
    """Do steps 1 and 2, and begin again behind step 10."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    # 1. A TCP socket that listens, bound to an address and a port. 127.0.0.1: this machine only.
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # why: stage 4
    listener.bind(("127.0.0.1", port))
    listener.listen(16)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        # 2. Accept a connection: another socket, for this client alone.
        connection, _ = listener.accept()
        answer(connection)


if __name__ == "__main__":
    main()
