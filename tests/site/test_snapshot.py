"""Content and state that belong to each other, or are known not to."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import pytest

from tinyhttp.site.open_file import SharedFile
from tinyhttp.site.snapshot import (
    SMALL,
    Snapshot,
    identity,
    take_digest,
    take_snapshot,
)

from .conftest import Outcomes

MTIME = 1_600_000_000 * 10**9
"""Nanoseconds; every change here moves it on by a second, unless it says otherwise."""

Step: TypeAlias = Callable[[], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def write(path: Path) -> Callable[[bytes, int], None]:
    """Return a function that writes the file in place, with a time so many seconds later."""

    def write(content: bytes, later: int = 0) -> None:
        path.write_bytes(content)
        mtime = MTIME + later * 10**9
        os.utime(path, ns=(mtime, mtime))

    return write


Write: TypeAlias = Callable[[bytes, int], None]


@pytest.fixture
def open_file(path: Path) -> Iterator[Callable[[], SharedFile]]:
    opened: list[SharedFile] = []

    def open_it() -> SharedFile:
        opened.append(SharedFile(os.open(path, os.O_RDONLY)))
        return opened[-1]

    yield open_it
    for file in opened:
        file.let_go()


Open: TypeAlias = Callable[[], SharedFile]


def digest_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).hexdigest().encode()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Size and offset of every read."""
    made: list[tuple[int, int]] = []
    system_pread = os.pread

    def note(descriptor: int, size: int, offset: int) -> bytes:
        made.append((size, offset))
        return system_pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", note)
    yield made
    monkeypatch.undo()


@pytest.fixture
def before_each_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[Step]], None]:
    """Return a function that has the next one of some steps made before each first read."""

    def change(steps: Iterator[Step]) -> None:
        system_pread = os.pread

        def changed(descriptor: int, size: int, offset: int) -> bytes:
            if offset == 0:
                next(steps, lambda: None)()
            return system_pread(descriptor, size, offset)

        monkeypatch.setattr(os, "pread", changed)

    return change


ChangeBefore: TypeAlias = Callable[[Iterator[Step]], None]


# Files that stand still.


@pytest.mark.parametrize("size", [0, 1, 5000, 65_536])
def test_a_small_file_is_read_whole(write: Write, open_file: Open, path: Path, size: int) -> None:
    write(b"x" * size, 0)
    snapshot = take_snapshot(open_file())
    assert snapshot.content == b"x" * size
    assert snapshot.size == size
    assert not snapshot.torn
    assert identity(snapshot.stat) == identity(path.stat())


@pytest.mark.parametrize("size", [65_537, 10**12])
def test_of_a_large_file_only_the_state_is_taken(
    write: Write, open_file: Open, reads: list[tuple[int, int]], path: Path, size: int
) -> None:
    write(b"", 0)
    os.truncate(path, size)
    snapshot = take_snapshot(open_file())
    assert snapshot.content is None
    assert snapshot.size == size
    assert not snapshot.torn
    assert reads == []


def test_a_small_file_is_read_once(
    write: Write, open_file: Open, reads: list[tuple[int, int]]
) -> None:
    """To its end, as it may have grown, but not much further."""
    write(b"hello", 0)
    take_snapshot(open_file())
    assert reads == [(65_537, 0), (65_532, 5)]


def test_small_is_64_kib() -> None:
    assert SMALL == 65_536


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: os.utime(path, ns=(MTIME, MTIME + 1)), id="its time"),
        pytest.param(lambda path: os.truncate(path, 4), id="its size"),
        pytest.param(lambda path: (path.parent / "other").replace(path), id="the file itself"),
    ],
)
def test_another_state_has_another_identity(
    write: Write, path: Path, change: Callable[[Path], object]
) -> None:
    write(b"hello", 0)
    (path.parent / "other").write_bytes(b"hello")
    os.utime(path.parent / "other", ns=(MTIME, MTIME))
    before = identity(path.stat())
    assert before == identity(path.stat())
    assert before[2:4] == (5, MTIME)
    change(path)
    assert identity(path.stat()) != before


def test_a_change_that_leaves_size_and_time_has_another_identity(write: Write, path: Path) -> None:
    """As soon as the kernel's clock has moved on, which is within milliseconds."""
    write(b"hello", 0)
    before = identity(path.stat())
    while identity(path.stat()) == before:
        write(b"HELLO", 0)
    assert identity(path.stat())[:4] == before[:4]


# Files that do not.


def test_a_change_while_it_is_read_is_read_again(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"hello", 0)
    file = open_file()
    before_each_read(iter([lambda: write(b"HI", 1)]))
    snapshot = take_snapshot(file)
    assert (snapshot.content, snapshot.torn) == (b"HI", False)
    assert snapshot.stat.st_mtime_ns == MTIME + 10**9


@pytest.mark.parametrize("changes", [1, 2])
def test_two_changes_are_waited_for(
    write: Write, open_file: Open, before_each_read: ChangeBefore, changes: int
) -> None:
    write(b"0", 0)
    file = open_file()
    before_each_read(iter([lambda: write(b"1", 1), lambda: write(b"22", 2)][:changes]))
    snapshot = take_snapshot(file)
    assert snapshot.content == [b"1", b"22"][changes - 1]
    assert snapshot.stat.st_mtime_ns == MTIME + changes * 10**9
    assert not snapshot.torn


def test_what_never_stands_still_is_torn(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    """Three times it is tried; what was read last is given, and its size is that of the content."""
    write(b"0", 0)
    file = open_file()
    before_each_read(iter([partial(write, b"x" * n, n) for n in (1, 2, 3, 4)]))
    snapshot = take_snapshot(file)
    assert snapshot.torn
    assert snapshot.content == b"xxx"
    assert snapshot.size == 3
    assert snapshot.stat.st_mtime_ns == MTIME + 3 * 10**9


def test_a_change_that_leaves_the_time_is_seen_by_the_size(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"hello", 0)
    file = open_file()
    before_each_read(iter([partial(write, b"x" * n, 0) for n in (1, 2, 3)]))
    snapshot = take_snapshot(file)
    assert snapshot.content in (b"x", b"xx", b"xxx")
    # All states have the same time, and the content is of the size that the state tells.
    assert snapshot.torn or len(snapshot.content) == snapshot.stat.st_size


def test_one_that_grows_past_small_is_large(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"hello", 0)
    file = open_file()
    before_each_read(iter([lambda: write(b"x" * 65_537, 1)]))
    snapshot = take_snapshot(file)
    assert snapshot.content is None
    assert snapshot.size == 65_537
    assert snapshot.stat.st_mtime_ns == MTIME + 10**9


def test_one_that_grows_past_small_at_the_last_moment_is_large(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"0", 0)
    file = open_file()
    changes: list[Step] = [lambda: write(b"1", 1), lambda: write(b"22", 2)]
    before_each_read(iter([*changes, lambda: write(b"x" * 200_000, 3)]))
    snapshot = take_snapshot(file)
    assert snapshot.content is None
    assert snapshot.size == 200_000
    assert snapshot.stat.st_mtime_ns == MTIME + 3 * 10**9


def test_one_that_grows_to_just_small_is_small(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"hello", 0)
    file = open_file()
    before_each_read(iter([lambda: write(b"x" * 65_536, 1)]))
    assert take_snapshot(file).content == b"x" * 65_536


@pytest.mark.parametrize("after", [b"HI", b"", b"x" * 65_537], ids=["small", "empty", "large"])
@pytest.mark.parametrize("before", [b"hello", b"y" * 65_537], ids=["small", "large"])
def test_whenever_it_changes_content_and_state_agree(
    write: Write, open_file: Open, outcomes: Outcomes, before: bytes, after: bytes
) -> None:
    """With one change, made before every system call in turn."""

    def look() -> tuple[bytes | None, int, int, bool]:
        snapshot = take_snapshot(file)
        return snapshot.content, snapshot.size, snapshot.stat.st_mtime_ns, snapshot.torn

    write(before, 0)
    file = open_file()
    results = outcomes(lambda: write(before, 0), lambda: write(after, 1), look)

    def as_snapshot(content: bytes, mtime: int) -> tuple[bytes | None, int, int, bool]:
        kept = content if len(content) <= 65_536 else None
        return kept, len(content), mtime, False

    old, new = as_snapshot(before, MTIME), as_snapshot(after, MTIME + 10**9)
    assert results[0] == new
    assert results[-1] == old
    assert set(results) == {old, new}


# Digests.


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"", b"cae66941d9efbd404e4d88758ea67670"),
        (b"hello", b"46fb7408d4f285228f4af516ea25851b"),
    ],
)
def test_the_digest_of_small_content(
    write: Write, open_file: Open, content: bytes, digest: bytes
) -> None:
    """One of 128 bits, in hexadecimal."""
    write(content, 0)
    file = open_file()
    assert take_digest(file, take_snapshot(file)) == digest


def test_the_digest_of_small_content_is_of_that_very_content(
    write: Write, open_file: Open, reads: list[tuple[int, int]]
) -> None:
    """The file may have changed since; what is sent is what was read."""
    write(b"hello", 0)
    file = open_file()
    snapshot = take_snapshot(file)
    reads.clear()
    write(b"HELLO", 1)
    assert take_digest(file, snapshot) == digest_of(b"hello")
    assert reads == []
    assert (snapshot.content, snapshot.torn) == (b"hello", False)


def test_torn_content_stays_torn(write: Write, open_file: Open) -> None:
    write(b"hello", 0)
    file = open_file()
    snapshot = Snapshot(os.fstat(file.descriptor), b"torn", torn=True)
    assert take_digest(file, snapshot) == digest_of(b"torn")
    assert snapshot.torn


@pytest.mark.parametrize("size", [65_537, 1_048_576, 2_500_000])
def test_the_digest_of_a_large_file_is_of_all_of_it(
    write: Write, open_file: Open, size: int
) -> None:
    content = bytes(n % 251 for n in range(size))
    write(content, 0)
    file = open_file()
    snapshot = take_snapshot(file)
    assert take_digest(file, snapshot) == digest_of(content)
    assert not snapshot.torn
    assert snapshot.size == size


def test_the_digest_of_a_large_file_takes_a_mebibyte_at_a_time(
    write: Write, open_file: Open, reads: list[tuple[int, int]]
) -> None:
    write(bytes(2_500_000), 0)
    file = open_file()
    take_digest(file, take_snapshot(file))
    mebibyte = 1_048_576
    assert reads == [
        (mebibyte, 0),
        (mebibyte, 1_048_576),
        (mebibyte, 2_097_152),
        (mebibyte, 2_500_000),
    ]


@pytest.mark.parametrize(
    "content", [b"y" * 200_000, b"x" * 200_001, b"x" * 150_000], ids=["other", "longer", "shorter"]
)
def test_a_large_file_that_changes_before_its_digest_is_taken_is_torn(
    write: Write, open_file: Open, path: Path, content: bytes
) -> None:
    write(b"x" * 200_000, 0)
    file = open_file()
    snapshot = take_snapshot(file)
    write(content, 1)
    assert take_digest(file, snapshot) == digest_of(content)
    assert snapshot.torn
    assert identity(snapshot.stat) == identity(path.stat()), "the newer state is kept"
    assert snapshot.size == len(content)
    assert take_digest(file, snapshot) == digest_of(content)
    assert not snapshot.torn, "another look at what now stands still"


def test_a_large_file_that_changes_while_its_digest_is_taken_is_torn(
    write: Write, open_file: Open, before_each_read: ChangeBefore
) -> None:
    write(b"x" * 200_000, 0)
    file = open_file()
    snapshot = take_snapshot(file)
    before_each_read(iter([lambda: write(b"y" * 200_000, 1)]))
    take_digest(file, snapshot)
    assert snapshot.torn
