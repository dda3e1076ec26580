"""What a request is called, since when it is answered, whose it is: on every way to an answer."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress

from tests.support import (
    Client,
    FakeReactor,
    HeldDisk,
    get,
    incoming,
    make_disk,
    make_server,
    write_tree,
)
from tinyhttp.core.forwarded import FORWARDED, TrustedProxies
from tinyhttp.core.networks import Networks
from tinyhttp.core.request import Head, HeadReader, Limits
from tinyhttp.core.response import Response
from tinyhttp.server.access_log import AccessLog
from tinyhttp.server.log_destination import LogFile, open_log
from tinyhttp.server.trace import Tracing, make_tracing

PROXIES = TrustedProxies(Networks(["192.0.2.1", "10.0.0.0/8", "unix"]))
BIG = 300_000


class Stage:
    """A server with a log, whose lines are read back."""

    def __init__(self, path: Path, form: str = "json", **options: Any):
        self.root = write_tree(
            path / "root",
            {"a.txt": b"hello", "b.txt": b"x" * 2000, "b.txt.gz": b"z", "big.bin": bytes(BIG)},
        )
        self.reactor = FakeReactor()
        self.now = 100.0
        self._path = path / "access.log"
        destination = LogFile(open_log(self._path))
        disk = make_disk(self.reactor, 0)
        self.log = AccessLog(
            self.reactor, disk, destination, self.reactor.seconds, form=form, worker=2
        )
        self.server = make_server(
            self.root,
            self.reactor,
            access_log=self.log,
            stopwatch=lambda: self.now,
            **options,
        )

    def lines(self) -> list[str]:
        """Return the lines that came since the last time."""
        self.log.write_now()
        text = self._path.read_text()
        self._path.write_text("")
        return text.splitlines()

    def told(self, name: str) -> list[Any]:
        """Return the field ``name`` of the lines in JSON."""
        return [json.loads(line)[name] for line in self.lines()]


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Stage]:
    return lambda *about, **options: Stage(tmp_path, *about, **options)


def forwarded(address: str, *more: str) -> tuple[str, ...]:
    return (f"X-Forwarded-For: {address}", *more)


# Whose it is.


def test_each_request_has_its_own_client(stage: Callable[..., Stage]) -> None:
    """Though all of them come over one connection, and are answered in every way there is."""
    s = stage("{address} {peer} {target} {scheme}", trusted_proxies=PROXIES)
    client = Client(s.server)
    requests = [
        *(get("/a.txt", *forwarded("198.51.100.1")), get("/a.txt", *forwarded("198.51.100.2"))),
        *(get("/none", *forwarded("198.51.100.3")), get("/none", *forwarded("198.51.100.4"))),
        get("/big.bin", *forwarded("198.51.100.5", "X-Forwarded-Proto: https")),
        get("/big.bin", *forwarded("198.51.100.6")),
        get("/a.txt"),
        get("/a.txt", *forwarded("6.6.6.6, 198.51.100.7, 10.1.1.1")),
        get("/a.txt", "Forwarded: for=6.6.6.6"),
        get("/a%00", *forwarded("198.51.100.8")),
    ]
    for request in requests:
        client.send(request)
    client.send(b"".join(requests))
    expected = [
        *("198.51.100.1 192.0.2.1 /a.txt http", "198.51.100.2 192.0.2.1 /a.txt http"),
        *("198.51.100.3 192.0.2.1 /none http", "198.51.100.4 192.0.2.1 /none http"),
        *("198.51.100.5 192.0.2.1 /big.bin https", "198.51.100.6 192.0.2.1 /big.bin http"),
        *("192.0.2.1 192.0.2.1 /a.txt http", "198.51.100.7 192.0.2.1 /a.txt http"),
        *("192.0.2.1 192.0.2.1 /a.txt http", "198.51.100.8 192.0.2.1 /a%00 http"),
    ]
    assert s.lines() == expected * 2


@pytest.mark.parametrize("form", ["combined", "{address}", "json"])
def test_in_every_format(stage: Callable[..., Stage], form: str) -> None:
    s = stage(form, trusted_proxies=PROXIES)
    client = Client(s.server)
    for _ in range(2):
        for address in ("198.51.100.1", "2001:db8::1"):
            client.send(get("/a.txt", *forwarded(address)))
    lines = s.lines()
    assert ["198.51.100.1" in line for line in lines] == [True, False] * 2
    assert ["2001:db8::1" in line for line in lines] == [False, True] * 2


def test_a_stranger_is_not_believed(stage: Callable[..., Stage]) -> None:
    s = stage("{address} {scheme} {request_id}", trusted_proxies=PROXIES)
    client = Client(s.server)
    client.transport.peerAddr = IPv4Address("TCP", "203.0.113.5", 1)
    names = ("X-Forwarded-Proto: https", "X-Request-ID: forged", "Forwarded: for=1.2.3.4")
    for _ in range(2):
        client.send(get("/a.txt", *forwarded("198.51.100.1", *names)))
    for line in s.lines():
        assert line.startswith("203.0.113.5 http ")
        assert "forged" not in line


def test_nobody_is_believed_unless_somebody_was_named(stage: Callable[..., Stage]) -> None:
    s = stage("{address} {scheme} {request_id}")
    client = Client(s.server)
    names = ("X-Forwarded-Proto: https", "X-Request-ID: forged", "Forwarded: for=1.2.3.4")
    for _ in range(2):
        client.send(get("/a.txt", *forwarded("198.51.100.1", *names)))
    for line in s.lines():
        assert line.startswith("192.0.2.1 http ")
        assert "forged" not in line


def test_a_proxy_on_a_unix_socket(stage: Callable[..., Stage]) -> None:
    s = stage("{address} {peer}", trusted_proxies=PROXIES)
    client = Client(s.server)
    client.transport.peerAddr = UNIXAddress(None)
    client.send(get("/a.txt", *forwarded("198.51.100.1")) + get("/a.txt"))
    assert s.lines() == ["198.51.100.1 unix:", "unix: unix:"]


def test_proxies_that_speak_of_themselves_in_another_way(stage: Callable[..., Stage]) -> None:
    proxies = TrustedProxies(Networks(["192.0.2.0/24"]), FORWARDED)
    s = stage("{address} {scheme}", trusted_proxies=proxies)
    line = 'Forwarded: for="[2001:db8::5]:80";proto=https'
    Client(s.server).send(get("/a.txt", line, *forwarded("6.6.6.6")) * 2)
    assert s.lines() == ["2001:db8::5 https"] * 2


def test_a_request_that_is_refused_unread(stage: Callable[..., Stage]) -> None:
    """Nobody has said whose it is, as far as it was understood."""
    s = stage("{address} {status} {duration}", trusted_proxies=PROXIES)
    bad = get("/a.txt", *forwarded("198.51.100.1"), "bad field: x")
    Client(s.server).send(bad)
    Client(s.server).send(get("/a.txt", *forwarded("198.51.100.1"), "Host: a", "Host: b"))
    assert s.lines() == ["192.0.2.1 400 0.000000", "198.51.100.1 400 0.000000"]


def test_the_answer_does_not_depend_on_it(stage: Callable[..., Stage]) -> None:
    """So it is remembered once for all clients."""
    s = stage("combined", trusted_proxies=PROXIES)
    client = Client(s.server)
    for number in range(10):
        client.send(get("/a.txt", *forwarded(f"198.51.100.{number}"), f"X-Request-ID: {number}"))
    assert len(s.server.memo._answers) == 1
    assert len({answer.body for answer in client.answers()}) == 1


def test_proxies_cost_the_readers_memory_nothing_if_there_are_none() -> None:
    lines = (b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=1.2.3.4", b"X-Request-ID: a")
    data = b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""])
    assert HeadReader(Limits()).read(data) == Head((b"GET / HTTP/1.1", b"Host: a"), ())
    reader = HeadReader(Limits(), forwarded=[b"x-forwarded-for"], naming=[b"x-request-id"])
    expected = Head((b"GET / HTTP/1.1", b"Host: a"), (), lines[:1], lines[2:])
    assert [reader.read(data) for _ in range(2)] == [expected] * 2


# What it is called.


def ids(stage: Stage, *lines: str) -> list[str]:
    """Return the ids of two requests with these field lines."""
    client = Client(stage.server)
    for _ in range(2):
        client.send(get("/a.txt", *lines))
    return list(stage.told("request_id"))


MADE = re.compile(r"[0-9a-f]{12}-[0-9]+")


def test_an_id_of_a_proxy_is_taken_over(stage: Callable[..., Stage]) -> None:
    assert ids(stage(trusted_proxies=PROXIES), "X-Request-ID: 7f3a-1") == ["7f3a-1"] * 2


@pytest.mark.parametrize(
    "lines", [(), ("X-Request-ID: a b",), ("X-Request-ID: a", "x-request-id: b")]
)
def test_without_a_sane_id_one_is_made(stage: Callable[..., Stage], lines: tuple[str, ...]) -> None:
    first, second = ids(stage(trusted_proxies=PROXIES), *lines)
    assert MADE.fullmatch(first)
    assert MADE.fullmatch(second)
    assert first != second


def test_made_ids_are_unique_over_servers(tmp_path: Path) -> None:
    found = [ids(Stage(tmp_path / name), "X-Request-ID: x") for name in "ab"]
    assert len({one for pair in found for one in pair}) == 4


def test_responses_say_the_id_of_the_log(stage: Callable[..., Stage]) -> None:
    s = stage(trusted_proxies=PROXIES, request_id=True)
    client = Client(s.server)
    requests = [
        *(get("/a.txt"), get("/a.txt"), get("/a.txt", "X-Request-ID: own")),
        *(
            get("/none"),
            get("/none"),
            get("/big.bin"),
            get("/big.bin"),
            get("/a.txt", method="HEAD"),
        ),
        get("/big.bin", "Range: bytes=0-0,100000-200000"),
        *(get("/a%00"), get("/a.txt", method="POST"), get("*", method="OPTIONS")),
        b"nonsense \r\nHost: a\r\n\r\n",
    ]
    client.send(b"".join(requests))
    said = [answer["X-Request-ID"] for answer in client.answers(bodiless=[7])]
    assert said == s.told("request_id")
    assert said[2] == "own"
    assert len(set(said)) == len(requests)


def test_the_field_stands_behind_the_date(stage: Callable[..., Stage]) -> None:
    """And in all else the answer is the same octets."""
    named, plain = stage(request_id=True, trusted_proxies=PROXIES), stage()
    expected = Client(plain.server).send(get("/a.txt") * 3).received
    found = Client(named.server).send(get("/a.txt", "X-Request-ID: q") * 3).received
    assert found.count(b" GMT\r\nX-Request-ID: q\r\n") == 3
    assert found.replace(b"\r\nX-Request-ID: q", b"") == expected


@pytest.mark.parametrize("form", ["combined", "json", "{request_id}"])
def test_responses_say_nothing_unless_told_to(stage: Callable[..., Stage], form: str) -> None:
    client = Client(stage(form, trusted_proxies=PROXIES).server)
    client.send(get("/a.txt", "X-Request-ID: a") * 2)
    assert b"X-Request-ID" not in client.received


def test_ids_are_echoed_without_a_log(tmp_path: Path) -> None:
    server = make_server(tmp_path, request_id=True)
    client = Client(server).send(get("/none") * 2)
    assert all(MADE.fullmatch(answer["X-Request-ID"]) for answer in client.answers())
    _ = server.stop()


def test_nothing_is_made_that_nobody_wants(tmp_path: Path) -> None:
    assert make_tracing(None, PROXIES, False, float) is None
    assert Stage(tmp_path / "a", "combined").server.tracing is None
    assert Stage(tmp_path / "b", "{address} {status}").server.tracing is None
    timed = Stage(tmp_path / "c", "{duration}").server.tracing
    assert timed is not None
    assert timed.begin(incoming(), None).request_id == b""
    assert timed.fields == frozenset()


def test_the_prefix_is_made_late() -> None:
    """Processes that were one until their first request have ids of their own."""
    tracing = Tracing(None, named=True, echoed=False, now=float)
    other = Tracing(None, named=True, echoed=False, now=float)
    first, second = (t.begin(incoming(), None).request_id for t in (tracing, other))
    assert first.partition(b"-")[0] != second.partition(b"-")[0]
    assert tracing.begin(incoming(), None).request_id == first.partition(b"-")[0] + b"-2"


# How long it takes.


def test_a_look_up_takes_its_time(stage: Callable[..., Stage]) -> None:
    s = stage()
    disk = HeldDisk()
    s.server.disk = disk
    client = Client(s.server).send(get("/a.txt"))
    s.now += 0.125
    disk.complete()
    s.now += 1
    client.send(get("/a.txt"))
    assert s.told("duration") == [0.125, 0]


def test_a_download_lasts_until_its_last_octet(stage: Callable[..., Stage]) -> None:
    s = stage()
    for _ in range(2):  # and as it is remembered
        client = Client(s.server, room=1000)
        client.send(get("/big.bin"))
        s.now += 2
        client.transport.client_reads(BIG)
        s.now += 3
        client.transport.client_reads()
        assert s.told("duration") == [2]
        client.vanish()


def test_the_clock_starts_when_the_head_is_complete(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.server.disk = disk = HeldDisk()
    client = Client(s.server)
    request = get("/a.txt")
    client.send(request[:10])
    s.now += 5
    client.send(request[10:])
    s.now += 0.5
    disk.complete()
    assert s.told("duration") == [0.5]


def test_a_body_counts(stage: Callable[..., Stage]) -> None:
    s = stage()
    client = Client(s.server).send(get("/a.txt", "Content-Length: 5", method="POST"))
    s.now += 1.5
    client.send(b"12345")
    assert s.told("duration") == [1.5]


def test_requests_that_came_together_wait_for_one_another(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.server.disk = disk = HeldDisk()
    Client(s.server).send(get("/a.txt") + get("/b.txt"))
    s.now += 1
    disk.complete()
    s.now += 1
    disk.complete()
    assert s.told("duration") == [1, 2]


def test_a_head_that_took_too_long(stage: Callable[..., Stage]) -> None:
    """Counts from its last octets."""
    s = stage()
    client = Client(s.server).send(b"GET / HT")
    s.now += 30
    s.reactor.advance(31)
    assert [answer.status for answer in client.answers()] == [408]
    assert s.told("duration") == [30]


def test_nothing_of_one_request_is_said_of_the_next(stage: Callable[..., Stage]) -> None:
    s = stage(trusted_proxies=PROXIES)
    client = Client(s.server)
    client.send(get("/a.txt", "X-Request-ID: first"))
    s.now += 9
    client.send(b"nonsense \r\n\r\n")
    lines = [json.loads(line) for line in s.lines()]
    assert lines[0]["request_id"] == "first"
    assert MADE.fullmatch(lines[1]["request_id"])
    assert lines[1]["duration"] == 0


# What the answer was.


def test_codings_and_workers(stage: Callable[..., Stage]) -> None:
    s = stage("{coding} {bytes} {worker} {host} {tls}")
    client = Client(s.server)
    client.send(get("/b.txt", "Accept-Encoding: gzip") * 2 + get("/b.txt") * 2)
    assert s.lines() == ["gzip 1 2 localhost -"] * 2 + ["- 2000 2 localhost -"] * 2


def test_the_coding_of_a_large_file(stage: Callable[..., Stage]) -> None:
    s = stage("{coding} {bytes}")
    write_tree(s.root, {"c.bin": bytes(BIG), "c.bin.gz": b"g" * (BIG - 1)})
    for _ in range(2):
        Client(s.server).send(get("/c.bin", "Accept-Encoding: gzip"))
    assert s.lines() == [f"gzip {BIG - 1}"] * 2


def test_an_answer_may_stay_out_of_the_log(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those about the server's own health."""
    s = stage("{target}")
    client = Client(s.server)

    def answer(*_: object) -> Response:
        return Response(200, [], b"ok", 2, is_logged=False)

    with monkeypatch.context() as patch:
        patch.setattr("tinyhttp.server.exchange.answer", answer)
        patch.setattr("tinyhttp.core.policy.answer", answer)
        client.send(get("/a.txt") * 2)
    client.send(get("/b.txt"))
    client.send(get("/a.txt"))
    bodies = [answer.body for answer in client.answers()]
    assert bodies[:2] == [b"ok", b"ok"]
    assert bodies[3] == b"hello", "it was not remembered"
    assert s.lines() == ["/b.txt", "/a.txt"]
