"""Which certificate is shown, and how it is renewed and watched."""

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, capturedLogs, formatEvent

from tests.certificates import KEY, OTHER_KEY, certificate, private_key, replace, write_pair
from tests.support import NOW, FakeReactor, HeldDisk, TurningReactor, make_disk
from tinyhttp.server.certificates import CHECK, DAY, Certificates
from tinyhttp.server.key_pair import BadCertificate, KeyPair


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


def make(reactor: FakeReactor, *pairs: KeyPair, disk: Any = None) -> Certificates:
    return Certificates(
        pairs, reactor=reactor, disk=disk or make_disk(reactor, 0), clock=reactor.seconds
    )


def told(events: Sequence[LogEvent], level: str = "") -> list[str]:
    return [formatEvent(e) for e in events if not level or e["log_level"].name == level]


def check(reactor: FakeReactor, times: int = 1) -> None:
    """Let so many looks at the files come due."""
    for _ in range(times):
        reactor.advance(CHECK)


def done(result: Deferred[None]) -> None:
    """See that ``result`` has fired."""
    results: list[None] = []
    _ = result.addCallback(results.append)
    assert results == [None]


def shown(context: ssl.SSLContext) -> bytes:
    """Return the certificate that a handshake with ``context`` shows, in DER."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(a, b, server_side=True)
    client = client_context.wrap_bio(b, a)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    octets = client.getpeercert(binary_form=True)
    assert octets is not None
    return octets


def der(pair: KeyPair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(pair.certificate).read_text())


# By name.


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (b"", "first"),
        (b"first.test", "first"),
        (b"second.test", "second"),
        (b"SECOND.test", "second"),
        (b"third.test", "first"),
        (b"www.third.test", "third"),
        (b"own.third.test", "second"),  # exact before wildcard
        (b"a.b.third.test", "first"),  # a star stands for one label
        (b".third.test", "third"),  # no name at all, but there is no harm in it
        (b"\xff\xfe", "first"),
        (b"test", "first"),
        (b"*.third.test", "third"),
    ],
)
def test_which_one_is_shown(tmp_path: Path, reactor: FakeReactor, name: bytes, owner: str) -> None:
    names = {
        "first": ["first.test"],
        "second": ["second.test", "own.third.test"],
        "third": ["*.third.test"],
    }
    pairs = {n: write_pair(tmp_path, *names[n], now=NOW, name=n) for n in names}
    certificates = make(reactor, *pairs.values())
    assert shown(certificates.context(name)) == der(pairs[owner])


def test_a_look_up_is_no_look_at_the_disk(tmp_path: Path, reactor: FakeReactor) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    certificates = make(reactor, pair)
    os.unlink(pair.certificate)
    os.unlink(pair.key)
    assert certificates.context(b"a.test") is certificates.context(b"")


def test_of_two_for_a_name_the_first_is_shown_and_that_is_said(
    tmp_path: Path, reactor: FakeReactor
) -> None:
    one = write_pair(tmp_path, "a.test", "b.test", now=NOW, name="one")
    two = write_pair(tmp_path, "b.test", "c.test", now=NOW, name="two")
    with capturedLogs() as events:
        certificates = make(reactor, one, two)
        certificates.watch()
        check(reactor)
        write_pair(tmp_path, "b.test", "c.test", now=NOW, name="two")
        check(reactor, 3)
    assert told(events, "warn") == [
        f"{two.certificate} and {one.certificate} are both for b.test; {one.certificate} is shown"
    ]
    assert shown(certificates.context(b"b.test")) == der(one)
    assert shown(certificates.context(b"c.test")) == der(two)


def test_one_for_no_name_is_never_shown_unless_it_is_the_first(
    tmp_path: Path, reactor: FakeReactor
) -> None:
    nameless = write_pair(tmp_path, now=NOW, name="nameless")
    named = write_pair(tmp_path, "a.test", now=NOW, name="named")
    with capturedLogs() as events:
        make(reactor, nameless, named)
    assert told(events, "warn") == []
    with capturedLogs() as events:
        make(reactor, named, nameless)
    assert told(events, "warn") == [
        f"{nameless.certificate} is for no name, and never shown, as it is not the first"
    ]


def test_what_is_served_is_said(tmp_path: Path, reactor: FakeReactor) -> None:
    pair = write_pair(tmp_path, *(f"{n}.test" for n in range(7)), now=NOW)
    with capturedLogs() as events:
        make(reactor, pair, pair)
    assert told(events) == [
        f"{pair.certificate}: a certificate for 0.test, 1.test, 2.test, 3.test, 4.test and 2 more, "
        "until 2026-12-20 14:13:20 UTC"
    ]


def test_a_bad_one_at_the_start_is_an_error(tmp_path: Path, reactor: FakeReactor) -> None:
    good = write_pair(tmp_path, "a.test", now=NOW)
    bad = KeyPair(good.certificate)
    with pytest.raises(BadCertificate, match="there is no private key in it"):
        make(reactor, good, bad)


# Renewal.


class Renewing:
    """A pair that is watched."""

    def __init__(self, directory: Path, reactor: FakeReactor):
        self.reactor = reactor
        self.directory = directory
        self.pair = write_pair(directory, "a.test", now=NOW)
        self.certificates = make(reactor, self.pair)
        self.certificates.watch()

    @property
    def shown(self) -> bytes:
        return shown(self.certificates.context(b"a.test"))


@pytest.fixture
def renewing(tmp_path: Path, reactor: FakeReactor) -> Renewing:
    return Renewing(tmp_path / "files", reactor)


def test_a_new_certificate_is_shown(renewing: Renewing, reactor: FakeReactor) -> None:
    before = renewing.shown
    write_pair(renewing.directory, "a.test", "b.test", now=NOW, days=60, key=OTHER_KEY)
    assert renewing.shown == before
    with capturedLogs() as events:
        check(reactor, 3)
    assert renewing.shown == der(renewing.pair) != before
    assert told(events) == [
        f"renewed: {renewing.pair.certificate}: a certificate for a.test, b.test, "
        "until 2026-11-20 14:13:20 UTC"
    ]
    assert renewing.certificates.context(b"b.test") is renewing.certificates.context(b"a.test")


def test_as_long_as_nothing_changes_nothing_is_read(
    renewing: Renewing, reactor: FakeReactor
) -> None:
    context = renewing.certificates.context(b"")
    check(reactor, 10)
    assert renewing.certificates.context(b"") is context


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pair: replace(pair.certificate, b"garbage"), "there is no certificate in it"),
        (lambda pair: replace(pair.certificate, b""), "there is no certificate in it"),
        (lambda pair: replace(pair.key, private_key(OTHER_KEY)), "the key does not belong"),
        (lambda pair: replace(pair.key, b"-----BEGIN PRIVATE KEY-----\n"), "no private key"),
        (lambda pair: os.unlink(pair.key), "No such file or directory"),
        (
            lambda pair: replace(pair.certificate, certificate("a.test", now=NOW, age=9, days=-1)),
            "it has expired on",
        ),
    ],
    ids=["garbage", "empty", "half way", "cut off", "missing", "expired"],
)
def test_a_bad_one_changes_nothing_and_is_told_once(
    renewing: Renewing, reactor: FakeReactor, spoil: Any, reason: str
) -> None:
    before = renewing.shown
    spoil(renewing.pair)
    with capturedLogs() as events:
        check(reactor, 5)
    (line,) = told(events)
    assert line.startswith("the certificate in use stays, as the new one can't be used: ")
    assert reason in line
    assert events[0]["log_level"].name == "error"
    assert renewing.shown == before
    # Tried again when the files have changed again.
    write_pair(renewing.directory, "a.test", now=NOW, days=61)
    with capturedLogs() as events:
        check(reactor, 2)
    assert [line.split(":")[0] for line in told(events)] == ["renewed"]
    assert renewing.shown == der(renewing.pair) != before


def test_one_bad_pair_does_not_keep_the_others(tmp_path: Path, reactor: FakeReactor) -> None:
    one, two = (write_pair(tmp_path, f"{n}.test", now=NOW, name=n) for n in ("one", "two"))
    certificates = make(reactor, one, two)
    certificates.watch()
    write_pair(tmp_path, "one.test", now=NOW, days=50, name="one")
    replace(two.key, b"garbage")
    check(reactor)
    assert shown(certificates.context(b"one.test")) == der(one)
    assert shown(certificates.context(b"two.test")) == der(two)


def link(place: Path, target: str) -> None:
    """Have ``place`` lead to ``target`` from one moment to the next."""
    new = place.with_name("new")
    new.symlink_to(target)
    os.replace(new, place)


def test_as_certbot_renews(tmp_path: Path, reactor: FakeReactor) -> None:
    """Links to numbered files, which are changed one after the other."""
    live = tmp_path / "live"
    live.mkdir()
    for number, key in (("1", KEY), ("2", OTHER_KEY)):
        write_pair(tmp_path / "archive", "a.test", now=NOW, name=number, key=key)
    link(live / "fullchain.pem", "../archive/1.pem")
    link(live / "privkey.pem", "../archive/1.key")
    certificates = make(reactor, KeyPair(f"{live}/fullchain.pem", f"{live}/privkey.pem"))
    certificates.watch()
    first = shown(certificates.context(b""))
    link(live / "privkey.pem", "../archive/2.key")
    check(reactor)
    assert shown(certificates.context(b"")) == first
    link(live / "fullchain.pem", "../archive/2.pem")
    check(reactor)
    assert shown(certificates.context(b"")) == der(KeyPair(f"{tmp_path}/archive/2.pem"))


def test_as_kubernetes_renews(tmp_path: Path, reactor: FakeReactor) -> None:
    """Links through a link to a directory, which alone is changed; the old one goes."""
    for number in ("1", "2"):
        write_pair(tmp_path / number, "a.test", now=NOW, name="tls")
    link(tmp_path / "..data", "1")
    (tmp_path / "tls.crt").symlink_to("..data/tls.pem")
    (tmp_path / "tls.key").symlink_to("..data/tls.key")
    certificates = make(reactor, KeyPair(f"{tmp_path}/tls.crt", f"{tmp_path}/tls.key"))
    certificates.watch()
    link(tmp_path / "..data", "2")
    (tmp_path / "1" / "tls.pem").unlink()
    check(reactor)
    assert shown(certificates.context(b"")) == der(KeyPair(f"{tmp_path}/2/tls.pem"))


def test_reload_reads_what_has_not_changed_too(renewing: Renewing) -> None:
    context = renewing.certificates.context(b"")
    with capturedLogs() as events:
        done(renewing.certificates.reload())
    assert told(events) == []
    assert renewing.certificates.context(b"") is not context


def test_reload_tells_again_what_is_wrong(renewing: Renewing, reactor: FakeReactor) -> None:
    os.unlink(renewing.pair.key)
    check(reactor)
    with capturedLogs() as events:
        done(renewing.certificates.reload())
    assert "No such file or directory" in told(events, "error")[0]


def test_the_disk_is_looked_at_in_a_thread(tmp_path: Path) -> None:
    reactor = TurningReactor()
    pair = write_pair(tmp_path, "a.test", now=NOW)
    disk = make_disk(reactor, 1)
    certificates = make(reactor, pair, disk=disk)
    write_pair(tmp_path, "a.test", now=NOW, key=OTHER_KEY)
    results: list[None] = []
    _ = certificates.reload().addCallback(results.append)
    assert not results
    while not results:
        reactor.turn()
    assert shown(certificates.context(b"")) == der(pair)
    disk.rest()


def test_a_slow_disk_is_asked_one_thing_at_a_time(tmp_path: Path, reactor: FakeReactor) -> None:
    disk = HeldDisk()
    certificates = make(reactor, write_pair(tmp_path, "a.test", now=NOW), disk=disk)
    certificates.watch()
    check(reactor, 10)
    assert disk.waiting == 1
    results: list[None] = []
    for _each in range(2):
        _ = certificates.reload().addCallback(results.append)
    for reloaded in (0, 0, 1):
        assert disk.waiting == 1
        assert len(results) == reloaded
        disk.complete()
    assert len(results) == 2
    assert disk.waiting == 0
    check(reactor)
    assert disk.waiting == 1


def test_after_the_end_nobody_looks(renewing: Renewing, reactor: FakeReactor) -> None:
    renewing.certificates.stop()
    renewing.certificates.stop()
    assert reactor.getDelayedCalls() == []
    renewing.certificates.watch()
    renewing.certificates.watch()
    assert len(reactor.getDelayedCalls()) == 1


def test_the_end_during_a_look(tmp_path: Path, reactor: FakeReactor) -> None:
    disk = HeldDisk()
    certificates = make(reactor, write_pair(tmp_path, "a.test", now=NOW), disk=disk)
    certificates.watch()
    check(reactor)
    certificates.stop()
    disk.complete()
    assert reactor.getDelayedCalls() == []


def test_keys_of_tickets_last_a_day(renewing: Renewing, reactor: FakeReactor) -> None:
    """They are made with the context, so that is made anew though the files are the same."""
    context = renewing.certificates.context(b"")
    with capturedLogs() as events:
        check(reactor, int(DAY / CHECK) - 1)
        assert renewing.certificates.context(b"") is context
        check(reactor)
    assert renewing.certificates.context(b"") is not context
    assert told(events) == []


def test_an_error_of_ours_does_not_end_the_watch(
    renewing: Renewing, reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched, capturedLogs() as events:
        patched.setattr("tinyhttp.server.certificates._look", broken)
        check(reactor)
    assert len(told(events, "critical")) == 1
    before = renewing.shown
    write_pair(renewing.directory, "a.test", now=NOW)
    check(reactor)
    assert renewing.shown != before


def test_whatever_a_parser_raises_the_old_one_stays(
    renewing: Renewing, reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a surprise")

    monkeypatch.setattr("tinyhttp.server.certificates.load", broken)
    write_pair(renewing.directory, "a.test", now=NOW)
    with capturedLogs() as events:
        check(reactor, 3)
    assert [line.endswith("ZeroDivisionError('a surprise')") for line in told(events)] == [True]


# Expiry.


def days_told(
    tmp_path: Path, reactor: FakeReactor, days: float, age: float, watched: float
) -> list[str]:
    """Return what is logged in so many days about a certificate for so many."""
    pair = write_pair(tmp_path, "a.test", now=NOW, age=age, days=days)
    with capturedLogs() as events:
        certificates = make(reactor, pair)
        certificates.watch()
        check(reactor, int(watched * DAY / CHECK))
        certificates.stop()
    return [
        line.removeprefix(f"{pair.certificate}: the certificate ")
        for line in told(events)
        if "expire" in line
    ]


def test_it_is_said_once_a_day_that_it_expires(tmp_path: Path, reactor: FakeReactor) -> None:
    lines = days_told(tmp_path, reactor, 15.5, 60, 3)
    assert lines == [
        "expires in 14.0 days, on 2026-10-07 02:13:20 UTC",
        "expires in 13.0 days, on 2026-10-07 02:13:20 UTC",
    ]


@pytest.mark.parametrize(
    ("days", "age", "lines"),
    [
        (3.5, 2.5, []),
        (1.9, 4.1, ["expires in 1.9 days, on 2026-09-23 11:49:20 UTC"]),
    ],
)
def test_of_a_short_life_the_last_third(
    tmp_path: Path, reactor: FakeReactor, days: float, age: float, lines: list[str]
) -> None:
    """A certificate for six days is not warned of from its first day on."""
    assert days_told(tmp_path, reactor, days, age, 0.9) == lines


def test_that_it_has_expired_is_said_every_day(tmp_path: Path, reactor: FakeReactor) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW, days=0.5)
    certificates = make(reactor, pair)
    certificates.watch()
    reactor.advance(DAY / 2 + 1)
    with capturedLogs() as events:
        check(reactor, int(2.2 * DAY / CHECK))
    expired = "the certificate has expired on 2026-09-22 02:13:20 UTC; clients turn away"
    assert told(events, "error").count(f"{pair.certificate}: {expired}") == 2


def test_when_the_first_of_them_expires(tmp_path: Path, reactor: FakeReactor) -> None:
    pairs = [write_pair(tmp_path, f"{n}.test", now=NOW, days=n, name=str(n)) for n in (50, 40, 60)]
    certificates = make(reactor, *pairs)
    assert certificates.expires_soonest == NOW + 40 * DAY
    write_pair(tmp_path, "40.test", now=NOW, days=70, name="40")
    done(certificates.reload())
    assert certificates.expires_soonest == NOW + 50 * DAY
