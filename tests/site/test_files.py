"""What a path leads to, and that a tag never stands for two contents."""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.support import NOW, OLD, FakeReactor, write_tree
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.resource import (
    Directory,
    File,
    Forbidden,
    Missing,
    Representation,
    Resource,
)
from tinyhttp.core.response import Refused
from tinyhttp.site.files import Files, Found, hold, let_go
from tinyhttp.site.snapshot import SMALL
from tinyhttp.site.tree import Tree

from .conftest import Outcomes, open_numbers

OpenFiles: TypeAlias = Callable[..., Files]

SECOND = 10**9  # nanoseconds


@pytest.fixture
def clock() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def open_files(root: Path, clock: FakeReactor) -> Iterator[OpenFiles]:
    """Return a function that opens the files of the root, which are closed when the test ends."""
    opened = []

    def open_them(path: Path = root, *, follow_links: bool = False, **options: Any) -> Files:
        opened.append(Files(Tree(path, follow_links=follow_links), clock.seconds, **options))
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
    """Give what ``target`` leads to, and let go of it."""
    result = files.find(path_of(target))
    try:
        yield result
    finally:
        let_go(result)


def octets(variant: Representation) -> bytes:
    if isinstance(variant.content, bytes):
        assert variant.size == len(variant.content)
        return variant.content
    return variant.content.read(variant.size, 0)


def variants(files: Files, target: str) -> list[tuple[bytes, bytes]]:
    """Return the coding and content of each variant of the file at ``target``."""
    with found(files, target) as result:
        assert isinstance(result.resource, File)
        return [(variant.coding, octets(variant)) for variant in result.resource.variants]


def outcome(files: Files, target: str) -> bytes | Resource:
    """Return the content of the file itself, or what else ``target`` leads to."""
    with found(files, target) as result:
        if isinstance(result.resource, File):
            return octets(result.resource.variants[0])
        return result.resource


def tag(files: Files, target: str) -> bytes:
    """Return the entity tag of the file itself."""
    with found(files, target) as result:
        assert isinstance(result.resource, File)
        return result.resource.variants[0].etag


def set_mtime(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns))


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def make_special(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with monkeypatch.context() as patch, socket.socket(socket.AF_UNIX) as listener:
            patch.chdir(path.parent)  # the path of a socket must be short
            listener.bind(path.name)
    else:
        try:
            os.mknod(path, 0o020666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root may make a device")


# What a path leads to


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/", b"home", id="the root"),
        pytest.param("/index.html", b"home", id="its index by name"),
        pytest.param("/a.txt", b"A", id="file"),
        pytest.param("/empty.txt", b"", id="empty file"),
        pytest.param("/sub/deep/c.txt", b"C", id="file further down"),
        pytest.param("//sub///deep//c.txt", b"C", id="empty segments"),
        pytest.param("/sub/./x/../deep/c.txt", b"C", id="dot segments"),
        pytest.param("/../../a.txt", b"A", id="dot segments stay at the root"),
        pytest.param("/%61.txt", b"A", id="escaped"),
        pytest.param("/none.txt", Missing(), id="no file"),
        pytest.param("/none/a.txt", Missing(), id="no directory"),
        pytest.param("/none/", Missing(), id="no directory, with a slash"),
        pytest.param("/A.TXT", Missing(), id="other case"),
        pytest.param("/a.txt%20", Missing(), id="closing space"),
        pytest.param("/a.txt.", Missing(), id="closing dot"),
        pytest.param("/a.txt::$DATA", Missing(), id="a stream of Windows"),
        pytest.param("/a.txt/", Missing(), id="slash after a file"),
        pytest.param("/a.txt/.", Missing(), id="dot after a file"),
        pytest.param("/a.txt/b.txt", Missing(), id="below a file"),
        pytest.param("/sub", Directory(b"/sub/"), id="directory without slash"),
        pytest.param("//sub", Directory(b"/sub/"), id="it names no other host"),
        pytest.param("/sub/deep", Directory(b"/sub/deep/"), id="directory further down"),
        pytest.param("/with%20space", Directory(b"/with%20space/"), id="its name is escaped"),
        pytest.param("/sub/", Missing(), id="directory without index"),
        pytest.param("/with%20space/", b"spacious", id="directory with index"),
        pytest.param("/b.txt", b"A", id="link to a file"),
        pytest.param("/linked", Directory(b"/linked/"), id="link to a directory"),
        pytest.param("/linked/deep/c.txt", b"C", id="through a link"),
        pytest.param("/secret", Missing(), id="link to a file outside"),
        pytest.param("/outside", Missing(), id="link to a directory outside"),
        pytest.param("/outside/", Missing(), id="link to a directory outside, slash"),
        pytest.param("/outside/secret.txt", Missing(), id="through a link outside"),
        pytest.param("/dangling", Missing(), id="dangling link"),
        pytest.param("/loop", Missing(), id="loop"),
        pytest.param("/loop/", Missing(), id="loop, slash"),
    ],
)
def test_paths(
    open_files: OpenFiles, root: Path, outside: Path, target: str, expected: bytes | Resource
) -> None:
    write_tree(
        root,
        {
            "index.html": "home",
            "a.txt": "A",
            "empty.txt": "",
            "sub/deep/c.txt": "C",
            "with space/index.html": "spacious",
        },
    )
    links: dict[str, str | Path] = {
        "b.txt": "a.txt",
        "linked": "sub",
        "secret": "../outside/secret.txt",
        "outside": outside,
        "dangling": "gone",
        "loop": "loop",
    }
    for name, destination in links.items():
        (root / name).symlink_to(destination)
    assert outcome(open_files(), target) == expected


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
@pytest.mark.parametrize("target", ["/special", "/special/", "/special/a.txt", "/link"])
def test_special_files_are_missing(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str, target: str
) -> None:
    make_special(root / "special", kind, monkeypatch)
    (root / "link").symlink_to("special")
    assert outcome(open_files(), target) == Missing()
    assert outcome(open_files(follow_links=True), target) == Missing()


def test_links_may_lead_anywhere_if_that_is_wanted(
    open_files: OpenFiles, root: Path, outside: Path
) -> None:
    (root / "link").symlink_to(outside)
    files = open_files(follow_links=True)
    assert outcome(files, "/link/secret.txt") == b"SECRET"
    assert outcome(files, "/link") == Directory(b"/link/")


# The index of a directory


@pytest.mark.parametrize(
    ("index", "names", "expected"),
    [
        pytest.param(["index.html"], ["index.html"], b"index.html", id="one"),
        pytest.param(["a", "b"], ["a", "b"], b"a", id="the first"),
        pytest.param(["b", "a"], ["a", "b"], b"b", id="in the order that is given"),
        pytest.param(["a", "b", "c"], ["c"], b"c", id="the only one there is"),
        pytest.param(["a", "b"], [], Missing(), id="none there"),
        pytest.param([], ["index.html"], Missing(), id="none wanted"),
        pytest.param(["a", "b"], ["a/", "b"], b"b", id="a directory is none"),
        pytest.param(["a", "b"], ["a->../outside/secret.txt", "b"], b"b", id="outside is none"),
        pytest.param(["a", "b"], ["a->gone", "b"], b"b", id="a dangling link is none"),
        pytest.param(["a", "b"], ["a->a", "b"], b"b", id="a loop is none"),
        pytest.param(["a", "b"], ["a->b", "b"], b"b", id="a link inside is one"),
        pytest.param(["ä.html"], ["ä.html"], "ä.html".encode(), id="not ASCII"),
        pytest.param(["x" * 300, "b"], ["b"], b"b", id="too long is none"),
        pytest.param(["Index.html"], ["index.html"], Missing(), id="other case"),
    ],
)
@pytest.mark.parametrize("directory", ["/", "/sub/"])
@pytest.mark.usefixtures("outside")
def test_index(
    open_files: OpenFiles,
    root: Path,
    directory: str,
    index: list[str],
    names: list[str],
    expected: bytes | Resource,
) -> None:
    (root / "sub").mkdir()
    (root / "outside").symlink_to("../outside")  # so that the link is one from /sub/ too
    for name in names:
        path = root / directory.strip("/") / name.partition("->")[0]
        if "->" in name:
            path.symlink_to(name.partition("->")[2])
        elif name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(name)
    assert outcome(open_files(index=index), directory) == expected


def test_an_index_has_its_own_type_and_sidecars(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"index.xhtml": "plain", "index.xhtml.gz": "zipped"})
    files = open_files(index=["index.html", "index.xhtml"])
    assert variants(files, "/") == [(b"", b"plain"), (b"gzip", b"zipped")]
    with found(files, "/") as result:
        assert isinstance(result.resource, File)
        types = {variant.content_type for variant in result.resource.variants}
    assert types == {b"application/xhtml+xml; charset=utf-8"}


# Precompressed sidecars


@pytest.mark.parametrize(
    ("names", "codings"),
    [
        pytest.param([], [b""], id="none"),
        pytest.param(["a.js.gz"], [b"", b"gzip"], id="gzip"),
        pytest.param(["a.js.br"], [b"", b"br"], id="br"),
        pytest.param(["a.js.zst"], [b"", b"zstd"], id="the coding of .zst is zstd"),
        pytest.param(
            ["a.js.gz", "a.js.zst", "a.js.br"], [b"", b"br", b"zstd", b"gzip"], id="all of them"
        ),
        pytest.param(["a.js.GZ", "a.js.gzip", "a.gz", "a.js.xz"], [b""], id="other names"),
        pytest.param(["a.js.gz/", "a.js.br"], [b"", b"br"], id="a directory is none"),
        pytest.param(["a.js.gz->b.gz", "b.gz"], [b"", b"gzip"], id="a link inside is one"),
        pytest.param(["a.js.gz->../outside/secret.txt"], [b""], id="a link outside is none"),
        pytest.param(["a.js.gz->{outside}/secret.txt"], [b""], id="nor an absolute one"),
        pytest.param(["a.js.gz->gone"], [b""], id="a dangling link is none"),
        pytest.param(["a.js.gz->a.js.gz"], [b""], id="a loop is none"),
    ],
)
def test_sidecars(
    open_files: OpenFiles, root: Path, outside: Path, names: list[str], codings: list[bytes]
) -> None:
    write_tree(root, {"a.js": "plain"})
    for name in names:
        beside, arrow, destination = name.format(outside=outside).partition("->")
        if arrow:
            (root / beside).symlink_to(destination)
        elif name.endswith("/"):
            (root / name).mkdir()
        else:
            write_tree(root, {name: "packed"})
    assert variants(open_files(), "/a.js") == [
        (coding, b"packed" if coding else b"plain") for coding in codings
    ]


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
def test_a_special_file_is_no_sidecar(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    write_tree(root, {"a.js": "plain", "a.js.br": "packed"})
    make_special(root / "a.js.gz", kind, monkeypatch)
    assert variants(open_files(), "/a.js") == [(b"", b"plain"), (b"br", b"packed")]


def test_each_variant_is_described_by_itself(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.js": "hello", "a.js.br": "hi"})
    write_tree(root, {"a.js.gz": "he"}, mtime=OLD + 1)
    with found(open_files(), "/a.js") as result:
        assert result.resource == File(
            (
                Representation(
                    5,
                    b'"18d70cef92a40000-5"',
                    1_789_913_600,
                    b"text/javascript; charset=utf-8",
                    b"",
                    b"hello",
                ),
                Representation(
                    2,
                    b'"18d70cef92a40000-2-br"',
                    1_789_913_600,
                    b"text/javascript; charset=utf-8",
                    b"br",
                    b"hi",
                ),
                Representation(
                    2,
                    b'"18d70cefce3eca00-2-gzip"',
                    1_789_913_601,
                    b"text/javascript; charset=utf-8",
                    b"gzip",
                    b"he",
                ),
            )
        )
        assert result.fresh_until == NOW + 1


def test_a_sidecar_alone_is_only_itself(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.js.gz": "packed"})
    files = open_files()
    assert outcome(files, "/a.js") == Missing()
    assert variants(files, "/a.js.gz") == [(b"", b"packed")]
    with found(files, "/a.js.gz") as result:
        assert isinstance(result.resource, File)
        assert result.resource.variants[0].content_type == b"application/gzip"


def test_a_sidecar_may_have_sidecars(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.tar": "plain", "a.tar.gz": "packed", "a.tar.gz.br": "twice"})
    assert variants(open_files(), "/a.tar.gz") == [(b"", b"packed"), (b"br", b"twice")]


def test_a_sidecar_whose_name_would_be_too_long(open_files: OpenFiles, root: Path) -> None:
    """The name itself is the longest; so is another with its ``.gz``, but not with ``.zst``."""
    write_tree(root, {"x" * 255: "longest", "y" * 252: "long", "y" * 252 + ".gz": "packed"})
    files = open_files()
    assert variants(files, "/" + "x" * 255) == [(b"", b"longest")]
    assert variants(files, "/" + "y" * 252) == [(b"", b"long"), (b"gzip", b"packed")]


def test_a_sidecar_does_not_come_before_the_right_to_read_the_file(
    open_files: OpenFiles, root: Path
) -> None:
    write_tree(root, {"a.js": "plain", "a.js.gz": "packed"})
    (root / "a.js").chmod(0)
    files = open_files()
    with unprivileged():
        assert outcome(files, "/a.js") == Forbidden()


@pytest.mark.parametrize("by_link", [False, True], ids=["itself", "by a link"])
def test_a_sidecar_that_may_not_be_read_is_skipped(
    open_files: OpenFiles, root: Path, by_link: bool
) -> None:
    write_tree(root, {"a.js": "plain", "a.js.br": "packed", "closed/b": "packed"})
    if by_link:
        (root / "a.js.gz").symlink_to("closed/b")
        (root / "closed").chmod(0)
    else:
        write_tree(root, {"a.js.gz": "packed"})
        (root / "a.js.gz").chmod(0)
    files = open_files()
    with unprivileged():
        assert variants(files, "/a.js") == [(b"", b"plain"), (b"br", b"packed")]


def test_a_sidecar_that_can_not_be_opened_is_skipped(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.js": "plain", "a.js.br": "packed", "a.js.gz": "packed"})
    files = open_files()
    break_disk(monkeypatch, "open", errno.EIO, b"a.js.br")
    assert variants(files, "/a.js") == [(b"", b"plain"), (b"gzip", b"packed")]


def test_a_sidecar_that_can_not_be_read_is_skipped(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.js": "plain", "a.js.gz": "packed"})
    files = open_files()
    bad = (root / "a.js.gz").stat().st_ino
    system_pread = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return system_pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert variants(files, "/a.js") == [(b"", b"plain")]


# Media types


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", b"text/html; charset=utf-8"),
        ("a.HTML", b"text/html; charset=utf-8"),
        ("a.tar.gz", b"application/gzip"),
        ("a.wasm", b"application/wasm"),
        ("a.json", b"application/json"),
        ("a.unheard-of", b"application/octet-stream"),
        ("README", b"application/octet-stream"),
        ("dir.html/file", b"application/octet-stream"),
        ("a.own", b"text/x-own"),
        ("a.svg", b"image/x-other"),
    ],
)
def test_media_types(open_files: OpenFiles, root: Path, name: str, expected: bytes) -> None:
    write_tree(root, {name: ""})
    files = open_files(media_types={b"own": b"text/x-own", b"svg": b"image/x-other"})
    with found(files, f"/{name}") as result:
        assert isinstance(result.resource, File)
        assert result.resource.variants[0].content_type == expected


def test_the_type_is_that_of_the_name_asked_for(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"data.bin": ""})
    (root / "page.html").symlink_to("data.bin")
    with found(open_files(), "/page.html") as result:
        assert isinstance(result.resource, File)
        assert result.resource.variants[0].content_type == b"text/html; charset=utf-8"


# Hidden files


@pytest.mark.parametrize(
    ("target", "shown", "if_wanted"),
    [
        ("/.env", Missing(), b"env"),
        ("/.env.gz", Missing(), b"packed"),
        ("/.env/", Missing(), Missing()),
        ("/.git", Missing(), Directory(b"/.git/")),
        ("/.git/", Missing(), Missing()),
        ("/.git/config", Missing(), b"config"),
        ("/sub/.git/config", Missing(), b"config"),
        ("/sub/.", Missing(), Missing()),
        ("/...", Missing(), b"dots"),
        ("/%2eenv", Missing(), b"env"),
        ("/.none", Missing(), Missing()),
        ("/.well-known", Directory(b"/.well-known/"), Directory(b"/.well-known/")),
        ("/.well-known/", b"index", b"index"),
        ("/.well-known/security.txt", b"security", b"security"),
        ("/.well-known/.hidden", Missing(), b"hidden"),
        ("/.well-known/../.env", Missing(), b"env"),
        ("/.well-knownx", Missing(), b"other"),
        ("/sub/.well-known/security.txt", Missing(), b"elsewhere"),
        ("/visible.txt", b"visible", b"visible"),
        ("/a.b.c", b"dotted", b"dotted"),
    ],
)
def test_hidden_files(
    open_files: OpenFiles,
    root: Path,
    target: str,
    shown: bytes | Resource,
    if_wanted: bytes | Resource,
) -> None:
    write_tree(
        root,
        {
            ".env": "env",
            ".env.gz": "packed",
            ".git/config": "config",
            "sub/.git/config": "config",
            "...": "dots",
            ".well-known/index.html": "index",
            ".well-known/security.txt": "security",
            ".well-known/.hidden": "hidden",
            ".well-knownx": "other",
            "sub/.well-known/security.txt": "elsewhere",
            "visible.txt": "visible",
            "a.b.c": "dotted",
        },
    )
    assert outcome(open_files(), target) == shown
    assert outcome(open_files(hidden_files=True), target) == if_wanted


# What may not be read


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/closed.txt", Forbidden(), id="a file"),
        pytest.param("/link", Forbidden(), id="a link to it"),
        pytest.param("/closed/a.txt", Forbidden(), id="in a directory that may not be entered"),
        pytest.param("/closed/none.txt", Forbidden(), id="it does not tell what is in it"),
        pytest.param("/closed/", Forbidden(), id="its index"),
        pytest.param("/by-index/", Forbidden(), id="an index is not passed over"),
        pytest.param("/enter/a.txt", b"A", id="in a directory that may only be entered"),
        pytest.param("/enter/", b"index", id="the index of that"),
        pytest.param("/open.txt", b"open", id="another file"),
    ],
)
def test_what_may_not_be_read(
    open_files: OpenFiles, root: Path, target: str, expected: bytes | Resource
) -> None:
    write_tree(
        root,
        {
            "closed.txt": "SECRET",
            "closed/a.txt": "SECRET",
            "closed/index.html": "SECRET",
            "by-index/first.html": "SECRET",
            "by-index/index.html": "second",
            "enter/a.txt": "A",
            "enter/index.html": "index",
            "open.txt": "open",
        },
    )
    (root / "link").symlink_to("closed.txt")
    for name in ("closed.txt", "closed", "by-index/first.html"):
        (root / name).chmod(0)
    (root / "enter").chmod(0o111)
    files = open_files(index=["first.html", "index.html"])
    with unprivileged():
        assert outcome(files, target) == expected
    (root / "closed").chmod(0o700)


# Names


@pytest.mark.parametrize(
    ("target", "name"),
    [
        pytest.param("/" + "x" * 255, b"x" * 255, id="the longest"),
        pytest.param("/%FF%FE%80", b"\xff\xfe\x80", id="not UTF-8"),
        pytest.param("/n%C3%A4me", b"n\xc3\xa4me", id="UTF-8"),
        pytest.param("/nu%CC%88me", b"nu\xcc\x88me", id="decomposed"),
        pytest.param("/back\\slash", b"back\\slash", id="backslash"),
        pytest.param("/..%5Ca.txt", b"..\\a.txt", id="dots and an escaped backslash"),
        pytest.param("/line%0D%0Afeed", b"line\r\nfeed", id="line feed"),
        pytest.param("/%22quoted%22'", b'"quoted"\'', id="quotes"),
        pytest.param("/%25%32%65", b"%2e", id="escapes are undone once"),
        pytest.param("/%7Fdel", b"\x7fdel", id="control character"),
        pytest.param("/a;b=c,d:e@f", b"a;b=c,d:e@f", id="punctuation"),
        pytest.param("/~", b"~", id="tilde"),
        pytest.param("/-rf", b"-rf", id="hyphen"),
        pytest.param("/CON", b"CON", id="a device elsewhere"),
    ],
)
def test_names_are_octets(open_files: OpenFiles, root: Path, target: str, name: bytes) -> None:
    files = open_files(hidden_files=True)
    path = os.path.join(os.fsencode(root), name)
    assert outcome(files, target) == Missing()
    with open(path, "wb") as file:
        file.write(b"N")
    assert outcome(files, target) == b"N"
    assert outcome(files, target + "/") == Missing()


@pytest.mark.parametrize(
    "target",
    [
        "/" + "x" * 256,
        "/" + "x" * 300,
        "/" + "x" * 5000,
        "/" + "x" * 300 + "/",
        "/" + "x" * 300 + "/a.txt",
        "/" + "d/" * 4000,
        "/" + "d/" * 4000 + "a.txt",
    ],
    ids=["256", "300", "5000", "directory", "below", "deep directory", "deep file"],
)
def test_names_that_are_too_long_are_missing(open_files: OpenFiles, target: str) -> None:
    assert outcome(open_files(), target) == Missing()


def test_every_path_gets_an_answer(open_files: OpenFiles, root: Path) -> None:
    """Nothing is there but one directory: whatever the octets, nothing is found or goes wrong."""
    (root / "d").mkdir()
    files = open_files(hidden_files=True)
    names = st.binary(min_size=1, max_size=400).map(lambda name: name.replace(b"/", b"\\"))
    names = names.map(lambda name: name.replace(b"\0", b"")).filter(
        lambda name: name not in (b"", b".", b"..", b"d")
    )

    @settings(max_examples=200, deadline=None)
    @given(st.lists(names | st.just(b"d"), min_size=1, max_size=4), st.booleans())
    def check(segments: list[bytes], directory: bool) -> None:
        result = files.find(SitePath(tuple(segments), directory))
        if segments == [b"d"] and not directory:
            assert result == Found(Directory(b"/d/"), NOW + 1)
        else:
            assert result == Found(Missing(), NOW + 1)

    check()


# Validators made from the time


@pytest.mark.parametrize(
    ("age_ns", "etag", "fresh_for"),
    [
        # A time of whole seconds may come from a file system that has no others.
        pytest.param(0, b'W/"18d75b8423f30000-5-young"', 1.0, id="now"),
        pytest.param(1 * SECOND, b'W/"18d75b83e8583600-5-young"', 1.0, id="1 s old"),
        pytest.param(2 * SECOND, b'"18d75b83acbd6c00-5"', 1.0, id="2 s old"),
        pytest.param(86_400 * SECOND, b'"18d70cef92a40000-5"', 1.0, id="a day old"),
        pytest.param(-1 * SECOND, b'W/"18d75b845f8dca00-5-young"', 1.0, id="1 s ahead"),
        pytest.param(-2 * SECOND, b'"18d75b849b289400-5"', 1.0, id="2 s ahead"),
        # Others tick every few milliseconds.
        pytest.param(1_000_000, b'W/"18d75b8423e3bdc0-5-young"', 0.019, id="1 ms old"),
        pytest.param(-1_000_000, b'W/"18d75b8424024240-5-young"', 0.021, id="1 ms ahead"),
        pytest.param(19_000_000, b'W/"18d75b8422d11540-5-young"', 0.001, id="19 ms old"),
        pytest.param(21_000_000, b'"18d75b8422b290c0-5"', 1.0, id="21 ms old"),
    ],
)
def test_the_tag_of_a_young_file_is_weak(
    open_files: OpenFiles, root: Path, age_ns: int, etag: bytes, fresh_for: float
) -> None:
    write_tree(root, {"a.txt": "hello"})
    set_mtime(root / "a.txt", int(NOW) * SECOND - age_ns)
    with found(open_files(), "/a.txt") as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        assert variant.etag == etag
        assert variant.last_modified == (int(NOW) * SECOND - age_ns) // SECOND
        assert result.fresh_until == pytest.approx(NOW + fresh_for, abs=1e-6)


def test_the_tag_settles(open_files: OpenFiles, root: Path, clock: FakeReactor) -> None:
    write_tree(root, {"a.txt": "hello"}, mtime=NOW - 1.0)
    files = open_files()
    assert tag(files, "/a.txt") == b'W/"18d75b83e8583600-5-young"'
    clock.advance(0.999)
    assert tag(files, "/a.txt") == b'W/"18d75b83e8583600-5-young"'
    clock.advance(0.001)
    assert tag(files, "/a.txt") == b'"18d75b83e8583600-5"'


def test_a_young_sidecar_does_not_make_the_file_young(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.js": "hello"})
    write_tree(root, {"a.js.gz": "hi"})
    set_mtime(root / "a.js.gz", int(NOW) * SECOND - 1_000_000)
    with found(open_files(), "/a.js") as result:
        assert isinstance(result.resource, File)
        plain, sidecar = result.resource.variants
        assert plain.etag == b'"18d70cef92a40000-5"'
        assert sidecar.etag == b'W/"18d75b8423e3bdc0-2-gzip-young"'
        # Both are remembered together, so the younger says for how long.
        assert result.fresh_until == pytest.approx(NOW + 0.019, abs=1e-6)


def test_the_tag_is_equal_on_all_replicas(
    open_files: OpenFiles, root: Path, tmp_path: Path
) -> None:
    """Equal in two trees whose files have different inodes, owners' times and names."""
    other = tmp_path / "other"
    for tree in (root, other):
        write_tree(tree, {"a.txt": "hello"})
    (other / "a.txt").chmod(0o600)
    assert tag(open_files(), "/a.txt") == b'"18d70cef92a40000-5"'
    assert tag(open_files(other), "/a.txt") == b'"18d70cef92a40000-5"'


@pytest.mark.parametrize(
    ("content", "mtime_ns"),
    [
        pytest.param(b"hello!", 1_789_913_600 * SECOND, id="other size"),
        pytest.param(b"hello", 1_789_913_601 * SECOND, id="other second"),
        pytest.param(b"hello", 1_789_913_600 * SECOND + 1, id="other nanosecond"),
    ],
)
def test_another_state_has_another_tag(
    open_files: OpenFiles, root: Path, content: bytes, mtime_ns: int
) -> None:
    path = root / "a.txt"
    path.write_bytes(content)
    set_mtime(path, mtime_ns)
    assert path.stat().st_mtime_ns == mtime_ns, "this file system is too coarse for the test"
    assert tag(open_files(), "/a.txt") != b'"18d70cef92a40000-5"'


def test_a_time_before_the_epoch(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.txt": "hello"}, mtime=-1)
    with found(open_files(), "/a.txt") as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        assert (variant.etag, variant.last_modified) == (b'"-3b9aca00-5"', -1)


# Validators made from the content

DIGESTS = {
    b"hello": b'"46fb7408d4f285228f4af516ea25851b"',
    b"world": b'"9ecd3b969b678b616aa9e7d6d14a4d49"',
    b"HELLO": b'"66db9bd5d29832377866a526b541540b"',
    b"": b'"cae66941d9efbd404e4d88758ea67670"',
    b"a" * 131_073: b'"e83eb7c0bb0a967826b9c6d954776740"',
    b"b" * 200_000: b'"37d5c5bb1d9be784c8ae459fa522a312"',
}
"""Made with another implementation of BLAKE2b (16 octets)."""


@pytest.mark.parametrize(
    ("mtime_ns", "etag", "last_modified"),
    [
        pytest.param(0, DIGESTS[b"hello"], None, id="0 s"),
        pytest.param(1 * SECOND, DIGESTS[b"hello"], None, id="1 s"),
        pytest.param(SECOND // 2, DIGESTS[b"hello"], None, id="0.5 s"),
        pytest.param(2 * SECOND - 1, DIGESTS[b"hello"], None, id="nearly 2 s"),
        pytest.param(2 * SECOND, b'"77359400-5"', 2, id="2 s"),
        pytest.param(-1, b'"-1-5"', -1, id="nearly 0 s"),
    ],
)
def test_a_time_that_says_nothing(
    open_files: OpenFiles, root: Path, mtime_ns: int, etag: bytes, last_modified: int | None
) -> None:
    """As set by builds that aim to be reproducible."""
    write_tree(root, {"a.txt": "hello"})
    set_mtime(root / "a.txt", mtime_ns)
    with found(open_files(), "/a.txt") as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        assert (variant.etag, variant.last_modified) == (etag, last_modified)
        assert result.fresh_until == NOW + 1


@pytest.mark.parametrize("content", DIGESTS, ids=lambda content: f"{len(content)} {content[:5]!r}")
def test_equal_content_has_an_equal_tag_in_every_tree(
    open_files: OpenFiles, root: Path, tmp_path: Path, content: bytes
) -> None:
    write_tree(root, {"a.txt": content}, mtime=0)
    write_tree(tmp_path / "other", {"sub/b.bin": content}, mtime=1)
    assert tag(open_files(), "/a.txt") == DIGESTS[content]
    assert tag(open_files(tmp_path / "other"), "/sub/b.bin") == DIGESTS[content]


def test_a_sidecar_without_a_time(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.js": "hello", "a.js.gz": "world", "a.js.br": "hello"}, mtime=1)
    with found(open_files(), "/a.js") as result:
        assert isinstance(result.resource, File)
        assert [variant.etag for variant in result.resource.variants] == [
            b'"46fb7408d4f285228f4af516ea25851b"',
            b'"46fb7408d4f285228f4af516ea25851b-br"',
            b'"9ecd3b969b678b616aa9e7d6d14a4d49-gzip"',
        ]


def test_the_digest_of_a_large_file_is_remembered(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that can't be read any more only a memory knows it."""
    write_tree(root, {"a.bin": b"a" * 131_073}, mtime=0)
    files, forgetful = open_files(), open_files()
    assert tag(files, "/a.bin") == DIGESTS[b"a" * 131_073]
    break_disk(monkeypatch, "pread", errno.EIO)
    assert tag(files, "/a.bin") == DIGESTS[b"a" * 131_073]
    with pytest.raises(OSError, match="Input/output error"):
        tag(forgetful, "/a.bin")


def test_a_change_is_noticed_although_size_and_time_stay(open_files: OpenFiles, root: Path) -> None:
    path = root / "a.txt"
    write_tree(root, {"a.txt": "hello"}, mtime=0)
    files = open_files()
    assert (outcome(files, "/a.txt"), tag(files, "/a.txt")) == (b"hello", DIGESTS[b"hello"])
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # until the kernel's clock has ticked
        write_tree(root, {"a.txt": "world"}, mtime=0)
    assert (outcome(files, "/a.txt"), tag(files, "/a.txt")) == (b"world", DIGESTS[b"world"])


def test_a_replaced_file_is_noticed_although_size_and_time_stay(
    open_files: OpenFiles, root: Path
) -> None:
    write_tree(root, {"a.txt": "hello", "new": "world"}, mtime=0)
    files = open_files()
    assert tag(files, "/a.txt") == DIGESTS[b"hello"]
    (root / "new").rename(root / "a.txt")
    assert tag(files, "/a.txt") == DIGESTS[b"world"]


# Small and large


@pytest.mark.parametrize(
    ("size", "in_memory"),
    [(0, True), (1, True), (65_535, True), (65_536, True), (65_537, False), (1_000_000, False)],
)
def test_small_files_are_read_whole_and_large_ones_are_kept_open(
    open_files: OpenFiles,
    root: Path,
    open_names: Callable[[], list[str]],
    size: int,
    in_memory: bool,
) -> None:
    assert SMALL == 65_536
    content = (b"0123456789" * 100_001)[:size]
    write_tree(root, {"a.bin": content})
    with found(open_files(), "/a.bin") as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        assert variant.size == size
        assert octets(variant) == content
        assert isinstance(variant.content, bytes) is in_memory
        assert open_names() == ([] if in_memory else ["a.bin"])
    assert open_names() == []


def test_a_file_and_its_sidecars_are_small_or_large_each_by_itself(
    open_files: OpenFiles, root: Path, open_names: Callable[[], list[str]]
) -> None:
    large = b"x" * 131_073
    write_tree(root, {"a": "small", "a.br": large, "a.gz": "small too", "a.zst": large})
    with found(open_files(), "/a"):
        assert open_names() == ["a.br", "a.zst"]
    write_tree(root, {"b": large, "b.gz": "small"})
    files = open_files()
    with found(files, "/b"):
        assert open_names() == ["b"]
    assert variants(files, "/b") == [(b"", large), (b"gzip", b"small")]


def test_a_file_larger_than_memory_is_not_read_at_all(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "huge").touch()
    try:
        os.truncate(root / "huge", 20 * 2**30)
    except OSError as error:
        pytest.skip(f"no sparse files here: {error}")
    set_mtime(root / "huge", int(OLD) * SECOND)
    with monkeypatch.context() as patch:
        break_disk(patch, "pread", errno.EIO)
        result = open_files().find(path_of("/huge"))
    assert isinstance(result.resource, File)
    (variant,) = result.resource.variants
    assert variant.size == 21_474_836_480
    assert variant.etag == b'"18d70cef92a40000-500000000"'
    assert not isinstance(variant.content, bytes)
    assert variant.content.read(100, 21_474_836_475) == b"\0\0\0\0\0"
    let_go(result)


def test_what_was_found_stays_open_for_each_who_holds_it(
    open_files: OpenFiles, root: Path, open_names: Callable[[], list[str]]
) -> None:
    write_tree(root, {"a.bin": b"x" * 131_073, "a.bin.gz": b"y" * 131_073, "b.txt": "small"})
    files = open_files()
    large, small, nothing = (files.find(path_of(t)) for t in ("/a.bin", "/b.txt", "/none"))
    for each in (large, small, nothing):
        hold(each)
        let_go(each)
    assert open_names() == ["a.bin", "a.bin.gz"]
    for each in (large, small, nothing):
        let_go(each)
    assert open_names() == []


def test_a_file_that_is_replaced_is_finished_from_the_old_one(
    open_files: OpenFiles, root: Path
) -> None:
    write_tree(root, {"a.bin": b"x" * 131_073, "new": b"y" * 131_073})
    with found(open_files(), "/a.bin") as result:
        (root / "new").rename(root / "a.bin")
        assert isinstance(result.resource, File)
        assert octets(result.resource.variants[0]) == b"x" * 131_073


# What changes meanwhile: see the fixture ``outcomes``. A weak tag for what was read in between
# is no harm: it will never be a strong one, and a file that changes is looked at again.


def write(path: Path, content: bytes, mtime: float) -> None:
    """Write in place, as an editor or ``rsync --inplace`` does."""
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))


def replace(path: Path, content: bytes, mtime: float) -> None:
    """Write beside it and rename, as everyone should."""
    write(path.with_name("new"), content, mtime)
    path.with_name("new").rename(path)


def content_and_tag(files: Files, target: str = "/a.txt") -> tuple[bytes, bytes]:
    with found(files, target) as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        return octets(variant), variant.etag


@pytest.mark.parametrize("change", [write, replace], ids=["in place", "by renaming"])
@pytest.mark.parametrize(
    ("new", "new_tag"),
    [
        pytest.param(b"HELLO", b'"18d70cefce3eca00-5"', id="equal size"),
        pytest.param(b"HELLO, world", b'"18d70cefce3eca00-c"', id="longer"),
        pytest.param(b"HI", b'"18d70cefce3eca00-2"', id="shorter"),
        pytest.param(b"", b'"18d70cefce3eca00-0"', id="empty"),
    ],
)
def test_a_small_file_changes_while_it_is_read(
    open_files: OpenFiles,
    root: Path,
    outcomes: Outcomes,
    change: Callable[[Path, bytes, float], None],
    new: bytes,
    new_tag: bytes,
) -> None:
    path = root / "a.txt"
    files = open_files()
    results = outcomes(
        lambda: write(path, b"hello", OLD),
        lambda: change(path, new, OLD + 1),
        lambda: content_and_tag(files),
    )
    assert set(results) == {(b"hello", b'"18d70cef92a40000-5"'), (new, new_tag)}


def test_a_small_file_becomes_large_while_it_is_read(
    open_files: OpenFiles, root: Path, outcomes: Outcomes
) -> None:
    path, large = root / "a.txt", b"a" * 131_073
    files = open_files()
    results = outcomes(
        lambda: write(path, b"hello", OLD),
        lambda: write(path, large, OLD + 1),
        lambda: content_and_tag(files),
    )
    assert set(results) == {
        (b"hello", b'"18d70cef92a40000-5"'),
        (large, b'"18d70cefce3eca00-20001"'),
    }


def test_a_large_file_becomes_small_while_it_is_looked_at(
    open_files: OpenFiles, root: Path, outcomes: Outcomes
) -> None:
    """By renaming: one that is cut in place is found out when it is sent."""
    path, large = root / "a.txt", b"a" * 131_073
    files = open_files()
    results = outcomes(
        lambda: write(path, large, OLD),
        lambda: replace(path, b"hello", OLD + 1),
        lambda: content_and_tag(files),
    )
    assert set(results) == {
        (large, b'"18d70cef92a40000-20001"'),
        (b"hello", b'"18d70cefce3eca00-5"'),
    }


@pytest.mark.parametrize("growth", [0, 1, -1], ids=["equal sizes", "growing", "shrinking"])
def test_a_file_that_never_stands_still_has_a_weak_tag(
    open_files: OpenFiles, root: Path, monkeypatch: pytest.MonkeyPatch, growth: int
) -> None:
    path = root / "a.txt"
    write(path, b"0" * 50, OLD)
    files = open_files()
    ends = 0
    system_pread = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal ends
        block = system_pread(descriptor, size, offset)
        if not block:  # it was read to its end, and is another now
            ends += 1
            write(path, b"%d" % (ends % 10) * (50 + ends * growth), OLD + ends)
        return block

    monkeypatch.setattr(os, "pread", pread)
    with found(files, "/a.txt") as result:
        assert isinstance(result.resource, File)
        (variant,) = result.resource.variants
        assert variant.etag.startswith(b'W/"'), "it belongs to no time at all"
        assert variant.content in [b"%d" % n * (50 + n * growth) for n in range(50)]
        assert result.fresh_until <= NOW, "it has to be looked at again at once"
    assert ends < 50, "there is an end to trying"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            write,
            id="in place",
        ),
        pytest.param(replace, id="by renaming"),
    ],
)
def test_a_small_file_without_a_time_changes_while_it_is_read(
    open_files: OpenFiles,
    root: Path,
    outcomes: Outcomes,
    change: Callable[[Path, bytes, float], None],
) -> None:
    """The digest has to be that of the very octets that are sent."""
    path = root / "a.txt"
    files = open_files()
    results = outcomes(
        lambda: write(path, b"hello", 0),
        lambda: change(path, b"HELLO", 0),
        lambda: content_and_tag(files),
    )
    strong = {result for result in results if not result[1].startswith(b"W/")}
    assert strong == {(b"hello", DIGESTS[b"hello"]), (b"HELLO", DIGESTS[b"HELLO"])}


def test_a_large_file_without_a_time_grows_while_its_digest_is_taken(
    open_files: OpenFiles, root: Path, outcomes: Outcomes
) -> None:
    """Else the tag of the whole new content goes with the first part of it."""
    path = root / "a.txt"
    old, new = b"a" * 131_073, b"b" * 200_000
    files = open_files()
    results = outcomes(
        lambda: write(path, old, 0),
        lambda: write(path, new, 0),
        lambda: content_and_tag(files),
    )
    # What comes after the last look is cut at the announced size, under the old tag: the
    # transfer's business. The new tag stands for the new content alone.
    assert {content for content, etag in results if etag == DIGESTS[new]} == {new}


def test_a_file_is_as_old_as_it_was_when_it_was_read(
    open_files: OpenFiles, root: Path, clock: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread may stand still for 30 ms between reading a young file and asking for the time.

    Whoever writes in the meantime, within the same tick of the file system's clock, must not find
    the strong tag taken by the content before.
    """
    path, mtime_ns = root / "a.txt", int(NOW) * SECOND - 1_000_000
    path.write_bytes(b"hello")
    set_mtime(path, mtime_ns)
    system_pread = os.pread

    def stall(descriptor: int, size: int, offset: int) -> bytes:
        block = system_pread(descriptor, size, offset)
        if not block and clock.seconds() == NOW:
            path.write_bytes(b"HELLO")
            set_mtime(path, mtime_ns)
            clock.advance(0.03)
        return block

    files = open_files()
    monkeypatch.setattr(os, "pread", stall)
    first = content_and_tag(files)
    second = content_and_tag(files)
    assert clock.seconds() == NOW + 0.03
    assert second == (b"HELLO", b'"18d75b8423e3bdc0-5"')
    assert first == second or first[1] != second[1]


@pytest.mark.parametrize("change", [write, replace], ids=["in place", "by renaming"])
def test_a_sidecar_changes_while_it_is_read(
    open_files: OpenFiles,
    root: Path,
    outcomes: Outcomes,
    change: Callable[[Path, bytes, float], None],
) -> None:
    write_tree(root, {"a.js": "plain"})
    files = open_files()

    def look() -> list[tuple[bytes, bytes]]:
        with found(files, "/a.js") as result:
            assert isinstance(result.resource, File)
            return [(octets(variant), variant.etag) for variant in result.resource.variants]

    results = outcomes(
        lambda: write(root / "a.js.gz", b"hello", OLD),
        lambda: change(root / "a.js.gz", b"HI", OLD + 1),
        look,
    )
    for plain, sidecar in results:
        assert plain == (b"plain", b'"18d70cef92a40000-5"')
        assert sidecar in (
            (b"hello", b'"18d70cef92a40000-5-gzip"'),
            (b"HI", b'"18d70cefce3eca00-2-gzip"'),
        )
    assert results[0] != results[-1]


@pytest.mark.parametrize("vanishes", ["a.js", "a.js.gz", "."])
def test_what_vanishes_meanwhile_is_served_or_missing(
    open_files: OpenFiles, root: Path, outcomes: Outcomes, vanishes: str
) -> None:
    site = root / "site"
    files = open_files()

    def change() -> None:
        for path in site.iterdir() if vanishes == "." else [site / vanishes]:
            path.unlink()
        if vanishes == ".":
            site.rmdir()

    def look() -> bytes | Resource:
        return outcome(files, "/site/a.js")

    results = outcomes(
        lambda: write_tree(site, {"a.js": "plain", "a.js.gz": "packed"}), change, look
    )
    assert all(result in (b"plain", Missing()) for result in results)
    assert results[-1] == b"plain"
    assert results[0] == (b"plain" if vanishes == "a.js.gz" else Missing())


# When the system fails


def break_disk(
    monkeypatch: pytest.MonkeyPatch, call: str, error: int, name: bytes | None = None
) -> None:
    """Let the system ``call`` fail; with a ``name`` only where it is called with that."""
    system_call = getattr(os, call)

    def fail(*args: Any, **kwargs: Any) -> Any:
        if name is None or args[0] == name:
            raise OSError(error, os.strerror(error))
        return system_call(*args, **kwargs)

    monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errno.ENOENT, Missing()),
        (errno.ENOTDIR, Missing()),
        (errno.ELOOP, Missing()),
        (errno.ENAMETOOLONG, Missing()),
        (errno.EILSEQ, Missing()),
        (errno.ENXIO, Missing()),
        (errno.ENODEV, Missing()),
        (errno.ESTALE, Missing()),
        (errno.EACCES, Forbidden()),
        (errno.EPERM, Forbidden()),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
@pytest.mark.parametrize("call", ["stat", "open"])
def test_errors_that_say_what_is_there(
    open_files: OpenFiles,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: int,
    expected: Resource,
) -> None:
    write_tree(root, {"a.txt": "A"})
    files = open_files()
    break_disk(monkeypatch, call, error, b"a.txt")
    assert outcome(files, "/a.txt") == expected


@pytest.mark.parametrize(
    "error", [errno.EIO, errno.ENOTCONN, errno.EUCLEAN], ids=errno.errorcode.get
)
@pytest.mark.parametrize("call", ["stat", "open", "pread"])
@pytest.mark.parametrize("size", [5, 131_073])
def test_the_disks_own_errors_are_for_the_caller(
    open_files: OpenFiles,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: int,
    size: int,
) -> None:
    write_tree(root, {"a.txt": b"x" * size}, mtime=0)  # so that a large one is read as well
    files = open_files()
    break_disk(monkeypatch, call, error, None if call == "pread" else b"a.txt")
    with pytest.raises(OSError, match=os.strerror(error)):
        files.find(path_of("/a.txt"))


@pytest.mark.parametrize(
    "error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM], ids=errno.errorcode.get
)
@pytest.mark.parametrize("call", ["stat", "open"])
@pytest.mark.parametrize("name", [b"a.js", b"a.js.gz"], ids=["the file", "a sidecar"])
def test_exhaustion_is_refused_and_passes(
    open_files: OpenFiles,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: int,
    name: bytes,
) -> None:
    """A sidecar left out for want of descriptors would be missed for longer than that lasts."""
    write_tree(root, {"a.js": b"x" * 131_073, "a.js.gz": "packed"})
    files = open_files()
    with monkeypatch.context() as patch:
        break_disk(patch, call, error, name)
        with pytest.raises(Refused) as refused:
            files.find(path_of("/a.js"))
    assert refused.value.status == 503
    assert list(refused.value.fields) == [(b"Retry-After", b"1")]
    assert outcome(files, "/a.js") == b"x" * 131_073


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/sub/deep/a.js", 4),
        ("/link.js", 4),
        ("/sub/deep/", 1),
        ("/sub/deep", Directory(b"/sub/deep/")),
        ("/sub/none", Missing()),
    ],
)
def test_descriptors_run_out_at_every_step(
    open_files: OpenFiles, root: Path, target: str, expected: int | Resource
) -> None:
    large = b"x" * 131_073
    write_tree(
        root,
        {
            "sub/deep/index.html": "index",
            **{f"sub/deep/a.js{extension}": large for extension in ("", ".br", ".gz", ".zst")},
        },
    )
    for extension in ("", ".br", ".gz", ".zst"):
        (root / f"link.js{extension}").symlink_to(f"sub/deep/a.js{extension}")
    files = open_files()
    path = path_of(target)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refusals = []
    result = None
    try:
        for limit in range(3, max(open_numbers()) + 100):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            try:
                result = files.find(path)
                break
            except Refused as refused:
                refusals.append((refused.status, *refused.fields))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result is not None
    if isinstance(result.resource, File):
        assert len(result.resource.variants) == expected, "none is left out for want of descriptors"
    else:
        assert result.resource == expected
    let_go(result)
    assert set(refusals) == {(503, (b"Retry-After", b"1"))}


# Is it unchanged? A look at the directory stands for looks at the names that are not in it.


@contextmanager
def known_at(files: Files, clock: FakeReactor, target: str) -> Iterator[Callable[[], bool]]:
    """Give a function that says, a second after the last look, whether ``target`` is unchanged."""
    with found(files, target) as result:

        def is_unchanged() -> bool:
            clock.advance(1)
            return files.is_unchanged(path_of(target), result)

        yield is_unchanged


def changed_at(path: Path) -> float:
    """Return when the directory or file at ``path`` was changed."""
    return path.stat().st_ctime_ns / SECOND


@pytest.fixture(params=["settled", "unsettled", "from the future"])
def of_any_age(request: pytest.FixtureRequest, root: Path, clock: FakeReactor) -> Callable[[], str]:
    """Return a function that makes the clock say that the root was changed so long ago."""

    def set_clock() -> str:
        kind: str = request.param
        age = {"settled": 10, "unsettled": 1.5, "from the future": -10}[kind]
        clock.rightNow = changed_at(root) + age
        return kind

    return set_clock


def old_tree(root: Path, *names: str) -> None:
    """Write files that say their names, and have been as they are for long, whatever it is now."""
    write_tree(root, dict(zip(names, names, strict=True)), 1_000_000)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, ...]]:
    """The names whose state a tree is asked for, from now on."""
    asked: list[tuple[bytes, ...]] = []

    class Noting(Tree):
        def state(self, names: Sequence[bytes]) -> os.stat_result | None:
            asked.append(tuple(names))
            return super().state(names)

    monkeypatch.setattr("tests.site.test_files.Tree", Noting)
    return asked


def test_absent_names_are_not_looked_at_while_the_directory_stays(
    looks: list[tuple[bytes, ...]], open_files: OpenFiles, root: Path, clock: FakeReactor
) -> None:
    old_tree(root, "sub/a.txt", "sub/a.txt.gz")
    clock.rightNow = changed_at(root / "sub") + 10
    with known_at(open_files(), clock, "/sub/a.txt") as is_unchanged:
        for _ in range(3):
            looks.clear()
            assert is_unchanged()
            assert set(looks) == {
                (b"sub", b"."),
                (b"sub", b"a.txt"),
                (b"sub", b"a.txt.gz"),
            }


@pytest.mark.parametrize("age", [-1.5, 0, 1.5, 1.99])
def test_each_name_is_looked_at_in_a_directory_that_has_not_settled(
    looks: list[tuple[bytes, ...]],
    open_files: OpenFiles,
    root: Path,
    clock: FakeReactor,
    age: float,
) -> None:
    old_tree(root, "sub/a.txt")
    clock.rightNow = changed_at(root / "sub") + age
    with known_at(open_files(), clock, "/sub/a.txt") as is_unchanged:
        for _ in range(4):  # for as long as it is known: the state of then may come again
            looks.clear()
            assert is_unchanged()
            names = {b"a.txt", b"a.txt.br", b"a.txt.zst", b"a.txt.gz"}
            assert {(b"sub", name) for name in names} <= set(looks)


def test_each_name_is_looked_at_once_the_directory_has_changed(
    open_files: OpenFiles, root: Path, clock: FakeReactor
) -> None:
    """Another file in it changes nothing, neither at once nor for what comes later."""
    old_tree(root, "a.txt")
    clock.rightNow = changed_at(root) + 10
    with known_at(open_files(), clock, "/a.txt") as is_unchanged:
        (root / "other").write_text("x")
        assert is_unchanged()
        assert is_unchanged()
        (root / "a.txt.br").write_text("x")
        assert not is_unchanged()


@pytest.mark.parametrize("sidecar", ["a.txt.br", "a.txt.zst", "a.txt.gz"])
@pytest.mark.parametrize("way", ["written", "renamed", "linked", "a link"])
def test_a_sidecar_that_is_added(
    open_files: OpenFiles,
    root: Path,
    clock: FakeReactor,
    of_any_age: Callable[[], str],
    sidecar: str,
    way: str,
) -> None:
    old_tree(root, "a.txt", "other/x")
    of_any_age()
    files = open_files()
    with known_at(files, clock, "/a.txt") as is_unchanged:
        assert is_unchanged()
        if way == "written":
            (root / sidecar).write_text("other/x")
        elif way == "renamed":
            (root / "other/x").rename(root / sidecar)
        elif way == "linked":
            os.link(root / "other/x", root / sidecar)
        else:
            (root / sidecar).symlink_to("other/x")
        assert not is_unchanged()
    assert variants(files, "/a.txt")[1][1] == b"other/x"


def test_a_sidecar_that_is_removed(
    open_files: OpenFiles, root: Path, clock: FakeReactor, of_any_age: Callable[[], str]
) -> None:
    old_tree(root, "a.txt", "a.txt.gz")
    of_any_age()
    files = open_files()
    with known_at(files, clock, "/a.txt") as is_unchanged:
        assert is_unchanged()
        (root / "a.txt.gz").unlink()
        assert not is_unchanged()
    assert variants(files, "/a.txt") == [(b"", b"a.txt")]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_file_that_is_written_in_place_leaves_the_directory_as_it_is(
    open_files: OpenFiles,
    root: Path,
    clock: FakeReactor,
    of_any_age: Callable[[], str],
    name: str,
) -> None:
    old_tree(root, "a.txt", "a.txt.gz")
    of_any_age()
    before = root.stat()
    with known_at(open_files(), clock, "/a.txt") as is_unchanged:
        assert is_unchanged()
        (root / name).write_text("new")
        assert root.stat().st_mtime_ns == before.st_mtime_ns
        assert not is_unchanged()


@pytest.mark.parametrize("directory", ["/", "/sub/"])
@pytest.mark.parametrize("change", ["before", "between", "behind", "removed", "a sidecar"])
def test_an_index_that_is_added_or_removed(
    open_files: OpenFiles,
    root: Path,
    clock: FakeReactor,
    directory: str,
    change: str,
    of_any_age: Callable[[], str],
) -> None:
    place = root / directory.strip("/")
    old_tree(place, "c.html")
    of_any_age()
    files = open_files(index=["a.html", "b.html", "c.html", "d.html"])
    with known_at(files, clock, directory) as is_unchanged:
        assert is_unchanged()
        if change == "removed":
            (place / "c.html").unlink()
        else:
            names = {"before": "a.html", "between": "b.html", "behind": "d.html"}
            (place / names.get(change, "c.html.gz")).write_text("new")
        assert is_unchanged() is (change == "behind")
    expected: dict[str, bytes | Resource] = {"before": b"new", "between": b"new"}
    expected["removed"] = Missing()
    assert outcome(files, directory) == expected.get(change, b"c.html")


@pytest.mark.parametrize("times", ["kept", "new"])
@pytest.mark.parametrize("target", ["/current/a.txt", "/current/", "/current/sub/a.txt"])
@pytest.mark.parametrize("new", ["a sidecar more", "another file", "nothing"])
def test_a_directory_that_is_replaced_through_a_link_on_the_way(
    open_files: OpenFiles, root: Path, clock: FakeReactor, target: str, new: str, times: str
) -> None:
    """As a release is put in place of another, of which it shares most files (``cp -al``)."""
    name = target.removeprefix("/current/") or "index.html"
    old_tree(root / "one", name)
    (root / "two" / name).parent.mkdir(parents=True)
    if new != "another file":
        os.link(root / "one" / name, root / "two" / name)
    if new == "a sidecar more":
        old_tree(root / "two", f"{name}.gz")
    if new == "another file":
        old_tree(root / "two", name)
    if times == "kept":
        for directory in (root / "one", root / "two"):
            for each in (directory, (directory / name).parent):
                os.utime(each, (1_000_000, 1_000_000))
    (root / "current").symlink_to("one")
    clock.rightNow = changed_at(root) + 10
    files = open_files()
    with known_at(files, clock, target) as is_unchanged:
        assert is_unchanged()
        (root / "next").symlink_to("two")
        (root / "next").rename(root / "current")
        assert is_unchanged() is (new == "nothing")
    expected = [(b"", name.encode())]
    if new == "a sidecar more":
        expected.append((b"gzip", f"{name}.gz".encode()))
    assert variants(files, target) == expected


@pytest.mark.parametrize("how", ["removed", "moved away", "a file instead", "closed"])
def test_a_directory_that_is_no_more(
    open_files: OpenFiles, root: Path, clock: FakeReactor, how: str
) -> None:
    old_tree(root, "sub/a.txt")
    clock.rightNow = changed_at(root / "sub") + 10
    files = open_files()
    with known_at(files, clock, "/sub/a.txt") as is_unchanged:
        assert is_unchanged()
        if how == "closed":
            (root / "sub").chmod(0)
        else:
            (root / "sub").rename(root / "away")
        if how == "removed":
            (root / "away/a.txt").unlink()
            (root / "away").rmdir()
        elif how == "a file instead":
            (root / "sub").write_text("x")
        with unprivileged():
            assert not is_unchanged()


@pytest.mark.parametrize("what", ["a sidecar", "an index"])
def test_a_link_that_led_nowhere_leads_somewhere_now(
    open_files: OpenFiles, root: Path, clock: FakeReactor, what: str
) -> None:
    """It is looked for again, at each name, as long as it leads nowhere."""
    name = {"a sidecar": "b.html.gz", "an index": "a.html"}[what]
    old_tree(root, "b.html", "releases/one/x", f"releases/two/{name}")
    (root / name).symlink_to(f"releases/current/{name}")
    (root / "releases/current").symlink_to("one")
    clock.rightNow = changed_at(root) + 10
    files = open_files(index=["a.html", "b.html"])
    with known_at(files, clock, "/") as is_unchanged:
        (root / "releases/next").symlink_to("two")
        (root / "releases/next").rename(root / "releases/current")
        assert not is_unchanged()


@pytest.mark.parametrize("seconds", [0, 3])
def test_an_index_is_added_while_another_is_looked_for(
    open_files: OpenFiles, root: Path, clock: FakeReactor, outcomes: Outcomes, seconds: int
) -> None:
    """At any moment, on a disk that takes its time: it is found, or seen at the next look."""
    old_tree(root, "b.html")
    files = open_files(index=["a.html", "b.html"])
    first = root / "a.html"

    def prepare() -> None:
        first.unlink(missing_ok=True)
        clock.rightNow = changed_at(root) - seconds

    def look() -> tuple[bytes, bool, bool]:
        with found(files, "/") as result:
            is_there = first.exists()
            assert isinstance(result.resource, File)
            content = octets(result.resource.variants[0])
            clock.advance(1)
            return content, is_there, files.is_unchanged(path_of("/"), result)

    results = outcomes(prepare, lambda: first.write_text("a.html"), look)
    assert {content for content, _, _ in results} == {b"a.html", b"b.html"}
    assert (b"b.html", True, True) not in results


# In threads


def test_many_threads_find_at_the_same_time(open_files: OpenFiles, root: Path) -> None:
    write_tree(root, {"a.txt": "A", "b.bin": b"b" * 131_073, "sub/index.html": "index"})
    write_tree(root, {"c.txt": "hello", "c.txt.gz": "world"}, mtime=0)
    (root / "link").symlink_to("sub/../b.bin")
    expected: Sequence[tuple[str, bytes | Resource]] = [
        ("/a.txt", b"A"),
        ("/b.bin", b"b" * 131_073),
        ("/link", b"b" * 131_073),
        ("/sub/", b"index"),
        ("/sub", Directory(b"/sub/")),
        ("/c.txt", b"hello"),
        ("/none", Missing()),
    ]
    files = open_files()
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda each: outcome(files, each[0]), [*expected] * 100))
    assert results == [result for _, result in expected] * 100
