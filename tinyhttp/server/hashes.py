"""Whether this is the password that a hash was made of.

Floor: server. Slow on purpose: only for threads. The libraries are optional, and imported when a
table needs them.
"""

from collections.abc import Iterable
from importlib import import_module

from ..core.htpasswd import ARGON2, BCRYPT, Hash

__all__ = ["can_be", "matches", "missing"]

LONGEST_FOR_BCRYPT = 72
"""Octets. What is beyond has no part in the hash; releases of the library before 5 pass over it
without a word, later ones raise."""

_MODULES = {BCRYPT: "bcrypt", ARGON2: "argon2"}
_PACKAGES = {BCRYPT: "bcrypt", ARGON2: "argon2-cffi"}


def missing(kinds: Iterable[str]) -> str | None:
    """Return what is said if a library for one of ``kinds`` is not there, ``None`` if all are."""
    for kind in sorted(kinds):
        try:
            import_module(_MODULES[kind])
        except ImportError:
            return (
                f"{kind} hashes need the library {_PACKAGES[kind]}, which is not installed"
                " (pip install 'twisted-tinyhttp[auth]')"
            )
    return None


def can_be(password: bytes, hashed: Hash) -> bool:
    """Return whether ``hashed`` can be that of ``password``, by its form alone."""
    return hashed.kind != BCRYPT or (len(password) <= LONGEST_FOR_BCRYPT and b"\0" not in password)


def matches(password: bytes, hashed: Hash) -> bool:
    """Return whether ``hashed`` is that of ``password``, which `can_be`."""
    if hashed.kind == BCRYPT:
        import bcrypt  # noqa: PLC0415 (optional)

        return bcrypt.checkpw(password, hashed.text.encode("ascii"))
    from argon2.exceptions import VerifyMismatchError  # noqa: PLC0415 (optional)
    from argon2.low_level import Type, verify_secret  # noqa: PLC0415 (optional)

    kind = Type.ID if hashed.text.startswith("$argon2id$") else Type.I
    try:
        return verify_secret(hashed.text.encode("ascii"), password, kind)
    except VerifyMismatchError:
        return False
