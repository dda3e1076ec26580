"""Limits of each client and of each connection, as a client meets them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from tests.support import (
    Answer,
    Client,
    FakeReactor,
    FakeTransport,
    get,
    make_server,
    open_descriptors,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.networks import Networks
from tinyhttp.server.allowance import TOLD, TOLD_WITHIN
from tinyhttp.server.proxy_gate import GateKeeper
from tinyhttp.server.quotas import (
    CONNECTIONS,
    RATE,
    SLOW_REQUEST,
    SLOW_RESPONSE,
    Quotas,
)
from tinyhttp.server.server import Server, Timeouts

FILES = {"a.txt": b"a", "b.txt": b"b", "big.bin": bytes(200_000)}


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", FILES)


def limited(root: Path, reactor: FakeReactor, **quotas: Any) -> Server:
    return make_server(root, reactor, quotas=Quotas(**quotas))


def address(host: str) -> Any:
    if not host:
        return UNIXAddress(None)
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, 4711)


def come(server: Server, host: str = "192.0.2.1") -> Client:
    return Client(server, peer=address(host))


def statuses(client: Client) -> list[int]:
    return [answer.status for answer in client.answers()]


# Connections of one client.


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff::2", True),
        ("2001:db8:0:7::1", "2001:db8:0:8::1", False),
        ("", "", False),
    ],
)
def test_who_is_the_same_client(
    root: Path, reactor: FakeReactor, first: str, second: str, same: bool
) -> None:
    server = limited(root, reactor, client_connections=1)
    one = come(server, first)
    two = come(server, second).send(get("/a.txt"))
    assert statuses(two) == [429 if same else 200]
    assert two.ended is same
    assert statuses(one.send(get("/a.txt"))) == [200]
    assert server.refusals.counts[CONNECTIONS] == same


def through_the_gate(server: Server, source: str, version: str) -> FakeTransport:
    keeper = GateKeeper(server, Networks(["192.0.2.1"]), server.deadlines)
    transport = FakeTransport()
    gate: Any = keeper.buildProtocol(IPv4Address("TCP", "192.0.2.1", 54321))
    behind: Any = transport
    behind.protocol = gate
    gate.makeConnection(transport)
    header = f"PROXY {version} {source} {source} 4711 80\r\n".encode()
    gate.dataReceived(header + get("/a.txt"))
    return transport


@pytest.mark.parametrize(
    ("version", "first", "second", "same"),
    [
        ("TCP4", "198.51.100.7", "198.51.100.7", True),
        ("TCP4", "198.51.100.7", "198.51.100.8", False),
        ("TCP6", "2001:db8::1", "2001:db8::2", True),
        ("TCP6", "2001:db8::1", "2001:db8:1::2", False),
    ],
)
def test_behind_a_balancer_it_is_whom_it_brings(
    root: Path, reactor: FakeReactor, version: str, first: str, second: str, same: bool
) -> None:
    server = limited(root, reactor, client_connections=1)
    answers = [
        read_answers(through_the_gate(server, source, version).value())
        for source in (first, second)
    ]
    assert [answer.status for (answer,) in answers] == [200, 429 if same else 200]


def test_what_the_one_too_many_is_told(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_connections=1)
    come(server)
    client = come(server).send(get("/a.txt") * 3)
    (answer,) = client.answers()
    assert answer.status == 429
    assert answer["Retry-After"] == "1"
    assert answer["Connection"] == "close"
    assert b"connections from your address" in answer.body
    assert client.ended


def test_it_is_told_when_it_asks_and_not_before(root: Path, reactor: FakeReactor) -> None:
    """RFC 9112 section 9.2: what comes before a request is no response."""
    server = limited(root, reactor, client_connections=1)
    come(server)
    silent, slow = come(server), come(server).send(b"GET / HTTP/1.1\r\n")
    assert silent.received == slow.received == b""
    pass_time(reactor, TOLD_WITHIN + 1)
    assert silent.ended
    assert silent.received == b""
    slow.send(b"Host: x\r\n\r\n")
    assert slow.ended


def test_few_are_told_at_a_time(root: Path, reactor: FakeReactor) -> None:
    """The others are hung up on, so that nobody keeps more than these."""
    server = limited(root, reactor, client_connections=2)
    clients = [come(server) for _ in range(50)]
    assert [client.ended for client in clients] == [False] * (2 + TOLD) + [True] * (48 - TOLD)
    assert all(client.received == b"" for client in clients)
    assert len(server.connections) == 2 + TOLD
    assert server.refusals.counts[CONNECTIONS] == 48
    assert not come(server, "192.0.2.2").ended


def test_what_ends_makes_room(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_connections=1)
    for _ in range(5):
        client = come(server).send(get("/a.txt"))
        assert statuses(client) == [200]
        client.vanish()


def test_exempt_clients(root: Path, reactor: FakeReactor) -> None:
    exempt = Networks(["192.0.2.0/24"])
    server = limited(root, reactor, client_connections=1, client_rate=1, exempt=exempt)
    clients = [come(server).send(get("/a.txt") * 5) for _ in range(5)]
    assert [statuses(client) for client in clients] == [[200] * 5] * 5


hosts = st.sampled_from(["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", ""])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("come"), hosts),
        st.tuples(st.just("send"), st.integers(0, 20)),
        st.tuples(st.just("half"), st.integers(0, 20)),
        st.tuples(st.just("big"), st.integers(0, 20)),
        st.tuples(st.just("vanish"), st.integers(0, 20)),
        st.tuples(st.just("pass"), st.integers(0, 40)),
    ),
    max_size=40,
)


@given(steps)
@settings(max_examples=60, deadline=None)
def test_every_count_returns_to_zero(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    root = tmp_path_factory.getbasetemp() / "counts"
    if not root.exists():
        write_tree(root, FILES)
    reactor = FakeReactor()
    server = limited(
        root,
        reactor,
        connections=6,
        client_connections=2,
        client_rate=2,
        client_burst=3,
        bandwidth=10_000,
        receive_rate=10,
        send_rate=10,
    )
    clients: list[Client] = []
    for what, argument in steps:
        if what == "come":
            clients.append(come(server, argument))
        elif what == "pass":
            pass_time(reactor, argument / 4)
        elif clients:
            client = clients[argument % len(clients)]
            if client.transport.closed:
                continue
            if what == "vanish":
                client.vanish()
            else:
                client.send({"half": b"GET", "send": get("/a.txt"), "big": get("/big.bin")}[what])
        per_client = server._clients.connections
        assert sum(per_client.values()) <= len(server.connections) <= 6
        assert max(per_client.values(), default=0) <= 2 + TOLD
    for client in clients:
        client.vanish()
    assert server.connections == set()
    assert server._clients.connections == {}
    assert reactor.getDelayedCalls() == [], "no timer is left"
    _ = server.stop()


# Requests of one client.


def test_a_burst_and_then_what_the_rate_allows(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_rate=0.5, client_burst=3)
    client = come(server)
    for _ in range(5):
        client.send(get("/a.txt"))
    assert statuses(client) == [200, 200, 200, 429, 429]
    refused = client.answers()[4]
    assert refused["Retry-After"] == "2"
    assert refused.get("Connection") is None, "another request may follow"
    assert b"requests from your address" in refused.body
    pass_time(reactor, 2)
    client.send(get("/a.txt") * 2)
    assert statuses(client)[5:] == [200, 429]
    assert server.refusals.counts[RATE] == 3


def test_who_waits_as_told_is_served(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_rate=0.3, client_burst=2)
    client = come(server).send(get("/a.txt") * 3)
    for _ in range(10):
        answer = client.answers()[-1]
        assert answer.status == 429
        pass_time(reactor, int(answer["Retry-After"]))
        client.send(get("/a.txt"))
        assert client.answers()[-1].status == 200
        client.send(get("/a.txt"))


def test_it_is_one_for_all_connections_of_a_client(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_rate=1, client_burst=2)
    clients = [come(server, host) for host in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1")]
    for client in clients:
        client.send(get("/a.txt"))
    assert [statuses(client) for client in clients] == [[200], [200], [429]]
    assert statuses(come(server, "192.0.2.2").send(get("/a.txt"))) == [200]
    assert statuses(come(server, "").send(get("/a.txt") * 5)) == [200] * 5


@pytest.mark.parametrize(
    "request_",
    [
        get("/a.txt"),
        get("/nothing"),
        get("/a.txt", method="HEAD"),
        get("/a.txt", method="POST"),
        get("/big.bin", "Range: bytes=0-9"),
        get("/big.bin"),
        get("/a.txt", "Content-Length: 3") + b"abc",
        get("/../x"),
    ],
)
def test_every_request_counts_once(root: Path, reactor: FakeReactor, request_: bytes) -> None:
    """Whether it is answered from memory, as the second is where that is possible, or not."""
    server = limited(root, reactor, client_rate=1, client_burst=4)
    client = come(server)
    count = len(client.received)
    for n in range(4):
        client.send(request_)
        assert b" 429 " not in client.received, n
        assert len(client.received) > count
        count = len(client.received)
    client.send(request_)
    assert b" 429 " in client.received
    assert server.refusals.counts[RATE] == 1


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_pipelined_requests_count_each(root: Path, reactor: FakeReactor, piece: int | None) -> None:
    server = limited(root, reactor, client_rate=1, client_burst=2)
    client = come(server).send(get("/a.txt") * 6, piece)
    assert statuses(client) == [200] * 2 + [429] * 4


def test_a_refusal_is_not_remembered(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_rate=1, client_burst=1)
    client = come(server).send(get("/a.txt") + get("/b.txt"))
    other = come(server, "198.51.100.1").send(get("/b.txt"))
    assert statuses(client) == [200, 429]
    assert statuses(other) == [200]


def test_a_body_is_read_before_a_refusal(root: Path, reactor: FakeReactor) -> None:
    """So that the next request is found behind it."""
    server = limited(root, reactor, client_rate=1, client_burst=1)
    body = get("/a.txt", "Content-Length: 3") + b"abc"
    client = come(server).send(body * 2 + get("/a.txt"), 5)
    assert statuses(client) == [200, 429, 429]


def test_memory_is_used_while_it_may_be(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, client_rate=1, client_burst=3)
    client = come(server).send(get("/a.txt"))
    (root / "a.txt").unlink()  # within the second in which it is taken for granted
    client.send(get("/a.txt") * 3)
    assert statuses(client) == [200, 200, 200, 429]


# Requests that arrive slowly.


def drip(client: Client, reactor: FakeReactor, data: bytes, rate: float) -> float:
    """Send ``data`` at so many octets a second; return after how long there was an end."""
    began = reactor.seconds()
    for octet in data:
        if client.ended:
            break
        client.send(bytes([octet]))
        pass_time(reactor, 1 / rate)
    return reactor.seconds() - began


HEAD = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 60 + b"\r\n\r\n"


def test_a_head_that_drips(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, receive_rate=10)
    client = come(server)
    seconds = drip(client, reactor, HEAD, 1)
    assert 5 <= seconds <= 7, "five of grace, and a tenth of one for each octet"
    (answer,) = client.answers()
    assert answer.status == 408
    assert answer["Connection"] == "close"
    assert client.ended
    assert server.refusals.counts[SLOW_REQUEST] == 1


def test_a_body_that_drips(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, receive_rate=10)
    client = come(server).send(get("/a.txt", "Content-Length: 100"))
    assert 5 <= drip(client, reactor, bytes(100), 1) <= 7
    assert statuses(client) == [408]


def test_a_body_has_nothing_from_its_head(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, receive_rate=10)
    head = get("/a.txt", "Content-Length: 100", "X: " + "x" * 900)
    client = come(server).send(head[:-1]).send(head[-1:])
    pass_time(reactor, 7)
    assert statuses(client) == [408]


def test_a_body_that_does_not_come(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, receive_rate=10)
    client = come(server).send(get("/a.txt", "Content-Length: 100"))
    pass_time(reactor, 7)
    assert statuses(client) == [408]


@pytest.mark.parametrize("data", [HEAD, get("/a.txt", "Content-Length: 70") + bytes(70)])
def test_who_is_fast_enough(root: Path, reactor: FakeReactor, data: bytes) -> None:
    """Four octets a second, for longer than the grace."""
    server = limited(root, reactor, receive_rate=3)
    client = come(server)
    assert drip(client, reactor, data, 4) > 15
    assert statuses(client) == [200]
    assert drip(client, reactor, data, 4) > 15, "each begins anew"
    assert statuses(client) == [200, 200]


def test_the_deadline_of_a_head_stays_the_last_word(root: Path, reactor: FakeReactor) -> None:
    server = make_server(root, reactor, quotas=Quotas(receive_rate=1), timeouts=Timeouts(head=10))
    client = come(server)
    assert 10 <= drip(client, reactor, HEAD, 2) <= 12
    assert statuses(client) == [408]


def test_a_silent_connection_has_all_its_time(root: Path, reactor: FakeReactor) -> None:
    """Browsers open connections before they know what for."""
    server = limited(root, reactor, receive_rate=100)
    client = come(server)
    pass_time(reactor, 25)
    assert statuses(client.send(get("/a.txt"))) == [200]
    pass_time(reactor, 90)
    assert statuses(client.send(get("/a.txt"))) == [200, 200]


def test_a_head_behind_a_response(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, receive_rate=100)
    client = come(server).send(get("/a.txt") + b"GET")
    pass_time(reactor, 7)
    assert statuses(client) == [200, 408]


def test_a_head_that_waited_for_the_client_to_read(root: Path, reactor: FakeReactor) -> None:
    """The time for it begins when it is looked at."""
    server = limited(root, reactor, receive_rate=10)
    client = Client(server, room=2).send(get("/a.txt") + HEAD[:40])
    pass_time(reactor, 20)
    client.transport.client_reads()
    pass_time(reactor, 4)
    client.send(HEAD[40:])
    assert statuses(client) == [200, 200]


# Octets of one connection.


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "a", "a")], ids=["found", "repeated"])
def test_small_answers_pass_at_once_and_are_paid_for_later(
    root: Path, reactor: FakeReactor, names: tuple[str, ...]
) -> None:
    """Whether they are found for it or repeated from memory."""
    write_tree(root, {f"{name}.bin": bytes(20_000) for name in "abc"})
    server = limited(root, reactor, bandwidth=20_000)
    come(server).send(get("/a.bin"))
    client = come(server)
    for name in names:
        client.send(get(f"/{name}.bin"))
    assert [len(body) for body in bodies(client)] == [20_000] * 3
    client.send(get("/big.bin"))
    began = len(client.received)
    pass_time(reactor, 2)  # the first was paid for in advance
    assert len(client.received) == began
    pass_time(reactor, 0.75)
    assert 5_000 <= len(client.received) - began <= 15_000


def bodies(client: Client) -> list[bytes]:
    return [answer.body for answer in whole_answers(client)]


def whole_answers(client: Client) -> list[Answer]:
    """Return the responses that have come whole."""
    data = client.received
    while data:
        try:
            return read_answers(data)
        except AssertionError:
            data = data[: data.rfind(b"HTTP/1.1 ")]
    return []


def test_head_costs_nothing(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, bandwidth=10)
    client = come(server).send(get("/big.bin", method="HEAD") * 20)
    assert len(client.answers(bodiless=range(20))) == 20


@pytest.mark.parametrize("times", [1, 2])
def test_a_large_answer_comes_at_its_pace(root: Path, reactor: FakeReactor, times: int) -> None:
    """The second would be sent from memory if it could be sent at once."""
    server = limited(root, reactor, bandwidth=20_000)
    for _ in range(times):
        client = come(server).send(get("/big.bin"))
        for second in range(8):
            assert len(client.received) <= 20_000 * (second + 1) + 1000
            assert len(client.received) >= 20_000 * second
            pass_time(reactor, 1)
        pass_time(reactor, 3)
        assert bodies(client) == [FILES["big.bin"]]


def test_a_pace_is_not_the_clients_fault(root: Path, reactor: FakeReactor) -> None:
    """Slower than both limits of what a client has to take."""
    server = make_server(
        root,
        reactor,
        quotas=Quotas(bandwidth=1000, send_rate=50_000, send_window=5),
        timeouts=Timeouts(stall=3),
    )
    client = come(server).send(get("/big.bin"))
    pass_time(reactor, 202)
    assert bodies(client) == [FILES["big.bin"]]
    assert server.refusals.counts[SLOW_RESPONSE] == 0


def test_one_that_is_stopped_leaves_no_timer(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, bandwidth=1000)
    client = come(server).send(get("/big.bin"))
    pass_time(reactor, 1)
    client.vanish()
    assert reactor.getDelayedCalls() == []


def test_one_that_is_stopped_lets_go_of_its_file(root: Path, reactor: FakeReactor) -> None:
    server = limited(root, reactor, bandwidth=1000)
    before = open_descriptors()
    client = come(server).send(get("/big.bin"))
    assert len(open_descriptors() - before) == 1
    client.vanish()
    server.site.forget()
    assert open_descriptors() <= before
