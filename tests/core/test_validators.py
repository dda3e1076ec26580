"""Entity tags and dates made from the state of a file (RFC 9110 section 8.8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.fields import matches
from tinyhttp.core.validators import from_digest, from_time, is_meaningless

SECOND = 1_000_000_000
MODIFIED = 1_790_000_000  # seconds
EXACT = MODIFIED * SECOND + 123_456_789  # on a file system that keeps nanoseconds


def test_a_settled_file_has_a_strong_tag_for_good() -> None:
    validators = from_time(EXACT, 31, b"", MODIFIED + 3600)
    assert validators.etag == b'"18d75b842b4ecd15-1f"'
    assert validators.last_modified == MODIFIED
    assert validators.settled == 0


@pytest.mark.parametrize(
    ("mtime_ns", "age", "strong"),
    [
        pytest.param(EXACT, 0.0, False, id="nanoseconds, just written"),
        pytest.param(EXACT, 0.015, False, id="nanoseconds, within the kernel's tick"),
        pytest.param(EXACT, 0.025, True, id="nanoseconds, a tick later"),
        pytest.param(EXACT, -0.015, False, id="nanoseconds, clocks a little apart"),
        pytest.param(MODIFIED * SECOND, 0.0, False, id="whole second, just written"),
        pytest.param(MODIFIED * SECOND, 1.9, False, id="whole second, within two seconds"),
        pytest.param(MODIFIED * SECOND, 2.0, True, id="whole second, two seconds later"),
        pytest.param(MODIFIED * SECOND, -1.9, False, id="whole second, clocks apart"),
        pytest.param(EXACT, -3600.0, True, id="from the future"),
    ],
)
def test_a_tag_is_weak_while_the_file_could_change_and_keep_its_time(
    mtime_ns: int, age: float, strong: bool
) -> None:
    """RFC 9110 section 8.8.1: a tag is strong only if it changes whenever the content does."""
    validators = from_time(mtime_ns, 31, b"", mtime_ns / SECOND + age)
    assert validators.etag.startswith(b'"') is strong
    assert validators.etag.startswith(b'W/"') is not strong
    assert (validators.settled == 0) is strong


@pytest.mark.parametrize(
    ("mtime_ns", "wait"),
    [(EXACT, 0.02), (MODIFIED * SECOND, 2.0)],
    ids=["nanoseconds", "whole second"],
)
def test_a_young_file_says_until_when_its_tag_is_provisional(mtime_ns: int, wait: float) -> None:
    now = mtime_ns / SECOND
    settled = from_time(mtime_ns, 31, b"", now).settled
    assert settled == pytest.approx(now + wait, abs=0.001)
    assert from_time(mtime_ns, 31, b"", settled + 0.001).settled == 0


@given(
    mtime_ns=st.integers(2 * SECOND, 2**62) | st.just(MODIFIED * SECOND),
    size=st.integers(0, 2**60),
    coding=st.sampled_from([b"", b"gzip", b"br", b"zstd"]),
)
def test_a_provisional_tag_never_matches_the_final_one(
    mtime_ns: int, size: int, coding: bytes
) -> None:
    """Else If-None-Match would let a client keep for ever what it read too early."""
    seconds = mtime_ns / SECOND
    final = from_time(mtime_ns, size, coding, seconds + 3600)
    young = from_time(mtime_ns, size, coding, seconds)
    torn = from_time(mtime_ns, size, coding, seconds + 3600, torn=True)
    assert not matches(young.etag, final.etag, strong=False)
    assert not matches(torn.etag, final.etag, strong=False)
    assert not matches(torn.etag, young.etag, strong=False)


def test_a_file_that_changed_while_it_was_read_is_looked_at_again_at_once() -> None:
    now = MODIFIED + 3600.0
    validators = from_time(EXACT, 31, b"", now, torn=True)
    assert validators.etag.startswith(b'W/"')
    assert validators.settled == now


def test_every_version_and_every_coding_has_a_tag_of_its_own() -> None:
    later = MODIFIED + 3600
    tags = {
        from_time(EXACT, 31, b"", later).etag,
        from_time(EXACT + 1, 31, b"", later).etag,
        from_time(EXACT, 32, b"", later).etag,
        from_time(EXACT, 31, b"gzip", later).etag,
        from_time(EXACT, 31, b"br", later).etag,
    }
    assert len(tags) == 5


def test_replicas_agree_whatever_their_clocks_and_inodes() -> None:
    """Nothing but time, size and coding goes in, and of the clock only whether it is late."""
    one, other = (from_time(EXACT, 31, b"gzip", MODIFIED + later) for later in (60, 86_400))
    assert one == other


@pytest.mark.parametrize(
    ("mtime_ns", "meaningless"),
    [
        pytest.param(0, True, id="0"),
        pytest.param(SECOND - 1, True, id="a fraction more than 0"),
        pytest.param(SECOND, True, id="1"),
        pytest.param(2 * SECOND - 1, True, id="a fraction more than 1"),
        pytest.param(2 * SECOND, False, id="2"),
        pytest.param(-1, False, id="before the epoch"),
        pytest.param(EXACT, False, id="any other"),
    ],
)
def test_the_times_of_reproducible_builds_say_nothing(mtime_ns: int, meaningless: bool) -> None:
    assert is_meaningless(mtime_ns) is meaningless


def test_a_digest_makes_a_final_strong_tag_and_no_date() -> None:
    validators = from_digest(b"0123abcd", b"")
    assert validators.etag == b'"0123abcd"'
    assert validators.last_modified is None
    assert validators.settled == 0


def test_a_digest_of_a_sidecar_names_its_coding() -> None:
    assert from_digest(b"0123abcd", b"zstd").etag == b'"0123abcd-zstd"'


@pytest.mark.parametrize(
    ("mtime_ns", "seconds"),
    [(EXACT, MODIFIED), (-1, -1), (-SECOND, -1), (2 * SECOND, 2)],
    ids=["fractions are cut", "just before the epoch", "a second before the epoch", "whole"],
)
def test_last_modified_is_never_later_than_the_file(mtime_ns: int, seconds: int) -> None:
    assert from_time(mtime_ns, 1, b"", MODIFIED + 3600).last_modified == seconds
