"""How forms are offered for files without sidecars, and made from them."""

import gzip
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support import NOW, OLD, FakeReactor, write_tree
from tinyhttp.core.path import resolve
from tinyhttp.core.resource import File, OnDemand, Representation
from tinyhttp.site.files import LEAST_ENCODED, MOST_ENCODED, Files, let_go
from tinyhttp.site.forms import make_form
from tinyhttp.site.open_file import SharedFile
from tinyhttp.site.site import Capacity, Site
from tinyhttp.site.tree import Tree

Offered: TypeAlias = Callable[..., tuple[File, list[bytes]]]

TEXT = b"".join(b"The %d brown foxes jump over\n" % n for n in range(100))  # 2,890 octets
NOISE = random.Random(1).randbytes(5000)


@pytest.fixture
def offered(root: Path) -> Iterator[Offered]:
    """Return a function that gives a file, and the codings in which it is offered."""
    opened = []

    def look(target: str, codings: tuple[bytes, ...] = (b"br", b"gzip"), **options: Any) -> Any:
        files = Files(Tree(root), FakeReactor().seconds, on_demand=codings, **options)
        path = resolve(target.encode())
        assert path is not None
        found = files.find(path)
        opened.append((files, found))
        assert isinstance(found.resource, File)
        forms = found.resource.on_demand
        return found.resource, [form.coding for form in forms if not form.useless]

    yield look
    for files, found in opened:
        let_go(found)
        files.close()


@pytest.mark.parametrize(
    ("name", "content", "codings"),
    [
        ("a.txt", TEXT, [b"br", b"gzip"]),
        ("a.svg", TEXT, [b"br", b"gzip"]),
        ("a.jpg", TEXT, []),
        ("a", TEXT, []),
        ("a.gz", TEXT, []),
        ("a.txt", bytes(LEAST_ENCODED), [b"br", b"gzip"]),
        ("a.txt", bytes(LEAST_ENCODED - 1), []),
        ("a.txt", b"", []),
        ("a.txt", bytes(MOST_ENCODED), [b"br", b"gzip"]),
        ("a.txt", bytes(MOST_ENCODED + 1), []),
    ],
)
def test_what_is_offered(
    offered: Offered, root: Path, name: str, content: bytes, codings: list[bytes]
) -> None:
    write_tree(root, {name: content})
    assert offered(f"/{name}")[1] == codings


def test_nothing_is_offered_unless_wanted(offered: Offered, root: Path) -> None:
    write_tree(root, {"a.txt": TEXT})
    assert offered("/a.txt", ())[1] == []


def test_what_lies_there_is_not_offered(offered: Offered, root: Path) -> None:
    write_tree(root, {"a.txt": TEXT, "a.txt.br": "x", "index.html": TEXT})
    assert offered("/a.txt")[1] == [b"gzip"]
    assert offered("/")[1] == [b"br", b"gzip"]


def test_a_form_has_a_weak_tag_of_its_own(offered: Offered, root: Path) -> None:
    write_tree(root, {"a.txt": TEXT})
    resource, _ = offered("/a.txt")
    (plain,) = resource.variants
    tag = plain.etag
    assert [form.etag for form in resource.on_demand] == [
        b'W/%s-br"' % tag[:-1], b'W/%s-gzip"' % tag[:-1]
    ]  # fmt: skip


@pytest.mark.parametrize("mtime", [NOW, NOW - 0.01])
def test_nothing_is_offered_of_a_young_file(offered: Offered, root: Path, mtime: float) -> None:
    """Its tag may come to stand for another content, and what was made be taken for that."""
    write_tree(root, {"a.txt": TEXT}, mtime)
    resource, codings = offered("/a.txt")
    assert codings == []
    assert len(resource.on_demand) == 2  # so that caches learn that it varies


# Making.


def test_a_form_is_made(offered: Offered, root: Path) -> None:
    for size in (len(TEXT), 300_000):
        content = (TEXT * 120)[:size]
        write_tree(root, {"a.txt": content})
        resource, _ = offered("/a.txt")
        form = resource.on_demand[1]
        made = make_form(resource.variants[0], form)
        assert made is not None
        assert isinstance(made.content, bytes)
        assert gzip.decompress(made.content) == content
        assert made == Representation(
            len(made.content), form.etag, int(OLD), b"text/plain; charset=utf-8", b"gzip",
            made.content, None, False
        )  # fmt: skip


def test_a_form_of_known_content_has_a_digest_of_its_own(offered: Offered, root: Path) -> None:
    write_tree(root, {"a.txt": TEXT})
    resource, _ = offered("/a.txt")
    known = replace(resource.variants[0], sha256=sha256(TEXT).digest())
    made = make_form(known, resource.on_demand[0])
    assert made is not None
    assert isinstance(made.content, bytes)
    assert made.sha256 == sha256(made.content).digest()


def test_what_gets_no_smaller_is_not_made(offered: Offered, root: Path) -> None:
    write_tree(root, {"a.txt": NOISE})
    resource, _ = offered("/a.txt")
    assert [make_form(resource.variants[0], form) for form in resource.on_demand] == [None, None]


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
def test_a_file_that_was_changed_in_place(offered: Offered, root: Path, change: str) -> None:
    """What it holds now does not go with the tag."""
    content = (TEXT * 120)[:300_000]
    write_tree(root, {"a.txt": content})
    resource, _ = offered("/a.txt")
    new = {"longer": content + b"x", "shorter": content[:-1], "other": content.upper()}[change]
    with open(root / "a.txt", "r+b") as file:
        file.truncate(0)
        file.write(new)
    assert make_form(resource.variants[0], resource.on_demand[0]) is None


def test_a_file_that_changes_while_it_is_read(
    offered: Offered, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (TEXT * 120)[:300_000]
    write_tree(root, {"a.txt": content})
    resource, _ = offered("/a.txt")
    real = SharedFile.read

    def read(self: SharedFile, size: int, offset: int) -> bytes:
        block = real(self, size, offset)
        with open(root / "a.txt", "r+b") as file:
            file.write(b"x")
        os.utime(root / "a.txt", (OLD, OLD))
        return block

    monkeypatch.setattr(SharedFile, "read", read)
    assert make_form(resource.variants[0], resource.on_demand[0]) is None


# Remembering.


PATH = resolve(b"/a.txt")
assert PATH is not None


def form(source: object = 1) -> OnDemand:
    """Return a form of a file in a state that is told by ``source``."""
    return OnDemand(100, b'W/"a-gzip"', None, b"gzip", source)


def made(size: int) -> Representation:
    return Representation(size, b'W/"a-gzip"', None, b"text/plain", b"gzip", bytes(size))


@pytest.fixture
def site(root: Path) -> Iterator[Site]:
    clock = FakeReactor().seconds
    site = Site(Files(Tree(root), clock), clock, Capacity(encoded=100))
    yield site
    site.close()


def test_a_form_is_known_by_the_state_of_its_file(site: Site) -> None:
    """So that a file that was looked up again is not encoded again.

    Not by its tag: another file with equal time and size would have the same.
    """
    first, again, other = form(), form(), form(2)
    assert PATH is not None
    assert not site.recall_form(PATH, first)
    first.made = made(10)
    site.remember_form(PATH, first)
    assert site.recall_form(PATH, first)
    assert site.recall_form(PATH, again)
    assert again.made == made(10)
    assert first.made is None  # it is nobody's any more
    assert not site.recall_form(PATH, other)


def test_a_form_that_is_remembered_twice_is_kept(site: Site) -> None:
    one = form()
    one.made = made(10)
    assert PATH is not None
    site.remember_form(PATH, one)
    site.remember_form(PATH, one)
    assert one.made is not None


def test_useless_forms_are_known_too(site: Site) -> None:
    first, again = form(), form()
    first.useless = True
    assert PATH is not None
    site.remember_form(PATH, first)
    assert site.recall_form(PATH, again)
    assert again.useless


def test_forms_are_bounded(site: Site) -> None:
    forms = [form(n) for n in range(4)]
    assert PATH is not None
    for each in forms:
        each.made = made(40)
        site.remember_form(PATH, each)
    assert [each.made is not None for each in forms] == [False, False, True, True]
    site.forget()
    assert [each.made for each in forms] == [None] * 4
    forms[0].made = made(40)
    site.remember_form(PATH, forms[0])
    assert not site.recall_form(PATH, form(0))
