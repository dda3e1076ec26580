"""What pytest is told beyond pyproject.toml."""

import signal
from collections.abc import Iterator

import pytest

# Run by trial itself: end_to_end/test_trial.py. Not ``norecursedirs``, which would replace pytest's
# own list, with ``.venv`` and ``.hypothesis`` on it.
collect_ignore = ["trial"]

_TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Services that were started have taken them; children of later tests would inherit it."""
    before = [(number, signal.getsignal(number)) for number in _TAKEN]
    yield
    for number, handler in before:
        signal.signal(number, handler)
