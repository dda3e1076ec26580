"""Which signals are heeded, and how.

``TERM`` and ``INT`` end the service, ``HUP`` has the configuration read anew, ``USR1`` the logs
written and opened anew. Each may come as often as it likes, to one process or to all of them.
"""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["take_signals"]

SETTLE = 0.25
"""Seconds after ``HUP`` until it is looked whether the terminal is still there."""


def take_signals(
    reactor: Any,
    *,
    end: Callable[[], None],
    reload: Callable[[], None] | None,
    rotate: Callable[[], None],
) -> None:
    """Have the functions called by ``reactor`` when a signal comes.

    The reactor's own handlers make the process die of ``TERM`` and ``INT`` after it has finished
    its work, which supervisors take for a crash; and a second signal makes them raise. Signals that
    are ignored stay ignored, as ``nohup`` and shells ask for. ``HUP`` alone is heeded even then,
    but never ends a process that ignored it.
    """

    def later(function: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        return lambda number, frame: reactor.callFromThread(function)

    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(signal.getsignal(number)):
            signal.signal(number, later(end))
    _take_rotation(later(rotate))
    if reload is None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    else:
        is_to_outlive_it = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        has_terminal = not is_to_outlive_it and _terminal_is_there()

        def decide() -> None:
            (reload if _terminal_is_there() else end)()

        def hung_up() -> None:
            # The kernel sends the signal first, and takes the terminal away behind it.
            if has_terminal:
                reactor.callLater(SETTLE, decide)
            else:
                reload()

        signal.signal(signal.SIGHUP, later(hung_up))


def _take_rotation(ours: Callable[[int, FrameType | None], None]) -> None:
    """Call ``ours`` at ``USR1``, behind whoever has a use for it: twistd, for its own log."""
    before = signal.getsignal(signal.SIGUSR1)

    def both(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        ours(number, frame)

    signal.signal(signal.SIGUSR1, both)


def _terminal_is_there() -> bool:
    """Return whether we have a terminal. The kernel sends ``HUP`` when it is closed, too."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
