"""What a case is: octets that go out, and the answers to them that the RFCs allow.

A case accepts a set of outcomes, because the RFCs often leave a choice: a malformed Range may get
200, 400 or 416. What tinyhttp chooses is written in the tests of tinyhttp, and must be one of them.
"""

import re
from dataclasses import dataclass

__all__ = [
    "AWAIT",
    "LEVELS",
    "MAY",
    "MUST",
    "NOTHING",
    "SECURITY",
    "SHOULD",
    "SIMPLE",
    "Await",
    "Case",
    "Level",
    "Outcome",
    "Pause",
    "Target",
    "Value",
    "fill_in",
    "fill_in_value",
    "status_in_words",
]

Level = str
MUST: Level = "MUST"
SHOULD: Level = "SHOULD"
SECURITY: Level = "SECURITY"
"""No clause forbids it in so many words, or one does; and somebody was attacked this way."""
MAY: Level = "MAY"
"""For information: what a server chooses. Nothing of it is a failure."""
LEVELS = (MUST, SECURITY, SHOULD, MAY)

NOTHING = 0
"""In the place of a status: the connection was closed without a response."""

SIMPLE = 9
"""In the place of a status: what came is not of HTTP/1, as from a server that knows HTTP/0.9."""

Value = str | re.Pattern[str] | None
"""What a field must be: this, or one that matches as a whole; ``None``: it must not be there."""


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so long, so that what came before arrives by itself."""

    seconds: float


@dataclass(frozen=True)
class Await:
    """Nothing more is sent until something is received, or for so long."""

    seconds: float = 1.0


AWAIT = Await()


@dataclass(frozen=True)
class Outcome:
    """One answer that is right."""

    statuses: frozenset[int]
    """Any of these; `NOTHING` may be among them."""
    fields: tuple[tuple[str, Value], ...] = ()
    body: bytes | None = None
    """All of the body, to the octet."""
    lacks: bytes | None = None
    """What the body must not contain."""
    escapes: bytes | None = None
    """What must not stand in a body that a browser takes for HTML."""
    closes: bool | None = None
    """Whether the connection must be closed behind it, or must stay open; ``None``: either."""
    waits: bool = False
    """Whether more may be waited for, before the response or behind it: a size was announced."""


@dataclass(frozen=True)
class Target:
    """What differs from server to server in otherwise equal requests."""

    host: str = "localhost"
    """For the Host field."""
    prefix: str = ""
    """The path in front of every target, without a slash at its end."""
    etag: str | None = None
    """The entity tag that the server gave for ``/a.txt``, without a ``W/`` in front."""
    strong: str | None = None
    """The same, if there was no ``W/`` in front."""
    date: str | None = None
    """The Last-Modified that the server gave for ``/a.txt``."""


@dataclass(frozen=True)
class Case:
    """A request, right or wrong, and every answer to it that is right."""

    id: str
    title: str
    clause: str
    """RFC and section ("9110 14.2"), or the class of an attack."""
    level: Level
    octets: tuple[bytes | Pause | Await, ...]
    """In the order of sending, with ``{{host}}`` and the like where a `Target` is put in."""
    accept: tuple[Outcome, ...]
    """Any of these for the first response."""
    also: tuple[Outcome, ...] = ()
    """One for each response behind the first, where several requests are sent."""
    bodiless: frozenset[int] = frozenset()
    """Which of the responses are to HEAD, counted from 0."""
    requires: frozenset[str] = frozenset()
    """Names of a `Target` that the server must have given, beside those that are put in."""
    kit: bool = True
    """Whether the files of the kit have to be there."""
    at_root: bool = False
    """Whether it can't be run beneath a path."""
    note: str = ""
    """What is open to choice, and how."""
    group: str = ""
    """Put in by `tinyhttp.conform.cases`."""

    def __str__(self) -> str:
        return self.title

    @property
    def request(self) -> bytes:
        """Everything that is sent, in one piece."""
        return b"".join(part for part in self.octets if isinstance(part, bytes))

    def needs(self, name: str) -> bool:
        """Return whether ``name`` of a `Target` ("etag", "strong", "date") matters to it."""
        return name in self.requires or b"{{%s}}" % name.encode() in self.request


NAMES = ("host", "prefix", "etag", "strong", "date")


def status_in_words(status: int) -> str:
    """Return how a status is called, those among them that are none."""
    if status == SIMPLE:
        return "a response that is not of HTTP/1"
    return "no response" if status == NOTHING else f"status {status}"


def fill_in(octets: bytes, target: Target) -> bytes:
    """Return ``octets`` with what ``target`` says in the places that are kept for it."""
    for name in NAMES:
        place = b"{{%s}}" % name.encode()
        if place in octets:
            octets = octets.replace(place, (getattr(target, name) or "").encode("latin-1"))
    return octets


def fill_in_value(value: Value, target: Target) -> Value:
    """Return what a field must be, with what ``target`` says in it."""
    if isinstance(value, str):
        return fill_in(value.encode("latin-1"), target).decode("latin-1")
    if value is None or "{{" not in value.pattern:
        return value
    pattern = value.pattern
    for name in NAMES:
        pattern = pattern.replace("{{" + name + "}}", re.escape(getattr(target, name) or ""))
    return re.compile(pattern, value.flags)
