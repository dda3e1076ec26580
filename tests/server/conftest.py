"""What the tests of this floor share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import HeldDisk
from tinyhttp.site.open_file import SharedFile

from .sockets import Link, linked


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in the kernel's memory, as far as it tells: every block is waited for."""
    monkeypatch.setattr("tinyhttp.server.transfer.read_at_once", lambda *_: None)


@pytest.fixture
def file(path: Path) -> Iterator[SharedFile]:
    """The file ``path`` of the module, held by the test."""
    file = SharedFile(os.open(path, os.O_RDONLY))
    yield file
    file.let_go()


@pytest.fixture
def disk() -> HeldDisk:
    return HeldDisk()


@pytest.fixture
def link() -> Iterator[Link]:
    with linked() as link:
        yield link


@pytest.fixture
def narrow() -> Iterator[Link]:
    """A connection on which next to nothing fits while nobody reads."""
    with linked(small=True) as link:
        yield link
