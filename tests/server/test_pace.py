"""Bandwidth: never more than a second's worth ahead, never behind, and few calls."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.support import HeldDisk, get, read_answers, write_tree
from tinyhttp.core.rate import Rate
from tinyhttp.core.resource import Span
from tinyhttp.server.deadlines import Deadlines
from tinyhttp.server.pace import PORTION, TICK, Pace
from tinyhttp.server.quotas import Quotas
from tinyhttp.server.transfer import FileTransfer, Gone
from tinyhttp.site.open_file import SharedFile

from .sockets import Link, SocketReactor, until
from .test_file_transfer import Stage, complete
from .test_transfer import outcome

BIG = b"".join(n.to_bytes(4, "big") for n in range(1_000_000))


def pace_of(rate: float, clock: Clock) -> Pace:
    return Pace(Rate(rate, rate, 10), Deadlines(clock, TICK))


class Sender:
    """Sends whatever it is allowed to."""

    def __init__(self, pace: Pace, octets: int):
        self.pace = pace
        self.missing = octets
        self.calls = 0

    def send(self) -> None:
        while self.missing:
            self.calls += 1
            allowed = self.pace.allow(self.missing, self.send)
            if not allowed:
                return
            self.missing -= allowed
            self.pace.spend(allowed)


@given(st.floats(0.5, 1e8), st.floats(0.5, 20))
def test_the_pace_is_kept(rate: float, seconds: float) -> None:
    clock = Clock()
    octets = max(int(rate * seconds), 1)
    sender = Sender(pace_of(rate, clock), octets)
    sender.send()
    passed = 0.0
    while sender.missing and passed < 60:
        sent = octets - sender.missing
        assert sent <= rate * (passed + 1) + 1, "a second's worth ahead"
        assert sent >= min(rate * (passed - 3 * TICK), octets) - 2, "not behind"
        clock.advance(TICK / 2)
        passed += TICK / 2
    assert not sender.missing
    assert sender.calls <= 3 + 2 * (seconds + 1) / TICK
    assert clock.getDelayedCalls() == []


def test_what_was_not_asked_for_is_paid_for() -> None:
    clock = Clock()
    pace = pace_of(1000, clock)
    pace.spend(3000)
    assert pace.allow(10, lambda: None) == 0
    clock.advance(2)
    assert pace.allow(10, lambda: None) == 0
    clock.advance(0.25)
    assert pace.allow(10, lambda: None) == 10


def test_the_debt_is_bounded() -> None:
    clock = Clock()
    pace = pace_of(1000, clock)
    for _ in range(1000):
        pace.spend(1_000_000)
    clock.advance(10.25)
    assert pace.allow(10, lambda: None) == 10


def test_stopped_it_calls_nobody() -> None:
    clock = Clock()
    pace = pace_of(1000, clock)
    pace.spend(2000)
    assert pace.allow(1, lambda: pytest.fail("called")) == 0
    pace.stop()
    assert clock.getDelayedCalls() == []
    assert pace.deadline == inf
    pace.time_is_up()


# From the file, through our own transport.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BIG)
    return path


def paced(link: Link, file: SharedFile, rate: float) -> FileTransfer:
    disk = HeldDisk()
    return FileTransfer(
        [Span(file, 0, len(BIG))], link.transport, disk, pace_of(rate, link.reactor)
    )


def settle(link: Link) -> None:
    while link.room.turn() or link.peer.read():
        pass


def test_a_file_is_sent_at_its_pace(link: Link, file: SharedFile) -> None:
    transfer = paced(link, file, 1_000_000)
    result = transfer.start()
    for second in range(3):
        settle(link)
        assert 1_000_000 * second <= len(link.peer.received) <= 1_000_000 * (second + 1)
        assert not transfer.waits_for_client, "it waits for us"
        assert link.wanted == "r", "nobody is told of room that is not needed"
        for _ in range(8):
            link.reactor.advance(TICK)
            settle(link)
    link.reactor.advance(1)
    until(lambda: result.called, link.room.turn, link.peer.read)
    assert outcome(result) is None
    link.until(lambda: len(link.peer.received) == len(BIG))
    assert bytes(link.peer.received) == BIG
    assert transfer.sent == len(BIG)
    assert link.reactor.getDelayedCalls() == []


def test_what_did_not_fit_is_not_paid_for(narrow: Link, file: SharedFile) -> None:
    """A client that reads slowly does not lose what it might have had."""
    transfer = paced(narrow, file, 100_000)
    result = transfer.start()
    while narrow.room.turn():
        pass
    narrow.reactor.advance(5)
    assert transfer.waits_for_client
    until(lambda: len(narrow.peer.received) > 70_000, narrow.room.turn, narrow.peer.read)
    transfer.stop()
    assert outcome(result) is Gone


# Through a connection, from memory and from a disk that is slow.


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"file.bin": BIG, "a.txt": b"a"})


@pytest.mark.parametrize(
    "fields", [(), ("Range: bytes=0-1999999",), ("Range: bytes=0-999999,1500000-2499999",)]
)
def test_through_a_connection(root: Path, stack: ExitStack, fields: tuple[str, ...]) -> None:
    stage = Stage(root, stack, quotas=Quotas(bandwidth=500_000))
    for _ in range(2):
        peer = stage.connect()
        peer.send(get("/file.bin", *fields))
        pump(stage, peer)
        seconds = 0.0
        while not complete(peer.received):
            assert len(peer.received) <= 500_000 * (seconds + 1) + 1000
            stage.reactor.advance(TICK)
            seconds += TICK
            pump(stage, peer)
        (answer,) = read_answers(bytes(peer.received))
        assert len(answer.body) / 500_000 - 1.5 < seconds <= len(answer.body) / 500_000
        if not fields:
            assert answer.body == BIG
        peer.received.clear()
        peer.send(get("/a.txt"))
        assert stage.answer(peer).body == b"a"


def pump(stage: Stage, peer: object) -> None:
    """Let everything happen that can without time passing."""
    reactor: SocketReactor = stage.reactor
    while reactor.poll() or peer.read():  # type: ignore[attr-defined]
        pass


def test_a_cold_file_comes_at_its_pace_too(
    root: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is in memory; each slice is fetched before, and none twice for being paced."""
    fetched = []

    def fetch(descriptor: int, offset: int, count: int) -> None:
        fetched.append((offset, count))
        os.pread(descriptor, count, offset)

    monkeypatch.setattr("tinyhttp.server.transfer.resident", lambda *_: 0)
    monkeypatch.setattr("tinyhttp.server.transfer.warm", fetch)
    stage = Stage(root, stack, quotas=Quotas(bandwidth=1_000_000))
    peer = stage.connect()
    peer.send(get("/file.bin"))
    pump(stage, peer)
    seconds = 0.0
    while not complete(peer.received):
        stage.reactor.advance(TICK)
        seconds += TICK
        pump(stage, peer)
    assert read_answers(bytes(peer.received))[0].body == BIG
    assert 2.5 < seconds < 4
    offsets = [offset for offset, _ in fetched]
    assert offsets == sorted(set(offsets))
    assert len(fetched) <= 3 / PORTION + 2
