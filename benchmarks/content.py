"""The directory that every server serves, and how its files get into the page cache.

All names stand in one directory, because not every server finds files in another.
"""

import os
import time
from pathlib import Path

__all__ = ["GIB", "KIB", "LARGE", "MANY", "MIB", "SMALL", "sizes", "warm", "write_content"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

SMALL = "small.html"
LARGE = [f"100m-{number}.bin" for number in range(4)]
"""The files that are downloaded while small ones are asked for."""
MANY = [f"f{number:04}.html" for number in range(3000)]

_AGE = 86_400
"""How many seconds ago the files seem to have been changed: servers may distrust new ones."""
_BUFFER = 4 * MIB


def sizes() -> dict[str, int]:
    """Return the names of all files and their sizes in octets."""
    single = {SMALL: KIB, "100k.bin": 100 * KIB, "10m.bin": 10 * MIB, "1g.bin": GIB}
    return single | dict.fromkeys(LARGE, 100 * MIB) | dict.fromkeys(MANY, 2 * KIB)


def write_content(root: Path) -> None:
    """Make ``root``, and in it all files; those from 1 MiB on are sparse and take no disk.

    A sparse file that has been read lies in the page cache like any other: its holes are pages
    of zeros there, and sending them costs what sending anything costs.
    """
    root.mkdir(mode=0o755)
    old = time.time() - _AGE
    for name, size in sizes().items():
        path = root / name
        with path.open("wb") as file:
            if size < MIB:
                file.write(_text(name, size))
            else:
                file.truncate(size)
        path.chmod(0o644)
        os.utime(path, (old, old))
    os.utime(root, (old, old))


def _text(name: str, size: int) -> bytes:
    """Return so many octets of text that differs from file to file."""
    line = f"<p>{name}: all that is here is here to be sent.</p>\n".encode()
    return (line * (size // len(line) + 1))[:size]


def warm(path: Path) -> None:
    """Read a file once, so that it lies in the page cache."""
    buffer = bytearray(_BUFFER)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
