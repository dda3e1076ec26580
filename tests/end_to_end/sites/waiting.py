"""How a test waits for what only asking again can tell."""

import time
from collections.abc import Callable

import pytest

from ..processes import PATIENCE


def until(condition: Callable[[], bool]) -> None:
    """Ask until it is so; fail where it never is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it never comes to that")
        time.sleep(0.02)
