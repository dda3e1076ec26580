"""Passwords and hashes, with the libraries that make them."""

import sys
from collections.abc import Callable

import argon2.low_level
import bcrypt
import pytest

from tinyhttp.core.htpasswd import ARGON2, BCRYPT, Hash, parse_htpasswd
from tinyhttp.server.hashes import can_be, matches, missing


def of_bcrypt(password: bytes, prefix: str = "$2b$") -> str:
    made = bcrypt.hashpw(password, bcrypt.gensalt(4)).decode("ascii")
    return prefix + made.removeprefix("$2b$")


def of_argon2(password: bytes, kind: argon2.low_level.Type = argon2.low_level.Type.ID) -> str:
    salt = b"a salt that is none"
    made = argon2.low_level.hash_secret(password, salt, 1, 64, 2, 24, kind)
    return made.decode("ascii")


def taken(text: str) -> Hash:
    """Return the hash as it is taken from a file."""
    return parse_htpasswd(f"anna:{text}", "users")[0].hashes[b"anna"]


Make = Callable[[bytes], str]

HASHES = [
    pytest.param(lambda p: of_bcrypt(p, "$2y$"), id="bcrypt-2y"),
    pytest.param(lambda p: of_bcrypt(p, "$2a$"), id="bcrypt-2a"),
    pytest.param(of_bcrypt, id="bcrypt-2b"),
    pytest.param(of_argon2, id="argon2id"),
    pytest.param(lambda p: of_argon2(p, argon2.low_level.Type.I), id="argon2i"),
]
PASSWORDS = [b"open sesame", "p\u00e4\u00df".encode(), b"\xff\x80", b"", b"a" * 72, b"a:b"]


@pytest.mark.parametrize("make", HASHES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_round_trip(make: Make, password: bytes) -> None:
    hashed = taken(make(password))
    assert can_be(password, hashed)
    assert matches(password, hashed) is True
    assert matches(password[:-1] + b"!", hashed) is False


@pytest.mark.parametrize("make", HASHES)
def test_a_decoy_is_worked_on_like_others_and_is_nobodys(make: Make) -> None:
    decoy = parse_htpasswd(f"anna:{make(b'open sesame')}", "users")[0].decoy
    assert decoy is not None
    assert matches(b"open sesame", decoy) is False
    assert matches(b"", decoy) is False


def test_every_last_character_of_a_salt_that_is_taken_can_be_used() -> None:
    """The library raises for others."""
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    used = 0
    for last in alphabet:
        text = "$2b$04$" + "a" * 21 + last + "." * 31
        for hashed in parse_htpasswd(f"anna:{text}", "users")[0].hashes.values():
            assert matches(b"x", hashed) is False
            used += 1
    assert used == 4


@pytest.mark.parametrize(
    ("kind", "password", "possible"),
    [
        (BCRYPT, b"a" * 72, True),
        (BCRYPT, b"a" * 73, False),
        (BCRYPT, b"a\0b", False),
        (ARGON2, b"a" * 1000, True),
        (ARGON2, b"a\0b", True),
    ],
)
def test_what_can_be(kind: str, password: bytes, possible: bool) -> None:
    assert can_be(password, Hash(kind, "", 0)) is possible


@pytest.mark.parametrize(("kind", "module"), [(BCRYPT, "bcrypt"), (ARGON2, "argon2")])
def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch, kind: str, module: str) -> None:
    assert missing([BCRYPT, ARGON2]) is None
    monkeypatch.setitem(sys.modules, module, None)  # as Python itself marks one that is not there
    told = missing([BCRYPT, ARGON2])
    assert told is not None
    assert kind in told
    assert "twisted-tinyhttp[auth]" in told
    assert "\n" not in told
    assert missing({BCRYPT, ARGON2} - {kind}) is None
