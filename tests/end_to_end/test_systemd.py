"""Under systemd: its sockets, and what it is told. systemd itself is not needed."""

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import (
    PATIENCE,
    SCRIPTS,
    WAYS,
    Running,
    environment,
    fetch,
)
from tests.support import write_tree

PAGE = b"<!doctype html>A page."
EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"

# As systemd does it: the socket is descriptor 3, the variables name the process that it is for.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="tinyhttp", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""

one_and_two = pytest.mark.parametrize("workers", ["1", "2"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "site", {"index.html": PAGE})


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket as systemd leaves it without ``NonBlocking=true``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


class Manager:
    """Who listens at ``NOTIFY_SOCKET``."""

    def __init__(self, path: Path):
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(PATIENCE)

    def hears(self) -> list[str]:
        return self._socket.recv(4096).decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def launch(listener: socket.socket, site: Path, command: list[str], **variables: str) -> Running:
    descriptor = listener.fileno()
    return Running(
        [sys.executable, "-c", LAUNCHER, str(descriptor), *command],
        cwd=site,
        env=environment(**variables),
        pass_fds=[descriptor],
    )


def options(workers: str) -> list[str]:
    return ["--port", "systemd:domain=INET:name=tinyhttp", "--workers", workers]


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="there is no systemd-socket-activate"
)
@one_and_two
def test_activation_by_the_first_client(workers: str, site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    activate = ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", "--fdname=tinyhttp"]
    with Running([*activate, *WAYS["command"], *options(workers)], cwd=site) as server:
        wait_for_the_socket(port)
        assert fetch(port)[1] == PAGE
        assert server.port() == port
        assert fetch(port)[1] == PAGE
        assert server.terminate() == 0


def wait_for_the_socket(port: int) -> None:
    """Wait until the port is open, without connecting: that would be the first client."""
    line = f"0100007F:{port:04X} 00000000:0000 0A"
    deadline = 3000
    while line not in Path("/proc/net/tcp").read_text():
        deadline -= 1
        assert deadline, "it does not listen"
        subprocess.run([sys.executable, "-c", ""], check=True, timeout=PATIENCE)


@one_and_two
def test_what_systemd_is_told(
    workers: str, site: Path, listener: socket.socket, manager: Manager
) -> None:
    variables = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "600000000"}
    command = [*WAYS["command"], *options(workers)]
    with launch(listener, site, command, **variables) as server:
        port = listener.getsockname()[1]
        assert manager.hears()[0] == "READY=1"
        assert manager.hears() == ["WATCHDOG=1"]
        assert fetch(port)[1] == PAGE
        for _ in range(2):
            server.send(signal.SIGHUP)
            reloading, when = manager.hears()
            assert reloading == "RELOADING=1"
            assert re.fullmatch("MONOTONIC_USEC=[0-9]+", when)
            assert manager.hears()[0] == "READY=1"
            assert fetch(port)[1] == PAGE
        server.send(signal.SIGTERM)
        assert manager.hears()[0] == "STOPPING=1"
        assert server.end() == 0
        assert "Traceback" not in server.out + server.err
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), "it was shut down"


@one_and_two
def test_nobody_is_refused_while_it_is_restarted(
    workers: str, site: Path, listener: socket.socket
) -> None:
    command, port = [*WAYS["command"], *options(workers)], listener.getsockname()[1]
    with launch(listener, site, command) as server:
        server.port()
        assert fetch(port)[1] == PAGE
        assert server.terminate() == 0
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as early:
        early.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with launch(listener, site, command) as server:
            received = b""
            while block := early.recv(65_536):
                received += block
            assert received.endswith(PAGE)
            assert server.terminate() == 0


def units(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / name)
    return parser


def test_the_example_works(site: Path, listener: socket.socket, manager: Manager) -> None:
    """Its command, with what is the machine's own replaced."""
    service, sock = units("tinyhttp.service")["Service"], units("tinyhttp.socket")["Socket"]
    assert service["Type"] == "notify-reload"
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/srv/venv/bin/tinyhttp"
    assert f"name={sock['FileDescriptorName']}" in " ".join(arguments)
    here = {"/srv/www": str(site), "auto": "2"}
    command = [here.get(each, each.replace("INET6", "INET")) for each in arguments]
    with launch(
        listener, site, [str(SCRIPTS / "tinyhttp"), *command], NOTIFY_SOCKET=str(manager.path)
    ) as server:
        assert manager.hears()[0] == "READY=1"
        assert fetch(listener.getsockname()[1])[1] == PAGE
        assert server.terminate() == 0


def output_of(*command: str) -> str:
    done = subprocess.run(
        command,
        check=False,  # it complains about other units of the machine too
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_examples(tmp_path: Path) -> None:
    version = re.search("[0-9]+", output_of("systemd-analyze", "--version"))
    for name in ("tinyhttp.service", "tinyhttp.socket"):
        text = (EXAMPLES / name).read_text()
        if version is not None and int(version[0]) < 253:
            text = text.replace("notify-reload", "notify")
        (tmp_path / name).write_text(text.replace("/srv/venv/bin/tinyhttp", sys.executable))
    said = output_of("systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir()))
    assert [line for line in said.splitlines() if "tinyhttp" in line] == []
