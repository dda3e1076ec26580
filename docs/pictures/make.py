"""Makes the pictures of the pages, from a tree of its own, with a headless Chromium.

    python docs/pictures/make.py [directory]

The pages are served on the loopback with the fields that belong to them, so that a style which the
policy does not allow would be missing in the picture.
"""

import os
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
from tinyhttp.core.listing import parse_view
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
    ("releases/2026-autumn/Minutes of the last meeting, as corrected.pdf", 88_123, 1_793_400_000),
    ("releases/2026-autumn/poster.png", 2 * MIB + 345_678, 1_792_950_000),
    ("releases/2026-autumn/site.tar.gz", 61 * MIB + 7_000, 1_793_700_900),
    ("releases/2026-autumn/tour.mp4", 183 * MIB, 1_792_800_000),
    ("releases/2026-autumn/été, Ελληνικά, зима ☃.txt", 512, 1_793_123_456),
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


def shrink(picture: Path) -> None:
    """Write ``picture`` again with 256 colours at most: what is lost are shades of text edges."""
    width, height, pixels = read_png(picture.read_bytes())
    counts = Counter(pixels)
    palette = [colour for colour, _ in counts.most_common(256)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in index:
            index[colour] = index[min(palette, key=lambda other: distance(colour, other))]
    rows = bytes(map(index.__getitem__, pixels))
    data = b"".join(b"\0" + rows[y * width : (y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    picture.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", b"".join(palette))
        + chunk(b"IDAT", zlib.compress(data, 9))
        + chunk(b"IEND", b"")
    )


def distance(colour: bytes, other: bytes) -> int:
    """Return how far two colours are apart."""
    return sum((a - b) ** 2 for a, b in zip(colour, other, strict=True))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_png(png: bytes) -> tuple[int, int, list[bytes]]:
    """Return width, height and pixels of a picture as Chromium writes it: RGB, not interlaced."""
    width, height, *how = struct.unpack(">IIBBBBB", png[16:29])
    if how != [8, 2, 0, 0, 0]:
        raise SystemExit("This picture has another format than the one that can be read here.")
    position, packed = 33, b""
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        if kind == b"IDAT":
            packed += png[position + 8 : position + 8 + length]
        position += length + 12
    data, stride = zlib.decompress(packed), width * 3
    above = bytes(stride)
    pixels: list[bytes] = []
    for y in range(height):
        start = y * (stride + 1)
        above = unfilter(data[start], data[start + 1 : start + 1 + stride], above)
        pixels += [above[x : x + 3] for x in range(0, stride, 3)]
    return width, height, pixels


def unfilter(kind: int, row: bytes, above: bytes) -> bytes:
    """Return a row of pixels (PNG, section 9.2)."""
    result = bytearray(3)  # the pixel to the left of the first
    corner = bytes(3) + above
    for x, value in enumerate(row):
        a, b, c = result[x], above[x], corner[x]
        guess = (0, a, b, (a + b) // 2, 0)[kind]
        if kind == 4:
            p = a + b - c
            guess = min((a, b, c), key=lambda near: abs(p - near))
        result.append((value + guess) & 255)
    return bytes(result[3:])


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
                shrink(picture)
                print(f"{picture}: {picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
