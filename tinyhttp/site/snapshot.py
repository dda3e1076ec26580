"""What an open file held at one moment.

Floor: site. A file may change while it is read. Its state is taken before and after, so that
content and state belong to each other, or are known not to.
"""

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from .open_file import SharedFile

__all__ = ["SMALL", "Identity", "Snapshot", "identity", "take_digest", "take_snapshot"]

SMALL = 64 * 1024
"""Octets up to which a file is read whole when it is found."""

_READS = 3
"""Tries to read a small file between two equal looks at its state."""
_BLOCK = 1024 * 1024

Identity: TypeAlias = tuple[int, int, int, int, int]
"""What tells two states of a file apart: device, inode, size, and its two times (ns)."""


@dataclass(slots=True)
class Snapshot:
    """State and, if it is small, content of a file."""

    stat: os.stat_result
    content: bytes | None
    torn: bool = False
    """Whether the file changed while it was looked at, so that the two may not agree."""

    @property
    def size(self) -> int:
        """Octets."""
        return self.stat.st_size if self.content is None else len(self.content)


def identity(stat: os.stat_result) -> Identity:
    """Return what tells this state from others."""
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def take_snapshot(file: SharedFile) -> Snapshot:
    """Return a snapshot of ``file``. One that grows while it is read may stop being small."""
    stat = os.fstat(file.descriptor)
    content = b""
    for _ in range(_READS):
        if stat.st_size > SMALL:
            return Snapshot(stat, None)
        content = _read_up_to(file, SMALL + 1)
        before, stat = stat, os.fstat(file.descriptor)
        if (before.st_mtime_ns, before.st_size) == (stat.st_mtime_ns, len(content)):
            return Snapshot(stat, content)
    if len(content) > SMALL:
        return Snapshot(stat, None)
    return Snapshot(stat, content, torn=True)


def take_digest(file: SharedFile, snapshot: Snapshot) -> bytes:
    """Return a digest of the content of ``snapshot``, which is marked as torn if it changed."""
    digest = blake2b(digest_size=16)
    if snapshot.content is not None:
        digest.update(snapshot.content)
    else:
        offset = 0
        while block := file.read(_BLOCK, offset):
            digest.update(block)
            offset += len(block)
        stat = os.fstat(file.descriptor)
        snapshot.torn = identity(stat) != identity(snapshot.stat)
        snapshot.stat = stat
    return digest.hexdigest().encode()


def _read_up_to(file: SharedFile, limit: int) -> bytes:
    blocks = []
    size = 0
    while size < limit and (block := file.read(limit - size, size)):
        blocks.append(block)
        size += len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)
