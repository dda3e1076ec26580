"""Who runs the cases? A few threads, at a measured pace, and not for ever."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .exchange import exchange, fetch
from .judge import FAILED, SKIPPED, Result, judge
from .kit import MARKER, MARKER_NAME
from .model import Case, Target
from .place import Place, Unfit
from .reading import Closed, Garbled, TooLate

__all__ = ["Pace", "Subject", "learn", "run"]

OUT_OF_TIME = "out of time"
FAILURES_TO_CONNECT = 8
"""In a row; then nobody is there any more."""


@dataclass(frozen=True)
class Pace:
    """How gently."""

    connections: int = 4
    """At the same time."""
    rate: float = 100.0
    """Connections a second."""
    timeout: float = 5.0
    """Seconds for a response."""
    total: float = 300.0
    """Seconds for everything."""


@dataclass(frozen=True)
class Subject:
    """What is tested, and what is known of it."""

    place: Place
    target: Target
    kit: bool
    """Whether the kit is there."""
    server: str = ""
    """What it calls itself."""


def learn(place: Place, timeout: float) -> Subject:
    """Return what has to be known before; raises `Unfit` if nobody speaks HTTP there."""
    try:
        marker = fetch(place, MARKER_NAME, timeout)
    except Closed:
        raise Unfit(f"{place.url}: the connection is closed without a response") from None
    except TooLate:
        raise Unfit(f"{place.url}: no response within {timeout:g} s") from None
    except (OSError, Garbled) as error:
        raise Unfit(f"{place.url}: {error}") from None
    tag, date = _validators(place, timeout)
    weak = tag is not None and tag.startswith("W/")
    target = Target(
        host=place.authority,
        prefix=place.prefix,
        etag=tag[2:] if tag and weak else tag,
        strong=None if weak else tag,
        date=date,
    )
    kit = marker.status == 200 and marker.body == MARKER
    return Subject(place, target, kit, marker.get("Server") or "")


def _validators(place: Place, timeout: float) -> tuple[str | None, str | None]:
    """Return ETag and Last-Modified of ``/a.txt``; whoever fails at that fails at the cases."""
    try:
        file = fetch(place, "a.txt", timeout)
    except (OSError, Closed, Garbled, TooLate):
        return None, None
    if file.status != 200:
        return None, None
    return file.get("ETag"), file.get("Last-Modified")


def run(
    subject: Subject,
    cases: Sequence[Case],
    pace: Pace,
    on_result: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Return a result for each of ``cases``, in their order.

    ``on_result`` is called as each comes, from any thread, but never twice at once. Ctrl-C lets
    what is under way end, and then goes on its way.
    """
    work = _Work(subject, cases, pace, on_result)
    threads = [
        threading.Thread(target=work.go_on, daemon=True)
        for _ in range(min(pace.connections, len(cases)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        work.stop()
        raise
    return work.results()


class _Work:
    """What the threads share."""

    def __init__(
        self,
        subject: Subject,
        cases: Sequence[Case],
        pace: Pace,
        on_result: Callable[[Result], None],
    ):
        self._subject = subject
        self._cases = cases
        self._pace = pace
        self._on_result = on_result
        self._lock = threading.Lock()
        self._next = 0
        self._slot = time.monotonic()
        self._deadline = self._slot + pace.total
        self._unreachable = 0
        self._results: dict[int, Result] = {}

    def stop(self) -> None:
        """Begin no further case."""
        with self._lock:
            self._next = len(self._cases)

    def results(self) -> list[Result]:
        """Return what there is, and for the rest that time was up."""
        return [
            self._results.get(index, Result(case, SKIPPED, OUT_OF_TIME))
            for index, case in enumerate(self._cases)
        ]

    def go_on(self) -> None:
        """Take case after case until there is none."""
        while (index := self._take()) is not None:
            result = self._run(self._cases[index])
            with self._lock:
                self._results[index] = result
                self._on_result(result)

    def _take(self) -> int | None:
        with self._lock:
            if self._next >= len(self._cases) or self._unreachable >= FAILURES_TO_CONNECT:
                return None
            index = self._next
            self._next += 1
            return index

    def _run(self, case: Case) -> Result:
        why = missing(case, self._subject)
        if why:
            return Result(case, SKIPPED, why)
        if not self._wait_for_turn():
            return Result(case, SKIPPED, OUT_OF_TIME)
        left = self._deadline - time.monotonic()
        timeout = max(0.01, min(self._pace.timeout, left))
        subject = self._subject
        try:
            seen = exchange(subject.place, case, subject.target, timeout, kit=subject.kit)
        except OSError as error:
            with self._lock:
                self._unreachable += 1
            return Result(case, FAILED, f"can't connect: {error.strerror or error}")
        with self._lock:
            self._unreachable = 0
        return judge(case, seen, subject.target)

    def _wait_for_turn(self) -> bool:
        """Wait until the pace allows another connection; return whether time is left then."""
        with self._lock:
            now = time.monotonic()
            slot = max(now, self._slot)
            self._slot = slot + 1 / self._pace.rate
        if slot >= self._deadline:
            return False
        time.sleep(slot - now)
        return True


def missing(case: Case, subject: Subject) -> str:
    """Return why a case can't be run; nothing if it can."""
    if case.kit and not subject.kit:
        return "needs the kit"
    if case.at_root and subject.target.prefix:
        return "needs the kit at the root of the host"
    target = subject.target
    for name, what in (
        ("etag", "no ETag"),
        ("strong", "no strong ETag"),
        ("date", "no Last-Modified"),
    ):
        if case.needs(name) and getattr(target, name) is None:
            return f"the server sends {what}"
    return ""
