"""Files of passwords on the disk: when they are read, and which are none."""

import errno
import os
from pathlib import Path
from time import time

import pytest

from tinyhttp.core.htpasswd import MOST_CHARACTERS
from tinyhttp.site.password_file import YOUNG, load

HASH = "$2y$12$" + "." * 53


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    file.write_text(f"anna:{HASH}\n")
    return file


def later() -> float:
    """Return a time at which a file that was just written is no longer young."""
    return time() + YOUNG + 1


def test_it_is_read_once(file: Path) -> None:
    loaded = load(str(file), "users", None, later())
    assert loaded is not None
    assert list(loaded.table.hashes) == [b"anna"]
    assert loaded.state is not None
    assert load(str(file), "users", loaded.state, later()) is None


def test_a_young_file_is_read_again(file: Path) -> None:
    """It may change once more without its times telling, and its date may be anything."""
    os.utime(file, (1, 1))
    loaded = load(str(file), "users", None, time())
    assert loaded is not None
    assert loaded.state is None


@pytest.mark.parametrize("way", ["written", "replaced", "times set back"])
def test_a_change_is_seen(file: Path, way: str) -> None:
    first = load(str(file), "users", None, later())
    assert first is not None
    status = file.stat()
    other = f"bela:{HASH}\n"
    if way == "replaced":
        new = file.with_name("new")
        new.write_text(other)
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.replace(file)
    else:
        file.write_text(other)
        if way == "times set back":
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = load(str(file), "users", first.state, later())
    assert second is not None
    assert list(second.table.hashes) == [b"bela"]


def test_problems_name_the_file_and_line(file: Path) -> None:
    file.write_text("# first\nanna\n")
    loaded = load(str(file), "secret/users", None, later())
    assert loaded is not None
    assert str(loaded.problems[0]).startswith("secret/users:2: error: ")


def test_octets_that_are_no_utf8(file: Path) -> None:
    file.write_bytes(b"\xe9:" + HASH.encode())
    loaded = load(str(file), "users", None, later())
    assert loaded is not None
    assert list(loaded.table.hashes) == [b"\xe9"]


def test_what_is_no_file(tmp_path: Path) -> None:
    """Least of all is a FIFO waited for."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, number in (
        (fifo, errno.EINVAL),
        (tmp_path, errno.EINVAL),
        (tmp_path / "none", errno.ENOENT),
    ):
        with pytest.raises(OSError) as raised:  # noqa: PT011 (the number is looked at)
            load(str(path), "users", None, later())
        assert raised.value.errno == number


def test_a_huge_file_is_not_read_whole(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(1 << 40)  # of holes
    loaded = load(str(file), "users", None, later())
    assert loaded is not None
    assert not loaded.table.hashes
    assert str(MOST_CHARACTERS) in loaded.problems[0].text
