"""What is remembered of clients: as much as there is, and no more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.networks import Networks
from tinyhttp.server.clients import ENTRIES, Clients
from tinyhttp.server.quotas import Quotas

NOW = 1_790_000_000.0


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def test_whom_no_limit_applies_to() -> None:
    clients = Clients(Quotas(exempt=Networks(["192.0.2.0/24", "2001:db8::/32"])))
    assert clients.key(b"192.0.2.9") is None
    assert clients.key(b"2001:db8::9") is None
    assert clients.key(b"unix:") is None
    assert clients.key(b"198.51.100.1") == bytes([198, 51, 100, 1])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_connections_are_counted_and_forgotten(steps: list[tuple[int, bool]]) -> None:
    clients = Clients(Quotas())
    open_connections: list[int] = []
    for client, comes in steps:
        if comes:
            open_connections.append(client)
            assert clients.enter(key(client)) == open_connections.count(client)
        elif client in open_connections:
            open_connections.remove(client)
            clients.leave(key(client))
        counts = {key(n): open_connections.count(n) for n in open_connections}
        assert clients.connections == counts
    for client in open_connections:
        clients.leave(key(client))
    assert clients.connections == {}


def test_each_client_has_a_burst_of_its_own() -> None:
    clients = Clients(Quotas(client_rate=1, client_burst=2))
    assert [clients.ask(key(1), NOW) for _ in range(3)] == [0, 0, 1]
    assert [clients.ask(key(2), NOW) for _ in range(3)] == [0, 0, 1]
    assert clients.ask(key(1), NOW + 1) == 0


def test_who_could_have_a_whole_burst_is_forgotten() -> None:
    clients = Clients(Quotas(client_rate=1, client_burst=2))
    for number in range(100):
        clients.ask(key(number), NOW)
    assert len(clients.requests) == 100
    for number in range(100):
        clients.ask(key(1000), NOW + 10 + number)
    assert list(clients.requests) == [key(1000)]


def test_no_more_clients_than_there_is_room_for() -> None:
    """Of those who are still owed nothing the one goes that has not asked for the longest time."""
    clients = Clients(Quotas(client_rate=0.001, client_burst=1), entries=10)
    for number in range(10):
        clients.ask(key(number), NOW)
    assert clients.ask(key(0), NOW) > 0, "which makes it one that has asked lately"
    clients.ask(key(10), NOW)
    assert len(clients.requests) == 10
    assert key(0) in clients.requests
    assert key(1) not in clients.requests
    assert ENTRIES == 65_536


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 5)), max_size=100), st.integers(1, 8))
def test_the_table_is_bounded(steps: list[tuple[int, float]], entries: int) -> None:
    clients = Clients(Quotas(client_rate=2, client_burst=3), entries=entries)
    now = NOW
    for client, pause in steps:
        now += pause
        clients.ask(key(client), now)
        assert len(clients.requests) <= entries
        assert key(client) in clients.requests


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 2)), max_size=100))
def test_to_forget_loses_nothing(steps: list[tuple[int, float]]) -> None:
    """As long as there is room, everybody gets what a table would give that forgets nobody."""
    clients = Clients(Quotas(client_rate=1, client_burst=3))
    alone = {n: Clients(Quotas(client_rate=1, client_burst=3)) for n in range(6)}
    now = NOW
    for client, pause in steps:
        now += pause
        assert clients.ask(key(client), now) == alone[client].ask(key(client), now)
