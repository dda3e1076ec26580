"""Another release is served: what clients get before, while and after it comes."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import implementer

from tests.support import (
    NOW,
    OLD,
    Answer,
    Client,
    FakeReactor,
    HeldDisk,
    get,
    make_server,
    open_descriptors,
    write_tree,
)
from tinyhttp.core.policy import Policy
from tinyhttp.server.exchange import Exchange
from tinyhttp.server.hosting import SiteOptions
from tinyhttp.server.protocol import Connection
from tinyhttp.server.server import Server
from tinyhttp.site.releases import LASTING
from tinyhttp.site.verification import Contents

ASSET = "/assets/app.3f9a2b7c.js"
BIG = 300_000


def write_release(directory: Path, name: str, **files: str) -> Path:
    """Write a release, all of whose files tell its name and are as old as those of any other.

    They differ in size, as otherwise they would have the same tags.
    """
    padded = name * len(name)
    return write_tree(
        directory / "releases" / name,
        {
            "index.html": f"page of {padded}",
            "a.txt": padded,
            "big.bin": padded * (BIG // len(padded)),
            "text.txt": f"{padded}\n" * 500,
            "404.html": f"not in {padded}",
            "sub/page.html": padded,
            f"only-{name}": "",
            **files,
        },
        OLD,
    )


def switch(path: Path, directory: Path) -> None:
    link = path.parent / "new"
    link.symlink_to(directory)
    link.rename(path)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A link to a release, "one"; "three" is ready."""
    path = tmp_path / "current"
    switch(path, write_release(tmp_path, "one", **{ASSET[1:]: "one"}))
    write_release(tmp_path, "three")
    return path


@pytest.fixture
def next_release(root: Path) -> Callable[[], None]:
    return lambda: switch(root, root.parent / "releases" / "three")


@pytest.fixture
def start(root: Path, reactor: FakeReactor) -> Iterator[Callable[..., Server]]:
    """Return a function that makes a server, which is stopped when the test ends."""
    before = open_descriptors()
    servers: list[Server] = []

    def started(**options: Any) -> Server:
        servers.append(make_server(root, reactor, **options))
        return servers[-1]

    yield started
    for server in servers:
        for connection in list(server.connections):
            connection.transport.abortConnection()
        _ = server.stop()
    assert {each for each in open_descriptors() - before if str(root.parent) in each} == set()


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The request lines of what is answered in the ordinary way."""
    lines: list[bytes] = []

    class Noted(Exchange):
        __slots__ = ()

        def __init__(self, connection: Any, line: bytes, **options: Any):
            lines.append(line)
            super().__init__(connection, line, **options)

    monkeypatch.setattr(Connection, "exchange_type", Noted)
    return lines


def ask(server: Server, *requests: bytes) -> list[Answer]:
    client = Client(server)
    for request in requests:
        client.send(request)
    answers = client.answers()
    client.vanish()
    return answers


ONE, THREE = "one" * 3, "three" * 5

TARGETS: list[tuple[str, dict[str, Any], list[str], str, str]] = [
    ("/", {}, [], f"page of {ONE}", f"page of {THREE}"),
    ("/a.txt", {}, [], ONE, THREE),
    ("/a.txt", {}, ["Range: bytes=1-3"], ONE[1:4], THREE[1:4]),
    ("/big.bin", {}, [], ONE * (BIG // 9), THREE * (BIG // 25)),
    ("/big.bin", {}, ["Range: bytes=180000-180004"], "oneon", "three"),
    ("/none", {}, ["Accept: text/html"], f"not in {ONE}", f"not in {THREE}"),
    ("/sub/page", {"policy": Policy(clean_urls=True)}, [], ONE, THREE),
    ("/x/y", {"policy": Policy(spa=True)}, [], f"page of {ONE}", f"page of {THREE}"),
]


@pytest.mark.parametrize(("target", "options", "fields", "before", "after"), TARGETS)
@pytest.mark.parametrize("wait", [1.0, 1.5, 3.0, 100.0])
def test_the_new_one_is_seen_within_a_second(
    start: Callable[..., Server],
    reactor: FakeReactor,
    next_release: Callable[[], None],
    ordinary: list[bytes],
    target: str,
    options: dict[str, Any],
    fields: list[str],
    before: str,
    after: str,
    wait: float,
) -> None:
    """Whatever is remembered; and no answer is of both."""
    server = start(**options)
    request = get(target, *fields)
    old = ask(server, request, request)
    next_release()
    reactor.advance(0.5)
    old += ask(server, request)
    at_once = len(before) < BIG // 2  # else an exchange goes on with what memory has begun
    assert len(ordinary) == 1 or not at_once, "the others came from memory"
    reactor.advance(wait - 0.5)
    new = ask(server, request, request)
    assert [answer.body.decode() for answer in old] == [before] * 3
    assert [answer.body.decode() for answer in new] == [after] * 2
    assert all(int(answer["Content-Length"]) == len(answer.body) for answer in old + new)
    assert len({answer.get("ETag") for answer in old}) == 1
    if old[0].get("ETag"):
        assert old[0]["ETag"] != new[0]["ETag"]
    assert len(ordinary) == 2 or not at_once


def test_nobody_gets_the_old_one_after_the_new_one(
    start: Callable[..., Server], next_release: Callable[[], None]
) -> None:
    """A page and what belongs to it come together, though the second is not over."""
    server = start(policy=Policy(listing=True))
    targets = ["/a.txt", "/big.bin", "/sub/", "/none"]
    old = ask(server, *map(get, targets))
    next_release()
    assert [answer.body for answer in ask(server, *map(get, targets))] == [
        answer.body for answer in old
    ]
    (page,) = ask(server, get("/"))
    assert page.body.decode() == f"page of {THREE}"
    assert [answer.body for answer in ask(server, *map(get, targets[:2]))] == [
        THREE.encode(),
        THREE.encode() * (BIG // 25),
    ]
    assert ask(server, get("/none", "Accept: text/html"))[0].body.decode() == f"not in {THREE}"


def test_a_client_with_the_old_one_is_sent_the_new_one(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start()
    (old,) = ask(server, get("/a.txt"))
    request = get("/a.txt", f"If-None-Match: {old['ETag']}")
    resumed = get("/a.txt", f"If-Range: {old['ETag']}", "Range: bytes=3-")
    assert [answer.status for answer in ask(server, request, resumed)] == [304, 206]
    next_release()
    reactor.advance(1)
    new, whole = ask(server, request, resumed)
    assert (new.status, new.body) == (200, THREE.encode())
    assert (whole.status, whole.body) == (200, THREE.encode()), "not the end of another file"


def test_downloads_under_way_are_finished_from_the_old_one(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start()
    client = Client(server, room=100_000).send(get("/big.bin"))
    next_release()
    reactor.advance(1)
    assert ask(server, get("/big.bin"))[0].body == THREE.encode() * (BIG // 25)
    assert ask(server, get("/a.txt"))[0].body == THREE.encode()
    client.transport.client_reads()
    assert client.answers()[0].body == ONE.encode() * (BIG // 9)
    client.send(get("/big.bin"))
    assert client.answers()[1].body == THREE.encode() * (BIG // 25)
    client.vanish()


@pytest.mark.parametrize("looked_up", [False, True])
def test_a_look_up_under_way(
    start: Callable[..., Server],
    reactor: FakeReactor,
    next_release: Callable[[], None],
    looked_up: bool,
) -> None:
    """It may find the old one, for those who asked before; it is not remembered for others."""
    server = start()
    server.disk = disk = HeldDisk()
    slow = Client(server).send(get("/a.txt"))
    if looked_up:
        disk.work()
    next_release()
    quick = Client(server).send(get("/"))
    disk.work()
    if not looked_up:
        disk.work()
    else:
        disk._done.reverse()  # the later one is told of first
    disk.deliver()
    disk.deliver()
    assert quick.answers()[0].body.decode() == f"page of {THREE}"
    assert slow.answers()[0].body.decode() == (ONE if looked_up else THREE)
    slow.send(get("/a.txt"))
    if looked_up:
        disk.complete()
    assert slow.answers()[1].body.decode() == THREE
    slow.vanish()
    quick.vanish()


def test_forms_made_on_demand(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start(compress=["gzip"])
    request = get("/text.txt", "Accept-Encoding: gzip")
    for text in (ONE, THREE):
        for answer in ask(server, request, request):
            assert answer["Content-Encoding"] == "gzip"
            assert gzip.decompress(answer.body).decode() == f"{text}\n" * 500
        next_release()
        reactor.advance(1)


def test_a_listing(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None], root: Path
) -> None:
    for name in ("one", "three"):
        (root.parent / "releases" / name / "index.html").unlink()
    server = start(policy=Policy(listing=True))
    request = get("/", "Accept: text/html")
    assert b"only-one" in ask(server, request)[0].body
    next_release()
    assert b"only-one" in ask(server, request)[0].body
    (file,) = ask(server, get("/a.txt"))
    assert file.body == THREE.encode()
    (listing,) = ask(server, request)
    assert b"only-three" in listing.body
    assert b"only-one" not in listing.body


def test_a_listing_that_is_being_read_meanwhile_is_not_remembered(
    start: Callable[..., Server], next_release: Callable[[], None], root: Path
) -> None:
    for name in ("one", "three"):
        (root.parent / "releases" / name / "index.html").unlink()
    server = start(policy=Policy(listing=True))
    disk = HeldDisk()
    server.listings._disk = disk
    slow = Client(server).send(get("/", "Accept: text/html"))
    disk.work()
    next_release()
    assert ask(server, get("/a.txt"))[0].body == THREE.encode()
    disk.deliver()
    assert b"only-one" in slow.answers()[0].body
    slow.send(get("/", "Accept: text/html"))
    disk.complete()
    assert b"only-three" in slow.answers()[1].body
    slow.vanish()


# Earlier ones.


def test_an_asset_of_the_old_one_is_sent_as_before(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start(keep_releases=60)
    (old,) = ask(server, get(ASSET))
    assert old.body == b"one"
    next_release()
    for _ in range(40):
        reactor.advance(1.4375)
        for answer in ask(server, get(ASSET), get(ASSET)):
            assert (answer.status, answer.body, answer["ETag"]) == (200, b"one", old["ETag"])
        (page,) = ask(server, get("/"))
        assert page.body.decode() == f"page of {THREE}"
    reactor.advance(4)  # it counts from when the switch was noticed
    assert [answer.status for answer in ask(server, get(ASSET), get(ASSET))] == [404, 404]


def test_it_ends_on_time_though_the_answer_is_remembered(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start(keep_releases=60)
    next_release()
    assert ask(server, get("/"))[0].status == 200
    reactor.advance(59.75)
    assert [answer.status for answer in ask(server, get(ASSET), get(ASSET))] == [200, 200]
    reactor.advance(0.25)
    assert [answer.status for answer in ask(server, get(ASSET), get(ASSET))] == [404, 404]


def test_none_is_kept_by_default(
    start: Callable[..., Server], reactor: FakeReactor, next_release: Callable[[], None]
) -> None:
    server = start()
    assert ask(server, get(ASSET))[0].status == 200
    next_release()
    reactor.advance(1)
    assert ask(server, get(ASSET))[0].status == 404


def test_many_switches_leave_no_descriptor(
    start: Callable[..., Server], reactor: FakeReactor, root: Path
) -> None:
    server = start(keep_releases=60)
    counts = set()
    for number in range(60):
        name = ("one", "three")[number % 2]
        switch(root, root.parent / "releases" / name)
        reactor.advance(1)
        for answer in ask(server, get("/big.bin"), get("/a.txt"), get("/none"), get(ASSET)):
            assert answer.status in (200, 404)
        counts.add(len(open_descriptors()))
    assert len(counts) <= 2, "the first had no release before it"


def test_each_site_has_releases_of_its_own(
    start: Callable[..., Server], reactor: FakeReactor, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    switch(other, tmp_path / "releases" / "one")
    server = start(hosts={b"other": SiteOptions(other, keep_releases=60)})
    switch(other, tmp_path / "releases" / "three")
    reactor.advance(1)
    for host, page, status in (("own", ONE, 200), ("other", THREE, 200)):
        answers = ask(server, get("/a.txt", f"Host: {host}"), get(ASSET, f"Host: {host}"))
        assert answers[0].body.decode() == page
        assert answers[1].status == status
    switch(root, tmp_path / "releases" / "three")
    reactor.advance(1)
    assert ask(server, get(ASSET, "Host: own"))[0].status == 404
    assert ask(server, get(ASSET, "Host: other"))[0].status == 200


# What the log says.


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    @implementer(ILogObserver)
    def note(event: Any) -> None:
        if str(event.get("log_namespace")).startswith("tinyhttp"):
            lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


def test_a_switch_is_logged_once(
    start: Callable[..., Server],
    reactor: FakeReactor,
    next_release: Callable[[], None],
    root: Path,
    logged: list[str],
) -> None:
    server = start(contents=Contents({}))
    ask(server, get("/"))
    assert logged == []
    next_release()
    reactor.advance(1)
    ask(server, get("/"), get("/a.txt"), get("/none"))
    assert logged == [
        f"{root} leads to another directory now, which is served",
        "the manifest does not apply to it, and is not used any more",
    ]


def test_that_there_is_none_is_logged_once(
    start: Callable[..., Server], reactor: FakeReactor, root: Path, logged: list[str]
) -> None:
    server = start()
    ask(server, get("/"))
    os.unlink(root)
    for _ in range(10):
        reactor.advance(LASTING / 2)
        assert ask(server, get("/"))[0].body.decode() == f"page of {ONE}"
    assert logged == [
        f"{root}: No such file or directory; what was there before is served until that changes"
    ]
    assert reactor.seconds() > NOW
