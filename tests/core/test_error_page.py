"""What a client sees that gets no file, in three forms."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pages import check_policy, read_page
from tests.core.test_accept import CHROMIUM, FIREFOX, PICTURE
from tinyhttp.core.error_page import ERROR_POLICY, error_body, error_response
from tinyhttp.core.response import REASONS, plain_text

STATUSES = sorted(status for status in REASONS if status >= 300 and status != 304)
EVERY_STATUS = pytest.mark.parametrize("status", STATUSES)

PLAIN_TYPE = b"text/plain; charset=utf-8"
HTML_TYPE = b"text/html; charset=utf-8"
PROBLEM_TYPE = b"application/problem+json"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param(None, PLAIN_TYPE, id="no field"),
        pytest.param(b"*/*", PLAIN_TYPE, id="curl"),
        pytest.param(PICTURE, PLAIN_TYPE, id="a browser, for a picture"),
        pytest.param(b"text/css,*/*;q=0.1", PLAIN_TYPE, id="a browser, for a style"),
        pytest.param(b"image/png", PLAIN_TYPE, id="nothing that there is"),
        pytest.param(b"application/json, text/plain, */*", PLAIN_TYPE, id="axios"),
        pytest.param(CHROMIUM, HTML_TYPE, id="Chromium"),
        pytest.param(FIREFOX, HTML_TYPE, id="Firefox"),
        pytest.param(b"text/html", HTML_TYPE, id="HTML alone"),
        pytest.param(b"application/problem+json", PROBLEM_TYPE, id="problem details"),
        pytest.param(b"application/json", PROBLEM_TYPE, id="any JSON"),
        pytest.param(b"application/json, */*;q=0.5", PROBLEM_TYPE, id="HTTPie"),
        pytest.param(b"text/html;q=0.5, application/json", PROBLEM_TYPE, id="rather JSON"),
    ],
)
def test_form(accept: bytes | None, content_type: bytes) -> None:
    assert error_body(404, "", accept)[0] == content_type


@EVERY_STATUS
@pytest.mark.parametrize("detail", ["", "A sentence of ours."])
def test_plain_text_is_what_it_was(status: int, detail: str) -> None:
    """But for Vary: a cache may keep some of them without being asked to."""
    fields = [(b"Retry-After", b"1")]
    response = error_response(status, detail, fields)
    before = plain_text(status, detail, fields)
    assert (response.status, response.body, response.length) == (status, before.body, before.length)
    assert [one for one in response.fields if one != (b"Vary", b"Accept")] == before.fields


@EVERY_STATUS
def test_a_page(status: int) -> None:
    _, body, fields = error_body(status, "", b"text/html")
    page = read_page(body)
    assert len(body) < 2048
    assert page.tags == {"html", "meta", "title", "style", "main", "b", "h1", "p"}
    assert page.one("title").text == f"{status} {REASONS[status].decode()}"
    assert page.one("b").text == str(status)
    assert page.one("h1").text == REASONS[status].decode()
    assert re.fullmatch(r"[A-Z].+\.", page.one("p").text)
    check_policy(page, fields)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, {b"Vary", b"X-Content-Type-Options"}),
        (b"application/json", {b"Vary", b"X-Content-Type-Options"}),
        (b"text/html", {b"Vary", b"X-Content-Type-Options", b"Content-Security-Policy"}),
    ],
)
def test_fields(accept: bytes | None, expected: set[bytes]) -> None:
    names = [name for name, _ in error_body(404, "", accept)[2]]
    assert sorted(names) == sorted(expected)


def test_what_the_server_says_goes_before_what_is_always_said() -> None:
    body = error_body(403, "That's <not> for you.", b"text/html")[1]
    assert read_page(body).one("p").text == "That's <not> for you."


def test_problem_details() -> None:
    """RFC 9457 section 3.1."""
    body = error_body(404, "Nothing is here.", b"application/json")[1]
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Nothing is here.",
    }


def test_problem_details_without_a_detail() -> None:
    assert "detail" not in json.loads(error_body(404, "", b"application/json")[1])


@given(st.sampled_from(STATUSES), st.text(), st.sampled_from([b"text/html", b"application/json"]))
def test_a_detail_is_text(status: int, detail: str, accept: bytes) -> None:
    body = error_body(status, detail, accept)[1]
    if accept == b"application/json":
        assert json.loads(body).get("detail", "") == detail
    else:
        assert read_page(body).tags == {"html", "meta", "title", "style", "main", "b", "h1", "p"}


def test_the_response_has_all_fields() -> None:
    response = error_response(405, "No.", [(b"Allow", b"GET")], accept=b"text/html")
    assert response.fields[0] == (b"Content-Type", HTML_TYPE)
    assert ERROR_POLICY in response.fields
    assert response.fields[-1] == (b"Allow", b"GET")
    assert isinstance(response.body, bytes)
    assert response.length == len(response.body)
