"""Fixtures of this directory."""

from collections.abc import Iterator

import pytest

from tinyhttp.testing import MemoryServer

from .wires import memory


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with memory() as server:
        yield server
