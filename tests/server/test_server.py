"""The factory: what connections share, and the end of it all."""

import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.support import (
    Client,
    FakeReactor,
    HeldDisk,
    TurningReactor,
    get,
    make_server,
    open_descriptors,
    write_tree,
)
from tinyhttp.core.path import SitePath
from tinyhttp.core.resource import File, Missing
from tinyhttp.server.server import Server
from tinyhttp.site.files import Found
from tinyhttp.site.site import Capacity

A = SitePath((b"a.txt",), directory=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"a.txt": b"a", "start.htm": b"start", ".x": b"hidden", "big.bin": bytes(200_000)}
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def server(root: Path, reactor: FakeReactor) -> Server:
    return make_server(root, reactor)


def outcomes(result: Deferred[Found]) -> list[object]:
    """Return a list into which the resource that is found comes, or the failure."""
    found: list[object] = []

    def take(outcome: Found | Failure) -> None:
        found.append(outcome.resource if isinstance(outcome, Found) else outcome)

    _ = result.addBoth(take)
    return found


def test_a_factory_for_any_endpoint(server: Server) -> None:
    assert verifyObject(IProtocolFactory, server)
    assert server.buildProtocol(None) is not server.buildProtocol(None)


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_server(tmp_path / "none")


def test_a_root_that_is_a_file(root: Path) -> None:
    with pytest.raises(NotADirectoryError):
        make_server(root / "a.txt")


@pytest.mark.parametrize(
    ("options", "target", "status"),
    [
        ({}, "/", 404),
        ({"index": ["none", "start.htm"]}, "/", 200),
        ({}, "/.x", 404),
        ({"hidden_files": True}, "/.x", 200),
        ({}, "/out", 404),
        ({"follow_symlinks": True}, "/out", 200),
    ],
)
def test_options(root: Path, options: dict[str, Any], target: str, status: int) -> None:
    write_tree(root.parent, {"outside": b"x"})
    (root / "out").symlink_to("../outside")
    client = Client(make_server(root, **options)).send(get(target))
    assert client.answers()[0].status == status


def test_media_types_are_an_option(root: Path) -> None:
    server = make_server(root, media_types={b"txt": b"text/x-own"})
    client = Client(server).send(get("/a.txt"))
    assert client.answers()[0]["Content-Type"].startswith("text/x-own")


def test_the_date_moves_with_the_clock(server: Server, reactor: FakeReactor) -> None:
    assert server.date(reactor.seconds()) == b"Mon, 21 Sep 2026 14:13:20 GMT"
    reactor.advance(0.75)
    assert server.date(reactor.seconds()) == b"Mon, 21 Sep 2026 14:13:20 GMT"
    reactor.advance(0.25)
    assert server.date(reactor.seconds()) == b"Mon, 21 Sep 2026 14:13:21 GMT"
    client = Client(server).send(get("/a.txt"))
    assert client.answers()[0]["Date"] == "Mon, 21 Sep 2026 14:13:21 GMT"


def test_a_change_is_noticed_within_a_second(
    root: Path, server: Server, reactor: FakeReactor
) -> None:
    client = Client(server).send(get("/a.txt"))
    write_tree(root, {"a.txt": b"changed"})
    reactor.advance(1)
    client.send(get("/a.txt"))
    assert [answer.body for answer in client.answers()] == [b"a", b"changed"]


def test_a_file_that_comes_is_noticed_within_a_second(
    root: Path, server: Server, reactor: FakeReactor
) -> None:
    client = Client(server).send(get("/new"))
    write_tree(root, {"new": b"new"})
    reactor.advance(1)
    client.send(get("/new"))
    assert [answer.status for answer in client.answers()] == [404, 200]


def test_what_is_remembered_costs_no_look_up(server: Server) -> None:
    Client(server).send(get("/a.txt") + get("/none"))
    server.disk = disk = HeldDisk()
    client = Client(server).send(get("/a.txt") + get("/none") + get("/none/../a.txt"))
    assert disk.waiting == 0
    assert [answer.status for answer in client.answers()] == [200, 404, 200]


def test_methods_that_are_not_served_cost_no_look_up(server: Server) -> None:
    server.disk = disk = HeldDisk()
    client = Client(server).send(get("/a.txt", method="POST") + get("/a.txt", method="BREW"))
    assert [answer.status for answer in client.answers()] == [405, 501]
    assert disk.waiting == 0


def test_descriptors_are_bounded(root: Path) -> None:
    write_tree(root, {f"big{n}": bytes(200_000) for n in range(10)})
    before = open_descriptors()
    server = make_server(root, capacity=Capacity(descriptors=3))
    client = Client(server).send(b"".join(get(f"/big{n}") for n in range(10)))
    assert len(client.answers()) == 10
    files = [link for link in open_descriptors() - before if "/big" in link]
    assert len(files) == 3
    _ = server.stop()
    assert open_descriptors() == before


# Look-ups.


def test_one_look_up_for_all_who_ask(server: Server) -> None:
    server.disk = disk = HeldDisk()
    results = [outcomes(server.look_up(A)) for _ in range(3)]
    assert disk.waiting == 1
    disk.complete()
    resources = [resource for (resource,) in results]
    assert isinstance(resources[0], File)
    assert resources[0] is resources[1] is resources[2]
    assert resources[0].variants[0].content == b"a"


def test_other_paths_are_other_look_ups(server: Server) -> None:
    server.disk = disk = HeldDisk()
    a = outcomes(server.look_up(A))
    none = outcomes(server.look_up(SitePath((b"a.txt",), directory=True)))
    assert disk.waiting == 2
    disk.complete()
    assert none == []
    disk.complete()
    assert isinstance(a[0], File)
    assert isinstance(none[0], Missing)


def test_who_asks_later_looks_again(server: Server) -> None:
    server.disk = disk = HeldDisk()
    outcomes(server.look_up(A))
    disk.complete()
    outcomes(server.look_up(A))
    assert disk.waiting == 1


def test_one_gives_up_and_the_others_do_not_notice(server: Server) -> None:
    server.disk = disk = HeldDisk()
    first, second = server.look_up(A), server.look_up(A)
    gone, there = outcomes(first), outcomes(second)
    first.cancel()
    assert isinstance(gone[0], Failure)
    assert gone[0].check(CancelledError)
    disk.complete()
    assert isinstance(there[0], File)


def test_all_share_a_failure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(path: SitePath) -> Found:
        raise OSError(5, "Input/output error")

    server.disk = disk = HeldDisk()
    with monkeypatch.context() as patch:
        patch.setattr(server.site.files, "find", find)
        results = [outcomes(server.look_up(A)) for _ in range(2)]
        disk.complete()
    for (failure,) in results:
        assert isinstance(failure, Failure)
        assert failure.check(OSError)
    later = outcomes(server.look_up(A))
    disk.complete()
    assert isinstance(later[0], File), "a failure is not remembered"


def test_one_that_fails_with_its_look_up_harms_no_other(server: Server) -> None:
    server.disk = disk = HeldDisk()
    first, second = server.look_up(A), server.look_up(A)

    def fail(found: Found) -> None:
        raise RuntimeError

    failed: list[object] = []
    _ = first.addCallback(fail).addErrback(failed.append)
    there = outcomes(second)
    disk.complete()
    assert len(failed) == 1
    assert isinstance(there[0], File)


# The end.


def test_stop_without_connections(root: Path, reactor: FakeReactor) -> None:
    before = open_descriptors()
    server = make_server(root, reactor)
    Client(server).send(get("/big.bin")).vanish()
    assert server.stop().called
    assert open_descriptors() == before
    assert reactor.getDelayedCalls() == []


def test_stop_waits_for_every_connection(server: Server) -> None:
    clients = [Client(server, room=0).send(get("/big.bin")) for _ in range(3)]
    stopped = server.stop()
    for client in clients:
        assert not stopped.called
        client.vanish()
    assert stopped.called


def test_threads_rest_when_nobody_is_connected(root: Path) -> None:
    reactor = TurningReactor()
    server = make_server(root, reactor, threads=2)
    client = Client(server).send(get("/a.txt"))
    reactor.turn()
    assert [answer.body for answer in client.answers()] == [b"a"]
    assert [thread for thread in threading.enumerate() if "tinyhttp" in thread.name]
    client.vanish()
    assert [thread for thread in threading.enumerate() if "tinyhttp" in thread.name] == []
    assert server.stop().called


def test_two_servers_in_one_process(root: Path, tmp_path: Path) -> None:
    other = make_server(write_tree(tmp_path / "other", {"a.txt": b"other"}))
    first, second = Client(make_server(root)), Client(other)
    first.send(get("/a.txt"))
    second.send(get("/a.txt"))
    assert first.answers()[0].body == b"a"
    assert second.answers()[0].body == b"other"


def test_stop_twice(server: Server) -> None:
    """As when the signal comes again."""
    client = Client(server, room=0).send(get("/big.bin"))
    first, second = server.stop(), server.stop()
    client.vanish()
    assert first.called
    assert second.called
