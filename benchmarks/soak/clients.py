"""The clients of a soak: good ones, slow ones, and such as mean no good.

Each is a function that behaves in its way once, over a connection of its own, and counts what came
of it. All are bounded in time; none minds what the server says, but for the good ones, who complain
about every octet.
"""

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

__all__ = ["CLIENTS", "Crowd", "Site"]

PATIENCE = 20.0

GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"GET " + b"/a" * 10_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
)


class Site:
    """The files that are served, which change meanwhile: every version holds its own digest."""

    def __init__(self, root: Path):
        self.root = root
        self._serial = 0
        for name, size in (("small.html", 1_000), ("medium.js", 50_000), ("large.bin", 3_000_000)):
            self.write(name, size)

    def write(self, name: str, size: int) -> None:
        """Replace a file by another version of about ``size`` octets."""
        self._serial += 1
        content = random.Random(self._serial).randbytes(size + self._serial % 97)
        new = self.root / f".{name}.new"
        new.write_bytes(sha256(content).hexdigest().encode() + content)
        new.replace(self.root / name)

    def change(self) -> None:
        """Change something."""
        name, size = random.choice([("small.html", 1_000), ("medium.js", 50_000)])
        self.write(name, size)
        extra = self.root / f"extra-{random.randrange(20)}"
        if extra.exists():
            extra.unlink()
        else:
            extra.write_bytes(b"extra")


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def _fetch(sock: socket.socket, name: str, close: bool) -> tuple[str, bool]:
    """Return what came of it, and whether the server closes the connection behind it."""
    last = "Connection: close\r\n" if close else ""
    sock.sendall(f"GET /{name} HTTP/1.1\r\nHost: a\r\n{last}\r\n".encode())
    with sock.makefile("rb") as stream:
        status = stream.readline().split()
        length, closes = 0, False
        while (line := stream.readline().strip()) != b"":
            field, _, value = line.partition(b":")
            if field.lower() == b"content-length":
                length = int(value)
            closes = closes or (field.lower(), value.strip()) == (b"connection", b"close")
        body = stream.read(length)
    if status[1:2] != [b"200"]:
        return f"status {status[1:2]}", True
    whole = len(body) == length and sha256(body[64:]).hexdigest().encode() == body[:64]
    return ("answered", closes) if whole else ("wrong octets", True)


def good(port: int, counted: Counter[str]) -> None:
    """Fetch some files over one connection, and look at every octet."""
    with _connect(port) as sock:
        for turn, last in enumerate((False, False, False, True)):
            name = random.choice(["small.html", "medium.js", "large.bin"])
            try:
                outcome, closes = _fetch(sock, name, last)
            except OSError as error:
                outcome, closes = f"good client: {type(error).__name__}", True
            if turn and outcome in ("status []", "good client: ConnectionResetError"):
                # An idle connection may be closed just when it is used again; RFC 9112 section
                # 9.3.1 has the client ask again, as nothing of its request was answered.
                outcome = "closed between requests"
            counted[outcome] += 1
            if closes:
                return


def slow(port: int, counted: Counter[str]) -> None:
    """Send a head in drips, and leave in the middle of it."""
    with _connect(port) as sock:
        for octet in b"GET /small.html HTTP/1.1\r\n":
            sock.sendall(bytes((octet,)))
            threading.Event().wait(0.05)
    counted["slow"] += 1


def reader_that_stops(port: int, counted: Counter[str]) -> None:
    """Ask for much, read a little, and vanish."""
    with _connect(port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        sock.recv(1000)
        threading.Event().wait(random.random())
    counted["stopped reading"] += 1


def hostile(port: int, counted: Counter[str]) -> None:
    """Send what is no request, or none that anybody should believe."""
    with _connect(port) as sock:
        try:
            sock.sendall(random.choice(GARBAGE))
            sock.settimeout(2)
            while sock.recv(65_536):
                pass
        except OSError:
            pass
    counted["hostile"] += 1


def idle(port: int, counted: Counter[str]) -> None:
    """Say nothing for a while."""
    with _connect(port):
        threading.Event().wait(1)
    counted["idle"] += 1


CLIENTS: tuple[tuple[Callable[[int, Counter[str]], None], int], ...] = (
    (good, 6),
    (slow, 2),
    (reader_that_stops, 3),
    (hostile, 3),
    (idle, 2),
)
"""Who comes, and how many of them at a time."""


class Crowd:
    """All of them at once, again and again, until told to stop."""

    def __init__(self, port: int):
        self.counted: Counter[str] = Counter()
        self._port = port
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(client,), daemon=True)
            for client, number in CLIENTS
            for _ in range(number)
        ]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def _run(self, client: Callable[[int, Counter[str]], None]) -> None:
        while not self._over.is_set():
            try:
                client(self._port, self.counted)
            except OSError as error:
                self.counted[f"{client.__name__}: {type(error).__name__}"] += 1
