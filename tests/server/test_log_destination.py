"""Where lines go: syslog over real sockets, and which name leads where; files are rotated in
``test_access_log.py``."""

import errno
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from tests.support import (
    NOW,
    Client,
    FakeReactor,
    TurningReactor,
    get,
    make_disk,
    make_server,
    open_descriptors,
)
from tinyhttp.server.access_log import AccessLog
from tinyhttp.server.log_destination import (
    LinesLost,
    LogFile,
    Syslog,
    open_destination,
    syslog_address,
)


class Daemon:
    """A log daemon, or at least its socket."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def messages(self) -> list[bytes]:
        """Return what has come."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self.socket.recv(1_000_000))
            except BlockingIOError:
                return found

    def stop(self) -> None:
        self.socket.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"  # a short name: a socket's has 108 octets at most


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    daemon = Daemon(path)
    yield daemon
    daemon.stop()


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


HEADER = b"<190>tinyhttp[%d]: " % os.getpid()


def test_each_line_is_a_datagram(daemon: Daemon, path: Path) -> None:
    log = Syslog(str(path))
    log.write([b'192.0.2.1 "GET /"\n', b"2\n"])
    assert daemon.messages() == [HEADER + b'192.0.2.1 "GET /"', HEADER + b"2"]
    log.close()
    log.close()


def test_answers_reach_the_daemon(daemon: Daemon, path: Path, tmp_path: Path) -> None:
    reactor = FakeReactor()
    log = AccessLog(
        reactor, make_disk(reactor, 0), Syslog(str(path)), reactor.seconds, form="{status} {target}"
    )
    server = make_server(tmp_path, reactor, access_log=log)
    Client(server).send(get("/none") + get("/nor/this")).vanish()
    reactor.advance(1)
    assert daemon.messages() == [HEADER + b"404 /none", HEADER + b"404 /nor/this"]
    before = open_descriptors()
    assert server.stop().called
    assert len(open_descriptors()) < len(before)


def test_over_udp() -> None:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(10)
    log = Syslog(receiver.getsockname(), clock=lambda: NOW + 0.25)
    log.write([b"line\n", b"another\n"])
    messages = [receiver.recv(10_000) for _ in range(2)]
    log.close()
    receiver.close()
    # RFC 5424 section 6: version, time, host, application, process, kind, and no structured data.
    pattern = rb"<190>1 2026-09-21T14:13:20\.250Z ([!-~]+) tinyhttp ([0-9]+) access - (.*)"
    found = [re.fullmatch(pattern, message) for message in messages]
    assert [m and m[3] for m in found] == [b"line", b"another"]
    assert {m[2] for m in found if m} == {b"%d" % os.getpid()}


def test_a_daemon_that_is_not_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Syslog(str(path))
    path.touch()
    with pytest.raises(OSError, match="Connection refused"):
        Syslog(str(path))


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*about: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(OSError, match="Name or service not known"):
        Syslog(("logs.example", 514))


def test_a_daemon_that_is_started_anew(daemon: Daemon, path: Path) -> None:
    log = Syslog(str(path))
    log.write([b"1\n"])
    daemon.stop()
    path.unlink()
    with pytest.raises(LinesLost, match="No such file or directory") as caught:
        log.write([b"2\n", b"3\n"])
    assert caught.value.lines == 2
    with pytest.raises(LinesLost) as caught:
        log.write([b"4\n"])
    assert caught.value.lines == 1
    another = Daemon(path)
    log.write([b"5\n", b"6\n"])
    another.stop()
    path.unlink()
    third = Daemon(path)
    log.write([b"7\n"])
    assert third.messages() == [HEADER + b"7"], "between two lines nothing is lost"
    third.stop()
    log.close()


def test_a_daemon_that_does_not_read(daemon: Daemon, path: Path) -> None:
    """What it has no room for is lost, and waited for once."""
    log = Syslog(str(path), timeout=0.05)
    lines = [b"%d\n" % number for number in range(5000)]
    with pytest.raises(LinesLost, match="timed out") as caught:
        log.write(lines)
    taken = daemon.messages()
    assert taken == [HEADER + b"%d" % number for number in range(len(taken))]
    assert 0 < len(taken) == 5000 - caught.value.lines
    log.write([b"again\n"])
    assert daemon.messages() == [HEADER + b"again"]
    log.close()


def test_a_line_that_is_too_long_is_lost_alone(daemon: Daemon, path: Path) -> None:
    log = Syslog(str(path))
    with pytest.raises(LinesLost, match="Message too long") as caught:
        log.write([b"1\n", b"x" * 5_000_000 + b"\n", b"2\n"])
    assert caught.value.lines == 1
    assert daemon.messages() == [HEADER + b"1", HEADER + b"2"]
    daemon.stop()
    path.unlink()
    another = Daemon(path)
    with pytest.raises(LinesLost, match="Message too long"):
        log.write([b"x" * 5_000_000 + b"\n", b"3\n"])
    assert another.messages() == [HEADER + b"3"]
    another.stop()
    log.close()


def test_losses_are_counted_and_told_once(
    daemon: Daemon, path: Path, events: list[LogEvent]
) -> None:
    reactor = FakeReactor()
    log = AccessLog(reactor, make_disk(reactor, 0), Syslog(str(path)))
    daemon.stop()
    path.unlink()
    for _ in range(3):
        log.add(b"1\n")
        log.add(b"2\n")
        reactor.advance(1)
    assert log.lost == 6
    another = Daemon(path)
    log.add(b"3\n")
    assert log.close().called
    assert another.messages() == [HEADER + b"3"]
    another.stop()
    assert [formatEvent(event) for event in events] == [
        "the access log can't be written, lines are lost: No such file or directory",
        "the access log works again; 6 lines are lost so far",
        "6 lines of the access log were lost",
    ]


def test_the_reactor_does_not_wait_for_the_daemon(daemon: Daemon, path: Path) -> None:
    reactor = TurningReactor()
    log = AccessLog(reactor, make_disk(reactor, 1), Syslog(str(path), timeout=30))
    reading = threading.Event()

    def read_late() -> None:
        reading.wait(10)
        daemon.socket.settimeout(10)
        for _ in range(2000):
            daemon.socket.recv(1000)
        daemon.socket.setblocking(False)

    reader = threading.Thread(target=read_late)
    reader.start()
    for number in range(2000):
        log.add(b"%d\n" % number)
    reactor.advance(1)  # the thread is stuck in the middle of it, and this goes on
    log.add(b"more\n")
    reading.set()
    reader.join(10)
    reactor.turn()
    closed = log.close()
    reactor.turn_until(closed)
    assert daemon.messages() == [HEADER + b"more"]
    assert log.lost == 0


# Names.


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/log", "/dev/log"),
        ("/run/a:b", "/run/a:b"),
        ("logs.example", ("logs.example", 514)),
        ("logs.example:5514", ("logs.example", 5514)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::1]", ("2001:db8::1", 514)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert syslog_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", ":514", "a:", "a:0", "a:65536", "a:x", "a:1:2", "2001:db8::1", "[::1", "[]:1", "run/log"],
)
def test_what_is_no_address(text: str) -> None:
    message = f"syslog:{text}: syslog:/PATH, syslog:HOST or syslog:HOST:PORT is wanted"
    with pytest.raises(ValueError, match=re.escape(message)):
        open_destination(f"syslog:{text}")


def test_a_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its full name: a daemon changes the directory."""
    monkeypatch.chdir(tmp_path)
    log = open_destination("access.log")
    monkeypatch.chdir("/")
    log.write([b"1\n"])
    (tmp_path / "access.log").rename(tmp_path / "old.log")
    log.write([b"2\n"])
    log.close()
    assert (tmp_path / "old.log").read_bytes() == b"1\n"
    assert (tmp_path / "access.log").read_bytes() == b"2\n"
    with pytest.raises(FileNotFoundError):
        open_destination(str(tmp_path / "none" / "access.log"))


def test_standard_output_is_not_closed(capfd: pytest.CaptureFixture[str]) -> None:
    log = open_destination("-")
    assert isinstance(log, LogFile)
    log.write([b"line\n"])
    log.close()
    log.write([b"still there\n"])
    assert capfd.readouterr().out == "line\nstill there\n"


def test_a_daemon_is_found_by_name(daemon: Daemon, path: Path) -> None:
    log = open_destination(f"syslog:{path}")
    log.write([b"1\n"])
    log.close()
    assert daemon.messages() == [HEADER + b"1"]


def test_the_daemon_of_the_machine(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr("tinyhttp.server.log_destination.SYSLOG_SOCKET", str(path))
    with pytest.raises(FileNotFoundError):
        open_destination("syslog")


def test_a_reason_without_a_number() -> None:
    assert str(LinesLost(1, TimeoutError("timed out"))) == "timed out"
    assert str(LinesLost(1, OSError(errno.EPIPE, "Broken pipe"))) == "Broken pipe"
