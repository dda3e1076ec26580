"""Whatever lies in the tree, and whatever changes meanwhile, nothing outside it is ever opened."""

import errno
import os
import resource
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from tinyhttp.site.tree import Outside, Tree

from .conftest import Outcomes, open_numbers

OpenTree: TypeAlias = Callable[..., Tree]


@pytest.fixture
def open_tree(root: Path) -> Iterator[OpenTree]:
    """Return a function that opens the root, which is closed when the test ends."""
    trees = []

    def opened(path: str | bytes | Path = root, **options: bool) -> Tree:
        trees.append(Tree(path, **options))
        return trees[-1]

    yield opened
    for tree in trees:
        tree.close()


@pytest.fixture
def tree(root: Path, outside: Path, open_tree: OpenTree) -> Tree:
    """A small tree, with a secret beside it."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("A")
    (root / "sub" / "b.txt").write_text("B")
    (root / "sub" / "deep" / "c.txt").write_text("C")
    return open_tree()


@pytest.fixture
def watchdog() -> Iterator[None]:
    """Fail where a call would block for ever."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it blocks")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, 10)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def read(tree: Tree, path: str | bytes) -> bytes | None:
    """Return the content of the file at ``path``, ``None`` if that is no regular file."""
    *way, name = os.fsencode(path).split(b"/")
    with tree.directory(way) as place:
        descriptor = place.open_file(name)
    if descriptor is None:
        return None
    try:
        return os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


def read_if_there(tree: Tree, path: str | bytes) -> bytes | None:
    """Return the content of the file at ``path``, ``None`` if there is none for whatever reason."""
    try:
        return read(tree, path)
    except OSError:
        return None


# Walking down


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.txt", b"A"),
        ("sub/b.txt", b"B"),
        ("sub/deep/c.txt", b"C"),
    ],
)
def test_files(tree: Tree, path: str, content: bytes) -> None:
    assert read(tree, path) == content


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("none.txt", FileNotFoundError),
        ("none/a.txt", FileNotFoundError),
        ("sub/none/c.txt", FileNotFoundError),
        ("a.txt/b.txt", NotADirectoryError),
        ("sub/b.txt/deep/c.txt", NotADirectoryError),
    ],
)
def test_what_is_not_there(tree: Tree, path: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        read(tree, path)


@pytest.mark.parametrize("path", ["x" * 256, "x" * 5000, "x" * 256 + "/a.txt"])
def test_names_that_are_too_long(tree: Tree, path: str) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        read(tree, path)
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"\xff\xfe\x80", id="not UTF-8"),
        pytest.param("näme".encode(), id="UTF-8"),
        pytest.param(b"back\\slash", id="backslash"),
        pytest.param(b"..\\a.txt", id="dots and a backslash"),
        pytest.param(b"line\nfeed", id="line feed"),
        pytest.param(b"...", id="three dots"),
        pytest.param(b" ", id="space"),
        pytest.param(b"%2e%2e", id="escapes are undone elsewhere"),
        pytest.param(b"x" * 255, id="the longest"),
    ],
)
def test_names_are_octets(tree: Tree, root: Path, name: bytes) -> None:
    directory = os.path.join(os.fsencode(root), name)
    os.mkdir(directory)
    Path(os.fsdecode(os.path.join(directory, name))).write_text("N")
    assert read(tree, name + b"/" + name) == b"N"


def test_a_tree_deeper_than_a_path_may_be_long(open_tree: OpenTree, root: Path) -> None:
    """PATH_MAX bounds what is handed to the system at once; names go one by one."""
    name = b"d" * 250
    here = os.open(root, os.O_RDONLY)
    for _ in range(20):  # 5020 octets
        os.mkdir(name, dir_fd=here)
        above, here = here, os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(above)
    os.symlink(b"/".join([b".."] * 20 + [b"a.txt"]), b"link", dir_fd=here)
    os.close(here)
    (root / "a.txt").write_text("A")
    assert read(open_tree(), b"/".join([name] * 20 + [b"link"])) == b"A"


@pytest.mark.parametrize("path", ["sub", "sub/deep"])
def test_a_directory_is_no_file(tree: Tree, path: str) -> None:
    assert read(tree, path) is None


def test_a_descriptor_is_not_passed_on_to_other_programs(tree: Tree) -> None:
    with tree.directory(()) as place:
        descriptor = place.open_file(b"a.txt")
    assert descriptor is not None
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_files_outlive_the_tree_that_they_were_opened_in(root: Path) -> None:
    (root / "a.txt").write_text("A")
    tree = Tree(root)
    with tree.directory(()) as place:
        descriptor = place.open_file(b"a.txt")
    tree.close()
    assert descriptor is not None
    assert os.pread(descriptor, 9, 0) == b"A"
    os.close(descriptor)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub", True),
        ("a.txt", False),
        ("none", False),
        ("pipe", False),
        ("link-to-sub", True),
        ("link-to-file", False),
        ("dangling", False),
    ],
)
@pytest.mark.usefixtures("watchdog")
def test_is_directory(tree: Tree, root: Path, name: str, expected: bool) -> None:
    os.mkfifo(root / "pipe")
    (root / "link-to-sub").symlink_to("sub/deep/..")
    (root / "link-to-file").symlink_to("a.txt")
    (root / "dangling").symlink_to("none")
    with tree.directory(()) as place:
        assert place.is_directory(os.fsencode(name)) is expected
        assert place.is_directory(os.fsencode(name)) is expected, "looking moves nothing"


# The root


def test_the_root_may_be_a_link(tmp_path: Path, tree: Tree, open_tree: OpenTree) -> None:
    (tmp_path / "alias").symlink_to("root")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root" / "a.txt")
    (tmp_path / "root" / "out").symlink_to(tmp_path / "outside" / "secret.txt")
    aliased = open_tree(tmp_path / "alias")
    assert read(aliased, "sub/b.txt") == b"B"
    assert read(aliased, "link") == b"A"
    with pytest.raises(Outside):
        read(aliased, "out")


def test_the_root_may_be_relative(
    root: Path, tree: Tree, open_tree: OpenTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "link").symlink_to(root / "a.txt")
    monkeypatch.chdir(root.parent)
    relative = open_tree("root")
    monkeypatch.chdir("/")
    assert read(relative, "a.txt") == b"A"
    assert read(relative, "link") == b"A"


def test_the_root_may_be_the_root_of_the_system(
    root: Path, tree: Tree, open_tree: OpenTree
) -> None:
    (root / "link").symlink_to(root / "sub" / "b.txt")
    everything = open_tree("/")
    assert read(everything, os.fsencode(root / "a.txt")[1:]) == b"A"
    assert read(everything, os.fsencode(root / "link")[1:]) == b"B"


@pytest.mark.parametrize(
    ("name", "error"), [("none", FileNotFoundError), ("a.txt", NotADirectoryError)]
)
def test_what_can_not_be_the_root(root: Path, tree: Tree, name: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        Tree(root / name)


def test_a_root_that_is_renamed_is_the_root_still(root: Path, tree: Tree) -> None:
    root.rename(root.parent / "elsewhere")
    (root.parent / "root").symlink_to("outside")
    assert read(tree, "sub/b.txt") == b"B"
    with pytest.raises(FileNotFoundError):
        read(tree, "secret.txt")


# Symbolic links. In a target {root} and {outside} stand for the absolute paths.

INSIDE = [
    pytest.param("link", "a.txt", b"A", id="beside it"),
    pytest.param("link", "./a.txt", b"A", id="with a dot"),
    pytest.param("link", "sub/b.txt", b"B", id="further down"),
    pytest.param("link", "sub//deep///c.txt", b"C", id="with empty names"),
    pytest.param("link", "sub/../a.txt", b"A", id="down and up"),
    pytest.param("link", "sub/deep/../../sub/b.txt", b"B", id="up and down"),
    pytest.param("sub/link", "../a.txt", b"A", id="up to the root"),
    pytest.param("sub/deep/link", "../../sub/b.txt", b"B", id="up to the root and down"),
    pytest.param("sub/link", "../sub/./../a.txt", b"A", id="with everything"),
    pytest.param("link", "{root}/a.txt", b"A", id="absolute"),
    pytest.param("sub/deep/link", "{root}/a.txt", b"A", id="absolute, from below"),
    pytest.param("link", "{root}//sub//b.txt", b"B", id="absolute, with empty names"),
    pytest.param("link", "{root}/./sub/../a.txt", b"A", id="absolute, with dots"),
]

OUTSIDE = [
    pytest.param("link", "../outside/secret.txt", id="relative"),
    pytest.param("sub/link", "../../outside/secret.txt", id="relative, from below"),
    pytest.param("link", "sub/../../outside/secret.txt", id="down and up too far"),
    pytest.param("link", "{outside}/secret.txt", id="absolute"),
    pytest.param("sub/deep/link", "{outside}/secret.txt", id="absolute, from below"),
    pytest.param("link", "{root}/../outside/secret.txt", id="absolute, up again"),
    pytest.param("link", "{root}-evil/secret.txt", id="a name that begins like the root's"),
    pytest.param("link", "../root-evil/secret.txt", id="that name, relative"),
    pytest.param("link", "/etc/passwd", id="the system's"),
    pytest.param("link", "//etc/passwd", id="the system's, two slashes"),
    pytest.param("link", "/", id="the root of the system"),
    pytest.param("link", "../none", id="to nothing: no oracle for names outside"),
    pytest.param("link", "/none", id="to nothing, absolute"),
    pytest.param("link", "../root/a.txt", id="out and in again"),
    pytest.param("link", "{root}/../root/a.txt", id="out and in again, absolute"),
    pytest.param("link", "{outside}/back/a.txt", id="in again through a link outside"),
]


def link(root: Path, name: str, target: str) -> None:
    outside = root.parent / "outside"
    (root / name).symlink_to(target.format(root=root, outside=outside))


@pytest.fixture
def beside(root: Path, outside: Path) -> None:
    """More beside the root: a directory whose name begins like the root's, and a way back in."""
    (root.parent / "root-evil").mkdir()
    (root.parent / "root-evil" / "secret.txt").write_text("SECRET")
    (outside / "back").symlink_to(root)


@pytest.mark.parametrize(("name", "target", "content"), INSIDE)
def test_links_that_stay_inside(
    tree: Tree, root: Path, name: str, target: str, content: bytes
) -> None:
    link(root, name, target)
    assert (root / name).read_bytes() == content, "the system follows this link"
    assert read(tree, name) == content


@pytest.mark.parametrize(("name", "target"), OUTSIDE)
@pytest.mark.usefixtures("beside")
def test_links_that_leave(tree: Tree, root: Path, name: str, target: str) -> None:
    link(root, name, target)
    if not target.endswith("none"):
        assert (root / name).exists(), "the system follows this link"
    with pytest.raises(Outside):
        read(tree, name)


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "sub/../..",
        "../outside",
        "{outside}",
        "{outside}/",
        "{root}-evil",
        "..//outside/.",
        "sub/../../outside",
        "{outside}/back/../outside",
    ],
)
@pytest.mark.usefixtures("beside")
def test_links_to_directories_outside(tree: Tree, root: Path, target: str) -> None:
    link(root, "link", target)
    with pytest.raises(Outside):
        read(tree, "link/secret.txt")
    with pytest.raises(Outside):
        read(tree, "link/none.txt")
    with tree.directory(()) as place, pytest.raises(Outside):
        place.is_directory(b"link")


@pytest.mark.parametrize(
    ("name", "target", "path", "content"),
    [
        ("link", "sub", "link/b.txt", b"B"),
        ("link", "sub/", "link/b.txt", b"B"),
        ("link", "./sub/deep/..", "link/b.txt", b"B"),
        ("link", ".", "link/a.txt", b"A"),
        ("link", ".", "link/link/link/sub/b.txt", b"B"),
        ("link", "{root}", "link/a.txt", b"A"),
        ("link", "{root}/", "link/a.txt", b"A"),
        ("link", "{root}/sub/deep", "link/c.txt", b"C"),
        ("sub/link", "..", "sub/link/a.txt", b"A"),
        ("sub/link", "..", "sub/link/sub/link/sub/b.txt", b"B"),
        ("sub/deep/link", "{root}/sub", "sub/deep/link/b.txt", b"B"),
    ],
)
def test_links_to_directories_inside(
    tree: Tree, root: Path, name: str, target: str, path: str, content: bytes
) -> None:
    link(root, name, target)
    assert read(tree, path) == content


@pytest.mark.parametrize("target", ["sub", "sub/", "sub/.", "sub/..", ".", "{root}", "{root}/"])
def test_a_link_to_a_directory_is_no_file(tree: Tree, root: Path, target: str) -> None:
    link(root, "link", target)
    assert read(tree, "link") is None


@pytest.mark.parametrize("target", ["none", "none/a.txt", "sub/none", "{root}/none"])
def test_dangling_links(tree: Tree, root: Path, target: str) -> None:
    link(root, "link", target)
    with pytest.raises(FileNotFoundError):
        read(tree, "link")


@pytest.mark.parametrize("target", ["a.txt/", "a.txt/.", "a.txt/..", "a.txt/../a.txt", "a.txt/b"])
def test_a_file_is_not_passed_through(tree: Tree, root: Path, target: str) -> None:
    link(root, "link", target)
    assert not (root / "link").exists(), "the system does not follow this link"
    assert read_if_there(tree, "link") is None


def test_a_link_that_led_through_a_directory_is_relative_to_where_that_really_is(
    tree: Tree, root: Path
) -> None:
    """``/short/../a.txt`` is not ``/a.txt`` where ``/short`` is a link to ``/sub/deep``."""
    (root / "sub" / "a.txt").write_text("A in sub")
    link(root, "short", "sub/deep")
    link(root, "link", "short/../a.txt")
    assert (root / "link").read_bytes() == b"A in sub"
    assert read(tree, "link") == b"A in sub"


def test_chains(tree: Tree, root: Path) -> None:
    link(root, "first", "sub/second")
    link(root, "sub/second", "deep/third")
    link(root, "sub/deep/third", "{root}/fourth")
    link(root, "fourth", "sub/b.txt")
    assert read(tree, "first") == b"B"


def test_a_chain_is_as_good_as_its_worst_link(tree: Tree, root: Path) -> None:
    link(root, "first", "sub/second")
    link(root, "sub/second", "../third")
    link(root, "third", "../outside/secret.txt")
    with pytest.raises(Outside):
        read(tree, "first")


@pytest.mark.usefixtures("beside")
def test_what_lies_beyond_a_link_outside_is_never_looked_at(tree: Tree, root: Path) -> None:
    link(root, "link", "../outside/back/sub")
    assert (root / "link" / "b.txt").read_bytes() == b"B", "the system follows this link"
    with pytest.raises(Outside):
        read(tree, "link/b.txt")


@pytest.mark.parametrize(("links", "content"), [(1, b"A"), (39, b"A"), (40, b"A"), (41, None)])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_as_many_links_are_followed_as_linux_follows(
    tree: Tree, root: Path, links: int, content: bytes | None, absolute: bool
) -> None:
    link(root, "0", "a.txt")
    for number in range(1, links):
        link(root, str(number), f"{root}/{number - 1}" if absolute else f"{number - 1}")
    if content is None:
        with pytest.raises(Outside):
            read(tree, str(links - 1))
    else:
        assert read(tree, str(links - 1)) == content


@pytest.mark.parametrize(("links", "content"), [(40, b"B"), (41, None)])
def test_links_on_the_way_count_together(
    tree: Tree, root: Path, links: int, content: bytes | None
) -> None:
    link(root, "sub/again", "../sub")
    link(root, "sub/file", "b.txt")
    path = "sub/" + "again/" * (links - 1) + "file"
    if content is None:
        with pytest.raises(Outside):
            read(tree, path)
    else:
        assert read(tree, path) == content


@pytest.mark.parametrize(
    "links",
    [
        pytest.param({"link": "link"}, id="itself"),
        pytest.param({"link": "./sub/../link"}, id="itself by a detour"),
        pytest.param({"link": "{root}/link"}, id="itself, absolute"),
        pytest.param({"link": "other", "other": "link"}, id="two"),
        pytest.param({"link": "sub/other", "sub/other": "../link"}, id="two, by directories"),
        pytest.param({"link": "link/link"}, id="growing"),
        pytest.param({"link": "link/../link/../link"}, id="growing faster"),
    ],
)
@pytest.mark.usefixtures("watchdog")
def test_loops_end(tree: Tree, root: Path, links: dict[str, str]) -> None:
    for name, target in links.items():
        link(root, name, target)
    with pytest.raises(Outside):
        read(tree, "link")
    with pytest.raises(Outside):
        read(tree, "link/a.txt")
    with tree.directory(()) as place, pytest.raises(Outside):
        place.is_directory(b"link")


@pytest.mark.parametrize(
    ("target", "path", "content"),
    [
        ("a.txt", "link", b"A"),
        ("../outside/secret.txt", "link", b"SECRET"),
        ("{outside}/secret.txt", "link", b"SECRET"),
        ("{outside}", "link/secret.txt", b"SECRET"),
        ("../outside", "link/secret.txt", b"SECRET"),
        ("{outside}/back", "link/sub/b.txt", b"B"),
        ("{outside}", "link", None),
    ],
)
@pytest.mark.usefixtures("beside")
def test_links_may_lead_anywhere_if_that_is_wanted(
    open_tree: OpenTree, tree: Tree, root: Path, target: str, path: str, content: bytes | None
) -> None:
    link(root, "link", target)
    assert read(open_tree(follow_links=True), path) == content


def test_links_are_bounded_even_so(open_tree: OpenTree, root: Path) -> None:
    link(root, "link", "link")
    link(root, "dangling", "none")
    tree = open_tree(follow_links=True)
    with pytest.raises(OSError, match="symbolic links"):
        read(tree, "link")
    with pytest.raises(FileNotFoundError):
        read(tree, "dangling")
    with tree.directory(()) as place:
        assert not place.is_directory(b"dangling")


# What is neither file nor directory


@pytest.fixture(params=["FIFO", "socket", "character device", "block device"])
def special(root: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file called "special" that is not regular."""
    monkeypatch.chdir(root)  # the path of a socket must be short
    make_special("special", request.param)
    return "special"


def make_special(path: str, kind: str) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
    else:
        null, loop = os.makedev(1, 3), os.makedev(7, 0)
        mode, device = (stat.S_IFCHR, null) if kind == "character device" else (stat.S_IFBLK, loop)
        try:
            os.mknod(path, mode | 0o666, device)
        except PermissionError:
            pytest.skip("only root may make a device")


@pytest.mark.parametrize("follow_links", [False, True], ids=["links inside", "links anywhere"])
@pytest.mark.usefixtures("watchdog")
def test_special_files_are_not_opened(
    open_tree: OpenTree,
    root: Path,
    special: str,
    follow_links: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opening alone has an effect: a FIFO lets its writer go on, a tape rewinds."""
    system_open = os.open

    def jam(path: Any, *args: Any, **kwargs: Any) -> int:
        if os.fsencode(path).endswith(b"special"):
            raise OSError(errno.EIO, "the tape is torn")
        return system_open(path, *args, **kwargs)

    link(root, "link", special)
    tree = open_tree(follow_links=follow_links)
    monkeypatch.setattr(os, "open", jam)
    assert read(tree, special) is None
    assert read(tree, "link") is None


@pytest.mark.parametrize("follow_links", [False, True], ids=["links inside", "links anywhere"])
@pytest.mark.usefixtures("watchdog")
def test_special_files_are_no_directories(
    open_tree: OpenTree, special: str, follow_links: bool
) -> None:
    tree = open_tree(follow_links=follow_links)
    with tree.directory(()) as place:
        assert not place.is_directory(os.fsencode(special))
    with pytest.raises(NotADirectoryError):
        read(tree, special + "/a.txt")


# What changes meanwhile. Each change is tried at every moment: see the fixture ``outcomes``.


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for each in path.iterdir():
            remove(each)
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()


REPLACEMENTS: list[Any] = [
    pytest.param(lambda p: p.symlink_to("../outside/secret.txt"), None, id="link outside"),
    pytest.param(
        lambda p: p.symlink_to(p.parents[1] / "outside/secret.txt"),
        None,
        id="absolute link outside",
    ),
    pytest.param(lambda p: p.symlink_to("sub/b.txt"), b"B", id="link inside"),
    pytest.param(lambda p: p.write_text("N"), b"N", id="a new file"),
    pytest.param(lambda p: p.mkdir(), None, id="a directory"),
    pytest.param(lambda p: make_special(os.path.relpath(p), "FIFO"), None, id="a FIFO"),
    pytest.param(lambda p: make_special(os.path.relpath(p), "socket"), None, id="a socket"),
    pytest.param(
        lambda p: make_special(os.path.relpath(p), "character device"), None, id="a device"
    ),
    pytest.param(lambda p: None, None, id="nothing"),
]


@pytest.mark.parametrize(("replace", "content"), REPLACEMENTS)
@pytest.mark.parametrize("before", ["file", "link"])
@pytest.mark.usefixtures("watchdog")
def test_a_file_is_replaced_while_it_is_opened(
    tree: Tree,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: Outcomes,
    before: str,
    replace: Callable[[Path], None],
    content: bytes | None,
) -> None:
    monkeypatch.chdir(root)  # the path of a socket must be short
    victim = root / "victim.txt"

    def prepare() -> None:
        remove(victim)
        if before == "link":
            victim.symlink_to("a.txt")
        else:
            victim.write_text("A")

    def change() -> None:
        remove(victim)
        replace(victim)

    results = outcomes(prepare, change, lambda: read_if_there(tree, "victim.txt"))
    assert (results[0], results[-1]) == (content, b"A")
    # It may also be neither: a file that was a link a moment ago can't be read as one.
    assert set(results) <= {content, b"A", None}


@pytest.mark.parametrize(
    ("replace", "content"), [each for each in REPLACEMENTS if "outside" not in each.id]
)
@pytest.mark.usefixtures("watchdog")
def test_no_replacement_blocks_where_links_may_lead_anywhere(
    open_tree: OpenTree,
    root: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: Outcomes,
    replace: Callable[[Path], None],
    content: bytes | None,
) -> None:
    monkeypatch.chdir(root)
    victim = root / "victim.txt"
    follows = open_tree(follow_links=True)

    def prepare() -> None:
        remove(victim)
        victim.write_text("A")

    def change() -> None:
        remove(victim)
        replace(victim)

    results = outcomes(prepare, change, lambda: read_if_there(follows, "victim.txt"))
    assert (results[0], results[-1]) == (content, b"A")
    assert set(results) == {content, b"A"}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("../outside", id="relative"),
        pytest.param("{outside}", id="absolute"),
        pytest.param("{root}-evil", id="a name that begins like the root's"),
    ],
)
@pytest.mark.parametrize("before", ["directory", "link"])
@pytest.mark.usefixtures("beside")
def test_a_directory_on_the_way_is_replaced_by_a_link_outside(
    tree: Tree, root: Path, outcomes: Outcomes, before: str, target: str
) -> None:
    (root / "real").mkdir()
    (root / "real" / "secret.txt").write_text("no secret")
    way = root / "way"

    def prepare() -> None:
        remove(way)
        if before == "link":
            way.symlink_to("real")
        else:
            way.mkdir()
            (way / "secret.txt").write_text("no secret")

    def change() -> None:
        way.rename(root / "gone")
        remove(root / "gone")
        link(root, "way", target)

    results = outcomes(prepare, change, lambda: read_if_there(tree, "way/secret.txt"))
    assert (results[0], results[-1]) == (None, b"no secret")
    assert set(results) == {None, b"no secret"}


def test_a_directory_is_moved_out_of_the_root_while_a_link_in_it_climbs(
    tree: Tree, root: Path, outside: Path, outcomes: Outcomes
) -> None:
    """Its ``..`` is outside then; the way up is the way that was walked down."""
    (outside / "a.txt").write_text("SECRET")

    def prepare() -> None:
        if (outside / "moved").exists():
            (outside / "moved").rename(root / "moving")
        else:
            (root / "moving").mkdir()
            link(root, "moving/up", "../a.txt")

    def change() -> None:
        (root / "moving").rename(outside / "moved")

    results = outcomes(prepare, change, lambda: read_if_there(tree, "moving/up"))
    assert (results[0], results[-1]) == (None, b"A")
    assert set(results) == {None, b"A"}


# Descriptors; see also the fixture that looks after every test here.


def test_a_place_is_closed_when_its_user_fails(tree: Tree) -> None:
    with pytest.raises(ZeroDivisionError), tree.directory((b"sub", b"deep")):
        raise ZeroDivisionError


@pytest.mark.parametrize("path", ["sub/deep/c.txt", "link", "way/c.txt"])
def test_no_descriptor_is_left_wherever_they_run_out(tree: Tree, root: Path, path: str) -> None:
    link(root, "link", "sub/other")
    link(root, "sub/other", "../sub/deep/c.txt")
    link(root, "way", "sub/deep")
    errors = set()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    content = None
    try:
        for limit in range(3, max(open_numbers()) + 100):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            try:
                content = read(tree, path)
                break
            except OSError as error:
                errors.add(error.errno)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert content == b"C"
    assert errors == {errno.EMFILE}


def test_no_descriptor_is_left_where_the_state_of_an_open_file_can_not_be_had(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a file on NFS that another machine removes right then."""
    opened = []
    system_open = os.open

    def noted(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(system_open(path, *args, **kwargs))
        return opened[-1]

    def stale(descriptor: int) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", noted)
        patch.setattr(os, "fstat", stale)
        with pytest.raises(OSError, match="Stale"):
            read(tree, "a.txt")
    (descriptor,) = opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(descriptor)  # closes it at the same time, where it was forgotten


# Any tree, any path

NAMES = "abcd"
KINDS = st.sampled_from(["file", "file", "directory", "directory", "FIFO"])
TARGETS = st.builds(
    lambda start, names, end: start + "/".join(names) + end,
    st.sampled_from(["", "", "", "{root}/", "{root}", "{outside}/", "{root}-evil/", "/"]),
    st.lists(st.sampled_from([*NAMES, "..", "..", ".", "", "outside"]), min_size=1, max_size=4),
    st.sampled_from(["", "", "/"]),
).filter(bool)
ENTRIES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join),
        KINDS.map(lambda kind: (kind, "")) | TARGETS.map(lambda target: ("link", target)),
    ),
    max_size=14,
)
PATHS = ["/".join(names) for length in (1, 2, 3) for names in product(NAMES, repeat=length)]


def build(root: Path, entries: list[tuple[str, tuple[str, str]]]) -> None:
    """Make the ``entries`` that can be made, in order, without following links."""
    for name, (kind, target) in entries:
        path = root / name
        parents = [path.parents[n] for n in range(len(Path(name).parts) - 1)]
        if os.path.lexists(path) or any(p.is_symlink() or p.is_file() for p in parents):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_text(f"inside {name}")
            elif kind == "directory":
                path.mkdir()
            elif kind == "FIFO":
                os.mkfifo(path)
            else:
                link(root, name, target)
        except (FileExistsError, NotADirectoryError):
            continue


def expected(root: Path, path: str, *, follow_links: bool) -> bytes | None:
    """Return what the system reads at ``path``, unless the real path of that is outside."""
    full = f"{root}/{path}"
    if not os.path.isfile(full):
        return None
    if not follow_links and not os.path.realpath(full).startswith(f"{root}/"):
        return None
    return Path(full).read_bytes()


def test_any_path_in_any_tree(tmp_path: Path) -> None:
    """The names outside are none of the root's, so that no way leaves it and comes back."""
    root = tmp_path / "root"
    for beside in ("outside", "root-evil"):
        for each in NAMES:
            (tmp_path / beside / each).mkdir(parents=True)
            (tmp_path / beside / each / each).write_text("SECRET")
        remove(tmp_path / beside / "a")
        (tmp_path / beside / "a").write_text("SECRET")

    @settings(max_examples=100, deadline=None)
    @example([("a", ("link", "../outside/a")), ("b", ("file", "")), ("c", ("link", "b"))])
    @example([("a", ("directory", "")), ("a/b", ("link", "../../outside")), ("c", ("link", "a/b"))])
    @given(ENTRIES)
    def check(entries: list[tuple[str, tuple[str, str]]]) -> None:
        remove(root)
        root.mkdir()
        build(root, entries)
        for follow_links in (False, True):
            tree = Tree(root, follow_links=follow_links)
            results = {path: read_if_there(tree, path) for path in PATHS}
            tree.close()
            assert results == {p: expected(root, p, follow_links=follow_links) for p in PATHS}
            if not follow_links:
                assert b"SECRET" not in results.values()

    check()
