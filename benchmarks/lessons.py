"""``python -m benchmarks.lessons``: what the stages of docs/lessons cost.

Processor time of all of a stage's processes, and what is held for clients that say nothing. Neither
needs a quiet machine or a load generator that is faster than the server.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from . import lessons_tables
from .accounting import cpu_seconds, memory_octets, processes
from .content import KIB, MIB, SMALL
from .facts import facts
from .launch import Command, Job
from .running import Cores, Running, choose_cores, free_port, running

__all__ = ["main"]

_DOCS = Path(__file__).parent.parent / "docs" / "lessons"
_FIGURES = _DOCS / "figures.json"
_REQUESTS = 400
_SILENT = 100
_LONG = 10.0
"""Seconds after which a client that says nothing is taken to be held for ever."""
_CALLS = 20_000
_PROMPTED = {"stage2_threads_flawed", "stage2_threads"}
_PERSISTENT = {"stage6_lines", "stage7_threads", "stage8_plugin", "stage9_tinyhttp", "tinyhttp"}
_OPTIONS = (
    "SO_BINDTODEVICE",
    "SO_BROADCAST",
    "SO_DONTROUTE",
    "SO_KEEPALIVE",
    "SO_OOBINLINE",
    "SO_REUSEADDR",
)


def main() -> None:
    """Measure, print, and write down what the command line asks for."""
    parser = ArgumentParser(prog="python -m benchmarks.lessons", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--write-docs", action="store_true", help="write into docs/lessons/")
    parser.add_argument("--tables", action="store_true", help="measure nothing: make tables anew")
    options = parser.parse_args()
    figures = json.loads(_FIGURES.read_text()) if options.tables else _measure_all(options.rounds)
    print(json.dumps(figures, indent=1))
    if options.write_docs or options.tables:
        _FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        attacks = json.loads((_DOCS / "code" / "attacks.json").read_text())
        for page in lessons_tables.write(_DOCS, figures, attacks):
            print(f"Wrote {os.path.relpath(page)}", file=sys.stderr)


def _measure_all(rounds: int) -> dict[str, Any]:
    """Return the facts, and the medians of every stage and option."""
    cores = choose_cores()
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in lessons_tables.STAGES}
    with TemporaryDirectory() as work:
        code = Path(shutil.copytree(_DOCS / "code", Path(work) / "code"))
        subprocess.run([sys.executable, "make_site.py"], cwd=code, check=True)
        (code / "site" / SMALL).write_bytes(b"x" * KIB)
        for number in range(rounds):
            for name, measured in found.items():
                print(f"round {number + 1}: {name}", file=sys.stderr)
                measured.append(_measure(name, code, cores))
    known = facts(cores, {}, 0)
    del known["seconds"], known["servers"]
    return {
        "facts": {**known, "rounds": rounds, "requests": _REQUESTS, "silent": _SILENT},
        "stages": {name: _medians(measured) for name, measured in found.items()},
        "options": {name: _option(name) for name in _OPTIONS},
    }


def _medians(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure; ``None`` where there is none."""
    medians = {}
    for name in measured[0]:
        values = [one[name] for one in measured if one[name] is not None]
        medians[name] = round(median(values), 2) if len(values) * 2 > len(measured) else None
    return medians


def _measure(name: str, code: Path, cores: Cores) -> dict[str, Any]:
    """Return the figures of one stage, each from a process that has just been started."""
    with _started(name, code, cores) as server:
        _close(server, 20)
        closing = _cpu(server, _close)
        persistent = _cpu(server, _persist) if name in _PERSISTENT else None
    with _started(name, code, cores) as server:
        _close(server, 5)
        idle = _silent(server)
    return {"close_us": closing, "persist_us": persistent, **idle}


@contextmanager
def _started(name: str, code: Path, cores: Cores) -> Iterator[Running]:
    """Give a stage that answers."""
    port = str(free_port())
    line = [sys.executable, f"{name}.py", *([] if name in _PROMPTED else [port])]
    if name == "stage8_plugin":
        twistd = Path(sys.executable).with_name("twistd")
        path = f"PYTHONPATH=stage8_plugin{os.pathsep}."
        line = ["env", path, str(twistd), "--nodaemon", "--pidfile=", "lesson", "--port", port]
    if name == "tinyhttp":
        where = [f"--port=tcp:{port}:interface=127.0.0.1", "--path=site"]
        line = [sys.executable, "-m", name, *where, "--access-log=none", "--head-timeout=3"]
    job = Job(int(port), code / "site", code)
    with running(Command(line, typed=f"{port}\n"), job, cores.server) as server:
        yield server


def _cpu(server: Running, ask: Any) -> float:
    """Return microseconds of processor time for a request."""
    before = cpu_seconds(server.session)
    ask(server, _REQUESTS)
    return (cpu_seconds(server.session) - before) / _REQUESTS * 1e6


def _close(server: Running, count: int) -> None:
    """Send requests, each on a connection of its own."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", server.job.port), timeout=10) as connection:
            connection.sendall(_request("close"))
            while connection.recv(65536):
                pass


def _persist(server: Running, count: int) -> None:
    """Send requests on one connection, each when the answer before it is complete."""
    with socket.create_connection(("127.0.0.1", server.job.port), timeout=10) as connection:
        for _ in range(count):
            connection.sendall(_request("keep-alive"))
            received = b""
            while len(received.partition(b"\r\n\r\n")[2]) < KIB:
                received += connection.recv(65536)


def _request(persistence: str) -> bytes:
    return f"GET /{SMALL} HTTP/1.1\r\nHost: x\r\nConnection: {persistence}\r\n\r\n".encode()


def _silent(server: Running) -> dict[str, Any]:
    """Return what clients cost that connect and say nothing, and for how long."""
    before = memory_octets(server.session)
    begun = time.monotonic()
    held = _connect(server)
    try:
        served = _serves(server)
        after = memory_octets(server.session)
        running_now = [process.pid for process in processes(server.session)]
        threads = sum(len(_tasks(pid)) for pid in running_now)
        seconds = _until_closed(held[0], begun)
    finally:
        for connection in held:
            connection.close()
    return {
        "idle_rss_mib": after[0] / MIB,
        "idle_pss_mib": after[1] / MIB,
        "silent_kib": (after[1] - before[1]) / KIB / len(held),
        "processes": len(running_now),
        "threads": threads,
        "held_s": seconds,
        "others_served": int(served),
    }


def _connect(server: Running) -> list[socket.socket]:
    """Return connections; fewer than wanted, where the kernel has no room for those who wait."""
    held: list[socket.socket] = []
    with suppress(TimeoutError):
        while len(held) < _SILENT:
            held.append(socket.create_connection(("127.0.0.1", server.job.port), 3))
            time.sleep(0.005)  # some have a backlog of 0
    return held


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return []


def _serves(server: Running) -> bool:
    """Return whether somebody else is answered within two seconds."""
    try:
        with socket.create_connection(("127.0.0.1", server.job.port), 2) as connection:
            connection.sendall(_request("close"))
            return connection.recv(1) != b""
    except OSError:
        return False


def _until_closed(connection: socket.socket, begun: float) -> float | None:
    """Return after how many seconds the server has had enough; ``None``: it never has."""
    connection.settimeout(max(0.1, begun + _LONG - time.monotonic()))
    try:
        connection.recv(1)
    except TimeoutError:
        return None
    except ConnectionError:
        pass
    return time.monotonic() - begun


def _option(name: str) -> dict[str, Any]:
    """Return what a socket option is by default, and what it costs to set it, microseconds."""
    number = getattr(socket, name)
    with socket.socket() as one:
        if name == "SO_BINDTODEVICE":
            default: Any = one.getsockopt(socket.SOL_SOCKET, number, 16).decode().rstrip("\0")
            value: Any = b""
        else:
            default = one.getsockopt(socket.SOL_SOCKET, number)
            value = 1
        begun = time.process_time()
        for _ in range(_CALLS):
            one.setsockopt(socket.SOL_SOCKET, number, value)
        spent = time.process_time() - begun
    return {"default": default, "set_us": round(spent / _CALLS * 1e6, 2)}


if __name__ == "__main__":
    main()
