"""What a directory shows: what would be served, and nothing else."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tinyhttp.core.listing import DEFAULT_VIEW, PER_PAGE, Listing, TooMany, View
from tinyhttp.core.path import SitePath
from tinyhttp.site import names as module
from tinyhttp.site.names import read_names
from tinyhttp.site.tree import Tree

from .conftest import Outcomes
from .test_files import unprivileged

ROOT = SitePath((), True)


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    opened = Tree(root)
    yield opened
    opened.close()


def found(tree: Tree, path: SitePath = ROOT, view: View = DEFAULT_VIEW, **options: Any) -> Listing:
    with tree.directory(path.segments) as place:
        listing = read_names(place, path, view, **options)
    assert isinstance(listing, Listing)
    return listing


def shown(
    tree: Tree, path: SitePath = ROOT, view: View = DEFAULT_VIEW, **options: Any
) -> list[str]:
    """Return the names in order, those of directories with a slash."""
    listing = found(tree, path, view, **options)
    assert listing.directories == sum(entry.is_directory for entry in listing.entries)
    assert listing.total == len(listing.entries)
    return [os.fsdecode(one.name) + "/" * one.is_directory for one in listing.entries]


def write(path: Path, size: int = 0, modified: int = 1000) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (modified, modified))
    return path


def test_an_empty_directory(tree: Tree) -> None:
    assert found(tree) == Listing(ROOT, View())


def test_what_is_told_of_each(root: Path, tree: Tree) -> None:
    write(root / "a.txt", size=7)
    (root / "sub").mkdir()
    os.utime(root / "sub", (2000, 2000))
    listing = found(tree)
    assert listing.entries == [(b"sub", True, 0, 2000), (b"a.txt", False, 7, 1000)]
    assert (listing.directories, listing.files) == (1, 1)


@pytest.mark.parametrize(
    ("view", "names"),
    [
        pytest.param(View(), ["B/", "d/", "a2", "A3", "a10"], id="name"),
        pytest.param(View("name", True), ["d/", "B/", "a10", "A3", "a2"], id="name, downwards"),
        pytest.param(View("size"), ["B/", "d/", "A3", "a10", "a2"], id="size"),
        pytest.param(View("size", True), ["B/", "d/", "a2", "A3", "a10"], id="size, downwards"),
        pytest.param(View("time"), ["d/", "B/", "a10", "A3", "a2"], id="time"),
        pytest.param(View("time", True), ["B/", "d/", "a2", "A3", "a10"], id="time, downwards"),
    ],
)
def test_order(root: Path, tree: Tree, view: View, names: list[str]) -> None:
    """Directories come first, whatever the order."""
    for name, modified in (("B", 9000), ("d", 8000)):
        (root / name).mkdir()
        os.utime(root / name, (modified, modified))
    for name, size, modified in (("a2", 9, 300), ("A3", 5, 200), ("a10", 5, 100)):
        write(root / name, size, modified)
    assert shown(tree, view=view) == names


def test_hidden_names_are_not_shown(root: Path, tree: Tree) -> None:
    for name in (".git", ".well-known", "sub"):
        (root / name).mkdir()
    for name in (".env", "..x", "a"):
        write(root / name)
    assert shown(tree) == ["sub/", "a"]
    everything = shown(tree, is_shown=lambda name: True)
    assert sorted(everything) == ["..x", ".env", ".git/", ".well-known/", "a", "sub/"]


def test_who_serves_decides_what_is_shown(root: Path, tree: Tree) -> None:
    write(root / "a")
    write(root / "_headers")
    assert shown(tree, is_shown=lambda name: name != b"_headers") == ["a"]


def test_what_is_neither_file_nor_directory_is_not_shown(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # the path of a socket must be short
    write(root / "a")
    os.mkfifo(root / "fifo")
    (root / "to-fifo").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert shown(tree) == ["a"]


def make_links(root: Path, outside: Path) -> None:
    (root / "sub").mkdir()
    write(root / "sub" / "b.txt", size=3)
    for name, target in (
        *(
            ("file", "sub/b.txt"),
            ("dir", "sub"),
            ("slash", "sub/"),
            ("self", "."),
            ("twice", "dir"),
        ),
        *(("absolute", root / "sub"), ("through", "dir/b.txt"), ("round", "sub/../sub/b.txt")),
        *(("out", outside), ("secret", outside / "secret.txt"), ("up", ".."), ("proc", "/proc")),
        *(("nowhere", "nothing"), ("loop", "loop"), ("file-slash", "sub/b.txt/x")),
    ):
        (root / name).symlink_to(target)


def test_links_are_shown_if_they_would_be_served(root: Path, outside: Path, tree: Tree) -> None:
    make_links(root, outside)
    assert shown(tree) == [
        *("absolute/", "dir/", "self/", "slash/", "sub/", "twice/", "file", "round", "through"),
    ]


def test_a_link_is_told_of_as_what_it_leads_to(root: Path, outside: Path, tree: Tree) -> None:
    make_links(root, outside)
    told = {entry.name: entry for entry in found(tree).entries}
    assert told[b"file"] == (b"file", False, 3, 1000)
    assert told[b"self"].modified is not None


def test_links_that_may_lead_anywhere(root: Path, outside: Path) -> None:
    make_links(root, outside)
    tree = Tree(root, follow_links=True)
    names = shown(tree)
    tree.close()
    assert {"out/", "secret", "up/", "proc/", "dir/", "file"} <= set(names)
    assert not {"nowhere", "loop", "file-slash"} & set(names)


@pytest.mark.parametrize("view", [View(), View("size")])
def test_what_is_shown_is_what_is_served(root: Path, outside: Path, tree: Tree, view: View) -> None:
    """By the same rules as `open_file` and `is_directory`."""
    make_links(root, outside)
    with tree.directory(()) as place:
        for entry in found(tree, view=view).entries:
            if entry.is_directory:
                assert place.is_directory(entry.name)
            else:
                descriptor = place.open_file(entry.name)
                assert descriptor is not None
                assert os.fstat(descriptor).st_size == entry.size
                os.close(descriptor)


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"\xed\xa0\x80", b"a\nb", b"\"<b>&'", "é☃".encode(), b"x" * 255, b"\\"]
)
def test_names_are_octets(root: Path, tree: Tree, name: bytes) -> None:
    descriptor = os.open(os.fsencode(root) + b"/" + name, os.O_CREAT | os.O_WRONLY)
    os.close(descriptor)
    assert [entry.name for entry in found(tree).entries] == [name]


def test_in_a_directory_below(root: Path, tree: Tree) -> None:
    (root / "a" / "b").mkdir(parents=True)
    write(root / "a" / "b" / "c")
    path = SitePath((b"a", b"b"), True)
    assert shown(tree, path) == ["c"]
    assert found(tree, path).path == path


def test_the_right_to_pass_is_not_the_right_to_list(root: Path, tree: Tree) -> None:
    (root / "sub").mkdir(mode=0o311)
    with unprivileged(), pytest.raises(PermissionError):
        found(tree, SitePath((b"sub",), True))


def fill(root: Path, directories: int, files: int) -> None:
    for n in range(directories):
        (root / f"d{n}").mkdir()
    for n in range(files):
        os.close(os.open(root / f"f{n}", os.O_CREAT | os.O_WRONLY))


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three."""
    monkeypatch.setattr("tinyhttp.core.listing.PER_PAGE", 3)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("sort", ["name", "size", "time"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("directories", "files"), [(0, 7), (7, 0), (2, 5), (3, 3), (4, 4), (1, 1)])
def test_pages(
    root: Path, tree: Tree, sort: str, descending: bool, directories: int, files: int
) -> None:
    """One behind the other they make the whole."""
    fill(root, directories, files)
    pages = [found(tree, view=View(sort, descending, page)) for page in (1, 2, 3)]
    pages = pages[: pages[0].pages]
    assert [len(page.entries) for page in pages[:-1]] == [3] * (len(pages) - 1)
    names = [entry.name.decode() for page in pages for entry in page.entries]
    numbers = list(range(directories)), list(range(files))
    if descending and sort == "name":
        numbers = numbers[0][::-1], numbers[1][::-1]
    if sort != "time":
        assert names == [f"d{n}" for n in numbers[0]] + [f"f{n}" for n in numbers[1]]
    assert sorted(names) == sorted(f"d{n}" for n in numbers[0]) + sorted(
        f"f{n}" for n in numbers[1]
    )
    assert {(page.directories, page.files) for page in pages} == {(directories, files)}


@pytest.mark.usefixtures("small_pages")
def test_a_page_that_is_not_there(root: Path, tree: Tree) -> None:
    fill(root, 0, 4)
    listing = found(tree, view=View(page=99))
    assert (listing.view.page, listing.pages) == (2, 2)
    assert [entry.name for entry in listing.entries] == [b"f3"]


def read(tree: Tree, **options: Any) -> Listing | TooMany:
    with tree.directory(()) as place:
        return read_names(place, ROOT, View(), **options)


def test_more_than_the_limit_is_no_listing(root: Path, tree: Tree) -> None:
    fill(root, 2, 3)
    assert isinstance(read(tree, limit=5), Listing)
    assert read(tree, limit=4) == TooMany()


def test_names_that_are_not_shown_count(root: Path, tree: Tree) -> None:
    """As they have to be read."""
    for n in range(5):
        write(root / f".{n}")
    assert read(tree, limit=4) == TooMany()


def test_links_have_a_limit_of_their_own(root: Path, tree: Tree) -> None:
    for n in range(3):
        (root / f"{n}").symlink_to("nowhere")
    assert isinstance(read(tree, links=3), Listing)
    assert isinstance(read(tree, links=2), TooMany)


def test_by_name_only_the_page_is_looked_at(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, 0, PER_PAGE + 200)
    looks = 0

    def counted(look: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal looks
            looks += 1
            return look(*args, **kwargs)

        return counting

    monkeypatch.setattr(module, "_entry", counted(module._entry))
    assert len(found(tree).entries) == PER_PAGE
    assert looks == PER_PAGE
    assert len(found(tree, view=View(page=2)).entries) == 200


class Disk:
    """Lets ``stat`` of a name fail, or do something before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: bytes, act: Callable[[], None]):
        real = os.stat

        def stat(path: Any, **options: Any) -> os.stat_result:
            if path == name:
                act()
            return real(path, **options)

        monkeypatch.setattr(os, "stat", stat)


def failing(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("view", [View(), View("size")])
def test_a_name_that_goes_meanwhile_is_left_out(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch, view: View
) -> None:
    fill(root, 0, 3)
    Disk(monkeypatch, b"f1", (root / "f1").unlink)
    assert [entry.name for entry in found(tree, view=view).entries] == [b"f0", b"f2"]


def test_a_name_that_becomes_a_fifo_meanwhile_is_left_out(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, 0, 2)

    def swap() -> None:
        (root / "f1").unlink()
        os.mkfifo(root / "f1")

    Disk(monkeypatch, b"f1", swap)
    assert [entry.name for entry in found(tree).entries] == [b"f0"]


@pytest.mark.parametrize("before", ["file", "link"])
@pytest.mark.parametrize("view", [View(), View("size")])
def test_a_name_that_comes_to_lead_outside_meanwhile_tells_nothing_of_there(
    root: Path, outside: Path, tree: Tree, outcomes: Outcomes, before: str, view: View
) -> None:
    write(root / "a.txt", size=1)
    victim = root / "victim"

    def prepare() -> None:
        victim.unlink(missing_ok=True)
        if before == "link":
            victim.symlink_to("a.txt")
        else:
            write(victim, size=1)

    def change() -> None:
        victim.unlink()
        victim.symlink_to(outside / "secret.txt")

    results = outcomes(prepare, change, lambda: found(tree, view=view).entries)
    sizes = [{entry.name: entry.size for entry in entries} for entries in results]
    assert sizes[0] == {b"a.txt": 1} or before == "file"
    assert sizes[-1] == {b"a.txt": 1, b"victim": 1}
    assert all(each in ({b"a.txt": 1}, sizes[-1]) for each in sizes)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ELOOP])
def test_one_bad_name_does_not_spoil_the_rest(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fill(root, 0, 2)
    Disk(monkeypatch, b"f0", failing(number))
    assert [entry.name for entry in found(tree).entries] == [b"f1"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_exhaustion_is_told(
    root: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Else the page would seem complete."""
    fill(root, 0, 2)
    Disk(monkeypatch, b"f0", failing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        found(tree)


def test_a_directory_that_has_gone(root: Path, tree: Tree) -> None:
    (root / "sub").mkdir()
    with tree.directory((b"sub",)) as place:
        (root / "sub").rmdir()
        try:
            listing = read_names(place, ROOT, View())
        except FileNotFoundError:
            return
    assert isinstance(listing, Listing)
    assert listing.total == 0


@given(
    st.dictionaries(
        st.text("ab.~", min_size=1, max_size=4).filter(lambda name: name not in (".", "..")),
        st.sampled_from(["file", "directory", "fifo", "..", ".", "a", "b/a", "/", "a/../b"]),
        max_size=6,
    ),
)
def test_whatever_a_tree_holds_what_is_shown_is_there(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name, kind in content.items():
        path = root / name
        if kind == "file":
            path.touch()
        elif kind == "directory":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(kind)
    tree = Tree(root)
    names = shown(tree)
    tree.close()
    expected = [
        path.name + "/" * path.is_dir()
        for path in root.iterdir()
        if not path.name.startswith(".")
        and (path.is_file() or path.is_dir())
        and path.resolve().is_relative_to(root.resolve())
    ]
    assert sorted(names) == sorted(expected)
