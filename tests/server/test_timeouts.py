"""How long is waited: for a head, for the next request, for a client that does not read."""

from pathlib import Path

import pytest

from tests.support import Client, FakeReactor, HeldDisk, get, make_server, pass_time, write_tree
from tinyhttp.server.server import Server, Timeouts

BIG = bytes(1_000_000)


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": b"a", "big.bin": BIG})


@pytest.fixture
def server(root: Path, reactor: FakeReactor) -> Server:
    return make_server(root, reactor)


def test_defaults() -> None:
    """Balancers close after 60 to 90 s; whoever sends requests has to be the first to close."""
    assert Timeouts() == Timeouts(head=30, idle=95, stall=60, linger=5)


# The head.


def test_a_new_connection_that_says_nothing(server: Server, reactor: FakeReactor) -> None:
    client = Client(server)
    pass_time(reactor, 29)
    assert not client.transport.closed
    pass_time(reactor, 2)
    assert client.transport.closed
    assert client.received == b"", "there is no request to answer"


def test_a_head_that_trickles(server: Server, reactor: FakeReactor) -> None:
    """The deadline is one for the whole head; no octet moves it (as slowloris would like)."""
    client = Client(server).send(get("/a.txt"))
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for _ in range(29):
        pass_time(reactor, 1)
        client.send(b"x")
    assert not client.ended
    for _ in range(2):
        pass_time(reactor, 1)
        client.send(b"x")
    answers = client.answers()
    assert [answer.status for answer in answers] == [200, 408]
    assert answers[1]["Connection"] == "close"
    assert client.ended
    pass_time(reactor, 6)
    assert client.transport.closed


def test_a_first_head_that_trickles(server: Server, reactor: FakeReactor) -> None:
    client = Client(server)
    for octet in b"GET / HTTP/1.1\r\nHost: " + b"x" * 9:
        client.send(bytes([octet]))
        pass_time(reactor, 1)
    assert [answer.status for answer in client.answers()] == [408]
    assert client.ended


def test_the_deadline_of_a_new_connection_runs_from_the_start(
    server: Server, reactor: FakeReactor
) -> None:
    client = Client(server)
    pass_time(reactor, 25)
    client.send(b"GET / HT")
    pass_time(reactor, 6)
    assert client.ended


def test_a_head_in_time_ends_the_wait(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(b"GET /a.txt HT")
    pass_time(reactor, 29)
    client.send(b"TP/1.1\r\nHost: x\r\n\r\n")
    pass_time(reactor, 29)
    client.send(get("/a.txt"))
    assert [answer.status for answer in client.answers()] == [200, 200]
    assert not client.ended


def test_a_lone_cr_is_not_waited_for_for_ever(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(get("/a.txt") + b"\r")
    pass_time(reactor, 97)
    assert client.ended


def test_half_a_head_behind_a_response(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(get("/a.txt") + b"GET / HT")
    pass_time(reactor, 31)
    assert [answer.status for answer in client.answers()] == [200, 408]


def test_408_has_no_body_for_head(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(b"HEAD / HTTP/1.1\r\nHost")
    pass_time(reactor, 31)
    assert client.answers(bodiless=[0])[0].status == 408


def test_a_body_that_trickles(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(get("/a.txt", "Content-Length: 1000"))
    for _ in range(31):
        pass_time(reactor, 1)
        client.send(b"x")
    assert [answer.status for answer in client.answers()] == [408]
    assert client.ended


def test_a_body_gets_as_much_time_as_a_head(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(b"GET /a.txt HTTP/1.1\r\n")
    pass_time(reactor, 25)
    client.send(b"Host: x\r\nContent-Length: 2\r\n\r\nx")
    pass_time(reactor, 25)
    client.send(b"x")
    assert [answer.status for answer in client.answers()] == [200]


# Between requests.


def test_idle(server: Server, reactor: FakeReactor) -> None:
    client = Client(server).send(get("/a.txt"))
    pass_time(reactor, 94.5)
    assert not client.ended
    pass_time(reactor, 2)
    assert client.transport.closed
    assert len(client.answers()) == 1, "no response that nobody asked for"
    assert reactor.getDelayedCalls() == []


def test_each_request_begins_a_new_wait(server: Server, reactor: FakeReactor) -> None:
    client = Client(server)
    for _ in range(5):
        client.send(get("/a.txt"))
        pass_time(reactor, 90)
    assert len(client.answers()) == 5
    assert not client.ended


def test_timeouts_are_options(root: Path, reactor: FakeReactor) -> None:
    server = make_server(root, reactor, timeouts=Timeouts(head=2, idle=4))
    new, used = Client(server), Client(server).send(get("/a.txt"))
    pass_time(reactor, 3)
    assert new.transport.closed
    assert not used.transport.closed
    pass_time(reactor, 2)
    assert used.transport.closed


# A client that does not read.


@pytest.mark.parametrize("room", [0, 100, 131_072])
def test_a_client_that_reads_nothing_is_cut_off(
    server: Server, reactor: FakeReactor, room: int
) -> None:
    client = Client(server, room).send(get("/big.bin"))
    pass_time(reactor, 59.5)
    assert not client.transport.closed
    pass_time(reactor, 2)
    assert client.transport.aborted
    assert server.connections == set()
    assert reactor.getDelayedCalls() == []


def test_a_client_that_reads_nothing_of_a_small_response(
    server: Server, reactor: FakeReactor
) -> None:
    client = Client(server, room=3).send(get("/a.txt"))
    pass_time(reactor, 61)
    assert client.transport.aborted


def test_a_client_that_reads_nothing_of_the_last_response(
    server: Server, reactor: FakeReactor
) -> None:
    """A plain close would wait for ever until everything is sent."""
    client = Client(server, room=3).send(get("/a.txt", "Connection: close"))
    pass_time(reactor, 59.5)
    assert not client.transport.closed
    pass_time(reactor, 2)
    assert client.transport.aborted
    assert reactor.getDelayedCalls() == []


def test_a_client_that_sends_but_reads_nothing(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=0).send(b"nonsense\r\n\r\n")
    for _ in range(61):
        pass_time(reactor, 1)
        client.send(b"x")
    assert client.transport.aborted


def test_a_client_that_reads_slowly_is_not_cut_off(server: Server, reactor: FakeReactor) -> None:
    """A block each 59 s, for eight minutes: the wait is for progress, not for the end."""
    client = Client(server, room=0).send(get("/big.bin"))
    for _ in range(8):
        pass_time(reactor, 58)
        client.transport.client_reads(len(client.transport.unread))
    client.transport.client_reads()
    assert client.answers()[0].body == BIG
    assert not client.transport.closed


def test_idle_begins_when_the_response_is_read(server: Server, reactor: FakeReactor) -> None:
    client = Client(server, room=0).send(get("/a.txt"))
    pass_time(reactor, 50)
    client.transport.client_reads()
    pass_time(reactor, 94)
    assert not client.ended
    pass_time(reactor, 2)
    assert client.transport.closed


def test_a_slow_disk_is_not_the_clients_fault(server: Server, reactor: FakeReactor) -> None:
    server.disk = disk = HeldDisk()
    client = Client(server).send(get("/big.bin"))
    pass_time(reactor, 200)
    disk.complete()
    while disk.waiting:
        pass_time(reactor, 100)
        disk.complete()
    assert client.answers()[0].body == BIG


def test_a_transfer_goes_on_behind_a_cut_off_one(server: Server, reactor: FakeReactor) -> None:
    """The two read from one descriptor."""
    stalled, slow = Client(server, room=0), Client(server, room=0)
    stalled.send(get("/big.bin"))
    slow.send(get("/big.bin"))
    pass_time(reactor, 30)
    slow.transport.client_reads(len(slow.transport.unread))
    pass_time(reactor, 32)
    assert stalled.transport.aborted
    slow.transport.client_reads()
    assert slow.answers()[0].body == BIG
