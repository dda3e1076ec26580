"""``python -m benchmarks``: measure, show, and write down."""

import os
import resource
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from . import tables
from .cases import CASES, Case
from .documents import load_json, to_json, write_documents
from .facts import facts
from .results import Results
from .running import choose_cores
from .series import Series, workplace
from .servers import SERVERS, Server
from .wrk import WRK


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says; raises SystemExit with a line where it can't."""
    options = _parser().parse_args(arguments)
    cases = _chosen_cases(options.cases)
    found = _find(options.servers)
    if options.list:
        _list(found)
        return
    if WRK is None:
        raise SystemExit("wrk, the load generator, is not installed.")
    _prepare()
    known = facts(choose_cores(), {server.name: version for server, version in found.items()})
    results = _earlier(options.add_to, known) if options.add_to else Results()
    try:
        _measure(options, cases, list(found), results)
    finally:
        print(tables.plain_text(results))
        _write(options, results, known)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description="What answering costs: tinyhttp beside other servers.",
        epilog="Ctrl-C ends a series early; what has been measured is shown and written.",
    )
    add = parser.add_argument
    add("--cases", default="quick", help="names with commas between; quick (the default); all")
    add("--servers", default="all", help="names with commas between; all (the default)")
    add("--rounds", type=int, default=5, help="how often each is measured (5)")
    add("--seconds", type=int, default=3, help="for how long (3)")
    add("--json", type=Path, metavar="FILE", help="write every sample there")
    add("--add-to", type=Path, metavar="FILE", help="begin with the samples of an earlier --json")
    add("--write-docs", action="store_true", help="write tables and chart into docs/")
    add("--list", action="store_true", help="name the cases and the servers found, and end")
    return parser


def _chosen_cases(names: str) -> list[Case]:
    """Return the cases that are named; raises SystemExit for one that there is not."""
    if names in {"quick", "all"}:
        return [case for case in CASES if case.quick or names == "all"]
    wanted = _known(names, [case.name for case in CASES], "case")
    return [case for case in CASES if case.name in wanted]


def _find(names: str) -> dict[Server, str]:
    """Return the servers that are wanted and installed, with versions; name the missing ones."""
    every = [server.name for server in SERVERS]
    wanted = set(every) if names == "all" else _known(names, every, "server")
    found = {}
    for server in SERVERS:
        if server.name in wanted:
            version = server.find()
            if version is None:
                print(f"{server.name} is not installed.", file=sys.stderr)
            else:
                found[server] = version
    return found


def _known(names: str, every: list[str], kind: str) -> set[str]:
    wanted = {name.strip() for name in names.split(",")}
    for name in sorted(wanted - set(every)):
        raise SystemExit(f"There is no {kind} {name!r}; there are: {', '.join(every)}.")
    return wanted


def _list(found: dict[Server, str]) -> None:
    print("cases (*: only when named, or with --cases all):")
    for case in CASES:
        print(f"  {case.name:16}{' ' if case.quick else '*'} {case.title}, {case.unit}")
    print("servers:")
    for server, version in found.items():
        print(f"  {server.name:17} {version}")


def _prepare() -> None:
    """End like Ctrl-C when told to; leave the server's core; have all descriptors there are."""

    def end(signal_number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    cores = choose_cores()
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _earlier(path: Path, known: dict[str, object]) -> Results:
    """Return earlier results; raises SystemExit if they were measured on something else."""
    results, before = load_json(path)
    for name in sorted({*before, *known} - {"day", "servers"}):
        if before.get(name) != known.get(name):
            raise SystemExit(f"{path.name} was measured elsewhere: {name} is not the same.")
    return results


def _measure(
    options: Namespace, cases: list[Case], servers: list[Server], results: Results
) -> None:
    """Make the measurements; Ctrl-C ends them, not the program."""
    try:
        with workplace() as place:
            series = Series(
                cases, servers, options.rounds, options.seconds, choose_cores(), place
            )
            series.run(results)
    except KeyboardInterrupt:
        print("Ended early.", file=sys.stderr)


def _write(options: Namespace, results: Results, known: dict[str, object]) -> None:
    conditions = {"rounds": options.rounds, "seconds": options.seconds}
    if options.json:
        options.json.write_text(to_json(results, known, conditions))
    if options.write_docs:
        for path in write_documents(results, known, conditions):
            print(f"Wrote docs/{path.relative_to(path.parents[len(path.parts) - 2 - path.parts[::-1].index('docs')])}")


if __name__ == "__main__":
    main()
