"""A shared descriptor is closed when the last one lets go of it, and only then, and only once."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinyhttp.core.resource import OpenFile
from tinyhttp.site.open_file import SharedFile

CONTENT = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def shared(path: Path) -> Iterator[SharedFile]:
    """A file with its first holder, which is the test."""
    file = SharedFile(os.open(path, os.O_RDONLY))
    yield file
    if is_open(file):
        os.close(file.descriptor)


def is_open(file: SharedFile) -> bool:
    try:
        os.fstat(file.descriptor)
    except OSError:
        return False
    return True


def test_whoever_opens_it_is_its_first_holder(shared: SharedFile) -> None:
    assert is_open(shared)
    shared.let_go()
    assert not is_open(shared)


@pytest.mark.parametrize("further", [1, 2, 10])
def test_it_stays_open_until_the_last_holder_lets_go(shared: SharedFile, further: int) -> None:
    for _ in range(further):
        shared.hold()
    for _ in range(further):
        shared.let_go()
        assert is_open(shared)
        assert shared.read(4, 0) == b"0123"
    shared.let_go()
    assert not is_open(shared)


def test_holders_may_come_and_go(shared: SharedFile) -> None:
    shared.hold()
    shared.let_go()
    shared.hold()
    shared.let_go()
    assert is_open(shared)
    shared.let_go()
    assert not is_open(shared)


def test_it_is_closed_once_although_its_number_is_given_to_another(
    shared: SharedFile, path: Path
) -> None:
    number = shared.descriptor
    shared.let_go()
    assert shared.descriptor == -1, "it can be seen that it is closed"
    stranger = os.open(path, os.O_RDONLY)
    try:
        assert stranger == number, "the system gives the lowest free number"
        shared.let_go()  # a mistake, which must not hit the stranger
        assert os.pread(stranger, 4, 0) == b"0123"
    finally:
        os.close(stranger)


@pytest.mark.parametrize(
    ("size", "offset", "expected"),
    [
        pytest.param(10, 0, b"0123456789", id="all"),
        pytest.param(3, 0, b"012", id="the start"),
        pytest.param(3, 4, b"456", id="the middle"),
        pytest.param(1, 9, b"9", id="the last octet"),
        pytest.param(5, 7, b"789", id="more than there is"),
        pytest.param(5, 10, b"", id="at the end"),
        pytest.param(5, 1000, b"", id="past the end"),
        pytest.param(0, 3, b"", id="nothing"),
    ],
)
def test_reading_is_by_offset(shared: SharedFile, size: int, offset: int, expected: bytes) -> None:
    file: OpenFile = shared  # the interface that the other floors know
    assert file.read(size, offset) == expected
    assert file.read(size, offset) == expected, "reading has no position that it could move"
    file.let_go()


def test_threads_read_at_the_same_time_without_disturbing_each_other(shared: SharedFile) -> None:
    offsets = [n % 10 for n in range(2000)]
    with ThreadPoolExecutor(8) as threads:
        octets = list(threads.map(lambda offset: shared.read(1, offset), offsets))
    assert octets == [b"%d" % offset for offset in offsets]
    shared.let_go()


def test_a_file_that_is_replaced_or_removed_is_finished_from_the_old_descriptor(
    shared: SharedFile, path: Path
) -> None:
    (path.parent / "new").write_bytes(b"abcdefghij")
    (path.parent / "new").rename(path)
    assert shared.read(10, 0) == CONTENT
    path.unlink()
    assert shared.read(10, 0) == CONTENT
    shared.let_go()


def test_a_file_that_shrinks_has_nothing_more_to_read(shared: SharedFile, path: Path) -> None:
    os.truncate(path, 4)
    assert shared.read(10, 2) == b"23"
    assert shared.read(10, 4) == b""
    shared.let_go()


def test_reading_after_the_end_is_an_error_and_never_someone_elses_file(shared: SharedFile) -> None:
    shared.let_go()
    with pytest.raises(OSError, match="Bad file descriptor"):
        shared.read(10, 0)
