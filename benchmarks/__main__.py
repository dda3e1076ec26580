"""``python -m benchmarks``: measure, show, and write down."""

import os
import resource
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from . import tables
from .cases import CASES, Case
from .documents import load_json, to_json, write_documents
from .facts import facts
from .results import Results
from .running import Cores, choose_cores
from .series import Series
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
    cores = choose_cores()
    _prepare(cores)
    versions = {server.name: version for server, version in found.items()}
    known = facts(cores, versions, options.seconds)
    results = Results()
    if options.add_to:
        results, before = load_json(options.add_to)
        known = _same(before, known) if options.rounds else before
    try:
        series = Series(cases, list(found), options.rounds, options.seconds, cores)
        _measure(series, results)
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


def _prepare(cores: Cores) -> None:
    """End like Ctrl-C when told to; leave the server its core; have all descriptors there are."""

    def end(signal_number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _same(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of two series as one; raises SystemExit if they were measured on others."""
    differing = [
        name for name in now if name not in {"day", "servers"} if before[name] != now[name]
    ]
    old, new = before["servers"], now["servers"]
    differing += [name for name in new if old.get(name, new[name]) != new[name]]
    if differing:
        raise SystemExit(f"The earlier samples are of something else: {', '.join(differing)}.")
    return {**now, "servers": {**old, **new}}


def _measure(series: Series, results: Results) -> None:
    """Make the measurements; Ctrl-C ends them, not the program."""
    try:
        series.run(results)
    except KeyboardInterrupt:
        print("Ended early.", file=sys.stderr)


def _write(options: Namespace, results: Results, known: dict[str, Any]) -> None:
    """Write what was asked for: JSON, documents."""
    if options.json:
        options.json.write_text(to_json(results, known))
    if options.write_docs:
        for path in write_documents(results, known):
            print(f"Wrote {os.path.relpath(path)}", file=sys.stderr)


if __name__ == "__main__":
    main()
