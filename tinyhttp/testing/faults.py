"""How an answer can go wrong: descriptions that can't change, and what contradicts itself.

Floor: testing; pure. `Faults` is a flat value that JSON can carry to another process. What it does
to a response is in `wire`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .mistakes import ScriptError

__all__ = ["BROKEN_CHUNKS", "BROKEN_GZIP", "GARBAGE", "NO_FAULTS", "Ending", "Faults"]

BROKEN_CHUNKS = frozenset({"size", "huge", "short", "crlf", "end", "trailer"})
BROKEN_GZIP = frozenset({"checksum", "data", "cut"})
GARBAGE = b"\x00\xff nothing that HTTP could be \r\n\r\n"

Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ends before its time."""

    kind: str
    """``close``, ``reset`` or ``stall``."""
    at: int | None
    """Octets of the body that are sent before; ``None``: not even a head."""

    def __str__(self) -> str:
        return f"{self.kind} without an answer" if self.at is None else f"{self.kind} at {self.at}"


@dataclass(frozen=True, slots=True)
class Faults:
    """What is done to one response; nothing, by default. Seconds, octets, octets a second."""

    status: int | None = None
    reason: str | None = None
    body: bytes | None = None
    set_fields: Lines = ()
    added_fields: Lines = ()
    dropped_fields: tuple[str, ...] = ()
    informational: tuple[tuple[int, Lines], ...] = ()
    delay: float | None = None
    pauses: tuple[tuple[int, float], ...] = ()
    rate: float | None = None
    piece: int | None = None
    ending: Ending | None = None
    length_off_by: int | None = None
    chunks: str | None = None
    """``""`` for chunks as they should be, or one of `BROKEN_CHUNKS`."""
    until_close: bool = False
    garbage: bytes | None = None
    flap_etag: bool = False
    ignore_range: bool = False
    shift_range: int | None = None
    ignore_conditions: bool = False
    corrupt_at: int | None = None
    gzip: str | None = None
    """``""`` for gzip as it should be, or one of `BROKEN_GZIP`."""
    refuse_for: float | None = None

    def __str__(self) -> str:
        said = []
        for each in fields(self):
            value = getattr(self, each.name)
            if value is True:
                said.append(each.name)
            elif isinstance(value, Ending):
                said.append(str(value))
            elif value != each.default:
                said.append(f"{each.name}={value!r}")
        return ", ".join(said)

    def having(self, **changes: Any) -> "Faults":
        """Return these and ``changes``, none of which may be said already."""
        for name in changes:
            if getattr(self, name) not in (None, False):
                raise ScriptError(f"{name} is said twice: {self}")
        changed = replace(self, **changes)
        changed.check()
        return changed

    def adding(self, name: str, *values: Any) -> "Faults":
        """Return these with ``values`` behind the others of ``name``."""
        longer: dict[str, Any] = {name: (*getattr(self, name), *values)}
        changed = replace(self, **longer)
        changed.check()
        return changed

    def check(self) -> None:
        """Raise `ScriptError` if these can't be true of one response."""
        framings = {
            "content_length": self.length_off_by is not None,
            "chunked": self.chunks is not None,
            "until_close": self.until_close,
        }
        _only_one("framing of the body", [name for name, said in framings.items() if said])
        bodies = {
            "status with a body": self.status is not None,
            "gzip": self.gzip is not None,
        }
        _only_one("content", [name for name, said in bodies.items() if said])
        ranges = {
            "ignore_range": self.ignore_range,
            "shift_range": self.shift_range is not None,
            "status": self.status is not None,
        }
        _only_one("answer to Range", [name for name, said in ranges.items() if said])
        self._check_silence()
        self._check_order()

    def _check_silence(self) -> None:
        """What never gets to a head can't have anything done to it."""
        silent = self.garbage is not None or (self.ending is not None and self.ending.at is None)
        if not silent:
            return
        harmless = {"delay", "informational", "refuse_for"}
        cause = "ending" if self.garbage is None else "garbage"
        for each in fields(self):
            if each.name in harmless | {cause}:
                continue
            if getattr(self, each.name) != each.default:
                raise ScriptError(f"there is no answer to which that could be done: {self}")

    def _check_order(self) -> None:
        """What comes behind the end does not come."""
        end = self.ending.at if self.ending is not None else None
        if end is None:
            return
        late = [at for at, _ in self.pauses if at > end]
        if self.corrupt_at is not None and self.corrupt_at >= end:
            late.append(self.corrupt_at)
        if late:
            raise ScriptError(f"octet {late[0]} is never sent: {self}")
        if self.chunks:
            raise ScriptError(f"chunks that break and an end before: {self}")

    def last_octet(self) -> int:
        """Return how many octets a body must have for all of this to come about."""
        ends = [at + 1 for at, _ in self.pauses]
        if self.ending is not None and self.ending.at is not None:
            ends.append(self.ending.at + (self.ending.kind == "close"))
        if self.corrupt_at is not None:
            ends.append(self.corrupt_at + 1)
        return max(ends, default=0)

    def plain(self) -> dict[str, Any]:
        """Return what is not as by default, as something that JSON can say."""
        said: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value == each.default:
                continue
            if isinstance(value, bytes):
                value = value.decode("latin-1")
            elif isinstance(value, Ending):
                value = [value.kind, value.at]
            said[each.name] = value
        return said

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Faults":
        """Return what `plain` was made from."""
        said = {name: _tuples(value) for name, value in plain.items()}
        for name in ("body", "garbage"):
            if name in said:
                said[name] = said[name].encode("latin-1")
        if "ending" in said:
            said["ending"] = Ending(*said["ending"])
        return Faults(**said)


def _only_one(what: str, said: list[str]) -> None:
    if len(said) > 1:
        raise ScriptError(f"two kinds of {what}: {' and '.join(said)}")


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


NO_FAULTS = Faults()
