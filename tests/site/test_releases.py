"""The root comes to lead elsewhere: who sees which tree, for how long, and that all are closed."""

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias

import pytest

from tests.support import NOW, OLD, FakeReactor, write_tree
from tinyhttp.core.listing import parse_view
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.resource import File, Forbidden, Missing, Representation, Resource
from tinyhttp.site.files import Files, Found, hold, let_go
from tinyhttp.site.releases import LASTING, MOST, Earlier, Releases
from tinyhttp.site.site import Site
from tinyhttp.site.snapshot import identity
from tinyhttp.site.tree import Tree
from tinyhttp.site.verification import Contents

from .conftest import Outcomes, open_descriptors

ASSET = "/assets/app.3f9a2b7c.js"
LARGE = b"x" * 131_073

OpenFiles: TypeAlias = Callable[..., Files]


class Place:
    """A path that leads to a directory, and may be made to lead to another one."""

    def __init__(self, directory: Path):
        self.path = directory / "current"
        self._directory = directory

    def release(self, name: str, **files: bytes | str) -> Path:
        """Write a release with a page that tells its name; return its directory."""
        return write_tree(self._directory / "releases" / name, {"index.html": name, **files}, OLD)

    def asset(self, name: str, *assets: str) -> Path:
        """Write a release with files that have a fingerprint, too; each tells the release."""
        return self.release(name, **{asset.lstrip("/"): name for asset in assets or (ASSET,)})

    def switch(self, directory: Path) -> None:
        """Have the path lead to ``directory``, at no moment to nothing."""
        link = self._directory / "new"
        link.symlink_to(directory)
        link.rename(self.path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def clock() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def told() -> list[OSError | None]:
    return []


@pytest.fixture
def open_files(place: Place, clock: FakeReactor, told: list[OSError | None]) -> Iterator[OpenFiles]:
    """Return a function that opens what a path leads to; it is closed when the test ends."""
    opened = []

    def open_them(path: Any = None, *, follow_links: bool = False, **options: Any) -> Files:
        tree = Tree(path or place.path, follow_links=follow_links)
        opened.append(Files(tree, clock.seconds, tell=told.append, **options))
        return opened[-1]

    yield open_them
    for files in opened:
        files.close()


def path_of(target: str) -> SitePath:
    path = resolve(target.encode())
    assert path is not None
    return path


@contextmanager
def found(files: Files, target: str) -> Iterator[Found]:
    result = files.find(path_of(target))
    try:
        yield result
    finally:
        let_go(result)


def content(resource: Resource) -> bytes | None:
    if not isinstance(resource, File):
        return None
    plain = resource.variants[0]
    if isinstance(plain.content, bytes):
        return plain.content
    return plain.content.read(plain.size, 0)


def served(files: Files, target: str = "/") -> str | None:
    """Return the content of the file at ``target``, ``None`` if there is no file."""
    with found(files, target) as result:
        octets = content(result.resource)
        return None if octets is None else octets.decode()


def open_directories(directory: Path) -> int:
    """Return how many descriptors are open on the file system of ``directory``."""
    return len(open_descriptors(directory.stat().st_dev))


# What a switch is.


def by_renaming_a_link(place: Place, new: Path) -> None:
    place.switch(new)


def by_making_the_link_anew(place: Place, new: Path) -> None:
    """As ``ln -sfn`` does."""
    place.path.unlink()
    place.path.symlink_to(new)


def by_a_relative_link(place: Place, new: Path) -> None:
    place.switch(Path("releases") / new.name)


def by_a_link_to_a_link(place: Place, new: Path) -> None:
    (place.path.parent / "latest").symlink_to(new)
    place.switch(place.path.parent / "latest")


def by_a_directory_in_place_of_the_link(place: Place, new: Path) -> None:
    place.path.unlink()
    new.rename(place.path)


SWITCHES = [
    by_renaming_a_link,
    by_making_the_link_anew,
    by_a_relative_link,
    by_a_link_to_a_link,
    by_a_directory_in_place_of_the_link,
]


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_link_is_switched(
    place: Place,
    open_files: OpenFiles,
    told: list[OSError | None],
    switch: Callable[[Place, Path], None],
) -> None:
    place.switch(place.release("41"))
    files = open_files()
    with found(files, "/") as before, found(files, "/none") as missing:
        assert content(before.resource) == b"41"
        assert files.is_unchanged(path_of("/"), before)
        switch(place, place.release("42", none="now"))
        assert not files.is_unchanged(path_of("/"), before)
        assert not files.is_unchanged(path_of("/none"), missing)
    assert told == []
    with found(files, "/") as after:
        assert content(after.resource) == b"42"
        assert files.is_unchanged(path_of("/"), after)
        assert not files.is_unchanged(path_of("/"), before)
    assert served(files, "/none") == "now"
    assert told == [None]


def test_a_directory_is_replaced(place: Place, open_files: OpenFiles) -> None:
    place.release("41").rename(place.path)
    files = open_files()
    with found(files, "/") as before:
        place.path.rename(place.path.parent / "old")
        assert files.is_unchanged(path_of("/"), before), "there is nothing else to be served"
        assert served(files) == "41"
        place.release("42").rename(place.path)
        assert not files.is_unchanged(path_of("/"), before)
    assert served(files) == "42"


def test_a_link_on_the_way_is_switched(place: Place, open_files: OpenFiles) -> None:
    place.switch(place.release("41", **{"public/index.html": "public 41"}))
    files = open_files(place.path / "public")
    assert served(files) == "public 41"
    place.switch(place.release("42", **{"public/index.html": "public 42"}))
    assert served(files) == "public 42"


@pytest.mark.parametrize(
    "spelling",
    [
        "current",
        "current/",
        "./current",
        "current/.",
        b"current",
        Path("current"),
        "releases/../current",
    ],
)
def test_a_relative_path_is_that_from_where_it_was_opened(
    place: Place,
    open_files: OpenFiles,
    monkeypatch: pytest.MonkeyPatch,
    spelling: str | bytes | Path,
) -> None:
    """A daemon changes its directory."""
    place.switch(place.release("41"))
    monkeypatch.chdir(place.path.parent)
    files = open_files(spelling)
    monkeypatch.chdir("/")
    assert served(files) == "41"
    place.switch(place.release("42"))
    assert served(files) == "42"


def test_two_dots_behind_a_link_are_those_of_where_it_leads(
    place: Place, open_files: OpenFiles
) -> None:
    """``link/..`` is not the directory of the link."""
    place.switch(place.release("41"))
    write_tree(place.path.parent, {"index.html": "not this"})
    write_tree(place.path.parent / "releases", {"index.html": "this"})
    files = open_files(place.path / "..")
    for _ in range(2):
        assert served(files) == "this"


def test_what_leads_elsewhere_for_each_process_is_opened_once(
    place: Place, open_files: OpenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of a descriptor may be that of another directory in a moment."""
    monkeypatch.chdir(place.release("41"))
    descriptor = os.open(".", os.O_RDONLY)
    files = [open_files("/proc/self/cwd"), open_files(f"/dev/fd/{descriptor}")]
    os.close(descriptor)
    monkeypatch.chdir(place.release("42"))
    other = os.open(".", os.O_RDONLY)
    assert [served(each) for each in files] == ["41", "41"]
    os.close(other)


def test_a_directory_that_has_no_path_any_more(place: Place, open_files: OpenFiles) -> None:
    """It is opened all the same, by its descriptor."""
    directory = place.path.parent / "removed"
    directory.mkdir()
    descriptor = os.open(directory, os.O_RDONLY)
    directory.rmdir()
    files = open_files(f"/proc/self/fd/{descriptor}")
    os.close(descriptor)
    for _ in range(2):
        assert served(files) is None


def test_no_switch_is_seen_where_there_is_none(
    place: Place, open_files: OpenFiles, told: list[OSError | None]
) -> None:
    """A change in the directory is none, nor is a link that leads to the same by another way."""
    directory = place.release("41")
    place.switch(directory)
    files = open_files()
    with found(files, "/") as before:
        write_tree(directory, {"new": "new"})
        place.switch(Path("releases") / ".." / "releases" / "41")
        assert files.is_unchanged(path_of("/"), before)
    assert served(files, "/new") == "new"
    assert told == []


def test_where_nothing_is_switched_it_costs_one_look(
    place: Place, open_files: OpenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the reactor's thread: at the root's path, and at the names that it looks at anyway."""
    place.switch(place.release("41"))
    files = open_files()
    looks: list[Any] = []
    stat = os.stat

    def counted(path: Any, **options: Any) -> os.stat_result:
        looks.append(path)
        return stat(path, **options)

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("nothing may be opened here")

    with found(files, "/") as result, monkeypatch.context() as patch:
        patch.setattr(os, "stat", counted)
        for call in ("open", "readlink", "fstat", "dup"):
            patch.setattr(os, call, forbidden)
        assert files.is_unchanged(path_of("/"), result)
    assert looks[0] == os.fsencode(place.path)
    assert set(looks[1:]) <= {b".", b"index.html", b"index.html.br", b"index.html.gz"} | {
        b"index.html.zst"
    }


def test_a_file_system_that_numbers_its_directories_anew(
    place: Place,
    open_files: OpenFiles,
    told: list[OSError | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place.release("41").rename(place.path)
    files = open_files()
    stat, fstat = os.stat, os.fstat

    class Renumbered:
        def __init__(self, state: os.stat_result):
            self._state = state
            self.st_ino = state.st_ino + (1 << 40)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._state, name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *args, **options: Renumbered(stat(*args, **options)))
        patch.setattr(os, "fstat", lambda *args: Renumbered(fstat(*args)))
        for _ in range(2):
            assert served(files) == "41"
    assert told == []


# Not to be had.


def remove(place: Place) -> None:
    place.path.unlink()


def put_a_file_there(place: Place) -> None:
    remove(place)
    place.path.write_text("no directory")


def put_a_loop_there(place: Place) -> None:
    place.switch(place.path)


def have_it_lead_nowhere(place: Place) -> None:
    place.switch(Path("releases") / "43")


def close_it(place: Place) -> None:
    """Who may not enter it could serve nothing but 403."""
    directory = place.release("closed")
    directory.chmod(0)
    place.switch(directory)


def close_the_way(place: Place) -> None:
    directory = place.release("behind", **{"closed/index.html": "closed"})
    place.switch(directory / "closed")
    directory.chmod(0)


OBSTACLES = [
    (remove, errno.ENOENT),
    (put_a_file_there, errno.ENOTDIR),
    (put_a_loop_there, errno.ELOOP),
    (have_it_lead_nowhere, errno.ENOENT),
    (close_it, errno.EACCES),
    (close_the_way, errno.EACCES),
]


@contextmanager
def unprivileged(directory: Path) -> Iterator[None]:
    """Be nobody for a while: root may enter everything."""
    if os.geteuid() != 0:
        yield
        return
    for each in (directory, *directory.parents):
        if each.owner() == "root" and str(each).startswith("/tmp/"):
            each.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("obstruct", "number"), OBSTACLES)
def test_while_there_is_no_directory_the_one_before_is_served(
    place: Place,
    open_files: OpenFiles,
    clock: FakeReactor,
    told: list[OSError | None],
    obstruct: Callable[[Place], None],
    number: int,
) -> None:
    place.switch(place.release("41"))
    files = open_files()
    assert served(files) == "41"
    obstruct(place)
    with unprivileged(place.path.parent):
        for _ in range(5):
            assert served(files) == "41"
            clock.advance(LASTING / 5)
        assert told == [], "not yet: that may be how it is replaced"
        for _ in range(3):
            assert served(files) == "41"
            clock.advance(LASTING)
    (error,) = told
    assert isinstance(error, OSError)
    assert (error.errno, error.strerror) == (number, os.strerror(number))
    for directory in (place.path.parent / "releases").iterdir():
        directory.chmod(0o755)
    place.path.unlink(missing_ok=True)
    place.path.symlink_to(place.release("42"))
    assert served(files) == "42"
    assert told == [error, None]


def test_what_is_known_stays_known_while_there_is_no_directory(
    place: Place, open_files: OpenFiles, clock: FakeReactor, told: list[OSError | None]
) -> None:
    place.switch(place.release("41"))
    files = open_files()
    with found(files, "/") as before:
        place.path.unlink()
        for _ in range(3):
            assert files.is_unchanged(path_of("/"), before)
            clock.advance(LASTING / 2)
    assert [type(each) for each in told] == [FileNotFoundError]


def test_it_is_told_again_if_it_happens_again(
    place: Place, open_files: OpenFiles, clock: FakeReactor, told: list[OSError | None]
) -> None:
    directory = place.release("41")
    place.switch(directory)
    files = open_files()
    for _ in range(2):
        place.path.unlink()
        for _ in range(4):
            assert served(files) == "41"
            clock.advance(LASTING)
        place.switch(directory)
        assert served(files) == "41"
    assert [type(each) for each in told] == [FileNotFoundError] * 2


def test_short_moments_do_not_add_up(
    place: Place, open_files: OpenFiles, clock: FakeReactor, told: list[OSError | None]
) -> None:
    directory = place.release("41")
    place.switch(directory)
    files = open_files()
    for _ in range(5):
        place.path.unlink()
        assert served(files) == "41"
        place.switch(directory)
        assert served(files) == "41"
        clock.advance(LASTING)
    assert told == []


def test_a_clock_that_was_set_back_tells_nothing(
    place: Place, open_files: OpenFiles, clock: FakeReactor, told: list[OSError | None]
) -> None:
    place.switch(place.release("41"))
    files = open_files()
    place.path.unlink()
    assert served(files) == "41"
    clock.rightNow -= 3600
    assert served(files) == "41"
    clock.advance(LASTING - 1)
    assert served(files) == "41"
    assert told == []
    clock.advance(1)
    assert served(files) == "41"
    assert len(told) == 1


def test_at_the_start_there_has_to_be_one(place: Place) -> None:
    for path in (place.path, ""):
        with pytest.raises(FileNotFoundError):
            Tree(path)


# Earlier releases.


@pytest.mark.parametrize(
    "target",
    [
        ASSET,
        "/assets/font.0a1b2c3d4e5f.woff2",
        "/assets/Almanac-AJK-vYNB.js",
        "/_next/static/x/page.js",
        "/_app/immutable/entry.js",
    ],
)
def test_files_with_a_fingerprint_are_still_found_for_a_while(
    place: Place, open_files: OpenFiles, clock: FakeReactor, target: str
) -> None:
    place.switch(place.asset("41", target))
    files = open_files(keep=60)
    with found(files, target) as before:
        place.switch(place.release("42"))
        with found(files, target) as after:
            assert after.resource == before.resource, "with the same tag and time"
            assert after.release == 1
            assert after.fresh_until == NOW + 1
            assert not files.is_unchanged(path_of(target), after), "it might come again"
    clock.advance(59.5)
    with found(files, target) as last:
        assert content(last.resource) == b"41"
        assert last.fresh_until == NOW + 60, "and no longer"
    clock.advance(0.5)
    assert served(files, target) is None
    assert served(files) == "42"


@pytest.mark.parametrize(
    "target",
    ["/old.html", "/app.js", "/", "/assets/", "/assets", "/assets/report.2026a1b2.pdf", "/.x/"],
)
def test_others_are_not(place: Place, open_files: OpenFiles, target: str) -> None:
    place.switch(
        place.asset("41", ASSET, "/old.html", "/app.js", "/assets/report.2026a1b2.pdf", "/.x/a")
    )
    files = open_files(keep=60, index=["old.html"])
    place.switch(write_tree(place.path.parent / "releases" / "42", {"other": "42"}))
    assert served(files, target) is None


def earlier(directory: Path, until: float = NOW + 60) -> Earlier:
    state = directory.stat()
    return Earlier(str(directory), (state.st_dev, state.st_ino), until)


def test_those_that_another_server_has_served(
    place: Place, open_files: OpenFiles, clock: FakeReactor
) -> None:
    """The latest first, as long as that one would have had them."""
    one, two = place.asset("40"), place.asset("41", ASSET, "/assets/other.3f9a2b7c.js")
    place.switch(place.release("42"))
    before = [earlier(two, NOW + 1), earlier(one, NOW + 60)]
    files = open_files(keep=60, before=before)
    assert served(files) == "42"
    assert served(files, ASSET) == "41"
    place.switch(place.release("43"))
    assert served(files, ASSET) == "41"
    clock.advance(1)
    assert served(files, ASSET) == "40"
    clock.advance(59)
    assert served(files, ASSET) is None
    assert served(files) == "43"


@pytest.mark.parametrize("keep", [60, 0])
def test_what_is_no_earlier_release_any_more(
    place: Place, open_files: OpenFiles, keep: float
) -> None:
    """Removed, in the place of another, past its time, served again; or none is to be kept."""
    removed, replaced, past, again, good = (place.asset(name) for name in "12345")
    noted = [earlier(removed), earlier(replaced), earlier(past, NOW), earlier(again)]
    far = earlier(past, NOW + 61)  # the clock was set back
    removed.rename(removed.with_name("elsewhere"))
    replaced.rename(replaced.with_name("other"))
    place.asset("2")
    place.switch(again)
    for wrong in (*noted, far):
        files = open_files(keep=keep, before=[wrong])
        count = open_directories(place.path)
        files.close()
        assert count - open_directories(place.path) == 1, "the current one"
    place.switch(place.release("6"))
    files = open_files(keep=keep, before=[*noted[1:3], earlier(good)])
    assert served(files, ASSET) == ("5" if keep else None)


def test_the_links_in_those_lead_where_they_did(place: Place, open_files: OpenFiles) -> None:
    one = place.asset("41", "/shared.txt")
    (one / ASSET[1:]).parent.mkdir()
    (one / ASSET[1:]).symlink_to(place.path / "shared.txt")
    place.switch(place.release("42"))
    files = open_files(keep=60, before=[earlier(one)])
    assert served(files, ASSET) == "41"


def test_without_being_told_so_none_is_kept(place: Place, open_files: OpenFiles) -> None:
    place.switch(place.asset("41"))
    files = open_files()
    assert served(files, ASSET) == "41"
    place.switch(place.release("42"))
    assert served(files, ASSET) is None


def test_what_the_current_release_says_comes_first(place: Place, open_files: OpenFiles) -> None:
    place.switch(place.asset("41"))
    files = open_files(keep=60)
    new = place.release("42")
    place.switch(new)
    assert served(files, ASSET) == "41"
    write_tree(new, {ASSET.lstrip("/"): "42"})
    assert served(files, ASSET) == "42"
    asset = new / ASSET.lstrip("/")
    asset.chmod(0)
    with unprivileged(new), found(files, ASSET) as result:
        assert result.resource == Forbidden()


def test_the_latest_that_has_it_comes_first_and_a_few_are_kept(
    place: Place, open_files: OpenFiles, clock: FakeReactor
) -> None:
    own = [f"/assets/own.{number}f9a2b7c.js" for number in range(6)]
    place.switch(place.asset("0", ASSET, own[0]))
    files = open_files(keep=60)
    before = open_directories(place.path)
    for number in range(1, 6):
        place.switch(place.asset(str(number), ASSET, own[number]))
        assert served(files) == str(number)
    place.switch(place.release("last"))
    assert served(files) == "last"
    assert served(files, ASSET) == "5"
    assert [served(files, each) for each in own] == [None, None, None, "3", "4", "5"]
    assert open_directories(place.path) == before + MOST
    clock.advance(60)
    assert served(files) == "last"
    assert open_directories(place.path) == before


def test_what_is_known_lets_go_of_the_earlier_ones_as_well(
    place: Place, open_files: OpenFiles, clock: FakeReactor
) -> None:
    """When all is remembered, nothing is looked up."""
    place.switch(place.asset("41"))
    files = open_files(keep=30)
    before = open_directories(place.path)
    place.switch(place.release("42"))
    with found(files, "/") as result:
        assert open_directories(place.path) == before + 1
        clock.advance(30)
        assert files.is_unchanged(path_of("/"), result)
    assert open_directories(place.path) == before


def test_a_switch_back(place: Place, open_files: OpenFiles, clock: FakeReactor) -> None:
    first, second = place.asset("41"), place.asset("42", "/assets/app.4f9a2b7c.js")
    place.switch(first)
    files = open_files(keep=60)
    before = open_directories(place.path)
    for _ in range(10):
        for directory in (second, first):
            place.switch(directory)
            assert served(files) == directory.name
            assert served(files, ASSET) == "41"
            assert served(files, "/assets/app.4f9a2b7c.js") == "42"
            assert open_directories(place.path) == before + 1, "none is kept twice"


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(
    place: Place, open_files: OpenFiles, clock: FakeReactor
) -> None:
    place.switch(place.asset("41"))
    files = open_files(keep=60)
    place.switch(place.release("42"))
    assert served(files, ASSET) == "41"
    clock.rightNow -= 3600
    assert served(files, ASSET) is None


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_an_earlier_release_that_can_not_be_read_does_no_harm(
    place: Place, open_files: OpenFiles, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    place.switch(place.asset("41"))
    files = open_files(keep=60)
    place.switch(place.release("42"))
    assert served(files) == "42"
    opened = os.open

    def failing(path: Any, *args: Any, **options: Any) -> int:
        if path == b"app.3f9a2b7c.js":
            raise OSError(error, os.strerror(error))
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", failing)
    with found(files, ASSET) as result:
        assert result.resource == Missing()


def test_a_release_that_was_removed_is_gone(place: Place, open_files: OpenFiles) -> None:
    old = place.asset("41")
    place.switch(old)
    files = open_files(keep=60)
    place.switch(place.release("42"))
    assert served(files, ASSET) == "41"
    (old / ASSET.lstrip("/")).unlink()
    assert served(files, ASSET) is None


# Links.


@pytest.mark.parametrize("follow_links", [False, True])
def test_absolute_links_inside(place: Place, open_files: OpenFiles, follow_links: bool) -> None:
    """One by the real path of the old root leads out of the new one; one by the path does not."""
    first, second = place.release("41"), place.release("42")
    for directory in (first, second):
        (directory / "real").symlink_to(first / "index.html")
        (directory / "path").symlink_to(place.path / "index.html")
        (directory / "own").symlink_to(directory / "index.html")
    place.switch(first)
    files = open_files(follow_links=follow_links)
    targets = ("/real", "/path", "/own")
    assert [served(files, target) for target in targets] == ["41", "41", "41"]
    place.switch(second)
    out = "41" if follow_links else None
    assert [served(files, target) for target in targets] == [out, "42", "42"]


def test_the_real_path_is_that_of_what_was_opened(place: Place, outcomes: Outcomes) -> None:
    first, second = place.release("41"), place.release("42")
    for directory in (first, second):
        (directory / "own").symlink_to(directory / "index.html")

    def look() -> bytes:
        tree = Tree(place.path)
        try:
            with tree.directory(()) as top:
                descriptor = top.open_file(b"own")
            assert descriptor is not None
            octets = os.pread(descriptor, 10, 0)
            os.close(descriptor)
            return octets
        finally:
            tree.close()

    results = outcomes(lambda: place.switch(first), lambda: place.switch(second), look)
    assert set(results) == {b"41", b"42"}


# At every moment.


@pytest.mark.parametrize("keep", [0, 60])
def test_a_switch_at_any_moment_of_a_look_up(
    place: Place, open_files: OpenFiles, outcomes: Outcomes, keep: float
) -> None:
    """It finds the one or the other, whole; and what is the old one is known to be."""
    first, second = place.asset("41"), place.asset("42")
    for directory in (first, second):
        write_tree(directory, {"index.html.gz": directory.name + " packed", "big": LARGE}, OLD)
    place.switch(first)
    files = open_files(keep=keep)

    def look() -> bytes:
        results = set()
        for target in ("/", ASSET):
            with found(files, target) as result:
                assert isinstance(result.resource, File)
                octets = content(result.resource)
                packed = [each.content for each in result.resource.variants[1:]]
                assert packed == ([octets + b" packed"] if target == "/" and octets else [])
                is_switched = place.path.readlink() == second
                is_unchanged = files.is_unchanged(path_of(target), result)
                assert not (is_switched and is_unchanged and octets == b"41")
                results.add(octets)
        before = place.path.readlink().name
        assert served(files) in (before, place.path.readlink().name)
        return max(each for each in results if each is not None)

    def prepare() -> None:
        place.switch(first)
        assert served(files) == "41"

    results = outcomes(prepare, lambda: place.switch(second), look)
    assert b"42" in results


def test_look_ups_under_way_keep_their_tree(place: Place, clock: FakeReactor) -> None:
    place.switch(place.release("41"))
    before = open_directories(place.path)
    releases = Releases(Tree(place.path), clock.seconds)
    with releases.current() as old:
        place.switch(place.release("42"))
        with releases.current() as new:
            assert (old.number, new.number) == (0, 1)
            with old.tree.directory(()) as top:
                assert top.holds(b"index.html")
            assert open_directories(place.path) == before + 2
        assert releases.still(0) is None
        assert open_directories(place.path) == before + 2
    assert open_directories(place.path) == before + 1
    with releases.current() as new:
        releases.close()
        releases.close()
        with new.tree.directory(()) as top:
            assert top.holds(b"index.html")
    assert open_directories(place.path) == before
    with pytest.raises(OSError, match="closed"), releases.current():
        pass
    with pytest.raises(OSError, match="closed"):
        releases.still(1)


def test_an_end_while_the_next_one_is_opened(
    place: Place, clock: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.switch(place.release("41"))
    before = open_directories(place.path)
    releases = Releases(Tree(place.path), clock.seconds, keep=60)
    place.switch(place.release("42"))
    opened_again = Tree.opened_again

    def slow(tree: Tree) -> Tree:
        releases.close()
        return opened_again(tree)

    monkeypatch.setattr(Tree, "opened_again", slow)
    with pytest.raises(OSError, match="closed"), releases.current():
        pass
    assert open_directories(place.path) == before


def test_a_switch_back_while_the_next_one_is_opened(
    place: Place,
    open_files: OpenFiles,
    told: list[OSError | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = place.release("41")
    place.switch(first)
    files = open_files()
    before = open_directories(place.path)
    place.switch(place.release("42"))
    opened_again = Tree.opened_again

    def slow(tree: Tree) -> Tree:
        place.switch(first)
        return opened_again(tree)

    monkeypatch.setattr(Tree, "opened_again", slow)
    assert served(files) == "41"
    assert told == []
    assert open_directories(place.path) == before


def test_one_thread_opens_and_the_others_wait_for_it(
    place: Place,
    open_files: OpenFiles,
    told: list[OSError | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reactor's does not: it goes by what it knows."""
    place.switch(place.release("41"))
    files = open_files()
    with found(files, "/") as before:
        place.switch(place.release("42"))
        opened_again = Tree.opened_again
        opening, go_on = Event(), Event()
        calls: list[Tree] = []

        def slow(tree: Tree) -> Tree:
            calls.append(tree)
            opening.set()
            assert go_on.wait(10)
            return opened_again(tree)

        monkeypatch.setattr(Tree, "opened_again", slow)
        with ThreadPoolExecutor(4) as threads:
            looks = [threads.submit(served, files) for _ in range(4)]
            assert opening.wait(10)
            assert not files.is_unchanged(path_of("/"), before)
            go_on.set()
            assert [look.result(10) for look in looks] == ["42"] * 4
    assert len(calls) == 1
    assert told == [None]


@pytest.mark.parametrize("keep", [0, 60])
def test_threads_look_up_while_it_is_switched_again_and_again(
    place: Place, open_files: OpenFiles, told: list[OSError | None], keep: float
) -> None:
    directories = [place.asset(str(number)) for number in range(4)]
    for directory in directories:
        write_tree(directory, {"deep/er/page.html": directory.name, "deep/big": LARGE}, OLD)
    place.switch(directories[0])
    files = open_files(keep=keep)
    before = open_directories(place.path)
    done = Event()

    def look() -> int:
        count = 0
        while not done.is_set() or count < 50:
            with found(files, "/deep/er/page.html") as page, found(files, "/deep/big") as big:
                assert content(page.resource) in (b"0", b"1", b"2", b"3")
                files.is_unchanged(path_of("/deep/er/page.html"), page)
                octets = content(big.resource)
                assert octets is not None
                assert len(octets) == len(LARGE)
            count += 1
        return count

    with ThreadPoolExecutor(3) as threads:
        looks = [threads.submit(look) for _ in range(3)]
        for number in range(100):
            place.switch(directories[number % 4])
            served(files)
        done.set()
        assert all(each.result(30) >= 50 for each in looks)
    place.switch(directories[1])
    assert served(files, "/deep/er/page.html") == "1"
    assert open_directories(place.path) <= before + (MOST if keep else 0)
    assert set(told) == {None}


# What is remembered.


@pytest.fixture
def site(place: Place, open_files: OpenFiles, clock: FakeReactor) -> Iterator[Site]:
    files: dict[str, bytes | str] = {"a.txt": "a", "big": LARGE}
    place.switch(place.release("41", **files))
    site = Site(open_files(), clock.seconds)
    yield site
    site.forget()


def look_up(site: Site, *targets: str) -> None:
    for target in targets:
        site.remember(path_of(target), site.files.find(path_of(target)))


def known(site: Site, *targets: str) -> list[str]:
    return [target for target in targets if site.recall(path_of(target)) is not None]


def test_what_is_remembered_is_outdated_within_a_second(
    place: Place, site: Site, clock: FakeReactor
) -> None:
    targets = ("/", "/a.txt", "/big", "/none", "/.hidden")
    look_up(site, *targets)
    place.switch(place.release("42"))
    clock.advance(0.99)
    assert known(site, *targets) == [*targets]
    clock.advance(0.01)
    assert known(site, *targets) == []


def test_with_the_first_of_the_new_release_the_old_one_is_forgotten(
    place: Place, site: Site
) -> None:
    """A page of the new one with a picture of the old one would be neither."""
    switches: list[int] = []
    site.on_switch = lambda: switches.append(1)
    before = open_directories(place.path)
    look_up(site, "/", "/a.txt", "/big", "/none")
    assert switches == []
    place.switch(place.release("42"))
    assert known(site, "/a.txt", "/big", "/none") == ["/a.txt", "/big", "/none"]
    look_up(site, "/")
    assert known(site, "/", "/a.txt", "/big", "/none") == ["/"]
    assert open_directories(place.path) == before, "nor is a file of it still open"
    look_up(site, "/a.txt", "/.hidden")
    assert known(site, "/", "/a.txt", "/.hidden") == ["/", "/a.txt", "/.hidden"]
    assert switches == [1]


def test_who_was_slower_than_the_switch_is_not_remembered(
    place: Place, site: Site, clock: FakeReactor
) -> None:
    slow = site.files.find(path_of("/a.txt"))
    big = site.files.find(path_of("/big"))
    hold(big)
    place.switch(place.release("42", **{"a.txt": "A"}))
    look_up(site, "/")
    site.remember(path_of("/a.txt"), slow)
    site.remember(path_of("/big"), big)
    assert known(site, "/", "/a.txt", "/big") == ["/"]
    assert content(big.resource) == LARGE, "who waited for it gets it"
    for found in (slow, big):
        assert not site.is_fresh(path_of("/a.txt"), found, clock.seconds())
    let_go(big)


def test_listings(place: Place, open_files: OpenFiles) -> None:
    place.switch(place.release("41", before_it=""))
    files = open_files()

    def names() -> bytes:
        listed = files.listed(path_of("/"), parse_view(None), b"text/html")
        assert isinstance(listed, Representation)
        assert isinstance(listed.content, bytes)
        return listed.content

    assert b"before_it" in names()
    place.switch(place.release("42", after_it=""))
    assert b"before_it" not in names()
    assert b"after_it" in names()


# A manifest.


def test_digests_are_of_the_release_at_the_start_alone(place: Place, open_files: OpenFiles) -> None:
    """And nobody is told of each file of the next one that it was changed."""
    first, second = place.asset("41"), place.asset("42")
    shared = second / "shared"
    os.link(first / "index.html", shared)
    names: dict[tuple[bytes, ...], Path] = {
        (b"index.html",): first / "index.html",
        tuple(part.encode() for part in ASSET.split("/")[1:]): first / ASSET.lstrip("/"),
        (b"shared",): shared,
    }
    certain = {each: (identity(path.stat()), b"d" * 32) for each, path in names.items()}
    changed: list[object] = []
    place.switch(first)
    files = open_files(contents=Contents(certain, changed.append), keep=60)

    def digest(target: str) -> bytes | None:
        with found(files, target) as result:
            assert isinstance(result.resource, File)
            return result.resource.variants[0].sha256

    assert [digest("/"), digest(ASSET)] == [b"d" * 32, b"d" * 32]
    place.switch(second)
    assert [digest("/"), digest(ASSET), digest("/shared")] == [None, None, None]
    (second / ASSET.lstrip("/")).unlink()
    assert digest(ASSET) == b"d" * 32, "of an earlier release it is still the one"
    assert changed == []
