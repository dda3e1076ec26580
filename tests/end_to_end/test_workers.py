"""Several processes at one port: real ones, killed, rolled over and told to end."""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.processes import (
    PATIENCE,
    SCRIPTS,
    Daemon,
    Running,
    environment,
    every_way,
    fetch,
    fetch_over_unix,
    start,
)
from tests.loopback_certificate import write_certificate
from tests.support import write_tree

PAGE = b"<!doctype html>A page."
BIG = bytes(range(256)) * 40_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "site", {"index.html": PAGE, "big.bin": BIG})


def wait_until(what: Callable[[], bool], why: str) -> None:
    """Wait for something that nobody tells, within a limit."""
    limit = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < limit, why
        threading.Event().wait(0.01)


def children(pid: int) -> list[int]:
    """Return the processes that ``pid`` has started, oldest first."""
    try:
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return sorted(map(int, said.split()))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def two(site: Path) -> Iterator[Running]:
    options = ["--port", "0", "--path", str(site), "--workers", "2", "--grace", "10"]
    with start("command", *options, cwd=site.parent) as server:
        server.port()
        yield server


class Load:
    """Clients that fetch the page again and again over connections that stay open."""

    def __init__(self, port: int, clients: int):
        self.port = port
        self.answered = 0
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self._ended.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                assert (response.status, response.read()) == (200, PAGE)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with self._lock:
                    self.failures.append(repr(error))
            else:
                with self._lock:
                    self.answered += 1
        connection.close()

    def answer(self, more: int) -> None:
        """Wait until so many more were answered."""
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal, f"{self.answered} answered, {self.failures}")


@every_way
def test_it_works_under(way: str, site: Path) -> None:
    options = ["--port", "0", "--path", str(site), "--workers", "2"]
    with start(way, *options, cwd=site.parent) as server:
        port = server.port()
        assert len(children(server.pid)) == 2
        assert {fetch(port)[1] for _ in range(10)} == {PAGE}
        workers = children(server.pid)
        assert server.terminate() == 0
        assert not any(map(is_alive, workers))
        assert server.out.count('"GET / HTTP/1.1" 200') == 10
        assert "Traceback" not in server.out + server.err


def test_over_a_unix_socket(site: Path) -> None:
    """Whose mode and name are the supervisor's: no worker that ends may take them away."""
    path = site.parent / "socket"
    options = ["--listen", f"unix:{path}:mode=600", "--path", str(site), "--workers", "2"]
    with start("command", *options, cwd=site) as server:
        server.line("listening on unix:")
        assert path.stat().st_mode & 0o777 == 0o600
        os.kill(children(server.pid)[0], signal.SIGTERM)
        server.line(r"worker \d has ended \(status 0\)")
        assert fetch_over_unix(path) == PAGE
        assert path.stat().st_mode & 0o777 == 0o600
        assert server.terminate() == 0
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(site: Path) -> None:
    path = site.parent / "socket"
    options = ["--listen", f"unix:{path}:lockfile=0", "--path", str(site)]
    with start("command", *options, cwd=site) as server:
        server.line("listening on unix:")
        with start("command", *options, cwd=site) as another:
            assert another.end() == 1
            assert "Address already in use" in another.err + another.out
        assert fetch_over_unix(path) == PAGE
        server.send(signal.SIGKILL)
        server.end()
    assert path.is_socket()
    with start("command", *options, cwd=site) as server:
        server.line("listening on unix:")
        assert fetch_over_unix(path) == PAGE


def test_a_killed_worker_loses_what_it_had_and_nothing_else(two: Running) -> None:
    """Four clients: at most the four requests that were under way there are lost."""
    with Load(two.port(), 4) as load:
        load.answer(200)
        os.kill(children(two.pid)[0], signal.SIGKILL)
        two.line(r"worker \d has ended \(killed by a signal\); it is replaced in 0.5 s")
        load.answer(200)
        wait_until(lambda: len(children(two.pid)) == 2, "it is not replaced")
        load.answer(200)
    assert len(load.failures) <= 4


def test_rolling_over_loses_nothing(two: Running) -> None:
    """Not even while those of the last time are still about to end."""
    before = children(two.pid)
    with Load(two.port(), 4) as load:
        for _ in range(2):
            load.answer(100)
            two.send(signal.SIGHUP)
            two.line("the configuration was read anew, by new workers")
            two.forget()
        load.answer(100)
        wait_until(lambda: len(children(two.pid)) == 2, "the old ones do not end")
    assert load.failures == []
    assert not set(before) & set(children(two.pid))


def test_reloads_on_each_others_heels(two: Running) -> None:
    """And logs to be written: no worker dies of what comes while it is only starting."""
    workers = children(two.pid)
    for _ in range(3):
        for number in (signal.SIGHUP, signal.SIGUSR1):
            for pid in [*children(two.pid), two.pid]:
                os.kill(pid, number)
    for _ in range(2):
        two.line("the configuration was read anew, by new workers")
    wait_until(lambda: len(children(two.pid)) == 2, "the old ones do not end")
    assert fetch(two.port())[1] == PAGE
    assert not set(workers) & set(children(two.pid))
    assert two.terminate() == 0
    assert "has ended" not in two.out
    assert "Traceback" not in two.out + two.err


def test_who_is_replaced_does_as_before_whatever_the_file_says_now(site: Path) -> None:
    """TLS, a relative log and a setting from the environment included."""
    pem = write_certificate(site.parent / "server.pem")
    config = site.parent / "tinyhttp.toml"
    config.write_text(
        f'listen = "ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"\n'
        'path = "site"\naccess-log = "access.log"\n'
    )
    env = environment(TINYHTTP_INDEX="big.bin", TINYHTTP_CONFIG=str(config), WEB_CONCURRENCY="1")
    with start("command", "--workers", "2", cwd=site, env=env) as server:
        server.line("listening on https:")
        config.write_text("workers = 'many'\n")
        os.kill(children(server.pid)[0], signal.SIGKILL)
        server.line("it is replaced in 0.5 s")
        wait_until(lambda: len(children(server.pid)) == 2, "it is not replaced")
        os.kill(children(server.pid)[0], signal.SIGTERM)
        server.line(r"worker \d has ended \(status 0\)")
        port = int(server.line(r"https://\S+:(\d+)/")[1])
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=PATIENCE, context=ssl._create_unverified_context()
        )
        connection.request("GET", "/", headers={"Connection": "close"})
        assert connection.getresponse().read() == BIG
        connection.close()
        assert server.terminate() == 0
    assert '"GET / HTTP/1.1" 200' in (site.parent / "access.log").read_text()


def test_rolling_over_finishes_downloads(two: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", two.port(), timeout=PATIENCE)
    connection.request("GET", "/big.bin")
    response = connection.getresponse()
    start_of_it = response.read(1000)
    two.send(signal.SIGHUP)
    two.line("the configuration was read anew")
    assert start_of_it + response.read() == BIG
    connection.close()


def test_a_configuration_that_is_wrong_changes_nothing(site: Path) -> None:
    config = site.parent / "tinyhttp.toml"
    config.write_text(f'path = "{site}"\nport = 0\nworkers = 2\n')
    with start("command", "--config", str(config), cwd=site) as server:
        port, before = server.port(), children(server.pid)
        config.write_text("workers = 'many'\n")
        server.send(signal.SIGHUP)
        server.line(
            r"the configuration stays as it was: .* line 1: workers 'many': a number from 1"
        )
        assert children(server.pid) == before
        assert fetch(port)[1] == PAGE
        config.write_text(f'path = "{site}"\nport = 0\nworkers = 1\nindex = "big.bin"\n')
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        wait_until(lambda: len(children(server.pid)) == 1, "the second does not end")
        assert fetch(port)[1] == BIG


def test_a_log_that_was_moved_away_is_let_go(site: Path, tmp_path: Path) -> None:
    """By everybody, else it takes its room on the disk for ever; and by workers still to come."""
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    options = ["--port", "0", "--path", str(site), "--workers", "2", "--access-log", str(log)]
    with start("command", *options, cwd=site) as server:
        fetch(server.port(), "/?before")
        wait_until(lambda: "/?before" in log.read_text(), "the line is not written")
        log.rename(old)
        server.send(signal.SIGUSR1)
        everybody = [server.pid, *children(server.pid)]
        wait_until(
            lambda: not any(old.samefile(f) for pid in everybody for f in open_files(pid)),
            "somebody has the old file open",
        )
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        fetch(server.port(), "/?after")
        assert server.terminate() == 0
    assert "/?after" in log.read_text()
    assert "/?after" not in old.read_text()


def test_a_pipe_that_nobody_reads_any_more(site: Path, tmp_path: Path) -> None:
    """Costs lines, and nothing else: signals are heeded, requests answered."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    options = ["--port", "0", "--path", str(site), "--workers", "2", "--access-log", str(pipe)]
    with start("command", *options, cwd=site) as server:
        port = server.port()
        os.close(reader)
        server.send(signal.SIGUSR1)
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        assert fetch(port)[1] == PAGE
        assert server.terminate() == 0


@pytest.mark.parametrize("before", [[], [signal.SIGHUP]], ids=["alone", "behind a reload"])
def test_who_comes_while_it_ends_is_refused(site: Path, before: list[signal.Signals]) -> None:
    """And does not wait in vain: the ports are closed by all, and stay closed."""
    options = ["--port", "0", "--path", str(site), "--workers", "2"]
    with start("command", *options, cwd=site) as server:
        port = server.port()
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            slow.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.recv(1)
            for number in [*before, signal.SIGTERM]:
                server.send(number)
            server.line("telling the workers to finish")
            wait_until(lambda: not is_open(port), "it listens on")
            threading.Event().wait(0.3)  # a reload that goes on would have opened it again
            assert not is_open(port)
            while slow.recv(1 << 20):
                pass
        assert server.end() == 0


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True


def open_files(pid: int) -> list[Path]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found.append(Path(os.readlink(link)))
    return [path for path in found if path.is_file()]


def test_workers_do_not_outlive_their_supervisor(two: Running) -> None:
    workers = children(two.pid)
    two.send(signal.SIGKILL)
    two.end()
    wait_until(lambda: not any(map(is_alive, workers)), "they go on")


def test_signals_to_the_whole_group_and_again(site: Path) -> None:
    """As a platform sends them: to every process, more than once."""
    options = ["--port", "0", "--path", str(site), "--workers", "2"]
    with start("command", *options, cwd=site) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port(), timeout=PATIENCE)
        connection.request("GET", "/big.bin")
        response = connection.getresponse()
        start_of_it = response.read(1000)
        for _ in range(3):
            for pid in [*children(server.pid), server.pid]:
                os.kill(pid, signal.SIGTERM)
        assert start_of_it + response.read() == BIG
        connection.close()
        assert server.end() == 0
        assert "has ended" not in server.out


def test_a_worker_that_cannot_start_ends_it(site: Path, tmp_path: Path) -> None:
    """With what it said, once."""
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "setproctitle.py").write_text(
        "import sys\n"
        "if 'tinyhttp.worker' in ' '.join(sys.orig_argv): sys.exit('tinyhttp: not today')\n"
        "def setproctitle(title): pass\n"
    )
    env = environment(PYTHONPATH=str(trap))
    options = ["--port", "0", "--path", str(site), "--workers", "2"]
    with start("command", *options, cwd=site, env=env) as server:
        assert server.end() == 1
        assert "a worker can't start: not today" in server.out
        assert "listening on" not in server.out


def test_the_platform_says_how_many_and_no_module_comes_from_what_is_served(site: Path) -> None:
    write_tree(site, {"json.py": b"raise SystemExit('served code was run')"})
    env = environment(WEB_CONCURRENCY="3")
    with start("command", "--port", "0", cwd=site, env=env) as server:
        assert fetch(server.port())[1] == PAGE
        assert len(children(server.pid)) == 3
        assert server.terminate() == 0


def test_as_a_daemon(site: Path, tmp_path: Path) -> None:
    pidfile, logfile = tmp_path / "tinyhttp.pid", tmp_path / "tinyhttp.log"
    log = tmp_path / "access.log"
    twistd = [str(SCRIPTS / "twistd"), f"--pidfile={pidfile}", f"--logfile={logfile}", "tinyhttp"]
    options = ["--port", "0", "--path", "site", "--workers", "2", "--access-log", "access.log"]
    subprocess.run(
        [*twistd, *options], cwd=tmp_path, env=environment(), timeout=PATIENCE, check=True
    )
    with Daemon(int(pidfile.read_text())) as daemon:
        wait_until(lambda: "listening on" in logfile.read_text(), "it does not start")
        found = re.search(r"listening on port (\d+) ", logfile.read_text())
        assert found is not None
        assert fetch(int(found[1]))[1] == PAGE
        daemon.send(signal.SIGTERM)
        daemon.end()
    assert '"GET / HTTP/1.1" 200 ' in log.read_text()
    assert "Traceback" not in logfile.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_as_somebody_else(site: Path, tmp_path: Path) -> None:
    """The log is opened by root, and written by nobody: at the start, and after a reload."""
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, timeout=PATIENCE, user=65534)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python is for root alone")
    for each in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        each.chmod(0o755)
    log = tmp_path / "access.log"
    log.touch(0o600)
    twistd = [str(SCRIPTS / "twistd"), "-n", "--pidfile=", "--uid=65534", "--gid=65534", "tinyhttp"]
    options = ["--port", "0", "--path", str(site), "--workers", "2", "--access-log", str(log)]
    with Running([*twistd, *options], cwd=tmp_path) as server:
        port = server.port()
        for pid in children(server.pid):
            assert Path(f"/proc/{pid}").stat().st_uid == 65534
        assert fetch(port)[1] == PAGE
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        assert fetch(port)[1] == PAGE
        assert server.terminate() == 0
    assert log.read_text().count('"GET / HTTP/1.1" 200') == 2


# One process, another configuration.


def test_one_process_takes_another_configuration(site: Path) -> None:
    config = site.parent / "tinyhttp.toml"
    text = f'path = "{site}"\nport = 0\naccess-log = "none"\n'
    config.write_text(text)
    with (
        start("twistd", "--config", str(config), cwd=site) as server,
        Load(server.port(), 2) as load,
    ):
        for threads in (2, 3):
            load.answer(100)
            config.write_text(f"{text}threads = {threads}\n")
            server.send(signal.SIGHUP)
            server.line("the configuration was read anew")
            server.forget()
            load.answer(100)
        config.write_text("threads = -1")
        server.send(signal.SIGHUP)
        server.line("the configuration stays as it was: .*threads '-1'")
        load.answer(100)
        assert load.failures == []
        assert children(server.pid) == []


def test_another_configuration_may_listen_elsewhere(site: Path) -> None:
    config, path = site.parent / "tinyhttp.toml", site.parent / "socket"
    config.write_text(f'path = "{site}"\nlisten = ["tcp:0:interface=127.0.0.1"]\n')
    with start("command", "--config", str(config), cwd=site) as server:
        port = server.port()
        config.write_text(f'path = "{site}"\nlisten = ["unix:{path}"]\n')
        server.send(signal.SIGHUP)
        server.line("listening on unix:")
        assert fetch_over_unix(path) == PAGE
        with pytest.raises(ConnectionRefusedError):
            fetch(port)
        assert server.terminate() == 0
