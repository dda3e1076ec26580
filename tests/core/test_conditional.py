"""The five conditional fields (RFC 9110 section 13)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import parse
from tinyhttp.core.conditional import evaluate, if_range
from tinyhttp.core.fields import HTTPDate
from tinyhttp.core.request import Limits
from tinyhttp.core.resource import Representation

NOW = 1_790_000_000.0
MODIFIED = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT

BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
EXACTLY = b"Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"


def representation(
    etag: bytes = b'"a"', last_modified: HTTPDate | None = MODIFIED
) -> Representation:
    return Representation(31, etag, last_modified, b"text/plain", b"", b"")


def status(
    fields: dict[bytes, bytes], etag: bytes = b'"a"', last_modified: HTTPDate | None = MODIFIED
) -> int | None:
    return evaluate(fields, representation(etag, last_modified), NOW)


def test_nothing_is_asked_and_nothing_stands_in_the_way() -> None:
    assert status({}) is None


# The strong comparison: section 13.1.1.
@pytest.mark.parametrize(
    ("value", "etag", "expected"),
    [
        pytest.param(b'"a"', b'"a"', None, id="the tag"),
        pytest.param(b'"b"', b'"a"', 412, id="another tag"),
        pytest.param(b'"b", "a"', b'"a"', None, id="in a list"),
        pytest.param(b'"b", "c"', b'"a"', 412, id="not in a list"),
        pytest.param(b"*", b'"a"', None, id="star"),
        pytest.param(b"*", b'W/"a"', None, id="star, for a weak tag"),
        pytest.param(b'W/"a"', b'"a"', 412, id="a weak tag does not match a strong one"),
        pytest.param(b'"a"', b'W/"a"', 412, id="nor a strong one a weak one"),
        pytest.param(b'W/"a"', b'W/"a"', 412, id="nor a weak one itself"),
        pytest.param(b"a", b'"a"', 412, id="no quotes"),
        pytest.param(b"", b'"a"', 412, id="empty"),
    ],
)
def test_if_match(value: bytes, etag: bytes, expected: int | None) -> None:
    assert status({b"if-match": value}, etag) == expected


# The weak comparison: section 13.1.2.
@pytest.mark.parametrize(
    ("value", "etag", "expected"),
    [
        pytest.param(b'"a"', b'"a"', 304, id="the tag"),
        pytest.param(b'"b"', b'"a"', None, id="another tag"),
        pytest.param(b'"b", "a"', b'"a"', 304, id="in a list"),
        pytest.param(b'"b","a"', b'"a"', 304, id="in a list without a space"),
        pytest.param(b'"x,y", "a"', b'"a"', 304, id="behind a tag that holds a comma"),
        pytest.param(b'"b", "c"', b'"a"', None, id="not in a list"),
        pytest.param(b"*", b'"a"', 304, id="star"),
        pytest.param(b'W/"a"', b'"a"', 304, id="a weak tag matches a strong one"),
        pytest.param(b'"a"', b'W/"a"', 304, id="and a strong one a weak one"),
        pytest.param(b'W/"a"', b'W/"a"', 304, id="and a weak one itself"),
        pytest.param(b"a", b'"a"', None, id="no quotes"),
        pytest.param(b'"A"', b'"a"', None, id="tags are case-sensitive"),
        pytest.param(b"", b'"a"', None, id="empty"),
    ],
)
def test_if_none_match(value: bytes, etag: bytes, expected: int | None) -> None:
    assert status({b"if-none-match": value}, etag) == expected


@pytest.mark.parametrize(
    ("since", "modified", "unmodified"),
    [
        pytest.param(BEFORE, None, 412, id="a second before the change"),
        pytest.param(EXACTLY, 304, None, id="at the second of the change"),
        pytest.param(AFTER, 304, None, id="a second after it"),
        pytest.param(b"Sunday, 06-Nov-94 08:49:37 GMT", 304, None, id="RFC 850"),
        pytest.param(b"Sun Nov  6 08:49:37 1994", 304, None, id="asctime"),
        pytest.param(b"Sunday, 06-Nov-94 08:49:36 GMT", None, 412, id="RFC 850, before"),
        pytest.param(b"Sun Nov  6 08:49:36 1994", None, 412, id="asctime, before"),
        pytest.param(b"Fri, 01 Jan 2100 00:00:00 GMT", 304, None, id="in the future"),
        pytest.param(b"", None, None, id="empty"),
        pytest.param(b"0", None, None, id="no date"),
        pytest.param(b"Sun, 31 Nov 1994 08:49:37 GMT", None, None, id="31 November"),
        pytest.param(EXACTLY + b"; length=31", None, None, id="a parameter"),
        pytest.param(EXACTLY + b", " + EXACTLY, None, None, id="two fields, joined"),
    ],
)
def test_dates(since: bytes, modified: int | None, unmodified: int | None) -> None:
    """Sections 13.1.3 and 13.1.4: invalid dates are ignored."""
    assert status({b"if-modified-since": since}) == modified
    assert status({b"if-unmodified-since": since}) == unmodified


@pytest.mark.parametrize("since", [BEFORE, EXACTLY, AFTER])
def test_dates_are_ignored_where_the_representation_has_none(since: bytes) -> None:
    assert status({b"if-modified-since": since}, last_modified=None) is None
    assert status({b"if-unmodified-since": since}, last_modified=None) is None


def in_order(match: str, unmodified: str, none_match: str, modified: str) -> int | None:
    """Section 13.2.2, steps 1 to 4, in words; each argument is "absent", "true" or "false"."""
    if match == "false":
        return 412
    if match == "absent" and unmodified == "false":
        return 412
    if none_match == "false":
        return 304
    if none_match == "absent" and modified == "false":
        return 304
    return None


IF_MATCH = {"absent": None, "true": b'"a"', "false": b'"b"'}
IF_UNMODIFIED_SINCE = {"absent": None, "true": EXACTLY, "false": BEFORE}
IF_NONE_MATCH = {"absent": None, "true": b'"b"', "false": b'"a"'}
IF_MODIFIED_SINCE = {"absent": None, "true": BEFORE, "false": EXACTLY}


@pytest.mark.parametrize(
    ("match", "unmodified", "none_match", "modified"),
    list(product(("absent", "true", "false"), repeat=4)),
)
def test_the_order_of_evaluation(
    match: str, unmodified: str, none_match: str, modified: str
) -> None:
    values = {
        b"if-match": IF_MATCH[match],
        b"if-unmodified-since": IF_UNMODIFIED_SINCE[unmodified],
        b"if-none-match": IF_NONE_MATCH[none_match],
        b"if-modified-since": IF_MODIFIED_SINCE[modified],
    }
    fields = {name: value for name, value in values.items() if value is not None}
    expected = in_order(match, unmodified, none_match, modified)
    assert status(fields) == expected
    # The fifth, If-Range, chooses between two successes and has no part in this.
    assert status({**fields, b"if-range": b'"b"', b"range": b"bytes=0-0"}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {b"if-none-match": b"nonsense", b"if-modified-since": EXACTLY},
            None,
            id="even a malformed If-None-Match silences If-Modified-Since",
        ),
        pytest.param(
            {b"if-match": b'"a"', b"if-unmodified-since": b"nonsense"},
            None,
            id="nonsense is ignored",
        ),
        pytest.param(
            {b"if-unmodified-since": b"nonsense", b"if-none-match": b'"a"'},
            304,
            id="an ignored condition passes on to the next step",
        ),
    ],
)
def test_malformed_fields_in_the_order(fields: dict[bytes, bytes], expected: int | None) -> None:
    assert status(fields) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([b'If-None-Match: "b"', b'If-None-Match: "a"'], 304, id="If-None-Match"),
        pytest.param([b'If-Match: "b"', b'If-Match: "a"'], None, id="If-Match"),
        pytest.param([b'If-Match: "b"', b'If-Match: "c"'], 412, id="If-Match, neither"),
        pytest.param([b'IF-NONE-MATCH: "b"', b'if-none-match: "a"'], 304, id="in any case"),
    ],
)
def test_fields_in_several_lines_are_one_list(lines: list[bytes], expected: int | None) -> None:
    """RFC 9110 section 5.3."""
    head = b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""])
    assert status(parse(head, Limits()).fields) == expected


class TestIfRange:
    """Section 13.1.5: whether Range may be obeyed."""

    def test_without_it_range_is_obeyed(self) -> None:
        assert if_range({b"range": b"bytes=0-0"}, representation(), NOW)

    @pytest.mark.parametrize(
        ("value", "etag", "obeyed"),
        [
            pytest.param(b'"a"', b'"a"', True, id="the tag"),
            pytest.param(b'"b"', b'"a"', False, id="another tag"),
            pytest.param(b'W/"a"', b'"a"', False, id="a weak tag"),
            pytest.param(b'"a"', b'W/"a"', False, id="the tag, now weak"),
            pytest.param(b'W/"a"', b'W/"a"', False, id="weak on both sides"),
            pytest.param(b'"b", "a"', b'"a"', False, id="a list is not allowed"),
            pytest.param(b"*", b'"a"', False, id="nor is a star"),
            pytest.param(b"a", b'"a"', False, id="no quotes"),
            pytest.param(b"", b'"a"', False, id="empty"),
            pytest.param(EXACTLY, b'"a"', True, id="the date"),
            pytest.param(BEFORE, b'"a"', False, id="an earlier date"),
            pytest.param(AFTER, b'"a"', False, id="a later date: it has to be the very one"),
            pytest.param(b"Sunday, 06-Nov-94 08:49:37 GMT", b'"a"', True, id="RFC 850"),
            pytest.param(b"Sun Nov  6 08:49:37 1994", b'"a"', True, id="asctime"),
            pytest.param(b"Sun, 31 Nov 1994 08:49:37 GMT", b'"a"', False, id="31 November"),
        ],
    )
    def test_tags_and_dates(self, value: bytes, etag: bytes, obeyed: bool) -> None:
        assert if_range({b"if-range": value}, representation(etag), NOW) is obeyed

    def test_no_date_matches_where_the_representation_has_none(self) -> None:
        fields = {b"if-range": b"Thu, 01 Jan 1970 00:00:00 GMT"}
        assert not if_range(fields, representation(last_modified=None), NOW)


NAMES = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range")


@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=40)))
def test_nothing_in_the_fields_makes_it_fail(fields: dict[bytes, bytes]) -> None:
    assert status(fields) in (None, 304, 412)
    assert if_range(fields, representation(), NOW) in (True, False)
