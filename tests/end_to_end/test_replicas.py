"""Two replicas behind a real HAProxy: restarted one after the other, and killed, under load."""

import http.client
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.sockets import until
from tests.support import write_tree

from .processes import PATIENCE, Running, fetch, start
from .test_haproxy import HAPROXY, free_port, is_open

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "haproxy.cfg"
PAGE = b"<!doctype html>" + b"A page. " * 2000
CLIENTS = 4


class Replica:
    """One of the servers, which can be started again at the same ports."""

    def __init__(self, site: Path):
        self.site = site
        self.port, self.admin, self.agent = free_port(), free_port(), free_port()
        self.lines: list[str] = []
        self.running = self._start()

    def _start(self) -> Running:
        options = ["--port", f"tcp:{self.port}:interface=127.0.0.1", "--proxy-from", "127.0.0.1"]
        options += ["--admin", f"tcp:{self.admin}:interface=127.0.0.1", "--shutdown-delay", "1"]
        options += ["--agent-check", f"tcp:{self.agent}:interface=127.0.0.1"]
        running = start("module", *options, "--path", str(self.site), cwd=self.site)
        running.__enter__()
        running.line("listening on")
        return running

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and keep what it has logged."""
        self.running.send(number)
        status = self.running.end()
        self.lines += self.running.out.splitlines()
        self.running.__exit__(None, None, None)
        return status

    def start_again(self) -> None:
        self.running = self._start()


class Balanced:
    """Both, behind the balancer at ``port``, by the configuration that is in the documentation."""

    def __init__(self, place: Path):
        # Each its own copy of the site, as on machines of their own; times are equal.
        self.replicas = [
            Replica(write_tree(place / name / "site", {"index.html": PAGE}))
            for name in ("one", "two")
        ]
        self.port = free_port()
        text = EXAMPLE.read_text().replace("bind :8080", f"bind 127.0.0.1:{self.port}")
        for number, replica in enumerate(self.replicas, 1):
            for ours, example in (
                (replica.port, 8000 + number),
                (replica.admin, 9000 + number),
                (replica.agent, 9100 + number),
            ):
                assert text.count(f"{example} ") + text.count(f"{example}\n") > 0
                text = text.replace(str(example), str(ours))
        self._configuration = place / "haproxy.cfg"
        self._configuration.write_text(text.replace("inter 1s", "inter 200ms"))

    def __enter__(self) -> "Balanced":
        self._haproxy = Running(
            [str(HAPROXY), "-db", "-f", str(self._configuration)], cwd=Path("/")
        )
        until(lambda: is_open(self.port))
        until(self._both_are_up)
        return self

    def _both_are_up(self) -> bool:
        return fetch(self.port)[0].status == 200

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for replica in self.replicas:
                stack.push(replica.running.__exit__)
            stack.push(self._haproxy.__exit__)


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    with Balanced(tmp_path) as both:
        yield both


class Load:
    """Clients from an address of their own, who ask again and again."""

    def __init__(self, port: int):
        self.outcomes: Counter[str] = Counter()
        self.tags: set[str | None] = set()
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=PATIENCE, source_address=("127.0.0.7", 0)
        )
        while not self._over.wait(0.005):
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.outcomes[repr(error)] += 1
            else:
                whole = response.status == 200 and body == PAGE
                self.outcomes["answered" if whole else f"status {response.status}"] += 1
                self.tags.add(response.getheader("ETag"))
        connection.close()

    def answer(self, more: int) -> None:
        """Wait until so many more were answered."""
        goal = self.outcomes["answered"] + more
        until(lambda: self.outcomes["answered"] >= goal)


def test_a_rolling_restart_fails_nobody(balanced: Balanced) -> None:
    with Load(balanced.port) as load:
        for replica in balanced.replicas:
            load.answer(100)
            assert replica.end() == 0
            load.answer(100)
            replica.start_again()
            assert admin(replica) == "ready\n"
            load.answer(100)
    assert set(load.outcomes) == {"answered"}
    assert len(load.tags) == 1  # the replicas agree
    for replica in balanced.replicas:
        assert replica.end() == 0
        asked = [line for line in replica.lines if '"GET / HTTP/1.1"' in line]
        assert len(asked) > 50
        # The clients' address, by the PROXY header; nobody else has asked, health is not logged.
        assert {line.split()[0] for line in asked} <= {"127.0.0.7", "127.0.0.1"}
        assert sum(line.startswith("127.0.0.7") for line in asked) > 50
        assert not any("/readyz" in line for line in replica.lines)


def test_a_killed_replica_costs_retries_alone(balanced: Balanced) -> None:
    with Load(balanced.port) as load:
        load.answer(200)
        balanced.replicas[0].end(signal.SIGKILL)
        load.answer(200)
        balanced.replicas[0].start_again()
        load.answer(200)
    assert set(load.outcomes) == {"answered"}


def admin(replica: Replica) -> str:
    """Return what a replica says of its health."""
    return fetch(replica.admin, "/readyz")[1].decode()


def test_haproxy_is_there_for_the_example() -> None:
    """The file in the documentation is one that HAProxy takes as it stands."""
    assert HAPROXY is not None
    with Running([HAPROXY, "-c", "-f", str(EXAMPLE)], cwd=EXAMPLE.parent) as check:
        assert check.end() == 0, check.err
    assert shutil.which("haproxy")
