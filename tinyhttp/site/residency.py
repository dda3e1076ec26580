"""Whether octets of a file are in memory, so that reading them does not wait for the disk.

Floor: site. ``preadv2`` with ``RWF_NOWAIT`` (Linux 4.14) reads what is in the page cache and says
at once if it is not there. Some file systems (FUSE, network file systems) refuse the flag; of
those nothing can be known.
"""

import errno
import os

__all__ = ["read_at_once", "resident", "warm"]

_NOWAIT = getattr(os, "RWF_NOWAIT", None)

PROBE = 256 * 1024
"""Octets from one probe to the next; the kernel reads ahead in runs of about this length."""
_BLOCK = 128 * 1024
_UNKNOWN = frozenset((errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL))


def read_at_once(descriptor: int, size: int, offset: int) -> bytes | None:
    """Return up to ``size`` octets from ``offset`` if the first of them are in memory.

    Fewer if the others are not; none at the end of the file; ``None`` if reading would wait, or if
    that can't be known. Raises ``OSError``.
    """
    if _NOWAIT is None:
        return None
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, (buffer,), offset, _NOWAIT)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return None
        raise
    return bytes(memoryview(buffer)[:count])


def resident(descriptor: int, offset: int, count: int) -> int:
    """Return how many of ``count`` octets from ``offset`` are in memory, as far as a look tells.

    The first and last of them and one in each `PROBE` between are looked at. Pages come and go in
    runs, so this is right nearly always, and when it is wrong the reader waits for one run. None
    are where that can't be known. Raises ``OSError``.
    """
    if _NOWAIT is None or count == 0:
        return 0
    last = offset + count - 1
    buffers = (bytearray(1),)
    end = offset
    try:
        for place in range(offset, last, PROBE):
            os.preadv(descriptor, buffers, place, _NOWAIT)
            end = place
        os.preadv(descriptor, buffers, last, _NOWAIT)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return end - offset
        raise
    return count


def warm(descriptor: int, offset: int, count: int) -> None:
    """Read the octets into memory. Blocks."""
    stop = offset + count
    while offset < stop:
        block = os.pread(descriptor, min(_BLOCK, stop - offset), offset)
        if not block:
            return
        offset += len(block)
