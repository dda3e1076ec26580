"""Every row of the table of the wire, run in every way that a client could send it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import Answer, Client, get, make_server, read_answers
from tinyhttp.server.server import Server

from .wire_table import A_TXT, CASES, Case, write_site

FIELDS = frozenset(
    (
        *("Server", "Date", "Connection", "Allow", "Location", "Vary", "X-Content-Type-Options"),
        *("ETag", "Last-Modified", "Accept-Ranges", "Content-Range", "Content-Type"),
        *("Content-Encoding", "Content-Length"),
    )
)
"""Every field that may ever be sent. An injected one would be another."""

VISIBLE = re.compile(r"[\x20-\x7e]+")

every_case = pytest.mark.parametrize("case", CASES, ids=str)
that_stays_open = pytest.mark.parametrize("case", [c for c in CASES if c.stays_open], ids=str)
as_head = pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.request.startswith((b"GET ", b"\r\nGET ")) and not c.exact],
    ids=str,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("wire"))


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    """One server for all rows: what it remembers of one must not change the answer to another."""
    server = make_server(site)
    yield server
    _ = server.stop()


def send_in_pieces(server: Server, data: bytes, cuts: Sequence[int]) -> Client:
    client = Client(server)
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        client.send(data[start:stop])
    return client


def the_answer(data: bytes, *, bodiless: bool = False) -> Answer:
    (answer,) = read_answers(data, [0] if bodiless else [])
    return answer


def without_detail(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without the words for a person.

    Which of several faults an error names may depend on the one that arrived first.
    """
    if answer.status < 400:
        return answer.status, answer.fields, answer.body
    return answer.status, [f for f in answer.fields if f[0] != "Content-Length"], b""


def check(case: Case, answer: Answer) -> None:
    assert answer.status == case.status
    for name, value in case.fields.items():
        assert answer.get(name) == value, name
    if case.body is not None:
        assert answer.body == case.body


def check_head(answer: Answer) -> None:
    """Nothing of a request can have got into the head but what belongs there."""
    for name, value in answer.fields:
        assert name in FIELDS
        assert VISIBLE.fullmatch(value), name
        assert "<" not in value
        assert ">" not in value
    assert len({name for name, _ in answer.fields}) == len(answer.fields), "a field sent twice"
    assert answer["Date"] == "Mon, 21 Sep 2026 14:13:20 GMT"


@every_case
def test_whole(server: Server, case: Case) -> None:
    client = Client(server).send(case.request)
    answer = the_answer(client.received)
    check(case, answer)
    check_head(answer)
    assert client.ended is not case.stays_open
    assert (answer.get("Connection") == "close") is not case.stays_open
    assert b"<script" not in client.received


@pytest.mark.parametrize(
    "case",
    [pytest.param(c) for c in CASES],
    ids=str,
)
def test_octet_by_octet(server: Server, case: Case) -> None:
    whole = Client(server).send(case.request)
    client = Client(server).send(case.request, piece=1)
    assert without_detail(the_answer(client.received)) == without_detail(the_answer(whole.received))
    assert client.ended is not case.stays_open


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([c for c in CASES if not c.exact]), st.data())
def test_in_any_cutting(server: Server, case: Case, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(case.request)), max_size=6).map(sorted)
    client = send_in_pieces(server, case.request, data.draw(places))
    answer = the_answer(client.received)
    check(case, answer)
    check_head(answer)
    assert client.ended is not case.stays_open


@every_case
def test_remembered(site: Path, case: Case) -> None:
    """What is remembered of a path changes nothing that a client could see."""
    server = make_server(site)
    looked_up = Client(server).send(case.request)
    remembered = Client(server).send(case.request)
    assert looked_up.received == remembered.received
    _ = server.stop()


@that_stays_open
def test_three_in_a_row(server: Server, case: Case) -> None:
    once = Client(server).send(case.request)
    thrice = Client(server).send(case.request * 3)
    assert thrice.received == once.received * 3
    assert not thrice.ended


@every_case
def test_behind_another_request(server: Server, case: Case) -> None:
    first = Client(server).send(get("/sub/"))
    alone = Client(server).send(case.request)
    behind = Client(server).send(get("/sub/") + case.request)
    assert behind.received == first.received + alone.received
    assert behind.ended is not case.stays_open


@that_stays_open
def test_before_another_request(server: Server, case: Case) -> None:
    """Whatever was wrong with it, the next request begins where this one ended."""
    client = Client(server).send(case.request).send(get("/a.txt"))
    answers = client.answers()
    assert [answer.status for answer in answers] == [case.status, 200]
    assert answers[1].body == A_TXT


@as_head
def test_as_head(server: Server, case: Case) -> None:
    """HEAD is GET without the body, errors included; but Range is for GET alone."""
    request = case.request.replace(b"GET ", b"HEAD ", 1)
    client = Client(server).send(request)
    head = client.received
    assert head.endswith(b"\r\n\r\n")
    answer = the_answer(head, bodiless=True)
    check_head(answer)
    if case.head_status is None:
        whole = Client(server).send(case.request).received
        assert head == whole[: whole.index(b"\r\n\r\n") + 4]
    else:
        assert answer.status == case.head_status
        without = b"\r\n".join(x for x in case.request.split(b"\r\n") if x[:5] != b"Range")
        assert head == Client(server).send(without.replace(b"GET", b"HEAD")).received
    assert client.ended is not case.stays_open


@as_head
def test_as_head_octet_by_octet(server: Server, case: Case) -> None:
    request = case.request.replace(b"GET ", b"HEAD ", 1)
    client = Client(server).send(request, piece=1)
    answer = the_answer(client.received, bodiless=True)
    assert answer.status == (case.head_status or case.status)
    assert client.ended is not case.stays_open
