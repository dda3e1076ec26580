"""Bodies that go out block by block: the right octets, and never more memory than one block."""

import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.support import (
    Client,
    FakeReactor,
    FakeTransport,
    HeldDisk,
    TurningReactor,
    get,
    make_disk,
    make_server,
    open_descriptors,
    write_tree,
)
from tinyhttp.core.resource import Span
from tinyhttp.server.disk import Disk
from tinyhttp.server.transfer import BLOCK, Gone, Shrunk, Transfer, begin, rest
from tinyhttp.site.open_file import SharedFile

GIB = 1024**3
CONTENT = bytes(n * n % 251 for n in range(300_000))
"""Two blocks and a part of a third."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


class Reader:
    """The other end: reads everything, or is full after so many writes."""

    def __init__(self, room: int = 10**9):
        self.received: list[bytes] = []
        self.room = room
        self.transfer: Transfer | None = None

    def write(self, data: bytes) -> None:
        self.received.append(data)
        self.room -= 1
        if self.room <= 0:
            assert self.transfer is not None
            self.transfer.pause()

    def go_on(self, room: int = 1) -> None:
        assert self.transfer is not None
        self.room = room
        self.transfer.resume()

    @property
    def octets(self) -> bytes:
        return b"".join(self.received)


def transfer_of(
    pieces: Sequence[bytes | Span], disk: Disk | None = None, room: int = 10**9
) -> tuple[Transfer, Reader]:
    reader = Reader(room)
    transfer = Transfer(pieces, reader.write, disk or inline())
    reader.transfer = transfer
    return transfer, reader


def inline() -> Disk:
    return make_disk(FakeReactor(), 0)


def outcome(result: Deferred[None]) -> object:
    """What ``result`` has come to: None, an exception's type, or "waiting"."""
    outcomes: list[object] = []

    def look(outcome: object) -> object:
        outcomes.append(outcome.type if isinstance(outcome, Failure) else outcome)
        return outcome

    _ = result.addBoth(look)
    if not outcomes:
        return "waiting"
    _ = result.addErrback(lambda _: None)  # it has been seen
    return outcomes[0]


# The right octets.


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 300_000), (0, 1), (299_999, 300_000), (131_071, 131_073), (131_072, 262_144), (5, 5)],
)
def test_a_span(file: SharedFile, start: int, stop: int) -> None:
    transfer, reader = transfer_of([Span(file, start, stop)])
    assert outcome(transfer.start()) is None
    assert reader.octets == CONTENT[start:stop]
    assert transfer.sent == stop - start


def test_blocks(file: SharedFile) -> None:
    assert BLOCK == 131_072
    transfer, reader = transfer_of([Span(file, 0, 300_000)])
    assert outcome(transfer.start()) is None
    assert [len(block) for block in reader.received] == [131_072, 131_072, 37_856]


def test_pieces_in_order(file: SharedFile) -> None:
    pieces: list[bytes | Span] = [b"<", Span(file, 200_000, 200_003), b"|", Span(file, 0, 2), b">"]
    transfer, reader = transfer_of(pieces)
    assert outcome(transfer.start()) is None
    assert reader.octets == b"<" + CONTENT[200_000:200_003] + b"|" + CONTENT[:2] + b">"
    assert transfer.sent == 8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=5),
            st.tuples(st.integers(0, 300_000), st.integers(0, 300_000)).map(sorted),
        ),
        max_size=5,
    ),
    st.integers(1, 3),
)
def test_any_pieces_with_any_pauses(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes | list[int]], room: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-pieces"
    path.write_bytes(CONTENT)
    file = SharedFile(os.open(path, os.O_RDONLY))
    parts: list[bytes | Span] = [
        p if isinstance(p, bytes) else Span(file, p[0], p[1]) for p in pieces
    ]
    transfer, reader = transfer_of(parts, room=room)
    result = transfer.start()
    while outcome(result) == "waiting":
        reader.go_on(room)
    expected = [p if isinstance(p, bytes) else CONTENT[p[0] : p[1]] for p in pieces]
    assert reader.octets == b"".join(expected)
    assert transfer.sent == len(reader.octets)
    file.let_go()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.descriptor)


# Files that change.


def test_a_file_that_grows_is_cut(path: Path, file: SharedFile) -> None:
    transfer, reader = transfer_of([Span(file, 0, 300_000)], room=1)
    result = transfer.start()
    with path.open("ab") as grown:
        grown.write(b"more" * 100_000)
    reader.go_on(100)
    assert outcome(result) is None
    assert reader.octets == CONTENT


@pytest.mark.parametrize("size", [0, 131_072, 200_000, 299_999])
def test_a_file_that_shrinks(path: Path, file: SharedFile, size: int) -> None:
    """What is missing is not made up."""
    transfer, reader = transfer_of([Span(file, 0, 300_000), b"closing"], room=1)
    result = transfer.start()
    os.truncate(path, size)
    reader.go_on(100)
    assert outcome(result) is Shrunk
    assert reader.octets == CONTENT[: max(size, 131_072)]
    assert transfer.sent == len(reader.octets)


def test_a_file_that_is_replaced(path: Path, file: SharedFile) -> None:
    transfer, reader = transfer_of([Span(file, 0, 300_000)], room=1)
    result = transfer.start()
    new = path.with_name("new")
    new.write_bytes(b"new" * 100_000)
    new.rename(path)
    reader.go_on(100)
    assert outcome(result) is None
    assert reader.octets == CONTENT


def test_a_disk_that_fails() -> None:
    class Broken:
        descriptor = -1
        in_memory = (0, 0, 0.0)
        held = 0

        def hold(self) -> None:
            self.held += 1

        def let_go(self) -> None:
            self.held -= 1

        def read(self, size: int, offset: int) -> bytes:
            raise OSError(5, "Input/output error")

    file = Broken()
    transfer, _ = transfer_of([Span(file, 0, 10)])
    assert outcome(transfer.start()) is OSError
    assert file.held == 0


# How it begins, and what is left then. On our own transport: see test_file_transfer.py.


@pytest.mark.parametrize("room", [float("inf"), 3])
def test_elsewhere_it_begins_with_the_head_alone(file: SharedFile, room: float) -> None:
    transport = FakeTransport(room)
    bodies: list[list[bytes | Span]] = [[Span(file, 0, 10)], [b"<", Span(file, 0, 10), b">"]]
    for body in bodies:
        before = transport.value() + transport.unread
        assert begin(transport, b"head", body) == 0
        assert rest(body, 0) == body
        assert transport.value() + transport.unread == before + b"head"


@pytest.mark.parametrize(
    ("sent", "left"),
    [(0, (5, 20)), (1, (6, 20)), (14, (19, 20)), (15, None)],
)
@pytest.mark.parametrize("behind", [(), (b">",)])
def test_what_is_left_of_a_span(
    file: SharedFile, sent: int, left: tuple[int, int] | None, behind: tuple[bytes, ...]
) -> None:
    expected = () if left is None else (Span(file, *left),)
    assert tuple(rest((Span(file, 5, 20), *behind), sent)) == (*expected, *behind)


def test_what_is_left_of_a_span_of_nothing(file: SharedFile) -> None:
    """A transfer, which sends nothing of it."""
    pieces = rest((Span(file, 5, 5),), 0)
    transfer, reader = transfer_of(pieces)
    assert outcome(transfer.start()) is None
    assert reader.received == []


# Pausing and giving up.


@pytest.mark.usefixtures("cold")
def test_paused_before_it_starts(file: SharedFile, disk: HeldDisk) -> None:
    transfer, reader = transfer_of([Span(file, 0, 10)], disk)
    transfer.pause()
    result = transfer.start()
    assert disk.waiting == 0, "nothing is read that could not be sent"
    transfer.resume()
    disk.complete()
    assert outcome(result) is None
    assert reader.octets == CONTENT[:10]


@pytest.mark.usefixtures("cold")
def test_paused_while_a_block_is_read(file: SharedFile, disk: HeldDisk) -> None:
    """That block is sent; the next one is not even read."""
    transfer, reader = transfer_of([Span(file, 0, 300_000)], disk)
    result = transfer.start()
    transfer.pause()
    disk.complete()
    assert len(reader.octets) == 131_072
    assert disk.waiting == 0
    transfer.resume()
    disk.complete()
    disk.complete()
    assert outcome(result) is None
    assert reader.octets == CONTENT


@pytest.mark.usefixtures("cold")
def test_paused_and_resumed_while_a_block_is_read(file: SharedFile, disk: HeldDisk) -> None:
    transfer, reader = transfer_of([Span(file, 0, 300_000)], disk)
    result = transfer.start()
    for _ in range(3):
        transfer.pause()
        transfer.resume()
        assert disk.waiting == 1, "one read at a time"
        disk.complete()
    assert outcome(result) is None
    assert reader.octets == CONTENT


def test_resumed_without_a_pause(file: SharedFile) -> None:
    transfer, reader = transfer_of([Span(file, 0, 10)])
    transfer.resume()
    assert outcome(transfer.start()) is None
    assert reader.octets == CONTENT[:10]


def test_stopped_while_paused(file: SharedFile) -> None:
    transfer, reader = transfer_of([b"<", Span(file, 0, 300_000)], room=2)
    result = transfer.start()
    transfer.stop()
    assert outcome(result) is Gone
    assert len(reader.octets) == 1 + 131_072


def test_stopped_between_pieces(file: SharedFile) -> None:
    transfer, reader = transfer_of([b"<", b">"], room=1)
    result = transfer.start()
    transfer.stop()
    assert outcome(result) is Gone
    assert reader.octets == b"<"


def test_stopped_before_it_starts(file: SharedFile) -> None:
    transfer, reader = transfer_of([Span(file, 0, 10)])
    transfer.stop()
    assert outcome(transfer.start()) is Gone
    assert reader.octets == b""


@pytest.mark.usefixtures("cold")
def test_stopped_while_a_block_is_read(path: Path, disk: HeldDisk) -> None:
    file = SharedFile(os.open(path, os.O_RDONLY))
    transfer, reader = transfer_of([Span(file, 0, 300_000)], disk)
    result = transfer.start()
    file.let_go()  # the transfer alone holds it now
    transfer.stop()
    assert not result.called
    os.fstat(file.descriptor)
    disk.complete()
    assert outcome(result) is Gone
    assert reader.octets == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.descriptor)


class SlowFile(SharedFile):
    """A file whose reads take until they are let through; looks at its descriptor before."""

    def __init__(self, descriptor: int):
        super().__init__(descriptor)
        self.reading = Event()
        self.may_go_on = Event()

    def read(self, size: int, offset: int) -> bytes:
        self.reading.set()
        assert self.may_go_on.wait(10)
        return super().read(size, offset)


@pytest.mark.usefixtures("cold")
def test_a_read_in_a_thread_keeps_its_descriptor(path: Path) -> None:
    """Closed under a read, its number might belong to another file by then."""
    reactor = TurningReactor()
    disk = make_disk(reactor, 1)
    file = SlowFile(os.open(path, os.O_RDONLY))
    transfer, reader = transfer_of([Span(file, 0, 300_000)], disk)
    result = transfer.start()
    file.let_go()
    assert file.reading.wait(10)
    transfer.stop()
    os.fstat(file.descriptor)
    file.may_go_on.set()
    reactor.turn_until(result)
    assert outcome(result) is Gone
    assert reader.octets == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.descriptor)
    disk.rest()


# Through a connection.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"file.bin": CONTENT})


def test_parts_of_a_big_file(root: Path) -> None:
    client = Client(make_server(root), room=0)
    client.send(get("/file.bin", "Range: bytes=0-9,150000-290000,-5"))
    while client.transport.unread:
        client.transport.client_reads(50_000)
    (answer,) = client.answers()
    assert answer.status == 206
    boundary = answer["Content-Type"].removeprefix("multipart/byteranges; boundary=")
    parts = answer.body.split(b"\r\n--" + boundary.encode())
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    head = b"\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes "
    assert parts[1:-1] == [
        head + b"0-9/300000\r\n\r\n" + CONTENT[:10],
        head + b"150000-290000/300000\r\n\r\n" + CONTENT[150_000:290_001],
        head + b"299995-299999/300000\r\n\r\n" + CONTENT[-5:],
    ]
    assert not client.ended


def test_a_grown_file_is_cut_and_the_connection_goes_on(root: Path) -> None:
    client = Client(make_server(root), room=0).send(get("/file.bin") + get("/none"))
    with (root / "file.bin").open("ab") as grown:
        grown.write(b"x" * 1000)
    client.transport.client_reads()
    whole, missing = client.answers()
    assert whole.body == CONTENT
    assert missing.status == 404


def test_a_shrunken_file_ends_the_connection(root: Path) -> None:
    client = Client(make_server(root), room=0).send(get("/file.bin") + get("/none"))
    os.truncate(root / "file.bin", 200_000)
    client.transport.client_reads()
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert b"Content-Length: 300000\r\n" in head + b"\r\n"
    assert body == CONTENT[:200_000], "neither padded nor followed by another response"
    assert client.transport.closed


def test_a_replaced_file_is_finished_from_the_old_one(root: Path) -> None:
    reactor = FakeReactor()
    server = make_server(root, reactor)
    old = Client(server, room=0).send(get("/file.bin"))
    write_tree(root, {"new": b"new" * 100_000})
    (root / "new").rename(root / "file.bin")
    reactor.advance(1)  # what is remembered is taken for granted for as long
    new = Client(server).send(get("/file.bin"))
    old.transport.client_reads()
    assert old.answers()[0].body == CONTENT
    assert new.answers()[0].body == b"new" * 100_000


# Files larger than memory.


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """A root with a sparse file of 20 GiB that has something to read at its far end."""
    root = tmp_path / "huge"
    root.mkdir()
    with (root / "huge.bin").open("wb") as file:
        file.truncate(20 * GIB)
        file.seek(20 * GIB - 10)
        file.write(b"0123456789")
    os.utime(root / "huge.bin", (1_700_000_000, 1_700_000_000))
    return root


@pytest.mark.parametrize(
    ("value", "content_range", "body"),
    [
        ("bytes=-10", "bytes 21474836470-21474836479/21474836480", b"0123456789"),
        ("bytes=21474836475-", "bytes 21474836475-21474836479/21474836480", b"56789"),
        ("bytes=4294967296-4294967297", "bytes 4294967296-4294967297/21474836480", b"\0\0"),
    ],
)
def test_ranges_of_20_gib(huge: Path, value: str, content_range: str, body: bytes) -> None:
    client = Client(make_server(huge)).send(get("/huge.bin", f"Range: {value}"))
    (answer,) = client.answers()
    assert answer.status == 206
    assert answer["Content-Range"] == content_range
    assert answer.body == body


def test_all_of_20_gib_costs_a_block(huge: Path) -> None:
    client = Client(make_server(huge), room=0)
    tracemalloc.start()
    client.send(get("/huge.bin"))
    for _ in range(20):
        client.transport.io.truncate(0)
        client.transport.io.seek(0)
        client.transport.client_reads(len(client.transport.unread))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    client.vanish()


def test_64_mib_cost_a_block(huge: Path) -> None:
    file = SharedFile(os.open(huge / "huge.bin", os.O_RDONLY))
    counted = 0

    def write(data: bytes) -> None:
        nonlocal counted
        counted += len(data)

    transfer = Transfer([Span(file, 19 * GIB, 19 * GIB + 64 * 1024**2)], write, inline())
    tracemalloc.start()
    assert outcome(transfer.start()) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file.let_go()
    assert counted == transfer.sent == 67_108_864
    assert peak < 1_000_000


def test_twenty_downloads_share_one_descriptor(root: Path) -> None:
    before = open_descriptors()
    server = make_server(root)
    clients = [Client(server, room=0).send(get("/file.bin")) for _ in range(20)]
    new = [link for link in open_descriptors() - before if link.endswith("file.bin")]
    assert len(new) == 1
    for client in clients:
        client.vanish()
    _ = server.stop()
    assert open_descriptors() == before


# What is in the kernel's memory.


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_what_is_in_memory_is_not_waited_for(tmp_path: Path, disk: HeldDisk, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "warm"
    path.write_bytes(content[:size])
    file = SharedFile(os.open(path, os.O_RDONLY))
    written: list[bytes] = []
    result = Transfer([b"<", Span(file, 0, size), b">"], written.append, disk).start()
    file.let_go()
    assert result.called
    assert disk.waiting == 0
    assert b"".join(written) == b"<" + content[:size] + b">"
    assert max(map(len, written)) <= BLOCK
    assert file.descriptor == -1


def test_what_is_in_memory_waits_for_the_client(tmp_path: Path, disk: HeldDisk) -> None:
    """A block at a time, as from a disk."""
    path = tmp_path / "warm"
    path.write_bytes(bytes(4 * BLOCK))
    file = SharedFile(os.open(path, os.O_RDONLY))
    written: list[bytes] = []

    def write(data: bytes) -> None:
        written.append(data)
        transfer.pause()

    transfer = Transfer([Span(file, 0, 4 * BLOCK)], write, disk)
    result = transfer.start()
    for blocks in range(1, 5):
        assert len(written) == blocks
        assert transfer.waits_for_client is (blocks < 4)
        transfer.resume()
    assert result.called
    assert disk.waiting == 0
    file.let_go()
