"""Which rule a request meets, and which mistakes are found at once."""

from collections.abc import Callable
from typing import Any

import pytest

from tinyhttp.testing import MemoryServer, Rule, ScriptError, on
from tinyhttp.testing.script import Script

from .wires import A, ask


def statuses(server: MemoryServer, count: int, target: str = "/a.bin") -> list[int]:
    return [ask(server, target).status for _ in range(count)]


@pytest.mark.parametrize(
    ("when", "answers"),
    [
        ({}, [500, 500, 500, 500]),
        ({"nth": 2}, [200, 500, 200, 200]),
        ({"nth": (1, 3)}, [500, 200, 500, 200]),
        ({"first": 2}, [500, 500, 200, 200]),
        ({"after": 1}, [200, 500, 500, 500]),
        ({"method": "GET"}, [500, 500, 500, 500]),
        ({"method": "HEAD"}, [200, 200, 200, 200]),
        ({"where": lambda entry: entry.number % 2}, [500, 200, 500, 200]),
        ({"where": lambda entry: entry.number > 1, "nth": 2}, [200, 200, 500, 200]),
        ({"fields": {"Host": "local*"}}, [500, 500, 500, 500]),
        ({"fields": {"Range": "bytes=*"}}, [200, 200, 200, 200]),
    ],
    ids=str,
)
def test_when(server: MemoryServer, when: dict[str, Any], answers: list[int]) -> None:
    server.on("/a.bin", **when).status(500)
    assert statuses(server, 4) == answers


def test_a_sequence(server: MemoryServer) -> None:
    server.on("/a.bin", nth=1).status(503)
    server.on("/a.bin", nth=2).status(503, retry_after=1)
    server.on("/a.bin", nth=3).status(429)
    assert statuses(server, 5) == [503, 503, 429, 200, 200]


@pytest.mark.parametrize(
    ("pattern", "target", "is_meant"),
    [
        ("/a.*", "/a.bin", True),
        ("/a.*", "/b/c.txt", False),
        ("*.txt", "/b/c.txt", True),
        ("/b/c.txt", "/b/c.txt?query", True),
        ("/b/c.txt", "/%62/c.txt", True),
        ("/b/*", "http://localhost/b/c.txt", True),
    ],
)
def test_where(server: MemoryServer, pattern: str, target: str, is_meant: bool) -> None:
    server.on(pattern).status(500)
    assert statuses(server, 1, target) == [500 if is_meant else 200]


def test_the_first_that_matches_is_in_force_and_all_count(server: MemoryServer) -> None:
    server.on("/a.bin", first=2).status(500)
    server.on("/a.bin", nth=3).status(501)
    server.on("/a.bin").status(502)
    assert statuses(server, 4) == [500, 500, 501, 502]


def test_what_is_not_there_can_be_scripted(server: MemoryServer) -> None:
    server.on("/api/jobs", missing=True).status(202, body="{}")
    assert statuses(server, 1, "/api/jobs") == [202]


def test_a_directory_and_its_index(server: MemoryServer) -> None:
    server.on("/b").delay(1)
    wire = ask(server, "/b")
    server.clock.advance(1)
    assert wire.status == 301


def test_a_rule_does_not_change(server: MemoryServer) -> None:
    plain = on("/a.bin")
    slow = plain.delay(1)
    assert plain == on("/a.bin")
    assert slow != plain
    assert slow.truncate(5).faults.delay == slow.faults.delay == 1
    with pytest.raises(AttributeError):
        slow.match = plain.match  # type: ignore[misc]


def test_clearing(server: MemoryServer) -> None:
    rule = server.on("/a.bin").status(500)
    server.clear_rules()
    assert statuses(server, 1) == [200]
    with pytest.raises(ScriptError, match="cleared"):
        rule.delay(1)


def test_rules_that_were_never_used(server: MemoryServer) -> None:
    server.on("/a.bin", nth=1).status(500)
    server.on("/b/c.txt", nth=2).delay(1)
    server.on("/b/c.txt")
    statuses(server, 1)
    with pytest.raises(AssertionError) as caught:
        server.assert_all_used()
    assert "on('/b/c.txt', nth=2): delay=1" in str(caught.value)
    assert "on('/b/c.txt'): no fault" in str(caught.value)
    assert "a.bin" not in str(caught.value)


Mistake = Callable[[MemoryServer], Any]
MISTAKES: list[tuple[Mistake, str]] = [
    # No such thing.
    (lambda s: s.on("/a.bim"), "no such file"),
    (lambda s: s.on("/x*.bin"), "no file is like that"),
    (lambda s: s.on("a.bin"), "starts with a slash"),
    (lambda s: s.on("/a%20b"), "without escapes"),
    # Numbers.
    (lambda s: s.on("/a.bin", nth=0), "counted from 1"),
    (lambda s: s.on("/a.bin", nth=()), "no number"),
    (lambda s: s.on("/a.bin", first=0), "at least 1"),
    (lambda s: s.on("/a.bin", after=0), "at least 1"),
    (lambda s: s.on("/a.bin", first=1, after=1), "first and after: only one"),
    # Offsets.
    (lambda s: s.on("/a.bin").truncate(len(A)), "has only 1024 octets"),
    (lambda s: s.on("/a.bin").truncate(-1), "from 0"),
    (lambda s: s.on("/a.bin").reset(2000), "has only 1024 octets"),
    (lambda s: s.on("/a.bin").pause(1024, 1), "has only 1024 octets"),
    (lambda s: s.on("/a.bin").pause(5, 1).pause(5, 2), "two pauses at octet 5"),
    (lambda s: s.on("/a.bin").corrupt(1024), "has only 1024 octets"),
    (lambda s: s.on("/a.bin").status(500, body="abc").truncate(3), "has only 3 octets"),
    (lambda s: s.on("/a.bin").truncate(5).pause(6, 1), "octet 6 is never sent"),
    (lambda s: s.on("/a.bin").corrupt(5).truncate(5), "octet 5 is never sent"),
    # Contradictions.
    (lambda s: s.on("/a.bin").truncate(5).reset(5), "said twice"),
    (lambda s: s.on("/a.bin").delay(1).delay(1), "said twice"),
    (lambda s: s.on("/a.bin").status(500).redirect("/"), "said twice"),
    (lambda s: s.on("/a.bin").status(500).gzip(), "two kinds of content"),
    (lambda s: s.on("/a.bin").chunked().content_length(1), "two kinds of framing"),
    (lambda s: s.on("/a.bin").until_close().chunked(), "two kinds of framing"),
    (lambda s: s.on("/a.bin").ignore_range().shift_range(1), "two kinds of answer to Range"),
    (lambda s: s.on("/a.bin").close().field("A", "b"), "no answer to which"),
    (lambda s: s.on("/a.bin").garbage().truncate(1), "no answer to which"),
    (lambda s: s.on("/a.bin").chunked("size").truncate(5), "chunks that break"),
    # Values.
    (lambda s: s.on("/a.bin").status(99), "from 200"),
    (lambda s: s.on("/a.bin").redirect("/", 200), "not a redirect"),
    (lambda s: s.on("/a.bin").inform(101), "not informational"),
    (lambda s: s.on("/a.bin").inform(200), "not informational"),
    (lambda s: s.on("/a.bin").delay(-1), "past"),
    (lambda s: s.on("/a.bin").drip(0), "more than 0"),
    (lambda s: s.on("/a.bin").drip(1, piece=0), "at least 1"),
    (lambda s: s.on("/a.bin").refuse_for(0), "more than 0"),
    (lambda s: s.on("/a.bin").content_length(0), "would be right"),
    (lambda s: s.on("/a.bin").chunked("nonsense"), "one of crlf, end, huge"),
    (lambda s: s.on("/a.bin").gzip("nonsense"), "one of checksum, cut, data"),
    (lambda s: s.on("/a.bin").field("A b", "c"), "no field name"),
    (lambda s: s.on("/a.bin").field("A", "c\r\nd"), "more than one line"),
    (lambda s: s.on("/a.bin").field("A", "\u20ac"), "can't be sent"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_found_at_once(server: MemoryServer, mistake: Mistake, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        mistake(server)


@pytest.mark.parametrize("earlier", ["/a.bin", "*.bin", "*"])
def test_a_rule_behind_one_that_takes_all(server: MemoryServer, earlier: str) -> None:
    server.on(earlier).delay(1)
    with pytest.raises(ScriptError, match=r"would never be used: on\("):
        server.on("/a.bin", nth=2)


@pytest.mark.parametrize("when", [{"nth": 1}, {"method": "HEAD"}, {"where": lambda entry: True}])
def test_a_rule_behind_one_that_takes_some(server: MemoryServer, when: dict[str, Any]) -> None:
    server.on("/a.bin", **when).delay(1)
    assert isinstance(server.on("/a.bin", nth=2), Rule)


def test_not_more_rules_than_anybody_needs(server: MemoryServer) -> None:
    server.add(*[on("/a.bin", nth=n).delay(1) for n in range(1, 1001)])
    with pytest.raises(ScriptError, match="more than 1000"):
        server.on("/a.bin")


def test_what_was_refused_stands_in_nobodys_way() -> None:
    script = Script({"/a": 3}.get, lambda _: False)
    place = script.add(on("/a"))
    with pytest.raises(ScriptError, match="only 3 octets"):
        script.replace(place, on("/a").truncate(99))
    script.add(on("/a").truncate(1))
    assert script.unused() == ["on('/a'): no fault", "on('/a'): close at 1"]
