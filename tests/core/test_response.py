"""How a response is written, and what a refusal says."""

import re

import pytest

from tests.support import render_head
from tinyhttp.core.response import REASONS, Refused, Response, plain_text
from tinyhttp.core.rules import DIALECTS, Dialect

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_head() -> None:
    """RFC 9112 sections 4 and 5; nothing stands in it twice."""
    response = Response(206, [(b"ETag", b'"a"'), (b"Content-Range", b"bytes 0-4/31")], b"hello", 5)
    assert render_head(response, DATE) == (
        b"HTTP/1.1 206 Partial Content\r\n"
        b"Server: tinyhttp\r\n"
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        b'ETag: "a"\r\n'
        b"Content-Range: bytes 0-4/31\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_connection_is_said_if_there_is_something_to_say(connection: bytes) -> None:
    head = render_head(Response(200, [], b"", 0), DATE, connection)
    assert head.endswith(b"Content-Length: 0\r\nConnection: " + connection + b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_no_length_where_none_may_be_sent(status: int) -> None:
    """RFC 9110 section 8.6."""
    assert b"Content-Length" not in render_head(Response(status, [], length=None), DATE)


def test_an_empty_body_has_a_length_all_the_same() -> None:
    """RFC 9112 section 6.3: without one the client would wait for the connection to close."""
    assert b"\r\nContent-Length: 0\r\n" in render_head(Response(200, []), DATE)


@pytest.mark.parametrize("status", sorted(REASONS))
def test_every_status_line_is_well_formed(status: int) -> None:
    head = render_head(Response(status, []), DATE)
    assert re.match(rb"HTTP/1\.1 %d [A-Z][A-Za-z -]+\r\nServer: " % status, head)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, b"OK"),
        (204, b"No Content"),
        (206, b"Partial Content"),
        (301, b"Moved Permanently"),
        (302, b"Found"),
        (303, b"See Other"),
        (304, b"Not Modified"),
        (307, b"Temporary Redirect"),
        (308, b"Permanent Redirect"),
        (400, b"Bad Request"),
        (403, b"Forbidden"),
        (404, b"Not Found"),
        (405, b"Method Not Allowed"),
        (406, b"Not Acceptable"),
        (408, b"Request Timeout"),
        (412, b"Precondition Failed"),
        (413, b"Content Too Large"),
        (414, b"URI Too Long"),
        (416, b"Range Not Satisfiable"),
        (417, b"Expectation Failed"),
        (421, b"Misdirected Request"),
        (429, b"Too Many Requests"),
        (431, b"Request Header Fields Too Large"),
        (500, b"Internal Server Error"),
        (501, b"Not Implemented"),
        (503, b"Service Unavailable"),
        (505, b"HTTP Version Not Supported"),
    ],
)
def test_reasons_are_those_of_the_rfc(status: int, reason: bytes) -> None:
    """RFC 9110 section 15; 431 is RFC 6585's. The library's phrases vary with Python's version."""
    head = render_head(Response(status, []), DATE)
    assert head.startswith(b"HTTP/1.1 %d %s\r\n" % (status, reason))


def test_an_error_has_a_short_body_for_people() -> None:
    response = plain_text(404)
    assert response.body == b"404 Not Found\n"
    assert response.length == 14
    assert dict(response.fields) == {
        b"Content-Type": b"text/plain; charset=utf-8",
        b"X-Content-Type-Options": b"nosniff",
    }


def test_and_may_say_more() -> None:
    response = plain_text(416, "Too short.", [(b"Content-Range", b"bytes */31")])
    assert response.body == b"416 Range Not Satisfiable\nToo short.\n"
    assert response.length == 37
    assert dict(response.fields)[b"Content-Range"] == b"bytes */31"


def test_a_refusal_stands_for_a_response() -> None:
    refused = Refused(405, "Not here.", [(b"Allow", b"GET")])
    assert (refused.status, refused.detail) == (405, "Not here.")
    assert refused.response() == plain_text(405, "Not here.", [(b"Allow", b"GET")])


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_whatever_a_rule_may_say_has_a_status_line(dialect: Dialect) -> None:
    for status in dialect.statuses:
        assert render_head(Response(status, []), DATE).startswith(b"HTTP/1.1 %d " % status)
