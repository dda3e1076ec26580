"""Work in threads: bounded, apart from the reactor's, and gone when there is nothing to do."""

import threading
from threading import Event, Lock, Thread
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.support import FakeReactor, TurningReactor, make_disk


@pytest.fixture
def reactor() -> TurningReactor:
    return TurningReactor()


def threads_of_ours() -> list[Thread]:
    return [thread for thread in threading.enumerate() if "tinyhttp" in thread.name]


def outcomes(*results: Deferred[Any]) -> list[object]:
    found: list[object] = []
    for result in results:
        _ = result.addBoth(found.append)
    return [value.value if isinstance(value, Failure) else value for value in found]


def test_inline() -> None:
    """Without threads it runs at once, in the thread that asks."""
    disk = make_disk(FakeReactor(), 0)
    here = threading.current_thread()
    result = disk.run(lambda: threading.current_thread() is here)
    assert outcomes(result) == [True]
    assert threads_of_ours() == []
    disk.rest()


def test_arguments_inline() -> None:
    disk = make_disk(FakeReactor(), 0)
    result: Deferred[object] = disk.run(sorted, [2, 1, 3], reverse=True)
    assert outcomes(result) == [[3, 2, 1]]


def test_errors_inline() -> None:
    error = OSError(5, "Input/output error")
    assert outcomes(make_disk(FakeReactor(), 0).run(raises, error)) == [error]


def raises(error: Exception) -> object:
    raise error


def test_in_a_thread(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 2)
    assert threads_of_ours() == [], "threads start when first needed"
    result = disk.run(threading.current_thread)
    reactor.turn_until(result)
    (thread,) = outcomes(result)
    assert thread is not threading.current_thread()
    disk.rest()


def test_arguments(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 1)
    result: Deferred[object] = disk.run(sorted, [2, 1, 3], reverse=True)
    reactor.turn_until(result)
    assert outcomes(result) == [[3, 2, 1]]
    disk.rest()


def test_errors_pass_through(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 1)
    error = OSError(5, "Input/output error")
    result = disk.run(raises, error)
    reactor.turn_until(result)
    assert outcomes(result) == [error]
    again = disk.run(int)
    reactor.turn_until(again)
    assert outcomes(again) == [0], "an error costs no thread"
    disk.rest()


def test_threads_are_bounded(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 3)
    lock, full, go_on = Lock(), Event(), Event()
    running = most = 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 3:
                full.set()
        assert go_on.wait(10)
        with lock:
            running -= 1

    results = [disk.run(work) for _ in range(20)]
    assert full.wait(10)
    assert len(threads_of_ours()) == 3
    go_on.set()
    for result in results:
        reactor.turn_until(result)
    assert most == 3
    assert outcomes(*results) == [None] * 20
    disk.rest()


def test_rest_stops_the_threads(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 2)
    reactor.turn_until(disk.run(int))
    assert threads_of_ours()
    disk.rest()
    assert threads_of_ours() == []
    disk.rest()  # once more does no harm


def test_rest_waits_for_work_under_way(reactor: TurningReactor) -> None:
    """And does not block while it does."""
    disk = make_disk(reactor, 1)
    go_on = Event()
    result = disk.run(go_on.wait, 10)
    disk.rest()
    assert threads_of_ours()
    go_on.set()
    reactor.turn_until(result)
    assert outcomes(result) == [True]
    assert threads_of_ours() == []


def test_work_after_a_rest(reactor: TurningReactor) -> None:
    disk = make_disk(reactor, 1)
    for _ in range(3):
        result = disk.run(int)
        reactor.turn_until(result)
        assert outcomes(result) == [0]
        disk.rest()
        assert threads_of_ours() == []


def test_threads_do_not_keep_the_process_alive(reactor: TurningReactor) -> None:
    """One that waits for a dead disk would, at the end."""
    disk = make_disk(reactor, 1)
    reactor.turn_until(disk.run(int))
    assert all(thread.daemon for thread in threads_of_ours())
    disk.rest()
