"""Which users a file of passwords names, and by which hashes they are known.

Floor: core (pure). A line is ``user:hash``, as Apache's ``htpasswd`` writes it; behind a further
colon may be a comment, as nginx has it. Only hashes are taken that are slow on purpose, bcrypt and
argon2 (RFC 9106), and only up to a cost that this machine can bear: whoever writes the file decides
what every guess costs us. What is told about a line repeats nothing of it.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from .access import LONGEST, Credentials
from .rules import Mistake, Problem, Report

__all__ = ["ARGON2", "BCRYPT", "Hash", "Table", "parse_environment", "parse_htpasswd"]

BCRYPT = "bcrypt"
ARGON2 = "argon2"

MOST_USERS = 10_000
MOST_CHARACTERS = 4 << 20
"""Of a file; a longer one is not read at all."""
LONGEST_LINE = 2_000
LONGEST_USER = 255
"""Octets, as for ``htpasswd``."""

COSTS = range(4, 18)
"""Of bcrypt, as for ``htpasswd``; 17 takes eight seconds."""
WEAK = 10
"""The least cost of bcrypt that is taken without a warning; ``htpasswd`` has 5 of itself."""
MOST_MEMORY = 256 << 10
"""KiB for one argon2 hash; libraries suggest 64 MiB."""
MOST_WORK = 1 << 20
"""KiB times passes for one argon2 hash: a second or so."""
MOST_LANES = 16

_BCRYPT = re.compile(
    # 128 bits of salt leave four bits unused in its last character; they are zero.
    r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)
_ARGON2 = re.compile(
    r"\$argon2id?\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]{0,6}),p=([1-9][0-9]{0,2})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)
_OTHERS = (
    ("{SHA}", "SHA-1"),
    ("$apr1$", "MD5"),
    ("$1$", "MD5"),
    ("$5$", "crypt"),
    ("$6$", "crypt"),
    ("$y$", "crypt"),
    ("$2", "not a whole bcrypt hash"),
    ("$argon2d$", "argon2d, which gives a password away by its timing"),
    ("$argon2", "not a whole argon2 hash of version 19"),
)
_ANEW = "; make the line anew with 'htpasswd -B'"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True, frozen=True)
class Hash:
    """What is kept of a password."""

    kind: str
    """`BCRYPT` or `ARGON2`."""
    text: str = field(repr=False)
    work: int
    """What it takes to check a password, roughly, in microseconds of a processor."""


@dataclass(slots=True, frozen=True)
class Table:
    """The users of a file; ``hashes`` may not be changed."""

    hashes: Mapping[bytes, Hash] = field(repr=False)
    decoy: Hash | None
    """What is worked on for a user who is not there, so that it takes as long: a hash of no
    known password, at the cost of the costliest. ``None`` if there are no users."""

    @property
    def kinds(self) -> frozenset[str]:
        """Which libraries it takes."""
        return frozenset(hashed.kind for hashed in self.hashes.values())


def parse_htpasswd(text: str, source: str) -> tuple[Table, list[Problem]]:
    """Return the users in ``text``, and what is wrong with the lines that name none.

    ``source`` is what the file is called in problems. Octets of the file that are no UTF-8 are
    surrogates in ``text``.
    """
    report = Report(source)
    hashes: dict[bytes, Hash] = {}
    numbers: dict[bytes, int] = {}
    for number, line in _entries(text, report):
        if len(hashes) == MOST_USERS:
            report.error(number, f"more than {MOST_USERS} users")
            break
        try:
            user, hashed = _read(line)
        except Mistake as mistake:
            report.error(number, str(mistake))
            continue
        if user in hashes:
            report.error(number, f"the same user as in line {numbers[user]}")
            continue
        hashes[user], numbers[user] = hashed, number
    _warn(list(hashes.values()), report)
    return Table(hashes, _decoy(hashes.values())), report.problems()


def _entries(text: str, report: Report) -> Iterator[tuple[int, str]]:
    """Give the number and text of every line that is neither empty nor a comment."""
    if len(text) > MOST_CHARACTERS:
        report.error(0, f"longer than {MOST_CHARACTERS} characters: nothing of it is read")
        return
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.rstrip(" \t\r")
        if not line or line.lstrip(" \t").startswith("#"):
            continue
        if len(line) > LONGEST_LINE:
            report.error(number, f"longer than {LONGEST_LINE} characters")
        else:
            yield number, line


def _read(line: str) -> tuple[bytes, Hash]:
    """Return the user and the hash in ``line``; raise `Mistake`."""
    user, colon, rest = line.partition(":")
    if not colon:
        raise Mistake("not 'user:hash'" + _ANEW)
    written, *comment = rest.split(":")
    hashed = _hash(written.strip(" \t"))
    if hashed is None:
        if any(_hash(part.strip(" \t")) for part in comment):
            raise Mistake("a user can't hold a colon (RFC 7617 section 2)")
        raise Mistake(_why_not(written.strip(" \t")) + _ANEW)
    return _user(user), hashed


def _user(user: str) -> bytes:
    """Return ``user`` as a client would send it; raise `Mistake` (RFC 7617 section 2)."""
    if not user:
        raise Mistake("there is no user in front of the colon")
    if user != user.strip(" \t"):
        raise Mistake("the user begins or ends with a blank")
    if _CONTROL.search(user):
        raise Mistake("the user holds a control character")
    try:
        octets = user.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Mistake("the user is not text") from None
    if len(octets) > LONGEST_USER:
        raise Mistake(f"the user is longer than {LONGEST_USER} octets")
    return octets


def _hash(written: str) -> Hash | None:
    """Return the hash ``written``, ``None`` if it is none; raise `Mistake` if it is too costly."""
    if m := _BCRYPT.fullmatch(written):
        cost = int(m[1])
        if cost not in COSTS:
            raise Mistake(
                f"bcrypt of a cost that is not between {COSTS[0]} and {COSTS[-1]}" + _ANEW
            )
        return Hash(BCRYPT, written, 57 << cost)
    if m := _ARGON2.fullmatch(written):
        memory, passes, lanes = int(m[1]), int(m[2]), int(m[3])
        if memory > MOST_MEMORY or memory * passes > MOST_WORK or lanes > MOST_LANES:
            raise Mistake(
                f"argon2 at a cost beyond m={MOST_MEMORY} (KiB), m*t={MOST_WORK}, p={MOST_LANES}"
            )
        if memory < 8 * lanes:
            raise Mistake("argon2 with too little memory: m is 8*p at least (RFC 9106 section 3.1)")
        if not (_is_canonical(m[4]) and _is_canonical(m[5])):
            return None
        return Hash(ARGON2, written, memory * passes)
    return None


def _is_canonical(written: str) -> bool:
    """Return whether ``written`` is unpadded base64, with zeros in the bits that are unused."""
    if len(written) % 4 == 1:
        return False
    padded = (written + "=" * (-len(written) % 4)).encode("ascii")
    return b64encode(b64decode(padded)) == padded


def _why_not(written: str) -> str:
    for beginning, name in _OTHERS:
        if written.startswith(beginning):
            return f"{name}: only bcrypt and argon2 are taken"
    return "neither a bcrypt nor an argon2 hash"


def _warn(hashes: list[Hash], report: Report) -> None:
    if not hashes:
        report.warning(0, "names no user: nobody gets in")
    elif len({hashed.work for hashed in hashes}) > 1:
        report.warning(0, "the costs of hashes differ, so that the time it takes can tell users")
    if any(hashed.kind == BCRYPT and hashed.work < 57 << WEAK for hashed in hashes):
        report.warning(
            0, f"bcrypt of a cost below {WEAK} is soon guessed; 'htpasswd -B -C 12' is better"
        )


def _decoy(hashes: Collection[Hash]) -> Hash | None:
    """Return a hash that costs as much as the costliest, and is not that of anybody's password."""
    if not hashes:
        return None
    costliest = max(hashes, key=lambda hashed: hashed.work)
    if costliest.kind == BCRYPT:
        text = costliest.text[:7] + "." * 53
    else:
        *parameters, _, _ = costliest.text.split("$")
        text = "$".join([*parameters, "A" * 22, "A" * 43])
    return Hash(costliest.kind, text, costliest.work)


def parse_environment(environ: Mapping[str, str]) -> Credentials:
    """Return the user and password that the environment names; raises ``ValueError``."""
    values: list[bytes] = []
    for name in ("BASIC_AUTH_USERNAME", "BASIC_AUTH_PASSWORD"):
        value = environ.get(name)
        if not value:
            raise ValueError(f"{name} is not set in the environment, or empty")
        if _CONTROL.search(value):
            raise ValueError(f"{name} holds a control character")
        values.append(value.encode("utf-8", "surrogateescape"))
    user, password = values
    if b":" in user:
        raise ValueError("BASIC_AUTH_USERNAME can't hold a colon (RFC 7617 section 2)")
    if len(user) + 1 + len(password) > LONGEST:
        raise ValueError(f"BASIC_AUTH_USERNAME and BASIC_AUTH_PASSWORD exceed {LONGEST} octets")
    return Credentials(user, password)
