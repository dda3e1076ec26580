"""Types come from one table of our own, so that they are the same on every machine."""

import pytest

from tinyhttp.core.media_types import _TABLE, UNKNOWN, media_type, with_charset


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"index.html", b"text/html; charset=utf-8"),
        (b"style.css", b"text/css; charset=utf-8"),
        (b"notes.txt", b"text/plain; charset=utf-8"),
        (b"README.md", b"text/markdown; charset=utf-8"),
        (b"app.js", b"text/javascript; charset=utf-8"),
        (b"app.mjs", b"text/javascript; charset=utf-8"),
        (b"feed.xml", b"text/xml; charset=utf-8"),
        (b"page.xhtml", b"application/xhtml+xml; charset=utf-8"),
        (b"subtitles.vtt", b"text/vtt; charset=utf-8"),
        (b"data.json", b"application/json"),
        (b"app.js.map", b"application/json"),
        (b"app.webmanifest", b"application/manifest+json"),
        (b"module.wasm", b"application/wasm"),
        (b"font.woff", b"font/woff"),
        (b"font.woff2", b"font/woff2"),
        (b"drawing.svg", b"image/svg+xml"),
        (b"photo.jpg", b"image/jpeg"),
        (b"photo.png", b"image/png"),
        (b"photo.avif", b"image/avif"),
        (b"photo.webp", b"image/webp"),
        (b"photo.jxl", b"image/jxl"),
        (b"favicon.ico", b"image/x-icon"),
        (b"film.mp4", b"video/mp4"),
        (b"film.webm", b"video/webm"),
        (b"sound.mp3", b"audio/mpeg"),
        (b"paper.pdf", b"application/pdf"),
        (b"archive.zip", b"application/zip"),
        (b"archive.tar", b"application/x-tar"),
        (b"archive.zst", b"application/zstd"),
    ],
    ids=bytes.decode,
)
def test_of_common_files(name: bytes, expected: bytes) -> None:
    assert media_type(name, {}) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(b"PHOTO.JPG", b"image/jpeg", id="upper case"),
        pytest.param(b"archive.tar.gz", b"application/gzip", id="the last extension counts"),
        pytest.param(b"Makefile", UNKNOWN, id="no extension"),
        pytest.param(b".profile", UNKNOWN, id="nothing but a dotfile"),
        pytest.param(b".html", UNKNOWN, id="nothing before the dot"),
        pytest.param(b"name.", UNKNOWN, id="nothing behind the dot"),
        pytest.param(b"setup.exe", UNKNOWN, id="not in the table"),
        pytest.param(b"a.html ", UNKNOWN, id="a space behind"),
        pytest.param(b"\xff.\xff", UNKNOWN, id="no text at all"),
        pytest.param(b"", UNKNOWN, id="no name"),
    ],
)
def test_of_uncommon_names(name: bytes, expected: bytes) -> None:
    assert media_type(name, {}) == expected


def test_the_unknown_type_is_one_that_no_browser_runs() -> None:
    assert UNKNOWN == b"application/octet-stream"


@pytest.mark.parametrize("name", [b"a.foo", b"a.FOO", b"a.b.foo"])
def test_own_types_are_added(name: bytes) -> None:
    assert media_type(name, {b"foo": b"text/x-foo"}) == b"text/x-foo"


def test_own_types_go_before_the_table() -> None:
    assert media_type(b"a.html", {b"html": b"text/plain"}) == b"text/plain"
    assert media_type(b"a.css", {b"html": b"text/plain"}) == b"text/css; charset=utf-8"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text/plain", b"text/plain; charset=utf-8"),
        ("text/plain; charset=latin-1", b"text/plain; charset=latin-1"),
        ("text/plain; Charset=latin-1", b"text/plain; Charset=latin-1"),
        ("text/plain; format=flowed", b"text/plain; format=flowed; charset=utf-8"),
        ("application/rss+xml", b"application/rss+xml; charset=utf-8"),
        ("application/json", b"application/json"),
        ("image/png", b"image/png"),
    ],
)
def test_charset_is_for_text_that_names_none(given: str, expected: bytes) -> None:
    assert with_charset(given) == expected


def test_no_extension_stands_in_two_lines() -> None:
    """The later line would win without a word."""
    extensions = [e for line in _TABLE.strip().splitlines() for e in line.split()[1:]]
    assert sorted(extensions) == sorted(set(extensions))


def test_every_type_has_an_extension() -> None:
    assert [line for line in _TABLE.strip().splitlines() if len(line.split()) < 2] == []
