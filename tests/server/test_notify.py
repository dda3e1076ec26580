"""What systemd is told, at a real socket; time is a clock of the test's."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from twisted.internet.task import Clock

from tests.support import open_descriptors
from tinyhttp.server.notify import Notifier, without_notification


class Manager:
    """Who is to be told, at ``address``."""

    def __init__(self, address: str, sock: socket.socket):
        self.address = address
        self.socket = sock

    def heard(self) -> list[list[str]]:
        """Return the messages since the last time, each as its lines."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages


@contextmanager
def listening(kind: str, directory: Path) -> Iterator[Manager]:
    path = str(directory / "notify") if kind == "path" else f"@tinyhttp-{uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path.replace("@", "\0", 1) if kind == "abstract" else path)
        sock.setblocking(False)
        yield Manager(path, sock)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    with listening(request.param, tmp_path) as manager:
        yield manager


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_life_of_a_service(manager: Manager, clock: Clock) -> None:
    notifier = Notifier(clock, {"NOTIFY_SOCKET": manager.address})
    assert manager.heard() == []
    notifier.ready("two workers")
    assert manager.heard() == [["READY=1", "STATUS=two workers"]]
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    ((reloading, monotonic),) = manager.heard()
    assert reloading == "RELOADING=1"
    said = re.fullmatch(r"MONOTONIC_USEC=([0-9]+)", monotonic)
    assert said is not None
    assert before <= int(said[1]) <= time.monotonic_ns() // 1000
    notifier.ready("again")
    notifier.stopping()
    assert [message[0] for message in manager.heard()] == ["READY=1", "STOPPING=1"]
    notifier.close()
    assert clock.getDelayedCalls() == []


def test_nothing_is_said_after_the_end(manager: Manager, clock: Clock) -> None:
    before = open_descriptors()
    notifier = Notifier(clock, {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"})
    notifier.ready("")
    notifier.close()
    manager.heard()
    for say in (notifier.reloading, notifier.stopping, notifier.close, lambda: notifier.ready("")):
        say()
    clock.advance(10)
    assert manager.heard() == []
    assert clock.getDelayedCalls() == []
    assert open_descriptors() == before


@pytest.mark.parametrize("pid", [None, "", str(os.getpid())])
def test_signs_of_life(pid: str | None, manager: Manager, clock: Clock) -> None:
    """Twice in the time in which they are wanted, from the first word on, and to the last."""
    variables = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000"}
    notifier = Notifier(clock, variables if pid is None else {**variables, "WATCHDOG_PID": pid})
    clock.advance(10)
    assert manager.heard() == []
    notifier.ready("")
    assert manager.heard()[1:] == [["WATCHDOG=1"]]
    clock.advance(1.25)
    notifier.ready("a reload does not make it twice as many")
    notifier.stopping()
    manager.heard()
    for _ in range(3):
        clock.advance(0.25)
        assert manager.heard() == [["WATCHDOG=1"]]
        clock.advance(1.25)
        assert manager.heard() == []
    notifier.close()
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "me"},
    ],
)
def test_no_signs_of_life_are_wanted(
    variables: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    with listening("path", tmp_path) as manager:
        notifier = Notifier(clock, {**variables, "NOTIFY_SOCKET": manager.address})
        notifier.ready("")
        assert len(manager.heard()) == 1
        assert clock.getDelayedCalls() == []
        notifier.close()


@pytest.mark.parametrize(
    "address",
    ["", "/nonexistent/notify", "@nobody-listens-here", "relative", "x" * 200, "vsock:2:1", "/a\0"],
)
def test_nobody_is_there(address: str, clock: Clock) -> None:
    """Which is no reason to fail."""
    notifier = Notifier(clock, {"NOTIFY_SOCKET": address} if address else {})
    notifier.ready("answering")
    notifier.reloading()
    notifier.stopping()
    notifier.close()


def test_one_who_does_not_listen_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    with listening("path", tmp_path) as manager:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                for _ in range(100_000):
                    filler.sendto(b"a", manager.address)
                pytest.fail("its queue has no end")
        notifier = Notifier(clock, {"NOTIFY_SOCKET": manager.address})
        notifier.ready("answering")
        manager.heard()
        notifier.ready("answering")  # and is told again as soon as it does
        assert manager.heard() == [["READY=1", "STATUS=answering"]]
        notifier.close()


def test_one_who_goes_away(tmp_path: Path, clock: Clock) -> None:
    with listening("path", tmp_path) as manager:
        notifier = Notifier(clock, {"NOTIFY_SOCKET": manager.address})
    notifier.ready("answering")
    notifier.close()


def test_odd_words_are_said_as_well_as_can_be(tmp_path: Path, clock: Clock) -> None:
    with listening("path", tmp_path) as manager:
        notifier = Notifier(clock, {"NOTIFY_SOCKET": manager.address})
        notifier.ready("caf\u00e9 \udcff")
        assert manager.heard() == [["READY=1", "STATUS=caf\u00e9 ?"]]
        notifier.close()


def test_what_is_meant_for_one_process_is_not_passed_on() -> None:
    ours = {"PATH": "/bin", "LISTEN": "1", "WATCHDOG": "1"}
    systemds = {
        "NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a", "LISTEN_PID": "1",
    }  # fmt: skip
    variables = {**ours, **systemds}
    assert without_notification(variables) == ours
    assert variables == {**ours, **systemds}
