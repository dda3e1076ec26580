"""How is a case written down? The words that the tables are made of."""

from .model import MUST, NOTHING, Await, Case, Level, Outcome, Pause, Value

__all__ = [
    "CLOSED",
    "OK",
    "REFUSED",
    "case",
    "chunked",
    "get",
    "head",
    "outcome",
    "reads",
    "refused",
]

OK = frozenset({200})
CLOSED = Outcome(frozenset({*range(200, 500), 501, 505, NOTHING}), closes=True)
"""Whatever is answered, the connection ends: what is in doubt behind it does no harm."""
REFUSED = frozenset({*range(400, 500), 501, 505, NOTHING})
"""Any error that blames the client, or what is not implemented, or no word at all."""


def get(target: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return a request; one for HTTP/1.1 without a Host among ``fields`` gets one.

    A path goes beneath the prefix of whatever is tested; another form of target stays as it is.
    """
    place = "{{prefix}}" if target.startswith("/") else ""
    lines = [f"{method} {place}{target} HTTP/{version}", *fields]
    if version != "1.0" and not any(field.lower().startswith("host:") for field in fields):
        lines.insert(1, "Host: {{host}}")
    return head(*lines)


def head(*lines: str) -> bytes:
    """Return lines as the head of a request, as wrong as they are."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunked(body: bytes, method: str = "GET", target: str = "/a.txt") -> bytes:
    """Return a request whose body has the framing ``body``."""
    return get(target, "Transfer-Encoding: chunked", method=method) + body


def case(
    id_: str,
    title: str,
    clause: str,
    octets: bytes | tuple[bytes | Pause | Await, ...],
    *accept: Outcome,
    level: Level = MUST,
    also: tuple[Outcome, ...] = (),
    bodiless: frozenset[int] | None = None,
    kit: bool = True,
    requires: frozenset[str] = frozenset(),
    at_root: bool = False,
    note: str = "",
) -> Case:
    """Return a case; whether it is HEAD that is asked is read from its octets."""
    parts = (octets,) if isinstance(octets, bytes) else octets
    if bodiless is None:
        first = next(part for part in parts if isinstance(part, bytes))
        bodiless = frozenset({0} if first.startswith(b"HEAD ") else ())
    return Case(
        id_,
        title,
        clause,
        level,
        parts,
        accept,
        also=also,
        bodiless=bodiless,
        requires=requires,
        kit=kit,
        at_root=at_root,
        note=note,
    )


def outcome(
    *statuses: int,
    fields: dict[str, Value] | None = None,
    body: bytes | None = None,
    lacks: bytes | None = None,
    escapes: bytes | None = None,
    closes: bool | None = None,
    waits: bool = False,
) -> Outcome:
    """Return an outcome with any of ``statuses``."""
    pairs = tuple((fields or {}).items())
    return Outcome(frozenset(statuses), pairs, body, lacks, escapes, closes=closes, waits=waits)


def reads(body: bytes, closes: bool | None = None, **fields: Value) -> Outcome:
    """Return the outcome 200 with ``body``; a name in ``fields`` has ``_`` for the hyphen."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return outcome(200, body=body, closes=closes, fields=named)


def refused(closes: bool | None = None, *, waits: bool = False) -> Outcome:
    """Return the outcome of being refused, with or without a word."""
    return Outcome(REFUSED, closes=closes, waits=waits)
