"""Makes ./site, the directory that every stage serves: a few good files, and a few traps."""

import os
from pathlib import Path

FILES = {
    "index.html": b"<h1>Home</h1>\n",
    "a.txt": b"A short file.\n",
    "a b.txt": b"A file with a space in its name.\n",
    "sub/b.txt": b"A file in a directory.\n",
    "slow.txt": b"A file on a slow disk: see stage 7.\n",
    "image.png": bytes(range(256)),  # no text in any encoding that is usual
}


def make_site(site: Path) -> None:
    """Write the files, a FIFO that nobody writes to, and a link that leads out of the directory."""
    for name, octets in FILES.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(octets)
    if not (site / "fifo").exists():
        os.mkfifo(site / "fifo")
    if not (site / "out.txt").is_symlink():
        (site / "out.txt").symlink_to("../make_site.py")


if __name__ == "__main__":
    make_site(Path("site"))
    print("made ./site")
