"""What has arrived: heads are taken out whole, bodies are dropped, and what is new is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import get
from tinyhttp.core.request import HeadReader, Limits, Request, parse
from tinyhttp.core.response import Refused
from tinyhttp.server.arrivals import Arrivals


def incoming(data: bytes = b"", **limits: int) -> Arrivals:
    incoming = Arrivals(HeadReader(Limits(**limits)), Limits(**limits))
    incoming.buffer += data
    return incoming


def request(*fields: str) -> Request:
    taken = incoming(get("/", *fields)).take_head(False)
    assert taken is not None
    return parse(taken)


def test_one_head_after_another() -> None:
    waiting = incoming(get("/a") + get("/b") + b"GET /c")
    heads = [waiting.take_head(False) for _ in range(3)]
    assert [head and head.decisive[0] for head in heads] == [
        b"GET /a HTTP/1.1",
        b"GET /b HTTP/1.1",
        None,
    ]
    assert waiting.buffer == b"GET /c"
    assert waiting.first_line() == b"GET /c"


def test_what_is_new_of_a_head() -> None:
    waiting = incoming()
    assert waiting.take_head(False) is None
    assert not waiting.has_begun
    news: list[tuple[int, bool]] = []
    for piece in (b"GET ", b"/ HTTP", b"", b"/1.1\r\nHost"):
        waiting.buffer += piece
        assert waiting.take_head(False) is None
        assert waiting.has_begun
        news.append((waiting.news, waiting.is_new))
    assert news == [(4, True), (6, False), (0, False), (10, False)]
    waiting.buffer += b": x\r\n\r\nG"
    assert waiting.take_head(False) is not None
    assert not waiting.has_begun
    assert waiting.take_head(False) is None
    assert (waiting.news, waiting.is_new) == (1, True)


def test_one_empty_line_is_forgiven() -> None:
    waiting = incoming(b"\r")
    assert waiting.take_head(False) is None
    assert not waiting.has_begun, "of a head nothing has come"
    waiting.buffer += b"\n"
    assert waiting.take_head(False) is None
    assert not waiting.buffer
    waiting.buffer += b"\r\n" + get()
    with pytest.raises(Refused):
        waiting.take_head(False)


def test_a_lone_cr_that_nothing_follows() -> None:
    with pytest.raises(Refused):
        incoming(b"\r").take_head(True)


@pytest.mark.parametrize(
    ("fields", "worth_it"),
    [
        (("Content-Length: 10",), True),
        (("Content-Length: 11",), False),
        (("Transfer-Encoding: chunked",), True),
        (("Content-Length: 5", "Expect: 100-continue"), False),
    ],
)
def test_which_bodies_are_worth_waiting_for(fields: tuple[str, ...], worth_it: bool) -> None:
    waiting = incoming(body=10)
    assert waiting.start_body(request(*fields)) is worth_it


def test_a_body_that_becomes_too_long() -> None:
    waiting = incoming(b"5\r\nabcde\r\n", body=15)
    assert waiting.start_body(request("Transfer-Encoding: chunked"))
    assert not waiting.drop_body()
    assert not waiting.is_too_long
    waiting.buffer += b"5\r\n"
    waiting.drop_body()
    assert waiting.is_too_long


@given(st.lists(st.integers(1, 20), max_size=10), st.integers(1, 60))
def test_a_body_in_any_cutting(cuts: list[int], length: int) -> None:
    waiting = incoming(body=100)
    assert waiting.start_body(request(f"Content-Length: {length}"))
    data = bytes(length) + b"GET"
    dropped = 0
    for cut in [*cuts, len(data)]:
        waiting.buffer += data[:cut]
        data = data[cut:]
        ended = waiting.drop_body()
        dropped += waiting.news
        assert ended is (dropped == length)
        if ended:
            break
    assert dropped == length
    assert waiting.buffer + data == b"GET"
