"""What differs from a manifest is found; what is known of a file holds until it is touched."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support import OLD, FakeReactor, write_tree
from tinyhttp.core.path import resolve
from tinyhttp.core.resource import File, Representation
from tinyhttp.site.files import Files, let_go
from tinyhttp.site.manifest import MANIFEST, Manifest, parse, render
from tinyhttp.site.snapshot import identity
from tinyhttp.site.tree import Tree
from tinyhttp.site.verification import Audit, Contents, Differences
from tinyhttp.site.walk import Names

T = TypeVar("T")
R = TypeVar("R")

A_DAY = 86_400


def later() -> float:
    """The time, on a clock by which nothing was changed a moment ago."""
    return os.stat("/proc/self").st_mtime + A_DAY


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    tree = Tree(root)
    yield tree
    tree.close()


def no_trouble(names: Names, error: OSError) -> None:
    raise AssertionError((names, error))


def made(tree: Tree, *, hidden_files: bool = False) -> Manifest:
    """Return the manifest of ``tree``, by way of the octets."""
    audit = Audit(tree, later)
    files = audit.files(no_trouble, hidden_files=hidden_files)
    entries = dict(audit.entries(files, no_trouble))
    return parse(render(Manifest(entries, hidden_files)))


def differences(tree: Tree, manifest: Manifest, **options: Any) -> Differences:
    return Audit(tree, later, **options).differences(manifest)


def in_threads(function: Callable[[T], R], items: Iterable[T], /) -> Iterable[R]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(function, items))


@pytest.mark.parametrize("each", [map, in_threads], ids=["one by one", "in threads"])
def test_a_tree_is_as_its_manifest_says(tree: Tree, root: Path, each: Any) -> None:
    write_tree(root, {"a": "1", "b/c.css": "2", "b/c.css.gz": "3", ".x": "4", "empty": ""})
    write_tree(root, {MANIFEST.decode(): "any"})
    (root / "link").symlink_to("a")
    (root / "linked").symlink_to("b")
    (root / "nowhere").symlink_to("nothing")
    os.mkfifo(root / "fifo")
    manifest = made(tree)
    assert set(manifest.entries) == {
        (b"a",), (b"b", b"c.css"), (b"b", b"c.css.gz"), (b"empty",), (b"link",)
    }  # fmt: skip
    assert manifest.entries[b"link",] == manifest.entries[b"a",]
    assert manifest.entries[b"a",].sha256 == sha256(b"1").digest()
    result = differences(tree, manifest, each=each)
    assert not result
    assert result.certain.keys() == manifest.entries.keys()


def test_hidden_files_are_compared_if_the_manifest_has_them(tree: Tree, root: Path) -> None:
    write_tree(root, {"a": "1", ".x/y": "4", MANIFEST.decode(): "any"})
    without, with_them = made(tree), made(tree, hidden_files=True)
    assert set(with_them.entries) == {(b"a",), (b".x", b"y")}
    write_tree(root, {".x/y": "5"})
    assert not differences(tree, without)
    assert differences(tree, with_them).changed == [(b".x", b"y")]


def test_each_kind_of_difference(tree: Tree, root: Path) -> None:
    write_tree(root, {"gone": "1", "dir/gone": "1", "longer": "1", "other": "1", "same": "1"})
    manifest = made(tree)
    for name in ("gone", "dir/gone"):
        (root / name).unlink()
    write_tree(root, {"longer": "11", "other": "2", "new": "", "dir/new": ""})
    result = differences(tree, manifest)
    assert result
    assert result.missing == [(b"dir", b"gone"), (b"gone",)]
    assert result.changed == [(b"longer",), (b"other",)]
    assert result.added == [(b"dir", b"new"), (b"new",)]
    assert result.unreadable == []
    assert result.certain.keys() == {(b"same",)}


@pytest.mark.parametrize("what", ["link out", "directory", "fifo"])
def test_a_file_that_is_none_any_more(tree: Tree, root: Path, outside: Path, what: str) -> None:
    write_tree(root, {"a": "SECRET"})
    manifest = made(tree)
    (root / "a").unlink()
    if what == "link out":
        (root / "a").symlink_to(outside / "secret.txt")
    elif what == "directory":
        (root / "a").mkdir()
    else:
        os.mkfifo(root / "a")
    assert differences(tree, manifest).missing == [(b"a",)]


def test_a_directory_that_became_a_file(tree: Tree, root: Path) -> None:
    write_tree(root, {"a/b": "1"})
    manifest = made(tree)
    (root / "a/b").unlink()
    (root / "a").rmdir()
    write_tree(root, {"a": "1"})
    result = differences(tree, manifest)
    assert (result.missing, result.added) == ([(b"a", b"b")], [(b"a",)])


def test_links_out_count_if_they_are_followed(root: Path, outside: Path) -> None:
    (root / "a").symlink_to(outside / "secret.txt")
    tree = Tree(root, follow_links=True)
    try:
        assert made(tree).entries[b"a",].size == len("SECRET")
    finally:
        tree.close()


def failing(monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    """Have ``name`` be unreadable."""
    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == name:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("name", [b"a", b"d"])
def test_what_can_not_be_read(
    tree: Tree, root: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """It is told once, and what is in a directory that can't be entered is not said to be gone."""
    write_tree(root, {"a": "1", "d/1": "1", "d/2": "1"})
    manifest = made(tree)
    failing(monkeypatch, name)
    result = differences(tree, manifest)
    assert (result.unreadable, result.missing) == ([(name,)], [])
    reported = []
    audit = Audit(tree, later)
    files = audit.files(lambda names, error: reported.append(names))
    found = dict(audit.entries(files, lambda names, error: reported.append(names)))
    assert reported == [(name,)]
    assert found.keys() == manifest.entries.keys() - set(differences_of(manifest, name))


def differences_of(manifest: Manifest, first: bytes) -> list[Names]:
    return [names for names in manifest.entries if names[0] == first]


def test_a_file_of_another_size_is_not_read(
    tree: Tree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a": "1"})
    manifest = made(tree)
    write_tree(root, {"a": "11", "new": "1"})
    monkeypatch.setattr(os, "pread", None)
    assert differences(tree, manifest).changed == [(b"a",)]


def test_a_file_that_changes_while_it_is_read(
    tree: Tree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a": "1"})
    manifest = made(tree)
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        with open(root / "a", "a") as file:
            file.write("x")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    reported = []
    audit = Audit(tree, later)
    assert list(audit.entries([(b"a",)], lambda names, error: reported.append(str(error)))) == []
    assert reported == ["it was changed while it was read"]
    write_tree(root, {"a": "1"})
    assert differences(tree, manifest)


def test_it_can_be_ended(tree: Tree, root: Path) -> None:
    class EndedError(Exception):
        pass

    def end() -> None:
        raise EndedError

    write_tree(root, {"a": "1"})
    with pytest.raises(EndedError):
        differences(tree, made(tree), pause=end)


def test_a_file_that_was_just_changed_is_not_certain(tree: Tree, root: Path) -> None:
    """Another change could leave it in the same state."""
    write_tree(root, {"a": "1"})
    manifest = made(tree)
    changed = os.stat(root / "a").st_ctime
    clock = FakeReactor(changed)
    for now, certain in ((changed, 0), (changed + 0.01, 0), (changed + 3, 1)):
        clock.rightNow = now
        result = Audit(tree, clock.seconds).differences(manifest)
        assert not result
        assert len(result.certain) == certain
    clock.rightNow = changed
    waiting = Audit(tree, clock.seconds, wait=lambda seconds: clock.advance(seconds + 0.001))
    assert len(waiting.differences(manifest).certain) == 1


# What is known is believed, until it is touched.


def state(path: Path) -> tuple[int, int, int, int, int]:
    return identity(path.stat())


def test_contents(root: Path) -> None:
    write_tree(root, {"a": "1", "b": "2"})
    told: list[Names] = []
    contents = Contents({(b"a",): (state(root / "a"), b"digest")}, told.append)
    assert contents.digest((b"a",), state(root / "a")) == b"digest"
    assert contents.digest((b"b",), state(root / "b")) is None
    assert told == []
    for _ in range(2):
        assert contents.digest((b"a",), state(root / "b")) is None
    assert told == [(b"a",)]
    assert contents.changed == {(b"a",)}


@pytest.fixture
def files(root: Path) -> Iterator[Callable[[Contents], Files]]:
    opened = []

    def open_them(contents: Contents) -> Files:
        opened.append(Files(Tree(root), FakeReactor().seconds, contents=contents))
        return opened[-1]

    yield open_them
    for each in opened:
        each.close()


def variants(files: Files, target: str) -> tuple[Representation, ...]:
    path = resolve(target.encode())
    assert path is not None
    found = files.find(path)
    let_go(found)
    assert isinstance(found.resource, File)
    return found.resource.variants


BIG = bytes(100_000)


def test_tags_are_those_of_the_content(
    tree: Tree, root: Path, files: Callable[[Contents], Files]
) -> None:
    write_tree(root, {"index.html": "1", "index.html.gz": "2", "d/big": BIG, "zero": "0"}, OLD)
    os.utime(root / "zero", (1, 1))
    contents = Contents(differences(tree, made(tree)).certain)
    found = files(contents)
    plain, sidecar = variants(found, "/")
    assert plain.sha256 == sha256(b"1").digest()
    assert plain.etag == b'"%s"' % sha256(b"1").hexdigest()[:32].encode()
    assert plain.last_modified == int(OLD)
    assert sidecar.sha256 == sha256(b"2").digest()
    assert sidecar.etag == b'"%s-gzip"' % sha256(b"2").hexdigest()[:32].encode()
    (big,) = variants(found, "/d/big")
    assert big.sha256 == sha256(BIG).digest()
    (zero,) = variants(found, "/zero")
    assert zero.etag == b'"%s"' % sha256(b"0").hexdigest()[:32].encode()
    assert zero.last_modified is None


@pytest.mark.parametrize("how", ["rewritten", "replaced", "touched"])
def test_a_file_that_was_touched_gets_a_tag_of_its_time(
    tree: Tree, root: Path, files: Callable[[Contents], Files], how: str
) -> None:
    """Even if size and time are as before."""
    write_tree(root, {"a": "1", "b": "1"}, OLD)
    told: list[Names] = []
    contents = Contents(differences(tree, made(tree)).certain, told.append)
    found = files(contents)
    assert variants(found, "/a")[0].sha256 is not None
    if how == "replaced":
        write_tree(root, {"c": "2"}, OLD)
        (root / "c").rename(root / "a")
    elif how == "rewritten":
        write_tree(root, {"a": "2"}, OLD)
    else:
        (root / "a").chmod(0o600)
    for _ in range(2):
        (variant,) = variants(found, "/a")
        assert variant.sha256 is None
        assert variant.etag == b'"%x-1"' % (int(OLD) * 10**9)
    assert variants(found, "/b")[0].sha256 is not None
    assert told == [(b"a",)]


def test_a_file_that_is_new(tree: Tree, root: Path, files: Callable[[Contents], Files]) -> None:
    told: list[Names] = []
    found = files(Contents({}, told.append))
    write_tree(root, {"a": "1"}, OLD)
    assert variants(found, "/a")[0].sha256 is None
    assert told == []


def test_replicas_agree_whatever_their_times(
    tmp_path: Path, files: Callable[[Contents], Files]
) -> None:
    tags = set()
    for name, mtime in (("one", OLD), ("two", OLD - 5)):
        root = write_tree(tmp_path / name, {"a": "1"}, mtime)
        tree = Tree(root)
        contents = Contents(differences(tree, made(tree)).certain)
        found = Files(tree, FakeReactor().seconds, contents=contents)
        tags.add(variants(found, "/a")[0].etag)
        found.close()
    assert len(tags) == 1
