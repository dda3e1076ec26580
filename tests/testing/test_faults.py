"""Every fault, seen octet by octet, on a clock."""

import gzip
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import Factory

from tests.support import get
from tinyhttp.testing import MemoryServer, ScriptError, generated, on
from tinyhttp.testing.faults import BROKEN_CHUNKS, BROKEN_GZIP, Faults
from tinyhttp.testing.rules import Rule

from .wires import A, Wire, ask, connected, memory


def dechunked(body: bytes) -> bytes | None:
    """Return what well-formed chunks hold; ``None`` if they are not."""
    octets = b""
    while m := re.match(rb"([0-9a-f]{1,8})\r\n", body):
        size, body = int(m[1], 16), body[m.end() :]
        if not size:
            return octets if body == b"\r\n" else None
        if body[size : size + 2] != b"\r\n":
            return None
        octets, body = octets + body[:size], body[size + 2 :]
    return None


def test_without_a_rule_it_is_the_real_server(server: MemoryServer) -> None:
    wire = ask(server)
    assert (wire.status, wire.body, wire.end) == (200, A, None)
    assert wire.field("Accept-Ranges") == ["bytes"]
    (tag,) = wire.field("ETag")
    assert ask(server, "/a.bin", f"If-None-Match: {tag}").status == 304
    part = ask(server, "/a.bin", "Range: bytes=10-19")
    assert (part.status, part.body) == (206, A[10:20])
    assert ask(server, "/missing").status == 404
    assert connected(server).send(b"nonsense\r\n\r\n").status == 400
    assert [e.status for e in server.journal.entries] == [200, 304, 206, 404, 400]


def test_tags_and_dates_are_the_same_in_every_run(server: MemoryServer) -> None:
    with memory() as another:
        assert ask(server).received == ask(another).received


# Answers.


def test_status(server: MemoryServer) -> None:
    server.on("/a.bin", first=1).status(503, retry_after=7, reason="Tired", body="later")
    wire = connected(server).send(get("/a.bin"))
    assert wire.head.startswith("HTTP/1.1 503 Tired\r\n")
    assert (wire.field("Retry-After"), wire.body) == (["7"], b"later")
    wire.received.clear()
    assert wire.send(get("/a.bin")).status == 200
    server.assert_all_used()


def test_a_redirect_loop(server: MemoryServer) -> None:
    server.on("/a.bin").redirect("/a.bin", 307)
    wire = ask(server)
    assert (wire.status, wire.field("Location")) == (307, ["/a.bin"])


def test_informational_responses_come_first(server: MemoryServer) -> None:
    server.on("/a.bin").inform(100).inform(103, [("Link", "</style.css>; rel=preload")])
    wire = ask(server)
    assert wire.received.startswith(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
    )


def test_not_to_an_old_client(server: MemoryServer) -> None:
    server.on("/a.bin").inform(103).chunked()
    wire = connected(server).send(get("/a.bin", version="1.0"))
    assert (wire.status, wire.body, wire.end) == (200, A, "ConnectionDone")
    assert wire.field("Transfer-Encoding") == []


@pytest.mark.parametrize("octets", [None, b"", b"SSH-2.0-x\r\n"])
def test_garbage(server: MemoryServer, octets: bytes | None) -> None:
    rule = server.on("/a.bin")
    _ = rule.garbage() if octets is None else rule.garbage(octets)
    wire = ask(server)
    assert wire.end == "ConnectionDone"
    assert not wire.received.startswith(b"HTTP")
    assert octets is None or wire.received == octets
    assert server.journal.last.status is None


# Fields.


def test_fields(server: MemoryServer) -> None:
    rule = server.on("/a.bin").field("content-type", "x/y").drop_field("ETag")
    rule.add_field("Accept-Ranges", "none").field("X-New", "é")
    wire = ask(server)
    assert wire.field("Content-Type") == ["x/y"]
    assert wire.field("ETag") == []
    assert wire.field("Accept-Ranges") == ["bytes", "none"]
    assert wire.field("X-New") == ["é"]


def test_a_tag_that_flaps(server: MemoryServer) -> None:
    server.on("/a.bin").flap_etag()
    tags = [ask(server).field("ETag")[0] for _ in range(3)]
    assert len(set(tags)) == 3
    again = ask(server, "/a.bin", f"If-None-Match: {tags[0]}")
    assert again.status == 200
    resumed = ask(server, "/a.bin", "Range: bytes=9-", f"If-Range: {tags[0]}")
    assert (resumed.status, resumed.body) == (200, A)


# Ranges and conditions.


def test_ranges_that_are_ignored(server: MemoryServer) -> None:
    server.on("/a.bin").ignore_range()
    wire = ask(server, "/a.bin", "Range: bytes=10-19")
    assert (wire.status, wire.body) == (200, A)


@pytest.mark.parametrize(
    ("asked", "by", "span"),
    [
        ("bytes=10-19", 5, (15, 25)),
        ("bytes=10-", -3, (7, len(A))),
        ("bytes=1-5", -9, (0, 1)),
        ("bytes=-5", 9, (len(A) - 5, len(A))),
    ],
)
def test_ranges_that_are_wrong(
    server: MemoryServer, asked: str, by: int, span: tuple[int, int]
) -> None:
    server.on("/a.bin").shift_range(by)
    wire = ask(server, "/a.bin", f"Range: {asked}")
    start, stop = span
    assert (wire.status, wire.body) == (206, A[start:stop])
    assert wire.field("Content-Range") == [f"bytes {start}-{stop - 1}/{len(A)}"]


def test_conditions_that_are_ignored(server: MemoryServer) -> None:
    (tag,) = ask(server).field("ETag")
    server.on("/a.bin").ignore_conditions()
    assert ask(server, "/a.bin", f"If-None-Match: {tag}").status == 200


# Time.


def test_a_delay(server: MemoryServer) -> None:
    server.on("/a.bin").delay(2.5)
    wire = ask(server)
    server.clock.advance(2.4)
    assert wire.received == b""
    server.clock.advance(0.2)
    assert wire.body == A
    assert server.journal.last.duration == pytest.approx(2.6)


def test_pauses(server: MemoryServer) -> None:
    server.on("/a.bin").pause(0, 1).pause(100, 5).pause(200, 5)
    wire = ask(server)
    assert (wire.status, wire.body) == (200, b"")
    for seconds, so_far in [(1, 100), (4, 100), (1, 200), (5, len(A))]:
        server.clock.advance(seconds)
        assert wire.body == A[:so_far]


def test_dripping(server: MemoryServer) -> None:
    server.on("/a.bin").drip(100, piece=10)
    wire = ask(server)
    for tenths in range(1, 30):
        assert wire.body == A[: 10 * tenths]
        server.clock.advance(0.1)
    server.clock.pump([0.1] * 100)
    assert (wire.body, wire.end) == (A, None)


@pytest.mark.parametrize("rate", [0.5, 1, 19, 1000, 10**9])
def test_a_rate_is_kept(server: MemoryServer, rate: float) -> None:
    server.on("/a.bin").drip(rate)
    ask(server)
    while not server.journal.last.ended:
        next_one = min(call.getTime() for call in server.clock.getDelayedCalls())
        server.clock.advance(next_one - server.clock.seconds())
    assert server.journal.last.duration == pytest.approx(len(A) / rate, rel=1e-3, abs=1e-4)


def test_a_stalled_response_outlives_every_time_limit(server: MemoryServer) -> None:
    server.on("/a.bin").stall(at=10)
    wire = ask(server)
    server.clock.pump([30] * 20)
    assert (wire.body, wire.end) == (A[:10], None)
    assert not server.journal.last.ended


# Ends.


@pytest.mark.parametrize(
    ("rule", "octets", "end"),
    [
        (on("/a.bin").truncate(0), 0, "ConnectionDone"),
        (on("/a.bin").truncate(100), 100, "ConnectionDone"),
        (on("/a.bin").reset(0), 0, "ConnectionLost"),
        (on("/a.bin").reset(100), 100, "ConnectionLost"),
        (on("/a.bin").reset(len(A)), len(A), "ConnectionLost"),
        (on("/a.bin").stall(0), 0, None),
        (on("/a.bin").stall(100), 100, None),
        (on("/a.bin").stall(len(A)), len(A), None),
    ],
    ids=str,
)
def test_an_early_end(server: MemoryServer, rule: Rule, octets: int, end: str | None) -> None:
    server.add(rule)
    wire = ask(server)
    assert (wire.status, wire.body, wire.end) == (200, A[:octets], end)
    assert wire.field("Content-Length") == [str(len(A))]
    assert server.journal.last.octets == octets


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        (on("/a.bin").close(), "ConnectionDone"),
        (on("/a.bin").reset(), "ConnectionLost"),
        (on("/a.bin").stall(), None),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_answer(server: MemoryServer, rule: Rule, end: str | None, method: str) -> None:
    server.add(rule)
    wire = ask(server, method=method)
    assert (bytes(wire.received), wire.end) == (b"", end)
    assert server.journal.last.status is None


def test_an_end_that_a_part_does_not_reach(server: MemoryServer) -> None:
    server.on("/a.bin").truncate(100)
    wire = ask(server, "/a.bin", "Range: bytes=0-9")
    assert (wire.status, wire.body, wire.end) == (206, A[:10], None)
    assert ask(server, "/a.bin", "Range: bytes=500-").body == A[500:600]


# The body.


@pytest.mark.parametrize("off_by", [10, -10])
def test_a_wrong_length(server: MemoryServer, off_by: int) -> None:
    server.on("/a.bin").content_length(off_by=off_by)
    wire = ask(server)
    assert wire.field("Content-Length") == [str(len(A) + off_by)]
    assert wire.body == A
    assert wire.end == ("ConnectionDone" if off_by > 0 else None)


def test_chunks(server: MemoryServer) -> None:
    server.on("/a.bin").chunked()
    wire = ask(server)
    assert wire.field("Transfer-Encoding") == ["chunked"]
    assert wire.field("Content-Length") == []
    assert (dechunked(wire.body), wire.end) == (A, None)


@pytest.mark.parametrize("broken", sorted(BROKEN_CHUNKS))
@pytest.mark.parametrize("content", [A, b"x"], ids=["long", "short"])
def test_broken_chunks(broken: str, content: bytes) -> None:
    with memory({"/a.bin": content}) as server:
        server.on("/a.bin").chunked(broken=broken)
        wire = ask(server)
        assert dechunked(wire.body) is None
        assert wire.end == "ConnectionDone"
        if len(content) > 1:
            assert A[: len(A) // 2] in wire.body


def test_until_the_end_of_the_connection(server: MemoryServer) -> None:
    server.on("/a.bin").until_close()
    wire = ask(server)
    assert wire.field("Content-Length") == wire.field("Transfer-Encoding") == []
    assert wire.field("Connection") == ["close"]
    assert (wire.body, wire.end) == (A, "ConnectionDone")


def test_an_octet_that_is_wrong(server: MemoryServer) -> None:
    server.on("/a.bin").corrupt(at=5)
    body = ask(server).body
    assert [n for n in range(len(A)) if body[n] != A[n]] == [5]


def test_gzip(server: MemoryServer) -> None:
    server.on("/a.bin").gzip()
    wire = ask(server)
    assert wire.field("Content-Encoding") == ["gzip"]
    assert wire.field("Content-Length") == [str(len(wire.body))]
    assert gzip.decompress(wire.body) == A


@pytest.mark.parametrize("broken", sorted(BROKEN_GZIP))
def test_broken_gzip(server: MemoryServer, broken: str) -> None:
    server.on("/a.bin").gzip(broken=broken)
    wire = ask(server)
    assert wire.field("Content-Length") == [str(len(wire.body))]
    with pytest.raises((zlib.error, EOFError, gzip.BadGzipFile)):
        gzip.decompress(wire.body)


def test_head_has_the_faults_of_a_head(server: MemoryServer) -> None:
    server.on("/a.bin").chunked(broken="size").field("X", "y").delay(1)
    wire = ask(server, method="HEAD")
    server.clock.advance(1)
    assert (wire.body, wire.field("X")) == (b"", ["y"])


# Refusing.


def test_connections_are_refused_for_a_while(server: MemoryServer) -> None:
    server.on("/a.bin", nth=1).close().refuse_for(10)
    ask(server)
    failed: list[object] = []
    _ = server.endpoint.connect(Factory.forProtocol(Wire)).addErrback(failed.append)
    assert len(failed) == 1
    server.clock.advance(10)
    assert ask(server).status == 200


# Together.


def test_faults_go_together(server: MemoryServer) -> None:
    server.on("/a.bin").inform(103).delay(1).field("X", "y").chunked().pause(100, 1).drip(
        1000, piece=100
    )
    wire = ask(server)
    server.clock.pump([0.1] * 40)
    final = bytes(wire.received).partition(b"\r\n\r\n")[2]
    assert b"X: y\r\n" in final
    assert dechunked(final.partition(b"\r\n\r\n")[2]) == A


@given(
    at=st.integers(0, len(A) - 1),
    pauses=st.dictionaries(st.integers(0, len(A) - 1), st.floats(0.01, 3), max_size=4),
    piece=st.integers(1, 2000),
    chunked=st.booleans(),
)
def test_an_end_is_at_its_octet_whatever_else_is_done(
    at: int, pauses: dict[int, float], piece: int, chunked: bool
) -> None:
    with memory() as server:
        rule = server.on("/a.bin").truncate(at).drip(1000, piece)
        if chunked:
            rule = rule.chunked()
        for place, seconds in pauses.items():
            if place <= at:
                rule = rule.pause(place, seconds)
        wire = ask(server)
        server.clock.pump([0.5] * 50)
        while not server.journal.last.ended:
            server.clock.advance(0.5)
        assert wire.end == "ConnectionDone"
        assert server.journal.last.octets == at
        if not chunked:
            assert wire.body == A[:at]


def test_a_client_that_leaves_in_the_middle(server: MemoryServer) -> None:
    server.on("/a.bin").drip(10)
    wire = ask(server)
    server.clock.advance(1)
    wire.transport.abortConnection()
    assert server.journal.last.ended
    assert server.journal.last.octets < len(A)


def test_a_client_that_does_not_read() -> None:
    with memory({"/big": generated(3_000_000)}) as server:
        wire = connected(server)
        wire.transport.pauseProducing()
        wire.send(get("/big"))
        assert server.journal.last.octets < 300_000
        wire.transport.resumeProducing()
        assert wire.body == generated(3_000_000).octets()
        assert server.journal.last.ended


def test_a_description_survives_the_way_to_another_process() -> None:
    rule = (
        on("/a", nth=(1, 3), fields={"Range": "*"}, method="GET")
        .field("A", "é").inform(103, [("B", "c")]).pause(3, 1.5).truncate(9).delay(1)
    )  # fmt: skip
    assert Rule.from_plain(rule.plain()) == rule
    said = Faults(body=b"\xff\x00", status=500)
    assert Faults.from_plain(said.plain()) == said


def test_a_function_does_not() -> None:
    with pytest.raises(ScriptError, match="function can't be sent"):
        on("/a", where=lambda entry: True).plain()
