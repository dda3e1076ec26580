"""Was it right? What was seen is held against what a case accepts."""

import re
from dataclasses import dataclass

from .exchange import CLOSED, LOST, OPEN, WAITS, Seen
from .kit import SECRET
from .model import NOTHING, Case, Outcome, Target, Value, fill_in_value, status_in_words
from .reading import Response

__all__ = ["FAILED", "PASSED", "SKIPPED", "Result", "judge"]

PASSED = "passed"
FAILED = "failed"
SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """What has become of a case."""

    case: Case
    verdict: str
    reason: str = ""
    """Why it failed or was skipped."""
    seen: Seen | None = None


def judge(case: Case, seen: Seen, target: Target) -> Result:
    """Return the result of ``case``."""
    if SECRET in seen.received:
        return Result(case, FAILED, "sends what lies outside of what is served", seen)
    if len(seen.responses) <= len(case.also) and _gives_up(seen):
        return Result(case, SKIPPED, "the server ends the connection behind a response", seen)
    reasons = [_differs(outcome, seen, target) for outcome in case.accept]
    if all(reason for _, reason in reasons):
        return Result(case, FAILED, max(reasons)[1], seen)
    reason = _differs_later(case, seen, target) or _against_all(case, seen)
    return Result(case, FAILED if reason else PASSED, reason, seen)


def _gives_up(seen: Seen) -> bool:
    """Tell whether a server ended a connection on which more was asked, and said so."""
    return bool(seen.responses) and seen.after == CLOSED and seen.responses[-1].ends_connection


def _differs(outcome: Outcome, seen: Seen, target: Target) -> tuple[int, str]:
    """Return in what the first response is not ``outcome``, nothing if it is; and how far it came.

    The outcome that comes nearest is the one to name.
    """
    if seen.after == WAITS and not outcome.waits:
        return 0, seen.problem
    if not seen.responses:
        silent = seen.after == WAITS or (NOTHING in outcome.statuses and not seen.problem)
        return 0, "" if silent else seen.problem or "closed without a response"
    depth, reason = _differs_in_response(outcome, seen.responses[0], target)
    if not reason and outcome.closes is True and seen.after not in (CLOSED, WAITS):
        return depth, seen.problem or "the connection stays open"
    if not reason and outcome.closes is False and seen.after == CLOSED:
        return depth, "the connection is closed"
    return depth, reason


def _differs_in_response(outcome: Outcome, response: Response, target: Target) -> tuple[int, str]:
    if response.status not in outcome.statuses:
        return 0, status_in_words(response.status)
    for depth, (name, wanted) in enumerate(outcome.fields, 1):
        value = response.get(name)
        if not _matches(value, fill_in_value(wanted, target)):
            return depth, f"{name}: {value}" if value is not None else f"no {name}"
    return len(outcome.fields) + 1, _differs_in_body(outcome, response)


def _differs_in_body(outcome: Outcome, response: Response) -> str:
    body = response.body
    if outcome.body is not None and body != outcome.body:
        return f"another body, of {len(body)} octets"
    if outcome.lacks is not None and outcome.lacks in body:
        return f"holds {outcome.lacks[:40]!r}"
    if outcome.escapes is not None and outcome.escapes in body and _is_markup(response):
        return f"holds {outcome.escapes[:40]!r} as markup"
    return ""


def _is_markup(response: Response) -> bool:
    """Tell whether a browser may take the body for HTML."""
    type_ = (response.get("Content-Type") or "").partition(";")[0].strip().lower()
    return not type_ or type_.endswith(("html", "xml", "svg+xml"))


def _matches(value: str | None, wanted: Value) -> bool:
    if value is None or wanted is None:
        return value is wanted
    if isinstance(wanted, re.Pattern):
        return wanted.fullmatch(value) is not None
    return value == wanted


def _differs_later(case: Case, seen: Seen, target: Target) -> str:
    for number, outcome in enumerate(case.also, 2):
        if len(seen.responses) < number:
            return seen.problem or f"closed before response {number}"
        _, reason = _differs_in_response(outcome, seen.responses[number - 1], target)
        if reason:
            return f"response {number}: {reason}"
    return ""


def _against_all(case: Case, seen: Seen) -> str:
    """Return what would be wrong whatever was asked."""
    if seen.after == LOST:
        return seen.problem
    for response in seen.responses:
        if response.interim and b"HTTP/1.0\r\n" in seen.sent:
            return "an interim response to HTTP/1.0"
        if response.status == 204 and response.get("Content-Length") is not None:
            return "204 with Content-Length"
    if seen.after == OPEN and any(response.ends_connection for response in seen.responses):
        return "says that it closes, and does not"
    return ""
