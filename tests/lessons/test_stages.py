"""What each page says of its stage: the flaw, where it is shown, and the mend."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.end_to_end.processes import PATIENCE

from .asking import A_TXT, ask, children_of, connect, everything, get, threads_of
from .stages import LISTENS, PROMPTED, started

FEW = 20
"""Descriptors; a server has some seven of its own."""

FEW_DESCRIPTORS = ("sh", "-c", f'ulimit -n {FEW}; exec "$@"', "sh")

MENDED = ("stage2_threads", "stage3_processes")


def test_stage1_serves_nobody_beside_a_silent_client(code: Path) -> None:
    with started("stage1_one_file", code) as stage:
        port = stage.port()
        assert ask(port, "/a.txt").endswith(A_TXT)
        with connect(port), connect(port) as other:
            other.sendall(get("/a.txt"))
            other.settimeout(0.3)
            with pytest.raises(TimeoutError):
                other.recv(1)


@pytest.mark.parametrize("target", ["/", "/image.png"])
def test_stage1_ends_with_an_error(code: Path, target: str) -> None:
    with started("stage1_one_file", code) as stage:
        assert ask(stage.port(), target) == b""
        assert stage.end() == 1


@pytest.mark.parametrize("name", sorted(PROMPTED))
def test_stage2_asks_again(code: Path, name: str) -> None:
    with started(name, code, typed="http\n-1\n\n0\n") as stage:
        assert ask(stage.port(), "/a.txt").endswith(A_TXT)
        assert stage.written.count(b"Input the port you want:") == 4


def test_stage2_asks_again_for_what_the_flawed_one_ends_with(code: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("stage2_threads_flawed", code, typed=f"{port}\n") as stage:
            assert stage.end() == 1
        answers = ["99999", "9" * 5000, "²", str(port), "0"]
        with started("stage2_threads", code, typed="\n".join(answers) + "\n") as stage:
            assert ask(stage.port(), "/a.txt").endswith(A_TXT)
            assert stage.written.count(b"Input the port you want:") == len(answers)
            assert b"Address already in use" in stage.written


def test_stage2_flawed_keeps_every_connection_and_ends_when_they_are_used_up(code: Path) -> None:
    with started("stage2_threads_flawed", code, prefix=FEW_DESCRIPTORS) as stage:
        port = stage.port()
        answered = 0
        with suppress(OSError):  # whoever takes the last one waits: the file can't be opened
            while answered < FEW and ask(port, "/a.txt", 0.3).endswith(A_TXT):
                answered += 1
        with suppress(OSError):
            connect(port).close()
        assert 0 < answered < FEW
        # 1, or SIGABRT if a thread is writing its own traceback just then.
        assert stage.end() in {1, -signal.SIGABRT}


@pytest.mark.parametrize("name", [*MENDED, "stage3_processes_flawed"])
def test_connections_are_released(code: Path, name: str) -> None:
    with started(name, code, prefix=FEW_DESCRIPTORS) as stage:
        port = stage.port()
        for _ in range(2 * FEW):
            assert ask(port, "/a.txt").endswith(A_TXT)


@pytest.mark.parametrize("name", MENDED)
def test_a_lack_of_descriptors_passes(code: Path, name: str) -> None:
    with started(name, code, prefix=FEW_DESCRIPTORS) as stage:
        port = stage.port()
        with ExitStack() as crowd:
            for _ in range(2 * FEW):
                crowd.enter_context(connect(port))
            stage.wait_for(LISTENS)
        # Who comes while the crowd is still being dealt with may be turned away.
        deadline = time.monotonic() + PATIENCE
        while not ask(port, "/a.txt").endswith(A_TXT):
            assert time.monotonic() < deadline


def until(wanted: int, pid: int) -> list[int]:
    """Return the children of a process once there are as many as wanted."""
    deadline = time.monotonic() + PATIENCE
    while len(children := children_of(pid)) != wanted:
        assert time.monotonic() < deadline, children
    return children


def can_be_bound(port: int) -> bool:
    """Return whether a server that is started again gets its port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("name", ["stage3_processes_flawed", "stage3_processes"])
def test_whether_a_child_of_stage3_keeps_the_port(code: Path, name: str) -> None:
    with started(name, code) as stage:
        port = stage.port()
        with connect(port):
            until(1, stage.session)
            os.kill(stage.session, signal.SIGKILL)
            stage.end()
            deadline = time.monotonic() + 0.4  # the mended one's child ends after three seconds
            while not (free := can_be_bound(port)) and time.monotonic() < deadline:
                pass
            assert free == (name == "stage3_processes")


def test_stage3_leaves_no_zombies(code: Path) -> None:
    with started("stage3_processes", code) as stage:
        port = stage.port()
        for _ in range(20):
            assert ask(port, "/a.txt").endswith(A_TXT)
        assert len(children_of(stage.session)) < 10


def test_stage4_binds_to_devices_or_says_what_is_missing(code: Path) -> None:
    done = subprocess.run(
        [sys.executable, "stage4_routes.py"], cwd=code, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("SO_BINDTODEVICE")]
    if all("CAP_NET_RAW" in line for line in lines):
        return
    assert lines[0] == "SO_BINDTODEVICE=lo: reached"
    assert lines[1] == "SO_BINDTODEVICE=nosuch0: ENODEV"
    assert all(line.endswith(": ECONNREFUSED") for line in lines[2:])


def test_stage5_needs_one_thread_for_all(code: Path) -> None:
    with started("stage5_twisted", code) as stage, ExitStack() as crowd:
        port = stage.port()
        for _ in range(40):
            crowd.enter_context(connect(port))
        assert ask(port, "/a.txt").endswith(A_TXT)
        assert threads_of(stage.session) == 1


def test_stage6_takes_no_more_requests_while_nobody_reads_its_answers(code: Path) -> None:
    with started("stage6_lines", code) as stage, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        client.connect(("127.0.0.1", stage.port()))
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(get("/image.png", end="X: y") * 1_000_000)


def test_stage6_keeps_a_connection_and_the_order(code: Path) -> None:
    with started("stage6_lines", code) as stage, connect(stage.port()) as client:
        client.sendall(get("/sub/b.txt", end="X: y") + get("/a.txt", end="X: y"))
        client.sendall(get("/nosuch.txt"))
        received = everything(client)
    at = [received.index(part) for part in (b"A file in a directory", A_TXT, b"404 Not Found")]
    assert at == sorted(at)


@pytest.mark.parametrize(("how", "first"), [([], "/a.txt"), (["blocking"], "/slow.txt")])
def test_stage7_serves_others_while_it_reads(code: Path, how: list[str], first: str) -> None:
    with started("stage7_threads", code, *how) as stage:
        port = stage.port()
        with connect(port) as slow, connect(port) as quick:
            slow.sendall(get("/slow.txt"))
            while b"reading /slow.txt" not in stage.written:
                stage.read()
            quick.sendall(get("/a.txt"))
            assert everything(quick).endswith(A_TXT)
            slow.setblocking(False)
            try:
                has_come = slow.recv(1) != b""
            except BlockingIOError:
                has_come = False
            assert has_come == (first == "/slow.txt")


def test_stage7_answers_in_order(code: Path) -> None:
    with started("stage7_threads", code) as stage, connect(stage.port()) as client:
        client.sendall(get("/slow.txt", end="X: y") + get("/a.txt"))
        received = everything(client)
    assert 0 < received.index(b"A file on a slow disk") < received.index(A_TXT)


def test_stage7_survives_a_client_that_leaves(code: Path) -> None:
    with started("stage7_threads", code) as stage:
        port = stage.port()
        with connect(port) as leaving:
            leaving.sendall(get("/slow.txt"))
            while b"reading /slow.txt" not in stage.written:
                stage.read()
        assert b"A file on a slow disk" in ask(port, "/slow.txt")
        assert b"Traceback" not in stage.written
        assert b"Unhandled" not in stage.written


@pytest.mark.parametrize(
    "name", [*MENDED, "stage5_twisted", "stage6_lines", "stage7_threads", "stage9_tinyhttp"]
)
def test_ctrl_c_ends_it_without_a_traceback(code: Path, name: str) -> None:
    with started(name, code) as stage:
        assert ask(stage.port(), "/a.txt").endswith(A_TXT)
        stage.interrupt()
        assert stage.end() in {0, -signal.SIGINT}
        assert b"Traceback" not in stage.written
