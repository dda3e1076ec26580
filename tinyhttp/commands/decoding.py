"""Whether a sidecar is what its file becomes by the coding.

By its content: times say little after a ``git clone``, or in a tree whose times were all set to
the same second. Both are read block by block, and no further than they agree.
"""

import gzip
import os
import zlib
from collections.abc import Generator
from contextlib import closing
from typing import Any, BinaryIO

from .parallel import Stop

__all__ = ["holds_the_same"]

_BLOCK = 128 * 1024
_ZSTD_STEP = 512
"""Octets that can't stand for more than 16 MiB: a block is four of them at least, for 128 KiB."""
_ZSTD_WINDOW = 2**23  # what browsers take: RFC 9659 section 3


def holds_the_same(source: int, sidecar: int, coding: bytes, stop: Stop) -> bool:
    """Return whether the open file ``sidecar`` decodes to what the open file ``source`` holds."""
    with os.fdopen(os.dup(sidecar), "rb") as encoded:
        encoded.seek(0)
        offset = 0
        try:
            with closing(_decoded(encoded, coding)) as blocks:
                for block in blocks:
                    stop.look()
                    if os.pread(source, len(block), offset) != block:
                        return False
                    offset += len(block)
        except _Malformed:
            return False
    return not os.pread(source, 1, offset)


class _Malformed(Exception):  # noqa: N818
    """The octets are not of that coding."""


def _decoded(encoded: BinaryIO, coding: bytes) -> Generator[bytes, None, None]:
    if coding == b"br":
        return _brotli(encoded)
    return _zstd(encoded) if coding == b"zstd" else _gzip(encoded)


def _gzip(encoded: BinaryIO) -> Generator[bytes, None, None]:
    try:
        with gzip.GzipFile(fileobj=encoded) as decoder:
            while block := decoder.read(_BLOCK):
                yield block
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk
        raise _Malformed from error


def _zstd(encoded: BinaryIO) -> Generator[bytes, None, None]:
    """One frame: several are allowed, but not all clients go on behind the first."""
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    try:
        while not decoder.eof and (data := encoded.read(_ZSTD_STEP)):
            yield decoder.decompress(data)
    except zstandard.ZstdError as error:
        raise _Malformed from error
    if not decoder.eof or decoder.unused_data or encoded.read(1):
        raise _Malformed


def _brotli(encoded: BinaryIO) -> Generator[bytes, None, None]:
    import brotli

    decoder: Any = brotli.Decompressor()
    try:
        while not decoder.is_finished():
            data = encoded.read(_BLOCK) if decoder.can_accept_more_data() else b""
            block = decoder.process(data, output_buffer_limit=_BLOCK)
            if block:
                yield block
            elif not data:
                break
    except brotli.error as error:
        raise _Malformed from error
    if not decoder.is_finished() or encoded.read(1):
        raise _Malformed
