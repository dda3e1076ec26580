"""The files that the cases ask for.

Always the same: content, times and forms don't depend on the machine, the day or a library, so
that a result can be repeated anywhere.
"""

import os
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

__all__ = [
    "A_TXT",
    "EMPTY_DIRECTORY",
    "HOME",
    "KIT_DATE",
    "KIT_TIME",
    "MARKER",
    "MARKER_NAME",
    "PAGE",
    "PAGE_BR",
    "PAGE_GZ",
    "PLACE",
    "SECRET",
    "files",
    "write_kit",
]

KIT_TIME = 1_789_913_600
"""When every file was changed, in seconds since 1970: whole, and long ago."""
KIT_DATE = "Sun, 20 Sep 2026 14:13:20 GMT"
"""The same as a field has it."""

PLACE = "www"
"""The directory of the kit that is to be served; what lies beside it is not."""
MARKER_NAME = "conform-kit.txt"
MARKER = b"The kit of tinyhttp conform, version 1.\n"
SECRET = b"This lies outside of what is served. Nobody may ever get it.\n"

A_TXT = b"abcdefghijklmnopqrstuvwxyz01234"
"""31 octets, each of which tells its own place."""
HOME = b"<h1>Home</h1>\n"
PAGE = b"".join(
    b"<p>Line %02d of a page that has precompressed forms beside it.</p>\n" % number
    for number in range(1, 21)
)
PAGE_GZ = b64decode(
    "H4sIAAAAAAACA6XSuxGDMBRE0dxVbAWGxf8ZDRXQhAwPUICl4an/wYkb8CY3PNENpR/Sx9ASeUZEiYuhrrFijY6y25i3"
    "b91twpz3zfE2T5Mh1XNoSn8KP6BTgYsKXFXgpgJ3FXiowFMFXiLAVgXUE6meSPVEqidSPZHqiVRPpHoi1RO7f088ANJH"
    "vVEUBQAA"
)
PAGE_BR = b64decode(
    "GxMF6I3UYC02G4HMLdWHxIDMSN1N3Ewy1Q3G5iUNgtkFYIchteZZmOAjPWzAqSU4rP1GZwd4lJzF4A4a/6NvCetTMzhq"
    "MnPsLwZ1UypqGlo6dOnJTzVQUlHT0NKhS09+hgM="
)
"""PAGE by gzip and brotli; written down, as another version of a library makes other octets."""

EMPTY_DIRECTORY = "bare"
"""A directory without an index, but with one file."""


def files() -> dict[str, bytes]:
    """Return the names of all files, beneath the directory of the kit, and their content."""
    served = {
        MARKER_NAME: MARKER,
        "index.html": HOME,
        "a.txt": A_TXT,
        "empty.txt": b"",
        "unknown.xyzzy": b"?",
        "page.html": PAGE,
        "page.html.gz": PAGE_GZ,
        "page.html.br": PAGE_BR,
        "sub/index.html": b"sub",
        f"{EMPTY_DIRECTORY}/x.txt": b"x",
        "evil.com/index.html": b"a directory called like a host",
        ".secret": b"a file with a dot in front",
        ".well-known/security.txt": b"Contact: mailto:security@example.com\n",
        "a b.txt": b"space",
        "50%.txt": b"percent",
        "50%25.txt": b"percent twenty-five",
        "\u00fc.txt": b"umlaut",
        "run.cgi": b"#!/bin/sh\n",
        "run.rpy": b"resource = object()",
        # Not every file system takes these.
        "back\\slash.txt": b"backslash",
        "<script>alert(1)</index.html": b"a directory called like a script",
        "cr\r\nX-Evil: 1/index.html": b"a directory called like two header lines",
    }
    beside = {
        "outside.txt": SECRET,
        f"{PLACE}2/c.txt": SECRET,  # a sibling that begins like what is served
    }
    return {**{f"{PLACE}/{name}": content for name, content in served.items()}, **beside}


def write_kit(directory: Path) -> list[str]:
    """Write the kit into ``directory``, over one that is there; return which names were refused.

    Raises OSError if even the ordinary names can't be written.
    """
    refused = []
    for name, content in files().items():
        path = directory.joinpath(*name.split("/"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644)
            os.utime(path, (KIT_TIME, KIT_TIME))
        except OSError:
            if not set("\\<>\r") & set(name):
                raise
            refused.append(name)
    folders = {parent for name in files() for parent in Path(name).parents}
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):  # of a name that was refused
            (directory / folder).chmod(0o755)
            os.utime(directory / folder, (KIT_TIME, KIT_TIME))
    return refused
