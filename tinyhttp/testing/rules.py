"""Which request meets which faults.

Floor: testing; pure. A `Rule` says for which requests and what; every method of its returns
another rule that says more. `script` puts rules in force.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from .faults import BROKEN_CHUNKS, BROKEN_GZIP, GARBAGE, NO_FAULTS, Ending, Faults
from .journal import Entry
from .mistakes import ScriptError

__all__ = ["Match", "Rule", "check", "on"]


@dataclass(frozen=True, slots=True)
class Match:
    """For which requests: all that is said has to be true."""

    path: str
    method: str | None = None
    nth: tuple[int, ...] = ()
    first: int | None = None
    after: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    where: Callable[[Entry], bool] | None = None
    missing: bool = False

    def __str__(self) -> str:
        said = [repr(self.path)]
        for name in ("method", "nth", "first", "after", "where"):
            value = getattr(self, name)
            if value not in (None, ()):
                said.append(f"{name}={value[0] if name == 'nth' and len(value) == 1 else value!r}")
        if self.fields:
            said.append(f"fields={dict(self.fields)!r}")
        return f"on({', '.join(said)})"

    def plain(self) -> dict[str, Any]:
        """Return this as something that JSON can say; raises `ScriptError` for ``where``."""
        if self.where is not None:
            raise ScriptError(
                f"{self}: a function can't be sent to the child process; say method= and fields=, "
                "or use the server in this process"
            )
        names = ("path", "method", "nth", "first", "after", "fields", "missing")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Match":
        """Return what `plain` was made from."""
        nth, lines = tuple(plain["nth"]), tuple((n, v) for n, v in plain["fields"])
        return Match(**{**plain, "nth": nth, "fields": lines})

    @property
    def is_pattern(self) -> bool:
        """Whether the path stands for many."""
        return any(mark in self.path for mark in "*?[")

    @property
    def is_unconditional(self) -> bool:
        """Whether nothing but path and method decides."""
        return (
            not self.nth
            and (self.first, self.after, self.where) == (None, None, None)
            and (not self.fields)
        )

    def covers(self, path: str) -> bool:
        """Return whether ``path`` (decoded, without a query) is meant."""
        return path == self.path or (self.is_pattern and fnmatchcase(path, self.path))

    def is_about(self, entry: Entry) -> bool:
        """Return whether the request is one of those that are counted."""
        if self.method not in (None, entry.method) or not self.covers(entry.path):
            return False
        if not all(fnmatchcase(entry.field(n) or "", wanted) for n, wanted in self.fields):
            return False
        return self.where is None or bool(self.where(entry))

    def takes(self, count: int) -> bool:
        """Return whether the request number ``count``, from 1, of those counted is meant."""
        if self.nth:
            return count in self.nth
        if self.first is not None:
            return count <= self.first
        return self.after is None or count > self.after


@dataclass(frozen=True, slots=True)
class Rule:
    """Faults for certain requests; made by ``on``. Methods return a rule that says more.

    One that was made by a server's own ``on`` is in force at once, and so is what is made of it.
    """

    match: Match
    faults: Faults = NO_FAULTS
    place: Callable[["Rule"], None] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.match}: {self.faults}"

    def plain(self) -> dict[str, Any]:
        """Return this as something that JSON can say."""
        return {"match": self.match.plain(), "faults": self.faults.plain()}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Rule":
        """Return what `plain` was made from."""
        return Rule(Match.from_plain(plain["match"]), Faults.from_plain(plain["faults"]))

    def _having(self, **changes: Any) -> "Rule":
        return self._placed(replace(self, faults=self.faults.having(**changes)))

    def _adding(self, name: str, *values: Any) -> "Rule":
        return self._placed(replace(self, faults=self.faults.adding(name, *values)))

    def _placed(self, rule: "Rule") -> "Rule":
        if self.place is not None:
            self.place(rule)
        return rule

    # Other answers.

    def status(
        self,
        status: int,
        *,
        body: bytes | str | None = None,
        reason: str | None = None,
        retry_after: int | str | None = None,
    ) -> "Rule":
        """Answer with ``status`` and ``body`` instead of the file."""
        check(200 <= status <= 999, f"status {status}: from 200 to 999")
        text = body.encode() if isinstance(body, str) else body
        rule = self._having(status=status, body=text, reason=_field_text(reason))
        return rule if retry_after is None else rule.field("Retry-After", str(retry_after))

    def redirect(self, to: str, status: int = 302) -> "Rule":
        """Send the client to ``to``; to the same path again, for a loop."""
        check(status in (301, 302, 303, 307, 308), f"status {status} is not a redirect")
        return self._having(status=status, body=b"").field("Location", to)

    def inform(self, status: int, fields: Iterable[tuple[str, str]] = ()) -> "Rule":
        """Send an informational response (100, 103) first; may be said several times."""
        check(100 <= status <= 199 and status != 101, f"status {status} is not informational")
        lines = tuple((_name(n), _value(v)) for n, v in fields)
        return self._adding("informational", (status, lines))

    def garbage(self, octets: bytes = GARBAGE) -> "Rule":
        """Send ``octets`` instead of a response, and close."""
        return self._having(garbage=octets)

    # Fields.

    def field(self, name: str, value: str) -> "Rule":
        """Send this field in place of any of its name."""
        return self._adding("set_fields", (_name(name), _value(value)))

    def add_field(self, name: str, value: str) -> "Rule":
        """Send this field besides those there are, of the same name or not."""
        return self._adding("added_fields", (_name(name), _value(value)))

    def drop_field(self, name: str) -> "Rule":
        """Leave this field out."""
        return self._adding("dropped_fields", _name(name))

    def flap_etag(self) -> "Rule":
        """Send another ETag each time, as behind a balancer whose machines don't agree."""
        return self._having(flap_etag=True)

    # What was asked for.

    def ignore_range(self) -> "Rule":
        """Send all of the file with 200 whatever part was asked for."""
        return self._having(ignore_range=True)

    def shift_range(self, by: int) -> "Rule":
        """Send another part, ``by`` octets further, than was asked for; and say so."""
        return self._having(shift_range=by)

    def ignore_conditions(self) -> "Rule":
        """Answer as if If-None-Match and its like were not there."""
        return self._having(ignore_conditions=True)

    # Time.

    def delay(self, seconds: float) -> "Rule":
        """Wait before the head."""
        check(seconds >= 0, f"delay {seconds}: not into the past")
        return self._having(delay=seconds)

    def pause(self, at: int, seconds: float) -> "Rule":
        """Wait when ``at`` octets of the body are sent; may be said for several places."""
        check(at >= 0 and seconds >= 0, f"pause at {at} for {seconds} s: not negative")
        check(at not in dict(self.faults.pauses), f"two pauses at octet {at}")
        return self._adding("pauses", (at, seconds))

    def drip(self, rate: float, piece: int | None = None) -> "Rule":
        """Send ``rate`` octets of the body a second, ``piece`` octets at a time."""
        check(rate > 0, f"drip {rate}: octets a second, more than 0; for none there is stall()")
        check(piece is None or piece > 0, f"piece {piece}: at least 1")
        return self._having(rate=rate, piece=piece)

    # Ends.

    def truncate(self, at: int) -> "Rule":
        """Close the connection when ``at`` octets of the body are sent."""
        return self._having(ending=Ending("close", _offset(at)))

    def reset(self, at: int | None = None) -> "Rule":
        """Reset the connection: when ``at`` octets of the body are sent, or without an answer."""
        return self._having(ending=Ending("reset", _offset(at)))

    def close(self) -> "Rule":
        """Close the connection without an answer."""
        return self._having(ending=Ending("close", None))

    def stall(self, at: int | None = None) -> "Rule":
        """Send nothing more for ever: behind ``at`` octets of the body, or without an answer."""
        return self._having(ending=Ending("stall", _offset(at)))

    def refuse_for(self, seconds: float) -> "Rule":
        """Refuse new connections for so long, from the end of this answer on."""
        check(seconds > 0, f"refuse_for {seconds}: more than 0 seconds")
        return self._having(refuse_for=seconds)

    # The body.

    def content_length(self, off_by: int) -> "Rule":
        """Announce so many octets more (or fewer, if negative) than are sent."""
        check(off_by != 0, "content_length(off_by=0) would be right")
        return self._having(length_off_by=off_by)

    def chunked(self, broken: str = "") -> "Rule":
        """Send the body in chunks: in order, or ``broken`` in one of the ways of the table."""
        _one_of(broken, BROKEN_CHUNKS)
        return self._having(chunks=broken)

    def until_close(self) -> "Rule":
        """Send the body without its length; the end of the connection is its end."""
        return self._having(until_close=True)

    def corrupt(self, at: int) -> "Rule":
        """Turn all bits of octet ``at`` of the body around."""
        return self._having(corrupt_at=_offset(at))

    def gzip(self, broken: str = "") -> "Rule":
        """Send the file compressed: in order, or ``broken`` in one of the ways of the table."""
        _one_of(broken, BROKEN_GZIP)
        return self._having(gzip=broken)


def on(
    path: str,
    *,
    method: str | None = None,
    nth: int | Collection[int] | None = None,
    first: int | None = None,
    after: int | None = None,
    fields: Mapping[str, str] | None = None,
    where: Callable[[Entry], bool] | None = None,
    missing: bool = False,
) -> Rule:
    """Return a rule, without a fault yet, for requests of ``path``.

    ``path`` is decoded and has no query; it is exact or a pattern as of ``fnmatch``, whose ``*``
    goes over slashes. Of the requests with this ``method`` and these ``fields`` (patterns too),
    and of which ``where`` is true, the rule takes all; or number ``nth``, one or several; or the
    ``first`` so many; or those ``after`` so many. ``missing`` says that there need be no such
    file. Raises `ScriptError`.
    """
    check(path.startswith(("/", "*")), f"{path!r} is not a path: it starts with a slash")
    check("#" not in path and "%" not in path, f"{path!r}: paths are written without escapes")
    places = () if nth is None else (nth,) if isinstance(nth, int) else tuple(sorted(nth))
    check(nth is None or bool(places), "nth: no number is said")
    check(all(n > 0 for n in places), f"nth={nth}: requests are counted from 1")
    check(first is None or first > 0, f"first={first}: at least 1")
    check(after is None or after > 0, f"after={after}: at least 1")
    said = [name for name, v in (("nth", nth), ("first", first), ("after", after)) if v is not None]
    check(len(said) < 2, f"{' and '.join(said)}: only one of them can be said")
    wanted = tuple((_name(n), v) for n, v in (fields or {}).items())
    return Rule(Match(path, method, places, first, after, wanted, where, missing))


def check(good: bool, message: str) -> None:
    """Raise `ScriptError` with ``message`` unless it is ``good``."""
    if not good:
        raise ScriptError(message)


def _one_of(kind: str, kinds: frozenset[str]) -> None:
    if kind and kind not in kinds:
        raise ScriptError(f"broken={kind!r}: one of {', '.join(sorted(kinds))}")


def _offset(at: Any) -> Any:
    check(at is None or at >= 0, f"octet {at}: offsets are counted from 0")
    return at


def _name(name: str) -> str:
    check(bool(name) and name.isascii() and name.isprintable(), f"{name!r} is no field name")
    check(not any(c in name for c in ' :"(),/;<=>?@[\\]{}'), f"{name!r} is no field name")
    return name


def _value(value: str) -> str:
    check(not any(c in value for c in "\r\n\0"), f"{value!r} is more than one line")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ScriptError(f"{value!r} can't be sent in a field") from None
    return value


def _field_text(value: str | None) -> str | None:
    return None if value is None else _value(value)
