"""``python -m benchmarks.conformance``: tinyhttp and other servers, held against the RFCs.

Every server that is installed serves the kit of ``tinyhttp conform``, and is sent all its cases.
With ``--write-docs`` the results go into docs/conformance.md.
"""

import datetime
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tinyhttp.conform.cases import CASES, GROUPS
from tinyhttp.conform.judge import FAILED, PASSED, SKIPPED, Result
from tinyhttp.conform.kit import PLACE, write_kit
from tinyhttp.conform.model import MUST, SECURITY, SHOULD
from tinyhttp.conform.place import Unfit, find_place
from tinyhttp.conform.report import clause, count
from tinyhttp.conform.runner import Pace, learn, run

from .contestants import CONTESTANTS
from .errors import UnableError
from .launch import Job
from .running import free_port, running
from .servers import Server

__all__ = ["main"]

_PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
_BEGIN = "<!-- results: written by python -m benchmarks.conformance --write-docs -->"
_END = "<!-- end of the results -->"
_LEVELS = (MUST, SECURITY, SHOULD)
_PACE = Pace(connections=4, rate=500, timeout=4)


@dataclass(frozen=True)
class Outcome:
    """What a server has come to."""

    name: str
    version: str
    results: list[Result]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    parser.add_argument("--servers", help="names with commas between; else all that are installed")
    parser.add_argument("--write-docs", action="store_true", help=f"write docs/{_PAGE.name}")
    options = parser.parse_args(arguments)
    wanted = {server.name for server in CONTESTANTS}
    if options.servers:
        named = set(options.servers.split(","))
        for name in sorted(named - wanted):
            raise SystemExit(
                f"There is no server {name!r}; there are: {', '.join(sorted(wanted))}."
            )
        wanted = named
    outcomes = [
        outcome
        for server in CONTESTANTS
        if server.name in wanted
        if (outcome := _try(server)) is not None
    ]
    print(_tables(outcomes))
    if options.write_docs:
        _PAGE.write_text(_refreshed(_PAGE.read_text(), outcomes))
        print(f"Wrote docs/{_PAGE.name}", file=sys.stderr)


def _try(server: Server) -> Outcome | None:
    """Return what comes of ``server``; nothing, with a word, if it can't be had."""
    version = server.find()
    if version is None:
        print(f"{server.name} is not installed.", file=sys.stderr)
        return None
    try:
        results = _results(server)
    except (UnableError, Unfit) as error:
        print(f"{server.name}: {error}", file=sys.stderr)
        return None
    numbers = count(results)
    failed = ", ".join(f"{numbers[level][FAILED]} {level}" for level in _LEVELS)
    print(f"{server.name} ({version}): failed {failed}", file=sys.stderr)
    return Outcome(server.name, version, results)


def _results(server: Server) -> list[Result]:
    with TemporaryDirectory() as name:
        directory, work = Path(name), Path(name, "work")
        directory.chmod(0o755)  # some servers become another user
        work.mkdir()
        work.chmod(0o777)
        write_kit(directory / "kit")
        job = Job(free_port(), directory / "kit" / PLACE, work)
        with running(server.command(job), job, None) as process:
            subject = learn(find_place(process.url("/")), _PACE.timeout)
            if not subject.kit:
                raise UnableError("does not serve the kit")
            return run(subject, CASES, _PACE)


def _tables(outcomes: Sequence[Outcome]) -> str:
    """Return a table for each level: groups from top to bottom, servers from left to right."""
    parts = []
    for level in _LEVELS:
        rows = [f"### {level}", "", "| | " + " | ".join(o.name for o in outcomes) + " |"]
        rows.append("|---|" + "--:|" * len(outcomes))
        for group, title in GROUPS.items():
            cells = [_cell(outcome, level, group) for outcome in outcomes]
            if any(cell != "-" for cell in cells):
                rows.append(f"| {title} | " + " | ".join(cells) + " |")
        totals = [f"**{_cell(outcome, level, None)}**" for outcome in outcomes]
        rows.append("| **all** | " + " | ".join(totals) + " |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _cell(outcome: Outcome, level: str, group: str | None) -> str:
    """Return how many passed of how many."""
    own = [r for r in outcome.results if group in (None, r.case.group)]
    numbers = count(own)[level]
    run_ = numbers[PASSED] + numbers[FAILED]
    return f"{numbers[PASSED]}/{run_}" if run_ else "-"


def _refreshed(text: str, outcomes: Sequence[Outcome]) -> str:
    """Return the page with what is between the two markers made anew."""
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise SystemExit(f"{_PAGE.name} must hold this line once, {_BEGIN}, and this, {_END}")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    day = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    versions = "; ".join(f"{o.name}: {o.version}" for o in outcomes)
    parts = [
        "",
        f"{len(CASES)} cases, {day}. {versions}.",
        _tables(outcomes),
        "## What failed",
        *map(_failures, outcomes),
        "",
    ]
    return before + _BEGIN + "\n".join(["", *("\n\n".join(parts).strip("\n"),), ""]) + _END + after


def _failures(outcome: Outcome) -> str:
    lines = [f"### {outcome.name}", ""]
    failed = [r for r in outcome.results if r.verdict == FAILED and r.case.level in _LEVELS]
    for level in _LEVELS:
        lines += [_failure(result) for result in failed if result.case.level == level]
    if not failed:
        lines.append("Nothing.")
    skipped = sum(result.verdict == SKIPPED for result in outcome.results)
    if skipped:
        reasons = sorted({r.reason for r in outcome.results if r.verdict == SKIPPED})
        lines += ["", f"Not run: {skipped} ({'; '.join(reasons)})."]
    return "\n".join(lines)


def _failure(result: Result) -> str:
    case = result.case
    return f"- {case.level}, {clause(case)}, `{case.id}`: {_code(result.reason)}"


def _code(text: str) -> str:
    """Return ``text`` so that nothing in it is markup."""
    return f"`{text.replace('`', chr(39))}`"


if __name__ == "__main__":
    main()
