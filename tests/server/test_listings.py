"""Listings: who waits for them, and how long they are good for."""

import json
import os
from pathlib import Path

import pytest

from tests.support import (
    Answer,
    Client,
    FakeReactor,
    HeldDisk,
    get,
    make_server,
    pass_time,
    write_tree,
)
from tinyhttp.core.policy import Policy
from tinyhttp.server.listings import ENTRIES, Listings
from tinyhttp.server.server import Server

JSON = "Accept: application/json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"docs/b.txt": "b", "docs/a.txt": "aaa", "docs/.hidden": "h", "docs/sub/x": "x"}
    rules = {"_headers": "/*\n  X: y\n", "_redirects": "/x /y\n", "docs/_headers": "none"}
    return write_tree(tmp_path / "root", {**files, **rules})


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def server(root: Path, reactor: FakeReactor) -> Server:
    return make_server(root, reactor, policy=Policy(listing=True))


@pytest.fixture
def disk(server: Server) -> HeldDisk:
    held = HeldDisk()
    server.listings = Listings(held, server.now)
    return held


def one(server: Server, target: str, *fields: str) -> Answer:
    client = Client(server).send(get(target, *fields))
    (answer,) = client.answers()
    client.vanish()
    return answer


def names(answer: Answer) -> list[str]:
    return [entry["name"] for entry in json.loads(answer.body)["entries"]]


def test_what_is_listed(server: Server) -> None:
    assert names(one(server, "/docs/", JSON)) == ["sub", "_headers", "a.txt", "b.txt"]
    assert names(one(server, "/", JSON)) == ["docs"]
    largest = names(one(server, "/docs/?sort=size&order=desc", JSON))
    assert largest == ["sub", "_headers", "a.txt", "b.txt"]
    assert names(one(server, "/docs/?sort=size", JSON)) == ["sub", "b.txt", "a.txt", "_headers"]
    assert one(server, "/docs", JSON)["Location"] == "/docs/"


@pytest.mark.parametrize("target", ["/none/", "/docs/a.txt/", "/docs/.hidden/", "/../none/"])
def test_what_is_not(server: Server, target: str) -> None:
    assert one(server, target, JSON).status == 404


def test_a_listing_is_a_representation(server: Server) -> None:
    whole = one(server, "/docs/", JSON)
    etag = whole["ETag"]
    assert one(server, "/docs/", JSON, f"If-None-Match: {etag}").status == 304
    assert one(server, "/docs/", f"If-None-Match: {etag}").status == 200, "that is the page"
    part = one(server, "/docs/", JSON, "Range: bytes=0-4", f"If-Range: {etag}")
    assert (part.status, part.body) == (206, whole.body[:5])
    client = Client(server).send(get("/docs/", JSON, method="HEAD"))
    (head,) = client.answers(bodiless=[0])
    assert (head["ETag"], head["Content-Length"]) == (etag, str(len(whole.body)))


def test_everybody_waits_for_the_same(server: Server, disk: HeldDisk) -> None:
    one(server, "/docs/none")  # so that the directory is known
    clients = [Client(server).send(get("/docs/", JSON, f"X: {n}")) for n in range(3)]
    other = Client(server).send(get("/docs/"))
    assert disk.waiting == 2, "one in each form"
    disk.complete()
    assert [len(client.answers()) for client in clients] == [1, 1, 1]
    assert other.received == b""
    disk.complete()
    assert other.answers()[0]["Content-Type"].startswith("text/html")


def test_it_is_good_for_a_second(server: Server, reactor: FakeReactor, root: Path) -> None:
    assert "c.txt" not in names(one(server, "/docs/", JSON))
    write_tree(root, {"docs/c.txt": "c"})
    assert "c.txt" not in names(one(server, "/docs/", JSON))
    pass_time(reactor, 1)
    assert "c.txt" in names(one(server, "/docs/", JSON))
    os.unlink(root / "docs/c.txt")
    pass_time(reactor, 1)
    assert "c.txt" not in names(one(server, "/docs/", JSON))


def test_it_is_as_old_as_the_look(
    server: Server, reactor: FakeReactor, disk: HeldDisk, root: Path
) -> None:
    """To read a large directory may take longer than its listing is good for."""
    slow = Client(server).send(get("/docs/", JSON))
    disk.work()
    write_tree(root, {"docs/c.txt": "c"})
    pass_time(reactor, 3)
    disk.deliver()
    assert "c.txt" not in names(slow.answers()[0])
    later = Client(server).send(get("/docs/", JSON))
    disk.complete()
    assert "c.txt" in names(later.answers()[0])


def test_a_clock_that_is_set_back(server: Server, reactor: FakeReactor, root: Path) -> None:
    one(server, "/docs/", JSON)
    write_tree(root, {"docs/c.txt": "c"})
    reactor.rightNow -= 1000
    assert "c.txt" in names(one(server, "/docs/", JSON))


def test_what_is_remembered_is_bounded(server: Server) -> None:
    for page in range(2, ENTRIES + 20):
        one(server, f"/docs/?page={page}", JSON)
    assert len(server.listings._known) == ENTRIES
    server.listings.forget()
    assert len(server.listings._known) == 0


def test_a_directory_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **more: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("tinyhttp.site.files.read_names", denied)
    server = make_server(root, policy=Policy(listing=True))
    assert one(server, "/docs/").status == 404
