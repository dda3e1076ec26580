"""Who is started, replaced, rolled over and told to end: with processes that do as a test says.

At the end are some real ones, for what only the kernel shows.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.end_to_end.waiting import asynchronous
from tests.support import open_descriptors
from tinyhttp.server.workers import (
    FIRST,
    HELD,
    LINE,
    PATIENCE,
    READY,
    Recipe,
    Worker,
    WorkerFailed,
    Workers,
    descriptors_of,
)


class Process:
    """A process, as its parent sees it. What it hears it does when it has its `turn`."""

    def __init__(self, pid: int, protocol: Any, arguments: Sequence[str], plan: Mapping[Any, Any]):
        self.pid: int | None = pid
        self.arguments = arguments
        self.inherited = plan
        self.protocol = protocol
        self.received = b""
        self.heard: list[str] = []
        self.is_stubborn = False
        """Whether it does nothing of what it is told; the kernel ends it all the same."""
        self.is_ended = False

    def write(self, data: bytes) -> None:
        if not self.is_ended:
            self.received += data

    def signalProcess(self, number: Any) -> None:
        if self.pid is None:
            raise ProcessExitedAlready
        self.heard.append(signal.Signals(number).name)

    @property
    def orders(self) -> Any:
        return json.loads(self.received.split(b"\n")[0])

    @property
    def is_retiring(self) -> bool:
        return b"\nretire\n" in self.received

    def is_ready(self) -> "Process":
        self.protocol.childDataReceived(READY, b"ready\n")
        return self

    def says(self, *data: bytes) -> "Process":
        for each in data:
            self.protocol.childDataReceived(2, each)
        return self

    def exits(self, status: int = 0) -> None:
        self._end(ProcessTerminated(status) if status else ProcessDone(0))

    def dies(self, number: int = signal.SIGKILL) -> None:
        self._end(ProcessTerminated(None, number, number))

    def _end(self, reason: Exception) -> None:
        assert not self.is_ended
        self.is_ended, self.pid = True, None
        self.protocol.processEnded(Failure(reason))

    def turn(self) -> None:
        if "SIGKILL" in self.heard:
            self.dies()
        elif not self.is_stubborn and ("SIGTERM" in self.heard or self.is_retiring):
            self.exits()


class Machine(Clock):
    """A clock, and a machine that runs processes."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []
        """All that there have ever been."""
        self.is_full = False

    def spawnProcess(
        self, protocol: Any, program: str, arguments: Sequence[str], childFDs: Any, **_: Any
    ) -> None:
        if self.is_full:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        process = Process(1000 + len(self.processes), protocol, arguments, childFDs)
        self.processes.append(process)
        protocol.makeConnection(process)

    @property
    def living(self) -> list[Process]:
        return [process for process in self.processes if not process.is_ended]

    @property
    def newest(self) -> Process:
        return self.processes[-1]

    def settle(self) -> None:
        """Give everybody a turn."""
        for process in self.living:
            process.turn()

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.advance(0.25)


class Stage:
    """Workers on a machine, and the recipe by which they are made."""

    def __init__(self, count: int = 2):
        self.machine = Machine()
        self.orders: dict[str, Any] = {"configuration": 1}
        self.ended: list[int] = []
        self.workers = Workers(self.machine, count, self.recipe)
        self.workers.on_end = lambda worker: self.ended.append(worker.number)

    def recipe(self) -> Recipe:
        return Recipe(("program", "argument"), "/", {"A": "B"}, (70, 80), dict(self.orders))

    def run(self, coroutine: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(coroutine)

    def started(self) -> "Stage":
        start = self.run(self.workers.start())
        for process in self.machine.living:
            process.is_ready()
        assert outcome(start) is None
        return self

    def roll(self, count: int | None = None, grace: float | None = None) -> Deferred[None]:
        return self.run(self.workers.roll(count, grace))

    def finish(self) -> None:
        """Stop, and see that nothing is left."""
        stop = self.run(self.workers.stop(5))
        self.machine.settle()
        assert outcome(stop) is None
        assert self.machine.living == []
        assert self.machine.getDelayedCalls() == []
        assert self.workers.pids == []


def outcome(result: Deferred[None]) -> object:
    """Return what ``result`` has fired with, the text of a failure; "waiting" if it has not."""
    seen: list[object] = ["waiting"]

    def see(value: Any) -> None:
        seen[0] = str(value.value) if isinstance(value, Failure) else value
        if isinstance(value, Failure):
            assert value.check(WorkerFailed), value

    _ = result.addBoth(see)
    return seen[0]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Two workers at work; whatever a test does with them, nothing may be left of it."""
    stage = Stage().started()
    yield stage
    stage.finish()


def said(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events]


# The start.


def test_a_start_waits_for_all() -> None:
    stage = Stage(3)
    start = stage.run(stage.workers.start())
    processes = stage.machine.living
    assert [list(p.arguments) for p in processes] == [["program", "argument", n] for n in "123"]
    assert stage.workers.pids == [1000, 1001, 1002]
    for process in (processes[2], processes[0]):
        process.is_ready()
        stage.machine.advance(1)
        assert not start.called
    processes[1].is_ready()
    assert outcome(start) is None
    assert len(stage.machine.getDelayedCalls()) == 0
    stage.finish()


def test_what_a_worker_gets() -> None:
    stage = Stage(1)
    _ = stage.run(stage.workers.start())
    process = stage.machine.newest
    assert process.received == b'{"configuration": 1}\n'
    assert process.inherited == {0: "w", 1: 1, 2: "r", READY: "r", FIRST: 70, FIRST + 1: 80}
    stage.finish()


def test_readiness_may_come_in_pieces_and_twice() -> None:
    stage = Stage(1)
    start = stage.run(stage.workers.start())
    protocol = stage.machine.newest.protocol
    protocol.childDataReceived(READY, b"rea")
    assert not start.called
    for _ in range(2):
        protocol.childDataReceived(READY, b"dy\n")
        assert outcome(start) is None
    stage.finish()


@pytest.mark.parametrize(
    ("last_words", "reason"),
    [
        ((b"tinyhttp: not today\n",), "not today"),
        ((b"Traceback:\n  a.py\n", b"ValueError: no\n"), "ValueError: no"),
        ((b"no end of line",), "no end of line"),
        ((b"first\n\n  \n",), "first"),
        ((), "it has ended (status 3)"),
    ],
)
def test_one_that_cannot_start(last_words: Sequence[bytes], reason: str) -> None:
    """Ends the start, when the others know how they are; nobody takes its place."""
    stage = Stage()
    with capturedLogs() as events:
        start = stage.run(stage.workers.start())
        stage.machine.processes[0].says(*last_words).exits(3)
        assert not start.called
        stage.machine.processes[1].is_ready()
        assert outcome(start) == reason
        stage.machine.pass_time(60)
        assert len(stage.machine.processes) == 2
        stage.finish()
    assert not [line for line in said(events) if "replaced" in line]


def test_one_that_never_gets_ready_is_killed() -> None:
    stage = Stage()
    start = stage.run(stage.workers.start())
    stage.machine.processes[0].is_ready()
    stage.machine.processes[1].is_stubborn = True
    stage.machine.pass_time(PATIENCE - 1)
    stage.machine.settle()
    assert not start.called
    stage.machine.pass_time(1)
    stage.machine.settle()
    assert outcome(start) == "it has ended (killed by a signal)"
    assert len(stage.machine.living) == 1
    stage.finish()


def test_a_machine_that_is_full() -> None:
    """A fork that fails is a worker that can't start, and not the end of the world."""
    stage = Stage()
    stage.machine.is_full = True
    start = stage.run(stage.workers.start())
    assert outcome(start) == (
        "it has ended (it can't be started: Resource temporarily unavailable)"
    )
    stage.finish()


# Death.


def test_who_dies_is_replaced(stage: Stage) -> None:
    with capturedLogs() as events:
        stage.machine.processes[1].dies()
    assert said(events) == ["worker 2 has ended (killed by a signal); it is replaced in 0.5 s"]
    stage.machine.advance(0.25)
    assert len(stage.machine.living) == 1
    stage.machine.advance(0.25)
    assert stage.machine.newest.arguments[-1] == "2"
    stage.machine.newest.is_ready()
    assert len(stage.machine.living) == 2
    assert (stage.workers.restarts, stage.ended) == (1, [2])


@pytest.mark.parametrize("status", [0, 1, 77])
def test_who_exits_unasked_is_replaced(status: int, stage: Stage) -> None:
    with capturedLogs() as events:
        stage.machine.processes[0].exits(status)
    assert f"worker 1 has ended (status {status}); it is replaced in 0.5 s" in said(events)


def wait_for_successor(machine: Machine) -> float:
    """Return how many seconds it takes until there is one."""
    before, passed = len(machine.processes), 0.0
    while len(machine.processes) == before:
        machine.advance(0.25)
        passed += 0.25
        assert passed <= 60
    return passed


@pytest.mark.parametrize("gets_ready", [True, False])
def test_who_dies_again_and_again_is_replaced_later_and_later(
    gets_ready: bool, stage: Stage
) -> None:
    victim, waits = stage.machine.processes[0], []
    for _ in range(9):
        victim.dies()
        waits.append(wait_for_successor(stage.machine))
        victim = stage.machine.newest
        if gets_ready:
            victim.is_ready()
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert len(stage.machine.living) == 2
    assert stage.workers.restarts == 9


def test_health_is_believed_after_a_while(stage: Stage) -> None:
    for health, wait in [(0, 0.5), (0, 1), (29, 2), (30, 0.5), (0, 1)]:
        victim = stage.machine.newest.is_ready()
        stage.machine.pass_time(health)
        victim.dies()
        assert wait_for_successor(stage.machine) == wait


def test_each_place_has_its_own_patience(stage: Stage) -> None:
    first, second = stage.machine.processes
    first.dies()
    wait_for_successor(stage.machine)
    stage.machine.newest.dies()
    second.dies()
    assert wait_for_successor(stage.machine) == 0.5
    assert stage.machine.newest.arguments[-1] == "2"


def test_a_successor_that_hangs_is_killed_and_replaced(stage: Stage) -> None:
    stage.machine.processes[0].dies()
    wait_for_successor(stage.machine)
    stage.machine.newest.is_stubborn = True
    stage.machine.pass_time(PATIENCE)
    stage.machine.settle()
    assert wait_for_successor(stage.machine) == 0.5
    stage.machine.newest.is_ready()
    assert len(stage.machine.living) == 2


def test_a_place_is_not_forgotten_when_the_machine_is_full(stage: Stage) -> None:
    stage.machine.processes[0].dies()
    stage.machine.is_full = True
    stage.machine.pass_time(10)
    stage.machine.is_full = False
    wait_for_successor(stage.machine)
    assert len(stage.machine.living) == 2


# Rolling over.


def test_one_after_the_other_is_rolled_over(stage: Stage) -> None:
    old = stage.machine.living
    stage.orders = {"configuration": 2}
    roll = stage.roll()
    for n in (1, 2):
        assert len(stage.machine.processes) == 2 + n
        assert stage.machine.newest.arguments[-1] == str(n)
        assert stage.machine.newest.orders == {"configuration": 2}
        assert not any(process.is_retiring for process in old)
        stage.machine.newest.is_ready()
    assert outcome(roll) is None
    assert all(process.is_retiring for process in old)
    stage.machine.settle()
    assert [process.orders for process in stage.machine.living] == [{"configuration": 2}] * 2
    assert stage.workers.restarts == 0
    assert sorted(stage.ended) == [1, 2]


@pytest.mark.parametrize("failing", [0, 1])
def test_a_successor_that_fails_changes_nothing(failing: int, stage: Stage) -> None:
    """Not even if others have come that far; nobody works by a configuration that is half good."""
    old = stage.machine.living
    with capturedLogs() as events:
        roll = stage.roll()
        for _ in range(failing):
            stage.machine.newest.is_ready()
        stage.machine.newest.says(b"tinyhttp: no such port\n").exits(1)
        assert outcome(roll) == "no such port"
        stage.machine.settle()
    assert stage.machine.living == old
    assert not any(process.is_retiring for process in old)
    assert not [line for line in said(events) if "replaced" in line]
    assert stage.workers.restarts == 0
    # And it can be tried again.
    roll = stage.roll()
    stage.machine.newest.is_ready()
    stage.machine.newest.is_ready()
    assert outcome(roll) is None


def test_a_successor_that_never_gets_ready_is_killed(stage: Stage) -> None:
    old = stage.machine.living
    roll = stage.roll()
    stage.machine.newest.is_stubborn = True
    stage.machine.pass_time(PATIENCE)
    stage.machine.settle()
    assert outcome(roll) == "it has ended (killed by a signal)"
    assert stage.machine.living == old


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_there_may_be_more_or_fewer_afterwards(count: int, stage: Stage) -> None:
    roll = stage.roll(count)
    for _ in range(count):
        stage.machine.newest.is_ready()
    assert outcome(roll) is None
    stage.machine.settle()
    numbers = [process.arguments[-1] for process in stage.machine.living]
    assert numbers == [str(n) for n in range(1, count + 1)]
    stage.machine.living[0].dies()
    wait_for_successor(stage.machine)
    assert len(stage.machine.living) == count


@pytest.mark.parametrize("count", [1, 4])
def test_there_are_as_many_as_before_if_it_fails(count: int, stage: Stage) -> None:
    roll = stage.roll(count)
    stage.machine.newest.exits(1)
    assert outcome(roll) == "it has ended (status 1)"
    stage.machine.settle()
    assert len(stage.machine.living) == 2
    for process in stage.machine.living:
        process.dies()
    stage.machine.pass_time(1)
    assert len(stage.machine.living) == 2


def test_only_one_roll_at_a_time(stage: Stage) -> None:
    roll = stage.roll()
    assert outcome(stage.roll(7)) is None
    stage.machine.newest.is_ready()
    stage.machine.newest.is_ready()
    assert outcome(roll) is None
    stage.machine.settle()
    assert len(stage.machine.living) == 2


@pytest.mark.parametrize("wait", [0, 1], ids=["before it is replaced", "after"])
def test_death_of_one_that_was_to_be_rolled_over(wait: float, stage: Stage) -> None:
    """Neither its successor nor its replacement may be one too many."""
    roll = stage.roll()
    stage.machine.processes[0].dies()
    stage.machine.pass_time(wait)
    for process in stage.machine.processes[2:]:
        process.is_ready()
    successors = [stage.machine.processes[2], stage.machine.newest.is_ready()]
    assert outcome(roll) is None
    stage.machine.settle()
    stage.machine.pass_time(60)
    assert stage.machine.living == successors


def test_a_roll_while_a_place_is_empty(stage: Stage) -> None:
    stage.machine.processes[1].dies()
    roll = stage.roll()
    stage.machine.newest.is_ready()
    stage.machine.newest.is_ready()
    assert outcome(roll) is None
    stage.machine.settle()
    stage.machine.pass_time(60)
    assert len(stage.machine.living) == 2


def test_death_of_a_successor_before_the_roll_is_over(stage: Stage) -> None:
    roll = stage.roll()
    successor = stage.machine.newest.is_ready()
    second = stage.machine.newest
    successor.dies()
    second.is_ready()
    assert outcome(roll) is None
    stage.machine.settle()
    stage.machine.pass_time(1)
    assert sorted(process.arguments[-1] for process in stage.machine.living) == ["1", "2"]


def test_death_while_retiring(stage: Stage) -> None:
    """It was to go anyway: nobody takes its place, and nobody minds how it went."""
    first = stage.machine.living[0]
    with capturedLogs() as events:
        roll = stage.roll()
        stage.machine.newest.is_ready()
        stage.machine.newest.is_ready()
        assert outcome(roll) is None
        first.dies()
        stage.machine.settle()
        stage.machine.pass_time(60)
    assert len(stage.machine.living) == 2
    assert said(events) == []


def test_who_does_not_retire_is_killed(stage: Stage) -> None:
    """As a process that hangs reads no orders."""
    old = stage.machine.living
    old[0].is_stubborn = True
    roll = stage.roll(grace=7)
    stage.machine.newest.is_ready()
    stage.machine.newest.is_ready()
    assert outcome(roll) is None
    stage.machine.settle()
    stage.machine.pass_time(6)
    stage.machine.settle()
    assert len(stage.machine.living) == 3
    stage.machine.pass_time(1)
    stage.machine.settle()
    assert len(stage.machine.living) == 2


# The end.


def test_who_does_not_end_is_killed() -> None:
    stage = Stage().started()
    stage.machine.living[0].is_stubborn = True
    stop = stage.run(stage.workers.stop(5))
    assert [process.heard for process in stage.machine.living] == [["SIGTERM"]] * 2
    stage.machine.settle()
    assert len(stage.machine.living) == 1
    stage.machine.pass_time(4)
    stage.machine.settle()
    assert not stop.called
    stage.machine.pass_time(1)
    stage.machine.settle()
    assert outcome(stop) is None
    assert stage.machine.getDelayedCalls() == []


def test_an_end_with_nobody_there() -> None:
    stage = Stage()
    assert outcome(stage.run(stage.workers.stop(5))) is None
    assert stage.machine.getDelayedCalls() == []


def test_an_end_during_the_start() -> None:
    stage = Stage()
    start = stage.run(stage.workers.start())
    stage.machine.processes[0].is_ready()
    stage.finish()
    assert outcome(start) == "it has ended (status 0)"
    assert len(stage.machine.processes) == 2


def test_an_end_while_somebody_is_to_be_replaced() -> None:
    stage = Stage().started()
    stage.machine.processes[0].dies()
    stage.finish()
    stage.machine.pass_time(60)
    assert len(stage.machine.processes) == 2


@pytest.mark.parametrize("gets_ready", [True, False])
def test_an_end_while_rolling_over(gets_ready: bool) -> None:
    """Nobody is started any more, even if a successor says at that moment that it is ready."""
    stage = Stage().started()
    roll = stage.roll()
    stop = stage.run(stage.workers.stop(5))
    if gets_ready:
        stage.machine.newest.is_ready()
    stage.machine.settle()
    assert roll.called
    assert outcome(roll) == (None if gets_ready else "it has ended (status 0)")
    assert outcome(stop) is None
    assert len(stage.machine.processes) == 3
    assert stage.machine.getDelayedCalls() == []


def test_an_end_while_some_retire() -> None:
    stage = Stage().started()
    roll = stage.roll(grace=7)
    stage.machine.newest.is_ready()
    stage.machine.newest.is_ready()
    assert outcome(roll) is None
    stage.finish()


def test_no_roll_after_the_end(stage: Stage) -> None:
    stage.finish()
    assert outcome(stage.roll()) is None
    assert len(stage.machine.processes) == 2


def test_a_signal_for_all(stage: Stage) -> None:
    gone, there = stage.machine.processes
    gone.dies()
    stage.workers.send(signal.SIGUSR1)
    assert (gone.heard, there.heard) == ([], ["SIGUSR1"])


def test_a_signal_that_comes_too_late(stage: Stage) -> None:
    """It has ended, but its pipes are not closed yet, so nobody was told."""
    process = stage.machine.processes[0]
    process.pid = None
    stage.workers.send(signal.SIGUSR1)
    assert process.heard == []
    process.dies()


# What they say.


def lines_of(*data: bytes) -> list[str]:
    worker = Worker(7, Clock(), {})
    _ = worker.ready.addErrback(lambda failure: None)
    with capturedLogs() as events:
        for each in data:
            worker.childDataReceived(2, each)
        worker.processEnded(Failure(ProcessDone(0)))
    return [line.removeprefix("worker 7: ") for line in said(events)]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"n", b"e\nt", b"wo\n"], ["one", "two"]),
        ([b"one\n", b"", b"tw", b"o"], ["one", "two"]),
        ([b"\n\n  \none  \n"], ["one"]),
        ([b"\xff\xc3\n"], ["\\xff\\xc3"]),
        ([b"caf\xc3", b"\xa9\n"], ["caf\u00e9"]),
        ([b"{braces} %s\n"], ["{braces} %s"]),
        ([b"a" * (LINE + 1) + b"\nb\n"], ["a" * LINE, "b"]),
        ([b"a" * LINE, b"a" * LINE, b"a\nb\n"], ["a" * LINE, "b"]),
        ([b"a" * (2 * LINE), b"a"], ["a" * LINE]),
    ],
)  # fmt: skip
def test_what_a_worker_says_is_logged(data: list[bytes], lines: list[str]) -> None:
    assert lines_of(*data) == lines


def test_a_line_without_end_is_not_kept() -> None:
    worker = Worker(1, Clock(), {})
    for _ in range(100):
        worker.childDataReceived(2, b"a" * 65_536)
        assert len(worker._partial) <= LINE


# Ports.


class NoDescriptor:
    """What the ``fd:`` and ``stdio:`` endpoints and some plugins give: nothing to be shared."""


def test_a_port_that_cannot_be_shared() -> None:
    with pytest.raises(ValueError, match="a NoDescriptor can't be shared by several processes"):
        descriptors_of([NoDescriptor()])


# Real processes.

PROGRAM = """
import os, signal, sys
orders = sys.stdin.readline()
signal.pthread_sigmask(signal.SIG_UNBLOCK, (1, 2, 10, 15))
{}
os.write(3, b"ready\\n")
"""
WAITS = "sys.stdin.read(1)"
"""Until ``retire`` comes or the input ends."""


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@contextmanager
def real(
    program: str, count: int = 1, descriptors: Sequence[int] = (), orders: Any = None
) -> Iterator[tuple[Workers, Callable[[], list[str]]]]:
    """Give workers that run ``program``, and a function that returns what they have said."""

    def recipe() -> Recipe:
        command = (sys.executable, "-c", program)
        return Recipe(command, "/", dict(os.environ), descriptors, {"orders": orders})

    with capturedLogs() as events:
        yield Workers(the_reactor(), count, recipe), lambda: said(events)


@asynchronous
async def test_a_real_one_inherits_its_socket_and_nothing_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, open(os.devnull) as stranger:
        os.set_inheritable(stranger.fileno(), True)
        program = (
            PROGRAM.format(
                "import json, socket\n"
                "s = socket.socket(fileno=4)\n"
                "fds = sorted(map(int, os.listdir('/proc/self/fd')))[:-1]\n"
                "print(s.getsockname()[1], fds, json.loads(orders), sys.argv[1:], file=sys.stderr)"
            )
            + WAITS
        )
        with real(program, 2, [listener.fileno()], "a" * 100_000) as (workers, lines):
            await workers.start()
            await workers.stop(20)
        port = listener.getsockname()[1]
    assert sorted(lines()) == [
        f"worker {n}: {port} [0, 1, 2, 3, 4] {{'orders': '{'a' * 100_000}'}} ['{n}']"[: LINE + 10]
        for n in (1, 2)
    ]


@asynchronous
async def test_real_ones_are_rolled_over_and_leave_no_descriptor() -> None:
    before = open_descriptors()
    others = the_reactor().getDelayedCalls()
    with real(PROGRAM.format("") + WAITS, 2) as (workers, lines):
        await workers.start()
        first = workers.pids
        for _ in range(2):
            await workers.roll(2)
        assert len(set(workers.pids) - set(first)) >= 2
        await workers.stop(20)
        assert lines() == []
    assert open_descriptors() == before
    assert [e for e in the_reactor().getDelayedCalls() if e not in others] == []


@asynchronous
async def test_a_real_one_says_why_it_cannot_start() -> None:
    with real(PROGRAM.format("sys.exit('tinyhttp: not today')")) as (workers, _):
        with pytest.raises(WorkerFailed, match=r"^not today$"):
            await workers.start()
        assert workers.pids == []


@asynchronous
async def test_a_program_that_is_not_there() -> None:
    def recipe() -> Recipe:
        return Recipe(("/nonexistent/program",), "/", {}, (), {})

    workers = Workers(the_reactor(), 1, recipe)
    with capturedLogs(), pytest.raises(WorkerFailed, match=r"No such file or directory"):
        await workers.start()


@asynchronous
async def test_a_signal_to_one_that_is_only_starting_waits_for_it(tmp_path: Path) -> None:
    """Between fork and exec it would be lost, and before its first lines it would kill it."""
    program = (
        "import os, signal, sys\n"
        "caught = []\n"
        "for n in (1, 2, 10, 15): signal.signal(n, lambda n, frame: caught.append(n))\n"
        "sys.stdin.readline()\n"
        f"signal.pthread_sigmask(signal.SIG_UNBLOCK, {sorted(map(int, HELD))})\n"
        "print(sorted(caught), file=sys.stderr)\n"
        "os.write(3, b'ready\\n')\n"
        "sys.stdin.read(1)\n"
    )
    with real(program) as (workers, lines):
        start = Deferred.fromCoroutine(workers.start())
        for number in HELD:
            workers.send(number)
        await start
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) & HELD == set()
        (pid,) = workers.pids
        os.kill(pid, signal.SIGKILL)
        await workers.stop(20)
    assert "worker 1: [1, 2, 10, 15]" in lines()
