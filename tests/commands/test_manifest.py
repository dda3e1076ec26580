"""``tinyhttp manifest``: what it writes, what it finds, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import write_tree
from tinyhttp.__main__ import main as program
from tinyhttp.commands.manifest import describe, main, verify
from tinyhttp.site.manifest import Malformed
from tinyhttp.site.verification import Contents, Differences
from tinyhttp.site.walk import Names

NAME = ".tinyhttp-manifest.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": "1", "sub/b.txt": "2", ".x": "3"})


def paths(manifest: Path) -> list[str]:
    return [each["path"] for each in json.loads(manifest.read_text())["files"]]


def test_written_and_checked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(root)]) == 0
    assert capsys.readouterr().out.startswith("2 files, 2 B; ")
    assert paths(root / NAME) == ["a.txt", "sub/b.txt"]
    assert main([str(root), "--check"]) == 0
    assert capsys.readouterr().out == "the tree is as its manifest says\n"
    assert main([str(root), "--check", "--quiet"]) == 0
    assert main([str(root), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_two_trees_with_the_same_content(root: Path, tmp_path: Path) -> None:
    again = write_tree(tmp_path / "again", {"sub/b.txt": "2", "a.txt": "1"}, 5)
    (again / "a.txt").chmod(0o600)
    assert main([str(root), "--jobs", "1"]) == main([str(again), "--jobs", "4"]) == 0
    assert (root / NAME).read_bytes() == (again / NAME).read_bytes()


def test_it_is_as_readable_as_other_files(root: Path) -> None:
    """It may be checked by another user than who has made it."""
    before = os.umask(0o027)
    try:
        assert main([str(root)]) == 0
    finally:
        os.umask(before)
    assert (root / NAME).stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(root)) == [NAME, ".x", "a.txt", "sub"]


def test_differences_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(root)]) == 0
    capsys.readouterr()
    write_tree(root, {"a.txt": "x", "new\n\x1b.txt": "", "c.txt": ""})
    (root / "sub/b.txt").unlink()
    assert main([str(root), "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "changed: a.txt",
        "missing: sub/b.txt",
        "added: c.txt",
        "added: new\\x0a\\x1b.txt",
        "the tree differs from its manifest: 1 changed, 1 missing, 2 added",
    ]
    assert main([str(root), "--check", "--most", "1"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_only_so_many_are_named() -> None:
    many: list[Names] = [(b"%d" % n,) for n in range(20)]
    lines = describe(Differences(changed=many[:7], added=many))
    assert len(lines) == 11
    assert lines[9:] == [
        "added: 2", "the tree differs from its manifest: 7 changed, 20 added"
    ]  # fmt: skip


def test_hidden_files(root: Path) -> None:
    assert main([str(root), "--hidden-files"]) == 0
    assert paths(root / NAME) == [".x", "a.txt", "sub/b.txt"]
    assert main([str(root), "--hidden-files"]) == 0
    assert paths(root / NAME) == [".x", "a.txt", "sub/b.txt"]
    write_tree(root, {".x": "4"})
    assert main([str(root), "--check"]) == 1


def test_links_that_lead_out(root: Path, tmp_path: Path) -> None:
    write_tree(tmp_path, {"outside.txt": "1"})
    (root / "out.txt").symlink_to("../outside.txt")
    assert main([str(root), "--follow-symlinks"]) == 0
    assert "out.txt" in paths(root / NAME)
    assert main([str(root), "--check", "--follow-symlinks"]) == 0
    assert main([str(root), "--check"]) == 1


@pytest.mark.parametrize(
    ("output", "hidden", "status"),
    [
        ("../manifest.json", False, 0),
        ("../root-two.json", True, 0),
        (".m.json", False, 0),
        ("sub/.m.json", False, 0),
        (".dir/m.json", False, 0),
        (NAME, True, 0),
        ("m.json", False, 2),
        ("sub/m.json", False, 2),
        (".well-known/m.json", False, 2),
        (".m.json", True, 2),
        (f"sub/{NAME}", True, 2),
    ],
)
def test_where_it_may_lie(
    root: Path, capsys: pytest.CaptureFixture[str], output: str, hidden: bool, status: int
) -> None:
    """Not where it would be one of the files that it is about."""
    (root / ".dir").mkdir()
    (root / ".well-known").mkdir()
    options = ["--output", str(root / output), *(["--hidden-files"] if hidden else [])]
    assert main([str(root), *options]) == status
    assert (root / output).exists() == (status == 0)
    assert ("would be a file of the tree itself" in capsys.readouterr().err) == (status == 2)
    if status == 0:
        assert main([str(root), *options]) == 0
        assert main([str(root), *options, "--check"]) == 0


def test_a_file_that_can_not_be_read(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == (root / "a.txt").stat().st_ino:
            raise OSError(5, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert main([str(root)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "a.txt: Input/output error",
        "tinyhttp manifest: nothing is written, as not all files could be read",
    ]
    assert not (root / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: DIR"),
        (["{}", "--jobs", "0"], "'0': a number from 1 on is wanted"),
        (["{}", "--check"], f"/{NAME}: No such file or directory"),
        (["{}/none"], "/none: No such file or directory"),
        (["{}", "--output", "{}/none/.m"], "No such file or directory"),
        (["{}", "--check", "--output", "{}/a.txt"], "/a.txt: it is no manifest of tinyhttp"),
        (["{}", "--check", "--output", "{}"], "that is not a regular file"),
    ],
)
def test_what_can_not_be_done(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(["manifest", *(each.format(root) for each in arguments)])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_for_a_server(root: Path) -> None:
    assert main([str(root)]) == 0
    differences = verify(str(root), root / NAME)
    assert not differences
    contents = Contents(differences.certain)
    assert contents.changed == set()
    write_tree(root, {"a.txt": "2"})
    assert describe(verify(str(root), root / NAME, jobs=1)) == [
        "changed: a.txt", "the tree differs from its manifest: 1 changed"
    ]  # fmt: skip
    with pytest.raises(Malformed):
        verify(str(root), root / "a.txt")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_leaves_nothing_behind(root: Path, number: signal.Signals, status: int) -> None:
    with open(root / "huge.bin", "wb") as file:
        file.truncate(2**42)  # a hole, which takes no room but long to read
    command = [sys.executable, "-m", "tinyhttp", "manifest", str(root)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    opened = Path(f"/proc/{process.pid}/fd")
    deadline = time.monotonic() + 30
    while not any(link.endswith("huge.bin") for link in links(opened)):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (status, b"")
    assert sorted(os.listdir(root)) == [".x", "a.txt", "huge.bin", "sub"]


def links(directory: Path) -> list[str]:
    found = []
    for each in directory.iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:
            continue
    return found
