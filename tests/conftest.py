"""What pytest is told beyond pyproject.toml."""

import signal
from collections.abc import Iterator

import pytest

# Run by trial itself: end_to_end/test_trial.py. Not ``norecursedirs``, which would replace pytest's
# own list, with ``.venv`` and ``.hypothesis`` on it.
collect_ignore = ["trial"]

# Ignored in the background of a script, or under nohup; children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Services that were started have taken them; children of later tests would inherit it."""
    before = [(number, signal.getsignal(number)) for number in _TAKEN]
    yield
    for number, handler in before:
        signal.signal(number, handler)
