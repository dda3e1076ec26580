"""What the journal tells, and how its assertions fail."""

import pytest
from twisted.internet.defer import Deferred

from tests.support import get
from tinyhttp.testing import MemoryServer
from tinyhttp.testing.journal import KEPT, Entry, Record

from .wires import A, ask, connected


def test_an_entry(server: MemoryServer) -> None:
    server.clock.advance(5)
    connected(server)
    wire = connected(server)
    wire.send(get("/a.bin?x=1", "X-Twice: 1", "x-twice:  2 ", "Range: bytes=0-9"))
    entry = server.journal.last
    assert (entry.number, entry.connection, entry.method) == (1, 2, "GET")
    assert (entry.target, entry.path) == ("/a.bin?x=1", "/a.bin")
    assert entry.fields == (
        ("Host", "localhost"),
        ("X-Twice", "1"),
        ("x-twice", "2"),
        ("Range", "bytes=0-9"),
    )
    assert entry.field("X-TWICE") == "1, 2"
    assert entry.field("nothing") is None
    assert (entry.status, entry.octets, entry.ended, entry.faults) == (206, 10, True, "")
    assert entry.time == 1_767_225_605
    assert str(entry) == "   1 conn 2   GET /a.bin?x=1 -> 206 of bytes=0-9, 10 octets"
    assert Entry.from_plain(entry.plain()) == entry


def test_octets_of_real_answers_are_those_of_the_body(server: MemoryServer) -> None:
    ask(server, method="HEAD")
    ask(server)
    assert [e.octets for e in server.journal.entries] == [0, len(A)]


def test_what_was_asked_for(server: MemoryServer) -> None:
    ask(server)
    ask(server, "/b/c.txt", "Range: bytes=1-")
    ask(server, "/a.bin?again", method="HEAD")
    journal = server.journal
    assert len(journal) == 3
    assert [e.number for e in journal.requests(target="/a.bin")] == [1, 3]
    assert [e.number for e in journal.requests("GET")] == [1, 2]
    assert len(journal.assert_requested("GET", "/b/*")) == 1
    journal.assert_requested("GET", "*", times=2)
    journal.assert_requested(fields={"range": "bytes=1-"}, times=1)
    journal.assert_not_requested("POST")
    journal.assert_statuses(200, 206, 200)
    journal.assert_statuses(206, target="/b/c.txt")
    journal.assert_connections(3)


def test_failures_tell_what_was_seen(server: MemoryServer) -> None:
    with pytest.raises(AssertionError, match="no request has come"):
        server.journal.assert_requested("GET", "/a.bin")
    with pytest.raises(AssertionError, match="no request has come"):
        _ = server.journal.last
    server.on("/a.bin").truncate(3)
    ask(server)
    with pytest.raises(AssertionError) as caught:
        server.journal.assert_requested("GET", "/a.bin", times=2, fields={"Host": "*"})
    assert str(caught.value) == (
        "GET /a.bin with {'Host': '*'}: wanted 2 times, seen 1 times\nrequests:\n"
        "   1 conn 1   GET /a.bin -> 200, 3 octets [close at 3]"
    )
    with pytest.raises(AssertionError, match=r"wanted answers \[404\], given \[200\]"):
        server.journal.assert_statuses(404)
    with pytest.raises(AssertionError, match="wanted 2 connections with requests, seen 1"):
        server.journal.assert_connections(2)


def test_a_failure_is_not_longer_than_a_page(server: MemoryServer) -> None:
    for _ in range(40):
        ask(server, "/" + "x" * 1000)
    text = server.journal.describe()
    assert "the last 30 of 40 requests" in text
    assert max(map(len, text.splitlines())) <= 200


def result_of(deferred: Deferred[list[Entry]]) -> object:
    results: list[object] = []
    _ = deferred.addBoth(results.append)
    return results[0] if results else None


def test_waiting(server: MemoryServer) -> None:
    first = server.journal.wait_for(2, target="/a.bin")
    ask(server)
    ask(server, "/b/c.txt")
    assert not first.called
    ask(server)
    found = result_of(first)
    assert isinstance(found, list)
    assert [e.number for e in found] == [1, 3]


def test_waiting_for_the_end(server: MemoryServer) -> None:
    server.on("/a.bin").delay(3)
    ended, arrived = server.journal.wait_for(ended=True), server.journal.wait_for()
    ask(server)
    assert arrived.called
    assert not ended.called
    server.clock.advance(3)
    assert ended.called


def test_waiting_in_vain(server: MemoryServer) -> None:
    waiting = server.journal.wait_for(2, "GET", timeout=5)
    ask(server)
    server.clock.advance(5)
    failure = result_of(waiting)
    assert "GET of anything: waited in vain for 2 requests\nrequests:\n   1 conn" in str(failure)


def test_waiting_no_longer(server: MemoryServer) -> None:
    waiting = server.journal.wait_for()
    _ = waiting.addErrback(lambda failure: None)
    waiting.cancel()
    assert server.clock.getDelayedCalls() == []
    ask(server)


def test_clearing(server: MemoryServer) -> None:
    ask(server)
    server.journal.clear()
    assert len(server.journal) == 0
    ask(server)
    assert server.journal.last.number == 2


def test_old_entries_go() -> None:
    record = Record()
    for _ in range(KEPT + 5):
        record.add(Entry(record.next_number(), 1, "GET", "/", "/", (), 0.0))
    record.change(1, status=500)
    assert len(record.entries) == KEPT
    assert record.entries[0].number == 6
