"""What a file of passwords holds now.

Floor: site. Blocks; may run in any thread. The file is looked at through one descriptor, so that
what is said of it and what is read belong together.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..core.htpasswd import MOST_CHARACTERS, Table, parse_htpasswd
from ..core.rules import Problem

__all__ = ["Loaded", "State", "load"]

State: TypeAlias = tuple[int, ...]
"""By what a file is seen to have changed."""

YOUNG = 2.0
"""Seconds for which a file may change without its times telling, on coarse file systems."""

_BLOCK = 1 << 16


@dataclass(slots=True, frozen=True)
class Loaded:
    """A file as it was read."""

    state: State | None
    """``None`` if it is so young that it has to be read once more."""
    table: Table
    problems: Sequence[Problem]


def load(path: str, name: str, seen: State | None, now: float) -> Loaded | None:
    """Return what the file at ``path`` holds, ``None`` if that is what was ``seen`` before.

    ``name`` is what it is called in problems; ``now`` is in epoch seconds. Raises ``OSError``.
    """
    # Without blocking, should it be a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        state = _state(status)
        if state == seen:
            return None
        content = _read(descriptor)
    finally:
        os.close(descriptor)
    table, problems = parse_htpasswd(content.decode("utf-8", "surrogateescape"), name)
    # By the time of its last change, which nobody can set, unlike that of its modification.
    settled = status.st_ctime < now - YOUNG
    return Loaded(state if settled else None, table, problems)


def _state(status: os.stat_result) -> State:
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def _read(descriptor: int) -> bytes:
    """Return all of the file, or so much that the parser will refuse it."""
    blocks: list[bytes] = []
    size = 0
    while size <= MOST_CHARACTERS * 4 and (block := os.read(descriptor, _BLOCK)):
        blocks.append(block)
        size += len(block)
    return b"".join(blocks)
