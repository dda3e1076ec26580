"""Makes the pictures of the pages, from a tree of its own, with a headless Chromium.

    python docs/pictures/make.py [directory]

The pages are served on the loopback with the fields that belong to them, so that a style which the
policy does not allow would be missing in the picture.
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tinyhttp.core.error_page import error_body
from tinyhttp.core.listing import View, parse_view
from tinyhttp.core.listing_forms import form_fields, listing_form, represent
from tinyhttp.core.path import resolve
from tinyhttp.site.names import read_names
from tinyhttp.site.tree import Tree

KIB, MIB = 1024, 1024**2

# name, size in octets, modification time in epoch seconds
SAMPLE = [
    ("releases/2026-autumn/source", None, 1_793_700_000),
    ("releases/2026-autumn/wheels", None, 1_793_786_400),
    ("releases/2026-autumn/CHANGELOG.md", 18_230, 1_793_699_000),
    ("releases/2026-autumn/LICENSE", 1_073, 1_767_225_600),
    ("releases/2026-autumn/SHA256SUMS", 1_842, 1_793_791_000),
    ("releases/2026-autumn/configure.py", 9_876, 1_793_512_345),
    ("releases/2026-autumn/disc-2.iso", 731 * MIB + 123_456, 1_793_690_000),
    ("releases/2026-autumn/disc-10.iso", 4_812 * MIB, 1_793_695_000),
    ("releases/2026-autumn/interview.mp3", 38 * MIB + 400_000, 1_793_001_000),
    ("releases/2026-autumn/manual.html", 412_900, 1_793_601_000),
    ("releases/2026-autumn/poster.png", 2 * MIB + 345_678, 1_792_950_000),
    ("releases/2026-autumn/site.tar.gz", 61 * MIB + 7_000, 1_793_700_900),
    ("releases/2026-autumn/tour.mp4", 183 * MIB, 1_792_800_000),
    ("releases/2026-autumn/Ünïcödé ☃ – 名前.txt", 512, 1_793_123_456),
]

LIGHT, DARK = "1", "0"  # Chromium's preferredColorScheme
PICTURES = [
    # name, path, width, height, scale, colours
    ("listing-light", "/releases/2026-autumn/", 960, 900, 1, LIGHT),
    ("listing-dark", "/releases/2026-autumn/?sort=size&order=desc", 960, 900, 1, DARK),
    ("listing-phone", "/releases/2026-autumn/", 390, 844, 2, LIGHT),
    ("error-light", "/nothing", 640, 400, 1, LIGHT),
    ("error-dark", "/nothing", 640, 400, 1, DARK),
]
BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"


def make_sample(root: Path) -> None:
    """Make the tree; files are holes, so that their sizes cost nothing."""
    for name, size, modified in SAMPLE:
        path = root / name
        if size is None:
            path.mkdir(parents=True)
        else:
            path.touch()
            os.truncate(path, size)
        os.utime(path, (modified, modified))


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve listings of ``root``, and errors; give the address."""
    tree = Tree(root)

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw, _, query = self.path.encode().partition(b"?")
            path = resolve(raw)
            if path is None or not path.directory:
                content_type, body, fields = error_body(404, "", BROWSER)
                self.reply(404, content_type, body, fields)
                return
            view = parse_view(query)
            with tree.directory(path.segments) as place:
                listing = read_names(place, path, view)
            form = listing_form(BROWSER)
            page = represent(listing, form)
            self.reply(200, page.content_type, page.content, form_fields(form))

        def reply(self, status, content_type, body, fields) -> None:
            self.send_response(status)
            for name, value in [(b"Content-Type", content_type), *fields]:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        tree.close()


def take(url: str, target: Path, width: int, height: int, scale: int, colours: str) -> None:
    """Write a picture of the page at ``url``."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--hide-scrollbars"),
                *("--disable-component-update", "--disable-sync", f"--user-data-dir={profile}"),
                f"--blink-settings=preferredColorScheme={colours}",
                f"--force-device-scale-factor={scale}",
                f"--window-size={width},{height}",
                f"--screenshot={target}",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Make all pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "site"
        make_sample(root)
        with serving(root) as address:
            for name, path, *how in PICTURES:
                picture = target / f"{name}.png"
                take(address + path, picture, *how)
                # shrink(picture)
                print(f"{picture}: {picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
