"""What h11 refuses as a request we refuse too, and what both accept both understand alike.

h11 is a parser by other people with other ideas about leniency. Where it is the more lenient one
(bare LF, obs-fold, control octets, lists of Content-Length) nothing follows; where it is the
stricter one, either we are wrong or there is a reason, which `EXCEPTIONS` gives.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import parse
from tinyhttp.core.body import body_of
from tinyhttp.core.request import Limits, Request, find_head_end
from tinyhttp.core.response import Refused

REFUSED: Final = "refused"
INCOMPLETE: Final = "incomplete"
Failure: TypeAlias = Literal["refused", "incomplete"]


@dataclass
class Message:
    """What a parser has understood."""

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    rest: bytes
    """What it takes for the beginning of the next request."""


OF_USE = frozenset(
    b"accept-encoding connection content-length expect host if-match if-modified-since "
    b"if-none-match if-range if-unmodified-since range referer transfer-encoding "
    b"user-agent".split()
)


def joined(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return those that have a bearing on our answers; the others are checked and dropped."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        if name in OF_USE:
            values.setdefault(name, []).append(value)
    return {name: b", ".join(lines) for name, lines in values.items()}


def as_h11_reads(data: bytes) -> Message | Failure:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = None
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return INCOMPLETE
            if isinstance(event, h11.Request):
                request = event
    except h11.RemoteProtocolError:
        return REFUSED
    assert request is not None
    rest, _ = connection.trailing_data
    return Message(request.method, request.target, joined(request.headers), rest)


def as_we_read(data: bytes) -> tuple[Message | Failure, Request | None]:
    """Return what we make of ``data``, and the head of it if that is well-formed."""
    request = None
    try:
        end = find_head_end(data, 0, Limits())
        if end < 0:
            return INCOMPLETE, None
        request = parse(data[:end], Limits())
        rest = bytearray(data[end:])
        if not body_of(request).drop(rest):
            return INCOMPLETE, request
    except Refused:
        return REFUSED, request
    method, target, _ = request.line.split(b" ")
    return Message(method, target, request.fields, bytes(rest)), request


@dataclass
class Stricter:
    """Something that h11 refuses and we do not."""

    reason: str
    example: bytes
    applies: Callable[[Request, bytes], bool]
    """To a head that we accept, and the octets behind it."""


EXCEPTIONS = {
    "white space before a chunk extension": Stricter(
        "RFC 9112 section 7.1.1 has BWS there, and RFC 9110 section 5.6.3 says that a recipient "
        "MUST parse for BWS. h11 wants the semicolon right behind the size.",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0 ;a=b\r\n\r\n",
        lambda _, body: re.search(rb"(?:\A|\n)[0-9A-Fa-f]+[ \t]+;", body) is not None,
    ),
    "framing fields as trailers": Stricter(
        "RFC 9110 section 6.5.1: such fields mean nothing in a trailer section, and we drop "
        "trailers unread. h11 checks their values as if they framed something.",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nTransfer-Encoding: gzip\r\nContent-Length: x\r\n\r\n",
        lambda request, body: (
            request.body_length is None
            and re.search(rb"(?i)\n(?:content-length|transfer-encoding):", body) is not None
        ),
    ),
}


def check(data: bytes) -> None:
    theirs = as_h11_reads(data)
    ours, request = as_we_read(data)
    if theirs == REFUSED and ours != REFUSED:
        assert request is not None, "h11 sees more than we do in an incomplete head"
        body = data[find_head_end(data, 0, Limits()) :]
        assert any(exception.applies(request, body) for exception in EXCEPTIONS.values())
    if isinstance(theirs, Message) and isinstance(ours, Message):
        # h11 writes this one in lower case.
        if b"transfer-encoding" in ours.fields:
            ours.fields[b"transfer-encoding"] = ours.fields[b"transfer-encoding"].lower()
        assert ours == theirs


@pytest.mark.parametrize("exception", EXCEPTIONS.values(), ids=EXCEPTIONS.keys())
def test_every_exception_is_still_one(exception: Stricter) -> None:
    assert as_h11_reads(exception.example) == REFUSED
    ours, request = as_we_read(exception.example)
    assert isinstance(ours, Message)
    assert ours.rest == b""
    assert request is not None
    body = exception.example.partition(b"\r\n\r\n")[2]
    assert exception.applies(request, body)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines, b"", body])


CHUNKED = b"Transfer-Encoding: chunked"

REFUSED_BY_H11 = {
    "no method": b"/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method that is no token": b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is not ASCII": b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "a version of two digits": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "a version in lower case": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "an empty line alone": b"\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Hosts in 1.0": b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "a folded line at the top": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "no colon": post(b"X"),
    "an empty name": post(b": x"),
    "a space before the colon": post(b"X : y"),
    "a name that is no token": post(b"X(Y): z"),
    "NUL in a value": post(b"X: \0"),
    "CR in a value": post(b"X: a\rb"),
    "a vertical tab in a value": post(b"X: a\x0bb"),
    "Content-Length, no number": post(b"Content-Length: x"),
    "Content-Length, signed": post(b"Content-Length: +1", body=b"x"),
    "Content-Length, empty": post(b"Content-Length:"),
    "Content-Length, too long": post(b"Content-Length: " + b"1" * 30),
    "Content-Length, differing": post(b"Content-Length: 1", b"Content-Length: 2", body=b"xx"),
    "Content-Length, a differing list": post(b"Content-Length: 1, 2", body=b"xx"),
    "Transfer-Encoding, unknown": post(b"Transfer-Encoding: gzip"),
    "Transfer-Encoding, nearly": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "Transfer-Encoding, a list": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "Transfer-Encoding, twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "Transfer-Encoding, empty": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "chunk size, empty": post(CHUNKED, body=b"\r\n"),
    "chunk size, signed": post(CHUNKED, body=b"+1\r\nx\r\n0\r\n\r\n"),
    "chunk size, 0x": post(CHUNKED, body=b"0x1\r\nx\r\n0\r\n\r\n"),
    "chunk size, too long": post(CHUNKED, body=b"1" * 30 + b"\r\n"),
    "chunk size, a space in front": post(CHUNKED, body=b" 1\r\nx\r\n0\r\n\r\n"),
    "chunk extension, no semicolon": post(CHUNKED, body=b"1 a\r\nx\r\n0\r\n\r\n"),
    "chunk extension, a line feed": post(CHUNKED, body=b"1;a\nb\r\nx\r\n0\r\n\r\n"),
    "chunk data, too long": post(CHUNKED, body=b"1\r\nxy\r\n0\r\n\r\n"),
    "chunk data, LF behind": post(CHUNKED, body=b"1\r\nx\n0\r\n\r\n"),
    "trailer, no colon": post(CHUNKED, body=b"0\r\nX\r\n\r\n"),
    "trailer, a folded line": post(CHUNKED, body=b"0\r\n X: y\r\n\r\n"),
}


@pytest.mark.parametrize("data", REFUSED_BY_H11.values(), ids=REFUSED_BY_H11.keys())
def test_what_h11_refuses(data: bytes) -> None:
    assert as_h11_reads(data) == REFUSED
    ours, _ = as_we_read(data)
    assert ours == REFUSED


ACCEPTED_BY_BOTH = {
    "the least": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "1.0": b"GET / HTTP/1.0\r\n\r\n",
    "absolute form": b"GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "white space around values": post(b"X: \ta \t", b"Y:"),
    "a field in several lines": post(b"X: a", b"Y: b", b"x: c"),
    "a body": post(b"Content-Length: 5", body=b"hello"),
    "an empty body": post(b"Content-Length: 0"),
    "an empty chunked body": post(CHUNKED, body=b"0\r\n\r\n"),
    "a chunked body": post(CHUNKED, body=b"5\r\nhello\r\nA;b=c\r\n0123456789\r\n0\r\nX: y\r\n\r\n"),
    "chunked in capitals": post(b"TRANSFER-ENCODING: CHUNKED", body=b"0\r\n\r\n"),
    "an expectation": post(b"Expect: 100-continue", b"Content-Length: 1", body=b"x"),
    "an upgrade": post(b"Connection: upgrade", b"Upgrade: websocket"),
}


@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"0\r\n\r\n"])
@pytest.mark.parametrize("data", ACCEPTED_BY_BOTH.values(), ids=ACCEPTED_BY_BOTH.keys())
def test_what_both_accept(data: bytes, rest: bytes) -> None:
    ours, _ = as_we_read(data + rest)
    assert isinstance(ours, Message)
    assert ours.rest == rest
    assert isinstance(as_h11_reads(data + rest), Message)
    check(data + rest)


METHODS = st.sampled_from([b"GET", b"GET", b"POST", b"OPTIONS", b"CONNECT", b"get", b"", b"G(T"])
TARGETS = st.sampled_from(
    [b"/", b"/", b"/a?b", b"*", b"http://b/", b"b:80", b"/a b", b"/\0", b"/\xe4", b"", b"/#", b"//"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 3 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1"])
SPACES = st.sampled_from([b" "] * 8 + [b"  ", b"\t", b""])
LINE_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\r\n "])
NAMES = st.sampled_from(
    [
        *(
            b"Content-Length",
            b"Transfer-Encoding",
            b"Host",
            b"Expect",
            b"X",
            b"x",
            b"",
            b"X Y",
            b" X",
        ),
        *(b"transfer-encoding", b"content-length", b"Upgrade", b"X\t", b"X\0"),
    ]
)
COLONS = st.sampled_from([b":"] * 4 + [b": "] * 4 + [b" :", b"", b":\t", b":\x0b", b"::"])
VALUES = st.sampled_from(
    [
        *(
            b"5",
            b"0",
            b"5, 5",
            b"6",
            b"+5",
            b" 5",
            b"chunked",
            b"Chunked",
            b"gzip, chunked",
            b"chunked,",
        ),
        *(b", chunked", b"identity", b"a", b"a:80", b"a b", b"", b"100-continue", b"\x7f", b"\xe4"),
    ]
)
FIELDS = st.tuples(NAMES, COLONS, VALUES).map(b"".join)
FRAMES = st.sampled_from(
    [b"Content-Length: 5", CHUNKED, CHUNKED, b"Content-Length: 5\r\nContent-Length: 5", b"X: y"]
)
BODIES = st.lists(
    st.sampled_from(
        [
            *(
                b"0\r\n\r\n",
                b"5\r\nhello\r\n",
                b"0\r\n",
                b"\r\n",
                b"hello",
                b"5;a=b\r\nhello\r\n",
                b"5 ;a",
            ),
            *(
                b"X: y\r\n",
                b"Content-Length: 5\r\n",
                b"transfer-encoding: x\r\n",
                b"5 \r\n",
                b"-1\r\n",
            ),
            *(b"\n", b" ", b"GET / HTTP/1.1\r\n", b"1\r\n", b'1;a="\\""\r\n', b"1;\r\n"),
        ]
    ),
    max_size=5,
).map(b"".join)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return something put together from the parts of requests, good and bad."""
    lines = [draw(METHODS) + draw(SPACES) + draw(TARGETS) + draw(SPACES) + draw(VERSIONS)]
    lines += draw(st.permutations([b"Host: a", draw(FRAMES), *draw(st.lists(FIELDS, max_size=2))]))
    return b"".join(line + draw(LINE_ENDS) for line in lines) + b"\r\n" + draw(BODIES)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Return a good request with some octets replaced, removed or put in."""
    data = draw(st.sampled_from(list(ACCEPTED_BY_BOTH.values())))
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.integers(0, 2))
        new = draw(
            st.sampled_from([b"", b"\r\n", b"\n", b"\r", b" ", b":", b",", b"\0", b"0", b";"])
        )
        data = data[:start] + new + data[stop:]
    return data


@settings(deadline=None)
@given(requests() | mutations() | st.binary(min_size=1, max_size=60))
def test_nobody_is_stricter_without_a_reason(data: bytes) -> None:
    check(data)
