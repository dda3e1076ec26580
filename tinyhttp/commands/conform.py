"""``tinyhttp conform URL``: whether a server keeps to HTTP/1.1.

Above the floors. What is sent and what is right is in `tinyhttp.conform`; here is the command line.
"""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from ..conform.cases import CASES, GROUPS
from ..conform.judge import Result
from ..conform.kit import PLACE, write_kit
from ..conform.model import MUST, SECURITY, SHOULD, Case
from ..conform.place import Unfit, find_place
from ..conform.report import as_json, failures, full, listing
from ..conform.runner import OUT_OF_TIME, Pace, Subject, learn, run

__all__ = ["main"]

PASSED, FAILED, UNABLE = 0, 1, 2
"""The exit statuses."""

EPILOG = f"""
First write the kit (--write-kit DIR) and have the server serve DIR/{PLACE} at URL. Exit status:
{PASSED}: nothing failed; {FAILED}: something failed that MUST be so or is a matter of security,
with --strict also something that SHOULD be so, or time ran out; {UNABLE}: it could not be run.
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says, and return the exit status."""
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else UNABLE
    try:
        return _do(options)
    except Unfit as error:
        print(f"tinyhttp conform: {error}", file=sys.stderr)
        return UNABLE


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="tinyhttp conform",
        description="Send a server right and wrong requests, and hold the answers against RFC"
        " 9110 and 9112.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="where the kit is served, as http://127.0.0.1:8000/")
    add("--write-kit", type=Path, metavar="DIR", help="write the files that are asked for, and end")
    add("--list", action="store_true", help="name the cases, and end")
    add("--group", action="append", metavar="NAME", help=f"only these: {', '.join(GROUPS)}")
    add("--case", action="append", metavar="ID", help="only this one; may be given again")
    add("--no-kit", action="store_true", help="run only what needs no files")
    add("--json", metavar="FILE", help="write everything there as JSON; -: to standard output")
    add("--all", action="store_true", help="show too what MAY be so and is not")
    add("--strict", action="store_true", help="what only SHOULD be so decides the exit status too")
    add("--i-may-test", metavar="HOST", help="repeats the host of URL, if it is not this machine")
    add("--insecure", action="store_true", help="https: believe any certificate")
    standard = Pace()
    add("--connections", type=_whole(1, 64), default=standard.connections, help="at once (4)")
    add(
        "--rate",
        type=_number(0.1, 10_000),
        default=standard.rate,
        help="connections a second (100)",
    )
    add("--timeout", type=_number(0.1, 60), default=standard.timeout, help="s for a response (5)")
    add("--total", type=_number(1, 3600), default=standard.total, help="s for everything (300)")
    return parser


def _number(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
        return value

    return number


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return whole


def _do(options: Namespace) -> int:
    if options.write_kit is not None:
        return _write_kit(options.write_kit)
    cases = _chosen(options.group, options.case)
    if options.list:
        print(listing(cases))
        return PASSED
    if options.url is None:
        raise Unfit("URL is missing: where the kit is served, as http://127.0.0.1:8000/")
    place = find_place(options.url, options.i_may_test, insecure=options.insecure)
    subject = learn(place, options.timeout)
    if not subject.kit and not options.no_kit:
        raise Unfit(
            f"{options.url} does not serve the kit. Write it with --write-kit DIR and serve"
            f" DIR/{PLACE}, or run only what needs no files, with --no-kit."
        )
    return _run(options, subject, [case for case in cases if subject.kit or not case.kit])


def _write_kit(directory: Path) -> int:
    try:
        refused = write_kit(directory)
    except OSError as error:
        raise Unfit(f"{error.filename or directory}: {error.strerror}") from None
    for name in refused:
        print(f"left out, as the file system does not take it: {name!r}", file=sys.stderr)
    print(f"Serve {directory / PLACE}, and nothing above it.")
    return PASSED


def _chosen(groups: list[str] | None, ids: list[str] | None) -> list[Case]:
    """Return the cases that are named, all if none is; raises `Unfit` for unknown names."""
    for group in groups or ():
        if group not in GROUPS:
            raise Unfit(f"--group: there is no {group!r}; there are {', '.join(GROUPS)}")
    known = {case.id for case in CASES}
    for id_ in ids or ():
        if id_ not in known:
            raise Unfit(f"--case: there is no {id_!r}; --list names them")
    if not groups and not ids:
        return list(CASES)
    return [case for case in CASES if case.group in (groups or ()) or case.id in (ids or ())]


def _run(options: Namespace, subject: Subject, cases: list[Case]) -> int:
    pace = Pace(options.connections, options.rate, options.timeout, options.total)
    began, clock = time.time(), time.monotonic()
    results = run(subject, cases, pace, _progress(len(cases)))
    seconds = time.monotonic() - clock
    if options.json != "-":
        print(
            f"{options.url} ({subject.server or 'no name'}): {len(cases)} cases, {seconds:.1f} s\n"
        )
        print(full(results, all_of_them=options.all))
    if options.json:
        _write_json(options.json, as_json(subject, results, began, seconds))
    decisive = [MUST, SECURITY, *([SHOULD] if options.strict else [])]
    unfinished = any(result.reason == OUT_OF_TIME for result in results)
    return FAILED if failures(results, *decisive) or unfinished else PASSED


def _write_json(name: str, text: str) -> None:
    if name == "-":
        print(text, end="")
        return
    try:
        Path(name).write_text(text, encoding="ascii")
    except OSError as error:
        raise Unfit(f"{name}: {error.strerror}") from None


def _progress(number: int) -> Callable[[Result], None]:
    """Return what shows on a terminal how far it has come."""
    if not sys.stderr.isatty():
        return lambda _: None
    done = iter(range(1, number + 1))

    def show(result: Result) -> None:
        count = next(done)
        print(f"\r{count}/{number} {result.case.id:40}", end="", file=sys.stderr, flush=True)
        if count == number:
            print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)

    return show
