"""What all processes have done together.

Floor: server. A page of memory that several processes share: the one that starts the others makes
it, the others inherit its descriptor. Every process has a slot of its own, in which nobody else
writes while it lives, and puts the row of its `Tally` there once a second; whoever is asked adds
the slots up. So counting costs what it costs in one process, and what is seen of the others is a
second old at most.

**Torn reads.** No lock is taken, so a row may be read while it is written. Each number is one
aligned word of 64 bits, which is written in one piece; so what can be seen is a row whose first
numbers are a second newer than the others. Every counter taken for itself has had the value that is
seen, and none goes backwards; what has to fit together, the buckets of a histogram and their count,
is made of the same words. That is as good as two pages scraped a second apart, and no graph can
tell the difference.
"""

import mmap
import os
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall

from .tally import COLUMNS, WIDTH

__all__ = ["Board", "Posting", "Slot", "make_board"]

WORD: Final = 8
"""Octets of a number."""
INTERVAL: Final = 1.0
"""Seconds between two copies of a tally to the board."""

_KINDS: Final = tuple(column.kind for column in COLUMNS for _ in range(column.size))
_PASSING: Final = tuple(n for n, kind in enumerate(_KINDS) if kind != "counter")


class Board:
    """The page behind ``descriptor``, which has ``slots`` slots; the descriptor stays the caller's.

    Raises ``ValueError`` if the page has another size.
    """

    def __init__(self, descriptor: int, slots: int):
        size = slots * WIDTH * WORD
        if os.fstat(descriptor).st_size != size:
            raise ValueError(f"a board of {slots} slots has {size} octets")
        self.slots = slots
        self._page = mmap.mmap(descriptor, size)
        self._words = memoryview(self._page).cast("q")

    def close(self) -> None:
        """Let go of the page; it lives on in other processes."""
        self._words.release()
        self._page.close()

    def read(self, slot: int) -> list[int]:
        """Return the row in ``slot``."""
        return self._words[self._start(slot) : self._start(slot) + WIDTH].tolist()

    def write(self, slot: int, row: Sequence[int]) -> None:
        """Put ``row`` into ``slot``, number by number."""
        words = self._words
        for position, number in enumerate(row, self._start(slot)):
            words[position] = number

    def bury(self, slot: int) -> None:
        """Take what was true of the moment out of ``slot``, whose process has ended.

        What it has counted stays, and whoever gets the slot next goes on from there.
        """
        start = self._start(slot)
        for position in _PASSING:
            self._words[start + position] = 0

    def sum(self) -> list[int]:
        """Return one row for all slots."""
        columns = [self._words[position::WIDTH].tolist() for position in range(WIDTH)]
        return [
            min(filter(None, numbers), default=0) if kind == "earliest" else sum(numbers)
            for kind, numbers in zip(_KINDS, columns, strict=True)
        ]

    def _start(self, slot: int) -> int:
        if not 0 <= slot < self.slots:
            raise ValueError(f"there are slots 0 to {self.slots - 1}, and no {slot}")
        return slot * WIDTH


def make_board(slots: int) -> int:
    """Return the descriptor of an empty page for a `Board`; it is inherited only if told to be.

    It lives in memory, on systems without ``memfd_create`` in a file without a name.
    """
    size = slots * WIDTH * WORD
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tinyhttp", os.MFD_CLOEXEC)
    else:
        with TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class Slot:
    """The slot ``number`` of ``board``, as the process that has it now sees it.

    Counters go on from where the one before has left them.
    """

    def __init__(self, board: Board, number: int):
        self.board = board
        self._number = number
        board.bury(number)
        self._before = board.read(number)

    def write(self, row: Sequence[int]) -> None:
        """Put ``row``, which has been counted since this process began, on the board."""
        self.board.write(self._number, list(map(int.__add__, self._before, row)))

    def leave(self) -> None:
        """Be gone: what was true of the moment is true no more."""
        self.board.bury(self._number)


class Posting:
    """Puts the row that ``source`` returns into ``slot`` once a second."""

    def __init__(self, reactor: Any, slot: Slot, source: Callable[[], Sequence[int]]):
        self._reactor = reactor
        self._slot = slot
        self._source = source
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Go on until `stop`."""
        self.post()
        self._call = self._reactor.callLater(INTERVAL, self.start)

    def stop(self) -> None:
        """Post once more, so that nothing is lost, and leave the slot."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.post()
        self._slot.leave()

    def post(self) -> None:
        """Put the numbers of this moment on the board."""
        self._slot.write(self._source())
