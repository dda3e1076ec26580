"""Whether octets are in memory, asked of a real file system as far as it tells."""

import ctypes
import errno
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from tinyhttp.site import residency
from tinyhttp.site.residency import read_at_once, resident, warm

PAGE = mmap.PAGESIZE
KIB = 1024
CONTENT = bytes(n * n % 251 for n in range(1024 * KIB))
"""A mebibyte."""

tells = pytest.mark.skipif(
    not hasattr(os, "RWF_NOWAIT"), reason="this system can't read without waiting"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def file(path: Path) -> Iterator[int]:
    """A descriptor of a file that was just written, and so is in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    if hasattr(os, "RWF_NOWAIT") and read_at_once(descriptor, 1, 0) is None:
        os.close(descriptor)
        pytest.skip("this file system can't read without waiting")
    yield descriptor
    os.close(descriptor)


def pages_in_memory(descriptor: int) -> int:
    """Return how many pages of the file the kernel holds, by the call that is made for that."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY) as view:
        pages = (ctypes.c_ubyte * -(-len(view) // PAGE))()
        start = ctypes.c_char.from_buffer(view)
        failed = ctypes.CDLL(None).mincore(
            ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(view)), pages
        )
        del start  # the view can't be closed before
    assert not failed
    return sum(page & 1 for page in pages)


def is_forgotten(descriptor: int) -> bool:
    """Return whether the kernel has dropped the file from its memory, as it is asked to."""
    for _ in range(100):  # a page that somebody is busy with stays
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if pages_in_memory(descriptor) == 0:
            return True
    return False


def of_a_cold_file(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test of `cold`, which is tried again with the file dropped anew.

    A disk may have fetched a page before one can look away, which no test can prevent. That
    happens now and then; what is wrong with the code happens each time.
    """

    @wraps(test)
    def patient(cold: int, **arguments: Any) -> None:
        for _ in range(30):
            try:
                return test(cold, **arguments)
            except AssertionError:
                assert is_forgotten(cold)
        return test(cold, **arguments)

    return patient


@pytest.fixture
def cold(path: Path) -> Iterator[int]:
    """A descriptor of a file that the kernel was asked to drop from its memory.

    To look at an octet may make the kernel fetch it, so each is looked at once.
    """
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # nothing is read ahead
    if not is_forgotten(descriptor):
        os.close(descriptor)
        pytest.skip("this file system keeps its pages in memory, as tmpfs does")
    looks = [read_at_once(descriptor, 1, place) for place in range(0, len(CONTENT), PAGE)]
    if all(look is not None for look in looks) or not is_forgotten(descriptor):
        os.close(descriptor)
        pytest.skip("this disk has fetched every octet before one could look away")
    yield descriptor
    os.close(descriptor)


# Reading at once.


@tells
@pytest.mark.parametrize(
    ("size", "offset", "expected"),
    [
        pytest.param(1, 0, b"\x00", id="the first octet"),
        pytest.param(5, 2, b"\x04\x09\x10\x19\x24", id="some"),
        pytest.param(1024 * KIB, 0, CONTENT, id="all"),
        pytest.param(10, 1024 * KIB - 2, CONTENT[-2:], id="more than there is"),
        pytest.param(1, 1024 * KIB, b"", id="at the end"),
        pytest.param(1, 2048 * KIB, b"", id="behind the end"),
        pytest.param(0, 0, b"", id="nothing"),
    ],
)
def test_read_at_once(file: int, size: int, offset: int, expected: bytes) -> None:
    assert read_at_once(file, size, offset) == expected
    assert read_at_once(file, size, offset) == expected, "by offset: there is no position"


@tells
def test_of_an_empty_file_the_end_is_read(path: Path, file: int) -> None:
    path.write_bytes(b"")
    assert read_at_once(file, 1, 0) == b""


def test_a_system_without_the_flag_knows_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unasked(*args: object) -> int:
        raise AssertionError("it might wait")

    monkeypatch.setattr(residency, "_NOWAIT", None)
    monkeypatch.setattr(os, "preadv", unasked)
    with path.open("rb") as file:
        assert read_at_once(file.fileno(), 1, 0) is None
        assert resident(file.fileno(), 0, 1) == 0


def failing(error: int) -> Callable[..., int]:
    def fail(*args: Any) -> int:
        raise OSError(error, os.strerror(error))

    return fail


@tells
@pytest.mark.parametrize(
    "error",
    [errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL],
    ids=errno.errorcode.get,
)
def test_a_file_system_that_refuses_knows_nothing(
    file: int, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", failing(error))
        assert read_at_once(file, 1, 0) is None
        assert resident(file, 0, 1) == 0
    assert read_at_once(file, 1, 0) == b"\x00"


@tells
@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.EBADF], ids=errno.errorcode.get)
def test_the_disks_own_errors_are_raised(
    file: int, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(os, "preadv", failing(error))
    with pytest.raises(OSError, match=os.strerror(error)) as caught:
        read_at_once(file, 1, 0)
    assert caught.value.errno == error


@tells
def test_a_closed_descriptor_is_an_error(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        read_at_once(descriptor, 1, 0)


@tells
@of_a_cold_file
def test_reading_at_once_does_not_wait_for_the_disk(cold: int) -> None:
    assert read_at_once(cold, 1, 0) is None
    assert os.pread(cold, 1, 512 * KIB) == CONTENT[512 * KIB : 512 * KIB + 1]
    assert read_at_once(cold, 1, 512 * KIB) == CONTENT[512 * KIB : 512 * KIB + 1]
    assert read_at_once(cold, 1, 900 * KIB) is None, "one page says nothing about another"


@tells
@of_a_cold_file
def test_what_is_read_at_once_ends_where_memory_ends(cold: int) -> None:
    assert len(os.pread(cold, PAGE, 0)) == PAGE
    block = read_at_once(cold, 1024 * KIB, 0)
    assert block is not None
    assert PAGE <= len(block) < 1024 * KIB
    assert block == CONTENT[: len(block)]


# Whether all of it is there.


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks 256 KiB from each other, so that a mebibyte is four of them and its end."""
    monkeypatch.setattr(residency, "PROBE", 256 * KIB)


def test_the_distance_of_the_looks_is_that_of_reading_ahead() -> None:
    """Closer ones cost more than they tell, and others would miss what was dropped in a run."""
    assert 128 * KIB <= residency.PROBE <= 512 * KIB


@tells
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, 0), (0, 1), (0, 1024 * KIB), (5, 700 * KIB), (1024 * KIB - 1, 1), (1024 * KIB, 0)],
)
def test_a_file_just_written_is_resident(file: int, offset: int, count: int) -> None:
    assert resident(file, offset, count) == count


@tells
@pytest.mark.parametrize(("offset", "count"), [(0, 1), (0, 1024 * KIB), (700 * KIB, 9)])
@of_a_cold_file
def test_a_file_that_was_dropped_is_not(cold: int, offset: int, count: int) -> None:
    assert resident(cold, offset, count) == 0


@tells
@of_a_cold_file
def test_nothing_is_always_resident(cold: int) -> None:
    assert resident(cold, 0, 0) == resident(cold, 5000, 0) == 0


@tells
@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ((0, 256 * KIB, 512 * KIB, 768 * KIB, 1024 * KIB - 1), 1024 * KIB),
        ((256 * KIB, 512 * KIB, 768 * KIB, 1024 * KIB - 1), 0),
        ((0, 512 * KIB, 768 * KIB, 1024 * KIB - 1), 0),
        ((0, 256 * KIB, 512 * KIB, 1024 * KIB - 1), 512 * KIB),
        ((0, 256 * KIB, 512 * KIB, 768 * KIB), 768 * KIB),
    ],
    ids=["all", "not the first", "not the second", "not the fourth", "not the last"],
)
@of_a_cold_file
def test_its_ends_and_one_in_each_probe_are_looked_at(
    cold: int, probe: None, read: Sequence[int], expected: int
) -> None:
    for place in read:
        os.pread(cold, 1, place)
    assert resident(cold, 0, 1024 * KIB) == expected


def places_looked_at(
    monkeypatch: pytest.MonkeyPatch, file: int, offset: int, count: int
) -> list[tuple[int, int]]:
    """Return size and offset of every look, where all is resident."""
    looks: list[tuple[int, int]] = []

    def note(descriptor: int, buffers: Sequence[bytearray], offset: int, flags: int) -> int:
        assert descriptor == file
        looks.append((len(buffers[0]), offset))
        return 1

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", note)
        assert resident(file, offset, count) == count
    return looks


@tells
@pytest.mark.parametrize(
    ("offset", "count", "places"),
    [
        (0, 0, []),
        (7, 1, [7]),
        (7, 2, [7, 8]),
        (0, 256 * KIB, [0, 262_143]),
        (0, 256 * KIB + 1, [0, 262_144]),
        (100, 600 * KIB, [100, 262_244, 524_388, 614_499]),
    ],
)
def test_the_places_looked_at(
    file: int,
    probe: None,
    monkeypatch: pytest.MonkeyPatch,
    offset: int,
    count: int,
    places: list[int],
) -> None:
    assert places_looked_at(monkeypatch, file, offset, count) == [(1, place) for place in places]


# Warming.


@tells
@of_a_cold_file
def test_what_was_warmed_is_resident(cold: int) -> None:
    assert resident(cold, 0, 1024 * KIB) == 0
    warm(cold, 0, 1024 * KIB)
    assert resident(cold, 0, 1024 * KIB) == 1024 * KIB
    assert read_at_once(cold, 1024 * KIB, 0) == CONTENT


@tells
@of_a_cold_file
def test_only_what_was_asked_for_is_warmed(cold: int) -> None:
    warm(cold, 256 * KIB, 128 * KIB)
    assert resident(cold, 256 * KIB, 128 * KIB) == 128 * KIB
    assert resident(cold, 0, 1) == 0
    assert resident(cold, 1024 * KIB - 1, 1) == 0


def blocks_read(
    monkeypatch: pytest.MonkeyPatch, file: int, offset: int, count: int
) -> list[tuple[int, int, int]]:
    """Return size asked for, offset and size got of every read that warms."""
    reads: list[tuple[int, int, int]] = []
    system_pread = os.pread

    def note(descriptor: int, size: int, offset: int) -> bytes:
        block = system_pread(descriptor, size, offset)
        reads.append((size, offset, len(block)))
        return block

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", note)
        warm(file, offset, count)
    return reads


@pytest.mark.parametrize(
    ("offset", "count", "reads"),
    [
        pytest.param(0, 0, [], id="nothing"),
        pytest.param(9, 1, [(1, 9, 1)], id="one octet"),
        pytest.param(
            100,
            300_000,
            [(131_072, 100, 131_072), (131_072, 131_172, 131_072), (37_856, 262_244, 37_856)],
            id="in blocks",
        ),
        pytest.param(
            1_048_570,
            50,
            [(50, 1_048_570, 6), (44, 1_048_576, 0)],
            id="to the end of a file that shrank",
        ),
        pytest.param(2_000_000, 50, [(50, 2_000_000, 0)], id="behind the end"),
    ],
)
def test_it_is_read_in_blocks(
    file: int,
    monkeypatch: pytest.MonkeyPatch,
    offset: int,
    count: int,
    reads: list[tuple[int, int, int]],
) -> None:
    assert blocks_read(monkeypatch, file, offset, count) == reads


def test_a_disk_that_fails_while_warming(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        warm(file, 0, 10)
