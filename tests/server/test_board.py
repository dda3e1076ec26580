"""A page that processes share: sums, slots that change hands, and real processes on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import FakeReactor
from tinyhttp.server.board import Board, Posting, Slot, make_board
from tinyhttp.server.tally import COLUMNS, OFFSETS, WIDTH, Tally

PATIENCE = 20
GAUGES = [OFFSETS[column.name] for column in COLUMNS if column.kind != "counter"]
OCTETS = OFFSETS["written_octets"]
OPEN = OFFSETS["open"]
EXPIRY = OFFSETS["certificate_expiry"]

ROWS = st.lists(st.integers(0, 2**40), min_size=WIDTH, max_size=WIDTH)


@contextmanager
def a_board(slots: int) -> Iterator[tuple[Board, int]]:
    descriptor = make_board(slots)
    try:
        board = Board(descriptor, slots)
        yield board, descriptor
        board.close()
    finally:
        os.close(descriptor)


def test_it_begins_empty() -> None:
    with a_board(3) as (board, _):
        assert board.sum() == [0] * WIDTH


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_slots_are_added_up(rows: list[list[int]]) -> None:
    with a_board(len(rows)) as (board, descriptor):
        for slot, row in enumerate(rows):
            board.write(slot, row)
        assert [board.read(slot) for slot in range(len(rows))] == rows
        expected = [sum(column) for column in zip(*rows, strict=True)]
        expected[EXPIRY] = min((row[EXPIRY] for row in rows if row[EXPIRY]), default=0)
        assert board.sum() == expected
        again = Board(descriptor, len(rows))
        assert again.sum() == expected
        again.close()


@given(ROWS, ROWS)
def test_who_gets_a_slot_goes_on_in_it(first: list[int], second: list[int]) -> None:
    with a_board(1) as (board, _):
        Slot(board, 0).write(first)
        Slot(board, 0).write(second)
        for position, number in enumerate(board.sum()):
            before = 0 if position in GAUGES else first[position]
            assert number == before + second[position]


def test_the_dead_have_counted_and_hold_nothing() -> None:
    with a_board(2) as (board, _):
        board.write(0, [5] * WIDTH)
        board.write(1, [7] * WIDTH)
        board.bury(0)
        for position, number in enumerate(board.sum()):
            assert number == (7 if position in GAUGES else 12)


@pytest.mark.parametrize("slot", [-1, 2])
def test_there_is_no_other_slot(slot: int) -> None:
    with a_board(2) as (board, _):
        for ask in (board.read, board.bury, lambda slot: board.write(slot, [1])):
            with pytest.raises(ValueError, match="slots 0 to 1"):
                ask(slot)


def test_a_page_of_another_size() -> None:
    with a_board(2) as (_, descriptor), pytest.raises(ValueError, match="3 slots"):
        Board(descriptor, 3)


def test_without_memory_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with a_board(2) as (board, descriptor):
        board.write(1, [1] * WIDTH)
        assert os.pread(descriptor, 8, WIDTH * 8) == (1).to_bytes(8, sys.byteorder)
        assert os.fstat(descriptor).st_nlink == 0


def test_posting_once_a_second() -> None:
    reactor, tally = FakeReactor(), Tally()
    with a_board(1) as (board, _):
        posting = Posting(reactor, Slot(board, 0), tally.row)
        posting.start()
        tally.octets, tally.workers = 10, 1
        assert board.sum()[OCTETS] == 0
        reactor.advance(1)
        assert board.sum()[OCTETS] == 10
        tally.octets = 20
        reactor.advance(1)
        assert board.sum()[OCTETS] == 20
        tally.octets = 25
        posting.stop()
        assert board.sum()[OCTETS] == 25
        assert board.sum()[OFFSETS["workers"]] == 0
        assert reactor.getDelayedCalls() == []


# Real processes.

WORKER = """
import sys
from tinyhttp.server.board import Board, Slot
from tinyhttp.server.tally import Tally
descriptor, slots, slot = map(int, sys.argv[1:])
mine, tally = Slot(Board(descriptor, slots), slot), Tally()
tally.workers = 1
for line in sys.stdin:
    if line == "forever\\n":
        print("here I go", flush=True)
        while True:
            for n in range(len(tally.requests)):
                tally.requests[n] += 1
            tally.octets += 1000
            mine.write(tally.row())
    tally.octets += int(line)
    mine.write(tally.row())
    print("posted", flush=True)
"""


class Worker:
    """A process that has inherited a board, and adds what it is told to its slot."""

    def __init__(self, descriptor: int, slots: int, slot: int):
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, (descriptor, slots, slot))],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[str] = self._process.stdin
        self._out: IO[str] = self._process.stdout

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *why: object) -> None:
        self.kill()

    def say(self, word: object) -> None:
        self._in.write(f"{word}\n")
        self._in.flush()

    def hear(self) -> str:
        return self._out.readline()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._in.close()
        self._out.close()


def test_processes_on_one_board() -> None:
    with (
        a_board(3) as (board, descriptor),
        Worker(descriptor, 3, 1) as one,
        Worker(descriptor, 3, 2) as two,
    ):
        for worker, octets in ((one, 5), (two, 70), (one, 1)):
            worker.say(octets)
            assert worker.hear() == "posted\n"
        assert board.sum()[OCTETS] == 76
        assert board.sum()[OFFSETS["workers"]] == 2
        one.kill()
        board.bury(1)
        assert board.sum()[OCTETS] == 76
        assert board.sum()[OFFSETS["workers"]] == 1
        with Worker(descriptor, 3, 1) as again:
            again.say(4)
            assert again.hear() == "posted\n"
            assert board.sum()[OCTETS] == 80


def test_no_number_goes_backwards_while_it_is_read() -> None:
    """Nor is any seen that was never written: in this one every number grows in known steps."""
    with a_board(2) as (board, descriptor), Worker(descriptor, 2, 1) as worker:
        worker.say("forever")
        assert worker.hear() == "here I go\n"
        before = board.sum()
        for _ in range(300):
            now = board.sum()
            assert all(old <= new for old, new in zip(before, now, strict=True))
            assert now[OCTETS] % 1000 == 0
            before = now
