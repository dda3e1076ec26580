"""The policy: what is said to a request about a resource, top to bottom.

The resources are made by hand, of bytes or of a file that is only an object; no disk is involved.
"""

import re
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import parse
from tinyhttp.core.answer import answer, check_method
from tinyhttp.core.fields import parse_http_date
from tinyhttp.core.path import SitePath
from tinyhttp.core.request import Limits, Request
from tinyhttp.core.resource import (
    Directory,
    File,
    Forbidden,
    Missing,
    Representation,
    Resource,
    Span,
)
from tinyhttp.core.response import Refused, Response

NOW = 1_790_000_000.9
MODIFIED = 784_111_777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
CONTENT = b"The quick brown fox jumps over\n"  # 31 octets


class Memory:
    """An open file whose octets are in memory."""

    descriptor = -1
    in_memory = (0, 0, 0.0)

    def __init__(self, content: bytes):
        self._content = content

    def hold(self) -> None: ...

    def let_go(self) -> None: ...

    def read(self, size: int, offset: int) -> bytes:
        return self._content[offset : offset + size]


def representation(
    content: bytes = CONTENT,
    *,
    etag: bytes = b'"a"',
    last_modified: int | None = MODIFIED,
    content_type: bytes = b"text/plain; charset=utf-8",
    coding: bytes = b"",
    opened: bool = False,
) -> Representation:
    held = Memory(content) if opened else content
    return Representation(len(content), etag, last_modified, content_type, coding, held)


FILE = File((representation(),))
OPENED = File((representation(opened=True),))
EMPTY = File((representation(b""),))
DATELESS = File((representation(last_modified=None),))
GZIPPED = b"\x1f\x8b" + b"z" * 10
BROTLI = b"brotli!"
WITH_SIDECARS = File(
    (
        representation(),
        representation(BROTLI, etag=b'"a-br"', coding=b"br"),
        representation(GZIPPED, etag=b'"a-gzip"', coding=b"gzip", opened=True),
    )
)
BOTH_KINDS = pytest.mark.parametrize("file", [FILE, OPENED], ids=["in memory", "on disk"])


def request(*lines: str, method: str = "GET", target: str = "/a.txt") -> Request:
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", ""])
    return parse(head.encode("latin-1"), Limits())


def ask(
    resource: Resource, *lines: str, method: str = "GET", target: str = "/a.txt", now: float = NOW
) -> Response:
    response = answer(request(*lines, method=method, target=target), resource, now)
    check_consistent(response)
    return response


def check_consistent(response: Response) -> None:
    """Assert what holds for every response."""
    if response.status == 304:
        assert response.length is None
        assert response.body == b""
    else:
        assert response.length == len(body_of(response))
    names = [name.lower() for name, _ in response.fields]
    assert len(names) == len(set(names))
    assert not {b"date", b"server", b"content-length", b"connection"} & set(names)
    for _, value in response.fields:
        assert re.fullmatch(rb"[!-~]+(?: [!-~]+)*", value)


def body_of(response: Response) -> bytes:
    pieces = [response.body] if isinstance(response.body, bytes) else response.body
    return b"".join(octets_of(piece) for piece in pieces)


def octets_of(piece: bytes | Span) -> bytes:
    if isinstance(piece, bytes):
        return piece
    return piece.file.read(piece.stop - piece.start, piece.start)


def field(response: Response, name: str) -> str | None:
    values = [v for n, v in response.fields if n.lower() == name.lower().encode()]
    return values[0].decode() if values else None


class TestMethods:
    """RFC 9110 section 9; before anything is looked up."""

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_read(self, method: str) -> None:
        assert check_method(request(method=method)) is None

    @pytest.mark.parametrize("target", ["*", "/", "/no/such/file", "http://b"])
    def test_options(self, target: str) -> None:
        """Section 9.3.7. No content, so no Content-Length either: section 8.6."""
        response = check_method(request(method="OPTIONS", target=target))
        assert response == Response(204, [(b"Allow", b"GET, HEAD, OPTIONS")], b"", None)

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
    def test_known_but_not_allowed(self, method: str) -> None:
        """Section 15.5.6: with Allow."""
        with pytest.raises(Refused) as refused:
            check_method(request(method=method))
        assert refused.value.status == 405
        assert refused.value.fields == [(b"Allow", b"GET, HEAD, OPTIONS")]

    @pytest.mark.parametrize("method", ["get", "Head", "options", "PROPFIND", "M-SEARCH", "GETS"])
    def test_unknown(self, method: str) -> None:
        """Section 15.6.2; methods are case-sensitive."""
        with pytest.raises(Refused) as refused:
            check_method(request(method=method))
        assert refused.value.status == 501


class TestNothingToRepresent:
    @pytest.mark.parametrize(("resource", "status"), [(Missing(), 404), (Forbidden(), 403)])
    @pytest.mark.parametrize(
        "lines",
        [
            [],
            ["If-Match: *"],
            ["If-None-Match: *"],
            ["Range: bytes=0-0"],
            ["Accept-Encoding: identity;q=0"],
        ],
    )
    def test_conditions_do_not_matter(
        self, resource: Resource, status: int, lines: list[str]
    ) -> None:
        """RFC 9110 section 13.2.1: without them it would not have been a success either."""
        response = ask(resource, *lines)
        assert response.status == status
        assert field(response, "Content-Type") == "text/plain; charset=utf-8"
        assert field(response, "X-Content-Type-Options") == "nosniff"
        assert field(response, "ETag") is None

    @pytest.mark.parametrize("resource", [Missing(), Forbidden()])
    def test_nothing_of_the_request_is_repeated(self, resource: Resource) -> None:
        target = "/<script>alert(1)</script>?<b>"
        assert ask(resource, "Host2: <i>", target=target) == ask(resource)


class TestRedirect:
    """RFC 9110 section 15.4.2."""

    def location(self, target: str, path: bytes = b"/sub/") -> str:
        response = ask(Directory(path), target=target)
        assert response.status == 301
        location = field(response, "Location")
        assert location is not None
        return location

    def test_to_the_path_with_a_slash(self) -> None:
        assert self.location("/sub") == "/sub/"

    @pytest.mark.parametrize(
        ("query", "kept"),
        [
            ("?a=1&b=%20", "?a=1&b=%20"),
            ("?", "?"),
            ("?/?", "?/?"),
            ('?a="b"&c=<d>', "?a=%22b%22&c=%3Cd%3E"),
            ("?100%", "?100%25"),
            ("?\\\\evil", "?%5C%5Cevil"),
        ],
    )
    def test_the_query_is_kept(self, query: str, kept: str) -> None:
        assert self.location("/sub" + query) == "/sub/" + kept

    def test_the_query_is_not_in_the_body(self) -> None:
        """Where a browser might take it for markup."""
        response = ask(Directory(b"/sub/"), target="/sub?<script>alert(1)</script>")
        assert body_of(response) == b"301 Moved Permanently\nDirectories end with a slash.\n"

    @pytest.mark.parametrize("target", ["/sub", "http://evil.example/sub", "//evil.example/sub"])
    def test_no_authority_gets_into_it(self, target: str) -> None:
        assert self.location(target) == "/sub/"

    @settings(deadline=None)
    @given(
        segments=st.lists(
            st.sampled_from(
                [b"evil.example", b"\\", b"\\\\evil.example", b"@", b":80", b"\r\nX: y"]
            )
            | st.binary(min_size=1, max_size=5).filter(lambda name: not {0, 0x2F} & set(name)),
            min_size=1,
            max_size=4,
        ).map(tuple),
        query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
    )
    def test_it_never_names_another_host(self, segments: tuple[bytes, ...], query: str) -> None:
        path = SitePath(segments, False).escaped(directory=True)
        location = self.location("/sub?" + query.replace("#", ""), path)
        for base in ("http://good.example/", "https://good.example:8000/a/b?c"):
            parts = urlsplit(urljoin(base, location))
            assert parts.scheme + "://" + parts.netloc == base.split("/a")[0].rstrip("/")
        assert "\\" not in location  # which browsers take for a slash
        assert not location.startswith("//")

    def test_conditions_do_not_matter(self) -> None:
        lines = ["If-None-Match: *", "If-Match: *", "Range: bytes=0-0"]
        assert ask(Directory(b"/sub/"), *lines) == ask(Directory(b"/sub/"))


class TestWhole:
    @BOTH_KINDS
    def test_a_file(self, file: File) -> None:
        response = ask(file)
        assert response.status == 200
        assert response.fields == [
            (b"ETag", b'"a"'),
            (b"Last-Modified", b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Accept-Ranges", b"bytes"),
            (b"X-Content-Type-Options", b"nosniff"),
        ]
        assert body_of(response) == CONTENT

    def test_an_empty_file(self) -> None:
        response = ask(EMPTY)
        assert (response.status, response.length, body_of(response)) == (200, 0, b"")

    def test_a_file_whose_time_says_nothing(self) -> None:
        response = ask(DATELESS)
        assert field(response, "Last-Modified") is None
        assert field(response, "ETag") == '"a"'

    @pytest.mark.parametrize(
        ("modified", "sent"),
        [
            (1_789_999_999, "Mon, 21 Sep 2026 14:13:19 GMT"),
            (1_790_000_000, "Mon, 21 Sep 2026 14:13:20 GMT"),
            (1_790_000_001, "Mon, 21 Sep 2026 14:13:20 GMT"),
            (4_102_444_800, "Mon, 21 Sep 2026 14:13:20 GMT"),
        ],
        ids=["a second ago", "now", "in a second", "in the next century"],
    )
    def test_last_modified_is_never_later_than_date(self, modified: int, sent: str) -> None:
        """RFC 9110 section 8.8.2.1."""
        file = File((representation(last_modified=modified),))
        assert field(ask(file), "Last-Modified") == sent

    @given(modified=st.integers(0, 2**33), now=st.floats(2e9, 3e9))
    def test_nor_is_it_for_any_file_at_any_time(self, modified: int, now: float) -> None:
        sent = field(ask(File((representation(last_modified=modified),)), now=now), "Last-Modified")
        assert sent is not None
        date = parse_http_date(sent.encode(), now)
        assert date is not None
        assert date <= now
        assert date <= modified


class TestConditions:
    """RFC 9110 section 13; the fields one by one are in test_conditional."""

    @BOTH_KINDS
    @pytest.mark.parametrize("line", ['If-None-Match: "a"', f"If-Modified-Since: {DATE}"])
    def test_not_modified(self, file: File, line: str) -> None:
        """Section 15.4.5: the validators, and nothing about a content that is not there."""
        response = ask(file, line)
        assert response == Response(
            304,
            [(b"ETag", b'"a"'), (b"Last-Modified", b"Sun, 06 Nov 1994 08:49:37 GMT")],
            b"",
            None,
            content_type=b"text/plain; charset=utf-8",  # not said, but rules go by it
        )

    @pytest.mark.parametrize(
        "line", ['If-Match: "b"', "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"]
    )
    def test_precondition_failed(self, line: str) -> None:
        response = ask(FILE, line)
        assert response.status == 412
        assert CONTENT not in body_of(response)

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            (['If-None-Match: "a"', "Range: bytes=0-0"], 304),
            (['If-None-Match: "a"', "Range: bytes=99-"], 304),
            (['If-Match: "b"', "Range: bytes=0-0"], 412),
            (['If-Match: "a"', "Range: bytes=0-0"], 206),
            (['If-Match: "a"', "Range: bytes=99-"], 416),
            (['If-None-Match: "b"', "Range: bytes=0-0"], 206),
            (['If-None-Match: "a"', 'If-Range: "b"', "Range: bytes=0-0"], 304),
        ],
    )
    def test_conditions_come_before_ranges(self, lines: list[str], status: int) -> None:
        """Section 13.2.2, steps 1 to 4 before 5."""
        assert ask(FILE, *lines).status == status


class TestSingleRange:
    """RFC 9110 sections 14.2 and 15.3.7.1."""

    @BOTH_KINDS
    @pytest.mark.parametrize(
        ("wanted", "content_range", "content"),
        [
            ("0-0", "bytes 0-0/31", b"T"),
            ("4-8", "bytes 4-8/31", b"quick"),
            ("-1000", "bytes 0-30/31", CONTENT),
            ("-5", "bytes 26-30/31", b"over\n"),
            ("26-", "bytes 26-30/31", b"over\n"),
            ("0-", "bytes 0-30/31", CONTENT),
            ("0-2,99-", "bytes 0-2/31", b"The"),
        ],
    )
    def test_partial_content(
        self, file: File, wanted: str, content_range: str, content: bytes
    ) -> None:
        response = ask(file, f"Range: bytes={wanted}")
        assert response.status == 206
        assert field(response, "Content-Range") == content_range
        assert body_of(response) == content
        assert response.length == len(content)
        # A 206 brings along what the 200 would have had: section 15.3.7.
        assert response.fields[:-1] == ask(file).fields

    @pytest.mark.parametrize("wanted", ["99-", "-0", "31-31", "40-50,60-"])
    def test_not_satisfiable(self, wanted: str) -> None:
        """Section 15.5.17."""
        response = ask(FILE, f"Range: bytes={wanted}")
        assert response.status == 416
        assert field(response, "Content-Range") == "bytes */31"
        assert field(response, "Content-Type") == "text/plain; charset=utf-8"

    @pytest.mark.parametrize(
        "value",
        [
            "bytes=,",
            "bytes=5-2",
            "bytes=+1-1_0",
            "bytes=\xb2-\xb3",
            "bits=0-0",
            "bytes=" + "0-," * 2000 + "0-",
        ],
    )
    def test_the_whole_instead(self, value: str) -> None:
        assert ask(FILE, f"Range: {value}") == ask(FILE)

    @pytest.mark.parametrize("wanted", ["0-", "0-0", "-1", "5-"])
    def test_an_empty_file_is_always_whole(self, wanted: str) -> None:
        assert ask(EMPTY, f"Range: bytes={wanted}") == ask(EMPTY)

    @pytest.mark.parametrize(
        ("validator", "status"),
        [
            ('"a"', 206),
            (DATE, 206),
            ('"b"', 200),
            ('W/"a"', 200),
            ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
            ("nonsense", 200),
        ],
    )
    def test_if_range(self, validator: str, status: int) -> None:
        """Section 13.1.5: the part if nothing has changed, else the whole."""
        response = ask(FILE, "Range: bytes=4-8", f"If-Range: {validator}")
        assert response.status == status
        assert body_of(response) == (b"quick" if status == 206 else CONTENT)

    def test_if_range_that_does_not_match_spares_the_416(self) -> None:
        assert ask(FILE, "Range: bytes=99-", 'If-Range: "b"').status == 200

    def test_if_range_without_range_means_nothing(self) -> None:
        """Section 13.1.5."""
        assert ask(FILE, 'If-Range: "b"') == ask(FILE)

    def test_a_file_larger_than_memory(self) -> None:
        """Nothing is read: that is for whoever sends the response."""
        size = 20 * 2**30
        file = Memory(b"")
        huge = File((Representation(size, b'"a"', None, b"video/mp4", b"", file),))
        response = answer(request("Range: bytes=-1"), huge, NOW)
        assert response.body == (Span(file, size - 1, size),)
        assert field(response, "Content-Range") == "bytes 21474836479-21474836479/21474836480"
        assert answer(request(), huge, NOW).body == (Span(file, 0, size),)
        assert answer(request(), huge, NOW).length == size


def parts_of(response: Response) -> Sequence[Message]:
    """Return the parts of a multipart response as Python's mail parser finds them."""
    content_type = field(response, "Content-Type")
    assert content_type is not None
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body_of(response))
    assert message.get_content_type() == "multipart/byteranges"
    assert message.defects == []
    parts = message.get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


class TestSeveralRanges:
    """RFC 9110 sections 14.6 and 15.3.7.2."""

    @BOTH_KINDS
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ("0-0,-2", [("bytes 0-0/31", b"T"), ("bytes 29-30/31", b"r\n")]),
            (
                "4-8,0-2,99-,16-18",
                [
                    ("bytes 4-8/31", b"quick"),
                    ("bytes 0-2/31", b"The"),
                    ("bytes 16-18/31", b"fox"),
                ],
            ),
            ("0-15,16-", [("bytes 0-15/31", CONTENT[:16]), ("bytes 16-30/31", CONTENT[16:])]),
        ],
    )
    def test_parts(self, file: File, wanted: str, expected: list[tuple[str, bytes]]) -> None:
        response = ask(file, f"Range: bytes={wanted}")
        assert response.status == 206
        parts = parts_of(response)
        found = [(part["Content-Range"], part.get_payload(decode=True)) for part in parts]
        assert found == expected
        for part in parts:
            assert part["Content-Type"] == "text/plain; charset=utf-8"
            assert part.keys() == ["Content-Type", "Content-Range"]

    def test_the_head_has_no_content_range(self) -> None:
        """Section 15.3.7.2: only the parts have one."""
        response = ask(FILE, "Range: bytes=0-0,2-2")
        assert field(response, "Content-Range") is None
        names = [name for name, _ in response.fields]
        assert names == [name for name, _ in ask(FILE).fields]

    def test_one_range_that_is_left_travels_alone(self) -> None:
        response = ask(FILE, "Range: bytes=0-2,99-")
        assert field(response, "Content-Type") == "text/plain; charset=utf-8"
        assert body_of(response) == b"The"

    @settings(deadline=None)
    @given(
        content=st.binary(min_size=1, max_size=200),
        bounds=st.lists(st.integers(0, 200), min_size=2, max_size=10, unique=True).map(sorted),
        opened=st.booleans(),
    )
    def test_parts_are_slices(self, content: bytes, bounds: list[int], opened: bool) -> None:
        pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
        file = File((representation(content, content_type=b"application/x", opened=opened),))
        response = ask(file, "Range: bytes=" + ",".join(f"{a}-{b}" for a, b in pairs))
        expected = [content[a : b + 1] for a, b in pairs if a < len(content)]
        if len(expected) > 1:
            boundary = (field(response, "Content-Type") or "").partition("boundary=")[2].encode()
            # Not with `email`: it takes binary parts for text.
            parts = body_of(response).split(b"\r\n--" + boundary)
            assert (parts[0], parts[-1]) == (b"", b"--\r\n")
            assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == expected
        elif expected:
            assert body_of(response) == expected[0]
        else:
            assert response.status == 416


class TestVariants:
    """RFC 9110 section 12.5.3; the choice itself is in test_negotiation."""

    @pytest.mark.parametrize(
        ("accepted", "coding", "etag", "content"),
        [
            (None, None, '"a"', CONTENT),
            ("", None, '"a"', CONTENT),
            ("deflate", None, '"a"', CONTENT),
            ("gzip", "gzip", '"a-gzip"', GZIPPED),
            ("br, gzip", "br", '"a-br"', BROTLI),
        ],
    )
    def test_each_has_its_own_tag_and_length_and_all_have_vary(
        self, accepted: str | None, coding: str | None, etag: str, content: bytes
    ) -> None:
        lines = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
        response = ask(WITH_SIDECARS, *lines)
        assert response.status == 200
        assert field(response, "Content-Encoding") == coding
        assert field(response, "ETag") == etag
        assert field(response, "Vary") == "Accept-Encoding"
        assert field(response, "Content-Type") == "text/plain; charset=utf-8"
        assert body_of(response) == content

    @pytest.mark.parametrize(
        ("accepted", "etag"), [("identity", '"a"'), ("gzip", '"a-gzip"'), ("br", '"a-br"')]
    )
    def test_not_modified_has_vary_too(self, accepted: str, etag: str) -> None:
        """Section 15.4.5."""
        response = ask(WITH_SIDECARS, f"Accept-Encoding: {accepted}", f"If-None-Match: {etag}")
        assert response.status == 304
        assert field(response, "Vary") == "Accept-Encoding"
        assert field(response, "ETag") == etag
        assert field(response, "Content-Encoding") is None

    def test_the_tag_of_one_is_not_the_tag_of_another(self) -> None:
        """Section 8.8.3.3: else a cache would put one together with parts of the other."""
        assert ask(WITH_SIDECARS, "Accept-Encoding: br", 'If-None-Match: "a"').status == 200
        assert ask(WITH_SIDECARS, 'If-Match: "a-gzip"').status == 412
        resumed = ["Range: bytes=2-3", 'If-Range: "a"']
        assert ask(WITH_SIDECARS, "Accept-Encoding: gzip", *resumed).status == 200
        assert ask(WITH_SIDECARS, *resumed).status == 206

    def test_ranges_count_within_the_coding(self) -> None:
        response = ask(WITH_SIDECARS, "Accept-Encoding: gzip", "Range: bytes=0-1")
        assert response.status == 206
        assert field(response, "Content-Encoding") == "gzip"
        assert field(response, "Content-Range") == "bytes 0-1/12"
        assert field(response, "Vary") == "Accept-Encoding"
        assert body_of(response) == b"\x1f\x8b"

    def test_and_so_does_what_can_not_be_satisfied(self) -> None:
        response = ask(WITH_SIDECARS, "Accept-Encoding: gzip", "Range: bytes=12-")
        assert response.status == 416
        assert field(response, "Content-Range") == "bytes */12"

    def test_several_ranges_within_the_coding(self) -> None:
        response = ask(WITH_SIDECARS, "Accept-Encoding: br", "Range: bytes=0-1,3-4")
        assert field(response, "Content-Encoding") == "br"
        assert [part["Content-Range"] for part in parts_of(response)] == [
            "bytes 0-1/7",
            "bytes 3-4/7",
        ]

    def test_a_file_alone_does_not_vary(self) -> None:
        assert field(ask(FILE, "Accept-Encoding: gzip"), "Vary") is None

    @pytest.mark.parametrize("accepted", ["identity;q=0", "*;q=0", "identity;q=0, deflate"])
    @pytest.mark.parametrize("file", [FILE, WITH_SIDECARS], ids=["a file alone", "with sidecars"])
    def test_not_acceptable(self, file: File, accepted: str) -> None:
        """Section 15.5.7. A cache must not give this to somebody who accepts more."""
        response = ask(file, f"Accept-Encoding: {accepted}")
        assert response.status == 406
        assert field(response, "Vary") == "Accept, Accept-Encoding"

    def test_negotiation_comes_before_the_conditions(self) -> None:
        """Section 13.2.1: they are about the representation that was selected."""
        lines = ["Accept-Encoding: identity;q=0", 'If-None-Match: "a"']
        assert ask(FILE, *lines).status == 406


HEAD_AND_GET = [
    [],
    ["Accept-Encoding: gzip"],
    ["Accept-Encoding: identity;q=0"],
    ['If-None-Match: "a"'],
    ['If-Match: "b"'],
    [f"If-Modified-Since: {DATE}"],
    ["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"],
]


class TestHead:
    """RFC 9110 section 9.3.2: what GET would say; that no body follows is somebody else's part."""

    @pytest.mark.parametrize("lines", HEAD_AND_GET, ids=lambda lines: ", ".join(lines) or "plain")
    @pytest.mark.parametrize(
        "resource",
        [FILE, OPENED, EMPTY, WITH_SIDECARS, Directory(b"/sub/"), Missing(), Forbidden()],
        ids=["file", "large file", "empty file", "sidecars", "directory", "missing", "forbidden"],
    )
    def test_is_like_get(self, resource: Resource, lines: list[str]) -> None:
        assert ask(resource, *lines, method="HEAD") == ask(resource, *lines)

    @pytest.mark.parametrize("wanted", ["0-0", "0-0,2-2", "99-", "-0", "nonsense"])
    def test_ignores_range(self, wanted: str) -> None:
        """Section 14.2: Range is defined for GET alone."""
        lines = [f"Range: bytes={wanted}", 'If-Range: "a"']
        assert ask(FILE, *lines, method="HEAD") == ask(FILE)


NAMES = ["Range", "If-Range", "If-Match", "If-None-Match", "Accept-Encoding", "If-Modified-Since"]
VALUES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20)


@settings(deadline=None)
@given(
    lines=st.lists(st.builds("{}: {}".format, st.sampled_from(NAMES), VALUES), max_size=4),
    resource=st.sampled_from([FILE, WITH_SIDECARS, EMPTY, Directory(b"/sub/"), Missing()]),
    query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=10),
)
def test_whatever_the_request_the_response_is_well_formed(
    lines: list[str], resource: Resource, query: str
) -> None:
    response = ask(resource, *lines, target="/a?" + query.replace("#", ""))
    assert response.status in (200, 206, 301, 304, 404, 406, 412, 416)
