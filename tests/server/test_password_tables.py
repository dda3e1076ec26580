"""Tables of passwords: read at the start, and looked at again when somebody asks."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import time
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.support import FakeReactor, HeldDisk, make_disk
from tinyhttp.server.password_tables import CHECK, CannotLoad, PasswordTables

HASH = "$2y$12$" + "." * 53


def users(*names: str) -> str:
    return "".join(f"{name}:{HASH}\n" for name in names)


@pytest.fixture
def reactor() -> FakeReactor:
    """A clock that is ahead of the file system's, so that no file is young."""
    return FakeReactor(time() + 1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "etc" / "users"
    file.parent.mkdir()
    file.write_text(users("anna"))
    return file


@pytest.fixture
def disk() -> HeldDisk:
    return HeldDisk()


class Tables(PasswordTables):
    """Tables that count their changes."""

    def __init__(self, files: Sequence[Path], disk: HeldDisk, reactor: FakeReactor):
        self.changes = 0
        super().__init__([str(file) for file in files], disk, reactor.seconds, self._count)

    def _count(self) -> None:
        self.changes += 1

    def users_of(self, file: Path) -> list[bytes]:
        return list(self.current(str(file))[0].hashes)


@pytest.fixture
def tables(file: Path, disk: HeldDisk, reactor: FakeReactor) -> Tables:
    return Tables([file], disk, reactor)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What is logged from now on."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    yield lines
    globalLogPublisher.removeObserver(observer)


def look_again(tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor) -> None:
    """Ask when a look is due, and let it be taken."""
    reactor.advance(CHECK)
    fresh = tables.freshen(str(file))
    assert fresh is not None
    disk.complete()
    assert fresh.called


def test_read_at_the_start(tables: Tables, file: Path) -> None:
    assert tables.users_of(file) == [b"anna"]
    assert tables.warnings == []


def test_for_a_while_it_is_not_looked_at(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor
) -> None:
    reactor.advance(CHECK - 0.1)
    assert tables.freshen(str(file)) is None
    reactor.advance(0.1)
    fresh = tables.freshen(str(file))
    assert fresh is not None
    assert disk.waiting == 1
    disk.complete()
    assert fresh.called
    assert tables.freshen(str(file)) is None
    assert tables.changes == 0


def test_who_asks_waits_for_the_same_look(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor
) -> None:
    reactor.advance(CHECK)
    waiting = [tables.freshen(str(file)) for _ in range(3)]
    assert disk.waiting == 1
    gone = waiting[1]
    assert isinstance(gone, Deferred)
    _ = gone.addErrback(lambda failure: failure.trap(CancelledError))
    gone.cancel()
    disk.complete()
    assert all(each is not None and each.called for each in waiting)


def test_a_change(tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor) -> None:
    _, before = tables.current(str(file))
    file.write_text(users("anna", "bela"))
    assert tables.users_of(file) == [b"anna"]
    look_again(tables, file, disk, reactor)
    assert tables.users_of(file) == [b"anna", b"bela"]
    assert tables.current(str(file))[1] != before
    assert tables.changes == 1


def test_a_file_that_was_only_touched(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor
) -> None:
    """It is read, and nothing is forgotten."""
    before = tables.current(str(file))
    os.utime(file, (1, 1))
    look_again(tables, file, disk, reactor)
    assert tables.current(str(file)) == before
    assert tables.changes == 0


@pytest.mark.parametrize("content", ["anna:secret-word\n", "anna:{SHA}secret-word\nx\n", None])
def test_a_change_to_the_worse_changes_nothing(
    tables: Tables,
    file: Path,
    disk: HeldDisk,
    reactor: FakeReactor,
    told: list[str],
    content: str | None,
) -> None:
    before = tables.current(str(file))
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    for _ in range(3):
        look_again(tables, file, disk, reactor)
    assert tables.current(str(file)) == before
    (line,) = [each for each in told if "still counts" in each]
    assert str(file) in line
    assert "secret-word" not in line
    file.write_text(users("bela"))
    look_again(tables, file, disk, reactor)
    assert tables.users_of(file) == [b"bela"]


def test_a_file_that_comes_back_and_goes_again(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor, told: list[str]
) -> None:
    """It is told each time; nothing else has changed."""
    away = file.parent.with_name("away")
    for _ in range(2):
        file.parent.rename(away)
        look_again(tables, file, disk, reactor)
        away.rename(file.parent)
        look_again(tables, file, disk, reactor)
    assert len([each for each in told if "No such file" in each]) == 2
    assert tables.changes == 0


def test_an_error_of_ours_keeps_nobody_waiting(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor
) -> None:
    reactor.advance(CHECK)
    fresh = tables.freshen(str(file))
    assert fresh is not None
    tables._sources[str(file)].path = "a\0b"  # for which the system raises ValueError
    disk.complete()
    assert fresh.called
    assert tables.users_of(file) == [b"anna"]


def test_a_clock_that_was_set_back(
    tables: Tables, file: Path, disk: HeldDisk, reactor: FakeReactor
) -> None:
    reactor.rightNow -= 500
    assert tables.freshen(str(file)) is not None


def test_reload(tables: Tables, file: Path, disk: HeldDisk) -> None:
    file.write_text(users("bela"))
    tables.reload()
    assert tables.freshen(str(file)) is not None
    disk.complete()
    assert tables.users_of(file) == [b"bela"]


def test_without_threads(file: Path, reactor: FakeReactor) -> None:
    tables = PasswordTables([str(file)], make_disk(reactor, 0), reactor.seconds, lambda: None)
    file.write_text(users("bela"))
    reactor.advance(CHECK)
    fresh = tables.freshen(str(file))
    assert fresh is not None
    assert fresh.called
    assert list(tables.current(str(file))[0].hashes) == [b"bela"]


def test_files_are_found_wherever_the_process_goes(
    file: Path, disk: HeldDisk, reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    tables = Tables([Path("users")], disk, reactor)
    monkeypatch.chdir("/")
    file.write_text(users("bela"))
    look_again(tables, Path("users"), disk, reactor)
    assert tables.users_of(Path("users")) == [b"bela"]


def test_several_files(tmp_path: Path, file: Path, disk: HeldDisk, reactor: FakeReactor) -> None:
    other = tmp_path / "other"
    other.write_text(f"x:{HASH}\ny:{HASH.replace('12', '13')}\n")
    tables = Tables([file, other, file], disk, reactor)
    assert [tables.users_of(each) for each in (file, other)] == [[b"anna"], [b"x", b"y"]]
    assert [problem.source for problem in tables.warnings] == [str(other)]


@pytest.mark.parametrize(
    ("content", "line", "more"),
    [("# a\nanna:secret-word\n", 2, False), ("anna\nsecret-word\nbela\n", 1, True)],
)
def test_mistakes_at_the_start(
    file: Path, disk: HeldDisk, reactor: FakeReactor, content: str, line: int, more: bool
) -> None:
    file.write_text(content)
    with pytest.raises(CannotLoad) as raised:
        Tables([file], disk, reactor)
    told = str(raised.value)
    assert told.startswith(f"{file}:{line}: error: ")
    assert "secret-word" not in told
    assert "\n" not in told
    assert ("(and 2 more)" in told) is more


def test_a_file_that_is_not_there(tmp_path: Path, disk: HeldDisk, reactor: FakeReactor) -> None:
    with pytest.raises(CannotLoad, match="none: No such file or directory"):
        Tables([tmp_path / "none"], disk, reactor)


def test_a_library_that_is_missing(
    file: Path, disk: HeldDisk, reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(CannotLoad, match="users: bcrypt hashes need the library bcrypt"):
        Tables([file], disk, reactor)
