"""Bodies that the transport sends from their files; what is not in memory is fetched in a thread.

Whether it is in memory is for the tests to say, unless they ask the kernel.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from tests.support import HeldDisk, get, make_disk, make_server, read_answers, write_tree
from tinyhttp.core.resource import Span
from tinyhttp.server import transfer as the_module
from tinyhttp.server import transport
from tinyhttp.server.disk import Disk
from tinyhttp.server.server import Server
from tinyhttp.server.transfer import (
    LOOK,
    FileTransfer,
    Gone,
    Shrunk,
    Transfer,
    begin,
    make_transfer,
    rest,
)
from tinyhttp.server.transport import SocketTransport
from tinyhttp.site.open_file import SharedFile
from tinyhttp.site.residency import read_at_once

from .sockets import Link, Peer, SocketReactor, connection, linked, until
from .test_transfer import outcome

GIB = 1024**3
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(1_000_000))
"""Four million octets, each four of which tell their place: three slices and a part of a fourth."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


class Memory:
    """What of the files is in memory, as far as the transfers are told."""

    def __init__(self) -> None:
        self.cold: set[int] = set()
        """Where slices begin that are not in memory until they are looked at again."""
        self.looks = 1
        """How many looks it takes."""
        self.can_tell = True
        self.first_is_cold = False

    def resident(self, descriptor: int, offset: int, count: int) -> int:
        if offset in self.cold:
            self.looks -= 1
            if self.looks <= 0:
                self.cold.discard(offset)
            return 0
        return count

    def read_at_once(self, descriptor: int, size: int, offset: int) -> bytes | None:
        if not self.can_tell:
            return None
        if self.first_is_cold:
            self.first_is_cold = False
            return None
        return os.pread(descriptor, size, offset)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory = Memory()
    monkeypatch.setattr(the_module, "resident", memory.resident)
    monkeypatch.setattr(the_module, "read_at_once", memory.read_at_once)
    return memory


def inline() -> Disk:
    return make_disk(SocketReactor(), 0)


def is_open(file: SharedFile) -> bool:
    try:
        os.fstat(file.descriptor)
    except OSError:
        return False
    return True


def finish(link: Link, result: Deferred[None], disk: HeldDisk | None = None) -> object:
    """Have the client read, and the disk work, until the transfer ends; return how it did."""

    def work() -> bool:
        if disk is None or not disk.waiting:
            return False
        disk.complete()
        return True

    until(lambda: result.called, link.room.turn, link.peer.read, work)
    return outcome(result)


# Which transfer.


def test_our_own_transport_sends_from_the_file(link: Link, file: SharedFile) -> None:
    pieces: Sequence[bytes | Span] = [Span(file, 0, 10)]
    assert type(make_transfer(pieces, link.transport, inline())) is FileTransfer
    assert type(make_transfer(pieces, StringTransport(), inline())) is Transfer


# The right octets.


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 4_000_000), (0, 1), (3_999_999, 4_000_000), (999_999, 3_000_001), (1_048_576, 2_097_152)],
)
def test_a_span(link: Link, file: SharedFile, memory: Memory, start: int, stop: int) -> None:
    transfer = FileTransfer([Span(file, start, stop)], link.transport, inline())
    assert finish(link, transfer.start()) is None
    assert link.received(stop - start) == CONTENT[start:stop]
    assert transfer.sent == stop - start


def test_a_span_of_nothing(link: Link, file: SharedFile, memory: Memory) -> None:
    transfer = FileTransfer([Span(file, 5, 5), b"x"], link.transport, inline())
    assert finish(link, transfer.start()) is None
    assert link.received(1) == b"x"


PARTS: list[tuple[int, int] | bytes] = [
    b"<",
    (2_000_000, 3_500_000),
    b"|",
    b"|",
    (0, 7),
    (3_999_990, 4_000_000),
    b">" * 100_000,
]
EXPECTED = (
    b"<" + CONTENT[2_000_000:3_500_000] + b"||" + CONTENT[:7] + CONTENT[3_999_990:] + b">" * 100_000
)


def pieces_of(file: SharedFile) -> list[bytes | Span]:
    return [p if isinstance(p, bytes) else Span(file, *p) for p in PARTS]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
def test_pieces_in_order(file: SharedFile, memory: Memory, kind: str, small: bool) -> None:
    with linked(kind, small=small) as link:
        transfer = FileTransfer(pieces_of(file), link.transport, inline())
        link.transport.registerProducer(Passing(transfer), True)
        assert finish(link, transfer.start()) is None
        assert link.received(len(EXPECTED)) == EXPECTED
        assert transfer.sent == len(EXPECTED) == 1_600_020


class Passing:
    """The owner of a transfer, who passes on what the transport says."""

    def __init__(self, transfer: Transfer):
        self.transfer = transfer

    def pauseProducing(self) -> None:
        self.transfer.pause()

    def resumeProducing(self) -> None:
        self.transfer.resume()

    def stopProducing(self) -> None:
        self.transfer.stop()


@pytest.mark.parametrize("cold", [[2_000_000], [0], [3_048_576, 3_999_990], [2_000_000, 3_048_576]])
def test_pieces_in_order_from_a_cold_disk(
    narrow: Link, file: SharedFile, disk: HeldDisk, memory: Memory, cold: list[int]
) -> None:
    """The offsets are those where slices begin, if they are sent whole, and where spans do."""
    memory.cold.update(cold)
    memory.first_is_cold = True
    transfer = FileTransfer(pieces_of(file), narrow.transport, disk)
    narrow.transport.registerProducer(Passing(transfer), True)
    assert finish(narrow, transfer.start(), disk) is None
    assert narrow.received(len(EXPECTED)) == EXPECTED
    assert transfer.sent == len(EXPECTED)


# Files that change.


@pytest.mark.parametrize("size", [1, 1_048_576, 3_999_999])
def test_a_file_that_shrinks(
    link: Link, path: Path, file: SharedFile, memory: Memory, size: int
) -> None:
    os.truncate(path, size)
    transfer = FileTransfer([Span(file, 0, 4_000_000), b"never"], link.transport, inline())
    assert finish(link, transfer.start()) is Shrunk
    assert link.received(size) == CONTENT[:size]
    assert transfer.sent == size


def test_a_file_that_shrinks_while_it_is_fetched(
    link: Link, path: Path, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    memory.cold.add(0)
    transfer = FileTransfer([Span(file, 0, 4_000_000)], link.transport, disk)
    result = transfer.start()
    assert disk.waiting == 1
    os.truncate(path, 1000)
    assert finish(link, result, disk) is Shrunk
    assert link.received(1000) == CONTENT[:1000]


def test_a_file_that_grows_is_cut(
    narrow: Link, path: Path, file: SharedFile, memory: Memory
) -> None:
    transfer = FileTransfer([Span(file, 0, 4_000_000)], narrow.transport, inline())
    result = transfer.start()
    with path.open("ab") as grown:
        grown.write(b"more" * 1000)
    assert finish(narrow, result) is None
    assert narrow.received(4_000_000) == CONTENT


def test_a_file_that_can_not_be_read(link: Link, tmp_path: Path, memory: Memory) -> None:
    descriptor = os.open(tmp_path / "write-only", os.O_WRONLY | os.O_CREAT)
    file = SharedFile(descriptor)
    memory.read_at_once = lambda *_: b"x"  # type: ignore[method-assign]
    the_module.read_at_once = memory.read_at_once  # type: ignore[attr-defined]
    transfer = FileTransfer([Span(file, 0, 5)], link.transport, inline())
    result = transfer.start()
    file.let_go()
    assert outcome(result) is OSError
    assert not is_open(file)
    assert transfer.sent == 0


# How it begins: with what can be sent at once, behind the head.

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def sent_whole(
    link: Link, pieces: Sequence[bytes | Span], disk: HeldDisk | None = None
) -> tuple[int, bytes]:
    """Send ``pieces`` as a connection does; return how it began, and what the peer has got."""
    begun = begin(link.transport, HEAD, pieces)
    left = rest(pieces, begun)
    if left:
        transfer = FileTransfer(left, link.transport, disk or inline())
        link.transport.registerProducer(Passing(transfer), True)
        assert finish(link, transfer.start(), disk) is None
    link.until(lambda: link.transport.octets_sent == len(link.peer.received))
    return begun, bytes(link.peer.received)


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 1000), (999_999, 3_000_001), (5, 4_000_000)])
def test_a_span_behind_its_head(
    file: SharedFile, kind: str, small: bool, start: int, stop: int
) -> None:
    with linked(kind, small=small) as link:
        begun, received = sent_whole(link, [Span(file, start, stop)])
        assert received == HEAD + CONTENT[start:stop]
        assert begun <= 1_048_576
        assert begun > 0


def test_what_fits_is_all_there_is_to_it(link: Link, file: SharedFile, disk: HeldDisk) -> None:
    """Neither a transfer nor a turn is needed."""
    span = Span(file, 8, 1008)
    assert begin(link.transport, HEAD, [span]) == 1000
    assert list(rest([span], 1000)) == []
    assert link.wanted == "r"
    assert link.received(len(HEAD) + 1000) == HEAD + CONTENT[8:1008]
    assert link.transport.octets_sent == len(HEAD) + 1000


def test_behind_what_is_not_sent_yet(narrow: Link, file: SharedFile) -> None:
    before = b"<" * 300_000
    narrow.transport.write(before)
    begun, received = sent_whole(narrow, [Span(file, 0, 300_000)])
    assert begun == 0
    assert received == before + HEAD + CONTENT[:300_000]


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
def test_one_behind_the_other(file: SharedFile, kind: str) -> None:
    with linked(kind, small=True) as link:
        expected = b""
        for start in (0, 1_000_000, 2_000_000):
            begun, received = sent_whole(link, [Span(file, start, start + 90_000)])
            link.transport.unregisterProducer()
            expected += HEAD + CONTENT[start : start + 90_000]
            assert begun > 0, "all before it is sent"
            assert received == expected


def test_a_cold_file_begins_with_its_head(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    memory.cold.add(0)
    memory.looks = 2
    pieces = [Span(file, 0, 1000)]
    assert begin(link.transport, HEAD, pieces) == 0
    assert link.received(len(HEAD)) == HEAD
    transfer = FileTransfer(rest(pieces, 0), link.transport, disk)
    result = transfer.start()
    assert disk.waiting == 1
    assert finish(link, result, disk) is None
    assert link.received(len(HEAD) + 1000) == HEAD + CONTENT[:1000]


def test_a_file_of_which_the_beginning_is_warm(
    link: Link, file: SharedFile, disk: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is sent at once; what comes behind it is fetched first."""
    warm_until = 10_000

    def resident(descriptor: int, offset: int, count: int) -> int:
        return min(max(warm_until - offset, 0), count)

    monkeypatch.setattr(the_module, "resident", resident)
    begun, received = sent_whole(link, [Span(file, 0, 50_000)], disk)
    assert begun == 10_000
    assert received == HEAD + CONTENT[:50_000]


def test_a_look_is_good_for_a_second(
    link: Link, file: SharedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For that part of the file alone; and not if it has shown that some of it is missing."""
    now = 1000.0
    is_there = True
    looks: list[tuple[int, int]] = []

    def resident(descriptor: int, offset: int, count: int) -> int:
        looks.append((offset, count))
        return count if is_there else 0

    def begun(start: int, stop: int) -> int:
        return begin(link.transport, b"h", [Span(file, start, stop)])

    monkeypatch.setattr(the_module, "resident", resident)
    monkeypatch.setattr(the_module, "monotonic", lambda: now)
    assert [begun(0, 100), begun(0, 100)] == [100, 100]
    assert looks == [(0, 100)]
    assert [begun(0, 99), begun(0, 100), begun(1, 101)] == [99, 100, 100]
    assert looks == [(0, 100), (0, 99), (0, 100), (1, 100)]
    looks.clear()
    now += 0.99
    assert begun(1, 101) == 100
    assert looks == []
    now += 0.01
    is_there = False
    assert [begun(1, 101), begun(1, 101)] == [0, 0]
    assert looks == [(1, 100)] * 2
    is_there = True
    assert begun(1, 101) == 100
    assert LOOK == 1.0


def test_a_span_of_nothing_begins_with_its_head(link: Link, file: SharedFile) -> None:
    begun, received = sent_whole(link, [Span(file, 5, 5)])
    assert (begun, received) == (0, HEAD)


@pytest.mark.parametrize("small", [False, True])
def test_parts_begin_with_their_head(file: SharedFile, small: bool) -> None:
    """As their first piece are octets; a span in front of others goes with it."""
    with linked(small=small) as link:
        assert sent_whole(link, pieces_of(file)) == (0, HEAD + EXPECTED)
    with linked(small=small) as link:
        begun, received = sent_whole(link, pieces_of(file)[1:])
        assert begun > 0
        assert received == HEAD + EXPECTED[1:]


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_file_that_has_shrunk_begins_with_what_there_is(
    link: Link, path: Path, file: SharedFile, size: int
) -> None:
    os.truncate(path, size)
    pieces = [Span(file, 0, 10_000)]
    begun = begin(link.transport, HEAD, pieces)
    assert begun == size
    transfer = FileTransfer(rest(pieces, begun), link.transport, inline())
    assert finish(link, transfer.start()) is Shrunk
    assert link.received(len(HEAD) + size) == HEAD + CONTENT[:size]


def test_a_file_that_can_not_be_looked_at(link: Link, tmp_path: Path) -> None:
    """The error is for the transfer."""
    file = SharedFile(os.open(tmp_path / "write-only", os.O_WRONLY | os.O_CREAT))
    pieces = [Span(file, 0, 5)]
    assert begin(link.transport, HEAD, pieces) == 0
    assert link.received(len(HEAD)) == HEAD
    transfer = FileTransfer(rest(pieces, 0), link.transport, inline())
    assert outcome(transfer.start()) is OSError
    file.let_go()


def test_it_begins_although_the_client_is_gone(link: Link, path: Path) -> None:
    file = held_alone(path)
    link.transport.abortConnection()
    link.reactor.advance(0)
    assert begin(link.transport, HEAD, [Span(file, 0, 1000)]) == 0
    assert link.transport.octets_sent == 0
    file.let_go()
    assert not is_open(file)


# Warm and cold.


def test_what_is_in_memory_waits_for_nobody(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, disk)
    result = transfer.start()
    assert disk.waiting == 0
    assert outcome(result) is None, "one system call, at once"


def test_a_cold_slice_is_fetched_first(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    memory.cold.add(0)
    transfer = FileTransfer([b"<", Span(file, 0, 1000)], link.transport, disk)
    result = transfer.start()
    assert disk.waiting == 1
    assert link.received(1) == b"<"
    for _ in range(3):
        link.room.turn()
    assert disk.waiting == 1, "once"
    assert link.wanted == "r"
    assert not transfer.waits_for_client
    disk.work()
    link.room.turn()
    assert transfer.sent == 1
    disk.deliver()
    assert transfer.waits_for_client
    assert finish(link, result) is None
    assert link.received(1001) == b"<" + CONTENT[:1000]


def test_a_cold_beginning_is_fetched_first(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    """Before it can be known whether this file system tells what is in memory."""
    memory.first_is_cold = True
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, disk)
    result = transfer.start()
    assert disk.waiting == 1
    assert not transfer.waits_for_client
    disk.complete()
    assert finish(link, result) is None
    assert link.received(1000) == CONTENT[:1000]


@pytest.mark.parametrize("cold", [1, 1_048_576, 2_000_000])
def test_a_later_slice_is_cold(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory, cold: int
) -> None:
    """What comes before it is sent meanwhile."""
    sent = Sliced(cold)
    the_module.resident = sent.resident  # type: ignore[attr-defined]
    transfer = FileTransfer([Span(file, 0, 4_000_000)], link.transport, disk)
    result = transfer.start()
    link.until(lambda: disk.waiting)
    before = sent.at
    assert before >= cold
    link.until(lambda: len(link.peer.received) == before)
    assert not transfer.waits_for_client
    assert finish(link, result, disk) is None
    assert link.received(4_000_000) == CONTENT


class Sliced:
    """The first slice that begins at ``cold`` or behind it is cold."""

    def __init__(self, cold: int):
        self.cold = cold
        self.at = -1

    def resident(self, descriptor: int, offset: int, count: int) -> int:
        if self.at < 0 and offset >= self.cold:
            self.at = offset
            return 0
        return count


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test puts in place of these is gone after it; and slices are of a mebibyte."""
    monkeypatch.setattr(transport, "SLICE", 1_048_576)
    monkeypatch.setattr(the_module, "resident", the_module.resident)  # type: ignore[attr-defined]
    monkeypatch.setattr(the_module, "read_at_once", the_module.read_at_once)  # type: ignore[attr-defined]


def test_every_slice_is_cold(narrow: Link, file: SharedFile, disk: HeldDisk) -> None:
    """And stays so, as far as is told: it is fetched again behind whatever was sent of it."""
    the_module.resident = lambda *_: 0  # type: ignore[attr-defined]
    fetched = 0
    transfer = FileTransfer([Span(file, 0, 4_000_000)], narrow.transport, disk)
    result = transfer.start()

    def work() -> bool:
        nonlocal fetched
        if disk.waiting:
            fetched += 1
            disk.complete()
            return True
        return False

    until(lambda: result.called, narrow.room.turn, narrow.peer.read, work)
    assert outcome(result) is None
    assert narrow.received(4_000_000) == CONTENT
    assert 4 <= fetched < 2000


def test_where_nothing_can_be_known_it_is_read_in_threads(
    link: Link, file: SharedFile, disk: HeldDisk, memory: Memory
) -> None:
    memory.can_tell = False
    transfer = FileTransfer([b"<", Span(file, 0, 300_000)], link.transport, disk)
    link.transport.registerProducer(Passing(transfer), True)
    result = transfer.start()
    steps = 0
    while not result.called:
        assert disk.waiting <= 1
        if disk.waiting:
            steps += 1
            disk.complete()
        link.room.turn()
        link.peer.read()
    assert outcome(result) is None
    assert steps == 4, "a try, and three blocks"
    assert link.received(300_001) == b"<" + CONTENT[:300_000]
    assert transfer.sent == 300_001


def test_with_threads(link: Link, file: SharedFile, memory: Memory) -> None:
    reactor = SocketReactor()
    disk = make_disk(reactor, 1)
    memory.cold.add(0)
    memory.first_is_cold = True
    transfer = FileTransfer([Span(file, 0, 4_000_000)], link.transport, disk)
    result = transfer.start()
    until(lambda: result.called, reactor.poll, link.room.turn, link.peer.read)
    assert outcome(result) is None
    assert link.received(4_000_000) == CONTENT
    disk.rest()


def test_without_threads(link: Link, file: SharedFile, memory: Memory) -> None:
    """The slice is fetched while the transport asks."""
    memory.cold.add(0)
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, inline())
    result = transfer.start()
    for _ in range(5):
        link.room.turn()
    assert outcome(result) is None
    assert link.received(1000) == CONTENT[:1000]


# Pausing and giving up.


def test_paused_before_it_starts(link: Link, file: SharedFile, memory: Memory) -> None:
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, inline())
    transfer.pause()
    result = transfer.start()
    assert transfer.waits_for_client
    assert transfer.sent == 0
    transfer.resume()
    assert finish(link, result) is None
    assert link.received(1000) == CONTENT[:1000]


def test_paused_between_pieces(link: Link, file: SharedFile, memory: Memory) -> None:
    transfer = FileTransfer([b"<", Span(file, 0, 1000), b">"], link.transport, inline())
    transfer.pause()
    result = transfer.start()
    transfer.resume()
    assert finish(link, result) is None
    assert link.received(1002) == b"<" + CONTENT[:1000] + b">"


def test_paused_while_a_file_is_sent(narrow: Link, file: SharedFile, memory: Memory) -> None:
    """The transport has room for a file when it has; what comes behind it waits."""
    transfer = FileTransfer([Span(file, 0, 1_000_000), b">"], narrow.transport, inline())
    result = transfer.start()
    transfer.pause()
    narrow.until(lambda: len(narrow.peer.received) == 1_000_000)
    narrow.room.turn()
    assert not result.called
    assert transfer.waits_for_client
    transfer.resume()
    assert finish(narrow, result) is None
    assert narrow.received(1_000_001) == CONTENT[:1_000_000] + b">"


def vanish(link: Link, transfer: Transfer) -> None:
    """Lose the connection, as its owner then tells the transfer."""
    link.transport.abortConnection()
    link.reactor.advance(0)
    transfer.stop()


def held_alone(path: Path) -> SharedFile:
    return SharedFile(os.open(path, os.O_RDONLY))


def test_the_client_vanishes_while_paused(link: Link, path: Path, memory: Memory) -> None:
    file = held_alone(path)
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, inline())
    transfer.pause()
    result = transfer.start()
    file.let_go()
    assert is_open(file)
    vanish(link, transfer)
    assert outcome(result) is Gone
    assert not is_open(file)


def test_the_client_vanishes_while_a_file_is_sent(narrow: Link, path: Path, memory: Memory) -> None:
    file = held_alone(path)
    transfer = FileTransfer([b"<", Span(file, 0, 4_000_000), b">"], narrow.transport, inline())
    result = transfer.start()
    file.let_go()
    assert is_open(file)
    vanish(narrow, transfer)
    assert outcome(result) is Gone
    assert 1 <= transfer.sent < 4_000_001
    assert not is_open(file)
    transfer.stop()


def test_the_client_vanishes_behind_the_last_octet(link: Link, path: Path, memory: Memory) -> None:
    file = held_alone(path)
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, inline())
    result = transfer.start()
    file.let_go()
    vanish(link, transfer)
    assert outcome(result) is None
    assert not is_open(file)


@pytest.mark.parametrize("what", ["a try", "a slice", "a block"])
def test_the_client_vanishes_while_the_disk_is_at_work(
    link: Link, path: Path, disk: HeldDisk, memory: Memory, what: str
) -> None:
    """The descriptor is the thread's until it is done with it."""
    memory.first_is_cold = what == "a try"
    memory.can_tell = what != "a block"
    if what == "a slice":
        memory.cold.add(0)
    file = held_alone(path)
    transfer = FileTransfer([Span(file, 0, 4_000_000)], link.transport, disk)
    result = transfer.start()
    file.let_go()
    if what == "a block":
        disk.complete()
    assert disk.waiting == 1
    vanish(link, transfer)
    assert is_open(file)
    disk.work()
    assert is_open(file)
    disk.deliver()
    assert disk.waiting == 0
    assert outcome(result) is Gone
    assert not is_open(file)
    assert transfer.sent == 0


def test_a_thread_keeps_its_descriptor(
    link: Link, path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real one, which is in the middle of reading."""
    at_work, may_go_on = Event(), Event()
    seen: list[bytes] = []

    def warm(descriptor: int, offset: int, count: int) -> None:
        at_work.set()
        assert may_go_on.wait(10)
        seen.append(os.pread(descriptor, 4, offset))

    monkeypatch.setattr(the_module, "warm", warm)
    memory.cold.add(0)
    reactor = SocketReactor()
    disk = make_disk(reactor, 1)
    file = held_alone(path)
    transfer = FileTransfer([Span(file, 0, 1000)], link.transport, disk)
    result = transfer.start()
    file.let_go()
    assert at_work.wait(10)
    vanish(link, transfer)
    assert outcome(result) is Gone
    assert is_open(file)
    may_go_on.set()
    until(lambda: not is_open(file), reactor.poll)
    assert seen == [CONTENT[:4]]
    disk.rest()


def test_given_up_with_the_connection_still_there(narrow: Link, path: Path, memory: Memory) -> None:
    """What was begun can't be finished; nothing is read from a descriptor that was let go of."""
    file = held_alone(path)
    transfer = FileTransfer([Span(file, 0, 1_000_000)], narrow.transport, inline())
    result = transfer.start()
    file.let_go()
    transfer.stop()
    narrow.transport.loseConnection()
    assert outcome(result) is Gone
    narrow.until(lambda: narrow.peer.end)


# Through a connection.


class Stage:
    """A server whose clients come through our own transport, with time and threads of a test."""

    def __init__(self, root: Path, stack: ExitStack, threads: int = 0, **options: Any):
        self.reactor = SocketReactor()
        self.sockets = ExitStack()
        self.server: Server = make_server(root, self.reactor, threads=threads, **options)
        stack.callback(self.close)

    def close(self) -> None:
        for client in list(self.server.connections):
            client.transport.abortConnection()
        _ = self.server.stop()
        self.reactor.advance(0)
        self.sockets.close()

    def connect(self, kind: str = "IPv4", *, small: bool = False) -> Peer:
        near, address, far = self.sockets.enter_context(connection(kind, small=small))
        protocol = self.server.buildProtocol(None)
        transport = SocketTransport(near, protocol, address, self.reactor, self.server.room)
        protocol.makeConnection(transport)
        return Peer(far)

    def answer(self, peer: Peer) -> Any:
        """Read until a whole answer is there."""
        until(lambda: complete(peer.received), self.reactor.poll, peer.read)
        (answer,) = read_answers(bytes(peer.received))
        peer.received.clear()
        return answer

    def pass_time(self, seconds: float) -> None:
        """In quarters of a second, with all that the kernel has to say in between."""
        for _ in range(round(seconds * 4)):
            self.reactor.advance(0.25)
            while self.reactor.poll():
                pass


def complete(data: bytearray) -> bool:
    head, end, _ = bytes(data[:2000]).partition(b"\r\n\r\n")
    if not end:
        return False
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return len(data) >= len(head) + 4 + length


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"file.bin": CONTENT, "a.txt": b"a"})


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
@pytest.mark.parametrize("small", [False, True])
def test_a_big_file_between_small_ones(
    root: Path, stack: ExitStack, kind: str, small: bool
) -> None:
    stage = Stage(root, stack)
    peer = stage.connect(kind, small=small)
    peer.send(get("/a.txt") + get("/file.bin") + get("/none") + get("/file.bin") + get("/a.txt"))
    until(
        lambda: len(peer.received) > 8_000_000 and peer.received.endswith(b"\r\n\r\na"),
        stage.reactor.poll,
        peer.read,
    )
    answers = read_answers(bytes(peer.received))
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert answers[1].body == answers[3].body == CONTENT
    assert peer.end == ""


def test_parts_of_a_big_file(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack)
    peer = stage.connect(small=True)
    peer.send(get("/file.bin", "Range: bytes=0-9,1500000-2900000,-5"))
    answer = stage.answer(peer)
    assert answer.status == 206
    boundary = answer["Content-Type"].removeprefix("multipart/byteranges; boundary=")
    parts = answer.body.split(b"\r\n--" + boundary.encode())
    head = b"\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes "
    assert parts == [
        b"",
        head + b"0-9/4000000\r\n\r\n" + CONTENT[:10],
        head + b"1500000-2900000/4000000\r\n\r\n" + CONTENT[1_500_000:2_900_001],
        head + b"3999995-3999999/4000000\r\n\r\n" + CONTENT[-5:],
        b"--\r\n",
    ]


def test_head_of_a_big_file(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack)
    peer = stage.connect()
    peer.send(get("/file.bin", method="HEAD") + get("/a.txt"))
    until(lambda: peer.received.endswith(b"\r\n\r\na"), stage.reactor.poll, peer.read)
    head, small = read_answers(bytes(peer.received), [0])
    assert head["Content-Length"] == "4000000"
    assert small.body == b"a"


def test_the_last_octets_of_20_gib(tmp_path: Path, stack: ExitStack) -> None:
    root = tmp_path / "huge"
    root.mkdir()
    with (root / "huge.bin").open("wb") as file:
        file.truncate(20 * GIB)
        file.seek(20 * GIB - 10)
        file.write(b"0123456789")
    os.utime(root / "huge.bin", (1_700_000_000, 1_700_000_000))
    stage = Stage(root, stack)
    peer = stage.connect()
    peer.send(get("/huge.bin", "Range: bytes=-10"))
    assert stage.answer(peer).body == b"0123456789"
    peer.send(get("/huge.bin", "Range: bytes=21474836475-"))
    assert stage.answer(peer).body == b"56789"
    peer.send(get("/huge.bin", "Range: bytes=21472738304-"))
    assert stage.answer(peer).body == bytes(2_098_166) + b"0123456789"


def test_a_shrunken_file_ends_the_connection(root: Path, stack: ExitStack) -> None:
    stage = Stage(root, stack)
    peer = stage.connect(small=True)
    peer.send(get("/file.bin") + get("/none"))
    until(lambda: len(peer.received) > 0, stage.reactor.poll, lambda: peer.read(1000))
    os.truncate(root / "file.bin", 3_000_000)
    with capturedLogs() as log:
        until(lambda: peer.end, stage.reactor.poll, peer.read)
    head, _, body = bytes(peer.received).partition(b"\r\n\r\n")
    assert b"Content-Length: 4000000\r\n" in head + b"\r\n"
    assert body == CONTENT[:3_000_000], "neither padded nor followed by another response"
    assert [event["log_level"].name for event in log] == ["error"]
    assert isinstance(log[0]["error"], Shrunk)


@pytest.mark.parametrize("threads", [1, 0])
def test_a_file_that_is_really_cold(root: Path, stack: ExitStack, threads: int) -> None:
    """The kernel is asked to forget it, which it does once it is on the disk."""
    descriptor = os.open(root / "file.bin", os.O_RDONLY)
    stack.callback(os.close, descriptor)
    stage = Stage(root, stack, threads)
    peer = stage.connect()
    peer.send(get("/a.txt"))
    stage.answer(peer)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    if read_at_once(descriptor, 1, 2_000_000) is not None:
        pytest.skip("this file system forgets nothing")
    peer.send(get("/file.bin"))
    for _ in range(200):
        if complete(peer.received):
            break
        stage.reactor.poll(0.005)
        peer.read()
    assert complete(peer.received)
    assert stage.answer(peer).body == CONTENT


# Clients that do not read.


def test_a_client_that_reads_nothing(root: Path, stack: ExitStack) -> None:
    """It is given up after the time for that; a second one, if the kernel took something at first.

    Its octets are confirmed after the connection has looked.
    """
    stage = Stage(root, stack)
    peer = stage.connect(small=True)
    peer.send(get("/file.bin"))
    until(lambda: stage.server.connections and not stage.reactor.poll(0.01))
    (served,) = stage.server.connections
    assert served.transport.connected
    stage.pass_time(59)
    assert served.transport.connected
    stage.pass_time(63)
    assert not served.transport.connected
    assert stage.server.connections == set()
    until(lambda: peer.end, peer.read)
    assert peer.end == "reset"


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
def test_a_client_that_reads_slowly(root: Path, stack: ExitStack, kind: str) -> None:
    """Some kilobytes every half a minute; what it has taken is filled up again at once."""
    stage = Stage(root, stack)
    peer = stage.connect(kind, small=True)
    peer.send(get("/file.bin"))
    until(lambda: stage.server.connections and not stage.reactor.poll(0.01))
    (served,) = stage.server.connections
    for taken in range(100_000, 2_000_000, 100_000):
        until(lambda n=taken: len(peer.received) >= n, stage.reactor.poll, peer.read_some)  # type: ignore[misc]
        until(lambda: not stage.reactor.poll(0.001))
        stage.pass_time(30)
        assert served.transport.connected, taken
    assert stage.answer(peer).body == CONTENT


def test_a_slow_disk_is_not_the_fault_of_the_client(
    root: Path, stack: ExitStack, memory: Memory
) -> None:
    """However long it takes, for the first octet or between two slices."""
    stage = Stage(root, stack)
    stage.server.disk = disk = HeldDisk()
    memory.first_is_cold = True
    memory.cold.add(0)
    memory.looks = 2  # one at the head's turn, one at the file's
    peer = stage.connect()
    peer.send(get("/file.bin"))
    until(lambda: disk.waiting, stage.reactor.poll)
    (served,) = stage.server.connections
    for step in range(3):  # the look-up, the first octet, the first slice
        assert disk.waiting == 1, step
        stage.pass_time(200)
        assert served.transport.connected, step
        disk.complete()
        until(lambda: not stage.reactor.poll(0.01))
    assert stage.answer(peer).body == CONTENT
    stage.pass_time(1)


def test_after_a_slow_disk_the_client_has_its_time(
    root: Path, stack: ExitStack, memory: Memory
) -> None:
    stage = Stage(root, stack)
    stage.server.disk = disk = HeldDisk()
    memory.cold.add(0)
    memory.looks = 2  # one at the head's turn, one at the file's
    peer = stage.connect(small=True)
    peer.send(get("/file.bin"))
    until(lambda: disk.waiting, stage.reactor.poll)
    disk.complete()
    (served,) = stage.server.connections
    until(lambda: disk.waiting, stage.reactor.poll)
    stage.pass_time(119)
    disk.complete()
    stage.pass_time(58)
    assert served.transport.connected
    stage.pass_time(65)
    assert not served.transport.connected


def test_many_slow_clients_of_one_file(root: Path, stack: ExitStack) -> None:
    """They share a descriptor, and nothing of the file passes through memory of ours."""
    stage = Stage(root, stack)
    peers = [stage.connect(small=True) for _ in range(20)]
    for peer in peers:
        peer.send(get("/file.bin"))
    reads: list[Callable[[], bool]] = [peer.read for peer in peers]
    until(lambda: all(complete(p.received) for p in peers), stage.reactor.poll, *reads)
    for peer in peers:
        (answer,) = read_answers(bytes(peer.received))
        assert answer.body == CONTENT
