"""One request and its response: how it is written, logged, and given up."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import (
    Client,
    FakeLog,
    FakeReactor,
    FakeTransport,
    HeldDisk,
    get,
    make_server,
    open_descriptors,
    pass_time,
    write_tree,
)
from tinyhttp.core.request import Head, noted_fields
from tinyhttp.server.incoming import Incoming
from tinyhttp.server.server import Server
from tinyhttp.server.transfer import make_transfer

BIG = bytes(range(256)) * 2000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"a.txt": b"hello", "big.bin": BIG, "8k.bin": bytes(8192), "8k1.bin": bytes(8193)}
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


class Log(FakeLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, bytes, int, int, Mapping[bytes, bytes]]] = []

    def answered(
        self, connection: Incoming, head: Head | None, line: bytes, status: int, octets: int
    ) -> None:
        noted = noted_fields(() if head is None else head.noted)
        self.told.append((connection.client(), line, status, octets, noted))

    @property
    def lines(self) -> list[tuple[bytes, int, int]]:
        """Request line, status and octets of each answer."""
        return [(line, status, octets) for _, line, status, octets, _ in self.told]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def server(root: Path, reactor: FakeReactor, log: Log) -> Server:
    return make_server(root, reactor, access_log=log)


@pytest.fixture
def disk(server: Server) -> HeldDisk:
    """The disk of ``server``, which now waits to be told what to do."""
    disk = HeldDisk()
    server.disk = disk
    return disk


# Writing.


class Writes(FakeTransport):
    """A transport that tells how it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[list[bytes]] = []

    def write(self, data: bytes) -> None:
        self.made.append([data])

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.made.append(list(iovec))


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, [4]), (1, [5]), (8192, [8196]), (8193, [4, 8193]), (100_000, [4, 100_000])],
)
def test_a_small_body_is_joined_to_its_head(server: Server, size: int, pieces: list[int]) -> None:
    """One buffer to hand over; a large one would be dearer to copy."""
    connection = Client(server).connection
    connection.transport = transport = Writes()
    connection.send(b"head", b"x" * size)
    (made,) = transport.made
    assert [len(piece) for piece in made] == pieces
    assert b"".join(made) == b"head" + b"x" * size


@pytest.mark.parametrize("name", ["a.txt", "8k.bin", "8k1.bin"])
def test_head_and_body_leave_in_one_call(server: Server, root: Path, name: str) -> None:
    """Remembered or not; in two, they would be two packets."""
    content = (root / name).read_bytes()
    once = Client(server).send(get(f"/{name}")).received
    assert once.endswith(b"\r\n\r\n" + content)
    for request in (get(f"/{name}"), get(f"/{name}", "Host: other")):
        client = Client(server)
        transport = Writes()
        transport.protocol = client.connection
        client.connection.transport = transport
        client.send(request)
        (made,) = transport.made
        assert b"".join(made) == once


# The log.


def test_an_answer_is_logged_once_with_the_fields_of_its_request(server: Server, log: Log) -> None:
    Client(server).send(get("/a.txt", "User-Agent: x", "Referer: y", "Cookie: z"))
    assert log.told == [
        (
            b"192.0.2.1",
            b"GET /a.txt HTTP/1.1",
            200,
            5,
            {b"user-agent": b"x", b"referer": b"y"},
        )
    ]


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (get("/a.txt", method="HEAD"), (b"HEAD /a.txt HTTP/1.1", 200, 0)),
        (get("/big.bin", method="HEAD"), (b"HEAD /big.bin HTTP/1.1", 200, 0)),
        (get("/big.bin"), (b"GET /big.bin HTTP/1.1", 200, 512_000)),
        (get("/big.bin", "Range: bytes=5-9"), (b"GET /big.bin HTTP/1.1", 206, 5)),
        (get("/", method="OPTIONS"), (b"OPTIONS / HTTP/1.1", 204, 0)),
        (get("/none"), (b"GET /none HTTP/1.1", 404, 14)),
        (get("/a.txt", "Content-Length: 2") + b"ab", (b"GET /a.txt HTTP/1.1", 200, 5)),
        (b"nonsense\r\n\r\n", (b"nonsense", 400, 47)),
        (b"GET / HTTP/2.0\r\n\r\n", (b"GET / HTTP/2.0", 505, 75)),
    ],
    ids=[
        *("HEAD", "HEAD of a large file", "a large file", "a part of it", "OPTIONS", "missing"),
        *("with a body", "malformed", "another version"),
    ],
)
def test_the_line_of_each_kind(
    server: Server, log: Log, request_: bytes, line: tuple[bytes, int, int]
) -> None:
    Client(server).send(request_)
    assert log.lines == [line]


@pytest.mark.usefixtures("cold")
def test_a_large_answer_is_logged_when_it_is_all_written(
    server: Server, log: Log, disk: HeldDisk
) -> None:
    client = Client(server).send(get("/big.bin"))
    disk.complete()
    for _ in range(4):
        assert log.lines == []
        disk.complete()
    assert log.lines == [(b"GET /big.bin HTTP/1.1", 200, 512_000)]
    assert client.answers()[0].body == BIG


@pytest.mark.usefixtures("cold")
def test_an_answer_cut_short_is_logged_with_what_was_written(
    server: Server, log: Log, disk: HeldDisk
) -> None:
    client = Client(server).send(get("/big.bin"))
    disk.complete()
    disk.complete()
    disk.work()
    client.vanish()
    disk.deliver()
    assert log.lines == [(b"GET /big.bin HTTP/1.1", 200, 131_072)]


@pytest.mark.usefixtures("cold")
def test_a_file_that_shrinks_is_logged_and_ends_the_connection(
    server: Server, log: Log, root: Path, disk: HeldDisk
) -> None:
    client = Client(server).send(get("/big.bin") + get("/a.txt"))
    disk.complete()
    disk.complete()
    (root / "big.bin").write_bytes(b"short")
    disk.complete()
    assert log.lines == [(b"GET /big.bin HTTP/1.1", 200, 131_072)]
    assert client.transport.closed
    assert client.received.endswith(BIG[:131_072]), "nothing that could be taken for the rest"


def test_a_look_up_that_is_given_up_is_not_logged(server: Server, log: Log, disk: HeldDisk) -> None:
    client = Client(server).send(get("/a.txt"))
    client.vanish()
    disk.complete()
    assert log.lines == []
    assert client.received == b""


# Giving up.


def test_a_client_that_vanishes_in_a_look_up_of_a_large_file_leaves_no_descriptor(
    server: Server, disk: HeldDisk
) -> None:
    before = open_descriptors()
    Client(server).send(get("/big.bin")).vanish()
    disk.complete()
    assert len(open_descriptors() - before) == 1, "it is remembered for the next one"
    server.site.forget()
    assert open_descriptors() == before


@pytest.mark.usefixtures("cold")
def test_a_slow_disk_is_not_held_against_the_client(
    server: Server, disk: HeldDisk, reactor: FakeReactor
) -> None:
    """Nothing moves for minutes, but it is not the client that is waited for."""
    client = Client(server).send(get("/big.bin"))
    pass_time(reactor, 300)
    disk.complete()
    pass_time(reactor, 300)
    for _ in range(4):
        assert not client.ended
        disk.complete()
        pass_time(reactor, 30)
    assert client.answers()[0].body == BIG


@pytest.mark.usefixtures("cold")
def test_a_transfer_to_a_client_that_is_full_already_begins_when_there_is_room(
    server: Server, disk: HeldDisk
) -> None:
    """The head was more than it would take."""
    client = Client(server, room=10).send(get("/big.bin"))
    disk.complete()
    assert disk.waiting == 0, "no block is read that nobody takes"
    client.transport.client_reads()
    assert disk.waiting == 1
    while disk.waiting:
        disk.complete()
    assert client.answers()[0].body == BIG


# Errors of our own.


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("a detail")])
def test_an_error_behind_a_look_up(
    server: Server, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def find(path: object) -> None:
        raise error

    monkeypatch.setattr(server.site.files, "find", find)
    client = Client(server).send(get("/a.txt") + get("/a.txt"))
    disk.complete()
    (answer,) = client.answers()
    assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
    assert answer["Connection"] == "close"
    assert disk.waiting == 0


def test_an_error_is_logged_with_the_line_of_its_request(
    server: Server, log: Log, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(path: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(server.site.files, "find", find)
    Client(server).send(get("/a.txt", "Content-Length: 1") + b"x")
    disk.complete()
    assert log.lines == [(b"GET /a.txt HTTP/1.1", 500, 26)]


@pytest.mark.parametrize(("method", "octets"), [("GET", 26), ("HEAD", 0)])
def test_an_error_is_logged_with_the_line_of_its_request_without_a_body(
    server: Server,
    log: Log,
    disk: HeldDisk,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    octets: int,
) -> None:
    def find(path: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(server.site.files, "find", find)
    Client(server).send(get("/a.txt", method=method))
    disk.complete()
    assert log.lines == [(f"{method} /a.txt HTTP/1.1".encode(), 500, octets)]


def test_an_error_is_never_remembered(
    server: Server, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(path: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(server.site.files, "find", find)
        Client(server).send(get("/a.txt"))
        disk.complete()
    client = Client(server).send(get("/a.txt"))
    disk.complete()
    assert [answer.body for answer in client.answers()] == [b"hello"]


# Small parts of large files.


@pytest.mark.parametrize(
    ("span", "is_transferred"),
    [("5-1004", False), ("0-32767", False), ("0-32768", True), ("-1", False), ("0-0,9-9", True)],
)
def test_a_small_part_of_a_large_file_is_read_inline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span: str, is_transferred: bool
) -> None:
    content = bytes(range(256)) * 1000
    server = make_server(write_tree(tmp_path, {"large.bin": content}))
    transfers: list[Any] = []

    def noted(*arguments: Any) -> Any:
        transfers.append(arguments)
        return make_transfer(*arguments)

    monkeypatch.setattr("tinyhttp.server.exchange.make_transfer", noted)
    client = Client(server)
    for _ in range(2):  # and as it is remembered
        client.send(get("/large.bin", f"Range: bytes={span}"))
    first, second = client.answers()
    assert first.status == second.status == 206
    assert first.body == second.body
    if "," not in span:
        start, stop = (-1, None) if span == "-1" else (int(n) for n in span.split("-"))
        assert first.body == content[start : None if stop is None else stop + 1]
    assert bool(transfers) is is_transferred
    _ = server.stop()


def test_a_small_part_that_the_disk_has_to_be_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then, or if it is not all there, it is a transfer like any other."""
    server = make_server(write_tree(tmp_path, {"large.bin": b"x" * 200_000}))
    for known in (None, b"x" * 999):
        monkeypatch.setattr("tinyhttp.server.exchange.read_at_once", lambda *_, known=known: known)
        client = Client(server).send(get("/large.bin", "Range: bytes=0-999"))
        assert [answer.body for answer in client.answers()] == [b"x" * 1000]
    _ = server.stop()
