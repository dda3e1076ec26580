"""What is remembered, for how long, how much of it, and that it is let go of in the end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support import NOW, FakeReactor, write_tree
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.resource import Directory, File, Forbidden, Missing, Resource
from tinyhttp.site.files import Files, Found, hold, let_go
from tinyhttp.site.site import Capacity, Site
from tinyhttp.site.tree import Tree

OpenSite: TypeAlias = Callable[..., Site]

LARGE = b"x" * 131_073
"""Too large to be kept in memory."""


@pytest.fixture
def clock() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def open_site(root: Path, clock: FakeReactor) -> Iterator[OpenSite]:
    """Return a function that opens the root with so much capacity; closed when the test ends."""
    opened = []

    def open_it(**capacity: int) -> Site:
        files = Files(Tree(root), clock.seconds)
        opened.append(Site(files, clock.seconds, Capacity(**capacity) if capacity else None))
        return opened[-1]

    yield open_it
    for site in opened:
        site.close()


def recall(site: Site, path: SitePath) -> Resource | None:
    found = site.recall(path)
    return None if found is None else found.resource


def path_of(target: str) -> SitePath:
    path = resolve(target.encode())
    assert path is not None
    return path


def look_up(site: Site, *targets: str) -> None:
    """Find and remember, as the server does for what it does not know."""
    for target in targets:
        path = path_of(target)
        site.remember(path, site.files.find(path))


def known(site: Site, *targets: str) -> list[str]:
    """Return those of the ``targets`` that are known; asking is a use."""
    return [target for target in targets if recall(site, path_of(target)) is not None]


def content(resource: Resource | None) -> bytes:
    assert isinstance(resource, File)
    plain = resource.variants[0]
    if isinstance(plain.content, bytes):
        return plain.content
    return plain.content.read(plain.size, 0)


# Remembering


def test_nothing_is_known_at_first(open_site: OpenSite, root: Path) -> None:
    write_tree(root, {"a.txt": "A"})
    assert recall(open_site(), path_of("/a.txt")) is None


@pytest.mark.parametrize("size", [0, 1, 131_072, 131_073])
def test_what_was_remembered_is_recalled(open_site: OpenSite, root: Path, size: int) -> None:
    write_tree(root, {"a.txt": b"x" * size})
    site = open_site()
    path = path_of("/a.txt")
    found = site.files.find(path)
    site.remember(path, found)
    assert recall(site, path) is found.resource
    assert recall(site, path) is found.resource
    assert content(recall(site, path)) == b"x" * size


def test_recalling_does_not_touch_the_disk(
    open_site: OpenSite, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens in the reactor's thread, which must never wait for one."""
    write_tree(root, {"a.txt": "A", "b.bin": LARGE})
    site = open_site()
    look_up(site, "/a.txt", "/b.bin", "/none")

    def hang(*args: object, **kwargs: object) -> None:
        raise AssertionError("the disk hangs")

    for call in ("open", "stat", "fstat", "pread", "readlink", "dup"):
        monkeypatch.setattr(os, call, hang)
    resources = [recall(site, path_of(target)) for target in ("/a.txt", "/b.bin", "/none", "/new")]
    monkeypatch.undo()
    assert [type(resource) for resource in resources] == [File, File, Missing, type(None)]


@pytest.mark.parametrize(
    "resource", [Missing(), Forbidden(), Directory(b"/sub/")], ids=lambda r: type(r).__name__
)
def test_paths_that_lead_to_no_file_are_remembered_too(
    open_site: OpenSite, clock: FakeReactor, resource: Resource
) -> None:
    site = open_site()
    site.remember(path_of("/sub"), Found(resource, NOW + 1))
    assert recall(site, path_of("/sub")) is resource
    clock.advance(1)
    assert recall(site, path_of("/sub")) is None


def test_with_and_without_slash_are_two_paths(open_site: OpenSite, root: Path) -> None:
    write_tree(root, {"sub/index.html": "index"})
    site = open_site()
    look_up(site, "/sub", "/sub/")
    assert recall(site, path_of("/sub")) == Directory(b"/sub/")
    assert content(recall(site, path_of("/sub/"))) == b"index"
    assert recall(site, path_of("//x/..//sub/./")) is recall(site, path_of("/sub/"))


# How long


@pytest.mark.parametrize(
    ("seconds", "is_known"), [(0, True), (0.5, True), (0.999, True), (1, False), (3600, False)]
)
@pytest.mark.parametrize("target", ["/a.txt", "/b.bin", "/none", "/sub"])
def test_it_is_taken_for_granted_for_a_second(
    open_site: OpenSite,
    root: Path,
    clock: FakeReactor,
    target: str,
    seconds: float,
    is_known: bool,
) -> None:
    write_tree(root, {"a.txt": "A", "b.bin": LARGE, "sub/index.html": "index"})
    site = open_site()
    look_up(site, target)
    for path in root.iterdir():
        path.chmod(0o600 if path.is_file() else 0o700)
    clock.advance(seconds)
    assert known(site, target) == ([target] if is_known else [])


@pytest.mark.parametrize(
    ("seconds", "is_known"), [(1, True), (30, True), (60, True), (62, False), (3600, False)]
)
@pytest.mark.parametrize("target", ["/a.txt", "/b.bin", "/sub/", "/c.css"])
def test_a_file_in_use_is_known_as_long_as_its_names_say_the_same(
    open_site: OpenSite,
    root: Path,
    clock: FakeReactor,
    target: str,
    seconds: float,
    is_known: bool,
) -> None:
    """One second it is taken for granted; for a minute more a look at the names is enough."""
    write_tree(root, {"a.txt": "A", "b.bin": LARGE, "sub/index.html": "index"})
    write_tree(root, {"c.css": "c", "c.css.gz": "z"})
    site = open_site()
    look_up(site, target)
    clock.advance(seconds)
    assert known(site, target) == ([target] if is_known else [])


def test_looking_at_the_names_makes_it_known_for_another_second(
    open_site: OpenSite, root: Path, clock: FakeReactor
) -> None:
    write_tree(root, {"a.txt": "A"})
    site = open_site()
    look_up(site, "/a.txt")
    clock.advance(30)
    assert known(site, "/a.txt") == ["/a.txt"]
    (root / "a.txt").write_text("changed")
    clock.advance(0.9)
    assert known(site, "/a.txt") == ["/a.txt"]
    clock.advance(0.2)
    assert known(site, "/a.txt") == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "a.txt").unlink(), id="removed"),
        pytest.param(lambda root: (root / "a.txt").chmod(0o600), id="another mode"),
        pytest.param(lambda root: (root / "a.txt.gz").write_text("z"), id="a sidecar more"),
        pytest.param(lambda root: (root / "a.txt").rename(root / "b"), id="renamed"),
        pytest.param(lambda root: (root / "new").replace(root / "a.txt"), id="replaced"),
    ],
)
def test_whatever_changes_among_its_names_has_to_be_looked_up(
    open_site: OpenSite, root: Path, clock: FakeReactor, change: Callable[[Path], object]
) -> None:
    write_tree(root, {"a.txt": "A", "new": "A"})
    site = open_site()
    look_up(site, "/a.txt")
    change(root)
    clock.advance(1)
    assert known(site, "/a.txt") == []


@pytest.mark.parametrize(
    ("milliseconds", "is_known"),
    [(0, True), (5, True), (9, True), (11, False), (500, False)],
)
def test_what_is_young_is_looked_at_again_as_soon_as_it_has_settled(
    open_site: OpenSite, root: Path, clock: FakeReactor, milliseconds: int, is_known: bool
) -> None:
    """The file is 10 ms old, and young until it is 20 ms old."""
    write_tree(root, {"a.txt": "A"})
    mtime_ns = int(NOW) * 10**9 - 10_000_000
    os.utime(root / "a.txt", ns=(mtime_ns, mtime_ns))
    site = open_site()
    look_up(site, "/a.txt")
    clock.advance(milliseconds / 1000)
    assert known(site, "/a.txt") == (["/a.txt"] if is_known else [])


def test_a_change_is_noticed_within_a_second(
    open_site: OpenSite, root: Path, clock: FakeReactor
) -> None:
    write_tree(root, {"a.txt": "old"})
    site = open_site()
    look_up(site, "/a.txt")
    write_tree(root, {"a.txt": "new"})
    assert content(recall(site, path_of("/a.txt"))) == b"old"
    clock.advance(1)
    assert recall(site, path_of("/a.txt")) is None
    look_up(site, "/a.txt")
    assert content(recall(site, path_of("/a.txt"))) == b"new"


def test_a_new_file_and_a_removed_one_are_noticed_within_a_second(
    open_site: OpenSite, root: Path, clock: FakeReactor
) -> None:
    write_tree(root, {"old.txt": "O"})
    site = open_site()
    look_up(site, "/new.txt", "/old.txt")
    (root / "old.txt").rename(root / "new.txt")
    clock.advance(1)
    assert known(site, "/new.txt", "/old.txt") == []
    look_up(site, "/new.txt", "/old.txt")
    assert content(recall(site, path_of("/new.txt"))) == b"O"
    assert recall(site, path_of("/old.txt")) == Missing()


@pytest.mark.parametrize("seconds", [3600, 10])
def test_a_change_is_noticed_although_the_clock_was_set_back(
    open_site: OpenSite, root: Path, clock: FakeReactor, seconds: int
) -> None:
    write_tree(root, {"a.txt": "old"})
    site = open_site()
    look_up(site, "/a.txt")
    (root / "a.txt").write_text("new")
    clock.rightNow = NOW - seconds
    clock.advance(1.5)
    assert recall(site, path_of("/a.txt")) is None


# What is held open


def test_a_large_file_is_held_open_and_a_small_one_is_not(
    open_site: OpenSite, root: Path, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"a.txt": "A", "b.bin": LARGE, "b.bin.gz": "small", "b.bin.br": LARGE})
    site = open_site()
    look_up(site, "/a.txt", "/b.bin", "/none")
    assert open_names() == ["b.bin", "b.bin.br"]


@pytest.mark.parametrize(
    ("before", "after", "opened"),
    [
        pytest.param(LARGE, LARGE, ["a"], id="large by large"),
        pytest.param(LARGE, b"small", [], id="large by small"),
        pytest.param(LARGE, None, [], id="large by nothing"),
        pytest.param(b"small", LARGE, ["a"], id="small by large"),
        pytest.param(None, LARGE, ["a"], id="nothing by large"),
    ],
)
def test_what_is_replaced_is_closed(
    open_site: OpenSite,
    root: Path,
    clock: FakeReactor,
    open_names: Callable[[], list[str]],
    before: bytes | None,
    after: bytes | None,
    opened: list[str],
) -> None:
    site = open_site()
    for state in (before, after):
        (root / "a").unlink(missing_ok=True)
        if state is not None:
            write_tree(root, {"a": state})
        clock.advance(1)
        look_up(site, "/a")
        resource = recall(site, path_of("/a"))
        assert resource == Missing() if state is None else content(resource) == state
    assert open_names() == opened


def test_looking_up_again_and_again_holds_one_descriptor(
    open_site: OpenSite, root: Path, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"a": LARGE, "a.gz": LARGE})
    site = open_site()
    for _ in range(100):
        look_up(site, "/a")
    assert open_names() == ["a", "a.gz"]


def test_a_transfer_keeps_what_it_holds(
    open_site: OpenSite, root: Path, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"a": LARGE, "b": LARGE})
    site = open_site(descriptors=1)
    path = path_of("/a")
    found = site.files.find(path)
    site.remember(path, found)
    hold(found)
    look_up(site, "/b")
    assert known(site, "/a", "/b") == ["/b"]
    assert open_names() == ["a", "b"]
    assert content(found.resource) == LARGE
    let_go(found)
    assert open_names() == ["b"]


def test_a_transfer_keeps_what_it_holds_although_the_site_is_closed(
    root: Path, clock: FakeReactor, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"a": LARGE})
    site = Site(Files(Tree(root), clock.seconds), clock.seconds)
    path = path_of("/a")
    found = site.files.find(path)
    site.remember(path, found)
    hold(found)
    site.close()
    assert content(found.resource) == LARGE
    let_go(found)
    assert open_names() == []


def test_closing_lets_go_of_everything(root: Path, clock: FakeReactor) -> None:
    """Of the root, too: see the fixture that counts descriptors."""
    write_tree(root, {"a.txt": "A", **{f"{n}.bin": LARGE for n in range(10)}})
    site = Site(Files(Tree(root), clock.seconds), clock.seconds)
    look_up(site, "/a.txt", "/none", *[f"/{n}.bin" for n in range(10)])
    site.close()
    assert known(site, "/a.txt", "/none", *[f"/{n}.bin" for n in range(10)]) == []


# How much


@pytest.mark.parametrize(
    ("capacity", "files", "left"),
    [
        pytest.param({"files": 2}, "a1 b1 c1", "bc", id="files"),
        pytest.param({"files": 2}, "a1 b1 a1 c1", "ac", id="what was looked up again is newer"),
        pytest.param({"octets": 10}, "a5 b5", "ab", id="octets that fit"),
        pytest.param({"octets": 10}, "a5 b5 c1", "bc", id="one octet too many"),
        pytest.param({"octets": 10}, "a3 b3 c3 d9", "d", id="room for a big one"),
        pytest.param({"octets": 10}, "a3 b11", "b", id="the newest is in use, whatever its size"),
        pytest.param({"octets": 10}, "a11 b3", "b", id="and leaves next"),
        pytest.param({"octets": 10}, "a0 b0 c0 d0", "abcd", id="empty files weigh nothing"),
        pytest.param({"files": 0}, "a1 b1", "b", id="no files: the newest"),
        pytest.param({"octets": 0}, "a1 b1", "b", id="no octets: the newest"),
    ],
)
def test_small_files_are_bounded(
    open_site: OpenSite, root: Path, capacity: dict[str, int], files: str, left: str
) -> None:
    site = open_site(**capacity)
    for file in files.split():  # a name of one letter, and a size
        write_tree(root, {file[0]: b"x" * int(file[1:])})
        look_up(site, f"/{file[0]}")
    assert known(site, "/a", "/b", "/c", "/d") == [f"/{name}" for name in left]


def test_recalling_is_a_use(open_site: OpenSite, root: Path) -> None:
    write_tree(root, dict.fromkeys("abc", "x"))
    site = open_site(files=2)
    look_up(site, "/a", "/b")
    assert known(site, "/a") == ["/a"]
    look_up(site, "/c")
    assert known(site, "/a", "/b", "/c") == ["/a", "/c"]


def test_sidecars_count(open_site: OpenSite, root: Path) -> None:
    write_tree(root, {"a": "12345", "a.gz": "123", "a.br": "12", "b": "1"})
    site = open_site(octets=10)
    look_up(site, "/a")
    look_up(site, "/b")
    assert known(site, "/a", "/b") == ["/b"]


@pytest.mark.parametrize(
    ("descriptors", "left", "opened"),
    [
        pytest.param(3, ["/b", "/c"], ["b", "b.gz", "c"], id="sidecars count"),
        pytest.param(4, ["/a", "/b", "/c"], ["a", "b", "b.gz", "c"], id="all fit"),
        pytest.param(1, ["/c"], ["c"], id="one"),
        pytest.param(0, ["/c"], ["c"], id="none: the newest is in use"),
    ],
)
def test_descriptors_are_bounded(
    open_site: OpenSite,
    root: Path,
    open_names: Callable[[], list[str]],
    descriptors: int,
    left: list[str],
    opened: list[str],
) -> None:
    write_tree(root, {"a": LARGE, "b": LARGE, "b.gz": LARGE, "c": LARGE})
    site = open_site(descriptors=descriptors)
    look_up(site, "/a", "/b", "/c")
    assert known(site, "/a", "/b", "/c") == left
    assert open_names() == opened


def test_small_files_and_large_ones_do_not_push_each_other_out(
    open_site: OpenSite, root: Path
) -> None:
    write_tree(root, {"small": "s", "large": LARGE, "other": "o", "bulk": LARGE})
    site = open_site(files=1, octets=10, descriptors=1)
    look_up(site, "/small", "/large")
    assert known(site, "/small", "/large") == ["/small", "/large"]
    look_up(site, "/bulk")
    assert known(site, "/small", "/large", "/bulk") == ["/small", "/bulk"]
    look_up(site, "/other")
    assert known(site, "/small", "/other", "/bulk") == ["/other", "/bulk"]


def test_a_scan_for_what_is_not_there_pushes_no_file_out(
    open_site: OpenSite, root: Path, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"small": "s", "large": LARGE})
    site = open_site()
    look_up(site, "/small", "/large")
    for number in range(5000):
        look_up(site, f"/none/{number}.php")
    assert known(site, "/small", "/large") == ["/small", "/large"]
    assert open_names() == ["large"]
    scanned = [f"/none/{number}.php" for number in range(5000)]
    assert known(site, *scanned) == scanned[-1024:], "what is not there is bounded as well"


def test_what_leads_to_no_file_is_bounded(open_site: OpenSite, root: Path) -> None:
    site = open_site(others=2)
    look_up(site, "/1", "/2", "/3")
    assert known(site, "/1", "/2", "/3") == ["/2", "/3"]


def test_a_path_is_remembered_once_whatever_it_was_before(
    open_site: OpenSite, root: Path, open_names: Callable[[], list[str]]
) -> None:
    """Else an old file would come to light again when the new one is pushed out."""
    site = open_site(files=1, descriptors=1, others=1)
    write_tree(root, {"b": "b", "c": LARGE})
    for state in (b"small", LARGE, None, b"small", None, LARGE, b"small"):
        (root / "a").unlink(missing_ok=True)
        if state is not None:
            write_tree(root, {"a": state})
        look_up(site, "/a")
    look_up(site, "/b", "/c", "/d")
    assert known(site, "/a", "/b", "/c", "/d") == ["/b", "/c", "/d"]
    assert open_names() == ["c"]
