"""Which octets a Range field asks for (RFC 9110 section 14)."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhttp.core.ranges import MAX_SPANS, content_range, multipart, parse_range

Spans = list[tuple[int, int]]

IGNORED = None
UNSATISFIABLE: Spans = []


def spans_of(value: bytes, size: int) -> Spans | None:
    spans = parse_range(value, size)
    return None if spans is None else list(spans)


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        pytest.param(b"bytes=0-0", [(0, 1)], id="the first octet"),
        pytest.param(b"bytes=0-1", [(0, 2)], id="two octets"),
        pytest.param(b"bytes=30-30", [(30, 31)], id="the last octet"),
        pytest.param(b"bytes=0-30", [(0, 31)], id="exactly all"),
        pytest.param(b"bytes=0-31", [(0, 31)], id="one more than all"),
        pytest.param(b"bytes=10-", [(10, 31)], id="open"),
        pytest.param(b"bytes=0-", [(0, 31)], id="open from the start"),
        pytest.param(b"bytes=30-", [(30, 31)], id="open at the last octet"),
        pytest.param(b"bytes=-1", [(30, 31)], id="suffix"),
        pytest.param(b"bytes=-31", [(0, 31)], id="suffix of all"),
        pytest.param(b"bytes=-1000", [(0, 31)], id="suffix longer than the file"),
        pytest.param(b"BYTES=0-1", [(0, 2)], id="unit names are case-insensitive"),
        pytest.param(b"bytes=007-0008", [(7, 9)], id="leading zeros"),
        pytest.param(b"bytes=0-99999999999999999999999", [(0, 31)], id="a last beyond 64 bits"),
        pytest.param(b"bytes=-99999999999999999999999", [(0, 31)], id="a suffix beyond 64 bits"),
        pytest.param(b"bytes=0-" + b"9" * 5000, [(0, 31)], id="5,000 digits"),
        pytest.param(b"bytes=" + b"0" * 5000 + b"1-2", [(1, 3)], id="5,000 leading zeros"),
    ],
)
def test_one_range(value: bytes, spans: Spans) -> None:
    """Section 14.1.2, of a file of 31 octets."""
    assert spans_of(value, 31) == spans


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        pytest.param(b"bytes=0-0,-1", [(0, 1), (30, 31)], id="first and last, the RFC's example"),
        pytest.param(b"bytes=0-1,5-6, 9-", [(0, 2), (5, 7), (9, 31)], id="three"),
        pytest.param(b"bytes= 0-1 ,\t5-6 ", [(0, 2), (5, 7)], id="white space around"),
        pytest.param(b"bytes=,0-1,,5-6,", [(0, 2), (5, 7)], id="empty members"),
        pytest.param(b"bytes=5-6,0-1", [(5, 7), (0, 2)], id="in the order asked for"),
        pytest.param(b"bytes=0-5,3-8", [(0, 6), (3, 9)], id="overlapping a little"),
        pytest.param(b"bytes=0-1,99-", [(0, 2)], id="one of two unsatisfiable"),
        pytest.param(b"bytes=99-,0-1,-0", [(0, 2)], id="two of three unsatisfiable"),
        pytest.param(b"bytes=0-14,15-30", [(0, 15), (15, 31)], id="all, in two halves"),
    ],
)
def test_several_ranges(value: bytes, spans: Spans) -> None:
    assert spans_of(value, 31) == spans


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"bytes=31-", id="one past the end"),
        pytest.param(b"bytes=31-31", id="closed, one past the end"),
        pytest.param(b"bytes=-0", id="the last no octets"),
        pytest.param(b"bytes=99-100,200-", id="several"),
        pytest.param(b"bytes=99999999999999999999999-", id="beyond 64 bits"),
    ],
)
def test_unsatisfiable(value: bytes) -> None:
    """Section 14.1.1: none of the ranges begins within the file."""
    assert spans_of(value, 31) == UNSATISFIABLE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"bytes", id="no equals sign"),
        pytest.param(b"bytes=", id="no range"),
        pytest.param(b"bytes=,", id="a comma"),
        pytest.param(b"bytes= , ,", id="commas and spaces"),
        pytest.param(b"bytes=-", id="no number"),
        pytest.param(b"bytes=5", id="no hyphen"),
        pytest.param(b"bytes=5-2", id="last before first"),
        pytest.param(b"bytes=5-4", id="last just before first"),
        pytest.param(b"bytes=0-1,5-2", id="one of two has its last before its first"),
        pytest.param(b"bytes=0-1,x", id="one of two malformed"),
        pytest.param(b"bytes=--1", id="two hyphens"),
        pytest.param(b"bytes=1-2-3", id="three numbers"),
        pytest.param(b"bytes=a-b", id="letters"),
        pytest.param(b"bytes=0x0-0x1", id="hexadecimal"),
        pytest.param(b"bytes=+1-1_0", id="what int() takes"),
        pytest.param(b"bytes=0 - 1", id="space within"),
        pytest.param(b"bytes=0-1;5-6", id="semicolon"),
        pytest.param(b"bytes=0-1\n", id="line feed"),
        pytest.param("bytes=\u0661-\u0662".encode(), id="Arabic digits"),
        pytest.param("bytes=\uff10-\uff11".encode(), id="fullwidth digits"),
        pytest.param(b"bytes=\xb2-\xb3", id="not UTF-8"),
        pytest.param(b"bytes =0-1", id="space before the equals sign"),
        pytest.param(b" bytes=0-1", id="space in front"),
        pytest.param(b"bytes:0-1", id="colon"),
        pytest.param(b"bits=0-1", id="another unit"),
        pytest.param(b"items=0-1", id="yet another unit"),
        pytest.param(b"bytes=0-1, bytes=5-6", id="two fields, joined"),
    ],
)
def test_ignored(value: bytes) -> None:
    """Section 14.2: malformed, or in a unit that is not understood."""
    assert spans_of(value, 31) is IGNORED


@pytest.mark.parametrize(
    "value", [b"bytes=0-", b"bytes=0-0", b"bytes=-1", b"bytes=-0", b"bytes=5-"]
)
def test_an_empty_file_has_no_ranges(value: bytes) -> None:
    assert spans_of(value, 0) is IGNORED


SPECS = st.one_of(
    st.builds(lambda first, last: b"%d-%d" % (first, last), st.integers(0, 40), st.integers(0, 40)),
    st.builds(lambda first: b"%d-" % first, st.integers(0, 40)),
    st.builds(lambda length: b"-%d" % length, st.integers(0, 40)),
)


@given(first=st.integers(0, 40), length=st.integers(1, 40), content=st.binary(min_size=1))
def test_a_closed_range_is_a_slice(first: int, length: int, content: bytes) -> None:
    spans = spans_of(b"bytes=%d-%d" % (first, first + length - 1), len(content))
    check_slice(spans, content, content[first : first + length])


@given(first=st.integers(0, 40), content=st.binary(min_size=1))
def test_an_open_range_is_a_slice(first: int, content: bytes) -> None:
    check_slice(spans_of(b"bytes=%d-" % first, len(content)), content, content[first:])


@given(length=st.integers(1, 40), content=st.binary(min_size=1))
def test_a_suffix_is_a_slice(length: int, content: bytes) -> None:
    check_slice(spans_of(b"bytes=-%d" % length, len(content)), content, content[-length:])


def check_slice(spans: Spans | None, content: bytes, expected: bytes) -> None:
    if not expected:
        assert spans == UNSATISFIABLE
    else:
        assert spans is not None
        ((start, stop),) = spans
        assert 0 <= start < stop <= len(content)
        assert content[start:stop] == expected


@settings(deadline=None)
@given(specs=st.lists(SPECS, min_size=1, max_size=120), size=st.integers(1, 2000))
def test_no_request_gets_more_octets_than_the_file_has(specs: list[bytes], size: int) -> None:
    """Section 14.2: many or overlapping ranges are how a server is made to send far too much."""
    spans = spans_of(b"bytes=" + b", ".join(specs), size)
    if spans is not None:
        assert sum(stop - start for start, stop in spans) <= size
        assert all(0 <= start < stop <= size for start, stop in spans)


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: b"bytes=" + rest))
def test_nothing_in_the_field_makes_it_fail(value: bytes) -> None:
    for start, stop in spans_of(value, 31) or []:
        assert 0 <= start < stop <= 31


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"bytes=" + b"0-," * 2000 + b"0-", id="all, 2,000 times"),
        pytest.param(b"bytes=" + b"0-0," * 2000, id="the first octet, 2,000 times"),
        pytest.param(b"bytes=0-,0-", id="all, twice"),
        pytest.param(b"bytes=0-499,400-999", id="more than all, by overlapping"),
    ],
)
def test_too_much_is_answered_with_the_whole(value: bytes) -> None:
    assert spans_of(value, 1000) is IGNORED


@pytest.mark.parametrize(
    ("count", "obeyed"),
    [
        (100, True),
        pytest.param(
            101,
            False,
        ),
        (102, False),
        (200, False),
    ],
)
def test_there_is_a_limit_to_how_many_ranges_are_obeyed(count: int, obeyed: bool) -> None:
    assert MAX_SPANS == 100
    single_octets = b",".join(b"%d-%d" % (2 * n, 2 * n) for n in range(count))
    spans = spans_of(b"bytes=" + single_octets, 1000)
    assert spans == ([(2 * n, 2 * n + 1) for n in range(count)] if obeyed else IGNORED)


def test_the_largest_head_full_of_ranges_costs_next_to_nothing() -> None:
    """No octet of a field is looked at more than a few times (Starlette's CVE-2025-62727)."""
    values = [b"bytes=" + b"0-," * 10_000, b"bytes=" + b"," * 30_000, b"bytes=" + b"0" * 30_000]
    began = process_time()
    for value in values:
        assert spans_of(value, 1000) is IGNORED
    assert process_time() - began < 1


@pytest.mark.parametrize(
    ("start", "stop", "size", "value"),
    [
        (0, 1, 31, b"bytes 0-0/31"),
        (21010, 47022, 47022, b"bytes 21010-47021/47022"),
        (0, 2**64, 2**64, b"bytes 0-18446744073709551615/18446744073709551616"),
    ],
)
def test_content_range_counts_the_last_octet_in(
    start: int, stop: int, size: int, value: bytes
) -> None:
    """Section 14.4."""
    assert content_range(start, stop, size) == value


class TestMultipart:
    """RFC 9110 section 14.6 and RFC 2046 section 5.1.1; read back by `email` in test_answer."""

    def test_the_frame(self) -> None:
        content_type, delimiters, closing = multipart(
            [(0, 1), (30, 31)], 31, b"text/plain", b'"tag"'
        )
        m = re.fullmatch(rb"multipart/byteranges; boundary=([0-9a-f]{24})", content_type)
        assert m is not None
        assert delimiters == [
            b"\r\n--%s\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/31\r\n\r\n" % m[1],
            b"\r\n--%s\r\nContent-Type: text/plain\r\nContent-Range: bytes 30-30/31\r\n\r\n" % m[1],
        ]
        assert closing == b"\r\n--%s--\r\n" % m[1]

    def test_is_the_same_on_every_replica(self) -> None:
        one = multipart([(0, 1), (2, 3)], 31, b"text/plain", b'"tag"')
        other = multipart([(0, 1), (2, 3)], 31, b"text/plain", b'"tag"')
        assert one == other

    def test_another_version_of_the_file_has_another_boundary(self) -> None:
        spans = [(0, 1), (2, 3)]
        one, _, _ = multipart(spans, 31, b"text/plain", b'"one"')
        other, _, _ = multipart(spans, 31, b"text/plain", b'"other"')
        assert one != other
