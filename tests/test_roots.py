"""Roots that come to lead elsewhere: what is remembered, and when everything is read anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.support import NOW, FakeReactor, write_tree
from tinyhttp.roots import LOOK_EVERY, Roots
from tinyhttp.site.releases import MOST, Earlier


class Stage:
    """A link to releases, and somebody who looks where it leads."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.path = directory / "current"
        self.reactor = FakeReactor()
        self.roots = Roots(self.reactor, self.reactor.seconds, threads=0)
        self.switches = 0

    def release(self, name: str, *files: str) -> Path:
        return write_tree(self.directory / name, {"index.html": name, **dict.fromkeys(files, "")})

    def switch(self, directory: Path) -> None:
        link = self.directory / "new"
        link.symlink_to(directory)
        link.rename(self.path)

    def values(self, path: Path | None = None, **values: Any) -> dict[str, Any]:
        return {"path": str(path or self.path), "keep-releases": 60, "manifest": "", **values}

    def watch(self, *hosts: dict[str, Any], **values: Any) -> None:
        others = [([f"{number}.example"], host) for number, host in enumerate(hosts)]
        self.roots.watch({**self.values(**values), "hosts": others})

    def begin(self) -> None:
        self.roots.begin(self._switched)

    def _switched(self) -> None:
        self.switches += 1

    def pass_a_look(self) -> int:
        """Let the time of one look pass; return how often somebody was told of a switch."""
        before = self.switches
        self.reactor.advance(LOOK_EVERY)
        return self.switches - before

    @property
    def before(self) -> list[str]:
        """The names of the releases before."""
        return [Path(each.path).name for each in self.roots.before[str(self.path)]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.roots.stop()
    assert stage.reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("before", "after", "values", "is_told"),
    [
        ([], [], {}, False),
        (["_redirects"], [], {}, True),
        ([], ["_headers"], {}, True),
        (["_headers"], ["_headers"], {}, True),
        ([], [], {"manifest": "m.json"}, True),
    ],
    ids=["files alone", "rules go", "rules come", "rules", "manifest"],
)
def test_what_was_read_is_outdated(
    stage: Stage, before: list[str], after: list[str], values: dict[str, str], is_told: bool
) -> None:
    """Nothing else is: files are looked for where the path leads at the time."""
    stage.switch(stage.release("41", *before))
    stage.watch(**values)
    stage.begin()
    assert stage.pass_a_look() == 0
    stage.switch(stage.release("42", *after))
    assert stage.pass_a_look() == is_told
    assert stage.pass_a_look() == 0, "once is enough"
    assert stage.before == ["41"]


def test_rules_that_change_in_their_place_are_nobodys_switch(stage: Stage) -> None:
    """As somebody may still be writing them."""
    release = stage.release("41", "_redirects")
    stage.switch(release)
    stage.watch()
    stage.begin()
    (release / "_redirects").write_text("/a /b\n")
    (release / "_headers").write_text("/a\n  X: y\n")
    assert stage.pass_a_look() == 0


def test_the_releases_before(stage: Stage) -> None:
    releases = [stage.release(f"{number}") for number in range(MOST + 3)]
    stage.switch(releases[0])
    stage.watch()
    stage.begin()
    for release in releases[1:]:
        stage.switch(release)
        stage.pass_a_look()
    assert stage.before == ["4", "3", "2"]
    state = releases[4].stat()
    number = (state.st_dev, state.st_ino)
    until = NOW + (MOST + 2) * LOOK_EVERY + 60
    assert stage.roots.before[str(stage.path)][0] == Earlier(str(releases[4]), number, until)
    stage.switch(releases[3])
    stage.pass_a_look()
    assert stage.before == ["5", "4", "2"], "what is current is none of them"
    stage.reactor.advance(58)
    assert stage.before == ["5", "4"]
    stage.reactor.advance(10)
    assert stage.before == []


def test_a_look_at_once(stage: Stage) -> None:
    """As before everything is read anew: nobody has to be told of a switch then."""
    stage.switch(stage.release("41", "_headers"))
    stage.watch()
    stage.begin()
    stage.switch(stage.release("42"))
    told: list[bool] = []
    _ = Deferred.fromCoroutine(stage.roots.look()).addCallback(told.append)
    assert told == [True]
    assert stage.before == ["41"]
    assert stage.pass_a_look() == 0


def test_a_moment_without_a_directory(stage: Stage) -> None:
    stage.switch(stage.release("41", "_headers"))
    stage.watch()
    stage.begin()
    stage.path.unlink()
    assert stage.pass_a_look() == 0
    assert stage.before == []
    stage.path.symlink_to(stage.release("42"))
    assert stage.pass_a_look() == 1
    assert stage.before == ["41"]


def test_a_directory_in_the_place_of_another(stage: Stage) -> None:
    """By its name alone the one before can't be told from the one after."""
    stage.path.mkdir()
    stage.watch()
    stage.begin()
    number = stage.path.stat().st_ino
    stage.path.rename(stage.directory / "old")
    stage.path.mkdir()
    stage.pass_a_look()
    (left,) = stage.roots.before[str(stage.path)]
    assert left.path == str(stage.path)
    assert left.number[1] == number != stage.path.stat().st_ino


def test_several_sites(stage: Stage) -> None:
    """One directory may be that of two; who keeps it longer decides."""
    other = stage.directory / "other"
    other.symlink_to(stage.release("1", "_headers"))
    stage.switch(stage.release("41"))
    one: dict[str, Any] = {"keep-releases": 0}
    stage.watch(stage.values(other, **one), stage.values(other), stage.values(other, **one), **one)
    stage.begin()
    stage.release("2")
    other.unlink()
    other.symlink_to(stage.directory / "2")
    assert stage.pass_a_look() == 1
    assert [Path(each.path).name for each in stage.roots.before[str(other)]] == ["1"]
    assert stage.before == []


def test_another_configuration(stage: Stage) -> None:
    """What is known of a path is known under the next one; other paths are forgotten."""
    stage.switch(stage.release("41"))
    other = stage.release("other")
    stage.watch(stage.values(other))
    stage.begin()
    stage.switch(stage.release("42"))
    stage.pass_a_look()
    stage.watch(manifest="m.json")
    assert stage.before == ["41"]
    assert list(stage.roots.before) == [str(stage.path)]
    stage.switch(stage.release("43"))
    assert stage.pass_a_look() == 1


def test_a_switch_between_two_looks_and_another_configuration(stage: Stage) -> None:
    """It is not taken for what was there at the start."""
    stage.switch(stage.release("41", "_headers"))
    stage.watch()
    stage.begin()
    stage.switch(stage.release("42"))
    stage.watch()
    assert stage.pass_a_look() == 1


def test_both_configurations_while_one_is_taken(stage: Stage) -> None:
    """Who is switched between reading and taking is outdated as well."""
    old, new = stage.values(stage.release("old")), stage.values(stage.path)
    stage.switch(stage.release("1", "_redirects"))
    stage.roots.watch({**old, "hosts": []})
    stage.begin()
    stage.roots.watch({**old, "hosts": []}, {**new, "hosts": []})
    stage.switch(stage.release("2"))
    assert stage.pass_a_look() == 1
    stage.roots.watch({**new, "hosts": []})
    assert stage.before == ["1"]


def test_a_look_that_fails_is_not_the_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("can't start new thread")

    stage.switch(stage.release("1", "_redirects"))
    stage.watch()
    stage.begin()
    with monkeypatch.context() as patched, capturedLogs() as events:
        patched.setattr("tinyhttp.roots._lead_of", fail)
        assert stage.pass_a_look() == 0
    assert [each["log_failure"].type for each in events] == [RuntimeError]
    stage.switch(stage.release("2"))
    assert stage.pass_a_look() == 1


def test_an_end_while_somebody_looks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.switch(stage.release("41", "_headers"))
    stage.watch()
    stage.begin()
    stage.switch(stage.release("42"))
    under_way: Deferred[Any] = Deferred()
    run = stage.roots.disk.run
    monkeypatch.setattr(
        stage.roots.disk, "run", lambda look: under_way.addCallback(lambda _: run(look))
    )
    assert stage.pass_a_look() == 0
    stage.roots.stop()
    under_way.callback(None)
    assert stage.switches == 0


def test_a_relative_path_that_is_nowhere(stage: Stage) -> None:
    stage.watch(path=stage.directory / "missing")
    stage.begin()
    assert stage.pass_a_look() == 0
