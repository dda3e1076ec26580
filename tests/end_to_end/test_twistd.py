"""The server as its users start it: a process of its own, on a real port."""

import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import pytest

from tests.server.sockets import until
from tests.support import write_tree

from .processes import (
    PATIENCE,
    SCRIPTS,
    WAYS,
    Daemon,
    Running,
    environment,
    every_way,
    fetch,
    fetch_over_unix,
    needs_ipv6,
    same,
    start,
)

PAGE = b"<!doctype html><title>A page</title>\n"
LARGE = Random(1).randbytes(12 * 1024 * 1024)
"""More than the kernel's buffers between two sockets hold, so that a server can't be done early."""

LOOPBACK = "tcp:0:interface=127.0.0.1"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "site", {"index.html": PAGE})


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def slow_download(where: int | Path, target: str = "/large.bin") -> socket.socket:
    """Ask for a large file, with next to no room for it on the way."""
    client = socket.socket(socket.AF_INET if isinstance(where, int) else socket.AF_UNIX)
    try:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", where) if isinstance(where, int) else os.fspath(where))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    except BaseException:
        client.close()
        raise
    return client


def read_to_the_end(client: socket.socket, so_far: bytes = b"") -> bytes:
    pieces = [so_far]
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


# Starting and stopping.


@every_way
def test_serves_until_it_is_told_to_end(way: str, site: Path) -> None:
    with start(way, "--port", "0", "--path", str(site), cwd=site.parent) as server:
        response, body = fetch(server.port())
        assert (response.status, response.version, body) == (200, 11, PAGE)
        assert server.terminate() == 0
        assert "Traceback" not in server.out + server.err


def test_says_what_it_serves_and_where_it_really_listens(site: Path) -> None:
    options = ["--threads", "2", "--index", "start.html", "--hidden-files", "--follow-symlinks"]
    with start("twistd", "--port", "0", "--path", str(site), *options, cwd=site.parent) as server:
        port = server.port()
        line = server.line("tinyhttp serves (.*)")[1]
        assert str(site) in line
        assert "index: start.html" in line
        assert "threads: 2" in line
        assert "access log: standard output" in line
        assert "hidden files: served" in line
        assert "links out of the directory: followed" in line
        assert fetch(port, "/missing")[0].status == 404


def test_says_nothing_of_what_is_switched_off(site: Path) -> None:
    with start("module", "--port", "0", "--path", str(site), cwd=site.parent) as server:
        line = server.line("tinyhttp serves (.*)")[1]
        assert "hidden" not in line
        assert "links" not in line


@needs_ipv6
def test_an_integer_port_is_open_on_ipv4_and_ipv6(site: Path) -> None:
    with start("twistd", "--port", "0", "--path", str(site), cwd=site.parent) as server:
        port = int(server.line(r"listening on port (\d+) of every address")[1])
        assert fetch(port, host="127.0.0.1")[1] == PAGE
        assert fetch(port, host="::1")[1] == PAGE


@needs_ipv6
def test_the_access_log_names_ipv4_clients_as_ipv4(site: Path) -> None:
    with start("module", "--port", "0", "--path", str(site), cwd=site.parent) as server:
        port = server.port()
        fetch(port, "/?4", host="127.0.0.1")
        fetch(port, "/?6", host="::1")
        assert server.terminate() == 0
        assert re.search(r'^127\.0\.0\.1 - - \[.*"GET /\?4 ', server.out, re.MULTILINE)
        assert re.search(r'^::1 - - \[.*"GET /\?6 ', server.out, re.MULTILINE)


def test_serves_the_current_directory_unless_told_otherwise(site: Path) -> None:
    with start("module", "--port", "0", cwd=site) as server:
        assert fetch(server.port())[1] == PAGE


def test_takes_the_port_from_the_environment(site: Path) -> None:
    with start("twistd", "--path", str(site), cwd=site, env=environment(PORT="0")) as server:
        assert fetch(server.port())[1] == PAGE


def test_the_procfile_starts_it(site: Path) -> None:
    """As platforms do: through a shell, with the port in the environment."""
    procfile = (Path(__file__).parents[2] / "Procfile").read_text()
    kind, _, command = procfile.strip().partition(": ")
    assert kind == "web"
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    shell = ["sh", "-c", f"exec {command}"]
    with Running(shell, cwd=site, env=environment(PORT="0", PATH=path)) as server:
        assert fetch(server.port())[1] == PAGE
        assert server.terminate() == 0


@pytest.mark.parametrize("reactor", ["epoll", "poll", "select", "asyncio"])
def test_runs_under_every_reactor(reactor: str, site: Path) -> None:
    write_tree(site, {"large.bin": LARGE[: 1024 * 1024]})
    program, *options = WAYS["twistd"]
    command = [program, f"--reactor={reactor}", *options, "--port", LOOPBACK, "--path", str(site)]
    with Running(command, cwd=site.parent) as server:
        port = server.port()
        assert fetch(port)[1] == PAGE
        assert same(fetch(port, "/large.bin")[1], LARGE[: 1024 * 1024])
        assert server.terminate() == 0


def test_twisteds_own_transport_serves_the_same(site: Path) -> None:
    write_tree(site, {"large.bin": LARGE})
    options = ["--plain-transport", "--port", LOOPBACK, "--path", str(site)]
    with start("module", *options, cwd=site.parent) as server:
        port = server.port()
        assert fetch(port)[1] == PAGE
        assert same(fetch(port, "/large.bin")[1], LARGE)
        assert server.terminate() == 0
        assert "own transport, which" not in server.out


@pytest.mark.parametrize(
    ("way", "number"),
    [*((way, signal.SIGTERM) for way in WAYS), ("twistd", signal.SIGINT)],
    ids=str,
)
def test_ends_with_status_0_however_often_it_is_told(
    way: str, number: signal.Signals, site: Path
) -> None:
    write_tree(site, {"large.bin": LARGE})
    with (
        start(way, "--port", LOOPBACK, "--path", str(site), cwd=site.parent) as server,
        closing(slow_download(server.port())) as client,
    ):
        first = client.recv(1024)
        server.send(number)
        server.line("finishing the responses under way")
        # It can't have ended: the client has not read what it asked for.
        server.send(number)
        server.send(number)
        head, _, body = read_to_the_end(client, first).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert same(body, LARGE)
        assert server.end() == 0
        assert "Traceback" not in server.out + server.err


def test_finishes_every_download_under_way_and_takes_no_new_one(site: Path) -> None:
    """Through a socket with a name: the number of a port may be somebody else's the next moment."""
    write_tree(site, {"large.bin": LARGE})
    path = site.parent / "server.sock"
    with (
        start("twistd", "--listen", f"unix:{path}", "--path", str(site), cwd=site) as server,
        ExitStack() as stack,
    ):
        server.line("listening on unix:")
        clients = [stack.enter_context(closing(slow_download(path))) for _ in range(4)]
        firsts = [client.recv(1024) for client in clients]
        server.send(signal.SIGTERM)
        server.line("Port .* Closed")
        with pytest.raises(FileNotFoundError):
            slow_download(path)
        for client, first in zip(clients, firsts, strict=True):
            assert same(read_to_the_end(client, first).partition(b"\r\n\r\n")[2], LARGE)
        assert server.end() == 0


def test_idle_connections_do_not_hold_up_the_end(site: Path) -> None:
    with start("twistd", "--port", LOOPBACK, "--path", str(site), cwd=site.parent) as server:
        port = server.port()
        with (
            closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as unused,
            closing(slow_download(port, "/")) as idle,
        ):
            assert idle.recv(65536).endswith(PAGE)
            assert server.terminate() == 0
            assert unused.recv(1) == b""
            assert idle.recv(1) == b""


# Where it listens.


def test_listens_wherever_it_is_told_to(site: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.sock", tmp_path / "second.sock"
    listen = ["--listen", f"unix:{first}", "--listen", f"unix:{second}", "--port", LOOPBACK]
    with start("twistd", *listen, "--path", str(site), cwd=tmp_path) as server:
        server.line(re.escape(f"listening on unix:{first}"))
        server.line(re.escape(f"listening on unix:{second}"))
        assert fetch_over_unix(first) == PAGE
        assert fetch_over_unix(second) == PAGE
        assert fetch(server.port())[1] == PAGE
        assert server.terminate() == 0
        assert not first.exists()
        assert not second.exists()


def test_a_unix_socket_alone_is_enough(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "only.sock"
    with start("twist", "--port", f"unix:{path}", "--path", str(site), cwd=tmp_path) as server:
        server.line(re.escape(f"listening on unix:{path}"))
        assert fetch_over_unix(path) == PAGE
        assert server.terminate() == 0
        assert "listening on port" not in server.out


def test_listen_alone_opens_no_other_port(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "only.sock"
    with start("module", "--listen", f"unix:{path}", "--path", str(site), cwd=tmp_path) as server:
        assert fetch_over_unix(Path(server.line("listening on unix:(.*)")[1])) == PAGE
        assert server.terminate() == 0
        assert server.out.count("listening on") == 1


# The access log.


def test_the_last_lines_of_the_access_log_are_not_lost(site: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("a line of old\n")
    options = ["--port", LOOPBACK, "--path", str(site), "--access-log", str(log)]
    with start("twistd", *options, cwd=tmp_path) as server:
        port = server.port()
        for number in range(5):
            fetch(port, f"/?{number}", Referer="http://localhost/", **{"User-Agent": 'a "test"'})
        assert server.terminate() == 0
        assert "GET /?" not in server.out
    old, *lines = log.read_text().splitlines()
    assert old == "a line of old"
    assert len(lines) == 5
    for number, line in enumerate(lines):
        assert re.fullmatch(
            r"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
            rf'"GET /\?{number} HTTP/1\.1" 200 {len(PAGE)} '
            r'"http://localhost/" "a \\x22test\\x22"',
            line,
        )


@every_way
def test_the_access_log_is_rotated(way: str, site: Path, tmp_path: Path) -> None:
    """By its name; a relative one too, from which a daemon has gone away. The signal is no harm."""
    options = ["--port", LOOPBACK, "--path", str(site), "--access-log", "access.log"]
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    with start(way, *options, cwd=tmp_path) as server:
        port = server.port()
        fetch(port, "/?1")
        server.send(signal.SIGUSR1)
        until(lambda: "/?1" in log.read_text())
        log.rename(old)
        fetch(port, "/?2")
        server.send(signal.SIGUSR1)
        until(lambda: log.exists() and "/?2" in log.read_text())
        fetch(port, "/?3")
        assert server.terminate() == 0
    assert re.findall(r"GET /\?(\d)", old.read_text()) == ["1"]
    assert re.findall(r"GET /\?(\d)", log.read_text()) == ["2", "3"]


@pytest.mark.parametrize("way", ["twistd", "module"])
def test_the_last_lines_on_standard_output_are_not_lost(way: str, site: Path) -> None:
    with start(way, "--port", LOOPBACK, "--path", str(site), cwd=site.parent) as server:
        port = server.port()
        for number in range(5):
            fetch(port, f"/?{number}")
        assert server.terminate() == 0
        assert re.findall(r'^127.*"GET /\?(\d) HTTP/1\.1" 200 ', server.out, re.MULTILINE) == list(
            "01234"
        )


def test_a_download_that_outlives_the_signal_is_in_the_access_log(site: Path) -> None:
    write_tree(site, {"large.bin": LARGE})
    with (
        start("twistd", "--port", LOOPBACK, "--path", str(site), cwd=site.parent) as server,
        closing(slow_download(server.port())) as client,
    ):
        first = client.recv(1024)
        server.send(signal.SIGTERM)
        server.line("finishing the responses under way")
        read_to_the_end(client, first)
        assert server.end() == 0
        assert f'"GET /large.bin HTTP/1.1" 200 {len(LARGE)} ' in server.out


def test_an_access_log_can_be_done_without(site: Path) -> None:
    options = ["--port", LOOPBACK, "--path", str(site), "--access-log", "none"]
    with start("twistd", *options, cwd=site.parent) as server:
        fetch(server.port(), "/?unnoticed")
        assert server.terminate() == 0
        assert "unnoticed" not in server.out


# When it can't start.

MISTAKES = [
    (["--port", "70000"], "--port '70000': a number from 0 to 65535 is wanted"),
    (
        ["--listen", "nonsense:1"],
        "endpoint 'nonsense:1' is not understood: Unknown endpoint type: 'nonsense'",
    ),
    (["--listen", "tcp:70000"], "endpoint 'tcp:70000': a port from 0 to 65535 is wanted"),
    (["--path", ""], "--path '': a directory is wanted, not nothing"),
    (["--path", "missing"], "missing': there is no such directory"),
    (["--access-log", "missing/log"], "missing/log: No such file or directory"),
    (["--colour"], "option --colour not recognized"),
    ([".", "two"], "one directory is wanted, not 2: . two"),
]


@pytest.mark.parametrize(("options", "complaint"), MISTAKES, ids=lambda v: " ".join(v[:1]))
def test_a_mistake_costs_one_line_and_the_status(
    options: list[str], complaint: str, tmp_path: Path
) -> None:
    """In all four ways, started together because each takes its time."""
    with ExitStack() as stack:
        started = [stack.enter_context(start(way, *options, cwd=tmp_path)) for way in WAYS]
        for way, server in zip(WAYS, started, strict=True):
            assert server.end() == 1, way
            assert server.out == "", way
            (line,) = server.err.splitlines()
            assert line.startswith("tinyhttp: "), way
            assert complaint in line, way


@every_way
def test_a_port_in_use_is_told_in_one_line(way: str, tmp_path: Path, taken_port: int) -> None:
    with start(way, "--port", str(taken_port), cwd=tmp_path) as server:
        assert server.end() not in (0, -signal.SIGTERM)
        said = server.out + server.err
        (line,) = [line for line in said.splitlines() if "can't listen" in line]
        assert "tinyhttp: can't listen on " in line
        assert "Address already in use" in line
        assert str(taken_port) in line
        assert "Traceback" not in said


def test_a_daemon_that_cannot_listen_tells_its_terminal(tmp_path: Path, taken_port: int) -> None:
    command = [str(SCRIPTS / "twistd"), "--pidfile=d.pid", "--logfile=d.log", "tinyhttp"]
    with Running([*command, "--port", str(taken_port)], cwd=tmp_path) as twistd:
        assert twistd.end() == 1
        assert "tinyhttp: can't listen on" in twistd.out + twistd.err
        assert "Address already in use" in twistd.out + twistd.err
        assert "Traceback" not in twistd.out + twistd.err
    assert not (tmp_path / "d.pid").exists()


def test_a_mistake_is_told_before_there_is_a_daemon(tmp_path: Path) -> None:
    command = [str(SCRIPTS / "twistd"), "--pidfile=d.pid", "--logfile=d.log", "tinyhttp"]
    with Running([*command, "--path", "missing"], cwd=tmp_path) as twistd:
        assert twistd.end() == 1
        assert twistd.err == (
            f"tinyhttp: --path '{tmp_path}/missing': there is no such directory "
            "(--help lists the options)\n"
        )
    assert os.listdir(tmp_path) == []


# As a daemon.


def test_a_daemon_serves_and_stops(site: Path, tmp_path: Path) -> None:
    pidfile, logfile = tmp_path / "tinyhttp.pid", tmp_path / "tinyhttp.log"
    access_log = tmp_path / "access.log"
    twistd = [str(SCRIPTS / "twistd"), f"--pidfile={pidfile}", f"--logfile={logfile}", "tinyhttp"]
    options = ["--port", "0", "--path", str(site), "--access-log", str(access_log)]
    done = subprocess.run(
        [*twistd, *options],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with Daemon(int(pidfile.read_text())) as daemon:
        # The port is open when the command returns; the line follows when the reactor runs.
        limit = time.monotonic() + PATIENCE
        while not (listening := re.search(r"listening on port (\d+) ", logfile.read_text())):
            assert time.monotonic() < limit, logfile.read_text()
            select.select((), (), (), 0.01)
        port = int(listening[1])
        assert fetch(port)[1] == PAGE
        daemon.send(signal.SIGTERM)
        daemon.end()
    assert not pidfile.exists()
    assert '"GET / HTTP/1.1" 200 ' in access_log.read_text()
    log = logfile.read_text()
    assert "Server Shut Down" in log
    assert "Traceback" not in log


# What it says of itself.


@pytest.mark.parametrize("way", ["twistd", "command"])
def test_help_lists_the_options(way: str, tmp_path: Path) -> None:
    with start(way, "--help", cwd=tmp_path) as server:
        assert server.end() == 0
        assert "--follow-symlinks" in server.out
        assert server.err == ""


@pytest.mark.parametrize("way", ["twistd", "command"])
def test_version_names_both_versions(way: str, tmp_path: Path) -> None:
    with start(way, "--version", cwd=tmp_path) as server:
        assert server.end() == 0
        assert re.fullmatch(r"tinyhttp \S+, Twisted \S+\n", server.out)


@pytest.mark.parametrize("program", ["twistd", "twist"])
def test_is_listed_among_the_plugins(program: str, tmp_path: Path) -> None:
    with Running([str(SCRIPTS / program), "--help"], cwd=tmp_path) as listing:
        assert listing.end() == 0
        assert re.search(
            r"^\s+tinyhttp\s+A static file server over HTTP/1\.1\.", listing.out, re.MULTILINE
        )
