"""A descriptor that is shared, and closed when the last one lets go of it.

Floor: site. The cache holds the descriptor of a large file, and so does every transfer of it: a
file that leaves the cache, or is replaced on disk, is finished from the descriptor it began with.
"""

import os

__all__ = ["SharedFile"]


class SharedFile:
    """An `OpenFile` over a descriptor; starts with one holder, who made it.

    Held and let go of in one thread; `read` may run in any, while somebody holds it.
    """

    __slots__ = ("_holders", "descriptor", "in_memory")

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.in_memory = (0, 0, 0.0)
        self._holders = 1

    def hold(self) -> None:
        """See `tinyhttp.core.resource.OpenFile.hold`."""
        self._holders += 1

    def let_go(self) -> None:
        """See `tinyhttp.core.resource.OpenFile.let_go`."""
        self._holders -= 1
        if self._holders == 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def read(self, size: int, offset: int) -> bytes:
        """See `tinyhttp.core.resource.OpenFile.read`."""
        return os.pread(self.descriptor, size, offset)
