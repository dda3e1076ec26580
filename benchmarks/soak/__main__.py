"""A soak: good, slow and hostile clients, changes of files, reloads, and workers that are killed.

Afterwards memory, descriptors, timers and threads have to be back where they were. Each phase is a
server of its own; the figures before are taken when the same clients have been there for a while,
so that what is loaded and remembered once does not count.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from .clients import Crowd, Site

SETTLE = 4.0
"""Seconds for connections to end: more than what the options below allow them."""
OPTIONS = (
    *("--port", "0", "--access-log", "none", "--grace", "3", "--threads", "4"),
    *("--head-timeout", "2", "--idle-timeout", "2", "--stall-timeout", "2"),
    *("--linger-timeout", "1"),
)


@dataclass
class Held:
    """What the processes of a server hold together."""

    memory: float
    """Proportional set size, MiB."""
    descriptors: int
    threads: int
    timers: int
    processes: int


class Server:
    """A server under soak."""

    def __init__(self, site: Path, *options: str):
        command = [sys.executable, "-m", "benchmarks.soak.served", *OPTIONS, *options]
        self._process = subprocess.Popen(
            [*command, "--path", str(site)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.line(r"listening on (?:port |http://\S+:)(\d+)")[1])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def line(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Wait for a line with ``pattern``, the first of those behind ``since``."""
        limit = time.monotonic() + 30
        with self._news:
            while True:
                for line in self.lines[since:]:
                    if found := re.search(pattern, line):
                        return found
                if not self._news.wait(limit - time.monotonic()):
                    raise SystemExit(f"no line with {pattern!r}; {''.join(self.lines[-9:])}")

    @property
    def pids(self) -> list[int]:
        """The process, and its workers."""
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self._process.send_signal(number)

    def held(self) -> Held:
        """Return what is held now."""
        since = len(self.lines)
        self.send(signal.SIGUSR2)
        told = json.loads(self.line(r"SOAK (\{.*\})", since)[1])
        pids = self.pids
        memory = descriptors = threads = 0
        for pid in pids:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
            memory += int(found[1]) if found else 0
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            threads += len(os.listdir(f"/proc/{pid}/task"))
        return Held(memory / 1024, descriptors, threads, told["timers"], len(pids))

    def end(self) -> int:
        """Stop it, and return its exit status."""
        self.send(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def soak(name: str, site: Site, seconds: float, options: list[str], disturb: set[str]) -> bool:
    """Run one phase, print what came of it, and return whether all is well."""
    server = Server(site.root, *options)
    _run(server, site, min(seconds, 5), set())
    before = server.held()
    crowd = _run(server, site, seconds, disturb)
    after = server.held()
    status = server.end()
    failures = {
        what: number
        for what, number in crowd.counted.items()
        if what.startswith(("good", "wrong", "status"))
    }
    lost = sum(failures.values())
    allowed = 6 * crowd.kills  # a killed worker loses what it had under way, at most all of them
    tracebacks = sum("Traceback" in line for line in server.lines)
    kept = (
        after.descriptors <= before.descriptors + 2
        and after.timers <= before.timers + 1
        and after.threads <= before.threads + 4 * (before.processes)
        and after.memory <= before.memory * 1.2 + 4
        and after.processes == before.processes
    )
    fine = status == 0 and kept and lost <= allowed and not tracebacks
    print(f"\n{name}: {'well' if fine else 'NOT WELL'}")
    print(f"  clients   {dict(sorted(crowd.counted.items()))}")
    print(f"  reloads   {crowd.reloads}; killed: {crowd.kills}; files changed: {crowd.changes}")
    print(f"  before    {before}")
    print(f"  after     {after}")
    said = f"lost: {lost} of {allowed} allowed, tracebacks: {tracebacks}"
    print(f"  status    {status}, {said}", flush=True)
    return fine


class _Counted(Crowd):
    kills = reloads = changes = 0


def _run(server: Server, site: Site, seconds: float, disturb: set[str]) -> _Counted:
    end = time.monotonic() + seconds
    with _Counted(server.port) as crowd:
        while (left := end - time.monotonic()) > 0:
            threading.Event().wait(min(left, 0.5))
            site.change()
            crowd.changes += 1
            if "reload" in disturb and crowd.changes % 10 == 5:
                since = len(server.lines)
                server.send(signal.SIGHUP)
                server.line("the configuration was read anew", since)
                crowd.reloads += 1
            workers = server.pids[1:]
            if "kill" in disturb and workers and crowd.changes % 10 == 0:
                os.kill(random.choice(workers), signal.SIGKILL)
                crowd.kills += 1
            if sys.stderr.isatty():
                answered = crowd.counted["answered"]
                print(f"\r{left:4.0f} s left, {answered} answered ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    threading.Event().wait(SETTLE)
    return crowd


def main() -> None:
    """Run all phases; the exit status is 1 if one of them is not well."""
    parser = ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each phase (60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        site = Site(Path(directory))
        results = [
            soak("one process", site, options.seconds, [], set()),
            soak("one process, reloaded", site, options.seconds, [], {"reload"}),
            soak("stock transport", site, options.seconds, ["--plain-transport"], set()),
            soak("two workers, rolled and killed", site, options.seconds, ["--workers", "2"],
                 {"reload", "kill"}),
        ]  # fmt: skip
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
