"""What is encoded is read by everybody else's decoders, and is the same every time."""

import argparse
import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.site.coding import (
    BEST,
    CODINGS,
    EXTENSIONS,
    LEVELS,
    QUICK,
    encode,
    is_available,
    make_encoder,
    select,
)

TEXT = Path(argparse.__file__).read_bytes()

DECODERS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"br": brotli.decompress,
    b"zstd": zstandard.ZstdDecompressor(max_window_size=2**23).decompress,
    b"gzip": gzip.decompress,
}
EVERY = pytest.mark.parametrize("coding", CODINGS, ids=bytes.decode)


@EVERY
@pytest.mark.parametrize("content", [b"", b"x", TEXT[:70_000]], ids=["nothing", "little", "more"])
def test_every_level_is_undone_by_a_decoder(coding: bytes, content: bytes) -> None:
    for level in LEVELS[coding]:
        assert DECODERS[coding](encode(content, coding, level)) == content


@EVERY
def test_equal_content_gives_equal_octets(coding: bytes) -> None:
    program = (
        "import sys; from tinyhttp.site.coding import encode; "
        f"sys.stdout.buffer.write(encode(sys.stdin.buffer.read(), {coding!r}, {QUICK[coding]}))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], input=TEXT, stdout=subprocess.PIPE, check=True
    )
    assert elsewhere.stdout == encode(TEXT, coding, QUICK[coding])


@EVERY
def test_better_is_smaller(coding: bytes) -> None:
    best, quick = (len(encode(TEXT, coding, levels[coding])) for levels in (BEST, QUICK))
    assert best < quick < len(TEXT) / 3


def test_gzip_tells_neither_time_nor_name_nor_system() -> None:
    head = encode(TEXT, b"gzip", 6)[:10]
    assert head == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_gzip_in_pieces(pieces: list[bytes]) -> None:
    encoder = make_encoder(b"gzip", 6, 0)
    encoded = b"".join([*map(encoder.process, pieces), encoder.finish()])
    whole = b"".join(pieces)
    assert gzip.decompress(encoded) == whole
    assert encoded[-8:-4] == zlib.crc32(whole).to_bytes(4, "little")


def test_no_browser_is_asked_for_a_larger_window() -> None:
    """RFC 9659: 8 MiB; level 22 would take 128."""
    for level in (19, 22):
        encoded = encode(bytes(9 * 2**20), b"zstd", level)
        assert zstandard.get_frame_parameters(encoded).window_size <= 2**23


def test_every_coding_has_its_levels_and_its_extension() -> None:
    for table in (LEVELS, BEST, QUICK, EXTENSIONS):
        assert set(table) == set(CODINGS)
    for coding in CODINGS:
        assert BEST[coding] in LEVELS[coding]
        assert QUICK[coding] in LEVELS[coding]


def test_selection() -> None:
    assert select(["gzip", "br", "gzip"]) == (b"gzip", b"br")
    with pytest.raises(ValueError, match="'deflate' is no coding that can be made"):
        select(["deflate"])
    with pytest.raises(ValueError, match="'bré' is no coding"):
        select(["bré"])


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("brotli", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_libraries")
def test_without_the_libraries() -> None:
    assert [coding for coding in CODINGS if is_available(coding)] == [b"gzip"]
    with pytest.raises(ValueError, match="br needs the library brotli, which is not installed"):
        select(["br"])
    with pytest.raises(ValueError, match="no encoder"):
        make_encoder(b"zstd", 3, 0)
