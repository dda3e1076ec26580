"""Signals, sent to this very process; and to one of its own where a terminal is needed."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.processes import PATIENCE
from tests.support import FakeReactor
from tinyhttp.signals import take_signals

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers as a reactor sets them, and as they were afterwards."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Process:
    """What is done at a signal, when the reactor has its turn."""

    def __init__(self, *, reloads: bool = True) -> None:
        self.done: list[str] = []
        self.waiting: list[Callable[[], None]] = []
        take_signals(
            self,
            end=lambda: self.done.append("end"),
            reload=(lambda: self.done.append("reload")) if reloads else None,
            rotate=lambda: self.done.append("rotate"),
        )

    def callFromThread(self, function: Callable[[], None]) -> None:
        self.waiting.append(function)

    def turn(self) -> list[str]:
        """Return what is done in this turn."""
        self.done = []
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()
        return self.done


@pytest.mark.parametrize(
    ("number", "deed"),
    [
        (signal.SIGTERM, "end"),
        (signal.SIGINT, "end"),
        (signal.SIGHUP, "reload"),
        (signal.SIGUSR1, "rotate"),
    ],
)
def test_what_each_does(number: signal.Signals, deed: str) -> None:
    """In the reactor, never in the middle of something else; and as often as it comes."""
    process = Process()
    signal.raise_signal(number)
    assert process.done == []
    assert process.turn() == [deed]
    for _ in range(3):
        signal.raise_signal(number)
    assert process.turn() == [deed] * 3


def test_who_has_nothing_to_reload_does_not_die_of_it() -> None:
    process = Process(reloads=False)
    signal.raise_signal(signal.SIGHUP)
    assert process.turn() == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    """As for a job that a shell has started with ``&``, which is not meant by Ctrl-C."""
    signal.signal(number, signal.SIG_IGN)
    process = Process()
    signal.raise_signal(number)
    assert process.turn() == []
    assert signal.getsignal(number) is signal.SIG_IGN


def test_twistd_rotates_its_log_before_we_do() -> None:
    order: list[str] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: order.append(f"twistd {number}"))
    process = Process()
    signal.raise_signal(signal.SIGUSR1)
    assert order == [f"twistd {signal.SIGUSR1:d}"]
    assert process.turn() == ["rotate"]


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL])
def test_nobody_else_rotates(before: signal.Handlers) -> None:
    signal.signal(signal.SIGUSR1, before)
    process = Process()
    signal.raise_signal(signal.SIGUSR1)
    assert process.turn() == ["rotate"]


def test_a_reactor_is_enough() -> None:
    """Whoever embeds it needs no more than ``IReactorFromThreads``."""
    ended: list[bool] = []
    take_signals(
        FakeReactor(), end=lambda: ended.append(True), reload=None, rotate=lambda: None
    )  # fmt: skip
    signal.raise_signal(signal.SIGTERM)
    assert ended == [True]


PROGRAM = """
import fcntl, queue, signal, sys, termios, time
from tinyhttp.signals import take_signals
if "ignored" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
if "terminal" in sys.argv:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
calls = queue.SimpleQueue()
class Reactor:
    callFromThread = staticmethod(calls.put)
    callLater = staticmethod(lambda seconds, function: (time.sleep(seconds), function()))
take_signals(
    Reactor(),
    end=lambda: print("end", flush=True),
    reload=lambda: print("reload", flush=True),
    rotate=lambda: None,
)
print("here", flush=True)
for _ in range(2):
    calls.get(timeout=30)()
"""


@pytest.mark.parametrize(
    ("words", "deed"),
    [(["terminal"], "end"), (["terminal", "ignored"], "reload"), ([], "reload")],
    ids=["its own", "its own, but under nohup", "none"],
)
def test_a_terminal_is_closed(words: list[str], deed: str) -> None:
    """The kernel says ``HUP`` then, and means another thing than who says it with ``kill``."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            stdin=slave,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        ) as child:
            os.close(slave)
            slave = -1
            assert child.stdout is not None
            assert child.stdout.readline() == "here\n"
            child.send_signal(signal.SIGHUP)
            assert child.stdout.readline() == "reload\n"
            os.close(master)
            master = -1
            if words != ["terminal"]:  # who is not told by the kernel
                child.send_signal(signal.SIGHUP)
            assert child.stdout.readline() == f"{deed}\n"
            child.wait(PATIENCE)
    finally:
        for descriptor in (master, slave):
            if descriptor >= 0:
                os.close(descriptor)
