"""A small right server, and what makes it wrong in one way.

It knows the marker, ``/a.txt`` and nothing else, and only as much of HTTP/1.1 as the cases that the
tests send it. A flaw gets the head of a request and the right answer, and returns another.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tinyhttp.conform.kit import A_TXT, KIT_DATE, MARKER, MARKER_NAME

TAG = '"a"'
CLOSE = "Connection: close"

Flaw = Callable[[str, bytes], bytes]


def response(status: int, body: bytes, *fields: str, length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", "Date: Sun, 22 Nov 2026 00:00:00 GMT", *fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def right(head: str) -> bytes:
    """Return the answer to a request; one that closes says so."""
    line, _, rest = head.partition("\r\n")
    words = line.split(" ")
    if len(words) != 3:
        return response(400, b"", CLOSE)
    method, target, version = words
    fields = rest.lower()
    hosts = len(re.findall(r"(?m)^host:", fields))
    if (hosts != 1 and version != "HTTP/1.0") or re.search(r"(?m)^[^:\r\n]*[ \t]:", fields):
        return response(400, b"", CLOSE)
    if "transfer-encoding" in fields and "content-length" in fields:
        return response(400, b"", CLOSE)
    closing = [CLOSE] if re.search(r"(?m)^connection:.*\bclose", fields) else []
    if version == "HTTP/1.0":
        closing = [CLOSE]
    if method not in ("GET", "HEAD"):
        return response(405, b"", "Allow: GET, HEAD", *closing)
    bodies = {"/a.txt": A_TXT, f"/{MARKER_NAME}": MARKER}
    if target not in bodies:
        return response(404, b"", *closing)
    body = bodies[target]
    if f"if-none-match: {TAG}" in fields:
        return response(304, b"", f"ETag: {TAG}", *closing, length=False)
    always = [f"ETag: {TAG}", f"Last-Modified: {KIT_DATE}", "Content-Type: text/plain", *closing]
    if "range: bytes=0-0" in fields and method == "GET":
        return response(206, body[:1], f"Content-Range: bytes 0-0/{len(body)}", *always)
    answer = response(200, body, *always)
    return answer[: -len(body)] if method == "HEAD" else answer


class _Server:
    def __init__(self, flaw: Flaw):
        self._flaw = flaw
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.settimeout(10)
                thread = threading.Thread(target=self._talk, args=(client,))
                thread.start()
                self._threads.append(thread)

    def _talk(self, client: socket.socket) -> None:
        buffer = b""
        with client, suppress(OSError):
            while True:
                while b"\r\n\r\n" not in buffer:
                    block = client.recv(65536)
                    if not block:
                        return
                    buffer += block
                octets, _, buffer = buffer.partition(b"\r\n\r\n")
                head = octets.decode("latin-1") + "\r\n"
                answer = self._flaw(head, right(head))
                client.sendall(answer)
                if CLOSE.encode() in answer or not answer:
                    return


@contextmanager
def serving(flaw: Flaw = lambda _, answer: answer) -> Iterator[int]:
    """Give the port of a server with ``flaw``."""
    server = _Server(flaw)
    try:
        yield server.port
    finally:
        server.stop()
