"""The access log: what a line looks like, and that trouble with it costs lines alone."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from tests.support import (
    Client,
    FakeReactor,
    HeldDisk,
    TurningReactor,
    get,
    incoming,
    make_disk,
    make_server,
    open_descriptors,
    write_tree,
)
from tinyhttp.server.access_log import AccessLog, open_log
from tinyhttp.server.log_fields import format_timestamp

# What is logged of a connection.


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def new_log(reactor: FakeReactor, path: Path, disk: Any = None) -> AccessLog:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return AccessLog(reactor, disk or make_disk(reactor, 0), descriptor, reactor.seconds)


@pytest.fixture
def log(reactor: FakeReactor, path: Path) -> AccessLog:
    return new_log(reactor, path)


def logged(path: Path) -> list[bytes]:
    """Return the lines, without what is equal in all of them."""
    lines = path.read_bytes().splitlines(keepends=True)
    prefix = b"192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "
    assert all(line.startswith(prefix) and line.endswith(b"\n") for line in lines)
    return [line[len(prefix) : -1] for line in lines]


def test_each_answer_is_a_line(
    reactor: FakeReactor, log: AccessLog, path: Path, tmp_path: Path
) -> None:
    root = write_tree(tmp_path / "root", {"a.txt": b"hello", "big.bin": bytes(200_000)})
    server = make_server(root, reactor, access_log=log)
    client = Client(server).send(
        get("/a.txt?q", "User-Agent: curl/8.0", "Referer: http://x/")
        + get("/a.txt", method="HEAD")
        + get("/none", 'User-Agent: "quoted"')
        + get("/big.bin", "Range: bytes=0-199998")
        + get("/a.txt", "If-None-Match: *")
        + b"nonsense\x1b \r\nHost: x\r\n\r\n"
    )
    client.vanish()
    vanishing = Client(server, room=1000).send(get("/big.bin"))
    vanishing.vanish()
    Client(server).vanish()
    assert server.stop().called
    assert logged(path) == [
        b'"GET /a.txt?q HTTP/1.1" 200 5 "http://x/" "curl/8.0"',
        b'"HEAD /a.txt HTTP/1.1" 200 0 "-" "-"',
        b'"GET /none HTTP/1.1" 404 14 "-" "\\x22quoted\\x22"',
        b'"GET /big.bin HTTP/1.1" 206 199999 "-" "-"',
        b'"GET /a.txt HTTP/1.1" 304 0 "-" "-"',
        b'"nonsense\\x1b " 400 47 "-" "-"',
        b'"GET /big.bin HTTP/1.1" 200 131072 "-" "-"',
    ]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (IPv6Address("TCP", "2001:db8::1", 1), b"2001:db8::1"),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 1), b"192.0.2.7"),
        (UNIXAddress("/run/x"), b"unix:"),
    ],
    ids=["IPv6", "IPv4 over IPv6", "unix"],
)
def test_clients(
    reactor: FakeReactor, log: AccessLog, path: Path, tmp_path: Path, address: Any, client: bytes
) -> None:
    server = make_server(tmp_path, reactor, access_log=log)
    c = Client(server)
    c.transport.peerAddr = address
    c.send(get("/none"))
    _ = server.stop()
    assert path.read_bytes().startswith(client + b" - - [")


def test_the_time_in_brackets_is_that_of_the_clock(
    reactor: FakeReactor, log: AccessLog, path: Path
) -> None:
    """Made once a second."""
    for _ in range(3):
        log.add(log.line(incoming(), None, b"b", 200, 1, b""))
        reactor.advance(0.75)
    assert log.close().called
    assert path.read_bytes().splitlines() == [
        b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "b" 200 1 "-" "-"',
        b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "b" 200 1 "-" "-"',
        b'192.0.2.1 - - [21/Sep/2026:14:13:21 +0000] "b" 200 1 "-" "-"',
    ]


def test_the_clock_is_the_systems_unless_told_otherwise(reactor: FakeReactor, path: Path) -> None:
    log = AccessLog(reactor, make_disk(reactor, 0), os.open(path, os.O_WRONLY | os.O_CREAT))
    before = format_timestamp(int(time.time()))
    log.add(log.line(incoming(), None, b"b", 200, 1, b""))
    after = format_timestamp(int(time.time()))
    assert log.close().called
    stamp = path.read_bytes().partition(b"[")[2].partition(b"]")[0]
    assert stamp in (before, after), "one second may end in between, but not two"


# Batches.


def test_lines_are_gathered_for_a_second(reactor: FakeReactor, log: AccessLog, path: Path) -> None:
    log.add(b"1\n")
    reactor.advance(0.5)
    log.add(b"2\n")
    assert path.read_bytes() == b""
    reactor.advance(0.5)
    assert path.read_bytes() == b"1\n2\n"
    assert reactor.getDelayedCalls() == []
    log.add(b"3\n")
    reactor.advance(1)
    assert path.read_bytes() == b"1\n2\n3\n"


def test_nothing_is_scheduled_while_there_is_nothing_to_write(
    reactor: FakeReactor, log: AccessLog
) -> None:
    assert reactor.getDelayedCalls() == []
    assert log.close().called
    assert reactor.getDelayedCalls() == []


def test_close_writes_everything(reactor: FakeReactor, log: AccessLog, path: Path) -> None:
    log.add(b"1\n")
    log.add(b"2\n")
    assert log.close().called
    assert path.read_bytes() == b"1\n2\n"
    assert reactor.getDelayedCalls() == []


def test_close_closes_the_file(reactor: FakeReactor, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    assert AccessLog(reactor, make_disk(reactor, 0), descriptor).close().called
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_close_leaves_standard_output_open(reactor: FakeReactor) -> None:
    assert AccessLog(reactor, make_disk(reactor, 0), 1).close().called
    os.fstat(1)


def test_one_write_at_a_time(reactor: FakeReactor, path: Path) -> None:
    """Two could overtake each other."""
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    reactor.advance(1)
    log.add(b"2\n")
    reactor.advance(5)
    assert disk.waiting == 1
    disk.complete()
    reactor.advance(1)
    assert disk.waiting == 1
    disk.complete()
    assert path.read_bytes() == b"1\n2\n"


def test_close_while_a_write_is_under_way(reactor: FakeReactor, path: Path) -> None:
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    reactor.advance(1)
    log.add(b"2\n")
    closed = log.close()
    assert not closed.called
    disk.complete()
    assert not closed.called
    disk.complete()
    assert closed.called
    assert path.read_bytes() == b"1\n2\n"


def test_close_while_a_write_is_under_way_leaves_no_timer(
    reactor: FakeReactor, path: Path, events: list[LogEvent]
) -> None:
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    reactor.advance(1)
    log.add(b"2\n")
    closed = log.close()
    disk.complete()
    disk.complete()
    assert closed.called
    left = reactor.getDelayedCalls()
    reactor.advance(5)
    assert left == []
    assert events == [], "everything was written"


# A write that does not end.


def test_close_gives_up_a_write_that_does_not_end(
    reactor: FakeReactor, path: Path, events: list[LogEvent]
) -> None:
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    reactor.advance(1)
    closed = log.close()
    reactor.advance(4.9)
    assert not closed.called
    assert messages(events) == []
    reactor.advance(0.1)
    assert closed.called
    assert messages(events) == ["the last lines of the access log could not be written in time"]
    assert reactor.getDelayedCalls() == []
    disk.complete()  # it ends after all, into a descriptor that is still its own
    assert path.read_bytes() == b"1\n"
    assert len(events) == 1
    assert reactor.getDelayedCalls() == []


def test_the_patience_begins_with_the_end(reactor: FakeReactor, path: Path) -> None:
    """However long the write has been under way."""
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    reactor.advance(1)
    reactor.advance(100)
    closed = log.close()
    reactor.advance(4.9)
    assert not closed.called
    reactor.advance(0.1)
    assert closed.called
    disk.complete()


def test_a_last_write_that_ends_in_time(
    reactor: FakeReactor, path: Path, events: list[LogEvent]
) -> None:
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"1\n")
    closed = log.close()
    reactor.advance(4.9)
    disk.complete()
    assert closed.called
    assert path.read_bytes() == b"1\n"
    assert reactor.getDelayedCalls() == []
    assert events == []


def test_a_pipe_that_nobody_reads(pipe: tuple[int, int], events: list[LogEvent]) -> None:
    """The thread stays behind in its write; it is one that does not keep the process alive."""
    reading, writing = pipe
    os.set_blocking(writing, True)
    reactor = TurningReactor()
    log = AccessLog(reactor, make_disk(reactor, 1), writing, reactor.seconds)
    log.add(b"x" * 9_999 + b"\n")
    closed = log.close()
    reactor.advance(5)
    assert closed.called
    assert messages(events) == ["the last lines of the access log could not be written in time"]
    assert [t.daemon for t in threading.enumerate() if "tinyhttp" in t.name] == [True]
    received = b""
    while len(received) < 10_000:  # now somebody does
        received += os.read(reading, 65_536)
    assert received == b"x" * 9_999 + b"\n"
    reactor.turn()
    assert [t for t in threading.enumerate() if "tinyhttp" in t.name] == []
    with suppress(OSError):
        os.close(writing)


def test_the_server_stops_although_nobody_reads_its_log(
    reactor: FakeReactor, path: Path, tmp_path: Path
) -> None:
    log = new_log(reactor, path, HeldDisk())
    server = make_server(tmp_path, reactor, access_log=log)
    Client(server).send(get("/none")).vanish()
    stopped = server.stop()
    reactor.advance(4.9)
    assert not stopped.called
    reactor.advance(0.1)
    assert stopped.called


def test_in_a_thread(path: Path) -> None:
    reactor = TurningReactor()
    log = new_log(reactor, path, make_disk(reactor, 1))
    for number in range(1000):
        log.add(b"%d\n" % number)
        if number % 100 == 0:
            reactor.advance(1)
    reactor.turn_until(log.close())
    assert path.read_bytes() == b"".join(b"%d\n" % number for number in range(1000))


# Trouble.


def messages(events: list[LogEvent]) -> list[str]:
    return [str(formatEvent(event)) for event in events]


def test_a_full_disk(reactor: FakeReactor, events: list[LogEvent]) -> None:
    log = AccessLog(reactor, make_disk(reactor, 0), os.open("/dev/full", os.O_WRONLY))
    for _ in range(5):
        log.add(b"1\n")
        log.add(b"2\n")
        reactor.advance(1)
    assert log.lost == 10
    assert messages(events) == [
        "the access log can't be written, lines are lost: No space left on device"
    ], "told once, not once a second"
    assert log.close().called
    assert messages(events)[1:] == ["10 lines of the access log were lost"]


def test_a_closed_pipe(reactor: FakeReactor, events: list[LogEvent]) -> None:
    reading, writing = os.pipe()
    log = AccessLog(reactor, make_disk(reactor, 0), writing)
    log.add(b"1\n")
    reactor.advance(1)
    assert os.read(reading, 10) == b"1\n"
    os.close(reading)
    log.add(b"2\n")
    log.add(b"3\n")
    reactor.advance(1)
    assert log.lost == 2
    assert messages(events) == ["the access log can't be written, lines are lost: Broken pipe"]
    assert log.close().called


def test_trouble_costs_no_response(
    reactor: FakeReactor, tmp_path: Path, events: list[LogEvent]
) -> None:
    log = AccessLog(reactor, make_disk(reactor, 0), os.open("/dev/full", os.O_WRONLY))
    server = make_server(tmp_path, reactor, access_log=log)
    client = Client(server).send(get("/none"))
    reactor.advance(1)
    client.send(get("/none"))
    assert [answer.status for answer in client.answers()] == [404, 404]
    _ = server.stop()
    assert log.lost == 2


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that takes 4096 octets and then no more, without blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl(writing, F_SETPIPE_SZ, 4096)
    yield reading, writing
    os.close(reading)


def test_a_torn_line_and_recovery(
    reactor: FakeReactor, events: list[LogEvent], pipe: tuple[int, int]
) -> None:
    reading, writing = pipe
    log = AccessLog(reactor, make_disk(reactor, 0), writing)
    lines = [b"%d" % n * 4999 + b"\n" for n in range(2)]  # longer than a pipe takes in one piece
    for line in lines:
        log.add(line)
    reactor.advance(1)
    assert log.lost == 2, "of the first line a part was written, of the second nothing"
    assert len(events) == 1
    torn = os.read(reading, 10_000)
    assert torn == b"".join(lines)[:4096]
    log.add(b"again\n")
    reactor.advance(1)
    assert os.read(reading, 10_000) == b"\nagain\n", "the torn line is ended first"
    assert messages(events)[1:] == ["the access log works again; 2 lines are lost so far"]
    log.add(b"on\n")
    reactor.advance(1)
    assert os.read(reading, 10_000) == b"on\n"
    assert log.close().called
    assert log.lost == 2


def test_a_pipe_gets_whole_lines(
    reactor: FakeReactor, events: list[LogEvent], pipe: tuple[int, int]
) -> None:
    """As others may write to it too, between what is written in two pieces."""
    reading, writing = pipe
    log = AccessLog(reactor, make_disk(reactor, 0), writing)
    lines = [b"%d" % n * 999 + b"\n" for n in range(6)]
    for line in lines:
        log.add(line)
    reactor.advance(1)
    assert os.read(reading, 10_000) == b"".join(lines[:4])
    assert log.lost == 2
    assert log.close().called


def test_trouble_that_comes_back_is_told_again(
    reactor: FakeReactor, events: list[LogEvent], pipe: tuple[int, int]
) -> None:
    reading, writing = pipe
    log = AccessLog(reactor, make_disk(reactor, 0), writing)
    for _ in range(2):
        log.add(b"x" * 4095 + b"\n")
        log.add(b"lost\n")
        reactor.advance(1)
        os.read(reading, 10_000)
        log.add(b"fine\n")
        reactor.advance(1)
        os.read(reading, 10_000)
    assert [text[:22] for text in messages(events)] == [
        "the access log can't b",
        "the access log works a",
        "the access log can't b",
        "the access log works a",
    ]
    assert log.lost == 2
    assert log.close().called


def test_memory_is_bounded(reactor: FakeReactor, path: Path) -> None:
    """While a write takes as long as it likes."""
    disk = HeldDisk()
    log = new_log(reactor, path, disk)
    log.add(b"first\n")
    reactor.advance(1)
    for _ in range(20_000):
        log.add(b"x" * 99 + b"\n")
    reactor.advance(1)
    assert log.lost == 20_000 - 10_486, "a mebibyte waits, and the line that fills it"
    disk.complete()
    reactor.advance(1)
    disk.complete()
    assert path.stat().st_size == 6 + 10_486 * 100
    log.add(b"again\n")
    assert log.lost == 9_514


def test_lines_behind_the_end_are_counted(reactor: FakeReactor, log: AccessLog) -> None:
    closed: Deferred[None] = log.close()
    assert closed.called
    log.add(b"late\n")
    assert log.lost == 1
    assert reactor.getDelayedCalls() == []


# Rotation.


def rotating_log(reactor: FakeReactor, path: Path, disk: Any = None) -> AccessLog:
    return AccessLog(
        reactor, disk or make_disk(reactor, 0), open_log(path), reactor.seconds, path=path
    )


def test_a_log_that_is_renamed(reactor: FakeReactor, path: Path) -> None:
    """As logrotate does it, with ``create`` or without."""
    log = rotating_log(reactor, path)
    before = open_descriptors()
    for number in range(3):
        log.add(b"line %d\n" % number)
        reactor.advance(1)
        path.rename(path.with_suffix(f".{number}"))
        if number == 1:
            path.touch()
    log.add(b"last\n")
    assert log.close().called
    assert path.read_bytes() == b"last\n"
    old = [path.with_suffix(f".{number}").read_bytes() for number in range(3)]
    assert old == [b"line 0\n", b"line 1\n", b"line 2\n"]
    assert len(open_descriptors()) == len(before) - 1


def test_a_log_that_is_truncated(reactor: FakeReactor, path: Path) -> None:
    log = rotating_log(reactor, path)
    log.add(b"old\n")
    reactor.advance(1)
    os.truncate(path, 0)
    log.add(b"new\n")
    assert log.close().called
    assert path.read_bytes() == b"new\n"


def test_another_file_takes_the_name(reactor: FakeReactor, path: Path) -> None:
    log = rotating_log(reactor, path)
    other = path.with_name("other")
    other.write_bytes(b"of another\n")
    other.rename(path)
    log.add(b"line\n")
    assert log.close().called
    assert path.read_bytes() == b"of another\nline\n"


def test_a_log_whose_directory_is_gone(
    reactor: FakeReactor, tmp_path: Path, events: list[LogEvent]
) -> None:
    """It goes on in the file that it has, and says so once; until there is one of the name."""
    directory = tmp_path / "logs"
    directory.mkdir()
    log = rotating_log(reactor, directory / "access.log")
    moved = tmp_path / "moved"
    directory.rename(moved)
    for line in (b"1\n", b"2\n"):
        log.add(line)
        reactor.advance(1)
    assert (moved / "access.log").read_bytes() == b"1\n2\n"
    reason = "the access log can't be opened anew: No such file or directory"
    assert [formatEvent(event) for event in events].count(reason) == 1
    directory.mkdir()
    log.add(b"3\n")
    assert log.close().called
    assert (directory / "access.log").read_bytes() == b"3\n"
    assert log.lost == 0


def test_what_waits_can_be_written_now(reactor: FakeReactor, path: Path) -> None:
    log = rotating_log(reactor, path)
    log.write_now()
    log.add(b"line\n")
    assert path.read_bytes() == b""
    log.write_now()
    assert path.read_bytes() == b"line\n"
    assert reactor.getDelayedCalls() == []
    log.write_now()
    log.add(b"another\n")
    reactor.advance(1)
    assert path.read_bytes() == b"line\nanother\n"
    assert log.close().called


def test_what_waits_waits_for_the_write_under_way(reactor: FakeReactor, path: Path) -> None:
    disk = HeldDisk()
    log = rotating_log(reactor, path, disk)
    log.add(b"1\n")
    log.write_now()
    log.add(b"2\n")
    log.write_now()
    assert disk.waiting == 1
    disk.complete()
    disk.complete()
    assert path.read_bytes() == b"1\n2\n"
    assert reactor.getDelayedCalls() == []
    assert log.close().called


def test_nothing_to_write_is_no_sign_that_it_works_again(
    reactor: FakeReactor, events: list[LogEvent]
) -> None:
    path = Path("/dev/full")
    log = rotating_log(reactor, path)
    for _ in range(2):
        log.add(b"line\n")
        log.write_now()
        log.write_now()
    assert log.lost == 2
    assert ["works again" in formatEvent(event) for event in events] == [False]
    assert log.close().called


def test_a_pipe_that_nobody_reads_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads this pipe"):
        open_log(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    descriptor = open_log(path)
    assert os.get_blocking(descriptor)
    os.close(descriptor)
    os.close(reader)


@pytest.mark.parametrize("under_way", [False, True])
def test_a_file_that_was_moved_away_is_let_go_of(
    reactor: FakeReactor, path: Path, under_way: bool
) -> None:
    disk = HeldDisk()
    log = rotating_log(reactor, path, disk)
    moved = path.with_name("moved")
    if under_way:
        log.add(b"1\n")
        log.write_now()
    path.rename(moved)
    log.write_now()
    while disk.waiting:
        disk.complete()
    assert path.read_bytes() + moved.read_bytes() == b"1\n" * under_way
    assert not any(each.endswith(f" {moved}") for each in open_descriptors())
    assert reactor.getDelayedCalls() == []
    assert log.close().called
    log.write_now()
    assert not disk.waiting
