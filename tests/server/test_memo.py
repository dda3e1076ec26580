"""What is said again from memory is what would have been said, and only while that is so."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from tests.support import (
    NOW,
    OLD,
    Answer,
    Client,
    FakeLog,
    FakeReactor,
    HeldDisk,
    get,
    make_server,
    open_descriptors,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.path import SitePath
from tinyhttp.core.request import Head, Limits, noted_fields
from tinyhttp.core.resource import File, Missing, Representation
from tinyhttp.server.exchange import Exchange
from tinyhttp.server.incoming import Incoming
from tinyhttp.server.memo import Memo, Remembered
from tinyhttp.server.protocol import Connection
from tinyhttp.server.server import Server
from tinyhttp.site.files import Found
from tinyhttp.site.site import Capacity

from .sockets import until
from .test_file_transfer import Stage, complete
from .wire_table import CASES, Case, write_site

# The map and its bounds.


PATH = SitePath((b"a",), directory=False)
FOUND = Found(Missing(), NOW + 1)
SITE: Any = None  # never asked


def answer_of(body: bytes = b"", status: int = 200) -> Remembered:
    return Remembered(PATH, FOUND, b"before", b"after", body, status, NOW, True, SITE)


def test_an_empty_memo() -> None:
    assert Memo().get((b"GET / HTTP/1.1",)) is None


def test_what_was_put_is_got_under_equal_lines_alone() -> None:
    memo = Memo()
    memo.put((b"GET / HTTP/1.1", b"Host: a"), answer_of(b"a"))
    assert memo.get((b"GET / HTTP/1.1", b"Host: a")) == answer_of(b"a")
    assert memo.get((b"GET / HTTP/1.1", b"Host: b")) is None
    assert memo.get((b"GET / HTTP/1.1", b"host: a")) is None
    assert memo.get((b"GET / HTTP/1.1",)) is None
    assert memo.get((b"Host: a", b"GET / HTTP/1.1")) is None


def test_the_newest_answer_counts() -> None:
    memo = Memo()
    memo.put((b"a",), answer_of(b"old"))
    memo.put((b"a",), answer_of(b"new"))
    assert memo.get((b"a",)) == answer_of(b"new")


def test_the_number_of_answers_is_bounded() -> None:
    memo = Memo()
    keys = [(b"%d" % number,) for number in range(8192)]
    for key in keys:
        memo.put(key, answer_of())
    assert all(memo.get(key) is not None for key in keys)
    memo.put((b"one more",), answer_of())
    assert [key for key in [*keys, (b"one more",)] if memo.get(key)] == [(b"one more",)]
    memo.put((b"another",), answer_of())
    assert memo.get((b"one more",)) == memo.get((b"another",)) == answer_of()


def test_the_octets_of_lines_and_bodies_are_bounded() -> None:
    memo = Memo()
    body = bytes(131_064)
    keys = [(b"%08d" % number,) for number in range(512)]  # 64 MiB together
    for key in keys:
        memo.put(key, answer_of(body))
    memo.put(keys[7], answer_of(body))  # in place of its like
    assert all(memo.get(key) is not None for key in keys)
    memo.put((b"1",), answer_of())
    assert [key for key in keys if memo.get(key)] == []
    assert memo.get((b"1",)) == answer_of()
    for key in keys[:511]:
        memo.put(key, answer_of(body))
    assert memo.get((b"1",)) == answer_of(), "counted anew"
    memo.put(keys[511], answer_of(body))
    assert memo.get((b"1",)) is None


def test_the_octets_of_lines_are_bounded() -> None:
    """A client may send 30,000 octets of If-None-Match, other ones each time."""
    memo = Memo()
    long = b"If-None-Match: " + b"x" * 29_985
    keys = [(b"%d" % number, long) for number in range(8192)]
    for key in keys:
        memo.put(key, answer_of())
    kept = sum(sum(map(len, key)) for key in keys if memo.get(key))
    assert kept <= 64 * 1024 * 1024


# On connections.


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"a.txt": b"old", "b.txt": b"bb", "big.bin": bytes(200_000)}
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The request lines of what is answered in the ordinary way, from now on."""
    lines: list[bytes] = []

    class Noted(Exchange):
        __slots__ = ()

        def __init__(self, connection: Any, line: bytes, **options: Any):
            lines.append(line)
            super().__init__(connection, line, **options)

    monkeypatch.setattr(Connection, "exchange_type", Noted)
    return lines


class AnyonesLog(FakeLog):
    """An access log in memory, with what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, int, int, bytes | None, bytes | None]] = []

    def answered(
        self, connection: Incoming, head: Head | None, line: bytes, status: int, octets: int
    ) -> None:
        fields = noted_fields(() if head is None else head.noted)
        referer, agent = fields.get(b"referer"), fields.get(b"user-agent")
        self.told.append((line, status, octets, referer, agent))


class Log(AnyonesLog):
    """One for the one client of a `FakeTransport`."""

    def answered(self, connection: Incoming, *about: Any) -> None:
        assert connection.client() == b"192.0.2.1"
        super().answered(connection, *about)


def bodies(client: Client) -> list[bytes]:
    return [answer.body for answer in client.answers()]


NOT_REPEATED = frozenset(
    (
        "one of several is not satisfiable",  # parts, which are not one run of octets
        # A body is announced, which does not come with them.
        *("a body beyond the limit", "Expect in capitals"),
    )
)


def is_repeated(case: Case) -> bool:
    """Return whether an answer is remembered: to one GET without a body, about a path."""
    return (
        case.name not in NOT_REPEATED
        and case.request.removeprefix(b"\r\n").startswith(b"GET ")
        and case.request.find(b"\r\n\r\n") == len(case.request) - 4
        and case.status in (200, 206, 301, 304, 403, 404, 406, 412, 416)
    )


REPEATED = [case for case in CASES if is_repeated(case)]


def test_most_of_the_table_is_repeated() -> None:
    """Else what follows would say little."""
    assert len(REPEATED) >= 180
    assert {case.status for case in REPEATED} == {200, 206, 301, 304, 404, 406, 412, 416}
    assert not all(case.stays_open for case in REPEATED)


@pytest.fixture(scope="module")
def table_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("memo"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_row_of_the_table_again(table_root: Path, ordinary: list[bytes], case: Case) -> None:
    """On the same connection, on another one, and octet by octet."""
    server = make_server(table_root)
    first = Client(server).send(case.request)
    once = first.received
    made = len(ordinary)
    assert made > 0
    assert once.startswith(b"HTTP/1.1 %d " % case.status)
    second = Client(server).send(case.request)
    assert second.received == once
    assert second.ended is first.ended is not case.stays_open
    if case.stays_open:
        first.send(case.request)
        assert first.received == once * 2
        assert not first.ended
    assert (len(ordinary) == made) is is_repeated(case)
    if is_repeated(case):
        by_octet = Client(server).send(case.request, piece=1)
        assert by_octet.received == once
        assert by_octet.ended is not case.stays_open
    _ = server.stop()


@pytest.mark.parametrize("case", REPEATED, ids=str)
def test_every_row_of_the_table_again_as_head(
    table_root: Path, ordinary: list[bytes], case: Case
) -> None:
    server = make_server(table_root, limits=Limits(head=64 * 1024, request_line=16 * 1024))
    whole = Client(server).send(case.request)
    request = case.request.replace(b"GET ", b"HEAD ", 1)
    first = Client(server).send(request)
    assert first.received.endswith(b"\r\n\r\n")
    assert len(ordinary) == 2, "GET says nothing about HEAD"
    second = Client(server).send(request)
    assert second.received == first.received
    assert Client(server).send(case.request).received == whole.received
    assert len(ordinary) == 2
    _ = server.stop()


def test_nothing_is_asked_that_could_fail(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the site, nor whoever decides."""
    server = make_server(root)
    client = Client(server).send(get("/a.txt"))

    def recall(path: SitePath) -> Found | None:
        raise AssertionError("asked")

    monkeypatch.setattr(server.site, "recall", recall)
    monkeypatch.setattr("tinyhttp.server.exchange.answer", recall)
    monkeypatch.setattr("tinyhttp.server.protocol.parse", recall)
    other = Client(server).send(get("/a.txt"))
    client.send(get("/a.txt"))
    assert bodies(client) == [b"old", b"old"]
    assert bodies(other) == [b"old"]
    _ = server.stop()


def asked_ordinarily(
    server: Server, ordinary: list[bytes], *requests: bytes
) -> list[tuple[int, bool]]:
    """Return status, and whether it came in the ordinary way, of each on its own connection."""
    outcomes = []
    for request in requests:
        before = len(ordinary)
        client = Client(server).send(request)
        (answer,) = client.answers([0] if request.startswith(b"HEAD ") else [])
        outcomes.append((answer.status, len(ordinary) > before))
        client.vanish()
    return outcomes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["Cookie: a=1"], ["Cookie: a=2"]),
        (["X-Request-ID: 1"], ["X-Request-ID: 2", "Cookie: b"]),
        ([], ["Accept-Language: eo", "Cache-Control: no-cache"]),
        (["Accept: image/avif,*/*;q=0.8"], ["Accept: image/webp, image/png, */*;q=0.8"]),
        (["Accept: text/html,image/avif,*/*;q=0.8"], ["Accept: text/html, */*;q=0.8"]),
        (["User-Agent: a", "Referer: http://a/"], ["Referer: http://b/", "User-Agent: b"]),
        (["Host: a", "Cookie: a"], ["Cookie: a", "Host: a"]),
    ],
)
def test_fields_without_bearing_share_an_answer(
    root: Path, ordinary: list[bytes], one: list[str], other: list[str]
) -> None:
    server = make_server(root)
    outcomes = asked_ordinarily(server, ordinary, get("/a.txt", *one), get("/a.txt", *other))
    assert outcomes == [(200, True), (200, False)]
    _ = server.stop()


@pytest.mark.parametrize(
    "field",
    [
        "Accept-Encoding: gzip",
        "Connection: keep-alive",
        "Connection: close",
        "Content-Length: 0",
        'If-Match: "a"',
        "If-Modified-Since: Sun, 20 Sep 2026 14:13:20 GMT",
        "If-None-Match: *",
        "If-Unmodified-Since: Sun, 20 Sep 2026 14:13:20 GMT",
        "Range: bytes=0-0",
        'If-Range: "a"',
    ],
)
def test_a_decisive_field_more_is_another_request(
    root: Path, ordinary: list[bytes], field: str
) -> None:
    server = make_server(root)
    plain, with_it = get("/a.txt"), get("/a.txt", field)
    outcomes = asked_ordinarily(server, ordinary, plain, with_it, with_it, plain)
    assert [way for _, way in outcomes] == [True, True, False, False]
    assert outcomes[1][0] == outcomes[2][0]
    assert outcomes[0][0] == outcomes[3][0] == 200
    _ = server.stop()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (get("/a.txt", "Host: a"), get("/a.txt", "Host: b")),
        (get("/a.txt", "Range: bytes=0-0"), get("/a.txt", "Range: bytes=1-1")),
        (get("/a.txt", "If-None-Match: *"), get("/a.txt", 'If-None-Match: "a"')),
        (get("/a.txt", "Accept-Encoding: br"), get("/a.txt", "Accept-Encoding: gzip")),
        (get("/a.txt"), get("/a.txt?")),
        (get("/a.txt"), get("/b.txt")),
        (get("/a.txt"), get("/a.txt", method="HEAD")),
        (get("/a.txt"), get("/a.txt", version="1.2")),
        (get("/a.txt", "Host: a"), get("/a.txt", "Host: a", version="1.0")),
    ],
)
def test_what_differs_in_a_decisive_line_is_another_request(
    root: Path, ordinary: list[bytes], one: bytes, other: bytes
) -> None:
    server = make_server(root)
    outcomes = asked_ordinarily(server, ordinary, one, other, one, other)
    assert [way for _, way in outcomes] == [True, True, False, False]
    _ = server.stop()


# Where it is not used.


@pytest.mark.parametrize(
    "request_",
    [
        get("/a.txt", "Content-Length: 3") + b"abc",
        get("/a.txt", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        get("/big.bin"),
        get("/a.txt", "Range: bytes=0-0,2-2"),
        get("/", method="OPTIONS"),
        get("/a.txt", method="POST"),
        get("/a%00"),
    ],
    ids=[
        *("length", "chunked", "from a file", "parts"),
        *("OPTIONS", "POST", "a path that can't be"),
    ],
)
def test_never_for(root: Path, ordinary: list[bytes], request_: bytes) -> None:
    server = make_server(root)
    client = Client(server).send(request_)
    once, made = client.received, len(ordinary)
    client.send(request_)
    assert client.received == once * 2
    assert len(ordinary) == 2 * made
    _ = server.stop()


@pytest.mark.parametrize("piece", [None, 1, 7, 50])
def test_however_requests_are_cut(root: Path, piece: int | None) -> None:
    """Several at once, an empty line first, one with a body, and one that ends it."""
    server = make_server(root)
    known, missing = get("/a.txt"), get("/none")
    once, not_there = Client(server).send(known).received, Client(server).send(missing).received
    with_body = get("/a.txt", "Content-Length: 3") + b"abc"
    data = known + b"\r\n" + known + with_body + missing + known + missing
    client = Client(server).send(data, piece)
    assert client.received == once * 3 + not_there + once + not_there
    assert not client.ended
    received = client.received
    last = get("/a.txt", "Connection: close")
    ending = Client(server).send(last).received
    client.send(known + last + known, piece)
    assert client.received == received + once + ending
    assert client.ended
    _ = server.stop()


@pytest.mark.parametrize("field", ["Content-Length: 3", "Transfer-Encoding: chunked"])
def test_a_body_is_waited_for_although_the_head_alone_is_known(
    root: Path, ordinary: list[bytes], field: str
) -> None:
    """Its octets would be taken for the next request."""
    server = make_server(root)
    body = b"abc" if field.startswith("Content") else b"3\r\nabc\r\n0\r\n\r\n"
    client = Client(server).send(get("/a.txt")).send(get("/a.txt", field) + body)
    for _ in range(2):
        received = client.received
        client.send(get("/a.txt", field))
        assert client.received == received
        client.send(body)
    assert bodies(client) == [b"old"] * 4
    assert len(ordinary) == 4
    _ = server.stop()


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (Limits(head=200), ["X: " + "x" * 200]),
        (Limits(fields=3), ["X: 1", "X: 2", "X: 3"]),
    ],
    ids=["octets", "lines"],
)
def test_not_where_the_head_is_over_a_limit(
    root: Path, limits: Limits, fields: Sequence[str]
) -> None:
    server = make_server(root, limits=limits)
    client = Client(server).send(get("/a.txt")).send(get("/a.txt", *fields))
    assert [answer.status for answer in client.answers()] == [200, 431]
    assert client.ended
    _ = server.stop()


@pytest.mark.parametrize("line", ["X : y", "nonsense", "X: a\0b", " folded", ": y", "X: a\rb"])
def test_a_malformed_field_is_refused_whatever_is_remembered(root: Path, line: str) -> None:
    server = make_server(root)
    client = Client(server).send(get("/a.txt"))
    for _ in range(2):
        other = Client(server).send(get("/a.txt", line))
        assert [answer.status for answer in other.answers()] == [400]
        assert other.ended
    client.send(get("/a.txt", line))
    assert [answer.status for answer in client.answers()] == [200, 400]
    assert client.ended
    _ = server.stop()


def test_not_in_a_server_that_drains(root: Path, ordinary: list[bytes]) -> None:
    server = make_server(root)
    Client(server).send(get("/a.txt"))
    slow = Client(server, room=0).send(get("/big.bin"))
    _ = server.stop()
    made = len(ordinary)
    late = Client(server).send(get("/a.txt"))
    (answer,) = late.answers()
    assert (answer.body, answer["Connection"]) == (b"old", "close")
    assert late.transport.closed
    assert len(ordinary) == made + 1
    slow.vanish()


def test_a_connection_that_drains_is_not_kept(root: Path) -> None:
    """Its client was told to come again before it was told of the end."""
    server = make_server(root)
    Client(server).send(get("/a.txt"))
    begun = Client(server).send(b"GET /a.txt HTTP/1.1\r\n")
    stopped = server.stop()
    begun.send(b"Host: localhost\r\n\r\n")
    assert [answer["Connection"] for answer in begun.answers()] == ["close"]
    assert stopped.called


def test_what_was_closed_by_draining_is_not_remembered_as_such(
    root: Path, ordinary: list[bytes]
) -> None:
    """Nor what was closed because of its body: it says nothing about the next one."""
    server = make_server(root, limits=Limits(body=3))
    Client(server).send(get("/a.txt", "Content-Length: 4"))
    outcomes = asked_ordinarily(server, ordinary, get("/a.txt", "Content-Length: 4"))
    assert outcomes == [(200, True)]
    client = Client(server).send(get("/a.txt"))
    assert client.answers()[0].get("Connection") is None
    assert not client.ended
    _ = server.stop()


def test_a_wish_to_close_is_remembered_with_the_answer(root: Path, ordinary: list[bytes]) -> None:
    server = make_server(root)
    request = get("/a.txt", "Connection: close")
    first, second = Client(server).send(request), Client(server).send(request)
    assert len(ordinary) == 1
    for client in (first, second):
        assert client.answers()[0]["Connection"] == "close"
        assert client.transport.closed
        assert not client.transport.aborted
    third = Client(server, room=10).send(request)
    assert not third.transport.closed
    third.send(get("/b.txt"))
    third.transport.client_reads()
    assert third.received == second.received, "nothing is answered behind it"
    assert third.transport.closed
    _ = server.stop()


def test_an_http_1_0_client_is_told_what_it_asked_for(root: Path, ordinary: list[bytes]) -> None:
    server = make_server(root)
    stays = get("/a.txt", "Connection: keep-alive", version="1.0")
    goes = get("/a.txt", version="1.0")
    said = []
    for request in (stays, goes, stays, goes):
        client = Client(server).send(request)
        said.append((client.answers()[0]["Connection"], client.ended))
    assert said == [("keep-alive", False), ("close", True)] * 2
    assert len(ordinary) == 2
    _ = server.stop()


def test_not_while_the_client_reads_nothing(root: Path) -> None:
    server = make_server(root)
    once = Client(server).send(get("/a.txt")).received
    client = Client(server, room=10)
    for _ in range(5):
        client.send(get("/a.txt"))
    assert client.received + client.transport.unread == once
    client.transport.client_reads()
    assert client.received == once * 5
    _ = server.stop()


def test_the_next_request_is_waited_for_as_long_as_ever(
    root: Path, reactor: FakeReactor, ordinary: list[bytes]
) -> None:
    server = make_server(root, reactor)
    Client(server).send(get("/a.txt")).vanish()
    client = Client(server).send(get("/a.txt"))
    assert len(ordinary) == 1
    pass_time(reactor, 94.75)
    assert not client.ended, "30 s are for the first request alone"
    pass_time(reactor, 1.25)
    assert client.transport.closed
    assert client.answers()[0].status == 200
    assert len(client.answers()) == 1
    _ = server.stop()


# For how long.


def test_it_is_used_for_a_second(root: Path, reactor: FakeReactor, ordinary: list[bytes]) -> None:
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    write_tree(root, {"a.txt": b"new!"}, OLD + 1)
    reactor.advance(0.99)
    client.send(get("/a.txt"))
    assert len(ordinary) == 1
    reactor.advance(0.01)
    client.send(get("/a.txt"))
    client.send(get("/a.txt"))
    assert bodies(client) == [b"old", b"old", b"new!", b"new!"]
    assert len(ordinary) == 2
    _ = server.stop()


def test_it_counts_from_when_the_file_was_seen_not_from_the_answer(
    root: Path, reactor: FakeReactor
) -> None:
    """Two seconds would pass otherwise."""
    server = make_server(root, reactor)
    Client(server).send(get("/a.txt", "Host: other")).vanish()
    reactor.advance(0.75)
    client = Client(server).send(get("/a.txt"))
    write_tree(root, {"a.txt": b"new!"}, OLD + 1)
    reactor.advance(0.25)
    client.send(get("/a.txt"))
    assert bodies(client) == [b"old", b"new!"]
    _ = server.stop()


@pytest.mark.parametrize("change", ["removed", "made"])
def test_what_is_missing_is_remembered_as_long(
    root: Path, reactor: FakeReactor, ordinary: list[bytes], change: str
) -> None:
    target = "/a.txt" if change == "removed" else "/new.txt"
    server = make_server(root, reactor)
    client = Client(server).send(get(target))
    if change == "removed":
        (root / "a.txt").unlink()
    else:
        write_tree(root, {"new.txt": b"new"})
    client.send(get(target))
    reactor.advance(1)
    client.send(get(target))
    statuses = [answer.status for answer in client.answers()]
    assert statuses == ([200, 200, 404] if change == "removed" else [404, 404, 200])
    assert len(ordinary) == 2
    _ = server.stop()


@pytest.mark.parametrize("seconds", [0.5, 10, 3600])
def test_not_when_the_clock_was_set_back(root: Path, reactor: FakeReactor, seconds: float) -> None:
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    write_tree(root, {"a.txt": b"new!"}, OLD + 1)
    reactor.rightNow -= seconds
    client.send(get("/a.txt"))
    assert bodies(client) == [b"old", b"new!"]
    _ = server.stop()


def test_not_what_was_out_of_date_before_the_clock_was_set_back(
    root: Path, reactor: FakeReactor
) -> None:
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    write_tree(root, {"a.txt": b"new!"}, OLD + 1)
    reactor.advance(1)
    client.send(get("/a.txt", "Host: other"))
    reactor.rightNow -= 0.25
    client.send(get("/a.txt"))
    received = bodies(client)
    _ = server.stop()
    assert received == [b"old", b"new!", b"new!"]


def test_a_young_file_is_remembered_until_it_has_settled(
    root: Path, reactor: FakeReactor, ordinary: list[bytes]
) -> None:
    """Its tag is provisional; the answer is remembered until that is final, and no longer."""
    write_tree(root, {"a.txt": b"young"}, NOW - 1)
    reactor.advance(0.5)
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    reactor.advance(0.5)
    client.send(get("/a.txt"))
    client.send(get("/a.txt"))
    tags = [answer["ETag"] for answer in client.answers()]
    assert tags[0].startswith("W/")
    assert not tags[1].startswith("W/")
    assert tags[2] == tags[1]
    assert len(ordinary) == 2
    _ = server.stop()


def test_the_date_is_the_current_one(
    root: Path, reactor: FakeReactor, ordinary: list[bytes]
) -> None:
    reactor.advance(0.5)
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    reactor.advance(0.4)
    client.send(get("/a.txt"))
    reactor.advance(0.5)
    client.send(get("/a.txt"))
    assert len(ordinary) == 1
    assert [answer["Date"] for answer in client.answers()] == [
        "Mon, 21 Sep 2026 14:13:20 GMT",
        "Mon, 21 Sep 2026 14:13:20 GMT",
        "Mon, 21 Sep 2026 14:13:21 GMT",
    ]

    def without_date(answer: Answer) -> list[tuple[str, str]]:
        return [field for field in answer.fields if field[0] != "Date"]

    first, _, third = client.answers()
    assert without_date(first) == without_date(third)
    _ = server.stop()


def test_a_file_from_the_future(root: Path, reactor: FakeReactor) -> None:
    """Last-Modified is never later than Date, so it moves with it."""
    write_tree(root, {"a.txt": b"future"}, NOW + 3600)
    reactor.advance(0.5)
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    reactor.advance(0.9)
    client.send(get("/a.txt"))
    dates = [answer["Last-Modified"] for answer in client.answers()]
    _ = server.stop()
    assert dates == ["Mon, 21 Sep 2026 14:13:20 GMT", "Mon, 21 Sep 2026 14:13:21 GMT"]


def test_last_modified_is_not_later_than_a_date_that_was_set_back(
    root: Path, reactor: FakeReactor
) -> None:
    """RFC 9110 section 8.8.2.1."""
    server = make_server(root, reactor)
    client = Client(server).send(get("/a.txt"))
    reactor.rightNow -= 100_000
    client.send(get("/a.txt"))
    answer = client.answers()[1]
    _ = server.stop()
    assert answer["Date"] == "Sun, 20 Sep 2026 10:26:40 GMT"
    assert answer["Last-Modified"] == "Sun, 20 Sep 2026 10:26:40 GMT"


# The access log.


def test_each_is_logged_as_itself(root: Path, ordinary: list[bytes]) -> None:
    log = Log()
    server = make_server(root, access_log=log)
    client = Client(server)
    client.send(get("/a.txt", "Referer: http://a/", "User-Agent: a"))
    client.send(get("/a.txt", "User-Agent: b", "Cookie: x", "Referer: http://b/"))
    client.send(get("/a.txt", "User-Agent: c", "User-Agent: d"))
    client.send(get("/a.txt"))
    client.send(get("/a.txt?q", method="HEAD")).send(get("/a.txt?q", "Cookie: x", method="HEAD"))
    client.send(get("/none")).send(get("/none", "User-Agent: e"))
    client.send(get("/a.txt", "Range: bytes=1-")).send(get("/a.txt", "Range: bytes=1-"))
    client.send(get("/a.txt", "If-None-Match: *")).send(get("/a.txt", "If-None-Match: *"))
    assert len(ordinary) == 5
    assert log.told == [
        (b"GET /a.txt HTTP/1.1", 200, 3, b"http://a/", b"a"),
        (b"GET /a.txt HTTP/1.1", 200, 3, b"http://b/", b"b"),
        (b"GET /a.txt HTTP/1.1", 200, 3, None, b"c, d"),
        (b"GET /a.txt HTTP/1.1", 200, 3, None, None),
        (b"HEAD /a.txt?q HTTP/1.1", 200, 0, None, None),
        (b"HEAD /a.txt?q HTTP/1.1", 200, 0, None, None),
        (b"GET /none HTTP/1.1", 404, 14, None, None),
        (b"GET /none HTTP/1.1", 404, 14, None, b"e"),
        (b"GET /a.txt HTTP/1.1", 206, 2, None, None),
        (b"GET /a.txt HTTP/1.1", 206, 2, None, None),
        (b"GET /a.txt HTTP/1.1", 304, 0, None, None),
        (b"GET /a.txt HTTP/1.1", 304, 0, None, None),
    ]
    _ = server.stop()


# Large files, of which the memo holds spans.


BIG = {
    name: b"".join(f"{name}{n:05} ".encode() for n in range(30_000))
    for name in ("one", "two", "three", "four")
}
"""Of each the octets tell file and place; 200 KB and more."""


class Wired:
    """A client that gets its answers through one of the transports, one at a time."""

    def __init__(self, stage: Stage, kind: str):
        self.client: Client | None = None
        if kind == "in memory":
            self.client = Client(stage.server)
        else:
            self.stage, self.peer = stage, stage.connect(small=kind == "our own, small")

    def ask(self, request: bytes) -> Answer:
        bodiless = [0] if request.startswith(b"HEAD ") else []
        if self.client is not None:
            before = len(self.client.received)
            self.client.send(request)
            (answer,) = read_answers(self.client.received[before:], bodiless)
            return answer
        self.peer.send(request)
        received = self.peer.received
        until(
            lambda: received.endswith(b"\r\n\r\n") if bodiless else complete(received),
            self.stage.reactor.poll,
            self.peer.read,
        )
        (answer,) = read_answers(bytes(received), bodiless)
        received.clear()
        return answer


@pytest.fixture
def big_root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "big", {f"{name}.bin": content for name, content in BIG.items()})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


on_every_transport = pytest.mark.parametrize("kind", ["in memory", "our own", "our own, small"])


def nothing_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every request fail from now on that is not answered from memory."""

    def parse(head: Head) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr("tinyhttp.server.protocol.parse", parse)


@on_every_transport
@pytest.mark.parametrize(
    ("fields", "method", "start", "stop"),
    [
        ([], "GET", 0, len(BIG["one"])),
        ([], "HEAD", 0, 0),
        (["Range: bytes=1000-99999"], "GET", 1000, 100_000),
        (["Range: bytes=-100000"], "GET", len(BIG["one"]) - 100_000, len(BIG["one"])),
        (["Range: bytes=5-9"], "GET", 5, 10),
    ],
    ids=["whole", "HEAD", "a range", "its end", "a small range"],
)
def test_a_large_file_again(
    big_root: Path,
    stack: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    fields: list[str],
    method: str,
    start: int,
    stop: int,
) -> None:
    stage = Stage(big_root, stack)
    request = get("/one.bin", *fields, method=method)
    first = Wired(stage, kind).ask(request)
    nothing_is_parsed(monkeypatch)
    client = Wired(stage, kind)
    for _ in range(2):
        assert client.ask(request) == first
    assert first.body == BIG["one"][start:stop]
    assert first["Content-Length"] == str((stop - start) or len(BIG["one"]))


@pytest.mark.parametrize("kind", ["our own", "our own, small"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_large_file_again_and_the_end(
    big_root: Path, stack: ExitStack, kind: str, version: str
) -> None:
    stage = Stage(big_root, stack)
    request = get("/one.bin", "Connection: close", version=version)
    for _ in range(2):
        client = Wired(stage, kind)
        answer = client.ask(request)
        assert (answer.body, answer["Connection"]) == (BIG["one"], "close")
        until(lambda c=client: c.peer.end, stage.reactor.poll, client.peer.read)  # type: ignore[misc]
        assert client.peer.end == "closed"
    until(lambda: not stage.server.connections, stage.reactor.poll)


def descriptor_of(server: Server, name: bytes) -> int:
    """Return the number under which the site has the file open."""
    found = server.site.recall(SitePath((name,), directory=False))
    assert found is not None
    assert isinstance(found.resource, File)
    content = found.resource.variants[0].content
    assert not isinstance(content, bytes)
    return content.descriptor


@on_every_transport
@pytest.mark.parametrize("fields", [[], ["Range: bytes=7-150000"]])
def test_a_number_that_is_taken_by_another_file(
    big_root: Path, stack: ExitStack, kind: str, fields: list[str]
) -> None:
    """The file was closed to make room for others, and its number may stand for any by now."""
    stage = Stage(big_root, stack, capacity=Capacity(descriptors=1))
    client = Wired(stage, kind)
    request = get("/one.bin", *fields)
    first = client.ask(request)
    number = descriptor_of(stage.server, b"one.bin")
    assert client.ask(get("/two.bin")).body == BIG["two"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    third = os.open(big_root / "three.bin", os.O_RDONLY)
    stack.callback(os.close, third)
    if third != number:
        stack.callback(os.close, os.dup2(third, number))
    for _ in range(2):
        assert client.ask(request) == first
    assert first.body in BIG["one"]


@settings(max_examples=50, deadline=None)
@given(
    descriptors=st.integers(1, 2),
    kind=st.sampled_from(["in memory", "our own"]),
    asked=st.lists(
        st.tuples(st.sampled_from(sorted(BIG)), st.sampled_from([None, (0, 99_999), (7, 70_000)])),
        max_size=12,
    ),
)
def test_never_the_octets_of_another_file(
    tmp_path_factory: pytest.TempPathFactory,
    descriptors: int,
    kind: str,
    asked: list[tuple[str, tuple[int, int] | None]],
) -> None:
    root = tmp_path_factory.getbasetemp() / "never-another"
    write_tree(root, {f"{name}.bin": content for name, content in BIG.items()})
    with ExitStack() as stack:
        stage = Stage(root, stack, capacity=Capacity(descriptors=descriptors))
        client = Wired(stage, kind)
        for name, span in asked:
            fields = [] if span is None else [f"Range: bytes={span[0]}-{span[1]}"]
            start, last = span or (0, len(BIG[name]))
            assert client.ask(get(f"/{name}.bin", *fields)).body == BIG[name][start : last + 1]


def test_a_file_that_was_pushed_out_while_it_is_sent(big_root: Path, stack: ExitStack) -> None:
    """It stays open for whoever is at it, and others get it meanwhile and afterwards."""
    stage = Stage(big_root, stack, capacity=Capacity(descriptors=1))
    slow = Wired(stage, "our own, small")
    assert slow.ask(get("/one.bin")).body == BIG["one"]
    slow.peer.send(get("/one.bin"))
    until(lambda: slow.peer.received, stage.reactor.poll, lambda: slow.peer.read(1000))
    other = Wired(stage, "our own")
    for name in ("two", "one", "three", "one"):
        assert other.ask(get(f"/{name}.bin")).body == BIG[name]
    assert stage.answer(slow.peer).body == BIG["one"]
    for name in ("four", "one"):
        assert other.ask(get(f"/{name}.bin")).body == BIG[name]


def write_in_place(path: Path, content: bytes) -> None:
    write_tree(path.parent, {path.name: content}, OLD + 1)


def put_in_place(path: Path, content: bytes) -> None:
    write_tree(path.parent, {"new": content}, OLD + 1)
    (path.parent / "new").replace(path)


@on_every_transport
@pytest.mark.parametrize("way", [write_in_place, put_in_place])
@pytest.mark.parametrize(
    "content",
    [BIG["two"][: len(BIG["one"])], BIG["three"] * 2, BIG["two"][:70_000], b"small", b""],
    ids=["of about that size", "larger", "smaller", "small", "empty"],
)
def test_a_large_file_that_changes(
    big_root: Path,
    stack: ExitStack,
    kind: str,
    way: Callable[[Path, bytes], None],
    content: bytes,
) -> None:
    """The new one is sent as soon as its second is over, however often the old one was."""
    stage = Stage(big_root, stack)
    client = Wired(stage, kind)
    for _ in range(2):
        old = client.ask(get("/one.bin"))
    head = client.ask(get("/one.bin", method="HEAD"))
    assert head.fields == old.fields
    way(big_root / "one.bin", content)
    stage.reactor.advance(1)
    for _ in range(2):
        new = client.ask(get("/one.bin"))
        assert (new.status, new.body) == (200, content)
        assert new["ETag"] != old["ETag"]
        assert client.ask(get("/one.bin", method="HEAD")).fields == new.fields


@on_every_transport
def test_a_large_file_that_is_removed(big_root: Path, stack: ExitStack, kind: str) -> None:
    stage = Stage(big_root, stack)
    client = Wired(stage, kind)
    client.ask(get("/one.bin"))
    (big_root / "one.bin").unlink()
    assert client.ask(get("/one.bin")).body == BIG["one"], "within its second"
    stage.reactor.advance(1)
    assert client.ask(get("/one.bin")).status == 404


@pytest.mark.parametrize("kind", ["our own", "our own, small"])
def test_a_large_file_that_has_shrunk_within_its_second(
    big_root: Path, stack: ExitStack, kind: str
) -> None:
    """What was announced can't be kept, so the connection ends behind what there is."""
    stage = Stage(big_root, stack)
    client = Wired(stage, kind)
    client.ask(get("/one.bin"))
    os.truncate(big_root / "one.bin", 100_000)
    client.peer.send(get("/one.bin"))
    with capturedLogs() as log:
        until(lambda: client.peer.end, stage.reactor.poll, client.peer.read)
    head, _, body = bytes(client.peer.received).partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(BIG["one"]) in head + b"\r\n"
    assert body == BIG["one"][:100_000]
    assert [event["log_level"].name for event in log] == ["error"]


@on_every_transport
def test_a_large_file_is_logged_with_its_octets(
    big_root: Path, stack: ExitStack, kind: str
) -> None:
    log = AnyonesLog()
    stage = Stage(big_root, stack, access_log=log)
    client = Wired(stage, kind)
    for agent in "ab":
        client.ask(get("/one.bin", f"User-Agent: {agent}"))
        client.ask(get("/one.bin", "Range: bytes=0-99999", f"User-Agent: {agent}"))
        client.ask(get("/one.bin", f"User-Agent: {agent}", method="HEAD"))
    assert log.told == [
        about
        for agent in (b"a", b"b")
        for about in (
            (b"GET /one.bin HTTP/1.1", 200, len(BIG["one"]), None, agent),
            (b"GET /one.bin HTTP/1.1", 206, 100_000, None, agent),
            (b"HEAD /one.bin HTTP/1.1", 200, 0, None, agent),
        )
    ]


def test_a_large_file_that_is_cut_short_is_logged_with_what_was_sent(
    big_root: Path, stack: ExitStack
) -> None:
    log = AnyonesLog()
    stage = Stage(big_root, stack, access_log=log)
    client = Wired(stage, "our own, small")
    client.ask(get("/one.bin"))
    client.peer.send(get("/one.bin"))
    until(lambda: client.peer.received, stage.reactor.poll, lambda: client.peer.read(1000))
    (connection,) = stage.server.connections
    connection.transport.abortConnection()
    sent = connection.transport.octets_sent
    stage.reactor.advance(0)
    _, first, second = (0, *(octets for _, _, octets, _, _ in log.told))
    assert first == len(BIG["one"])
    assert 0 < second < first
    heads = sent - first - second
    assert heads % 2 == 0, "two heads, which are equal"
    assert 400 < heads < 700


@pytest.mark.usefixtures("cold")
def test_a_large_file_on_a_disk_that_waits(big_root: Path) -> None:
    """Without sendfile it is read block by block, from memory or not."""
    server = make_server(big_root)
    Client(server).send(get("/one.bin"))
    server.disk = disk = HeldDisk()
    client = Client(server).send(get("/one.bin") + get("/one.bin", method="HEAD"))
    assert disk.waiting == 1
    assert client.received.endswith(b"\r\n\r\n"), "its head"
    while disk.waiting:
        disk.complete()
    whole, head = client.answers([1])
    assert whole.body == BIG["one"]
    assert head.fields == whole.fields
    _ = server.stop()


def test_a_large_file_for_a_client_that_vanishes(big_root: Path, stack: ExitStack) -> None:
    """Its file is let go of."""
    before = open_descriptors()
    with ExitStack() as inner:
        stage = Stage(big_root, inner, capacity=Capacity(descriptors=1))
        client = Wired(stage, "our own, small")
        client.ask(get("/one.bin"))
        client.peer.send(get("/one.bin"))
        until(lambda: client.peer.received, stage.reactor.poll, lambda: client.peer.read(1000))
        (connection,) = stage.server.connections
        connection.transport.abortConnection()
        stage.reactor.advance(0)
        assert Wired(stage, "our own").ask(get("/two.bin")).body == BIG["two"]
        links = [link for link in open_descriptors() - before if link.endswith(".bin")]
        assert len(links) == 1
        assert links[0].endswith("two.bin")
    assert open_descriptors() == before


# Against a server that remembers nothing.


class Forgetful(Memo):
    """A memo that is always empty."""

    def put(self, lines: tuple[bytes, ...], answer: Remembered) -> None:
        return


class Wall:
    """A clock on the wall, which may be set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


TARGETS = ["/a.txt", "/a.txt", "/a.txt", "/b.txt", "/sub", "/sub/", "/big.bin", "/a.txt?q", "/%00"]
FIELDS = [
    *("Host: x", "Accept-Encoding: gzip", "Range: bytes=0-1", "Range: bytes=0-0,2-3"),
    *("If-None-Match: *", 'If-None-Match: "18d70cef92a40000-1"', "Cookie: 1", "Cookie: 2"),
    *("Referer: r", "User-Agent: a", "User-Agent: b", "Connection: close", "Content-Length: 0"),
    *("Connection: keep-alive", "malformed", "Expect: 100-continue", "Content-Length: 1"),
    "If-Modified-Since: Sun, 20 Sep 2026 14:13:20 GMT",
]
requests = st.builds(
    lambda target, fields, method, version: get(target, *fields, method=method, version=version),
    st.sampled_from(TARGETS),
    st.lists(st.sampled_from(FIELDS), max_size=2),
    st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "OPTIONS"]),
    st.sampled_from(["1.1", "1.1", "1.1", "1.0"]),
)
names = st.sampled_from(["a.txt", "a.txt", "a.txt.gz", "b.txt", "sub/index.html"])
ages = st.sampled_from([86_400, 86_399, 0, 0.003, 1.5, None])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(requests, min_size=1, max_size=4), st.integers(0, 2)),
        st.tuples(st.just("write"), names, ages),
        st.tuples(st.just("remove"), names, st.none()),
        st.tuples(st.just("pass"), st.sampled_from([0, 0.25, 0.5, 0.75, 1, 2.5, 70]), st.none()),
        st.tuples(st.just("set back"), st.sampled_from([0.25, 3, 100_000]), st.none()),
    ),
    max_size=30,
)


class Twin:
    """A server with three clients, who come again when they were sent away."""

    def __init__(self, root: Path, wall: Wall, memo: Memo):
        self.log = Log()
        self.server = Server(
            root,
            reactor=FakeReactor(),
            threads=0,
            clock=wall,
            access_log=self.log,  # type: ignore[arg-type]
        )
        self.server.memo = memo
        self.clients = [Client(self.server) for _ in range(3)]
        self.received: list[bytes] = []

    def ask(self, who: int, request: bytes) -> None:
        client = self.clients[who]
        before = len(client.received)
        client.send(request)
        self.received.append(client.received[before:])
        if client.ended or b"Content-Length: 1\r\n" in request:  # the body never comes
            client.vanish()
            self.clients[who] = Client(self.server)


def change(root: Path, wall: Wall, name: str, age: float | None, serial: int) -> None:
    """Write a file that is so old, or of no age; replaced or in place."""
    content = b"%d %s" % (serial, b"x" * (serial % 3))
    mtime = 0 if age is None else wall.now - age
    if serial % 2:
        write_tree(root, {"new": content}, mtime)
        (root / "new").replace(root / name)
    else:
        write_tree(root, {name: content}, mtime)


@settings(max_examples=500, deadline=None)
@given(steps=steps)
def test_like_a_server_without_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any, Any]]
) -> None:
    root = tmp_path_factory.mktemp("twins")
    write_tree(root, {"a.txt": b"0", "sub/x": b"", "big.bin": bytes(140_000)})
    wall = Wall()
    remembers, forgets = Twin(root, wall, Memo()), Twin(root, wall, Forgetful())
    for serial, (what, one, other) in enumerate(steps):
        if what == "ask":
            for request in one:
                remembers.ask(other, request)
                forgets.ask(other, request)
        elif what == "write":
            change(root, wall, one, other, serial)
        elif what == "remove":
            (root / one).unlink(missing_ok=True)
        elif what == "pass":
            wall.now += one
        else:
            wall.now -= one
    for twin in (remembers, forgets):
        assert twin.server.stop(0).called
    assert remembers.received == forgets.received
    assert remembers.log.told == forgets.log.told


def test_what_an_answer_keeps_is_counted_though_it_is_not_its_body() -> None:
    """An answer to HEAD keeps the content of the file, which the site may have dropped."""
    memo = Memo()
    kept = Representation(60_000, b'"a"', None, b"text/plain", b"", bytes(60_000))
    found = Found(File((kept,)), NOW + 1)
    for number in range(2000):  # 114 MiB
        answer = Remembered(PATH, found, b"", b"", b"", 200, NOW, True, SITE)
        memo.put((b"%d" % number,), answer)
    assert sum(memo.get((b"%d" % number,)) is not None for number in range(2000)) <= 1118
