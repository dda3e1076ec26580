"""Checking passwords: how often, for whom, for how many at once, and what stays behind."""

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

import bcrypt
import pytest
from argon2 import PasswordHasher
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from tests.support import FakeReactor, HeldDisk, TurningReactor, make_disk
from tinyhttp.core.access import Credentials
from tinyhttp.core.htpasswd import Hash
from tinyhttp.core.response import Refused
from tinyhttp.server.password_tables import CHECK, CannotLoad
from tinyhttp.server.passwords import (
    MOST,
    MOST_OF_ONE,
    MOST_REMEMBERED,
    RIGHT,
    THREADS,
    WRONG,
    Passwords,
)


class Hasher:
    """Hashes of which it is known by heart whose they are; it counts what it is asked."""

    def __init__(self) -> None:
        self.right: dict[str, bytes] = {}
        self.asked: list[tuple[bytes, Hash]] = []
        self.raises: Exception | None = None

    def make(self, password: bytes, cost: int = 12) -> str:
        text = f"$2y${cost:02d}$" + "." * 22 + f"{len(self.right):031d}"
        self.right[text] = password
        return text

    def matches(self, password: bytes, hashed: Hash) -> bool:
        self.asked.append((password, hashed))
        if self.raises is not None:
            raise self.raises
        return self.right.get(hashed.text) == password


class House:
    """Passwords with everything around them, and users anna and bela in each of the files."""

    def __init__(self, directory: Path, sources: int = 1, **environ: str):
        self.reactor = FakeReactor(time() + 1000)  # so that no file is young
        self.hasher = Hasher()
        self.files = [directory / f"users{n}" for n in range(sources)]
        for file in self.files:
            self.write(file, anna=b"sesame", bela=b"barley")
        self.disk = make_disk(self.reactor, 0)
        self.passwords = Passwords(
            [*map(str, self.files), *(["env"] if environ else [])],
            reactor=self.reactor,
            disk=self.disk,
            environ=environ,
            clock=self.reactor.seconds,
            matches=self.hasher.matches,
        )
        self.threads = HeldDisk()
        self.passwords.threads = self.threads

    def write(self, file: Path, cost: int = 12, **users: bytes) -> None:
        lines = [f"{name}:{self.hasher.make(word, cost)}\n" for name, word in users.items()]
        file.write_text("".join(lines))

    def verify(self, user: bytes, password: bytes, source: int = 0) -> bool | Deferred[bool]:
        return self.passwords.verify(str(self.files[source]), Credentials(user, password))

    def later(self, user: bytes, password: bytes, source: int = 0) -> Deferred[bool]:
        """Ask for what is not known yet."""
        result = self.verify(user, password, source)
        assert isinstance(result, Deferred)
        return result

    def work(self) -> None:
        """Check all that waits."""
        while self.threads.waiting:
            self.threads.complete()

    def ask(self, user: bytes, password: bytes, source: int = 0) -> bool:
        """Return the outcome, whatever it takes."""
        result = self.verify(user, password, source)
        if isinstance(result, bool):
            return result
        self.work()
        return outcome(result) is True


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def outcome(result: Deferred[bool]) -> Any:
    """Return what ``result`` has fired with, or its exception."""
    found: list[Any] = []
    _ = result.addBoth(found.append)
    (value,) = found
    return value.value if isinstance(value, Failure) else value


def refused(result: Deferred[bool]) -> Refused:
    value = outcome(result)
    assert isinstance(value, Refused)
    return value


# Who is let in.


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        (b"anna", b"sesame", True),
        (b"bela", b"barley", True),
        (b"anna", b"barley", False),
        (b"anna", b"", False),
        (b"Anna", b"sesame", False),
        (b"", b"sesame", False),
        (b"nobody", b"sesame", False),
        (b"\xff", b"\xff", False),
    ],
)
def test_who_is_let_in(house: House, user: bytes, password: bytes, right: bool) -> None:
    assert house.ask(user, password) is right
    assert house.ask(user, password) is right, "from memory too"


def test_a_decoy_lets_nobody_in(house: House) -> None:
    """Even if somebody knew the password that it is a hash of."""
    decoy = "$2y$12$" + "." * 53
    house.hasher.right[decoy] = b"known"
    assert house.ask(b"nobody", b"known") is False
    ((_, hashed),) = house.hasher.asked
    assert hashed.text == decoy


@pytest.mark.parametrize("password", [b"a" * 73, b"a" * 1000, b"a\0b"])
def test_what_bcrypt_would_cut_is_refused(house: House, password: bytes) -> None:
    """RFC 7617 has no limit; an older library would compare the first 72 octets alone."""
    for known in (b"a" * 72, b"a", b""):
        house.write(house.files[0], anna=known)
        house.passwords.reload()
        before = len(house.hasher.asked)
        assert house.ask(b"anna", password) is False
        assert len(house.hasher.asked) == before + 1, "and takes as long"


def test_a_file_without_users(house: House) -> None:
    house.files[0].write_text("")
    house.passwords.reload()
    assert house.ask(b"anna", b"sesame") is False
    assert house.hasher.asked == []


# Equal work.


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("user", [b"anna", b"bela", b"nobody", b""])
def test_every_wrong_guess_takes_the_same_work(house: House, user: bytes, long: bool) -> None:
    assert house.ask(user, b"x" * (100 if long else 5)) is False
    ((_, hashed),) = house.hasher.asked
    assert (hashed.kind, hashed.work) == ("bcrypt", 57 << 12)


def test_who_is_not_there_takes_as_long_as_the_costliest(house: House) -> None:
    house.write(house.files[0], cost=10, anna=b"sesame")
    with house.files[0].open("a") as file:
        file.write(f"bela:{house.hasher.make(b'barley', 14)}\n")
    house.passwords.reload()
    house.ask(b"nobody", b"x")
    ((_, hashed),) = house.hasher.asked
    assert hashed.text.startswith("$2y$14$")


# What is remembered.


@pytest.mark.parametrize(
    ("password", "seconds"), [(b"sesame", RIGHT), (b"wrong", WRONG)], ids=["right", "wrong"]
)
def test_an_outcome_is_remembered_for_a_while(
    house: House, password: bytes, seconds: float
) -> None:
    first = house.ask(b"anna", password)
    house.reactor.advance(seconds - 0.1)
    assert house.ask(b"anna", password) is first
    assert len(house.hasher.asked) == 1
    house.reactor.advance(0.1)
    assert house.ask(b"anna", password) is first
    assert len(house.hasher.asked) == 2


def test_use_does_not_prolong_it(house: House) -> None:
    house.ask(b"anna", b"sesame")
    for _ in range(4):
        house.reactor.advance(RIGHT / 4)
        house.ask(b"anna", b"sesame")
    assert len(house.hasher.asked) == 2


def test_at_once_from_memory(house: House) -> None:
    house.ask(b"anna", b"sesame")
    assert house.verify(b"anna", b"sesame") is True


@pytest.mark.parametrize(
    "other",
    [(b"anna", b"sesame "), (b"ann", b"asesame"), (b"annas", b"esame"), (b"", b"annasesame")],
)
def test_one_outcome_is_not_taken_for_another(house: House, other: tuple[bytes, bytes]) -> None:
    assert house.ask(b"anna", b"sesame") is True
    assert house.ask(*other) is False


def test_nor_that_of_another_file(tmp_path: Path) -> None:
    house = House(tmp_path, sources=2)
    house.write(house.files[1], anna=b"other")
    house.passwords.reload()
    assert house.ask(b"anna", b"sesame", 0) is True
    assert house.ask(b"anna", b"sesame", 1) is False
    assert house.ask(b"anna", b"other", 1) is True


def test_a_change_of_the_file_ends_it(house: House) -> None:
    assert house.ask(b"anna", b"sesame") is True
    assert house.ask(b"anna", b"new") is False
    house.write(house.files[0], anna=b"new")
    house.reactor.advance(CHECK)
    assert house.ask(b"anna", b"sesame") is False
    assert house.ask(b"anna", b"new") is True


def test_a_check_that_was_begun_before_a_change_is_not_remembered(house: House) -> None:
    late = house.later(b"anna", b"sesame")
    house.write(house.files[0], anna=b"new")
    house.passwords.reload()
    again = house.later(b"anna", b"sesame")
    house.work()
    assert outcome(late) is True
    assert outcome(again) is False
    assert house.verify(b"anna", b"sesame") is False


def test_a_clock_that_was_set_back(house: House) -> None:
    house.ask(b"anna", b"sesame")
    house.reactor.rightNow -= 3600
    house.ask(b"anna", b"sesame")
    assert len(house.hasher.asked) == 2


def test_memory_is_bounded(house: House) -> None:
    for n in range(MOST_REMEMBERED + 1):
        house.ask(b"anna", b"%d" % n)
    assert [house.verify(b"anna", b"%d" % n) for n in (MOST_REMEMBERED, 1)] == [False, False]
    house.ask(b"anna", b"0")
    assert len(house.hasher.asked) == MOST_REMEMBERED + 2, "the oldest was forgotten"


def test_guesses_push_nobody_out(house: House) -> None:
    house.ask(b"anna", b"sesame")
    for n in range(MOST_REMEMBERED + 1):
        house.ask(b"anna", b"%d" % n)
    assert house.verify(b"anna", b"sesame") is True


# At the same time.


def test_the_same_credentials_are_checked_once(house: House) -> None:
    results = [house.later(b"anna", b"sesame") for _ in range(10)]
    house.work()
    assert [outcome(result) for result in results] == [True] * 10
    assert len(house.hasher.asked) == 1


def test_no_more_run_than_there_are_threads(house: House) -> None:
    results = [house.later(b"anna", b"%d" % n) for n in range(10)]
    assert house.threads.waiting == THREADS
    house.threads.complete()
    assert house.threads.waiting == THREADS
    house.work()
    assert [outcome(result) for result in results] == [False] * 10


def test_guesses_at_one_source_are_bounded(house: House) -> None:
    results = [house.later(b"anna", b"%d" % n) for n in range(MOST_OF_ONE)]
    same = house.later(b"anna", b"0")  # no further work, so there is room
    error = refused(house.later(b"anna", b"one more"))
    assert error.status == 503
    assert dict(error.fields)[b"Retry-After"].isdigit()
    house.work()
    assert [outcome(result) for result in [*results, same]] == [False] * (MOST_OF_ONE + 1)
    assert house.ask(b"anna", b"one more") is False, "and it passes"


def test_who_is_remembered_gets_in_all_the_same(house: House) -> None:
    house.ask(b"anna", b"sesame")
    waiting = [house.later(b"anna", b"%d" % n) for n in range(MOST_OF_ONE)]
    assert house.verify(b"anna", b"sesame") is True
    house.work()
    assert [outcome(result) for result in waiting] == [False] * MOST_OF_ONE


def test_guesses_at_all_sources_are_bounded(tmp_path: Path) -> None:
    house = House(tmp_path, sources=6)
    results = [
        house.later(b"anna", b"%d" % n, source) for source in range(6) for n in range(MOST_OF_ONE)
    ]
    too_many = [result for result in results if result.called]
    assert len(too_many) == 6 * MOST_OF_ONE - MOST
    assert {refused(result).status for result in too_many} == {503}
    house.work()
    assert len(house.hasher.asked) == MOST
    assert {outcome(result) for result in results if result not in too_many} == {False}


def test_sources_take_turns(tmp_path: Path) -> None:
    house = House(tmp_path, sources=2)
    guesses = [house.later(b"anna", b"%d" % n, 0) for n in range(MOST_OF_ONE)]
    honest = house.later(b"anna", b"sesame", 1)
    for _ in range(THREADS):
        house.threads.complete()
    assert not honest.called
    house.threads.complete()
    house.threads.complete()
    assert outcome(honest) is True
    house.work()
    assert [outcome(guess) for guess in guesses] == [False] * MOST_OF_ONE


def test_no_source_is_last_every_time(tmp_path: Path) -> None:
    house = House(tmp_path, sources=3)
    guesses = [
        house.later(b"anna", b"%d" % n, source) for source in range(3) for n in range(MOST_OF_ONE)
    ]
    for _ in range(12):
        house.threads.complete()
    done = [
        sum(guess.called for guess in guesses[first : first + MOST_OF_ONE])
        for first in range(0, len(guesses), MOST_OF_ONE)
    ]
    assert max(done) - min(done) <= THREADS + 1, "which came before there were others"
    house.work()
    assert {outcome(guess) for guess in guesses} == {False}


# Clients that vanish.


def gone(result: Deferred[bool]) -> None:
    result.cancel()
    assert isinstance(outcome(result), CancelledError)


def test_a_check_for_nobody_is_not_begun(house: House) -> None:
    results = [house.later(b"anna", b"%d" % n) for n in range(MOST_OF_ONE)]
    for result in results[THREADS:]:
        gone(result)
    assert house.ask(b"anna", b"sesame") is True, "there is room again"
    assert len(house.hasher.asked) == THREADS + 1
    assert [outcome(result) for result in results[:THREADS]] == [False] * THREADS


def test_one_that_is_begun_ends_and_is_remembered(house: House) -> None:
    gone(house.later(b"anna", b"sesame"))
    house.work()
    assert house.verify(b"anna", b"sesame") is True


def test_others_who_wait_for_the_same_get_it(house: House) -> None:
    blocking = [house.later(b"x", b"%d" % n) for n in range(THREADS)]
    results = [house.later(b"anna", b"sesame") for _ in range(3)]
    gone(results[0])
    gone(results[2])
    house.work()
    assert outcome(results[1]) is True
    assert [outcome(each) for each in blocking] == [False] * THREADS


def test_asked_again_after_all_have_gone(house: House) -> None:
    blocking = [house.later(b"x", b"%d" % n) for n in range(THREADS)]
    gone(house.later(b"anna", b"sesame"))
    again = house.later(b"anna", b"sesame")
    house.work()
    assert outcome(again) is True
    assert [outcome(each) for each in blocking] == [False] * THREADS


def test_nothing_is_left_of_one_who_has_gone(house: House) -> None:
    blocking = [house.later(b"x", b"%d" % n) for n in range(THREADS)]
    gone(house.later(b"anna", b"sesame"))
    house.work()
    assert [outcome(each) for each in blocking] == [False] * THREADS
    assert len(house.hasher.asked) == THREADS
    assert house.ask(b"anna", b"sesame") is True


def test_gone_while_the_file_is_looked_at(tmp_path: Path) -> None:
    house = House(tmp_path)
    disk = HeldDisk()
    house.passwords._tables._disk = disk
    house.reactor.advance(CHECK)
    left, stays = house.later(b"anna", b"sesame"), house.later(b"bela", b"barley")
    gone(left)
    disk.complete()
    house.work()
    assert outcome(stays) is True
    assert len(house.hasher.asked) == 1


def test_one_who_leaves_when_another_is_told(house: House) -> None:
    first, second, third = (house.later(b"anna", b"sesame") for _ in range(3))
    _ = first.addCallback(lambda right: second.cancel())
    house.work()
    assert isinstance(outcome(second), CancelledError)
    assert outcome(third) is True


# Trouble, and what is told of it.


def test_a_library_that_raises(house: House) -> None:
    lines: list[str] = []
    observe: Any = lambda event: lines.append(formatEvent(event))  # noqa: E731 (untyped there)
    globalLogPublisher.addObserver(observe)
    try:
        house.hasher.raises = ValueError("the hash $2y$ of sesame")
        results = [house.later(b"anna", b"sesame") for _ in range(2)]
        house.work()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert [refused(result).status for result in results] == [503, 503]
    assert [line for line in lines if "ValueError" in line]
    assert not [line for line in lines if "sesame" in line or "$2y$" in line]
    house.hasher.raises = None
    assert house.ask(b"anna", b"sesame") is True, "nothing of that is remembered"


def test_nothing_is_kept_that_is_a_password(house: House) -> None:
    house.ask(b"anna", b"sesame")
    house.ask(b"anna", b"a guess")

    def reached(value: object) -> str:
        """Return all that can be reached from ``value`` and is not the tables."""
        if isinstance(value, Mapping):
            return "".join(map(reached, [*value, *value.values()]))
        if type(value).__module__.startswith("tinyhttp.server.passwords"):
            return reached(vars(value))
        if type(value).__name__ == "LRU":
            return reached(vars(value)["_map"])
        return repr(value)

    shown = reached(house.passwords)
    assert "_right" in shown, "memory was looked at"
    assert "sesame" not in shown
    assert "a guess" not in shown


# From the environment.

ENVIRON = {"BASIC_AUTH_USERNAME": "anna", "BASIC_AUTH_PASSWORD": "s\u00e9same:"}


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        ("anna", "s\u00e9same:", True),
        ("anna", "s\u00e9same", False),
        ("Anna", "s\u00e9same:", False),
        ("anna", "", False),
        ("", "", False),
        ("annas", "\u00e9same:", False),
        ("anna" * 100, "x" * 500, False),
    ],
)
def test_environment(tmp_path: Path, user: str, password: str, right: bool) -> None:
    house = House(tmp_path, sources=0, **ENVIRON)
    credentials = Credentials(user.encode(), password.encode())
    assert house.passwords.verify("env", credentials) is right
    house.passwords.reload()
    assert house.passwords.verify("env", credentials) is right


def test_environment_beside_a_file(tmp_path: Path) -> None:
    house = House(tmp_path, sources=1, **ENVIRON)
    assert house.passwords.verify("env", Credentials(b"anna", b"sesame")) is False
    assert house.ask(b"anna", b"sesame") is True


def test_environment_with_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match="BASIC_AUTH_USERNAME"):
        House(tmp_path, sources=0, BASIC_AUTH_PASSWORD="x")


def test_warnings(house: House) -> None:
    house.write(house.files[0], cost=5, anna=b"sesame")
    again = Passwords([str(house.files[0])], reactor=house.reactor, disk=house.disk, environ={})
    assert ["-C 12" in problem.text for problem in again.warnings] == [True]


# With real hashes, in real threads.


@pytest.mark.parametrize("kind", ["bcrypt", "argon2"])
def test_round_trip(tmp_path: Path, kind: str) -> None:
    reactor = TurningReactor(time() + 1000)
    if kind == "bcrypt":
        made = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    else:
        made = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(b"sesame")
    file = tmp_path / "users"
    file.write_text(f"anna:{made}\n")
    passwords = Passwords(
        [str(file)], reactor=reactor, disk=make_disk(reactor, 1), environ={}, clock=reactor.seconds
    )

    def ask(user: bytes, password: bytes) -> Any:
        result = passwords.verify(str(file), Credentials(user, password))
        if isinstance(result, Deferred):
            reactor.turn_until(result)
            return outcome(result)
        return result

    assert ask(b"anna", b"sesame") is True
    assert ask(b"anna", b"wrong") is False
    assert ask(b"nobody", b"sesame") is False
    assert ask(b"anna", b"sesame" * 100) is False
    assert ask(b"anna", b"sesame") is True
    passwords.rest()
