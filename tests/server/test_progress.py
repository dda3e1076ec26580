"""A client that takes too little of what it is sent, and one that can't help it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import FakeTransport, HeldDisk, get, write_tree
from tinyhttp.server.any_transport import counts_all
from tinyhttp.server.progress import LOOK, Progress
from tinyhttp.server.quotas import SLOW_RESPONSE, Quotas
from tinyhttp.server.server import Timeouts

from .sockets import Link, Peer, linked, until
from .test_file_transfer import Stage

BIG = bytes(20_000_000)


class Client:
    """Takes octets over time, and is watched."""

    def __init__(self, patch: pytest.MonkeyPatch, stall: float = 60, **quotas: Any):
        self.now = 1000.0
        self.taken: int | None = 0
        patch.setattr("tinyhttp.server.progress.octets_acknowledged", lambda _: self.taken)
        patch.setattr("tinyhttp.server.progress.counts_all", lambda _: True)
        self.progress = Progress(None, stall, Quotas(**quotas), lambda: self.now)
        self.progress.begin()

    def lasts(self, limit: float, step: Callable[[int], tuple[float, bool]]) -> float | None:
        """Return after how many seconds it is given up; ``None``: not within the ``limit``.

        ``step`` says for each look how much it takes by then, and whether we are the slow ones.
        """
        began = self.now
        looks = 0
        while self.now - began < limit:
            self.now += self.progress.wait
            octets, is_ours = step(looks)
            looks += 1
            if self.taken is not None:
                self.taken += int(octets)
            if not self.progress.look(is_ours=is_ours):
                return self.now - began
        return None


def test_without_a_rate_it_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch)
    assert client.progress.wait == 60
    assert client.lasts(600, lambda _: (1, False)) is None
    assert client.lasts(600, lambda _: (0, True)) is None
    assert client.lasts(600, lambda _: (0, False)) == 60


def test_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, stall=10, send_rate=1, send_window=60)
    assert client.progress.wait == LOOK
    assert client.lasts(600, lambda _: (0, False)) == 10


def test_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, send_rate=100, send_window=30)
    assert client.lasts(600, lambda _: (99, False)) == 30


def test_just_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, send_rate=100, send_window=30)
    assert client.lasts(600, lambda _: (100, False)) is None


def test_it_is_the_window_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause is none of our business, if it is made up for."""
    client = Client(monkeypatch, send_rate=100, send_window=30)
    assert client.lasts(600, lambda look: (3000 if look % 30 == 29 else 0, False)) is None


def test_a_slow_disk_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It delivers 1,000 octets every five seconds; the client takes them in no time."""
    client = Client(monkeypatch, send_rate=500, send_window=10)
    assert client.lasts(600, lambda look: (1000, False) if look % 5 == 4 else (0, True)) is None


def test_but_it_is_no_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, send_rate=500, send_window=10)
    lasts = client.lasts(600, lambda look: (100, look % 2 == 0))
    assert lasts == 20


def test_a_reactor_that_is_held_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, send_rate=100, send_window=10)
    client.now += 3600
    assert client.progress.look(is_ours=True)
    client.taken = 1
    client.now += 3600
    assert client.progress.look(is_ours=False)


def test_where_nobody_knows_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, stall=20, send_rate=1000, send_window=5)
    client.taken = None
    assert client.lasts(600, lambda _: (0, False)) == 20


@given(st.floats(1, 1e6), st.floats(1, 100), st.floats(0.1, 10))
def test_who_is_given_up_is_slower_than_the_rate(rate: float, window: float, ratio: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        client = Client(patch, stall=1000, send_rate=rate, send_window=window)
        whole = {"octets": 0.0}

        def step(look: int) -> tuple[float, bool]:
            before = int(whole["octets"])
            whole["octets"] += rate * ratio * client.progress.wait
            return int(whole["octets"]) - before, False

        lasts = client.lasts(300, step)
        if ratio < 0.9 and rate * window * (0.9 - ratio) > 1:
            assert lasts is not None
            assert window <= lasts <= window + 2 * LOOK
        elif ratio > 1.1 and rate * window * (ratio - 1.1) > 1:
            assert lasts is None


# With real sockets.


@pytest.mark.parametrize("kind", ["IPv4", "UNIX"])
def test_our_own_transport_counts(kind: str) -> None:
    with linked(kind) as link:
        assert counts_all(link.transport)


def test_others_may_not(link: Link) -> None:
    assert not counts_all(FakeTransport())

    class Layer:
        """TLS, say."""

        transport = link.transport

    assert counts_all(Layer())
    with linked("UNIX") as below:

        class Stock:
            socket = below.transport.socket

        assert not counts_all(Stock())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"big.bin": BIG})


def begin(stage: Stage, peer: Peer) -> None:
    peer.send(get("/big.bin"))
    until(lambda: peer.received, stage.reactor.poll, peer.read_some)


def read_each_second(stage: Stage, peer: Peer, octets: int, seconds: int) -> int:
    """Return after how many seconds there was an end."""
    for second in range(seconds):
        count = len(peer.received)
        while len(peer.received) < count + octets and not peer.end:
            if not peer.read(octets) and not stage.reactor.poll():
                break
        if peer.end:
            return second
        stage.pass_time(1)
    return seconds


def test_a_client_that_reads_too_slowly(root: Path, stack: ExitStack) -> None:
    quotas = Quotas(send_rate=100_000, send_window=10)
    stage = Stage(root, stack, quotas=quotas, timeouts=Timeouts(stall=20))
    slow, fast = stage.connect(small=True), stage.connect(small=True)
    begin(stage, slow)
    begin(stage, fast)
    assert read_each_second(stage, fast, 400_000, 15) == 15
    assert len(fast.received) > 1_000_000
    until(lambda: slow.end or not slow.read(), stage.reactor.poll)
    assert slow.end == "reset"
    assert len(stage.server.connections) == 1
    assert stage.server.refusals.counts[SLOW_RESPONSE] == 1


def test_one_that_waits_for_our_disk_is_not_slow(root: Path, stack: ExitStack, cold: None) -> None:
    """It comes at 40 kB a second, and the client takes it at once."""
    quotas = Quotas(send_rate=100_000, send_window=5)
    stage = Stage(root, stack, quotas=quotas, timeouts=Timeouts(stall=5))
    stage.server.disk = disk = HeldDisk()
    peer = stage.connect()
    peer.send(get("/big.bin"))
    until(lambda: disk.waiting, stage.reactor.poll)
    for _ in range(20):
        stage.pass_time(3)
        disk.complete()
        while stage.reactor.poll() or peer.read():
            pass
    assert disk.waiting == 1
    assert len(peer.received) > 2_000_000
    assert peer.end == ""
    assert stage.server.refusals.counts[SLOW_RESPONSE] == 0
