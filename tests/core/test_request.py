"""What is accepted as the head of a request, and what is refused with which status.

Every head stands here as it travels, so that white space and line ends can be seen.
"""

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import parse
from tinyhttp.core.request import (
    Head,
    HeadReader,
    Limits,
    Request,
    field_line,
    find_head_end,
    noted_fields,
)
from tinyhttp.core.response import Refused

LIMITS = Limits()


def head(*lines: bytes, target: bytes = b"/") -> bytes:
    """Return a request for HTTP/1.1 with a Host and the field ``lines``."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b""])


def read(data: bytes, cuts: Iterable[int] = (), limits: Limits = LIMITS) -> Request | None:
    """Return the request that ``data`` begins with if it arrives cut at ``cuts``."""
    buffer = bytearray()
    scanned = 0
    bounds = [0, *sorted(cuts), len(data)]
    for start, stop in pairwise(bounds):
        buffer += data[start:stop]
        end = find_head_end(buffer, scanned, limits)
        if end >= 0:
            return parse(bytes(buffer[:end]), limits)
        scanned = len(buffer)
    return None


def refusal(data: bytes, cuts: Iterable[int] = (), limits: Limits = LIMITS) -> int:
    with pytest.raises(Refused) as refused:
        read(data, cuts, limits)
    return refused.value.status


def every_cut(data: bytes) -> range:
    return range(1, len(data))


def accepted(data: bytes) -> Request:
    """Return the request in ``data``, having seen that cutting makes no difference."""
    request = read(data)
    assert request is not None
    assert read(data, every_cut(data)) == request
    for cut in every_cut(data):
        assert read(data, (cut,)) == request
    return request


def refused_with(data: bytes) -> int:
    """Return the status that ``data`` is refused with, whole and octet by octet."""
    status = refusal(data)
    assert refusal(data, every_cut(data)) == status
    return status


def test_a_request_as_browsers_send_it() -> None:
    request = accepted(
        b"GET /a/b.html?q=1 HTTP/1.1\r\n"
        b"Host: example.org:8000\r\n"
        b"Accept-Encoding: gzip, br\r\n"
        b"Connection: keep-alive\r\n"
        b"\r\n"
    )
    assert request == Request(
        method=b"GET",
        path=b"/a/b.html",
        query=b"q=1",
        authority=b"example.org:8000",
        fields={
            b"host": b"example.org:8000",
            b"accept-encoding": b"gzip, br",
            b"connection": b"keep-alive",
        },
        persistent=True,
        old=False,
        body_length=0,
        expects_continue=False,
        line=b"GET /a/b.html?q=1 HTTP/1.1",
    )


class TestRequestLine:
    """RFC 9112 section 3."""

    @pytest.mark.parametrize(
        "method",
        [b"GET", b"HEAD", b"OPTIONS", b"POST", b"get", b"Get", b"M-SEARCH", b"!#$%&'*+-.^_`|~09az"],
    )
    def test_any_token_is_a_method(self, method: bytes) -> None:
        """Section 3.1: case-sensitive; which of them are served is decided later."""
        assert accepted(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n").method == method

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"GET  / HTTP/1.1", id="two spaces before the target"),
            pytest.param(b"GET /  HTTP/1.1", id="two spaces before the version"),
            pytest.param(b" GET / HTTP/1.1", id="a space in front"),
            pytest.param(b"GET / HTTP/1.1 ", id="a space behind"),
            pytest.param(b"GET\t/ HTTP/1.1", id="a tab before the target"),
            pytest.param(b"GET /\tHTTP/1.1", id="a tab before the version"),
            pytest.param(b"GET\x0b/\x0cHTTP/1.1", id="other white space"),
            pytest.param(b"GET /a b HTTP/1.1", id="a space in the target"),
            pytest.param(b"GET", id="nothing but a method"),
            pytest.param(b"GET /", id="no version (HTTP/0.9)"),
            pytest.param(b"GET HTTP/1.1", id="no target"),
            pytest.param(b"GET  HTTP/1.1", id="an empty target"),
            pytest.param(b"/ HTTP/1.1", id="no method"),
            pytest.param(b"G(T / HTTP/1.1", id="a method that is no token"),
            pytest.param(b"G\xc4T / HTTP/1.1", id="a method that is not ASCII"),
            pytest.param(b"GET, / HTTP/1.1", id="a comma in the method"),
            pytest.param(b"GET / http/1.1", id="version in lower case"),
            pytest.param(b"GET / HTTP/1", id="version without a minor one"),
            pytest.param(b"GET / HTTP/1.", id="version with an empty minor one"),
            pytest.param(b"GET / HTTP/1.10", id="version with two digits"),
            pytest.param(b"GET / HTTP/01.1", id="version with a leading zero"),
            pytest.param(b"GET / HTTP/1.1.1", id="version in three parts"),
            pytest.param(b"GET / HTTP/-1.1", id="version with a sign"),
            pytest.param(b"GET / HTTP/1,1", id="version with a comma"),
            pytest.param("GET / HTTP/1.\u0661".encode(), id="version in Arabic digits"),
            pytest.param(b"GET / HTTPS/1.1", id="another protocol"),
            pytest.param(b"GET / HTTP /1.1", id="a space in the version"),
            pytest.param(b"\x16\x03\x01\x02", id="TLS"),
        ],
    )
    def test_malformed(self, line: bytes) -> None:
        assert refused_with(line + b"\r\nHost: a\r\n\r\n") == 400

    @pytest.mark.parametrize("octet", [*range(0x20), 0x7F, 0x80, 0xFF])
    def test_octets_that_no_target_holds(self, octet: int) -> None:
        assert refused_with(b"GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n" % octet) == 400

    @pytest.mark.parametrize("octet", [n for n in range(0x21, 0x7F) if n not in b"#?"])
    def test_octets_that_a_path_may_hold(self, octet: int) -> None:
        """More than RFC 3986 allows: browsers send some of them bare."""
        assert accepted(b"GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n" % octet).path == b"/a%cb" % octet

    @pytest.mark.parametrize("version", [b"1.1", b"1.2", b"1.9"])
    def test_a_higher_minor_version_is_served_as_1_1(self, version: bytes) -> None:
        """RFC 9110 section 2.5."""
        request = accepted(b"GET / HTTP/%s\r\nHost: a\r\n\r\n" % version)
        assert not request.old
        assert request.persistent

    def test_1_0_is_old(self) -> None:
        assert accepted(b"GET / HTTP/1.0\r\n\r\n").old

    @pytest.mark.parametrize("version", [b"0.9", b"2.0", b"3.0", b"9.9"])
    def test_another_major_version(self, version: bytes) -> None:
        """RFC 9110 section 15.6.6."""
        assert refused_with(b"GET / HTTP/%s\r\nHost: a\r\n\r\n" % version) == 505

    def test_the_preface_of_http_2(self) -> None:
        assert refused_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505

    @pytest.mark.parametrize("first", [*range(0x21), *b'"(),/:;<=>?@[\\]{}', *range(0x7F, 0x100)])
    def test_what_does_not_start_like_a_request_is_not_waited_for(self, first: int) -> None:
        assert refusal(bytes([first]) + b"abc") == 400


class TestTarget:
    """RFC 9112 section 3.2."""

    @pytest.mark.parametrize(
        ("target", "path", "query"),
        [
            (b"/", b"/", None),
            (b"/a/b", b"/a/b", None),
            (b"//a", b"//a", None),
            (b"/a?b=1", b"/a", b"b=1"),
            (b"/a?", b"/a", b""),
            (b"/?a?b/c", b"/", b"a?b/c"),
            (b"/a%20b?%20", b"/a%20b", b"%20"),
            (b"/http://b/", b"/http://b/", None),
            (b"/*", b"/*", None),
        ],
    )
    def test_origin_form(self, target: bytes, path: bytes, query: bytes | None) -> None:
        request = accepted(head(target=target))
        assert (request.path, request.query, request.authority) == (path, query, b"a")

    @pytest.mark.parametrize(
        ("target", "authority", "path", "query"),
        [
            (b"http://b/", b"b", b"/", None),
            (b"http://b", b"b", b"/", None),
            (b"http://b?q", b"b", b"/", b"q"),
            (b"http://b/a?q", b"b", b"/a", b"q"),
            (b"http://b//a", b"b", b"//a", None),
            (b"https://b/", b"b", b"/", None),
            (b"HTTP://B/", b"B", b"/", None),
            (b"http://b:80/", b"b:80", b"/", None),
            (b"http://b:/", b"b:", b"/", None),
            (b"http://192.0.2.1:8000/", b"192.0.2.1:8000", b"/", None),
            (b"http://[::1]/", b"[::1]", b"/", None),
            (b"http://[2001:db8::1]:8000/", b"[2001:db8::1]:8000", b"/", None),
            (b"http://b/http://c/", b"b", b"/http://c/", None),
        ],
    )
    def test_absolute_form_wins_over_host(
        self, target: bytes, authority: bytes, path: bytes, query: bytes | None
    ) -> None:
        """Section 3.2.2."""
        request = accepted(head(target=target))
        assert (request.path, request.query, request.authority) == (path, query, authority)

    @pytest.mark.parametrize(
        ("target", "authority"),
        [(b"*", b"a"), (b"http://b", b"b"), (b"http://b:80", b"b:80")],
        ids=["asterisk form", "absolute without a path", "absolute with a port"],
    )
    def test_options_of_the_server_as_a_whole(self, target: bytes, authority: bytes) -> None:
        """Section 3.2.4."""
        request = accepted(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (request.path, request.query, request.authority) == (b"*", None, authority)

    @pytest.mark.parametrize(
        ("target", "path"),
        [(b"/*", b"/*"), (b"/", b"/"), (b"http://b/", b"/"), (b"http://b?q", b"/")],
    )
    def test_options_of_one_path(self, target: bytes, path: bytes) -> None:
        assert accepted(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").path == path

    @pytest.mark.parametrize(
        "target",
        [
            pytest.param(b"*", id="asterisk form, but no OPTIONS"),
            pytest.param(b"a:80", id="authority form"),
            pytest.param(b"a", id="a relative path"),
            pytest.param(b"./a", id="a relative path with a dot"),
            pytest.param(b"?q", id="nothing but a query"),
            pytest.param(b"\\a", id="a backslash"),
            pytest.param(b"/a#b", id="a fragment"),
            pytest.param(b"/#", id="an empty fragment"),
            pytest.param(b"http://b/#c", id="a fragment, absolute"),
            pytest.param(b"http:", id="nothing but a scheme"),
            pytest.param(b"http:/b/", id="one slash"),
            pytest.param(b"http:///", id="no authority"),
            pytest.param(b"http://?q", id="no authority, and a query"),
            pytest.param(b"http://:80/", id="nothing but a port"),
            pytest.param(b"http://u@b/", id="userinfo"),
            pytest.param(b"http://u:p@b/", id="userinfo with a password"),
            pytest.param(b"http://@b/", id="empty userinfo"),
            pytest.param(b"http://b:x/", id="a port that is no number"),
            pytest.param(b"http://b:-1/", id="a port with a sign"),
            pytest.param(b"http://b:80:80/", id="two ports"),
            pytest.param(b"http://[::1/", id="no closing bracket"),
            pytest.param(b"http://::1/", id="IPv6 without brackets"),
            pytest.param(b"http://[::1]x/", id="something behind the bracket"),
            pytest.param(b"http://b\\c/", id="a backslash in the authority"),
            pytest.param(b"http://b%/", id="an incomplete escape in the authority"),
            pytest.param(b"ftp://b/", id="another scheme"),
            pytest.param(b"file:///etc/passwd", id="file"),
            pytest.param(b"urn:a:b", id="a URN"),
            pytest.param(b"/\xc3\xa4", id="UTF-8 bare"),
            pytest.param(b"/\xe4", id="Latin-1 bare"),
        ],
    )
    def test_refused(self, target: bytes) -> None:
        assert refused_with(head(target=target)) == 400

    @pytest.mark.parametrize("target", [b"a:443", b"/", b"http://a/", b"*"])
    def test_connect(self, target: bytes) -> None:
        """RFC 9110 section 15.5.6: 405 comes with Allow."""
        data = b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert refused_with(data) == 405
        with pytest.raises(Refused) as refused:
            read(data)
        assert dict(refused.value.fields) == {b"Allow": b"GET, HEAD, OPTIONS"}


class TestHost:
    """RFC 9112 section 3.2, RFC 9110 section 7.2."""

    @pytest.mark.parametrize(
        "value",
        [
            b"a",
            b"example.org",
            b"example.org:8000",
            b"example.org:",
            b"EXAMPLE.org.",
            b"a_b-c~d",
            b"192.0.2.1",
            b"192.0.2.1:80",
            b"[::1]",
            b"[2001:db8::1]:8000",
            b"[::ffff:192.0.2.1]",
            b"xn--bcher-kva.example",
            b"b%C3%BCcher.example",
            b"",
        ],
    )
    def test_valid(self, value: bytes) -> None:
        """An empty one is what RFC 9110 asks for where the target has no authority."""
        request = accepted(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % value)
        assert request.authority == value

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"a b", id="a space within"),
            pytest.param(b"a\tb", id="a tab within"),
            pytest.param(b"a/b", id="a slash"),
            pytest.param(b"http://a", id="a URL"),
            pytest.param(b"a?b", id="a question mark"),
            pytest.param(b"a#b", id="a fragment"),
            pytest.param(b"u@a", id="userinfo"),
            pytest.param(b"a\\b", id="a backslash"),
            pytest.param(b"a:b", id="a port that is no number"),
            pytest.param(b"a:+80", id="a port with a sign"),
            pytest.param(b"a:80:80", id="two ports"),
            pytest.param(b"a:123456", id="a port of six digits"),
            pytest.param(b"::1", id="IPv6 without brackets"),
            pytest.param(b"[::1", id="no closing bracket"),
            pytest.param(b"[]", id="empty brackets"),
            pytest.param(b"[::g]", id="a letter that is no hex digit"),
            pytest.param(b"a%", id="an incomplete escape"),
            pytest.param(b"<script>", id="markup"),
            pytest.param(b'"a"', id="quotes"),
            pytest.param(b"b\xc3\xbccher.example", id="not ASCII"),
        ],
    )
    def test_invalid(self, value: bytes) -> None:
        assert refused_with(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % value) == 400
        assert refused_with(b"GET http://b/ HTTP/1.1\r\nHost: %s\r\n\r\n" % value) == 400
        assert refused_with(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % value) == 400

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(b"", id="none"),
            pytest.param(b"Host: a\r\nHost: b\r\n", id="two"),
            pytest.param(b"Host: a\r\nHost: a\r\n", id="two that are equal"),
            pytest.param(b"Host: a\r\nhost:\r\n", id="two, one of them empty"),
            pytest.param(b"Host:\r\nHost:\r\n", id="two that are empty"),
        ],
    )
    @pytest.mark.parametrize("version", [b"1.1", b"1.2"])
    def test_exactly_one_is_due(self, fields: bytes, version: bytes) -> None:
        assert refused_with(b"GET / HTTP/%s\r\n%s\r\n" % (version, fields)) == 400
        assert refused_with(b"GET http://b/ HTTP/%s\r\n%s\r\n" % (version, fields)) == 400

    def test_1_0_needs_none(self) -> None:
        assert accepted(b"GET / HTTP/1.0\r\n\r\n").authority == b""

    def test_1_0_may_have_one_but_not_two(self) -> None:
        assert accepted(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").authority == b"a"
        assert refused_with(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n") == 400


class TestFields:
    """RFC 9112 section 5, RFC 9110 sections 5.1 to 5.5."""

    @pytest.mark.parametrize(
        ("line", "name", "value"),
        [
            pytest.param(b"Referer: z", b"referer", b"z", id="ordinary"),
            pytest.param(b"Referer:z", b"referer", b"z", id="no space"),
            pytest.param(b"Referer: \t z \t ", b"referer", b"z", id="white space around the value"),
            pytest.param(b"Referer:", b"referer", b"", id="empty"),
            pytest.param(b"Referer: \t", b"referer", b"", id="nothing but white space"),
            pytest.param(b"Referer: a  b\tc", b"referer", b"a  b\tc", id="white space within"),
            pytest.param(b"Referer: a: b:", b"referer", b"a: b:", id="more colons"),
            pytest.param(b"Referer: \xe4\x80\xff", b"referer", b"\xe4\x80\xff", id="obs-text"),
            pytest.param(b"rEFERER: z", b"referer", b"z", id="another case"),
        ],
    )
    def test_well_formed(self, line: bytes, name: bytes, value: bytes) -> None:
        assert field_line(line) == (name, value)
        assert accepted(head(line)).fields[name] == value

    def test_any_token_is_a_name(self) -> None:
        line = b"!#$%&'*+-.^_`|~09aZ: z"
        assert field_line(line) == (b"!#$%&'*+-.^_`|~09az", b"z")
        assert accepted(head(line)).method == b"GET"

    def test_fields_without_a_bearing_are_dropped(self) -> None:
        """So nothing behind the parser can depend on them."""
        request = accepted(head(b"Cookie: a", b"Range: bytes=0-", b"X-Request-ID: 1"))
        assert set(request.fields) == {b"host", b"range"}

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b": x", id="an empty name"),
            pytest.param(b"X-Y", id="no colon"),
            pytest.param(b"X-Y : z", id="a space before the colon"),
            pytest.param(b"X-Y\t: z", id="a tab before the colon"),
            pytest.param(b"X Y: z", id="a space in the name"),
            pytest.param(b"X(Y): z", id="a name that is no token"),
            pytest.param(b'"X": z', id="a quoted name"),
            pytest.param(b"X\xc4: z", id="a name that is not ASCII"),
            pytest.param(b"X\x00: z", id="NUL in the name"),
            pytest.param(b" folded", id="a folded line"),
            pytest.param(b"\tfolded", id="a line folded with a tab"),
            pytest.param(b" X-Y: z", id="a folded line that looks like a field"),
            pytest.param(b" ", id="a line with a space in it"),
        ],
    )
    def test_malformed(self, line: bytes) -> None:
        assert refused_with(head(line)) == 400
        assert refused_with(head(b"X-Before: z", line, b"X-Behind: z")) == 400
        with pytest.raises(Refused):
            field_line(line)

    def test_white_space_before_the_first_field(self) -> None:
        """RFC 9112 section 2.2: once a way to smuggle a field past a filter."""
        assert refused_with(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n") == 400

    @pytest.mark.parametrize("octet", [*range(0x09), *range(0x0A, 0x20), 0x7F])
    @pytest.mark.parametrize("value", [b"a%cb", b"%ca", b"a%c"], ids=["within", "first", "last"])
    def test_control_octets_in_a_value(self, octet: int, value: bytes) -> None:
        """RFC 9110 section 5.5. White space of other kinds is not stripped either."""
        assert refused_with(head(b"X-Y:" + value % octet)) == 400
        with pytest.raises(Refused):
            field_line(b"X-Y:" + value % octet)

    @pytest.mark.parametrize("octet", [0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
    def test_all_other_octets_in_a_value(self, octet: int) -> None:
        assert field_line(b"X-Y: a%cb" % octet) == (b"x-y", b"a%cb" % octet)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", id="all lines"),
            pytest.param(b"GET / HTTP/1.1\nHost: a\r\n\r\n", id="the request line"),
            pytest.param(b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", id="a field line"),
            pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\n", id="the empty line"),
            pytest.param(b"GET / HTTP/1.1\r\nHost: a\n\r\n", id="the line before it"),
        ],
    )
    def test_bare_line_feeds(self, data: bytes) -> None:
        """RFC 9112 section 2.2 lets a recipient take them; two recipients may differ then."""
        assert refused_with(data) == 400

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"GET / HTTP/1.1\rHost: a\r\r", id="all lines"),
            pytest.param(b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", id="a field line"),
            pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", id="one too many"),
            pytest.param(b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", id="one too many at the top"),
        ],
    )
    def test_bare_carriage_returns(self, data: bytes) -> None:
        """RFC 9112 section 2.2: never a line end."""
        assert refused_with(data) == 400

    def test_several_lines_are_one_list(self) -> None:
        """RFC 9110 section 5.3: in order, joined by commas."""
        request = accepted(head(b"If-Match: a", b"Range: z", b"if-match:", b"If-match: b, c"))
        assert request.fields[b"if-match"] == b"a, , b, c"
        assert request.fields[b"range"] == b"z"


class TestFraming:
    """RFC 9112 section 6."""

    @pytest.mark.parametrize(
        ("lines", "length"),
        [
            pytest.param([], 0, id="neither field"),
            pytest.param([b"Content-Length: 0"], 0, id="no octets"),
            pytest.param([b"Content-Length: 5"], 5, id="five octets"),
            pytest.param([b"content-length:5 "], 5, id="as other people write it"),
            pytest.param([b"Content-Length: 007"], 7, id="leading zeros"),
            pytest.param([b"Content-Length: 999999999999999999"], 10**18 - 1, id="18 digits"),
            pytest.param([b"Transfer-Encoding: chunked"], None, id="chunked"),
            pytest.param([b"transfer-encoding:CHUNKED"], None, id="in any case"),
        ],
    )
    def test_lengths(self, lines: list[bytes], length: int | None) -> None:
        assert accepted(head(*lines)).body_length == length

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param([b""], id="empty"),
            pytest.param([b"+5"], id="plus"),
            pytest.param([b"-5"], id="minus"),
            pytest.param([b"5 5"], id="a space within"),
            pytest.param([b"1_0"], id="underscore"),
            pytest.param([b"0x5"], id="hexadecimal"),
            pytest.param([b"5.0"], id="fraction"),
            pytest.param([b"5e1"], id="exponent"),
            pytest.param([b"five"], id="letters"),
            pytest.param([b"\xb2"], id="superscript two in Latin-1"),
            pytest.param(["\u0661".encode()], id="Arabic digit"),
            pytest.param([b"\xa05"], id="a no-break space"),
            pytest.param([b"1000000000000000000"], id="19 digits"),
            pytest.param([b"5, 5"], id="a list of equal ones"),
            pytest.param([b"5,6"], id="a list of different ones"),
            pytest.param([b"5,"], id="a comma behind"),
            pytest.param([b"5", b"5"], id="two lines, equal"),
            pytest.param([b"5", b"6"], id="two lines, different"),
            pytest.param([b"5", b""], id="two lines, one empty"),
            pytest.param([b"0", b"5"], id="two lines, one zero"),
        ],
    )
    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    def test_malformed_content_length(self, values: list[bytes], version: bytes) -> None:
        """Section 6.3, rule 5. A list of equal numbers may be refused, and is."""
        lines = b"".join(b"Content-Length: %s\r\n" % value for value in values)
        assert refused_with(b"POST / HTTP/%s\r\nHost: a\r\n%s\r\n" % (version, lines)) == 400

    @pytest.mark.parametrize(
        "lines",
        [
            [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
            [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
            [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
            [b"Transfer-Encoding: gzip", b"Content-Length: 5"],
            [b"Transfer-Encoding:", b"Content-Length: 5"],
            [b"Transfer-Encoding: chunked", b"Content-Length: x"],
        ],
    )
    def test_both_fields(self, lines: list[bytes]) -> None:
        """Section 6.1: how requests are smuggled."""
        assert refused_with(head(*lines)) == 400

    @pytest.mark.parametrize("coding", [b"chunked", b"gzip", b"identity", b""])
    def test_transfer_encoding_in_1_0(self, coding: bytes) -> None:
        """Section 6.1: a faulty framing, whatever it says."""
        data = b"POST / HTTP/1.0\r\nTransfer-Encoding: %s\r\n\r\n" % coding
        assert refused_with(data) == 400

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param([b""], id="empty"),
            pytest.param([b","], id="an empty list"),
            pytest.param([b"chunked, chunked"], id="chunked twice"),
            pytest.param([b"chunked", b"chunked"], id="chunked in two lines"),
            pytest.param([b"chunked, gzip"], id="chunked, but not last"),
            pytest.param([b"chunked", b"identity"], id="chunked, but not in the last line"),
            pytest.param([b"gzip, chunked, chunked"], id="chunked twice behind another"),
        ],
    )
    def test_chunked_comes_once_and_last(self, values: list[bytes]) -> None:
        """Sections 6.1 and 7.1."""
        assert refused_with(head(*(b"Transfer-Encoding: " + value for value in values))) == 400

    @pytest.mark.parametrize("value", [b"gzip, chunked", b"x-foo,chunked", b"identity, chunked"])
    def test_another_coding_under_chunked_is_not_implemented(self, value: bytes) -> None:
        """Section 6.1: the end of the body would be known, its meaning would not."""
        assert refused_with(head(b"Transfer-Encoding: " + value)) == 501

    @pytest.mark.parametrize(
        "value",
        [
            b'"chunked"',
            b"chunked;q=1",
            b"chunked gzip",
            b"chunked\xa0",
        ],
    )
    def test_a_coding_that_is_malformed(self, value: bytes) -> None:
        assert refused_with(head(b"Transfer-Encoding: " + value)) == 400

    @pytest.mark.parametrize(
        "value", [b"gzip", b"identity", b"xchunked", b"chunkedx", b"'chunked'"]
    )
    def test_a_coding_that_is_not_understood(self, value: bytes) -> None:
        """Section 6.1; that the connection is closed is what section 6.3 is about."""
        assert refused_with(head(b"Transfer-Encoding: " + value)) == 501


class TestConnection:
    """RFC 9112 section 9.3."""

    @pytest.mark.parametrize(
        ("version", "lines", "persistent"),
        [
            (b"1.1", [], True),
            (b"1.1", [b"Connection: keep-alive"], True),
            (b"1.1", [b"Connection: close"], False),
            (b"1.1", [b"Connection: CLOSE"], False),
            (b"1.1", [b"Connection: keep-alive, close"], False),
            (b"1.1", [b"Connection: close, keep-alive"], False),
            (b"1.1", [b"Connection: upgrade,close ,x"], False),
            (b"1.1", [b"Connection: keep-alive", b"Connection: close"], False),
            (b"1.1", [b"Connection: closed"], True),
            (b"1.1", [b"Connection: not close"], True),
            (b"1.1", [b"Connection:"], True),
            (b"1.1", [b"Connection: ,,"], True),
            (b"1.2", [], True),
            (b"1.0", [], False),
            (b"1.0", [b"Connection: keep-alive"], True),
            (b"1.0", [b"Connection: Keep-Alive"], True),
            (b"1.0", [b"Connection: x, keep-alive"], True),
            (b"1.0", [b"Connection: keep-alive, close"], False),
            (b"1.0", [b"Connection: close"], False),
            (b"1.0", [b"Connection: keep-alives"], False),
            (b"1.0", [b"Keep-Alive: timeout=5"], False),
            (b"1.0", [b"Proxy-Connection: keep-alive"], False),
        ],
    )
    def test_persistence(self, version: bytes, lines: list[bytes], persistent: bool) -> None:
        data = b"\r\n".join([b"GET / HTTP/" + version, b"Host: a", *lines, b"", b""])
        assert accepted(data).persistent is persistent


class TestExpect:
    """RFC 9110 section 10.1.1."""

    @pytest.mark.parametrize("value", [b"100-continue", b"100-Continue", b"100-CONTINUE"])
    def test_continue(self, value: bytes) -> None:
        request = accepted(head(b"Expect: " + value, b"Content-Length: 5"))
        assert request.expects_continue
        assert request.body_length == 5

    def test_nothing_is_expected_by_most(self) -> None:
        assert not accepted(head(b"Content-Length: 5")).expects_continue

    @pytest.mark.parametrize(
        "value", [b"", b"200-ok", b"100-continued", b"100-continue, x", b"100-continue;q=1"]
    )
    def test_anything_else_is_an_expectation_that_fails(self, value: bytes) -> None:
        assert refused_with(head(b"Expect: " + value)) == 417

    @pytest.mark.parametrize("value", [b"100-continue", b"200-ok"])
    def test_1_0_knows_no_expectations(self, value: bytes) -> None:
        data = b"POST / HTTP/1.0\r\nExpect: %s\r\nContent-Length: 5\r\n\r\n" % value
        assert not accepted(data).expects_continue


def padded(length: int, limits: Limits) -> bytes:
    """Return a request whose request line has ``length`` octets; its head is within limits."""
    line = b"GET /" + b"a" * (length - 14) + b" HTTP/1.1"
    assert len(line) == length
    return line + b"\r\nHost: a\r\n\r\n"


class TestLimits:
    SMALL = Limits(request_line=40, head=120, fields=4)

    def test_defaults(self) -> None:
        """RFC 9112 section 3 recommends 8000 octets at least for the request line."""
        expected = Limits(request_line=8192, head=32_768, fields=100, body=65_536)
        assert expected == LIMITS

    @pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["defaults", "small"])
    def test_request_line(self, limits: Limits) -> None:
        """RFC 9110 section 15.5.15."""
        fits = padded(limits.request_line, limits)
        too_long = padded(limits.request_line + 1, limits)
        assert read(fits, (), limits) is not None
        assert refusal(too_long, (), limits) == 414
        assert refusal(too_long, every_cut(too_long), limits) == 414

    @pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["defaults", "small"])
    def test_a_request_line_that_just_fits_may_be_cut_anywhere(self, limits: Limits) -> None:
        fits = padded(limits.request_line, limits)
        assert read(fits, every_cut(fits), limits) == read(fits, (), limits)

    @pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["defaults", "small"])
    def test_a_line_that_never_ends_is_not_waited_for(self, limits: Limits) -> None:
        endless = b"A" * (limits.request_line + 1)
        assert refusal(endless, (), limits) == 414
        assert refusal(endless, every_cut(endless), limits) == 414
        assert read(endless[:-1], (), limits) is None

    @pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["defaults", "small"])
    def test_head(self, limits: Limits) -> None:
        """RFC 6585 section 5."""
        start, end = b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n\r\n"
        space = limits.head - len(start) - len(end)
        fits, too_long = (start + b"x" * n + end for n in (space, space + 1))
        assert read(fits, (), limits) is not None
        assert read(fits, every_cut(fits), limits) == read(fits, (), limits)
        assert refusal(too_long, (), limits) == 431
        assert refusal(too_long, every_cut(too_long), limits) == 431

    def test_a_head_that_never_ends_is_not_waited_for(self) -> None:
        endless = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20
        assert refusal(endless, (), self.SMALL) == 431
        assert refusal(endless, every_cut(endless), self.SMALL) == 431

    @pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["defaults", "small"])
    def test_number_of_fields(self, limits: Limits) -> None:
        lines = [b"X: y"] * limits.fields  # Host is one of them
        assert read(head(*lines[1:]), (), limits) is not None
        assert refusal(head(*lines), (), limits) == 431

    def test_what_follows_a_head_is_not_counted(self) -> None:
        data = head() + b"x" * 1000
        assert find_head_end(data, 0, self.SMALL) == len(head())


class TestFindHeadEnd:
    def test_the_end_is_behind_the_empty_line(self) -> None:
        assert find_head_end(b"A\r\n\r\nrest", 0, LIMITS) == 5
        assert find_head_end(bytearray(b"A\r\n\r\nB\r\n\r\n"), 0, LIMITS) == 5

    @pytest.mark.parametrize("data", [b"", *(head()[:stop] for stop in every_cut(head()))])
    def test_an_incomplete_head_has_none_yet(self, data: bytes) -> None:
        assert find_head_end(data, 0, LIMITS) == -1

    @pytest.mark.parametrize("scanned", range(len(b"GET /\r\n")))
    def test_a_malformed_request_line_is_refused_where_it_ends(self, scanned: int) -> None:
        """Rather than at the deadline: an HTTP/0.9 client sends no more than this."""
        assert find_head_end(b"GET /\r", scanned, LIMITS) == -1
        with pytest.raises(Refused) as refused:
            find_head_end(b"GET /\r\n", scanned, LIMITS)
        assert refused.value.status == 400

    @pytest.mark.parametrize("scanned", range(9))
    def test_the_end_is_found_however_much_was_there_before(self, scanned: int) -> None:
        assert find_head_end(b"AAAAA\r\n\r\n", scanned, LIMITS) == 9

    def test_what_was_looked_at_is_not_looked_at_again(self) -> None:
        """Else a head that arrives octet by octet would cost quadratic time."""
        line = b"GET / HTTP/1.1\r\n"
        assert find_head_end(line + b"X\nY: z", len(line) + 3, LIMITS) == -1
        assert find_head_end(line + b"\r\nX: y", len(line) + 5, LIMITS) == -1


VALID_HEADS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a/b?c=d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: [::1]:8000\r\nContent-Length: 5\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n",
    b"HEAD http://a:80/b HTTP/1.1\r\nHost: c\r\nRange: bytes=0-\r\nX-Empty:\r\n\r\n",
]

INTERESTING = st.sampled_from(
    [
        *(
            b"\r",
            b"\n",
            b"\r\n",
            b"\r\n\r\n",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b"/",
            b"%",
            b"#",
            b"?",
            b"@",
        ),
        *(
            b"\x7f",
            b"\x80",
            b"0",
            b"9",
            b"HTTP/",
            b"chunked",
            b"close",
            b"\r\n ",
            b"Host: b\r\n",
            b"*",
        ),
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Return a valid head in which some stretches are replaced, removed or doubled."""
    data = draw(st.sampled_from(VALID_HEADS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.integers(0, 4))
        new = draw(
            st.just(b"") | INTERESTING | st.binary(max_size=3) | st.just(data[start:stop] * 2)
        )
        data = data[:start] + new + data[stop:]
    return data


@settings(deadline=None)
@given(st.binary(max_size=100) | mutations())
def test_nothing_but_refused_is_raised(data: bytes) -> None:
    """Neither where a head was found, nor for what was never one."""
    for reading in (lambda: read(data), lambda: parse(data, LIMITS)):
        with suppress(Refused):
            reading()


@settings(deadline=None)
@given(mutations())
def test_a_refusal_has_a_status_of_its_own(data: bytes) -> None:
    if outcome(data, ()) == "refused":
        assert refusal(data) in {400, 405, 417, 501, 505}


@settings(deadline=None)
@given(data=st.binary(max_size=100) | mutations(), cuts=st.lists(st.integers(0, 200)))
def test_cutting_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    """A head with several faults may be refused for another of them, but it is refused."""
    whole = outcome(data, ())
    # Only the first head counts: what comes after it may be broken, and seen or not yet seen.
    assert outcome(data, [cut for cut in cuts if cut < len(data)]) == whole
    assert outcome(data, every_cut(data)) == whole


def outcome(data: bytes, cuts: Iterable[int]) -> Request | str | None:
    try:
        return read(data, cuts)
    except Refused:
        return "refused"


@given(st.sampled_from(VALID_HEADS), st.binary(max_size=30))
def test_what_follows_a_head_has_no_influence_on_it(data: bytes, rest: bytes) -> None:
    assert read(data + rest) == read(data)


LINES = [
    *(b"Host: a", b"Cookie: a=1", b"X: y", b"X:", b"User-Agent: x", b"Referer: http://a/"),
    *(b"Range: bytes=0-1", b"Connection: close", b"X : y", b"nonsense", b" folded", b"", b"X: \0"),
    *(b"X: a\rb", b"X: a\nb", b": y", b"host: b", b"X: " + b"y" * 600),
]


def known(reader: HeadReader) -> dict[bytes, int | bytes]:
    """Return what ``reader`` remembers of lines: how much that is cannot be seen from outside."""
    return reader._lines


def verdict(reader: HeadReader, data: bytes) -> Head | int:
    """Return the head in ``data``, or the status that it is refused with."""
    try:
        return reader.read(data)
    except Refused as refused:
        return refused.status


class TestHeadReader:
    """What it remembers of lines makes it faster and changes nothing."""

    def test_a_head_is_split_by_what_its_lines_decide(self) -> None:
        data = (
            b"GET /a HTTP/1.1\r\n"
            b"X-Request-ID: 1\r\n"
            b"User-Agent: x\r\n"
            b"HOST: a\r\n"
            b"Cookie: c\r\n"
            b"accept-encoding:gzip\r\n"
            b"Referer: r\r\n"
            b"Range: bytes=0-1\r\n"
            b"\r\n"
        )
        expected = Head(
            (b"GET /a HTTP/1.1", b"HOST: a", b"accept-encoding:gzip", b"Range: bytes=0-1"),
            (b"User-Agent: x", b"Referer: r"),
        )
        reader = HeadReader(LIMITS)
        assert reader.read(data) == expected
        assert reader.read(data) == expected, "by memory"

    @pytest.mark.parametrize(
        "name",
        [
            *(b"Accept-Encoding", b"Connection", b"Content-Length", b"Expect", b"Host"),
            *(b"If-Match", b"If-Modified-Since", b"If-None-Match", b"If-Range"),
            *(b"If-Unmodified-Since", b"Range", b"Transfer-Encoding"),
        ],
    )
    def test_lines_that_may_decide_the_answer(self, name: bytes) -> None:
        reader = HeadReader(LIMITS)
        for spelled in (name, name.lower(), name.upper()) * 2:
            line = spelled + b": x"
            expected = Head((b"GET / HTTP/1.1", b"Host: a", line), ())
            assert reader.read(head(line)) == expected

    @pytest.mark.parametrize("name", [b"Referer", b"User-Agent", b"rEFERER"])
    def test_lines_for_the_log(self, name: bytes) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(2):
            expected = Head((b"GET / HTTP/1.1", b"Host: a"), (name + b": x",))
            assert reader.read(head(name + b": x")) == expected

    @pytest.mark.parametrize(
        "name", [b"Cookie", b"Accepts", b"Ranges", b"Host-", b"X-Range", b"TE"]
    )
    def test_lines_of_no_bearing(self, name: bytes) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(2):
            assert reader.read(head(name + b": x")) == Head((b"GET / HTTP/1.1", b"Host: a"), ())

    def test_without_fields(self) -> None:
        reader = HeadReader(LIMITS)
        assert reader.read(b"GET / HTTP/1.0\r\n\r\n") == Head((b"GET / HTTP/1.0",), ())

    def test_the_request_line_is_not_taken_for_a_field(self) -> None:
        """Though it may look like one that is known."""
        reader = HeadReader(LIMITS)
        reader.read(head(b"Cookie: x"))
        assert reader.read(b"Cookie: x\r\nHost: a\r\n\r\n") == Head((b"Cookie: x", b"Host: a"), ())
        assert b"GET / HTTP/1.1" not in known(reader)

    def test_the_number_of_lines_is_bounded(self) -> None:
        reader = HeadReader(LIMITS)
        most = 0
        for number in range(10_000):
            reader.read(head(b"X-%d: y" % number))
            most = max(most, len(known(reader)))
            assert b"X-%d: y" % number in known(reader), "the newest is known"
        assert most == 4096
        assert len(known(reader)) <= 4096

    def test_the_length_of_lines_is_bounded(self) -> None:
        reader = HeadReader(LIMITS)
        fits, too_long = b"X: " + b"y" * 509, b"X: " + b"y" * 510
        assert (len(fits), len(too_long)) == (512, 513)
        for _ in range(2):
            reader.read(head(fits, too_long))
            assert set(known(reader)) == {b"Host: a", fits}

    def test_what_is_malformed_is_not_remembered(self) -> None:
        reader = HeadReader(LIMITS)
        for line in (b"X : y", b"nonsense", b" folded", b"X: \0"):
            for _ in range(2):
                assert verdict(reader, head(line)) == 400
        assert set(known(reader)) == {b"Host: a"}

    def test_lines_are_told_apart_to_the_octet(self) -> None:
        reader = HeadReader(LIMITS)
        assert verdict(reader, head(b"X: y")) == Head((b"GET / HTTP/1.1", b"Host: a"), ())
        for line in (b"X : y", b"X: y\r", b" X: y", b"\0X: y", b"X: y\n"):
            assert verdict(reader, head(line)) == 400

    @pytest.mark.parametrize("others", [0, 4096])
    def test_too_many_lines_are_refused_known_or_not(self, others: int) -> None:
        reader = HeadReader(Limits(fields=4))
        for number in range(others):
            reader.read(head(b"X-%d: y" % number))
        for _ in range(2):
            assert verdict(reader, head(*[b"X: y"] * 3)) == Head(
                (b"GET / HTTP/1.1", b"Host: a"), ()
            )
            assert verdict(reader, head(*[b"X: y"] * 4)) == 431

    def test_too_many_lines_go_before_malformed_ones(self) -> None:
        reader = HeadReader(Limits(fields=4))
        assert verdict(reader, head(*[b"nonsense"] * 4)) == 431
        assert verdict(reader, head(*[b"nonsense"] * 3)) == 400

    @given(st.lists(st.lists(st.sampled_from(LINES), max_size=4), max_size=8))
    def test_the_verdict_is_the_same_known_or_not(self, heads: list[list[bytes]]) -> None:
        reader = HeadReader(LIMITS)
        for lines in heads * 2:
            data = b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])
            assert verdict(reader, data) == verdict(HeadReader(LIMITS), data)

    @given(st.lists(st.binary(max_size=100) | mutations(), max_size=4))
    @settings(deadline=None)
    def test_the_verdict_on_anything_is_the_same(self, heads: list[bytes]) -> None:
        reader = HeadReader(LIMITS)
        for data in heads * 2:
            assert verdict(reader, data) == verdict(HeadReader(LIMITS), data)

    @pytest.mark.parametrize(
        ("lines", "fields"),
        [
            ([], {}),
            ([b"Cookie: x", b"Range: y"], {}),
            ([b"Referer: r"], {b"referer": b"r"}),
            (
                [b"USER-AGENT:\t a b ", b"referer: http://a/"],
                {b"user-agent": b"a b", b"referer": b"http://a/"},
            ),
            ([b"User-Agent: a", b"X: y", b"user-agent: b"], {b"user-agent": b"a, b"}),
            ([b"User-Agent:"], {b"user-agent": b""}),
            ([b"User-Agent: \xff"], {b"user-agent": b"\xff"}),
        ],
    )
    def test_noted_fields(self, lines: list[bytes], fields: dict[bytes, bytes]) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(2):
            assert noted_fields(reader.read(head(*lines)).noted) == fields

    def test_noted_fields_are_fields_of_the_request_as_well(self) -> None:
        request = read(head(b"User-Agent: a", b"Referer: b", b"Cookie: c"))
        assert request is not None
        assert request.fields == {b"host": b"a", b"user-agent": b"a", b"referer": b"b"}


def heads(reader: HeadReader) -> dict[bytes, Head]:
    """Return the heads that ``reader`` remembers whole."""
    return reader._heads


def of_length(length: int, *lines: bytes) -> bytes:
    """Return a head with these field lines that is so long, on account of its target."""
    shortest = head(*lines)
    return head(*lines, target=b"/" + b"a" * (length - len(shortest)))


class TestWholeHeads:
    """What it remembers of whole heads makes it faster still, and changes nothing either."""

    def test_a_head_is_remembered_once_its_lines_are_known(self) -> None:
        reader = HeadReader(LIMITS)
        data = head(b"X-Number: 1", b"User-Agent: x")
        expected = Head((b"GET / HTTP/1.1", b"Host: a"), (b"User-Agent: x",))
        assert reader.read(data) == expected
        assert heads(reader) == {}, "another number may come with each request"
        assert reader.read(data) == expected
        assert heads(reader) == {data: expected}
        assert reader.read(data) is heads(reader)[data]

    @pytest.mark.parametrize("name", [b"Cookie", b"AUTHORIZATION", b"Proxy-Authorization"])
    @pytest.mark.parametrize("also", [(), (b"authorization", b"cookie")])
    def test_no_secret_is_remembered(self, name: bytes, also: tuple[bytes, ...]) -> None:
        """Whoever looks into our memory is not to find passwords there."""
        reader = HeadReader(LIMITS, also)
        data = head(name + b": hunter2", b"User-Agent: x")
        results = [reader.read(data) for _ in range(3)]
        assert results[0] == results[1] == results[2]
        known = [*heads(reader), *reader._lines]
        assert known
        assert not any(b"hunter2" in each for each in known)

    def test_a_head_is_remembered_if_its_lines_are_known_from_others(self) -> None:
        reader = HeadReader(LIMITS)
        reader.read(head(b"X: 1", b"Y: 1"))
        reader.read(head(b"X: 2", b"Y: 2"))
        assert heads(reader) == {}
        mixed = head(b"Y: 2", b"X: 1", target=b"/other")
        reader.read(mixed)
        assert list(heads(reader)) == [mixed]

    def test_a_head_without_fields_is_remembered_at_once(self) -> None:
        reader = HeadReader(LIMITS)
        reader.read(b"GET / HTTP/1.0\r\n\r\n")
        assert list(heads(reader)) == [b"GET / HTTP/1.0\r\n\r\n"]

    @pytest.mark.parametrize(
        "line",
        [b"X: " + b"y" * 510, b"Cookie: " + b"y" * 700],
        ids=["an octet too long", "much too long"],
    )
    def test_a_head_with_a_line_too_long_to_be_known_is_not_remembered(self, line: bytes) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(3):
            reader.read_whole(head(line))
            reader.read(head(line))
        assert heads(reader) == {}

    def test_the_length_of_heads_is_bounded(self) -> None:
        reader = HeadReader(LIMITS)
        fits, too_long = of_length(1024), of_length(1025)
        assert (len(fits), len(too_long)) == (1024, 1025)
        for _ in range(3):
            for data in (fits, too_long):
                result = reader.read(data)
                assert reader.read_whole(data) == result
                assert result.decisive[0] == data.partition(b"\r\n")[0]
        assert list(heads(reader)) == [fits]

    @pytest.mark.parametrize("by", ["read", "read_whole"])
    def test_the_number_of_heads_is_bounded(self, by: str) -> None:
        reader = HeadReader(LIMITS)
        read = getattr(reader, by)
        read(head())
        most = 0
        for number in range(10_000):
            data = head(target=b"/%d" % number)
            assert read(data) == Head((b"GET /%d HTTP/1.1" % number, b"Host: a"), ())
            assert data in heads(reader), "the newest is known"
            most = max(most, len(heads(reader)))
        assert most == 4096
        assert len(known(reader)) == 1

    def test_a_head_outlives_the_lines_it_is_made_of(self) -> None:
        reader = HeadReader(LIMITS)
        data = head(b"Referer: r")
        for _ in range(2):
            reader.read(data)
        for number in range(4096):
            reader.read(head(b"X-%d: y" % number))
        assert b"Referer: r" not in known(reader)
        expected = Head((b"GET / HTTP/1.1", b"Host: a"), (b"Referer: r",))
        assert reader.read_whole(data) == reader.read(data) == expected

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\r\n",
            head()[:-1],
            head()[:-2],
            head() + b"x",
            head() + b"\r\n",
            b"\r\n" + head(),
            head() + head(),
            head() + head()[:-1],
            head(b"Content-Length: 4") + b"abcd",
            head(b"Content-Length: 4") + b"\r\n\r\n",
            head(b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
            head().replace(b"\r\n", b"\n"),
            head(b"X: y\n"),
            head(b" folded"),
            head(b"X : y"),
            head(b"X: \0"),
            head(b"X: a\rb"),
            head(b"nonsense"),
        ],
    )
    def test_anything_but_one_head_is_none(self, data: bytes) -> None:
        """Whatever is known of the lines in it, and of the heads."""
        reader = HeadReader(LIMITS)
        for _ in range(3):
            assert reader.read_whole(data) is None
            for known_head in (head(), head(b"Content-Length: 4"), head(b"X: y")):
                assert reader.read_whole(known_head) is not None
        assert data not in heads(reader)

    @given(st.sampled_from(VALID_HEADS), st.integers(0, 2000))
    def test_a_piece_of_a_head_is_none(self, data: bytes, length: int) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(3):
            assert reader.read_whole(data) == reader.read(data)
        piece = data[: min(length, len(data) - 1)]
        assert reader.read_whole(piece) is None
        assert reader.read_whole(data + piece) is (None if piece else reader.read(data))

    @pytest.mark.parametrize("room", [-1, 0, 1])
    def test_a_head_over_the_limit_is_none(self, room: int) -> None:
        """Though its lines are known."""
        data = head(b"X: y")
        reader = HeadReader(Limits(head=len(data) + room))
        reader.read_whole(b"G / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")
        assert set(known(reader)) == {b"Host: a", b"X: y"}
        for _ in range(2):
            assert (reader.read_whole(data) is None) is (room < 0)
            assert (data in heads(reader)) is (room >= 0)

    def test_too_many_lines_are_none(self) -> None:
        reader = HeadReader(Limits(fields=3))
        for _ in range(3):
            assert reader.read_whole(head(b"X: y", b"X: y")) is not None
            assert reader.read_whole(head(b"X: y", b"X: y", b"X: y")) is None
        assert list(heads(reader)) == [head(b"X: y", b"X: y")]

    def test_heads_are_told_apart_to_the_octet(self) -> None:
        reader = HeadReader(LIMITS)
        for _ in range(3):
            reader.read(head(b"Range: x"))
        for other in (head(b"range: x"), head(b"Range:x"), head(b"Range: x", target=b"/%2f")):
            expected = HeadReader(LIMITS).read(other)
            assert expected != reader.read(head(b"Range: x"))
            assert reader.read_whole(other) == expected

    @given(
        st.lists(
            st.tuples(st.sampled_from([b"/", b"/a", b"/a b"]), st.lists(st.sampled_from(LINES))),
            max_size=6,
        ),
        st.sampled_from([LIMITS, Limits(head=100), Limits(fields=2)]),
    )
    def test_the_verdict_is_the_same_with_memory_and_without(
        self, requests: list[tuple[bytes, list[bytes]]], limits: Limits
    ) -> None:
        reader = HeadReader(limits)
        for target, lines in requests * 3:
            data = b"\r\n".join([b"GET " + target + b" HTTP/1.1", *lines, b"", b""])
            once = verdict(HeadReader(limits), data)
            whole = HeadReader(limits).read_whole(data)
            assert whole == (None if is_refused(data, limits) else once)
            assert reader.read_whole(data) == whole
            if len(data) <= limits.head:  # it is not asked for others: see `find_head_end`
                assert verdict(reader, data) == once

    @given(st.lists(st.binary(max_size=100) | mutations(), max_size=4))
    @settings(deadline=None)
    def test_what_is_read_whole_is_what_is_read(self, pieces: list[bytes]) -> None:
        """By whoever looks for the end of a head first, and then at the lines."""
        reader = HeadReader(LIMITS)
        for data in pieces * 3:
            whole = reader.read_whole(data)
            assert whole == HeadReader(LIMITS).read_whole(data)
            if whole is not None:
                assert data.find(b"\r\n\r\n") == len(data) - 4
                assert whole == HeadReader(LIMITS).read(data)


def is_refused(data: bytes, limits: Limits) -> bool:
    """Return whether ``data`` is anything but one head with lines that are let through."""
    return (
        len(data) > limits.head
        or data.find(b"\r\n\r\n") != len(data) - 4
        or isinstance(verdict(HeadReader(limits), data), int)
    )
