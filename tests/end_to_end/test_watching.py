"""A real server that is watched by a real HAProxy, and asked for its numbers over real sockets."""

import csv
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import parser

from tests.server.sockets import until
from tests.support import write_tree

from .processes import PATIENCE, Running
from .test_haproxy import free_port

HAPROXY = shutil.which("haproxy")

CONFIGURATION = """
global
    stats socket {directory}/haproxy.sock level admin
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen agent
    bind 127.0.0.1:{front}
    server one 127.0.0.1:{port} weight 100 agent-check agent-port {agent} agent-inter 50ms
listen health
    bind 127.0.0.1:{other}
    option httpchk GET /healthz
    server one 127.0.0.1:{port} check inter 50ms fall 1 rise 1
listen soft
    bind 127.0.0.1:{third}
    option httpchk GET /healthz
    http-check disable-on-404
    http-check expect status 200
    server one 127.0.0.1:{port} check inter 50ms fall 1 rise 1
"""


@pytest.fixture(params=[503, 404])
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """The server, which says by one of these that it is not ready."""
    write_tree(tmp_path / "site", {"a.txt": b"four"})
    program = str(Path(__file__).with_name("watched.py"))
    command = [sys.executable, program, str(tmp_path / "site"), str(request.param)]
    with Running(command, cwd=Path(__file__).resolve().parents[2]) as process:
        yield process
        process.send(signal.SIGTERM)
        process._process.wait(PATIENCE)
        assert "Traceback" not in process.out + process.err


def port_of(running: Running, option: str) -> int:
    return int(running.line(rf"^{option}: (\d+)")[1])


def ask(port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_numbers_over_the_wire(running: Running) -> None:
    port, admin = port_of(running, "--port"), port_of(running, "--admin")
    for _ in range(5):
        assert ask(port, "/a.txt") == (200, b"four")
    assert ask(port, "/nowhere")[0] == 404
    assert ask(port, "/healthz") == (200, b"ready\n")
    status, page = ask(admin, "/metrics")
    assert status == 200
    sums: dict[str, float] = {}
    for family in parser.text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    assert sums["tinyhttp_requests_total"] == 6
    assert sums["tinyhttp_connections_total"] == 7
    assert sums["tinyhttp_request_duration_seconds_count"] == 6
    assert 0 < sums["tinyhttp_request_duration_seconds_sum"] < PATIENCE
    assert sums["process_open_fds"] > 5


def test_draining(running: Running, request: pytest.FixtureRequest) -> None:
    admin, agent = port_of(running, "--admin"), port_of(running, "--agent-check")

    def line() -> bytes:
        with socket.create_connection(("127.0.0.1", agent), PATIENCE) as sock:
            return b"".join(iter(lambda: sock.recv(100), b""))

    assert ask(admin, "/readyz") == (200, b"ready\n")
    assert line() == b"up ready 100%\n"
    running.send(signal.SIGUSR2)
    running.line("^draining")
    assert ask(admin, "/readyz") == (request.node.callspec.params["running"], b"draining\n")
    assert ask(admin, "/livez") == (200, b"live\n")
    assert line() == b"drain\n"


def is_answered(directory: Path) -> bool:
    """Return whether HAProxy has begun: it binds its socket a while before it listens there."""
    try:
        return bool(stats(directory))
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def stats(directory: Path) -> dict[str, dict[str, str]]:
    """Return what HAProxy knows of the server behind each of its proxies."""
    data = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(directory / "haproxy.sock"))
        sock.sendall(b"show stat\n")
        while block := sock.recv(1 << 16):
            data += block
    rows = csv.DictReader(data.decode().removeprefix("# ").splitlines())
    return {row["pxname"]: row for row in rows if row["svname"] == "one"}


@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")
def test_haproxy_hears_of_weight_and_draining(
    running: Running, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    unready = request.node.callspec.params["running"]
    port = port_of(running, "--port")
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        CONFIGURATION.format(
            directory=tmp_path,
            front=free_port(),
            other=free_port(),
            third=free_port(),
            port=port,
            agent=port_of(running, "--agent-check"),
        )
    )
    with Running([str(HAPROXY), "-db", "-f", str(configuration)], cwd=tmp_path):
        until(lambda: is_answered(tmp_path))
        until(lambda: stats(tmp_path)["health"]["check_status"] == "L7OK")
        until(lambda: stats(tmp_path)["agent"]["agent_status"] == "L7OK")
        until(lambda: stats(tmp_path)["soft"]["check_status"] == "L7OK")
        with socket.create_connection(("127.0.0.1", port), PATIENCE):  # one of four
            until(lambda: stats(tmp_path)["agent"]["weight"] in ("75", "50"))
        until(lambda: stats(tmp_path)["agent"]["weight"] == "100")
        running.send(signal.SIGUSR2)
        running.line("^draining")
        until(lambda: stats(tmp_path)["agent"]["status"].startswith("DRAIN"))
        until(lambda: stats(tmp_path)["health"]["status"].startswith("DOWN"))
        expected = "NOLB" if unready == 404 else "DOWN"
        until(lambda: stats(tmp_path)["soft"]["status"].startswith(expected))
