"""Every file beneath the root, once, whatever lies about there."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import write_tree
from tinyhttp.site.tree import Tree
from tinyhttp.site.walk import Names, walk


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    tree = Tree(root)
    yield tree
    tree.close()


def names(tree: Tree, *, hidden_files: bool = False) -> list[bytes]:
    """Return what is met without any trouble."""
    trouble: list[tuple[Names, OSError]] = []
    met = walk(tree, lambda way, error: trouble.append((way, error)), hidden_files=hidden_files)
    found = [b"/".join(each) for each in met]
    assert trouble == []
    return found


def test_an_empty_tree(tree: Tree) -> None:
    assert names(tree) == []


def test_in_the_order_of_names(tree: Tree, root: Path) -> None:
    write_tree(root, {"b/y": "", "b/x": "", "a/z/1": "", "c": "", "a0": "", "B": ""})
    assert names(tree) == [b"B", b"a0", b"c", b"a/z/1", b"b/x", b"b/y"]


def test_hidden_names(tree: Tree, root: Path) -> None:
    write_tree(root, {".git/config": "", "a/.x": "", ".well-known/y": "", "a/.well-known/z": ""})
    assert names(tree) == [b".well-known/y"]
    assert len(names(tree, hidden_files=True)) == 4


def test_names_are_octets(tree: Tree, root: Path) -> None:
    for name in (b"new\nline", b"\xff", b"\x1b[2J", "ä".encode()):
        (root / os.fsdecode(name)).write_text("")
    assert names(tree) == sorted([b"new\nline", b"\xff", b"\x1b[2J", "ä".encode()])


def test_links_are_met_and_never_entered(tree: Tree, root: Path, outside: Path) -> None:
    write_tree(root, {"a/file": ""})
    (root / "a/up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "out").symlink_to(outside)
    (root / "nowhere").symlink_to("nothing")
    assert names(tree) == [b"nowhere", b"out", b"self", b"a/file", b"a/up"]


def test_what_is_no_file_is_left_out(tree: Tree, root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "s"))
        assert names(tree) == []


def test_a_very_deep_tree(tree: Tree, root: Path) -> None:
    """Deeper than a path may be long."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(600):
        os.mkdir(b"deeper", dir_fd=here)
        below = os.open(b"deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=here))
    os.close(here)
    assert names(tree) == [b"deeper/" * 600 + b"file"]


def test_a_directory_that_can_not_be_read(
    tree: Tree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a/x": "", "b/y": ""})
    real = os.open

    def no_a(path: object, *args: object, **kwargs: object) -> int:
        if path == b"a":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", no_a)
    reported = []
    found = list(walk(tree, lambda way, error: reported.append((way, error.errno))))
    assert found == [(b"b", b"y")]
    assert reported == [((b"a",), 13)]
