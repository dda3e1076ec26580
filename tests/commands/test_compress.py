"""``tinyhttp compress``: the sidecars that it writes, leaves, replaces and removes."""

import gzip
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import brotli
import pytest
import zstandard

from tests.support import OLD, write_tree
from tinyhttp.__main__ import main as program
from tinyhttp.commands.compress import main

TEXT = b"".join(b"The %d brown foxes jump over\n" % n for n in range(300))
NOISE = random.Random(1).randbytes(5000)

DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    ".br": brotli.decompress,
    ".zst": zstandard.ZstdDecompressor(max_window_size=2**23).decompress,
    ".gz": gzip.decompress,
}
EVERY = pytest.mark.parametrize("extension", DECODERS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def tree(root: Path) -> dict[str, bytes]:
    """Return every regular file beneath ``root``, hidden ones too."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def compress(root: Path, *options: str) -> int:
    return main([str(root), *options])


def looks(path: Path) -> tuple[int, int]:
    """Return what tells whether ``path`` was written again."""
    state = path.stat()
    return state.st_ino, state.st_mtime_ns


# What is written.


def test_sidecars_of_what_gets_smaller(root: Path) -> None:
    write_tree(
        root,
        {
            "index.html": TEXT,
            "sub/app.js": TEXT,
            "a.svg": TEXT,
            "data.json": TEXT,
            "tiny.css": TEXT[:255],
            "noise.txt": NOISE,
            "photo.jpg": TEXT,
            "font.woff2": TEXT,
            "page.html.gz": TEXT,
            "unknown": TEXT,
            "a.dat": TEXT,
            ".hidden.html": TEXT,
            ".git/a.html": TEXT,
            ".well-known/a.txt": TEXT,
        },
    )
    assert compress(root) == 0
    files = tree(root)
    written = {name for name in files if name.endswith((".br", ".zst"))}
    expected = ("index.html", "sub/app.js", "a.svg", "data.json", ".well-known/a.txt")
    assert written == {name + e for name in expected for e in (".br", ".zst")}
    for name in expected:
        for extension, decode in DECODERS.items():
            assert decode(files[name + extension]) == TEXT


def test_two_runs_give_equal_octets(tmp_path: Path) -> None:
    trees = []
    for name in ("one", "two"):
        root = write_tree(tmp_path / name, {"a.txt": TEXT, "sub/b.txt": TEXT * 2})
        assert compress(root, "--jobs", "1" if name == "one" else "4") == 0
        trees.append(tree(root))
    assert trees[0] == trees[1]
    assert len(trees[0]) == 8


def test_a_sidecar_has_mode_and_time_of_its_file(root: Path) -> None:
    write_tree(root, {"a.txt": TEXT}, mtime=OLD + 0.123456789)
    (root / "a.txt").chmod(0o640)
    assert compress(root) == 0
    for extension in DECODERS:
        state = (root / f"a.txt{extension}").stat()
        assert state.st_mtime_ns == (root / "a.txt").stat().st_mtime_ns
        assert state.st_mode & 0o7777 == 0o640


def test_other_extensions_codings_levels_and_sizes(root: Path) -> None:
    write_tree(root, {"a.dat": TEXT, "big.txt": TEXT * 2, "small.txt": TEXT[:200]})
    options = ("--also", ".DAT", "--codings", "gzip", "--max-size", "12K", "--min-size", "100")
    assert compress(root, *options, "--level", "gzip=1") == 0
    assert set(tree(root)) == {"a.dat", "a.dat.gz", "big.txt", "small.txt", "small.txt.gz"}
    quick = tree(root)["a.dat.gz"]
    (root / "a.dat.gz").unlink()
    assert compress(root, *options, "--level", "fast", "--level", "best") == 0
    assert [quick[8], tree(root)["a.dat.gz"][8]] == [4, 2]  # RFC 1952: fastest, and best


def test_content_longer_than_a_block(root: Path) -> None:
    long = b"".join(random.Random(n).randbytes(100) + bytes(900) for n in range(1000))
    write_tree(root, {"a.txt": long})
    assert compress(root, "--level", "fast") == 0
    for extension, decode in DECODERS.items():
        assert decode((root / f"a.txt{extension}").read_bytes()) == long


# What there is already.


@pytest.mark.parametrize("mtime", [OLD, 1.0], ids=["a time", "no time"])
def test_what_is_up_to_date_is_left_alone(root: Path, mtime: float) -> None:
    write_tree(root, {"a.txt": TEXT}, mtime)
    assert compress(root) == 0
    before = {e: looks(root / f"a.txt{e}") for e in DECODERS}
    assert compress(root) == 0
    assert {e: looks(root / f"a.txt{e}") for e in DECODERS} == before


@EVERY
@pytest.mark.parametrize("mtime", [OLD, 1.0], ids=["a time", "no time"])
def test_a_changed_file_gets_another_sidecar(root: Path, extension: str, mtime: float) -> None:
    """Also where size and time of the file are as before."""
    write_tree(root, {"a.txt": TEXT}, mtime)
    assert compress(root) == 0
    write_tree(root, {"a.txt": TEXT.upper()}, mtime)
    assert compress(root) == 0
    assert DECODERS[extension]((root / f"a.txt{extension}").read_bytes()) == TEXT.upper()


@EVERY
def test_a_right_sidecar_with_another_time_gets_that_of_its_file(
    root: Path, extension: str
) -> None:
    """As after a checkout, which gives every file the time at which it was written."""
    write_tree(root, {"a.txt": TEXT})
    assert compress(root) == 0
    sidecar = root / f"a.txt{extension}"
    os.utime(sidecar, (5, 5))
    inode, _ = looks(sidecar)
    assert compress(root, "--check") == 0
    assert sidecar.stat().st_mtime == 5
    assert compress(root) == 0
    assert looks(sidecar) == (inode, int(OLD * 10**9))


BROKEN = {
    "nothing": lambda data: b"",
    "cut": lambda data: data[:-3],
    "cut short": lambda data: data[:20],
    "noise": lambda data: NOISE,
    "more behind": lambda data: data + b"x",
}


@EVERY
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_sidecar_is_found_and_mended(root: Path, extension: str, how: str) -> None:
    write_tree(root, {"a.txt": TEXT})
    assert compress(root) == 0
    good = tree(root)
    write_tree(root, {f"a.txt{extension}": BROKEN[how](good[f"a.txt{extension}"])}, 7)
    assert compress(root, "--check") == 1
    assert compress(root) == 0
    assert tree(root) == good


@EVERY
@pytest.mark.parametrize("content", [TEXT + b"x", TEXT[:-1], b"", b"x" + TEXT[1:]])
def test_a_sidecar_of_other_content_is_found(root: Path, extension: str, content: bytes) -> None:
    write_tree(root, {"b.txt": content, "a.txt": TEXT})
    assert compress(root, "--min-size", "0") == 0
    if content:
        (root / f"b.txt{extension}").rename(root / f"a.txt{extension}")
        assert compress(root, "--check", "--min-size", "0") == 1


def test_a_bomb_costs_no_memory(root: Path) -> None:
    """What decodes to much more than its file is known for wrong early on."""
    write_tree(root, {"a.txt": TEXT})
    bombs = {
        ".br": brotli.compress(bytes(2**28), quality=1),
        ".zst": zstandard.compress(bytes(2**28)),
        ".gz": gzip.compress(bytes(2**28), 9),
    }
    write_tree(root, {f"a.txt{e}": bomb for e, bomb in bombs.items()}, 7)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (400 << 20,) * 2);"
        "from tinyhttp.commands.compress import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(root), "--check", "--jobs", "1"], check=False
    )
    assert done.returncode == 1
    assert compress(root) == 0
    for extension, decode in DECODERS.items():
        assert decode((root / f"a.txt{extension}").read_bytes()) == TEXT


@pytest.mark.parametrize(("content", "why"), [(TEXT[:100], "small"), (NOISE, "noise")])
def test_a_wrong_sidecar_that_is_not_wanted(
    root: Path, capsys: pytest.CaptureFixture[str], content: bytes, why: str
) -> None:
    write_tree(root, {"a.txt": TEXT})
    assert compress(root, "--codings", "gzip") == 0
    write_tree(root, {"a.txt": content})
    assert compress(root) == 1
    assert "wrong, and left: a.txt.gz; --prune removes it" in capsys.readouterr().out
    assert compress(root, "--check") == 1
    assert "stale: a.txt.gz" in capsys.readouterr().out
    assert compress(root, "--prune", "--check") == 1
    assert "a.txt.gz" in tree(root)
    assert compress(root, "--prune") == 0
    assert tree(root) == {"a.txt": content}


def test_a_check_looks_into_what_seems_right(root: Path) -> None:
    """As other programs copy the time of a file to what they make of another one."""
    write_tree(root, {"a.txt": TEXT})
    assert compress(root) == 0
    write_tree(root, {"a.txt.gz": gzip.compress(TEXT.upper())})
    assert compress(root, "--check") == 1


def test_a_right_sidecar_that_is_not_wanted(root: Path) -> None:
    write_tree(root, {"a.txt": TEXT[:200]})
    assert compress(root, "--min-size", "100") == 0
    before = tree(root)
    assert compress(root) == 0
    assert tree(root) == before
    assert compress(root, "--prune") == 0
    assert tree(root) == {"a.txt": TEXT[:200]}


def test_downloads_are_no_sidecars(root: Path) -> None:
    write_tree(root, {"src.tar.gz": TEXT, "dump.sql.zst": TEXT, "a.txt.br": TEXT})
    assert compress(root, "--prune") == 0
    assert len(tree(root)) == 3


def test_check_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(root, {"a.txt": TEXT, "noise.txt": NOISE})
    assert compress(root, "--check") == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("missing: ")] == [
        f"missing: a.txt{e}" for e in sorted(DECODERS, key=out.index)
    ]
    assert len(tree(root)) == 2
    assert compress(root) == 0
    assert compress(root, "--check") == 0


# Hostile trees.


def test_links(root: Path, tmp_path: Path) -> None:
    """Those inside get sidecars like files; nothing is read or written outside."""
    write_tree(tmp_path / "outside", {"secret.txt": TEXT, "x.txt": TEXT})
    write_tree(root, {"real/a.txt": TEXT, "own.txt": TEXT})
    (root / "b.txt").symlink_to("real/a.txt")
    (root / "out.txt").symlink_to(tmp_path / "outside/secret.txt")
    (root / "dir.txt").symlink_to("real")
    (root / "outdir").symlink_to(tmp_path / "outside")
    (root / "loop.txt").symlink_to("loop.txt")
    (root / "none.txt").symlink_to("nothing")
    (root / "real/up").symlink_to("..")
    assert compress(root, "--codings", "gzip") == 0
    assert len(tree(tmp_path / "outside")) == 2
    assert set(tree(root)) == {
        "real/a.txt", "real/a.txt.gz", "own.txt", "own.txt.gz", "b.txt.gz"
    }  # fmt: skip


@pytest.mark.parametrize("what", ["link out", "link in", "directory", "fifo"])
def test_something_else_in_the_way(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    write_tree(tmp_path, {"victim": "precious"})
    write_tree(root, {"a.txt": TEXT, "b.txt": TEXT})
    way = root / "a.txt.gz"
    if what == "directory":
        way.mkdir()
    elif what == "fifo":
        os.mkfifo(way)
    else:
        way.symlink_to(tmp_path / "victim" if what == "link out" else "b.txt")
    assert compress(root) == 1
    assert "is in the way" in capsys.readouterr().err
    assert (tmp_path / "victim").read_text() == "precious"
    assert (root / "b.txt").read_bytes() == TEXT
    assert (root / "b.txt.gz").is_file()
    assert (root / "a.txt.br").is_file()


def test_names_are_octets(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [b"new\nline.txt", b"\xff.txt", b"\x1b[2J.txt", b"-rf.txt", "ä.txt".encode()]
    for name in names:
        (root / os.fsdecode(name)).write_bytes(TEXT)
    os.mkfifo(root / "fifo.txt")
    assert compress(root, "--check") == 1
    out = capsys.readouterr().out
    assert "missing: new\\x0aline.txt.gz" in out
    assert "missing: \\xff.txt.br" in out
    assert "missing: \\x1b[2J.txt.zst" in out
    assert compress(root) == 0
    for name in names:
        for extension in DECODERS:
            assert (root / (os.fsdecode(name) + extension)).is_file()


def test_a_name_too_long_for_a_sidecar(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(root, {"a" * 251 + ".txt": TEXT})
    assert compress(root) == 1
    assert "File name too long" in capsys.readouterr().err
    assert len(tree(root)) == 1


@contextmanager
def unprivileged(path: Path) -> Iterator[None]:
    """Be nobody for a while, and own ``path``: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    for each in (path, *path.rglob("*")):
        os.chown(each, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_or_written(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.txt": TEXT, "b.txt": TEXT, "closed/c.txt": TEXT, "fixed/d.txt": TEXT})
    modes = {"a.txt": 0, "closed": 0, "fixed": 0o555}
    for name, mode in modes.items():
        (root / name).chmod(mode)
    monkeypatch.chdir(root)  # nobody may not come here from above
    try:
        with unprivileged(root):
            assert compress(Path()) == 1
    finally:
        for name in modes:
            (root / name).chmod(0o755)
    lines = capsys.readouterr().err.splitlines()
    refused = ("a.txt", "closed", "fixed/d.txt")
    assert sorted(lines) == [f"{name}: Permission denied" for name in refused]
    assert set(tree(root)) == {
        *("a.txt", "closed/c.txt", "fixed/d.txt"), "b.txt", *(f"b.txt{e}" for e in DECODERS)
    }  # fmt: skip


def test_a_file_that_fails_is_told_once(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.txt": TEXT, "b.txt": TEXT})
    real = os.pread
    broken = (root / "a.txt").stat().st_ino

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == broken:
            raise OSError(5, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert compress(root) == 1
    assert capsys.readouterr().err == "a.txt: Input/output error\n"
    assert set(tree(root)) == {"a.txt", "b.txt", *(f"b.txt{e}" for e in DECODERS)}


@pytest.mark.parametrize("how", ["longer", "shorter", "other"])
def test_a_file_that_changes_meanwhile(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    write_tree(root, {"a.txt": TEXT})
    real = os.pread
    times = count(1)

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        change = {"longer": TEXT * 2, "shorter": b"", "other": TEXT.upper()}[how]
        write_tree(root, {"a.txt": change}, OLD + next(times))
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert compress(root) == 1
    assert capsys.readouterr().err == "a.txt: it was changed meanwhile; run this again\n"
    assert set(tree(root)) == {"a.txt"}


# The end before the end.


def slow_run(root: Path) -> "subprocess.Popen[bytes]":
    """Start a run that takes its time, and return when it has begun to write."""
    words = random.Random(2)
    text = b" ".join(b"%x" % words.getrandbits(20) for _ in range(3_000_000))
    write_tree(root, {"a.txt": text})
    command = [sys.executable, "-m", "tinyhttp", "compress", str(root), "--codings", "br"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(list(root.iterdir())) == 1:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_leaves_nothing_behind(root: Path, number: signal.Signals, status: int) -> None:
    process = slow_run(root)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (status, b"")
    assert [path.name for path in root.iterdir()] == ["a.txt"]


def test_a_kill_leaves_nothing_that_would_be_served(root: Path) -> None:
    process = slow_run(root)
    process.kill()
    process.communicate(timeout=30)
    left = sorted(path.name for path in root.iterdir())
    assert len(left) == 2
    assert re.fullmatch(r"\.tinyhttp-[0-9a-f]{16}\.tmp", left[0])


# What is said.


def test_the_summary(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(root, {"a.txt": TEXT, "noise.txt": NOISE})
    assert compress(root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["coding", "sidecars", "before", "after", "share"]
    assert [line.split()[:2] for line in lines[1:4]] == [["br", "1"], ["zstd", "1"], ["gzip", "1"]]
    assert re.fullmatch(r"3 written, 3 not worth it; \d+\.\d s", lines[4])
    assert compress(root, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_nothing_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compress(root) == 0
    assert "no files to compress" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: DIR"),
        (["x", "--codings", "deflate"], "'deflate' is none of br, zstd and gzip"),
        (["x", "--level", "9"], "'9': fast, best or CODING=N is wanted"),
        (["x", "--level", "gzip=10"], "'gzip=10': a level from 1 to 9 is wanted"),
        (["x", "--level", "br=+1"], "a level from 0 to 11 is wanted"),
        (["x", "--jobs", "0"], "'0': a number from 1 to 999 is wanted"),
        (["x", "--min-size", "few"], "'few': octets are wanted"),
        (["x", "--also", "a/b"], "'a/b': an extension is wanted"),
        (["/nowhere/at/all"], "/nowhere/at/all: No such file or directory"),
    ],
)
def test_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(["compress", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_without_the_libraries(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("brotli", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    write_tree(root, {"a.txt": TEXT})
    assert compress(root, "--quiet") == 0
    assert set(tree(root)) == {"a.txt", "a.txt.gz"}
    assert capsys.readouterr().err.splitlines() == [
        f"tinyhttp compress: {coding} is left out: it needs the library {library} "
        "(pip install 'twisted-tinyhttp[compress]')"
        for coding, library in (("br", "brotli"), ("zstd", "zstandard"))
    ]
    assert compress(root, "--codings", "br") == 2


def test_progress_on_a_terminal(root: Path) -> None:
    write_tree(root, {f"{n}.txt": TEXT for n in range(5)})
    here, there = pty.openpty()
    command = [sys.executable, "-m", "tinyhttp", "compress", str(root)]
    subprocess.run(command, stderr=there, stdout=subprocess.DEVNULL, check=True)
    os.close(there)
    said = os.read(here, 65536)
    os.close(here)
    assert re.match(rb"\r\x1b\[Kcompress \[[#.]{20}\] \d+/15 \d\.txt", said)
    assert said.endswith(b"\r\x1b[K")
    assert b"\n" not in said
