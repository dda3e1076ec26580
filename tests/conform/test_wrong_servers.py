"""A server that is wrong in one way fails the case that is about it, and else passes."""

import re
import threading
from collections.abc import Iterator

import pytest

from tinyhttp.conform.cases import find
from tinyhttp.conform.judge import FAILED, PASSED, SKIPPED, Result
from tinyhttp.conform.kit import A_TXT, SECRET
from tinyhttp.conform.place import Unfit, find_place
from tinyhttp.conform.runner import FAILURES_TO_CONNECT, OUT_OF_TIME, Pace, learn, run

from .wrong import CLOSE, Flaw, response, serving

QUICK = Pace(connections=2, rate=10_000, timeout=0.3, total=20)


def results(port: int, *ids: str, pace: Pace = QUICK) -> list[Result]:
    subject = learn(find_place(f"http://127.0.0.1:{port}/"), 0.5)
    assert subject.kit
    return run(subject, [find(id_) for id_ in ids], pace)


def when(pattern: str, change: "Flaw") -> "Flaw":
    """Return a flaw for requests that match; the marker is always right."""
    return lambda head, answer: change(head, answer) if re.search(pattern, head) else answer


def instead(status: int, body: bytes = b"", *fields: str) -> "Flaw":
    return lambda _head, _answer: response(status, body, *fields)


def replaced(old: bytes, new: bytes) -> "Flaw":
    return lambda _head, answer: answer.replace(old, new)


A = r"/a\.txt "
FLAWS: list[tuple[str, str, Flaw]] = [
    ("host-none", "status 200", when(r"^GET /a\.txt HTTP/1\.1\r\n$", instead(200, A_TXT))),
    ("host-two", "status 200", when("Host: b", instead(200, A_TXT))),
    ("field-space-before-colon", "status 200", when("X :", instead(200, A_TXT))),
    ("line-simplest", "another body", when(A, replaced(b"abc", b"abd"))),
    (
        "line-simplest",
        "closed within a body",
        when(
            A, lambda *_: b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 31\r\n\r\nabc"
        ),
    ),
    ("line-simplest", "status line", when(A, replaced(b"HTTP/1.1", b"HTTP/2.0"))),
    ("line-simplest", "no field", when(A, replaced(b"Date:", b"Date :"))),
    (
        "line-simplest",
        "Content-Length beside",
        when(A, replaced(b"Date: ", b"Transfer-Encoding: chunked\r\nX: ")),
    ),
    (
        "line-simplest",
        "says that it closes",
        when(A, replaced(b"Date: ", b"connection: CLOSE\r\nX: ")),
    ),
    (
        "line-simplest",
        "answered with",
        when(A, lambda _, answer: answer + b"HTTP/1.1 200 O\r\nContent-Length: 0\r\n\r\n"),
    ),
    ("line-simplest", "no response within", when(A, lambda *_: b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("line-simplest", "101", when(A, lambda *_: b"HTTP/1.1 101 Now\r\n\r\n")),
    ("line-simplest", "closed without", when(A, lambda *_: b"")),
    (
        "http10-plain",
        "an interim response",
        when("HTTP/1.0", lambda _, a: b"HTTP/1.1 100 C\r\n\r\n" + a),
    ),
    ("http10-plain", "stays open", when("HTTP/1.0", replaced(CLOSE.encode(), b"X: y"))),
    (
        "connection-close",
        "stays open",
        when(
            "Connection: close\r\n$",
            lambda h, a: a if "conform" in h else a.replace(CLOSE.encode(), b"X: y"),
        ),
    ),
    ("connection-persistent", "closed", when(A, replaced(b"Date:", b"Connection: close\r\nDate:"))),
    ("connection-date", "no Date", when(A, replaced(b"Date:", b"X:"))),
    ("method-allow", "no Allow", when("DELETE", replaced(b"Allow", b"X"))),
    ("method-put", "status 200", when("PUT", instead(200))),
    ("method-trace", "X-Secret", when("TRACE", lambda head, _: response(200, head.encode()))),
    ("conditional-inm-tag", "status 200", when("If-None-Match", instead(200, A_TXT))),
    (
        "conditional-inm-other",
        "status 304",
        when("If-None-Match", lambda *_: response(304, b"", length=False)),
    ),
    ("range-first-octet", "Content-Range", when("Range", replaced(b"0-0/31", b"0-1/31"))),
    ("range-first-octet", "status 500", when("Range", instead(500))),
    ("range-head", "status 206", when("^HEAD", instead(206))),
    ("path-none", "status 200", when("/none", instead(200))),
    ("path-dots-neighbour", "outside of what is served", when("outside", instead(200, SECRET))),
    ("path-nul", "status 500", when("%00", instead(500))),
    (
        "directory-two-slashes",
        "Location: //sub/",
        when("sub", instead(301, b"", "Location: //sub/")),
    ),
    (
        "directory-script",
        "as markup",
        when("script", instead(301, b"<script>", "Location: /x", "Content-Type: text/html")),
    ),
    (
        "smuggling-length-and-coding",
        "the next request",
        when("Content-Length: 5", instead(200, A_TXT)),
    ),
    (
        "head-plain",
        "behind the response: no status line",
        when(r"^HEAD /a", lambda _, a: a + A_TXT),
    ),
]


@pytest.fixture(scope="module")
def right_port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.mark.parametrize("id_", sorted({id_ for id_, _, _ in FLAWS}))
def test_without_the_flaw(right_port: int, id_: str) -> None:
    (result,) = results(right_port, id_)
    assert (result.verdict, result.reason) == (PASSED, "")


@pytest.mark.parametrize(("id_", "reason", "flaw"), FLAWS)
def test_with_the_flaw(id_: str, reason: str, flaw: Flaw) -> None:
    with serving(flaw) as port:
        (result,) = results(port, id_)
    assert result.verdict == FAILED
    assert reason in result.reason


def test_an_answer_too_few_behind_a_close_is_no_failure() -> None:
    flaw = when(A, replaced(b"Date:", CLOSE.encode() + b"\r\nDate:"))
    with serving(flaw) as port:
        (result,) = results(port, "connection-pipelined")
    assert (result.verdict, result.reason[:10]) == (SKIPPED, "the server")


def test_an_answer_that_is_not_to_the_second_question() -> None:
    with serving() as port:
        (result,) = results(port, "connection-pipelined")
    assert result.verdict == FAILED, "there is no /page.html"
    assert result.reason == "response 2: status 404"


def test_a_server_without_tags_is_not_asked_about_them() -> None:
    with serving(lambda _, answer: answer.replace(b"ETag", b"X-Tag")) as port:
        (result,) = results(port, "conditional-inm-tag")
    assert (result.verdict, result.reason) == (SKIPPED, "the server sends no ETag")


def test_a_weak_tag_is_no_strong_one() -> None:
    with serving(lambda _, answer: answer.replace(b"ETag: ", b"ETag: W/")) as port:
        asked = results(port, "conditional-im-tag", "conditional-inm-tag")
    assert [result.verdict for result in asked] == [SKIPPED, PASSED]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 100 Wait\r\n\r\n", "no response within 0.2 s"),
        (b"", "closed without a response"),
        (b"HTTP/1.1 OK\r\n\r\n", "no status line"),
    ],
)
def test_who_speaks_no_http_is_not_tested(answer: bytes, why: str) -> None:
    with serving(lambda *_: answer) as port:
        place = find_place(f"http://127.0.0.1:{port}/")
        with pytest.raises(Unfit, match=why):
            learn(place, 0.2)


def test_what_comes_too_late_is_skipped() -> None:
    pace = Pace(connections=1, rate=4, timeout=1, total=0.3)
    with serving() as port:
        asked = results(port, *["line-simplest"] * 5, pace=pace)
    reasons = [result.reason for result in asked]
    assert reasons[0] == ""
    assert reasons[-1] == OUT_OF_TIME


def test_a_server_that_has_gone_is_not_asked_for_ever() -> None:
    with serving() as port:
        subject = learn(find_place(f"http://127.0.0.1:{port}/"), 5)
    asked = run(subject, [find("line-simplest")] * 20, QUICK)
    tried = [result for result in asked if result.verdict == FAILED]
    assert FAILURES_TO_CONNECT <= len(tried) < FAILURES_TO_CONNECT + QUICK.connections
    assert "can't connect" in tried[0].reason


def test_connections_at_the_same_time_are_bounded() -> None:
    lock = threading.Lock()
    now, most = [0], [0]
    gate = threading.Event()

    def flaw(head: str, answer: bytes) -> bytes:
        if "/none" in head:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            gate.wait(0.05)
            with lock:
                now[0] -= 1
        return answer

    with serving(flaw) as port:
        results(port, *["path-none"] * 12, pace=Pace(3, 10_000, 5, 20))
    assert 1 < most[0] <= 3
