"""What Want-Repr-Digest asks for, and what Repr-Digest says."""

import base64
import time
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.digest import repr_digest, wants_sha256


@pytest.mark.parametrize(
    "value",
    [
        b"sha-256=1",
        b"sha-256=10",
        b"sha-256=007",
        b"sha-512=3, sha-256=10, unixsum=0",
        b"sha-512=10,sha-256=1",
        b"sha-512=10 \t,\t sha-256=1",
        b"sha-256=0, sha-256=5",
        b"sha-256=5;q=1;  x=\"a,b\\\"c\";y",
        b"a, b;c, d=?1, e=:aGk=:, f=\"x, sha-256=0\", g=tok/en:*, h=-1.5, sha-256=1",
        b"a=(1 \"x)\";p=2 tok);q, b=(), c=( 1 ), sha-256=1",
        b"a=@1659578233, b=%\"f%c3%bc\", sha-256=1",
    ],
)  # fmt: skip
def test_wanted(value: bytes) -> None:
    assert wants_sha256(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"sha-256=0",
        b"sha-256=00",
        b"sha-256=11",
        b"sha-256=-1",
        b"sha-256=1.0",
        b"sha-256=999999999999999",
        b"sha-256",
        b"sha-256=?1",
        b"sha-256=high",
        b'sha-256="5"',
        b"sha-256=(5)",
        b"sha-256=5, sha-256=0",
        b"sha-512=10",
        b"xsha-256=5",
        b"SHA-256=5",
        b"sha-256 =5",
        b"sha-256= 5",
        b"sha-256=5,",
        b",sha-256=5",
        b"sha-256=5,,a=1",
        b"sha-256=5 a=1",
        b"sha-256=5; q=\xff",
        b"sha-256=1111111111111111",
        b"a=(1, sha-256=5",
        b'a="x, sha-256=5',
        b"A=1, sha-256=5",
        b"sha-256=5;",
        b"sha-256=+5",
        b"sha-256=\xd9\xa5",
    ],
)
def test_not_wanted(value: bytes | None) -> None:
    """It is 0, out of range, no integer, another's, or the field is no dictionary (RFC 8941)."""
    assert not wants_sha256(value)


NAMES = st.from_regex(rb"[a-z*][a-z0-9_\-.*]{0,8}", fullmatch=True)
VALUES = st.from_regex(
    rb'-?[0-9]{1,9}|-?[0-9]{1,5}\.[0-9]{1,3}|"[a-z ,=;]*"|[A-Za-z*][a-z:/]*|\?[01]|\(1 2;a=1 "x"\)',
    fullmatch=True,
)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6), st.integers(0, 10))
def test_a_dictionary(members: list[tuple[bytes, bytes]], weight: int) -> None:
    """Whatever else is asked for, and wherever it stands; the last one counts."""
    written = [name + b"=" + value for name, value in members]
    last = b"sha-256=%d" % weight
    assert wants_sha256(b", ".join([*written, last])) == (weight > 0)
    if b"sha-256" not in dict(members):
        assert wants_sha256(b",".join([last, *written])) == (weight > 0)


@given(st.binary(max_size=60) | st.text('sha-256=1, ;()":?.@%', max_size=60).map(str.encode))
def test_nothing_is_raised(value: bytes) -> None:
    wants_sha256(value)


@pytest.mark.parametrize(
    "value",
    [
        b"a" * 32_000,
        b"a=(" + b"1 " * 16_000,
        b"a=(" + b" " * 32_000,
        b"a=(1" + b" " * 32_000 + b"!",
        b"a;" + b"a;" * 16_000,
        b"a=(x;" + b"a=b;" * 8_000,
        b'a="' + b"\\\\" * 16_000,
        b"a=" + b":" * 32_000,
        b"a, " * 10_000,
    ],
)
def test_a_hostile_value_takes_no_longer(value: bytes) -> None:
    began = time.process_time()
    assert not wants_sha256(value)
    assert time.process_time() - began < 0.5


def test_the_field() -> None:
    digest = sha256(b"").digest()
    assert repr_digest(digest) == b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert base64.b64decode(repr_digest(digest)[9:-1]) == digest
