"""Dates, entity tags, lists, weights and integers, as RFC 9110 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.fields import (
    elements,
    format_http_date,
    matches,
    parse_decimal,
    parse_entity_tags,
    parse_http_date,
    parse_weight,
    parse_weights,
)

SEPTEMBER_2026 = 1_790_000_000.0

# The moment that RFC 9110 section 5.6.7 uses as its example.
EXAMPLE = 784_111_777


class TestDecimal:
    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (b"0", 0),
            (b"7", 7),
            (b"0042", 42),
            (b"999999999999999999", 999_999_999_999_999_999),
        ],
        ids=["zero", "one digit", "leading zeros", "18 digits"],
    )
    def test_reads_a_run_of_ascii_digits(self, value: bytes, number: int) -> None:
        assert parse_decimal(value) == number

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"1000000000000000000", id="19 digits"),
            pytest.param(b"0000000000000000001", id="19 digits of which 18 are zeros"),
            pytest.param(b"+1", id="plus"),
            pytest.param(b"-1", id="minus"),
            pytest.param(b"1_0", id="underscore"),
            pytest.param(b" 1", id="space before"),
            pytest.param(b"1 ", id="space behind"),
            pytest.param(b"1\n", id="line feed behind"),
            pytest.param(b"0x1", id="hexadecimal"),
            pytest.param(b"1.0", id="fraction"),
            pytest.param(b"1, 1", id="list"),
            pytest.param("\u0661".encode(), id="Arabic digit"),
            pytest.param("\uff11".encode(), id="fullwidth digit"),
            pytest.param(b"\xb2", id="superscript two in Latin-1"),
        ],
    )
    def test_refuses_what_int_would_be_generous_about(self, value: bytes) -> None:
        assert parse_decimal(value) is None

    @given(st.binary(max_size=24))
    def test_is_none_or_the_number_whose_digits_these_are(self, value: bytes) -> None:
        number = parse_decimal(value)
        if number is not None:
            assert b"%d" % number == (value.lstrip(b"0") or b"0")


@pytest.mark.parametrize(
    ("value", "members"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"close", [b"close"], id="one"),
        pytest.param(b"a,b", [b"a", b"b"], id="no space"),
        pytest.param(b"a ,\t b", [b"a", b"b"], id="spaces and tabs around"),
        pytest.param(b", ,a,, ,b,", [b"a", b"b"], id="empty members are skipped"),
        pytest.param(b", ,\t,", [], id="nothing but empty members"),
        pytest.param(b"a\x0b,b", [b"a\x0b", b"b"], id="only space and tab are white space"),
    ],
)
def test_elements_of_a_list(value: bytes, members: list[bytes]) -> None:
    """RFC 9110 sections 5.6.1.2 and 5.6.3."""
    assert elements(value) == members


class TestDates:
    @pytest.mark.parametrize(
        ("when", "value"),
        [
            (EXAMPLE, b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
            (-1, b"Wed, 31 Dec 1969 23:59:59 GMT"),
            (4_102_444_799, b"Thu, 31 Dec 2099 23:59:59 GMT"),
        ],
        ids=["the RFC's example", "epoch", "leap day", "before the epoch", "end of the century"],
    )
    def test_is_written_as_an_imf_fixdate(self, when: int, value: bytes) -> None:
        assert format_http_date(when) == value
        assert parse_http_date(value, SEPTEMBER_2026) == when

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"Sun, 06 Nov 1994 08:49:37 GMT", id="IMF-fixdate"),
            pytest.param(b"Sunday, 06-Nov-94 08:49:37 GMT", id="RFC 850"),
            pytest.param(b"Sun Nov  6 08:49:37 1994", id="asctime"),
        ],
    )
    def test_is_read_in_all_three_formats(self, value: bytes) -> None:
        assert parse_http_date(value, SEPTEMBER_2026) == EXAMPLE

    @pytest.mark.parametrize("month", range(1, 13))
    def test_knows_every_month(self, month: int) -> None:
        name = b"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * month - 3 : 3 * month]
        days = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335][month - 1]  # of 1972
        when = 730 * 86_400 + days * 86_400
        assert parse_http_date(b"Sat, 01 %s 1972 00:00:00 GMT" % name, SEPTEMBER_2026) == when

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"0", id="zero"),
            pytest.param(b"784111777", id="epoch seconds"),
            pytest.param(b"yesterday", id="a word"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:37", id="no zone"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:37 UTC", id="UTC instead of GMT"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:37 +0000", id="numeric zone"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:37 GMT ", id="space behind"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:37 GMT; length=9", id="Netscape's parameter"),
            pytest.param(b"Sun, 6 Nov 1994 08:49:37 GMT", id="one digit for the day"),
            pytest.param(b"06 Nov 1994 08:49:37 GMT", id="no day name"),
            pytest.param(b"sun, 06 nov 1994 08:49:37 gmt", id="lower case"),
            pytest.param(b"Sun, 31 Nov 1994 08:49:37 GMT", id="31 November"),
            pytest.param(b"Mon, 29 Feb 1900 08:49:37 GMT", id="29 February of no leap year"),
            pytest.param(b"Sun, 00 Nov 1994 08:49:37 GMT", id="day 0"),
            pytest.param(b"Sun, 06 Nov 0000 08:49:37 GMT", id="year 0"),
            pytest.param(b"Sun, 06 Nov 1994 24:00:00 GMT", id="hour 24"),
            pytest.param(b"Sun, 06 Nov 1994 08:60:37 GMT", id="minute 60"),
            pytest.param(b"Sun, 06 Nov 1994 08:49:61 GMT", id="second 61"),
            pytest.param(b"Sun, 06 Nov 1994 +8:49:37 GMT", id="sign"),
            pytest.param(b"Sun, 06 Nov 19_4 08:49:37 GMT", id="underscore"),
            pytest.param("Sun, 0\u0666 Nov 1994 08:49:37 GMT".encode(), id="Arabic digit"),
            pytest.param(b"Sunday, 06-Nov-1994 08:49:37 GMT", id="RFC 850 with four digits"),
            pytest.param(b"Sun, 06-Nov-94 08:49:37 GMT", id="RFC 850 with a short day name"),
            pytest.param(b"Sun Nov 6 08:49:37 1994", id="asctime without padding"),
        ],
    )
    def test_that_is_none_says_nothing(self, value: bytes) -> None:
        assert parse_http_date(value, SEPTEMBER_2026) is None

    def test_a_leap_second_is_the_last_one_that_the_epoch_counts(self) -> None:
        value = b"Sat, 31 Dec 2016 23:59:60 GMT"
        assert parse_http_date(value, SEPTEMBER_2026) == 1_483_228_799

    @pytest.mark.parametrize(
        ("value", "written_out"),
        [
            (b"Monday, 01-Jan-26 00:00:00 GMT", b"Thu, 01 Jan 2026 00:00:00 GMT"),
            (b"Monday, 01-Jan-76 00:00:00 GMT", b"Wed, 01 Jan 2076 00:00:00 GMT"),
            (b"Monday, 01-Jan-77 00:00:00 GMT", b"Sat, 01 Jan 1977 00:00:00 GMT"),
            (b"Monday, 01-Jan-99 00:00:00 GMT", b"Fri, 01 Jan 1999 00:00:00 GMT"),
            pytest.param(
                b"Thursday, 31-Dec-76 23:59:59 GMT",
                b"Fri, 31 Dec 1976 23:59:59 GMT",
            ),
        ],
        ids=["this year", "in 49 years", "in 51 years", "last century", "in 50 years and a bit"],
    )
    def test_two_digits_of_a_year_are_never_more_than_fifty_years_ahead(
        self, value: bytes, written_out: bytes
    ) -> None:
        when = parse_http_date(value, SEPTEMBER_2026)
        assert when is not None
        assert format_http_date(when) == written_out

    @given(st.integers(-(10**10), 10**11))
    def test_what_is_written_is_read_again(self, when: int) -> None:
        assert parse_http_date(format_http_date(when), SEPTEMBER_2026) == when

    @given(st.binary(max_size=40))
    def test_reading_never_fails(self, value: bytes) -> None:
        assert parse_http_date(value, SEPTEMBER_2026) is None


class TestEntityTags:
    @pytest.mark.parametrize(
        ("value", "tags"),
        [
            pytest.param(b'"a"', [b'"a"'], id="strong"),
            pytest.param(b'W/"a"', [b'W/"a"'], id="weak"),
            pytest.param(b'""', [b'""'], id="empty"),
            pytest.param(b'"a","b"', [b'"a"', b'"b"'], id="no space"),
            pytest.param(b'"a" ,\tW/"b" ', [b'"a"', b'W/"b"'], id="white space"),
            pytest.param(b',, "a",, "b",', [b'"a"', b'"b"'], id="empty members"),
            pytest.param(b'"a,b"', [b'"a,b"'], id="a comma inside"),
            pytest.param(b'"a\\"', [b'"a\\"'], id="a backslash escapes nothing"),
            pytest.param(b'"\xe4"', [b'"\xe4"'], id="obs-text"),
        ],
    )
    def test_in_a_list(self, value: bytes, tags: list[bytes]) -> None:
        """RFC 9110 section 8.8.3."""
        assert parse_entity_tags(value) == tags

    @pytest.mark.parametrize(
        ("value", "tags"),
        [
            pytest.param(b"", [], id="empty"),
            pytest.param(b"a", [], id="no quotes"),
            pytest.param(b'"a', [], id="no closing quote"),
            pytest.param(b'w/"a"', [], id="lower-case w"),
            pytest.param(b'W/ "a"', [], id="space within"),
            pytest.param(b'"a b"', [], id="space inside the quotes"),
            pytest.param(b'"a\x7f"', [], id="DEL inside"),
            pytest.param(b'"a"x', [], id="something behind"),
            pytest.param(b'"a" "b"', [], id="no comma between"),
            pytest.param(b'"a", b, "c"', [b'"a"'], id="nothing is read past a bad member"),
            pytest.param(b'*, "a"', [], id="a star in a list"),
        ],
    )
    def test_a_malformed_member_ends_the_list(self, value: bytes, tags: list[bytes]) -> None:
        assert parse_entity_tags(value) == tags

    @pytest.mark.parametrize(
        ("tag", "other", "strong", "weak"),
        [
            (b'W/"1"', b'W/"1"', False, True),
            (b'W/"1"', b'W/"2"', False, False),
            (b'W/"1"', b'"1"', False, True),
            (b'"1"', b'"1"', True, True),
        ],
    )
    def test_comparison(self, tag: bytes, other: bytes, strong: bool, weak: bool) -> None:
        """The table of RFC 9110 section 8.8.3.2, in both directions."""
        for pair in ((tag, other), (other, tag)):
            assert matches(*pair, strong=True) is strong
            assert matches(*pair, strong=False) is weak


@pytest.mark.parametrize(
    ("value", "weights"),
    [
        pytest.param(b"", {}, id="empty"),
        pytest.param(b"gzip", {b"gzip": 1000}, id="no weight is 1"),
        pytest.param(b"gzip;q=1", {b"gzip": 1000}, id="1"),
        pytest.param(b"gzip;q=1.000", {b"gzip": 1000}, id="1.000"),
        pytest.param(b"gzip;q=1.", {b"gzip": 1000}, id="1 and a dot"),
        pytest.param(b"gzip;q=0", {b"gzip": 0}, id="0"),
        pytest.param(b"gzip;q=0.", {b"gzip": 0}, id="0 and a dot"),
        pytest.param(b"gzip;q=0.000", {b"gzip": 0}, id="0.000"),
        pytest.param(b"gzip;q=0.5", {b"gzip": 500}, id="one decimal"),
        pytest.param(b"gzip;q=0.05", {b"gzip": 50}, id="two decimals"),
        pytest.param(b"gzip;q=0.001", {b"gzip": 1}, id="three decimals"),
        pytest.param(b"GZip \t;\t Q=0.5", {b"gzip": 500}, id="case and white space"),
        pytest.param(b"a;q=0.1,*;q=0, b", {b"a": 100, b"*": 0, b"b": 1000}, id="several"),
        pytest.param(b"a;q=0.1, a;q=0.9", {b"a": 100}, id="the first counts"),
        pytest.param(b"a;q=1.001, b", {b"b": 1000}, id="more than 1"),
        pytest.param(b"a;q=0.1234, b", {b"b": 1000}, id="four decimals"),
        pytest.param(b"a;q=-1, b", {b"b": 1000}, id="negative"),
        pytest.param(b"a;q=.5, b", {b"b": 1000}, id="no digit before the dot"),
        pytest.param(b"a;q=, b", {b"b": 1000}, id="no number"),
        pytest.param(b"a;q = 1, b", {b"b": 1000}, id="space around the sign"),
        pytest.param(b"a;level=1, b", {b"b": 1000}, id="another parameter"),
        pytest.param(b"a b, ;q=1, \xe4, b", {b"b": 1000}, id="no token"),
    ],
)
def test_weights(value: bytes, weights: dict[bytes, int]) -> None:
    """RFC 9110 sections 12.4.2 and 12.5.3; members against the grammar count for nothing."""
    assert parse_weights(value) == weights


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        *((b"0", 0), (b"0.", 0), (b"0.5", 500), (b"0.001", 1), (b"1", 1000), (b"1.000", 1000)),
        *((b"", None), (b"1.001", None), (b"0.0001", None), (b".5", None), (b"-0", None)),
        *((b"2", None), (b"0.5 ", None), (b"0,5", None)),
    ],
)
def test_one_weight(value: bytes, weight: int | None) -> None:
    """RFC 9110 section 12.4.2."""
    assert parse_weight(value) == weight
