"""How content is encoded, so that equal content gives equal octets.

Floor: site, as the encoders are libraries; no disk. RFC 9110 section 8.4.1, RFC 1952 (gzip), 7932
(br), 8878 and 9659 (zstd). gzip comes with Python; the libraries for the others are optional.

Nothing goes into the result but the content: no time, no name, no system. Another version of a
library may give other octets for the same content all the same.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

__all__ = [
    "BEST",
    "CODINGS",
    "EXTENSIONS",
    "LEVELS",
    "LIBRARIES",
    "QUICK",
    "Encoder",
    "encode",
    "is_available",
    "make_encoder",
    "select",
]

CODINGS = (b"br", b"zstd", b"gzip")
"""Those that can be made, the one that usually gets smallest first."""

EXTENSIONS: Mapping[bytes, bytes] = {b"br": b".br", b"zstd": b".zst", b"gzip": b".gz"}
"""What is behind the name of a file in the name of its sidecar."""

LIBRARIES: Mapping[bytes, str] = {b"br": "brotli", b"zstd": "zstandard"}
"""The distribution that a coding needs; gzip needs none."""

LEVELS: Mapping[bytes, range] = {
    b"br": range(12),
    b"zstd": range(1, 23),
    b"gzip": range(1, 10),
}
"""The levels that there are."""

BEST: Mapping[bytes, int] = {b"br": 11, b"zstd": 19, b"gzip": 9}
"""Levels for what is encoded once and sent often."""

QUICK: Mapping[bytes, int] = {b"br": 5, b"zstd": 3, b"gzip": 6}
"""Levels for what somebody waits for: each takes about as long as gzip's usual one, or less."""

_BLOCK = 64 * 1024

# Section 3 of RFC 9659: no decoder of the coding has to have a window of more than 8 MiB.
_ZSTD_WINDOW_LOG = 23
# RFC 1952 section 2.3: deflate; no flags; no time; extra flags; a system that is not told.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00%c\xff"


class Encoder(Protocol):
    """An encoding under way: give it all the content in pieces, then let it finish."""

    def process(self, data: bytes) -> bytes:
        """Return what ``data`` has added to the result, which may be nothing yet."""

    def finish(self) -> bytes:
        """Return the rest."""


class _Gzip:
    """Written by hand around zlib's deflate, which would put in the name of the system."""

    def __init__(self, level: int):
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        self._head = _GZIP_HEAD % {9: 2, 1: 4}.get(level, 0)
        self._crc = self._size = 0

    def process(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        return head + self._deflate.compress(data)

    def finish(self) -> bytes:
        head, self._head = self._head, b""
        trailer = self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return head + self._deflate.flush() + trailer


class _Zstd:
    def __init__(self, library: Any, level: int, size: int):
        parameters = library.ZstdCompressionParameters
        chosen = parameters.from_level(level, source_size=size)
        if chosen.window_log > _ZSTD_WINDOW_LOG:
            chosen = parameters.from_level(level, source_size=size, window_log=_ZSTD_WINDOW_LOG)
        self._object = library.ZstdCompressor(compression_params=chosen).compressobj(size=size)

    def process(self, data: bytes) -> bytes:
        octets: bytes = self._object.compress(data)
        return octets

    def finish(self) -> bytes:
        octets: bytes = self._object.flush()
        return octets


def is_available(coding: bytes) -> bool:
    """Return whether there is an encoder for ``coding`` here."""
    return coding == b"gzip" or _library(coding) is not None


def _library(coding: bytes) -> Any:
    with suppress(ImportError):
        if coding == b"br":
            import brotli  # noqa: PLC0415 (optional)

            return brotli
        if coding == b"zstd":
            import zstandard  # noqa: PLC0415 (optional)

            return zstandard
    return None


def select(names: Iterable[str]) -> tuple[bytes, ...]:
    """Return the codings called ``names``, in that order, each once.

    Raises ``ValueError`` for a name that is none, and for one whose library is not installed; it
    says what would help.
    """
    chosen: list[bytes] = []
    for name in names:
        coding = name.encode("ascii", "replace")
        if coding not in CODINGS:
            known = ", ".join(known.decode() for known in CODINGS)
            raise ValueError(f"{name!r} is no coding that can be made; there are {known}")
        if not is_available(coding):
            raise ValueError(
                f"{name} needs the library {LIBRARIES[coding]}, which is not installed"
            )
        if coding not in chosen:
            chosen.append(coding)
    return tuple(chosen)


def make_encoder(coding: bytes, level: int, size: int) -> Encoder:
    """Return an encoder to ``coding`` for ``size`` octets, which all have to come.

    Raises ``ValueError`` if there is no such encoder.
    """
    if coding == b"gzip":
        return _Gzip(level)
    library = _library(coding)
    if library is None:
        raise ValueError(f"there is no encoder for {coding!r}")
    if coding == b"zstd":
        return _Zstd(library, level, size)
    encoder: Encoder = library.Compressor(quality=level)
    return encoder


def encode(content: bytes, coding: bytes, level: int) -> bytes:
    """Return ``content`` in ``coding``. Other threads run meanwhile; it may take a while."""
    encoder = make_encoder(coding, level, len(content))
    return b"".join((*map(encoder.process, _pieces(content)), encoder.finish()))


def _pieces(content: bytes) -> Iterator[bytes]:
    """In the pieces that a file would come in, as these may matter to the result."""
    return (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))
