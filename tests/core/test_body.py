"""Where the body of a request ends, to the octet (RFC 9112 sections 6.3 and 7.1)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import parse
from tinyhttp.core.body import Body, Chunked, FixedLength, body_of
from tinyhttp.core.request import Limits
from tinyhttp.core.response import Refused

NEXT = b"GET / HTTP/1.1\r\n"
"""What a client sends behind the body: not one octet of it may be touched."""


def drop_whole(body: Body, data: bytes) -> bytes | None:
    """Let ``body`` drop what is its own of ``data``; return the rest, ``None`` if it goes on."""
    buffer = bytearray(data)
    return bytes(buffer) if body.drop(buffer) else None


def drop_in_pieces(body: Body, pieces: list[bytes]) -> bytes | None:
    """Likewise where the octets arrive in ``pieces``."""
    buffer = bytearray()
    for index, piece in enumerate(pieces):
        buffer += piece
        if body.drop(buffer):
            return bytes(buffer) + b"".join(pieces[index + 1 :])
    return None


def octets(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


def check_ends(data: bytes) -> None:
    """Assert that the chunked body ``data`` ends where it ends, however it arrives."""
    for rest in (b"", NEXT, b"\r\n" + NEXT, b"0\r\n\r\n", b"\n"):
        assert drop_whole(Chunked(), data + rest) == rest
        assert drop_in_pieces(Chunked(), octets(data + rest)) == rest
        for cut in range(1, len(data + rest)):
            assert drop_in_pieces(Chunked(), [(data + rest)[:cut], (data + rest)[cut:]]) == rest


def check_refused(data: bytes) -> None:
    """Assert that ``data`` is refused whole, octet by octet, and with a request behind it."""
    for pieces in ([data], octets(data), [data + NEXT], octets(data + NEXT)):
        with pytest.raises(Refused) as refused:
            drop_in_pieces(Chunked(), pieces)
        assert refused.value.status == 400


class TestFixedLength:
    @pytest.mark.parametrize("length", [0, 1, 5, 1000])
    def test_ends_after_so_many_octets(self, length: int) -> None:
        data = b"x" * length + NEXT
        assert drop_whole(FixedLength(length), data) == NEXT
        assert drop_in_pieces(FixedLength(length), octets(data)) == NEXT

    def test_goes_on_until_then(self) -> None:
        assert drop_whole(FixedLength(5), b"1234") is None
        assert drop_in_pieces(FixedLength(5), octets(b"1234")) is None

    def test_what_it_holds_is_not_looked_at(self) -> None:
        assert drop_whole(FixedLength(9), b"0\r\n\r\n\0\xff\n\r" + NEXT) == NEXT

    def test_is_known_to_be_long_before_it_arrives(self) -> None:
        """So that a client can be turned away before it has sent the first octet."""
        assert FixedLength(10**15).received == 10**15


class TestChunked:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"0\r\n\r\n", id="empty"),
            pytest.param(b"000\r\n\r\n", id="zero in three digits"),
            pytest.param(b"5\r\nhello\r\n0\r\n\r\n", id="one chunk"),
            pytest.param(b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", id="two chunks"),
            pytest.param(b"a\r\n0123456789\r\n0\r\n\r\n", id="hexadecimal"),
            pytest.param(b"A\r\n0123456789\r\n0\r\n\r\n", id="hexadecimal in capitals"),
            pytest.param(b"10\r\n0123456789abcdef\r\n0\r\n\r\n", id="two hex digits"),
            pytest.param(b"0000000000005\r\nhello\r\n0\r\n\r\n", id="leading zeros"),
            pytest.param(b"4\r\n\r\n\r\n\r\n0\r\n\r\n", id="data that looks like line ends"),
            pytest.param(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", id="data that looks like the end"),
            pytest.param(b"1\r\n\n\r\n0\r\n\r\n", id="data that is a line feed"),
        ],
    )
    def test_ends_behind_the_last_chunk(self, data: bytes) -> None:
        """RFC 9112 section 7.1."""
        check_ends(data)

    @pytest.mark.parametrize(
        "extension",
        [
            pytest.param(b";a", id="a name"),
            pytest.param(b";a=b", id="a name and a token"),
            pytest.param(b";a=b;c;d=e", id="several"),
            pytest.param(b' ; a\t= "b"', id="bad white space"),
            pytest.param(b';a=""', id="an empty string"),
            pytest.param(b';a="b c"', id="a space in a string"),
            pytest.param(b';a="b;c=d"', id="a semicolon in a string"),
            pytest.param(b';a="\\"\\\\\\b"', id="escapes in a string"),
            pytest.param(b';a="\xe4\x80";b="\\\xe4"', id="obs-text in a string"),
            pytest.param(b";!#$%&='*+-.^_`|~09azAZ", id="all characters of a token"),
            pytest.param(b";a=" + b"b" * 4000, id="a long one"),
        ],
    )
    def test_extensions_are_ignored(self, extension: bytes) -> None:
        """RFC 9112 section 7.1.1."""
        body = b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n"
        if len(extension) < 100:
            check_ends(body)
        assert drop_in_pieces(Chunked(), octets(body + NEXT)) == NEXT

    @pytest.mark.parametrize(
        "trailer",
        [
            pytest.param(b"X-Sum: 5\r\n", id="one field"),
            pytest.param(b"X-Sum: 5\r\nX-Empty:\r\nX-Sum: 6\r\n", id="several"),
            pytest.param(b"X-Text: \xe4 \t\r\n", id="obs-text and white space"),
            pytest.param(b"Content-Length: 99\r\n", id="a field that frames nothing here"),
            pytest.param(b"Transfer-Encoding: chunked\r\n", id="another such"),
        ],
    )
    def test_trailer_fields_are_ignored(self, trailer: bytes) -> None:
        """RFC 9112 section 7.1.2, RFC 9110 section 6.5.1."""
        check_ends(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n")

    @pytest.mark.parametrize(
        "size",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"+5", id="plus"),
            pytest.param(b"-5", id="minus"),
            pytest.param(b"-0", id="minus zero"),
            pytest.param(b"0x5", id="0x"),
            pytest.param(b"5_0", id="underscore"),
            pytest.param(b"5h", id="h"),
            pytest.param(b"g", id="no hex digit"),
            pytest.param(b" 5", id="a space in front"),
            pytest.param(b"5 ", id="a space behind"),
            pytest.param(b"5\t", id="a tab behind"),
            pytest.param(b"5 5", id="a space within"),
            pytest.param(b"5\x0b", id="a vertical tab behind"),
            pytest.param(b"5\x00", id="NUL behind"),
            pytest.param(b"5,5", id="a comma"),
            pytest.param(b"5.0", id="a fraction"),
            pytest.param("\u0665".encode(), id="Arabic digit"),
            pytest.param("\uff15".encode(), id="fullwidth digit"),
            pytest.param(b"\xb2", id="superscript two in Latin-1"),
            pytest.param(b"1" * 16, id="16 digits"),
            pytest.param(b"0" * 15 + b"5", id="16 digits, most of them zeros"),
            pytest.param(b"f" * 1000, id="1,000 digits"),
            pytest.param(b"\n5", id="a line feed in front"),
            pytest.param(b"\r\n5", id="an empty line in front"),
        ],
    )
    def test_malformed_sizes(self, size: bytes) -> None:
        check_refused(size + b"\r\nhello\r\n0\r\n\r\n")
        check_refused(b"5\r\nhello\r\n" + size + b"\r\nhello\r\n0\r\n\r\n")

    @pytest.mark.parametrize(
        "extension",
        [
            pytest.param(b";", id="no name"),
            pytest.param(b";;a", id="an empty one"),
            pytest.param(b";a;", id="an empty one at the end"),
            pytest.param(b";a=", id="no value"),
            pytest.param(b";=b", id="a value without a name"),
            pytest.param(b";a b", id="a space within"),
            pytest.param(b";a ", id="a space at the end"),
            pytest.param(b';a="b', id="a string without an end"),
            pytest.param(b';a="b\\"', id="a string whose end is escaped"),
            pytest.param(b';a="b"c', id="something behind a string"),
            pytest.param(b";a=(b)", id="no token"),
            pytest.param(b";a\x00", id="NUL"),
            pytest.param(b';a="\x00"', id="NUL in a string"),
            pytest.param(b';a="\\\x00"', id="NUL escaped in a string"),
            pytest.param(b';a="\x7f"', id="DEL in a string"),
            pytest.param(b";\xe4", id="obs-text in a name"),
            pytest.param(b"a=b", id="no semicolon"),
            pytest.param(b";a=b\r", id="a carriage return"),
            pytest.param(b";a=b\n", id="a line feed"),
            pytest.param(b";a=b\nX", id="a line feed within: once a way to smuggle"),
            pytest.param(b';a="\n"', id="a line feed in a string"),
            pytest.param(b';a="\r"', id="a carriage return in a string"),
        ],
    )
    def test_malformed_extensions(self, extension: bytes) -> None:
        check_refused(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        check_refused(b"0" + extension + b"\r\n\r\n")

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"5\nhello\r\n0\r\n\r\n", id="behind a size"),
            pytest.param(b"5\r\nhello\n0\r\n\r\n", id="behind data"),
            pytest.param(b"5\r\nhello\r\n0\n\r\n", id="behind the last size"),
            pytest.param(b"5\r\nhello\r\n0\r\n\n", id="at the end"),
            pytest.param(b"0\n\n", id="everywhere"),
            pytest.param(b"0\r\nX: y\n\r\n", id="behind a trailer field"),
        ],
    )
    def test_bare_line_feeds(self, data: bytes) -> None:
        check_refused(data)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"5\r\nhello!\r\n0\r\n\r\n", id="one octet more than announced"),
            pytest.param(b"5\r\nhell\r\n0\r\n\r\n", id="one octet less"),
            pytest.param(b"5\r\nhello0\r\n\r\n", id="no line end"),
            pytest.param(b"5\r\nhelloXY0\r\n\r\n", id="two other octets"),
            pytest.param(b"5\r\nhello\rX0\r\n\r\n", id="CR and another octet"),
            pytest.param(b"5\r\nhello\r\r\n0\r\n\r\n", id="CR twice"),
            pytest.param(b"5\r\nhello\n\r0\r\n\r\n", id="LF and CR"),
            pytest.param(b"5\r\nhello \r\n0\r\n\r\n", id="a space"),
        ],
    )
    def test_data_that_does_not_end_where_it_should(self, data: bytes) -> None:
        check_refused(data)

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"X", id="no colon"),
            pytest.param(b": y", id="no name"),
            pytest.param(b"X : y", id="a space before the colon"),
            pytest.param(b" folded", id="a folded line"),
            pytest.param(b"X: y\r", id="a carriage return"),
            pytest.param(b"X: y\rZ", id="a carriage return within"),
            pytest.param(b"X: y\x00", id="NUL"),
            pytest.param(b"X: y\x7f", id="DEL"),
            pytest.param(b"GET / HTTP/1.1", id="the next request where the body should end"),
        ],
    )
    def test_malformed_trailer_fields(self, line: bytes) -> None:
        check_refused(b"0\r\n" + line + b"\r\n\r\n")
        check_refused(b"0\r\nA: b\r\n" + line + b"\r\n\r\n")

    @pytest.mark.parametrize(
        ("before", "start", "fill"),
        [(b"", b"5;", b"a"), (b"0\r\n", b"X:", b"y")],
        ids=["chunk line", "trailer field"],
    )
    def test_lines_are_bounded(self, before: bytes, start: bytes, fill: bytes) -> None:
        fits = before + start.ljust(4096, fill)
        assert drop_whole(Chunked(), fits + b"\r\n") is None
        too_long = before + start.ljust(4097, fill)
        check_refused(too_long + b"\r\n")
        check_refused(too_long)

    @pytest.mark.parametrize(
        ("before", "start", "fill"),
        [(b"", b"5;", b"a"), (b"0\r\n", b"X:", b"y")],
        ids=["chunk line", "trailer field"],
    )
    def test_a_line_that_just_fits_may_be_cut_anywhere(
        self, before: bytes, start: bytes, fill: bytes
    ) -> None:
        fits = before + start.ljust(4096, fill)
        assert drop_in_pieces(Chunked(), octets(fits + b"\r\n")) is None

    @pytest.mark.parametrize(
        "data",
        [b"", b"5", b"5\r", b"5\r\nhel", b"5\r\nhello\r", b"0\r\n", b"0\r\nX: y\r\n", b"0\r\n\r"],
    )
    def test_goes_on_until_the_end(self, data: bytes) -> None:
        assert drop_whole(Chunked(), data) is None
        assert drop_in_pieces(Chunked(), octets(data)) is None

    def test_nothing_of_its_data_is_kept(self) -> None:
        body = Chunked()
        buffer = bytearray(b"ffffff\r\n")
        for _ in range(100):
            buffer += b"x" * 1000
            assert not body.drop(buffer)
            assert buffer == b""

    def test_a_size_is_counted_when_it_is_announced(self) -> None:
        body = Chunked()
        drop_whole(body, b"fffffffffffffff\r\nx")
        assert body.received >= 0xFFFFFFFFFFFFFFF

    def test_extensions_and_trailers_count(self) -> None:
        """Else a client could go on for ever without sending a body at all."""
        body = Chunked()
        drop_whole(body, b"1;a=bcdefghij\r\nx\r\n0\r\n" + b"X: y\r\n" * 100)
        assert body.received >= 600

    @pytest.mark.parametrize("data", [b"1\r\na\r\n0\r\n\r\n", b"1\r\na\r\n" * 100 + b"0\r\n\r\n"])
    def test_every_octet_counts(self, data: bytes) -> None:
        body = Chunked()
        assert drop_whole(body, data) == b""
        assert body.received == len(data)


EXTENSIONS = st.sampled_from([b"", b"", b";a", b';a="b\\"c";d=e', b" ;\ta = b"])
TRAILERS = st.sampled_from([b"", b"", b"X: y\r\n", b"X: y\r\nZ:\r\n"])


@st.composite
def chunked_bodies(draw: st.DrawFn) -> bytes:
    """Return any data in any valid chunking."""
    body = b""
    for data in draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5)):
        size = draw(st.sampled_from([b"%x", b"%X", b"%04x"])) % len(data)
        body += size + draw(EXTENSIONS) + b"\r\n" + data + b"\r\n"
    last = draw(st.sampled_from([b"0", b"00"]))
    return body + last + draw(EXTENSIONS) + b"\r\n" + draw(TRAILERS) + b"\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(bounds)]


CUTS = st.lists(st.integers(0, 300), max_size=10)


@settings(deadline=None)
@given(data=chunked_bodies(), rest=st.binary(max_size=20), cuts=CUTS)
def test_any_chunking_in_any_cutting_is_dropped_exactly(
    data: bytes, rest: bytes, cuts: list[int]
) -> None:
    assert drop_in_pieces(Chunked(), pieces_of(data + rest, cuts)) == rest
    assert drop_in_pieces(Chunked(), octets(data + rest)) == rest


@settings(deadline=None)
@given(
    data=st.binary(max_size=60)
    | st.lists(
        st.sampled_from([b"0", b"5", b"f", b"\r", b"\n", b"\r\n", b";", b"a", b":", b'"', b" "])
    ).map(b"".join),
    cuts=CUTS,
)
def test_broken_framing_is_refused_in_every_cutting_or_in_none(
    data: bytes, cuts: list[int]
) -> None:
    whole = outcome([data])
    assert not isinstance(whole, int) or whole == 400
    assert outcome(pieces_of(data, cuts)) == whole
    assert outcome(octets(data)) == whole


def outcome(pieces: list[bytes]) -> bytes | int | None:
    """Return the rest, ``None`` if the body goes on, or the status it is refused with."""
    try:
        return drop_in_pieces(Chunked(), pieces or [b""])
    except Refused as refused:
        return refused.status


@pytest.mark.parametrize(
    ("field", "kind", "data"),
    [
        (b"Content-Length: 5", FixedLength, b"hello"),
        (b"Transfer-Encoding: chunked", Chunked, b"5\r\nhello\r\n0\r\n\r\n"),
        (b"X-No-Body: at all", FixedLength, b""),
    ],
)
def test_the_head_tells_which_body_follows(field: bytes, kind: type, data: bytes) -> None:
    """RFC 9112 section 6.3."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"
    body = body_of(parse(head, Limits()))
    assert isinstance(body, kind)
    assert drop_whole(body, data + NEXT) == NEXT
