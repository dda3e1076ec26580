"""What a command says, and how far it has come.

Names of files are octets and may hold anything: nothing of them reaches the terminal that would
move its cursor, or that its encoding does not have.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["Progress", "amount", "complain", "endable", "nearby", "say", "shown"]

_PAUSE = 0.1
"""Seconds between two states of the progress line."""
_WIDTH = 78
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def shown(names: Sequence[bytes]) -> str:
    """Return the path that ``names`` make, as it may be shown."""
    path = b"/".join(names).decode("utf-8", "surrogateescape") or "."
    return "".join(c if c.isprintable() else _escaped(c) for c in path)


def nearby(text: str) -> str:
    """Return ``text``, which may begin with the path of a file, without the way to where we are."""
    return text.removeprefix(os.getcwd() + os.sep)


def _escaped(character: str) -> str:
    octets = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{octet:02x}" for octet in octets)


def amount(octets: int) -> str:
    """Return ``octets`` in three or four digits and a unit."""
    value, unit = float(octets), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return (
        f"{value:.0f} {_UNITS[unit]}" if not unit or value >= 100 else f"{value:.1f} {_UNITS[unit]}"
    )


def say(line: str) -> None:
    """Print a line of the result."""
    print(_in_encoding(line, sys.stdout.encoding))


def complain(line: str) -> None:
    """Print a line about something that is not right."""
    print(_in_encoding(line, sys.stderr.encoding), file=sys.stderr)


def _in_encoding(line: str, encoding: str) -> str:
    return line.encode(encoding, "backslashreplace").decode(encoding)


class Progress:
    """A line on standard error that tells how many of ``total`` things are done; 0: nobody knows.

    Nothing at all if that is no terminal, or if ``quiet``.
    """

    def __init__(self, what: str, total: int, *, quiet: bool = False):
        self._what = what
        self._total = total
        self._done = 0
        self._next = 0.0
        self._is_shown = not quiet and sys.stderr.isatty()

    def step(self, current: str = "") -> None:
        """Count one more as done."""
        self._done += 1
        now = time.monotonic()
        if not self._is_shown or now < self._next:
            return
        self._next = now + _PAUSE
        line = f"{self._what} {self._state()} {current}"[:_WIDTH]
        sys.stderr.write("\r\x1b[K" + _in_encoding(line, sys.stderr.encoding))
        sys.stderr.flush()

    def _state(self) -> str:
        if not self._total:
            return str(self._done)
        share = self._done * 20 // self._total
        bar = "#" * share + "." * (20 - share)
        return f"[{bar}] {self._done}/{self._total}"

    def clear(self) -> None:
        """Take the line away, before others are printed."""
        if self._is_shown:
            self._next = 0.0
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def endable() -> Iterator[None]:
    """Have TERM end the block as an exception does, so that what is half done is undone."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread, which alone hears of signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
