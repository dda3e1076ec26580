"""The order of things on a connection: requests, responses, waiting and the end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from tests.support import (
    Client,
    FakeReactor,
    HeldDisk,
    get,
    make_server,
    open_descriptors,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.request import Limits
from tinyhttp.core.resource import Resource
from tinyhttp.server.server import Server

BIG = bytes(range(256)) * 2000
"""512,000 octets: four blocks, the last one shorter."""
BLOCK = 131_072
HEADS = 1_000
"""No response head is as long."""

FILES = {"index.html": b"home", "a.txt": b"a", "b.txt": b"bb", "c.txt": b"ccc", "big.bin": BIG}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", FILES)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def server(root: Path, reactor: FakeReactor) -> Server:
    return make_server(root, reactor)


@pytest.fixture
def disk(server: Server) -> HeldDisk:
    """The disk of ``server``, which now waits to be told what to do."""
    disk = HeldDisk()
    server.disk = disk
    return disk


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


def bodies(client: Client) -> list[bytes]:
    return [answer.body for answer in client.answers()]


def test_interfaces(server: Server) -> None:
    connection = Client(server).connection
    assert verifyObject(IHalfCloseableProtocol, connection)
    assert verifyObject(IPushProducer, connection)


# Persistence and order.


def test_a_connection_serves_many_requests(server: Server) -> None:
    client = Client(server)
    for name in ("a", "b", "c", "a"):
        client.send(get(f"/{name}.txt"))
    assert bodies(client) == [b"a", b"bb", b"ccc", b"a"]
    assert not client.ended


def test_a_thousand_requests_in_one_write(server: Server) -> None:
    names = ["abc"[i % 3] for i in range(1_000)]
    client = Client(server).send(b"".join(get(f"/{name}.txt") for name in names))
    expected = {"a": b"a", "b": b"bb", "c": b"ccc"}
    assert bodies(client) == [expected[name] for name in names]


def test_a_thousand_requests_of_which_one_ends_it(server: Server) -> None:
    """Nothing behind ``close`` is answered (RFC 9112 section 9.6)."""
    requests = [get("/a.txt")] * 1_000
    requests[500] = get("/a.txt", "Connection: close")
    client = Client(server).send(b"".join(requests))
    assert len(client.answers()) == 501
    assert client.answers()[500]["Connection"] == "close"
    assert client.ended


def test_nothing_is_answered_behind_an_error(server: Server) -> None:
    client = Client(server).send(get("/a.txt") + b"nonsense\r\n\r\n" + get("/b.txt"))
    assert [answer.status for answer in client.answers()] == [200, 400]
    assert client.answers()[1]["Connection"] == "close"


def test_responses_come_in_order_however_slow_the_disk(server: Server, disk: HeldDisk) -> None:
    client = Client(server)
    client.send(get("/a.txt") + get("/b.txt") + get("/none") + get("/c.txt", method="OPTIONS"))
    assert disk.waiting == 1, "one request at a time is under way"
    assert client.received == b""
    disk.complete()
    assert bodies(client) == [b"a"]
    disk.complete()
    assert bodies(client) == [b"a", b"bb"]
    disk.complete()  # there is none
    disk.complete()  # nor a page that says so
    assert [answer.status for answer in client.answers()] == [200, 200, 404, 204]


def test_an_error_waits_for_its_turn(server: Server, disk: HeldDisk) -> None:
    client = Client(server).send(get("/a.txt") + b"nonsense\r\n\r\n")
    assert client.received == b""
    disk.complete()
    assert [answer.status for answer in client.answers()] == [200, 400]


def test_a_transfer_goes_before_the_next_response(server: Server) -> None:
    client = Client(server, room=0).send(get("/big.bin") + get("/a.txt"))
    for _ in range(10):
        client.transport.client_reads(60_000)
    assert [answer.body for answer in client.answers()] == [BIG, b"a"]


def test_two_clients_share_a_look_up(server: Server, disk: HeldDisk) -> None:
    first, second = Client(server), Client(server)
    first.send(get("/a.txt"))
    second.send(get("/a.txt"))
    assert disk.waiting == 1
    disk.complete()
    assert bodies(first) == bodies(second) == [b"a"]


def test_clients_that_share_a_look_up_of_a_big_file(
    root: Path, disk: HeldDisk, server: Server
) -> None:
    clients = [Client(server).send(get("/big.bin")) for _ in range(3)]
    clients[1].vanish()
    while disk.waiting:
        disk.complete()
    assert bodies(clients[0]) == bodies(clients[2]) == [BIG]
    assert clients[1].received == b""


def test_a_connection_waits_for_nobody_else(server: Server, disk: HeldDisk) -> None:
    slow, quick = Client(server).send(get("/a.txt")), Client(server)
    quick.send(get("/", method="OPTIONS"))
    assert [answer.status for answer in quick.answers()] == [204]
    assert slow.received == b""


# Bounds.


def test_reading_stops_while_too_much_waits(server: Server, disk: HeldDisk) -> None:
    client = Client(server).send(get("/a.txt"))
    sent = 0
    while client.transport.reading and sent < 1_000_000:
        client.send(get("/b.txt"))
        sent += len(get("/b.txt"))
    assert 64 * 1024 < sent < 65 * 1024, "a client that sends for ever is held back"
    disk.complete()
    disk.complete()
    assert client.transport.reading, "and read on from once there is room"
    count = sent // len(get("/b.txt"))
    assert bodies(client) == [b"a"] + [b"bb"] * count


def test_reading_stops_while_the_client_reads_nothing(server: Server) -> None:
    client = Client(server, room=0).send(get("/a.txt"))
    sent = 0
    while client.transport.reading and sent < 1_000_000:
        client.send(get("/b.txt"))
        sent += len(get("/b.txt"))
    assert 64 * 1024 < sent < 65 * 1024
    assert len(client.transport.unread) < HEADS, "no response is made that nobody reads"
    client.transport.client_reads()
    assert client.transport.reading
    assert len(client.answers()) == 1 + sent // len(get("/b.txt"))


def test_a_client_that_reads_nothing_costs_one_block(server: Server) -> None:
    client = Client(server, room=0).send(get("/big.bin"))
    assert len(client.transport.unread) <= BLOCK + HEADS
    for _ in range(len(BIG) // 1_000 + 2):
        client.transport.client_reads(1_000)
        assert len(client.transport.unread) <= BLOCK + HEADS
    assert bodies(client) == [BIG]


def test_a_limit_of_the_head_beyond_the_buffer(root: Path) -> None:
    server = make_server(root, limits=Limits(head=256 * 1024))
    client = Client(server)
    for line in [b"GET /a.txt HTTP/1.1\r\n", *[b"x: " + b"y" * 2_000 + b"\r\n"] * 60]:
        client.send(line)
        assert client.transport.reading
    client.send(b"Host: x\r\n\r\n")
    assert bodies(client) == [b"a"]


# Bodies.


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("Content-Length: 50000", b"GET / HTTP/1.1\r\n\r\n".ljust(50_000)),
        ("Transfer-Encoding: chunked", b"5\r\nGET /\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
def test_a_body_with_get_is_dropped(server: Server, field: str, body: bytes) -> None:
    client = Client(server).send(get("/a.txt", field))
    assert client.received == b"", "the response waits for the end of the body"
    client.send(body + get("/b.txt"), piece=1000)
    assert bodies(client) == [b"a", b"bb"]


def test_a_body_beyond_the_limit_is_answered_at_once(server: Server) -> None:
    client = Client(server).send(get("/a.txt", "Content-Length: 65537"))
    assert [answer["Connection"] for answer in client.answers()] == ["close"]
    assert client.ended
    client.send(b"x" * 65_537 + get("/b.txt"))
    assert bodies(client) == [b"a"], "nothing behind it is taken for a request"


def test_a_limit_of_the_body_is_an_option(root: Path) -> None:
    server = make_server(root, limits=Limits(body=10))
    assert not Client(server).send(get("/", "Content-Length: 10") + b"x" * 10).ended
    assert Client(server).send(get("/", "Content-Length: 11") + b"x" * 11).ended


CHUNK = b"400\r\n" + b"x" * 1024 + b"\r\n"


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(
            None,
        ),
        1000,
        1,
    ],
)
def test_a_chunked_body_beyond_the_limit(server: Server, piece: int | None) -> None:
    body = CHUNK * 70 + b"0\r\n\r\n"
    client = Client(server).send(get("/a.txt", "Transfer-Encoding: chunked") + body, piece)
    assert bodies(client) == [b"a"]
    assert client.answers()[0]["Connection"] == "close"
    assert client.ended


def test_trailers_count_towards_the_limit(server: Server) -> None:
    client = Client(server).send(get("/a.txt", "Transfer-Encoding: chunked") + b"0\r\n")
    for _ in range(700):
        client.send(b"x: " + b"y" * 95 + b"\r\n")
    assert client.ended
    assert bodies(client) == [b"a"]


@pytest.mark.parametrize("version", ["1.1"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_expect_gets_the_final_status_at_once(server: Server, method: str, version: str) -> None:
    """RFC 9110 section 10.1.1: no upload is asked for that nobody wants."""
    fields = ("Content-Length: 1000000", "Expect: 100-continue")
    client = Client(server).send(get("/a.txt", *fields, method=method))
    assert [a.status for a in client.answers()] == [200 if method == "GET" else 405]
    assert client.answers()[0]["Connection"] == "close"
    assert client.ended


# Half a close.


def test_half_close_behind_the_request(server: Server) -> None:
    client = Client(server).send(get("/a.txt"))
    client.shut_down()
    assert bodies(client) == [b"a"]
    assert client.transport.closed
    assert not client.transport.aborted


def test_half_close_while_looking_up(server: Server, disk: HeldDisk) -> None:
    client = Client(server).send(get("/a.txt") + get("/b.txt"))
    client.shut_down()
    assert not client.ended
    disk.complete()
    disk.complete()
    assert bodies(client) == [b"a", b"bb"]
    assert client.transport.closed


def test_half_close_in_a_transfer(server: Server) -> None:
    client = Client(server, room=0).send(get("/big.bin") + get("/a.txt"))
    client.shut_down()
    assert not client.ended
    client.transport.client_reads()
    assert bodies(client) == [BIG, b"a"]
    assert client.transport.closed
    assert not client.transport.aborted


def test_half_close_while_a_small_response_is_stuck(server: Server) -> None:
    client = Client(server, room=0).send(get("/a.txt") + get("/b.txt"))
    client.shut_down()
    client.transport.client_reads()
    assert bodies(client) == [b"a", b"bb"]
    assert client.transport.closed


@pytest.mark.parametrize("data", [b"", b"\r\n", b"GET / HT", get("/", "Content-Length: 9") + b"x"])
def test_half_close_before_the_end_of_a_request(server: Server, data: bytes) -> None:
    client = Client(server).send(data)
    client.shut_down()
    assert client.transport.closed
    assert client.received == b""


def test_half_close_behind_a_lone_cr(server: Server) -> None:
    client = Client(server).send(b"\r")
    client.shut_down()
    assert client.transport.closed


# Clients that vanish.


def idle(server: Server) -> Client:
    return Client(server)


def idle_again(server: Server) -> Client:
    return Client(server).send(get("/a.txt"))


def half_a_head(server: Server) -> Client:
    return Client(server).send(b"GET / HTTP/1.1\r\nHost:")


def half_a_body(server: Server) -> Client:
    return Client(server).send(get("/", "Content-Length: 9") + b"1234")


def waiting_for_a_look_up(server: Server) -> Client:
    server.disk = HeldDisk()
    return Client(server).send(get("/big.bin") + get("/a.txt"))


def in_a_transfer(server: Server) -> Client:
    return Client(server, room=1000).send(get("/big.bin"))


def reading_a_block(server: Server) -> Client:
    Client(server).send(get("/big.bin")).vanish()
    server.disk = HeldDisk()
    return Client(server).send(get("/big.bin"))


def stuck(server: Server) -> Client:
    return Client(server, room=10).send(get("/a.txt"))


def closing(server: Server) -> Client:
    return Client(server, room=10).send(get("/a.txt", "Connection: close"))


def closing_on_one_side(server: Server) -> Client:
    return Client(server, room=10).send(b"nonsense\r\n\r\n")


def lingering(server: Server) -> Client:
    return Client(server).send(b"nonsense\r\n\r\n")


STAGES = [
    idle,
    idle_again,
    half_a_head,
    half_a_body,
    waiting_for_a_look_up,
    in_a_transfer,
    reading_a_block,
    stuck,
    closing,
    closing_on_one_side,
    lingering,
]


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_vanishes_leaves_nothing(
    root: Path, reactor: FakeReactor, stage: Callable[[Server], Client]
) -> None:
    before = open_descriptors()
    server = make_server(root, reactor)
    client = stage(server)
    assert not client.transport.closed, "the stage is reached"
    assert server.connections == {client.connection}
    client.vanish()
    assert server.connections == set()
    assert reactor.getDelayedCalls() == []
    while isinstance(server.disk, HeldDisk) and server.disk.waiting:
        server.disk.complete()
    assert reactor.getDelayedCalls() == []
    assert server.stop().called
    assert open_descriptors() == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_vanishes_is_noticed_by_nobody(
    server: Server, events: list[LogEvent], stage: Callable[[Server], Client]
) -> None:
    other = Client(server)
    stage(server).vanish()
    other.send(get("/b.txt"))
    while isinstance(server.disk, HeldDisk) and server.disk.waiting:
        server.disk.complete()
    assert bodies(other) == [b"bb"]
    assert events == []


def test_a_look_up_that_ends_after_the_server(root: Path) -> None:
    before = open_descriptors()
    server = make_server(root)
    server.disk = disk = HeldDisk()
    client = Client(server).send(get("/big.bin"))
    disk.work()  # in a thread, while this one sees:
    client.vanish()
    assert server.stop().called
    disk.deliver()
    assert open_descriptors() == before


# Errors of our own.


def broken(*args: Any) -> Any:
    raise RuntimeError("the detail")


@pytest.mark.parametrize("held", [False, True], ids=["at once", "behind a look-up"])
def test_an_unforeseen_exception(
    server: Server, events: list[LogEvent], monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    disk = HeldDisk()
    server.disk = disk
    Client(server).send(get("/a.txt"))
    if not held:
        disk.complete()  # known from now on
    other, victim = Client(server), Client(server).send(b"")
    with monkeypatch.context() as patch:
        patch.setattr("tinyhttp.server.exchange.answer", broken)
        patch.setattr("tinyhttp.core.policy.answer", broken)
        victim.send(get("/a.txt", "Host: victim") + get("/b.txt"))  # an answer not given before
        if held:
            disk.complete()
    (answer,) = victim.answers()
    assert answer.status == 500
    assert answer["Connection"] == "close"
    assert answer.body == b"500 Internal Server Error\n"
    assert victim.ended
    logged = [event for event in events if "log_failure" in event]
    assert logged
    assert "the detail" in logged[0]["log_failure"].getTraceback()
    assert "in broken" in logged[0]["log_failure"].getTraceback()
    other.send(get("/a.txt"))
    assert bodies(other) == [b"a"]


def test_an_unforeseen_exception_with_head(
    server: Server, monkeypatch: pytest.MonkeyPatch, events: list[LogEvent]
) -> None:
    monkeypatch.setattr("tinyhttp.core.policy.answer", broken)
    client = Client(server).send(get("/a.txt", method="HEAD"))
    (answer,) = client.answers(bodiless=[0])
    assert answer.status == 500
    assert client.ended
    assert len(events) == 1


def test_an_exception_while_parsing(
    server: Server, monkeypatch: pytest.MonkeyPatch, events: list[LogEvent]
) -> None:
    monkeypatch.setattr("tinyhttp.server.protocol.parse", broken)
    client = Client(server).send(get("/a.txt"))
    assert [answer.status for answer in client.answers()] == [500]
    assert client.ended
    assert len(events) == 1


def test_an_exception_behind_the_response(
    root: Path, monkeypatch: pytest.MonkeyPatch, events: list[LogEvent]
) -> None:
    """A second response would be taken for part of the first one."""
    log = SimpleNamespace(wants=frozenset())  # which can't be written to
    server = make_server(root, access_log=log)
    client = Client(server).send(get("/a.txt") + get("/b.txt"))
    assert bodies(client) == [b"a"]
    assert client.transport.closed
    assert len(events) == 1


def test_a_broken_disk(
    server: Server, events: list[LogEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(path: object) -> Resource:
        raise OSError(5, "Input/output error", "/secret/name")

    monkeypatch.setattr(server.site.files, "find", find)
    client = Client(server).send(get("/a.txt") + get("/b.txt"))
    assert [(a.status, a.body) for a in client.answers()] == [(500, b"500 Internal Server Error\n")]
    assert client.ended
    assert "Input/output error" in events[0]["log_failure"].getTraceback()


def test_a_system_without_descriptors(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shortage passes: the connection goes on, and the client may come again."""

    def dup(descriptor: int) -> int:
        raise OSError(24, "Too many open files")

    client = Client(server)
    with monkeypatch.context() as patch:
        patch.setattr("os.dup", dup)
        client.send(get("/a.txt"))
    client.send(get("/a.txt"))
    shortage, after = client.answers()
    assert shortage.status == 503
    assert shortage["Retry-After"] == "1"
    assert after.body == b"a"


# The end of a connection.


def test_closing_in_order(server: Server) -> None:
    """Nothing unread is left: a plain close loses nothing."""
    client = Client(server).send(get("/a.txt", "Connection: close"))
    assert client.transport.closed
    assert not client.transport.aborted


@pytest.mark.parametrize(
    "request_",
    [
        get("/a.txt", "Connection: close") + b"more",
        b"nonsense\r\n\r\n",
        get("/a.txt", "Content-Length: 100000"),
        get("/a.txt", "Content-Length: 5", "Expect: 100-continue"),
    ],
    ids=["more data", "error", "long body", "expectation"],
)
class TestLingering:
    """The client may still be sending: closing outright would take the response from it."""

    def test_our_side_is_shut_down_and_theirs_read(self, server: Server, request_: bytes) -> None:
        client = Client(server).send(request_)
        assert client.transport.half_closed
        assert not client.transport.closed
        assert client.transport.reading
        client.send(b"x" * 100_000)
        assert len(client.answers()) == 1

    def test_ends_with_the_client(
        self, server: Server, reactor: FakeReactor, request_: bytes
    ) -> None:
        client = Client(server).send(request_)
        client.shut_down()
        assert client.transport.closed
        assert not client.transport.aborted
        assert reactor.getDelayedCalls() == []

    def test_is_bounded_in_time(
        self, server: Server, reactor: FakeReactor, request_: bytes
    ) -> None:
        client = Client(server).send(request_)
        for _ in range(4):
            pass_time(reactor, 1)
            client.send(b"x")
        assert not client.transport.closed
        pass_time(reactor, 2)
        assert client.transport.closed
        assert not client.transport.aborted
        assert reactor.getDelayedCalls() == []

    def test_is_bounded_in_octets(self, server: Server, request_: bytes) -> None:
        client = Client(server).send(request_)
        sent = 0
        while not client.transport.closed and sent < 10_000_000:
            client.send(b"x" * 65_536)
            sent += 65_536
        assert 1_000_000 < sent < 1_200_000

    def test_the_client_may_be_done_already(self, server: Server, request_: bytes) -> None:
        client = Client(server, room=0).send(request_)
        client.shut_down()
        client.transport.client_reads()
        assert client.transport.closed
        assert len(client.answers()) == 1


def test_lingering_begins_when_the_response_is_read(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=0).send(b"nonsense\r\n\r\n")
    pass_time(reactor, 20)
    assert not client.ended
    client.transport.client_reads()
    assert client.transport.half_closed
    pass_time(reactor, 4)
    assert not client.transport.closed


def test_lingering_behind_a_full_transport(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=0).send(b"nonsense\r\n\r\n")
    client.transport.client_reads()
    pass_time(reactor, 6)
    assert client.transport.closed
    assert not client.transport.aborted


def test_a_client_held_back_is_read_from_again_to_linger(server: Server, disk: HeldDisk) -> None:
    """Its data would meet a closed port otherwise."""
    client = Client(server).send(get("/a.txt", "Connection: close"))
    while client.transport.reading:
        client.send(b"x" * 10_000)
    disk.complete()
    assert client.transport.half_closed
    assert client.transport.reading


def test_a_transport_that_can_not_half_close(server: Server) -> None:
    """As with TLS: it is closed when everything is sent."""
    from twisted.internet.interfaces import IHalfCloseableDescriptor
    from zope.interface import noLongerProvides

    client = Client(server)
    noLongerProvides(client.transport, IHalfCloseableDescriptor)
    client.send(b"nonsense\r\n\r\n")
    assert client.transport.closed
    assert [answer.status for answer in client.answers()] == [400]


# Draining.


def test_draining_closes_who_is_idle(server: Server, reactor: FakeReactor) -> None:
    new, used = Client(server), Client(server).send(get("/a.txt"))
    stopped = server.stop()
    assert used.transport.closed
    assert not new.transport.closed  # what it wants may have been sent before it could know
    pass_time(reactor, 2)
    assert new.transport.closed
    assert stopped.called
    assert reactor.getDelayedCalls() == []


def test_who_was_accepted_last_is_answered_once(server: Server, reactor: FakeReactor) -> None:
    client = Client(server)
    stopped = server.stop()
    client.send(get("/a.txt"))
    (answer,) = client.answers()
    assert (answer.body, answer["Connection"]) == (b"a", "close")
    assert client.transport.closed
    assert stopped.called
    assert reactor.getDelayedCalls() == []


def test_without_grace_nobody_is_waited_for(server: Server) -> None:
    client = Client(server)
    assert server.stop(0).called
    assert client.transport.closed


def test_patience_with_who_is_idle(server: Server, reactor: FakeReactor) -> None:
    """As another process takes over: a request on its way is answered, and is the last one."""
    slow, quick = (Client(server).send(get("/a.txt")) for _ in range(2))
    stopped = server.stop(patience=5)
    quick.send(get("/b.txt"))
    assert [answer.get("Connection") for answer in quick.answers()] == [None, "close"]
    assert quick.transport.closed
    pass_time(reactor, 4)
    assert not slow.transport.closed
    pass_time(reactor, 2)
    assert slow.transport.closed
    assert stopped.called


def test_the_end_is_announced(server: Server) -> None:
    client = Client(server).send(get("/a.txt"))
    server.announce_end()
    client.send(get("/a.txt"))
    assert [answer.get("Connection") for answer in client.answers()] == [None, "close"]
    assert client.transport.closed


def test_draining_finishes_what_is_under_way(server: Server, disk: HeldDisk) -> None:
    client = Client(server).send(get("/a.txt") + get("/b.txt"))
    stopped = server.stop()
    assert not stopped.called
    disk.complete()
    (answer,) = client.answers()
    assert answer.body == b"a"
    assert answer["Connection"] == "close"
    client.shut_down()
    assert client.transport.closed
    assert stopped.called


def test_draining_finishes_a_transfer(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=1000).send(get("/big.bin"))
    stopped = server.stop()
    pass_time(reactor, 20)
    assert not stopped.called
    client.transport.client_reads()
    assert bodies(client) == [BIG]
    assert client.transport.closed
    assert stopped.called
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("data", [b"GET /a.txt HT", get("/a.txt", "Content-Length: 4") + b"12"])
def test_draining_answers_a_request_that_has_begun(server: Server, data: bytes) -> None:
    client = Client(server).send(data)
    stopped = server.stop()
    assert not client.ended
    rest = b"TP/1.1\r\nHost: x\r\n\r\n" if data.endswith(b"HT") else b"34"
    client.send(rest)
    assert client.answers()[0]["Connection"] == "close"
    assert client.transport.closed
    assert stopped.called


def test_draining_cuts_off_what_is_left(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=1000).send(get("/big.bin"))
    stopped = server.stop(grace=10)
    pass_time(reactor, 9.75)
    assert not client.transport.closed
    pass_time(reactor, 0.25)
    assert client.transport.aborted
    assert stopped.called
    assert reactor.getDelayedCalls() == []


def test_draining_closes_once_a_small_response_is_read(server: Server) -> None:
    client = Client(server, room=10).send(get("/a.txt"))
    stopped = server.stop()
    assert not stopped.called
    client.transport.client_reads()
    assert bodies(client) == [b"a"]
    assert client.transport.closed
    assert stopped.called


def test_a_connection_that_comes_while_draining(server: Server) -> None:
    Client(server, room=0).send(get("/big.bin"))
    _ = server.stop()
    late = Client(server).send(get("/a.txt"))
    assert late.answers()[0]["Connection"] == "close"
    assert late.transport.closed


def test_the_log_reads_well(events: list[LogEvent], server: Server, root: Path) -> None:
    """What is told when a file shrinks under a response."""
    client = Client(server, room=1000).send(get("/big.bin"))
    (root / "big.bin").write_bytes(b"short")
    client.transport.client_reads()
    assert [formatEvent(event) for event in events] == ["a response was cut short: Shrunk()"]
    assert client.transport.closed


def test_requests_are_told_apart_by_octets_not_by_writes(server: Server) -> None:
    """Two requests in three writes that end anywhere."""
    data = get("/a.txt") + get("/b.txt", method="HEAD") + get("/c.txt")
    for cut in range(len(data)):
        client = Client(server).send(data[:cut]).send(data[cut:])
        answers = read_answers(client.received, bodiless=[1])
        assert [answer["Content-Length"] for answer in answers] == ["1", "2", "3"]
