"""Which variant of a file Accept-Encoding chooses (RFC 9110 section 12.5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.negotiation import choose
from tinyhttp.core.resource import Representation


def variant(coding: bytes, size: int) -> Representation:
    return Representation(size, b'"tag"', None, b"text/plain", coding, b"")


ALL = (variant(b"", 100), variant(b"br", 30), variant(b"zstd", 35), variant(b"gzip", 40))


def chosen(value: bytes | None, variants: tuple[Representation, ...] = ALL) -> bytes | None:
    index = choose(value, variants)
    return None if index is None else variants[index].coding or b"identity"


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        pytest.param(None, b"identity", id="no field: the client may not know how to decode"),
        pytest.param(b"", b"identity", id="empty: no coding at all"),
        pytest.param(b"gzip", b"gzip", id="one"),
        pytest.param(b"GZIP", b"gzip", id="codings are case-insensitive"),
        pytest.param(b"x-gzip", b"gzip", id="x-gzip is gzip"),
        pytest.param(b"x-gzip, gzip;q=0", b"identity", id="gzip's own weight goes before x-gzip's"),
        pytest.param(b"gzip, deflate, br, zstd", b"br", id="ties: the smallest"),
        pytest.param(b"gzip, zstd", b"zstd", id="ties: the smallest of two"),
        pytest.param(b"gzip;q=0.9, br;q=0.8", b"gzip", id="the highest weight"),
        pytest.param(b"gzip;q=0.002, br;q=0.001", b"gzip", id="thousandths"),
        pytest.param(b"gzip;q=0.001", b"gzip", id="anything asked for is better than identity"),
        pytest.param(b"gzip;q=0.5, identity", b"identity", id="identity asked for"),
        pytest.param(b"gzip;q=0.5, identity;q=0.5", b"gzip", id="identity ties with gzip"),
        pytest.param(b"*", b"br", id="star: the smallest of all"),
        pytest.param(b"*, br;q=0", b"zstd", id="star does not overrule a name"),
        pytest.param(b"*;q=0.5, gzip", b"gzip", id="star with a lower weight"),
        pytest.param(b"*;q=0", None, id="star ruled out, identity with it"),
        pytest.param(b"*;q=0, identity", b"identity", id="star ruled out, but not identity"),
        pytest.param(b"*;q=0, gzip", b"gzip", id="star ruled out, but not gzip"),
        pytest.param(b"identity;q=0", None, id="identity ruled out and nothing else accepted"),
        pytest.param(b"identity;q=0, gzip", b"gzip", id="identity ruled out, gzip accepted"),
        pytest.param(b"identity;q=0, *", b"br", id="identity ruled out, all else accepted"),
        pytest.param(b"gzip;q=0", b"identity", id="gzip ruled out"),
        pytest.param(b"gzip;q=0, br;q=0, zstd;q=0, identity;q=0", None, id="all ruled out"),
        pytest.param(b"deflate", b"identity", id="a coding that is not there"),
        pytest.param(b"deflate, identity;q=0", None, id="only a coding that is not there"),
        pytest.param(b"gzip;q=2, br;q=x, ;;", b"identity", id="malformed members"),
        pytest.param(b"gzip;q=2, br", b"br", id="a malformed member beside a good one"),
        pytest.param(b"gzipped", b"identity", id="only the whole name counts"),
    ],
)
def test_choice(value: bytes | None, coding: bytes | None) -> None:
    assert chosen(value) == coding


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (None, b"identity"),
        (b"gzip, br", b"identity"),
        (b"*", b"identity"),
        (b"identity;q=0.001", b"identity"),
        (b"identity;q=0", None),
        (b"*;q=0", None),
    ],
)
def test_a_file_without_sidecars(value: bytes | None, coding: bytes | None) -> None:
    assert chosen(value, (variant(b"", 100),)) == coding


def test_a_sidecar_larger_than_the_file_loses_a_tie() -> None:
    variants = (variant(b"", 10), variant(b"gzip", 33))
    assert chosen(b"gzip, identity", variants) == b"identity"
    assert chosen(b"*", variants) == b"identity"
    assert chosen(b"gzip;q=0.001", variants) == b"gzip"


@given(st.binary(max_size=60))
def test_whatever_is_sent_leads_to_a_variant_or_to_none(value: bytes) -> None:
    assert choose(value, ALL) in (None, 0, 1, 2, 3)
