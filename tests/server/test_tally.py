"""What is counted, and that nothing is counted twice or forgotten."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Client, FakeLog, FakeReactor, HeldDisk, get, make_server, write_tree
from tinyhttp.core.request import Limits
from tinyhttp.server.server import Server
from tinyhttp.server.tally import (
    BOUNDS,
    COLUMNS,
    METHODS,
    OFFSETS,
    REASONS,
    STATUS_CLASSES,
    WIDTH,
    Tally,
    cell,
)

from .sockets import until
from .test_file_transfer import Stage

BIG = bytes(range(256)) * 4000


def column(server: Server, name: str) -> list[int]:
    """Return the numbers of the column ``name`` in what ``server`` has counted."""
    assert server.tally is not None
    row = server.tally.row(server)
    assert len(row) == WIDTH
    (size,) = [column.size for column in COLUMNS if column.name == name]
    return row[OFFSETS[name] : OFFSETS[name] + size]


def counted(server: Server, name: str, names: Sequence[str]) -> dict[str, int]:
    """Return those numbers of a column that are not zero, by their names."""
    return {n: count for n, count in zip(names, column(server, name), strict=True) if count}


CELLS = [f"{method} {status}" for method in METHODS for status in STATUS_CLASSES]


def requests(server: Server) -> dict[str, int]:
    return counted(server, "requests", CELLS)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"a.txt": b"four", "big.bin": BIG, "sub/index.html": b"<p>"}
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def server(root: Path, reactor: FakeReactor) -> Server:
    return make_server(root, reactor, tally=Tally(reactor.seconds), limits=Limits(head=2000))


# Requests.


@pytest.mark.parametrize(
    ("request_", "expected", "reason"),
    [
        (get("/a.txt"), "GET 2xx", None),
        (get("/a.txt", method="HEAD"), "HEAD 2xx", None),
        (get("*", method="OPTIONS"), "OPTIONS 2xx", None),
        (get("/sub"), "GET 3xx", None),
        (get("/a.txt", "If-None-Match: *"), "GET 3xx", None),
        (get("/a.txt", "Range: bytes=1-2"), "GET 2xx", None),
        (get("/nowhere"), "GET 4xx", None),
        (get("/a.txt", "Range: bytes=9-"), "GET 4xx", None),
        (get("/a.txt", method="POST"), "other 4xx", "method"),
        (get("/a.txt", method="BREW"), "other 5xx", "unsupported"),
        (get("/a.txt", method="GETS"), "other 5xx", "unsupported"),
        (get("/%zz"), "GET 4xx", "syntax"),
        (get("/a.txt", version="2.0"), "GET 5xx", "unsupported"),
        (get("/a.txt", "Expect: miracles"), "GET 4xx", "unsupported"),
        (b"\x16\x03\x01\x02\x00", "other 4xx", "syntax"),
        (b"GET /a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET 4xx", "syntax"),
        (get("/a.txt", "X: " + 2000 * "x"), "GET 4xx", "too-large"),
        (get("/" + 9000 * "x"), "GET 4xx", "too-large"),
    ],
)
def test_an_answer_is_counted_once(
    server: Server, request_: bytes, expected: str, reason: str | None
) -> None:
    Client(server).send(request_)
    assert requests(server) == {expected: 1}
    assert counted(server, "refused", REASONS) == ({reason: 1} if reason else {})
    assert sum(column(server, "buckets")) == 1


def test_answers_from_the_memo_are_counted_like_others(server: Server) -> None:
    client = Client(server).send(get("/a.txt")).send(get("/a.txt")).send(get("/a.txt") * 3)
    assert len(client.answers()) == 5
    assert requests(server) == {"GET 2xx": 5}
    assert column(server, "memo_hits") == [4]
    assert column(server, "cache_hits") == [0]
    assert column(server, "cache_misses") == column(server, "look_ups") == [1]
    assert column(server, "written_octets") == [20]
    assert sum(column(server, "buckets")) == 5


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get("/a.txt", method="HEAD"), {"HEAD 2xx": 3}),
        (get("/a.txt", "If-None-Match: *"), {"GET 3xx": 3}),
        (get("/nowhere"), {"GET 4xx": 3}),
    ],
)
def test_the_memo_knows_method_and_status(
    server: Server, request_: bytes, expected: dict[str, int]
) -> None:
    Client(server).send(request_ * 3)
    assert requests(server) == expected
    assert column(server, "memo_hits") == [2]


def test_a_path_that_is_known(server: Server) -> None:
    Client(server).send(get("/a.txt") + get("/a.txt", "Range: bytes=0-0"))
    assert column(server, "cache_hits") == column(server, "cache_misses") == [1]


def test_a_request_that_took_too_long(server: Server, reactor: FakeReactor) -> None:
    Client(server).send(b"GET /a.txt HT")
    for _ in range(64):
        reactor.advance(0.5)
    assert requests(server) == {"GET 4xx": 1}
    assert counted(server, "refused", REASONS) == {"slow-request": 1}


def test_a_body_comes_before_the_answer(server: Server) -> None:
    client = Client(server).send(get("/a.txt", "Content-Length: 3", method="POST"))
    assert requests(server) == {}
    client.send(b"abc")
    assert requests(server) == {"other 4xx": 1}


def test_without_a_tally_nothing_is_counted(root: Path, reactor: FakeReactor) -> None:
    server = make_server(root, reactor)
    assert len(Client(server).send(get("/a.txt") * 2 + get("/big.bin")).answers()) == 3
    assert server.tally is None


# Time.


def test_a_duration_goes_up_to_the_last_octet(
    root: Path, reactor: FakeReactor, server: Server
) -> None:
    server.disk = disk = HeldDisk()
    Client(server).send(get("/a.txt"))
    reactor.advance(0.25)
    assert requests(server) == {}
    assert column(server, "look_ups_waiting") == [1]
    disk.complete()
    assert column(server, "look_ups_waiting") == [0]
    assert counted(server, "buckets", [*map(str, BOUNDS), "inf"]) == {"0.5": 1}
    assert column(server, "nanoseconds") == [250_000_000]


def test_a_slow_reader_takes_long(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=10)
    client.send(get("/big.bin"))
    reactor.advance(7)
    assert requests(server) == {}
    client.transport.client_reads()
    assert counted(server, "buckets", [*map(str, BOUNDS), "inf"]) == {"10.0": 1}


@given(st.lists(st.floats(0, 1000) | st.sampled_from(BOUNDS)))
def test_every_duration_is_in_its_bucket(durations: list[float]) -> None:
    tally = Tally()
    for seconds in durations:
        tally.requests[0] += 1
        tally.took(seconds)
    buckets = tally.row()[OFFSETS["buckets"] :][: len(BOUNDS) + 1]
    expected = [
        sum(low < seconds <= high for seconds in durations)
        for low, high in zip((-1, *BOUNDS), (*BOUNDS, 1e9), strict=True)
    ]
    assert buckets == expected


def test_a_clock_that_is_set_back_takes_no_time() -> None:
    tally = Tally()
    tally.requests[0] += 1
    tally.took(-3600)
    row = tally.row()
    assert row[OFFSETS["buckets"]] == 1
    assert row[OFFSETS["nanoseconds"]] == 0


# Octets.


def test_octets_are_counted_as_they_go(server: Server) -> None:
    client = Client(server, room=200_000)
    client.send(get("/big.bin"))
    (before,) = column(server, "written_octets")
    assert 0 < before < len(BIG)
    assert requests(server) == {}
    client.transport.client_reads()
    assert column(server, "written_octets") == [len(BIG)]
    assert requests(server) == {"GET 2xx": 1}


def test_a_client_that_vanishes_has_had_some(server: Server) -> None:
    client = Client(server, room=200_000)
    client.send(get("/big.bin"))
    before = column(server, "written_octets")
    client.vanish()
    assert requests(server) == {"GET 2xx": 1}
    assert column(server, "written_octets") == before


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("small", [False, True])
def test_octets_that_the_kernel_sends(root: Path, stack: ExitStack, small: bool) -> None:
    """Whole at once, or slice by slice; by the ordinary way, and from the memo."""
    stage = Stage(root, stack, tally=Tally())
    peer = stage.connect(small=small)
    for n in range(1, 4):
        peer.send(get("/big.bin"))
        assert stage.answer(peer).body == BIG
        until(lambda n=n: requests(stage.server) == {"GET 2xx": n}, stage.reactor.poll)  # type: ignore[misc]
        assert column(stage.server, "sendfile_octets") == [n * len(BIG)]
    assert column(stage.server, "written_octets") == [0]
    assert column(stage.server, "memo_hits") == [2]
    assert sum(column(stage.server, "buckets")) == 3


def test_reads_that_wait_for_the_disk(
    root: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyhttp.server.transfer.read_at_once", lambda *_: None)
    server = make_server(root, tally=Tally())
    Client(server).send(get("/big.bin"))
    assert column(server, "look_ups") == [1]
    assert column(server, "disk_reads") == [-(-len(BIG) // (128 * 1024))]


# Connections.


def test_connections(server: Server) -> None:
    clients = [Client(server) for _ in range(4)]
    assert column(server, "open") == column(server, "idle") == column(server, "accepted") == [4]
    clients[0].send(b"GET /a.")
    clients[1].transport.room = 0
    clients[1].send(get("/big.bin"))
    assert column(server, "idle") == [2]
    clients[0].send(b"txt HTTP/1.1\r\nHost: a\r\n\r\n")
    assert column(server, "idle") == [3]
    clients[2].vanish()
    assert column(server, "open") == [3]
    assert column(server, "accepted") == [4]


def test_refused_connections(server: Server) -> None:
    assert server.tally is not None
    server.tally.refuse("no-place")
    server.tally.refuse("gate")
    assert counted(server, "refused", REASONS) == {"no-place": 1, "gate": 1}
    with pytest.raises(ValueError, match="not in"):
        server.tally.refuse("198.51.100.7")


def test_refusals_that_others_count_are_not_counted_twice(server: Server) -> None:
    assert server.tally is not None
    server.tally.refuse("client-rate")
    server.tally.refuse("gate")
    server.tally.refused_elsewhere = lambda: {"client-rate": 1, "no-place": 2, "unheard-of": 9}
    expected = {"client-rate": 1, "no-place": 2, "gate": 1}
    assert counted(server, "refused", REASONS) == expected


# Numbers from elsewhere.


def test_lines_lost(root: Path) -> None:
    class Log(FakeLog):
        lost = 3

    assert column(make_server(root, tally=Tally(), access_log=Log()), "lines_lost") == [3]


def test_a_process_without_a_server() -> None:
    tally = Tally()
    tally.restarts += 2
    row = tally.row()
    assert len(row) == WIDTH
    assert {column.name for column in COLUMNS if row[OFFSETS[column.name]]} == {"restarts"}


@pytest.mark.parametrize("status", [100, 200, 304, 404, 500])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PATCH", ""])
def test_every_answer_has_a_cell(method: str, status: int) -> None:
    name = method if method in METHODS else "other"
    found = CELLS[cell(f"{method} / HTTP/1.1".encode(), status)]
    assert found == f"{name} {status // 100}xx"
