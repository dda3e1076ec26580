"""What is said about a file that has forms which are made on demand, and about digests."""

from base64 import b64encode
from hashlib import sha256

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.support import parse
from tinyhttp.core.answer import answer, form_to_make
from tinyhttp.core.request import Limits, Request
from tinyhttp.core.resource import File, OnDemand, Representation
from tinyhttp.core.response import Response
from tinyhttp.core.validators import on_demand

NOW = 1_790_000_000.9
MODIFIED = 784_111_777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
CONTENT = b"The quick brown fox jumps over\n"  # 31 octets
ZIPPED = b"\x1f\x8b" + b"z" * 10


def representation(
    content: bytes = CONTENT,
    etag: bytes = b'"a"',
    coding: bytes = b"",
    *,
    divisible: bool = True,
) -> Representation:
    digest = sha256(content).digest()
    media_type = b"text/plain; charset=utf-8"
    return Representation(
        len(content), etag, MODIFIED, media_type, coding, content, digest, divisible
    )


MADE = representation(ZIPPED, b'W/"a-gzip"', b"gzip", divisible=False)


def file(made: Representation | None = None, *, useless: bool = False) -> File:
    """Return a file that has a sidecar, and may be had in gzip as well."""
    tag = on_demand(b'"a"', b"gzip")
    assert tag is not None
    form = OnDemand(30, tag, MODIFIED, b"gzip", None, made, useless)
    sidecar = representation(b"brotli!", b'"a-br"', b"br")
    return File((representation(), sidecar), (form,))


def request(*lines: str, method: str = "GET") -> Request:
    head = "\r\n".join([f"{method} /a HTTP/1.1", "Host: a", *lines, "", ""])
    return parse(head.encode(), Limits())


def ask(resource: File, *lines: str, method: str = "GET") -> Response:
    return answer(request(*lines, method=method), resource, NOW)


def is_made(resource: File, *lines: str, method: str = "GET") -> bool:
    return form_to_make(request(*lines, method=method), resource, NOW) is not None


GZIP = "Accept-Encoding: gzip"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([GZIP], True),
        (["Accept-Encoding: gzip, br"], False),
        (["Accept-Encoding: gzip, br;q=0.9"], True),
        (["Accept-Encoding: identity"], False),
        ([], False),
        ([GZIP, 'If-None-Match: W/"a-gzip"'], False),
        ([GZIP, 'If-None-Match: "a-gzip"'], False),
        ([GZIP, 'If-None-Match: "a"'], True),
        ([GZIP, 'If-None-Match: "a-br"'], True),
        ([GZIP, f"If-Modified-Since: {DATE}"], False),
        ([GZIP, 'If-Match: W/"a-gzip"'], False),
    ],
)
def test_what_has_to_be_made(method: str, lines: list[str], wanted: bool) -> None:
    assert is_made(file(), *lines, method=method) == wanted
    assert not is_made(file(MADE), *lines, method=method)
    assert not is_made(file(useless=True), *lines, method=method)


def test_once_made_it_is_sent() -> None:
    response = ask(file(MADE), GZIP)
    assert (response.status, response.body, response.length) == (200, ZIPPED, len(ZIPPED))
    fields = dict(response.fields)
    assert fields[b"ETag"] == b'W/"a-gzip"'
    assert fields[b"Vary"] == b"Accept-Encoding"
    assert b"Accept-Ranges" not in fields


@pytest.mark.parametrize("resource", [file(), file(useless=True)], ids=["not made", "useless"])
def test_else_the_file_goes_as_it_lies(resource: File) -> None:
    response = ask(resource, GZIP)
    fields = dict(response.fields)
    assert (response.body, fields[b"ETag"]) == (CONTENT, b'"a"')
    assert fields[b"Vary"] == b"Accept-Encoding"
    assert ask(resource, "Accept-Encoding: gzip, *;q=0").status == 406


def test_a_file_without_sidecars_varies_too() -> None:
    alone = File((representation(),), file(MADE).on_demand)
    for lines in ([], [GZIP], ['If-None-Match: "a"'], [GZIP, 'If-None-Match: W/"a-gzip"']):
        assert dict(ask(alone, *lines).fields)[b"Vary"] == b"Accept-Encoding"


A_RANGE = "Range: bytes=4-8"


@pytest.mark.parametrize(
    ("lines", "status", "tag"),
    [
        ([A_RANGE], 206, b'"a"'),
        ([A_RANGE, 'If-Range: "a"'], 206, b'"a"'),
        ([A_RANGE, 'If-Range: "b"'], 200, b'W/"a-gzip"'),
        ([A_RANGE, 'If-Range: W/"a-gzip"'], 200, b'W/"a-gzip"'),
        ([A_RANGE, 'If-Range: "a-gzip"'], 200, b'W/"a-gzip"'),
        ([A_RANGE, f"If-Range: {DATE}"], 200, b'W/"a-gzip"'),
        ([A_RANGE, "If-Range: nonsense"], 200, b'W/"a-gzip"'),
        ([A_RANGE, 'If-None-Match: W/"a-gzip"'], 206, b'"a"'),
        ([A_RANGE, 'If-None-Match: "a"'], 304, b'"a"'),
        (["Range: bytes=31-"], 416, None),
        (["Range: bytes=8-4"], 200, b'W/"a-gzip"'),
        (["Range: bytes=0-1,4-8"], 206, b'"a"'),
    ],
)
def test_ranges(lines: list[str], status: int, tag: bytes | None) -> None:
    """RFC 9110 sections 13.1.5 and 14.2: never of what was encoded on demand."""
    assert is_made(file(), GZIP, *lines) == (status == 200)
    response = ask(file(MADE), GZIP, *lines)
    assert (response.status, dict(response.fields).get(b"ETag")) == (status, tag)
    if status != 200:
        assert ask(file(), GZIP, *lines).fields == response.fields


def test_a_date_resumes_what_can_not_be_mistaken() -> None:
    response = ask(file(MADE), A_RANGE, f"If-Range: {DATE}")
    assert (response.status, response.body) == (206, CONTENT[4:9])
    response = ask(file(MADE), "Accept-Encoding: br", A_RANGE, f"If-Range: {DATE}")
    assert (response.status, response.body) == (206, b"li!")


def test_a_range_with_head_means_nothing() -> None:
    assert is_made(file(), GZIP, A_RANGE, method="HEAD")


@pytest.mark.parametrize("etag", [b'W/"a-young"', b'W/"a-torn-1"'])
def test_a_weak_tag_is_no_ground_to_build_on(etag: bytes) -> None:
    assert on_demand(etag, b"gzip") is None


# Digests (RFC 9530).


def digest(content: bytes) -> bytes:
    return b"sha-256=:" + b64encode(sha256(content).digest()) + b":"


@pytest.mark.parametrize(
    ("lines", "content"),
    [
        ([], CONTENT),
        ([A_RANGE], CONTENT),
        (["Range: bytes=0-1,4-8"], CONTENT),
        ([GZIP], ZIPPED),
        (["Accept-Encoding: br"], b"brotli!"),
        (["Accept-Encoding: br", "Range: bytes=0-1"], b"brotli!"),
        ([GZIP, A_RANGE], CONTENT),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_digest_is_of_the_whole_representation(
    lines: list[str], content: bytes, method: str
) -> None:
    """Section 3: of the selected one, in its coding, whichever part of it is sent."""
    want = "Want-Repr-Digest: sha-512=3, sha-256=10"
    if method == "HEAD" and lines == [GZIP, A_RANGE]:
        content = ZIPPED  # Range means nothing then
    fields = ask(file(MADE), want, *lines, method=method).fields
    assert [v for n, v in fields if n == b"Repr-Digest"] == [digest(content)]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Want-Repr-Digest: sha-256=0"],
        ["Want-Repr-Digest: sha-512=10"],
        ["Want-Repr-Digest: nonsense!"],
        ["Want-Repr-Digest: sha-256=5", 'If-None-Match: "a"'],
        ["Want-Repr-Digest: sha-256=5", 'If-Match: "b"'],
        ["Want-Repr-Digest: sha-256=5", "Range: bytes=31-"],
    ],
)
def test_no_digest_unless_wanted_and_of_what_is_sent(lines: list[str]) -> None:
    assert b"Repr-Digest" not in dict(ask(file(MADE), *lines).fields)


def test_two_lines_make_one_dictionary() -> None:
    lines = ("Want-Repr-Digest: sha-512=1", "Want-Repr-Digest: sha-256=1")
    assert b"Repr-Digest" in dict(ask(file(), *lines).fields)


def test_a_file_of_which_nothing_is_known() -> None:
    plain = Representation(1, b'"a"', None, b"text/plain", b"", b"x")
    response = ask(File((plain,)), "Want-Repr-Digest: sha-256=5")
    assert b"Repr-Digest" not in dict(response.fields)


@given(
    st.lists(st.sampled_from(["gzip", "br", "identity", "*", "deflate"]), max_size=4),
    st.sampled_from(["", A_RANGE]),
    st.sampled_from(["", 'If-Range: "a"', f"If-Range: {DATE}", 'If-Range: W/"a-gzip"']),
)
def test_a_part_is_always_of_something_lasting(
    accepted: list[str], a_range: str, if_range: str
) -> None:
    lines = [line for line in (a_range, if_range) if line]
    response = ask(file(MADE), f"Accept-Encoding: {', '.join(accepted)}", *lines)
    if response.status == 206:
        tag = dict(response.fields)[b"ETag"]
        assert not tag.startswith(b"W/")
