"""The directory that examples are tried in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HASH = "$2b$10$ucwcVR2BE2yHycadhChDSeuwonGdY9Hbzal/nvtu7.SI3KE81dDC."
"""Of no password that anybody uses."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory with what examples speak of: sites, certificates, configurations."""
    with tempfile.TemporaryDirectory(prefix="docs") as name:  # short, for UNIX sockets
        root = Path(name)
        for site in ("site", "srv/www", "public", "docs"):
            (root / site / "downloads").mkdir(parents=True)
            (root / site / "index.html").write_text("<h1>It works</h1>\n" * 40)
            (root / site / "a.txt").write_text("abc")
        for directory in (
            "run",
            "build/html",
            "kit/www",
            "var/log/tinyhttp",
            "etc/tinyhttp/certificates",
            "certs",
        ):
            (root / directory).mkdir(parents=True)
        for directory in (".", "etc", "etc/tinyhttp"):
            (root / directory / "tinyhttp.toml").write_text("port = 0\n")
        for users in ("users", "wages"):
            (root / "etc/tinyhttp" / users).write_text(f"anna:{HASH}\n")
        (root / "static.json").write_text('{"root": "site/"}')
        yield root
