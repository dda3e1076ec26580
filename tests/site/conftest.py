"""What the tests of this floor share: a tree, a place outside it, and a count of descriptors."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

T = TypeVar("T")

_CALLS = ("open", "stat", "lstat", "fstat", "readlink", "dup", "pread", "read")
"""The system calls between which something may happen."""


def open_descriptors(device: int) -> dict[int, int]:
    """Return the descriptors that are open on the file system ``device``, each with its inode.

    With the inode, as a number that is closed by one who does not own it may be taken again. On
    one file system, as a reactor that another test needs may open pipes of its own meanwhile.
    """
    found = {}
    for number in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):  # the listing's own is closed by now
            state = os.fstat(number)
            if state.st_dev == device:
                found[number] = state.st_ino
    return found


def open_numbers() -> list[int]:
    """Return the numbers of all descriptors that are open, whatever they lead to."""
    return [int(number) for number in os.listdir("/dev/fd")]


@pytest.fixture(autouse=True)
def no_descriptor_is_leaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    device = tmp_path_factory.getbasetemp().stat().st_dev
    before = open_descriptors(device)
    yield
    assert open_descriptors(device) == before


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty directory to be served."""
    path = tmp_path / "root"
    path.mkdir()
    path.chmod(0o755)
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the root, with a file that nobody may ever see."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret.txt").write_text("SECRET")
    return path


@pytest.fixture
def open_names(root: Path) -> Callable[[], list[str]]:
    """Return the names of the files in the root that are open, each as often as it is open."""

    def names() -> list[str]:
        known = {path.stat().st_ino: path.name for path in root.iterdir()}
        inodes = open_descriptors(root.stat().st_dev).values()
        return sorted(known[inode] for inode in inodes if inode in known)

    return names


class Outcomes(Protocol):
    """See the fixture ``outcomes``."""

    def __call__(
        self, prepare: Callable[[], object], change: Callable[[], object], look: Callable[[], T]
    ) -> list[T]: ...


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> Outcomes:
    """Return a function that gives what ``look`` returns, with ``change`` made meanwhile.

    It is made before the first system call; then, after another ``prepare``, before the second;
    and so on until it would come too late. So no moment is left out, whatever the calls are.
    """

    def tried(
        prepare: Callable[[], object], change: Callable[[], object], look: Callable[[], T]
    ) -> list[T]:
        results = []
        for moment in count():
            prepare()
            countdown = Countdown(moment, change)
            with monkeypatch.context() as patch:
                for name in _CALLS:
                    patch.setattr(os, name, countdown.before(getattr(os, name)))
                results.append(look())
            if not countdown.is_over:
                break
        return results

    return tried


class Countdown:
    """Makes a ``change`` once so many calls are done."""

    def __init__(self, calls: int, change: Callable[[], object]):
        self.is_over = False
        self._calls = calls
        self._change = change

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call``, with the change made before it if its time has come."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._calls == 0 and not self.is_over:
                self.is_over = True
                self._change()
            self._calls -= 1
            return call(*args, **kwargs)

        return counted
