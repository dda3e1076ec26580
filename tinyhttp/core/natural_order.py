"""In which order people look for names.

Floor: core (pure). Without regard to case, and with runs of digits as the numbers that they write:
``a2`` before ``a10``. Names are anybody's, so the cost of comparing two is linear in their length,
whatever digits they hold: no run of digits ever becomes a number.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any, TypeVar

__all__ = ["in_order", "natural_key"]

T = TypeVar("T")

_DIGITS = re.compile("[0-9]+")
_LONGEST = 0x10FFFF  # the largest code point: longer runs are compared digit by digit

_RUN = 2048
"""Items that are sorted by one call: it takes 1 to 2 ms, in which no other thread can run."""


def natural_key(name: bytes) -> tuple[str, bytes]:
    """Return what sorts ``name`` among others: equal for equal names only."""
    text = name.decode("utf-8", "replace").casefold()
    return _DIGITS.sub(_number, text), name


def _number(digits: re.Match[str]) -> str:
    """Behind a digit, so that numbers stay where digits are; then the longer is the larger."""
    significant = digits[0].lstrip("0")
    return "0" + chr(min(len(significant), _LONGEST)) + significant


def in_order(
    items: Sequence[T], key: Callable[[T], Any], *, descending: bool = False
) -> Iterator[T]:
    """Give ``items`` in the order of ``key``, which is asked more than once for each.

    Like ``sorted``, but in short runs, which are merged as far as the caller goes: one call of
    ``sort`` for everything would keep all other threads from running until it is done.
    """
    runs = [
        sorted(items[start : start + _RUN], key=key, reverse=descending)
        for start in range(0, len(items), _RUN)
    ]
    return merge(*runs, key=key, reverse=descending)
