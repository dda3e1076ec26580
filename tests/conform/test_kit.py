"""The kit is the same everywhere, and can be written again."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from tinyhttp.conform.kit import KIT_TIME, PAGE, PAGE_GZ, PLACE, SECRET, files, write_kit

DIGEST = "410465dfc531eb907a16279142831161c71836608d63dafdb52f69df8f23b922"
"""Of all names and contents. Who changes the kit changes the number in its marker."""


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_is_what_it_was() -> None:
    digest = hashlib.sha256()
    for name, content in sorted(files().items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    assert digest.hexdigest() == DIGEST


def test_is_written_whole(tmp_path: Path) -> None:
    assert write_kit(tmp_path) == []
    assert tree(tmp_path) == files()
    assert {path.stat().st_mtime for path in tmp_path.rglob("*")} == {KIT_TIME}


def test_is_written_again_over_itself_and_leaves_other_files_alone(tmp_path: Path) -> None:
    other = tmp_path / "other" / "file"
    other.parent.mkdir()
    other.write_bytes(b"mine")
    other.chmod(0o600)
    write_kit(tmp_path)
    (tmp_path / PLACE / "a.txt").write_bytes(b"changed")
    write_kit(tmp_path)
    assert tree(tmp_path) == {**files(), "other/file": b"mine"}
    assert other.stat().st_mtime != KIT_TIME
    assert other.stat().st_mode & 0o777 == 0o600


def test_secrets_lie_outside() -> None:
    assert all(
        (content == SECRET) != name.startswith(f"{PLACE}/") for name, content in files().items()
    )


def test_the_compressed_form_is_that_of_the_page() -> None:
    assert gzip.decompress(PAGE_GZ) == PAGE


def test_names_that_a_file_system_refuses_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def picky(path: Path, content: bytes) -> int:
        if set("\\<\r") & set(str(path)):
            raise OSError(22, "Invalid argument")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", picky)
    assert len(write_kit(tmp_path)) == 3
    assert (tmp_path / PLACE / "a.txt").is_file()


def test_a_directory_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=os.strerror(20)):
        write_kit(tmp_path / "file")
