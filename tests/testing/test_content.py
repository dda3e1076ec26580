"""What can be served."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.policy import Policy
from tinyhttp.testing import MemoryServer, ScriptError, generated
from tinyhttp.testing.content import PERIOD, Content, Prepared, prepare

from .wires import ask, memory

SIZE = 10 * PERIOD + 17
WHOLE = generated(SIZE).octets()


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one")
    with memory(tmp_path) as server:
        assert ask(server, "/a.txt").body == b"one"
        (tmp_path / "a.txt").write_bytes(b"another")
        assert ask(server, "/a.txt").body == b"another"  # a test does not wait a second
    assert (tmp_path / "a.txt").exists()


def test_a_mapping() -> None:
    content: Content = {"/a.txt": "é", "b/c.bin": b"\0", "/index.html": "<p>", "/g": generated(10)}
    with memory(content) as server:
        root = server._prepared.root
        assert ask(server, "/a.txt").body == "é".encode()
        assert ask(server, "/b/c.bin").body == b"\0"
        assert ask(server, "/").body == b"<p>"
        assert ask(server, "/g").body == generated(10).octets()
        assert os.path.isdir(root)
    assert not os.path.exists(root)


def test_a_zip_file(tmp_path: Path) -> None:
    path = tmp_path / "site.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("docs/", "")
        archive.writestr("docs/a.txt", "packed")
    with memory(path) as server:
        assert ask(server, "/docs/a.txt").body == b"packed"


def packed(path: Path, name: str, attributes: int = 0, bits: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = attributes << 16
        archive.writestr(entry, "x")
        entry.flag_bits |= bits
    return path


@pytest.mark.parametrize(
    ("name", "attributes", "bits", "said"),
    [
        ("../a", 0, 0, "not the path of a file"),
        ("a//b", 0, 0, "not the path of a file"),
        ("/etc/../x", 0, 0, "not the path of a file"),
        ("a", 0o120777, 0, "symbolic link"),
        ("a", 0, 1, "encrypted"),
    ],
)
def test_a_zip_file_that_leads_elsewhere(
    tmp_path: Path, name: str, attributes: int, bits: int, said: str
) -> None:
    with pytest.raises(ScriptError, match=said):
        prepare(packed(tmp_path / "x.zip", name, attributes, bits))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"/../a": "x"}, "not the path"),
        ({"": "x"}, "not the path"),
        ({"/a/": "x"}, "not the path"),
        ({"/a\0": "x"}, "not the path"),
        ({"/a": "x", "/a/b": "y"}, "beneath something that is a file"),
        ({"/a/b": "x", "/a": "y"}, "is a directory"),
        ({"/a": 5}, "not int"),
        ("/nowhere/at/all", "does not exist"),
        (__file__, "neither a directory nor a zip"),
    ],
)
def test_content_that_can_not_be(content: Any, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        prepare(content)


def test_a_size_below_nothing() -> None:
    with pytest.raises(ScriptError, match="negative"):
        generated(-1)


@given(st.integers(0, SIZE + 10), st.integers(0, SIZE + 10))
def test_any_part_of_a_generated_file(start: int, stop: int) -> None:
    assert generated(SIZE).octets(start, stop) == WHOLE[start:stop]


def test_a_generated_file_is_the_same_in_every_run() -> None:
    """A number on purpose: who has it in a test of theirs relies on it."""
    digest = generated(200_000).sha256()
    assert digest == hashlib.sha256(generated(200_000).octets()).hexdigest()
    assert digest == DIGEST
    assert generated(200_000, seed=1).sha256() != digest


DIGEST = "67fdeba1bba4ddb430f642687f84200867e663c5578bbc42b29d4519a977874c"


def test_every_block_of_a_generated_file_is_different() -> None:
    blocks = [WHOLE[n * PERIOD : (n + 1) * PERIOD] for n in range(11)]
    assert len(set(blocks)) == 11


def test_a_file_larger_than_any_memory() -> None:
    huge = generated(10**13)
    with memory({"/huge": huge}) as server:
        wire = ask(server, "/huge", "Range: bytes=9999999999000-")
        assert (wire.status, wire.body) == (206, huge.octets(10**13 - 1000))
        wire = ask(server, "/huge", "Range: bytes=0-1,9999999999998-")
        assert huge.octets(0, 2) in wire.body
        assert wire.body.count(huge.octets(10**13 - 2)) == 1


def test_a_change_is_seen(server: MemoryServer) -> None:
    first = ask(server)
    server.write("/a.bin", b"new")
    server.write("/new/b.txt", "more")
    second = ask(server, "/a.bin", f"If-None-Match: {first.field('ETag')[0]}")
    assert (second.status, second.body) == (200, b"new")
    assert second.field("Last-Modified") != first.field("Last-Modified")
    assert ask(server, "/new/b.txt").body == b"more"


@pytest.mark.parametrize(
    ("content", "said"), [(".", "not ours"), ({"/a": generated(5_000_000)}, "stays as it is")]
)
def test_what_can_not_be_changed(content: Content, said: str) -> None:
    prepared = prepare(content)
    with pytest.raises(ScriptError, match=said):
        prepared.write("/a", "x", 1)
    prepared.remove()


def test_prepared_content_survives_the_way_to_another_process() -> None:
    prepared = prepare({"/a": generated(5_000_000, seed=3), "/b": "x"})
    assert Prepared.from_plain(prepared.plain()) == prepared
    prepared.remove()


def test_content_with_a_policy() -> None:
    """A change is seen at once here as well."""
    with memory({"/about.html": "old"}, policy=Policy(clean_urls=True, listing=True)) as server:
        assert ask(server, "/about").body == b"old"
        server.write("/about.html", "new")
        assert ask(server, "/about").body == b"new"
        assert ask(server, "/about.html").status == 308
        assert ask(server, "/", "Accept: application/json").body.count(b'"name":"about.html"') == 1
