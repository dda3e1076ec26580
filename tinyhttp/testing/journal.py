"""What was asked, and what came of it.

Floor: testing; pure. `Entries` has the questions and assertions; where the entries come from, from
this process or another, is for those who build on it. `Record` keeps them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["KEPT", "Entries", "Entry", "Record", "enough", "too_few"]

KEPT = 10_000
"""Entries that are kept; older ones are dropped."""
_SHOWN = 30
_LINE = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, and the answer as far as it has been given."""

    number: int
    """From 1, in the order in which requests arrived."""
    connection: int
    """Which connection it came on, from 1."""
    method: str
    target: str
    """As it stands in the request line."""
    path: str
    """Decoded, without a query."""
    fields: tuple[tuple[str, str], ...]
    """The request's fields, in their order, with names as they were written."""
    time: float
    """When its head had arrived, in epoch seconds."""
    duration: float | None = None
    """Seconds until the last octet of the answer was handed on; ``None`` before."""
    status: int | None = None
    """``None`` if nothing was answered."""
    octets: int = 0
    """Of the body of the answer, without its framing."""
    faults: str = ""
    """What was done to the answer, in words."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.duration is not None

    def field(self, name: str) -> str | None:
        """Return the value of a field of the request, several joined by commas; or ``None``."""
        values = [value for n, value in self.fields if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def __str__(self) -> str:
        status = "---" if self.status is None else self.status
        said = f"{self.number:4} conn {self.connection:<3} {self.method} {self.target} -> {status}"
        asked = f" of {value}" if (value := self.field("Range")) else ""
        ended = "" if self.ended else ", not ended"
        faults = f" [{self.faults}]" if self.faults else ""
        return (said + asked + f", {self.octets} octets{ended}{faults}")[:_LINE]

    def plain(self) -> dict[str, Any]:
        """Return this as something that JSON can say."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Entry":
        """Return what `plain` was made from."""
        fields = tuple((name, value) for name, value in plain["fields"])
        return Entry(**{**plain, "fields": fields})


class Entries:
    """Questions to a list of entries, and assertions about it that tell what was seen."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries there are, oldest first."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def last(self) -> Entry:
        """The latest entry; raises ``AssertionError`` if there is none."""
        entries = self.entries
        if not entries:
            raise AssertionError("no request has come")
        return entries[-1]

    def requests(self, method: str | None = None, target: str | None = None) -> list[Entry]:
        """Return the entries with this method and target; a target may be a pattern."""
        return _matching(self.entries, method, target)

    def assert_requested(
        self,
        method: str | None = None,
        target: str | None = None,
        *,
        times: int | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Entry]:
        """Return the entries like that; fail if there are none, or not ``times`` of them.

        ``fields`` are patterns that the fields of the request must match.
        """
        entries = self.entries
        found = [
            entry
            for entry in _matching(entries, method, target)
            if all(fnmatchcase(entry.field(n) or "", v) for n, v in (fields or {}).items())
        ]
        if (times is None and not found) or (times is not None and len(found) != times):
            wanted = "at least once" if times is None else f"{times} times"
            with_fields = f" with {dict(fields)}" if fields else ""
            raise AssertionError(
                f"{method or 'any method'} {target or 'of anything'}{with_fields}: "
                f"wanted {wanted}, seen {len(found)} times\n{_listing(entries)}"
            )
        return found

    def assert_not_requested(self, method: str | None = None, target: str | None = None) -> None:
        """Fail if there is an entry like that."""
        self.assert_requested(method, target, times=0)

    def assert_statuses(
        self, *statuses: int | None, method: str | None = None, target: str | None = None
    ) -> None:
        """Fail unless these, in this order, are the answers given; ``None`` for none."""
        entries = self.entries
        seen = [entry.status for entry in _matching(entries, method, target)]
        if seen != list(statuses):
            raise AssertionError(
                f"wanted answers {list(statuses)}, given {seen}\n{_listing(entries)}"
            )

    def assert_connections(self, count: int) -> None:
        """Fail unless all requests came on so many connections."""
        entries = self.entries
        seen = len({entry.connection for entry in entries})
        if seen != count:
            raise AssertionError(
                f"wanted {count} connections with requests, seen {seen}\n{_listing(entries)}"
            )

    def describe(self) -> str:
        """Return the latest entries as text, a line each."""
        return _listing(self.entries)


class Record:
    """Keeps the latest `KEPT` entries, and tells whoever listens of every change."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._number = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, oldest first."""
        return tuple(self._entries.values())

    def next_number(self) -> int:
        """Return the number of the entry to be added."""
        self._number += 1
        return self._number

    def add(self, entry: Entry) -> None:
        """Keep ``entry``, and drop the oldest if there are too many."""
        self._entries[entry.number] = entry
        if len(self._entries) > KEPT:
            del self._entries[next(iter(self._entries))]
        self._tell()

    def change(self, number: int, **changes: Any) -> None:
        """Change an entry, if it is still kept."""
        entry = self._entries.get(number)
        if entry is not None:
            self._entries[number] = replace(entry, **changes)
            self._tell()

    def clear(self) -> None:
        """Drop all entries; numbers go on."""
        self._entries.clear()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have ``listener`` called at every change, until what is returned is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()


def enough(
    entries: Sequence[Entry], count: int, method: str | None, target: str | None, ended: bool
) -> list[Entry] | None:
    """Return the entries like that if there are ``count`` of them at least."""
    found = [e for e in _matching(entries, method, target) if e.ended or not ended]
    return found if len(found) >= count else None


def too_few(entries: Sequence[Entry], count: int, method: str | None, target: str | None) -> str:
    """Return what to say when `enough` are not there in time."""
    wanted = f"{method or 'any method'} {target or 'of anything'}"
    return f"{wanted}: waited in vain for {count} requests\n{_listing(entries)}"


def _matching(entries: Sequence[Entry], method: str | None, target: str | None) -> list[Entry]:
    return [
        entry
        for entry in entries
        if method in (None, entry.method)
        and (
            target is None
            or target in (entry.target, entry.path)
            or fnmatchcase(entry.target, target)
        )
    ]


def _listing(entries: Sequence[Entry]) -> str:
    if not entries:
        return "no request has come"
    left_out = len(entries) - _SHOWN
    lines = [f"the last {_SHOWN} of {len(entries)} requests:" if left_out > 0 else "requests:"]
    return "\n".join([*lines, *map(str, entries[-_SHOWN:])])
