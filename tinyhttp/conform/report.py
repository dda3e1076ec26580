"""How the results are said: to people, and to programs."""

import datetime
import json
from collections.abc import Iterable, Sequence
from typing import Any

from .. import __version__
from .cases import GROUPS
from .judge import FAILED, PASSED, SKIPPED, Result
from .model import LEVELS, MAY, MUST, NOTHING, SECURITY, SHOULD, SIMPLE, Case, Outcome, Value
from .runner import Subject

__all__ = ["VERSION", "as_json", "count", "escaped", "failures", "full", "listing", "wanted"]

VERSION = 1
"""Of the JSON: goes up when something in it is no longer what it was."""
MOST_SHOWN = 300
"""Octets of a request or response in a report."""

_PRINTABLE = frozenset(range(0x20, 0x7F)) - {0x5C}
_SPECIAL = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x5C: "\\\\"}


def escaped(octets: bytes, most: int = MOST_SHOWN) -> str:
    """Return ``octets`` in printable ASCII, the middle left out if they are too many."""
    if len(octets) > most:
        left_out = len(octets) - most
        half = most // 2
        return f"{escaped(octets[:half])} ...{left_out} octets... {escaped(octets[-half:])}"
    return "".join(
        chr(octet) if octet in _PRINTABLE else _SPECIAL.get(octet, f"\\x{octet:02x}")
        for octet in octets
    )


def count(results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """Return how many of each level passed, failed and were skipped."""
    totals = {level: {PASSED: 0, FAILED: 0, SKIPPED: 0} for level in LEVELS}
    for result in results:
        totals[result.case.level][result.verdict] += 1
    return totals


def failures(results: Iterable[Result], *levels: str) -> list[Result]:
    """Return what failed of these levels."""
    return [r for r in results if r.verdict == FAILED and r.case.level in levels]


def full(results: Sequence[Result], *, all_of_them: bool = False) -> str:
    """Return the report for people: a table of the groups, and what failed."""
    shown = [r for r in results if r.verdict == FAILED and (all_of_them or r.case.level != MAY)]
    parts = [_table(results), *map(_failure, shown)]
    skipped = [result for result in results if result.verdict == SKIPPED]
    if skipped:
        parts.append(_skips(skipped))
    return "\n\n".join(parts)


def _table(results: Sequence[Result]) -> str:
    lines = [f"{'':28}" + "".join(f"{level:>13}" for level in LEVELS)]
    for group, title in GROUPS.items():
        own = [result for result in results if result.case.group == group]
        if own:
            lines.append(f"{title:28}{_cells(own)}")
    lines.append(f"{'all':28}{_cells(results)}")
    lines += ["", "passed / run; MAY: for information, what the server has chosen"]
    return "\n".join(lines)


def _cells(results: Iterable[Result]) -> str:
    cells = []
    for numbers in count(results).values():
        run = numbers[PASSED] + numbers[FAILED]
        cells.append(f"{numbers[PASSED]} / {run}" if run else "-")
    return "".join(f"{cell:>13}" for cell in cells)


def _failure(result: Result) -> str:
    case, seen = result.case, result.seen
    word = {MUST: "FAILED", SECURITY: "FAILED", SHOULD: "failed", MAY: "chosen"}[case.level]
    lines = [f"{word} {case.id} ({case.level}, {clause(case)}): {case.title}"]
    if seen is not None:
        lines.append(f"  sent    {escaped(seen.sent)}")
        lines.append(f"  came    {escaped(seen.received) or 'nothing'}")
    lines.append(f"  wrong   {result.reason}")
    lines.append(f"  wanted  {wanted(case)}")
    if case.note:
        lines.append(f"  note    {case.note}")
    return "\n".join(lines)


def _skips(skipped: Sequence[Result]) -> str:
    reasons = {result.reason: 0 for result in skipped}
    for result in skipped:
        reasons[result.reason] += 1
    return "\n".join(f"skipped {number}: {reason}" for reason, number in reasons.items())


def clause(case: Case) -> str:
    """Return the clause of ``case`` with the word RFC in front."""
    return f"RFC {case.clause}"


def wanted(case: Case) -> str:
    """Return in words what ``case`` accepts."""
    return "; or ".join(map(_in_words, case.accept))


def _in_words(outcome: Outcome) -> str:
    words = [_statuses(outcome.statuses)]
    words += [f"{name}: {_value(value)}" for name, value in outcome.fields]
    if outcome.body is not None:
        words.append(f"the body {escaped(outcome.body, 40)}")
    for octets, word in ((outcome.lacks, "without"), (outcome.escapes, "with escapes for")):
        if octets is not None:
            words.append(f"{word} {escaped(octets, 40)}")
    if outcome.closes is not None:
        words.append("closed" if outcome.closes else "kept open")
    return ", ".join(words)


def _statuses(statuses: frozenset[int]) -> str:
    """Return them in short: ``400-499, 501``."""
    words, numbers = [], sorted(statuses - {NOTHING, SIMPLE})
    while numbers:
        length = 1
        while length < len(numbers) and numbers[length] == numbers[0] + length:
            length += 1
        words.append(f"{numbers[0]}-{numbers[length - 1]}" if length > 1 else str(numbers[0]))
        numbers = numbers[length:]
    words += ["HTTP/0.9"] * (SIMPLE in statuses) + ["closing"] * (NOTHING in statuses)
    return ", ".join(words)


def _value(value: Value) -> str:
    if value is None:
        return "(absent)"
    return value if isinstance(value, str) else f"/{value.pattern}/"


def listing(cases: Iterable[Case]) -> str:
    """Return one line for each case."""
    return "\n".join(f"{c.id:36} {c.level:9} {c.clause:13} {c.title[:60]}" for c in cases)


def as_json(subject: Subject, results: Sequence[Result], began: float, seconds: float) -> str:
    """Return everything as JSON; ``began`` in seconds since 1970."""
    when = datetime.datetime.fromtimestamp(began, tz=datetime.timezone.utc)
    document = {
        "version": VERSION,
        "tinyhttp": __version__,
        "url": subject.place.url,
        "server": subject.server,
        "kit": subject.kit,
        "began": when.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "totals": count(results),
        "groups": {
            group: count(own)
            for group in GROUPS
            if (own := [result for result in results if result.case.group == group])
        },
        "cases": [_case_to_json(result) for result in results],
    }
    return json.dumps(document, indent=1) + "\n"


def _case_to_json(result: Result) -> dict[str, Any]:
    case, seen = result.case, result.seen
    return {
        "id": case.id,
        "title": case.title,
        "group": case.group,
        "clause": case.clause,
        "level": case.level,
        "verdict": result.verdict,
        "reason": result.reason,
        "wanted": wanted(case),
        "sent": escaped(seen.sent) if seen else None,
        "received": escaped(seen.received) if seen else None,
        "statuses": [response.status for response in seen.responses] if seen else [],
        "connection": seen.after if seen else None,
    }
