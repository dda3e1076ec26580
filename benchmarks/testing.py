"""How long a server for tests takes to start and to stop, beside others.

    python -m benchmarks.testing

Prints a table: the best of some runs, in milliseconds, from the call to the first answer, and
for the stop. pytest-httpserver is left out if it is not installed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from tinyhttp.testing import Child, serve

RUNS = 9


def ask(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/a.txt")
    assert connection.getresponse().read() == b"text"
    connection.close()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextmanager
def own_process(root: Path) -> Iterator[int]:
    with serve(root) as server:
        yield port_of(server.url)


@contextmanager
def shared_process(child: Child, root: Path) -> Iterator[int]:
    with child.serve(root) as server:
        yield port_of(server.url)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def standard_library(root: Path) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def pytest_httpserver(root: Path) -> Iterator[int]:
    from pytest_httpserver import HTTPServer

    server = HTTPServer()
    server.expect_request("/a.txt").respond_with_data((root / "a.txt").read_bytes())
    server.start()
    yield server.port
    server.stop()


def in_memory(root: Path) -> tuple[float, float]:
    from treq.client import HTTPClient

    from tinyhttp.testing import MemoryServer

    began = perf_counter()
    server = MemoryServer(root)
    response: list[Any] = []
    HTTPClient(server.agent).get(server.url + "/a.txt").addCallback(response.append)
    assert response[0].code == 200
    answered = perf_counter()
    server.stop()
    return answered - began, perf_counter() - answered


def on_a_reactor(root: Path, runs: int) -> list[tuple[float, float]]:
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.threads import deferToThread

    from tinyhttp.testing import FileServer

    results = []

    async def measure() -> None:
        await deferToThread(int)  # so that the thread for the client is there
        for _ in range(runs):
            began = perf_counter()
            server = await FileServer(root).start()
            await deferToThread(ask, server.port)
            answered = perf_counter()
            await server.stop()
            results.append((answered - began, perf_counter() - answered))

    running: Any = reactor
    running.callWhenRunning(
        lambda: Deferred.fromCoroutine(measure()).addBoth(lambda _: running.stop())
    )
    running.run()
    return results


def once(start: Callable[[], Any]) -> tuple[float, float]:
    began = perf_counter()
    with start() as port:
        ask(port)
        answered = perf_counter()
    return answered - began, perf_counter() - answered


def row(name: str, results: list[tuple[float, float]]) -> None:
    start, stop = (min(values) * 1000 for values in zip(*results, strict=True))
    print(f"| {name} | {start:.1f} | {stop:.1f} |")


def main() -> None:
    with TemporaryDirectory() as directory, Child() as child:
        root = Path(directory)
        (root / "a.txt").write_bytes(b"text")
        once(lambda: shared_process(child, root))
        print("| | start and first answer, ms | stop, ms |\n|---|---:|---:|")
        row("`MemoryServer`", [in_memory(root) for _ in range(RUNS)])
        row("`FileServer`", on_a_reactor(root, RUNS))
        row("`Child.serve`, `tinyhttp_server`", many(lambda: shared_process(child, root)))
        row("`serve`", many(lambda: own_process(root)))
        row("`http.server` in a thread", many(lambda: standard_library(root)))
        try:
            row("pytest-httpserver", many(lambda: pytest_httpserver(root)))
        except ImportError:
            print("| pytest-httpserver | not installed | |")


def many(start: Callable[[], Any]) -> list[tuple[float, float]]:
    return [once(start) for _ in range(RUNS)]


if __name__ == "__main__":
    main()
