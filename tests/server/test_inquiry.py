"""Who finds out what a policy asks: waiting, giving up, and what goes wrong meanwhile."""

import errno
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure

from tests.support import (
    Client,
    FakeReactor,
    HeldDisk,
    get,
    make_server,
    open_descriptors,
    pass_time,
    write_tree,
)
from tinyhttp.core.access import Access, Credentials
from tinyhttp.core.listing import View
from tinyhttp.core.path import SitePath
from tinyhttp.core.policy import ListNames, LookUp, Policy, Steps, Verify
from tinyhttp.core.request import Request
from tinyhttp.core.response import Refused, Response
from tinyhttp.server.inquiry import Inquiry
from tinyhttp.server.server import Server
from tinyhttp.site.files import Files, Found
from tinyhttp.site.site import Capacity

AUTHORIZED = "Authorization: Basic " + b64encode(b"user:right").decode()
PRIVATE = Access(SitePath((b"private",), False), "realm", "source")
POLICY = Policy(listing=True, accesses=(PRIVATE,))
BIG = bytes(100_000)


class HeldPasswords:
    """Passwords that are checked when they are told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Credentials]] = []
        self.waiting: list[Deferred[bool]] = []
        self.given_up = 0

    def verify(self, source: str, credentials: Credentials) -> Deferred[bool]:
        def give_up(result: Deferred[bool]) -> None:
            self.given_up += 1

        self.asked.append((source, credentials))
        self.waiting.append(Deferred(give_up))
        return self.waiting[-1]

    def rest(self) -> None:
        pass


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "a.txt": b"a",
        "404.html": BIG,
        "open/b.txt": b"b",
        "private/index.html": b"private",
    }
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def passwords() -> HeldPasswords:
    return HeldPasswords()


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def server(root: Path, reactor: FakeReactor, passwords: HeldPasswords) -> Server:
    return make_server(root, reactor, policy=POLICY, passwords=passwords)


@pytest.fixture
def disk(server: Server) -> HeldDisk:
    held = HeldDisk()
    server.disk = server.listings._disk = held
    return held


@pytest.fixture
def events() -> Iterator[Sequence[LogEvent]]:
    """What is logged."""
    with capturedLogs() as log:
        yield log


def statuses(client: Client) -> list[int]:
    return [answer.status for answer in client.answers()]


# Waiting.


def test_look_ups_come_one_behind_the_other(server: Server, disk: HeldDisk) -> None:
    client = Client(server).send(get("/x/y"))
    for _ in range(3):  # "/x/y", "/x/404.html", "/404.html"
        assert client.received == b""
        assert disk.waiting == 1
        disk.complete()
    (answer,) = client.answers()
    assert (answer.status, answer.body) == (404, BIG)


def test_everybody_waits_for_the_same_look_up(server: Server, disk: HeldDisk) -> None:
    clients = [Client(server).send(get("/x", f"Host: {n}")) for n in range(5)]
    assert disk.waiting == 1
    disk.complete()
    assert disk.waiting == 1
    disk.complete()
    assert [statuses(client) for client in clients] == [[404]] * 5
    assert server.look_ups == 2


def test_a_password_is_waited_for(server: Server, passwords: HeldPasswords) -> None:
    for right, status in ((True, 200), (False, 401)):
        client = Client(server).send(get("/private/", AUTHORIZED) + get("/a.txt"))
        assert client.received == b""
        passwords.waiting.pop().callback(right)
        assert statuses(client) == [status, 200]
    assert passwords.asked == [("source", Credentials(b"user", b"right"))] * 2


def test_without_passwords_nobody_is_known(root: Path) -> None:
    server = make_server(root, policy=POLICY)
    assert statuses(Client(server).send(get("/private/", AUTHORIZED))) == [401]


def test_a_slow_disk_is_not_the_clients_fault(
    server: Server, reactor: FakeReactor, disk: HeldDisk
) -> None:
    client = Client(server).send(get("/x"))
    pass_time(reactor, 200)
    assert not client.ended
    while disk.waiting:
        disk.complete()
    assert statuses(client) == [404]


# Giving up.


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_client_that_vanishes_while_files_are_looked_up(
    server: Server, disk: HeldDisk, steps: int
) -> None:
    before = open_descriptors()
    client = Client(server).send(get("/x/y"))
    for _ in range(steps):
        disk.complete()
    client.vanish()
    while disk.waiting:
        disk.complete()
    assert server.look_ups == steps + 1, "nothing is asked for nobody"
    assert server.look_ups_waiting == 0
    assert not server.connections
    server.site.forget()
    assert open_descriptors() <= before


def test_others_still_get_what_somebody_has_given_up(server: Server, disk: HeldDisk) -> None:
    one, other = (Client(server).send(get("/open/", f"Host: {n}")) for n in range(2))
    disk.complete()
    assert disk.waiting == 1, "the listing"
    one.vanish()
    disk.complete()
    assert one.received == b""
    assert statuses(other) == [200]
    assert not server.listings._waiting


def test_a_client_that_vanishes_before_its_password_is_checked(
    server: Server, passwords: HeldPasswords, disk: HeldDisk
) -> None:
    Client(server).send(get("/private/", AUTHORIZED)).vanish()
    assert passwords.given_up == 1
    assert disk.waiting == 0


def test_a_client_that_vanishes_before_its_form_is_made(root: Path) -> None:
    write_tree(root, {"long.txt": b"brown foxes " * 500})
    server = make_server(root, policy=POLICY, compress=["gzip"])
    forms = server.hosts.default.forms
    forms.disk = encoder = HeldDisk()
    client = Client(server).send(get("/long.txt", "Accept-Encoding: gzip"))
    assert encoder.waiting == 1
    client.vanish()
    encoder.complete()
    assert not forms._under_way
    (answer,) = Client(server).send(get("/long.txt", "Accept-Encoding: gzip")).answers()
    assert answer["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("waits_for", ["/rival.html", "/keep/"])
def test_a_file_that_is_closed_meanwhile(root: Path, waits_for: str) -> None:
    """There is room for one large file, and others want it while a name is looked up."""
    files = {"rival": b"r", "rival.html": BIG, "keep.html": BIG, "keep": b"k", "other.bin": BIG}
    write_tree(root, files)
    server = make_server(
        root, policy=Policy(clean_urls=True), capacity=Capacity(descriptors=1), threads=0
    )
    server.disk = disk = HeldDisk()
    client = Client(server).send(get(waits_for))
    while not client.received:
        # Whatever is waited for, another file comes first and takes the place.
        Client(server).send(get("/other.bin", "Range: bytes=0-0")).vanish()
        server.site.remember(
            SitePath((b"other.bin",), False),
            server.site.files.find(SitePath((b"other.bin",), False)),
        )
        disk.complete()
    while disk.waiting:
        disk.complete()
    (answer,) = client.answers()
    assert answer.status in (200, 308)
    assert answer.status == 308 or answer.body == BIG


def test_what_was_recalled_is_not_kept_for_long(root: Path, passwords: HeldPasswords) -> None:
    """While a password is checked the file may be closed."""
    write_tree(root, {"private/big.bin": BIG})
    server = make_server(root, policy=POLICY, passwords=passwords)
    for _ in range(2):
        client = Client(server).send(get("/private/big.bin", AUTHORIZED))
        if server.site.hits:
            for memory in (server.site._small, server.site._large):
                memory.clear()
        passwords.waiting.pop().callback(True)
        (answer,) = client.answers()
        assert (answer.status, answer.body) == (200, BIG)
    assert server.site.hits


REQUEST = Request(b"GET", b"/", None, b"", {}, True, False, 0, False, b"GET / HTTP/1.1")


class Told:
    """Takes steps, and notes what comes of them."""

    def __init__(self, server: Server, steps: Steps):
        self.responses: list[Response] = []
        self.failures: list[Failure] = []
        self.inquiry = Inquiry(
            server, server.hosts.default, REQUEST, steps, self._done, self.failures.append
        )
        self.inquiry.start()

    def _done(self, response: Response, inquiry: Inquiry) -> None:
        assert inquiry is self.inquiry
        self.responses.append(response)


A = SitePath((b"a.txt",), False)


def test_steps_are_closed_if_nobody_wants_them(server: Server, disk: HeldDisk) -> None:
    closed = []

    def steps() -> Generator[LookUp, Any, Response]:
        try:
            yield LookUp(A)
        finally:
            closed.append(True)
        return Response(200, [])

    told = Told(server, steps())
    assert told.inquiry.is_waiting
    told.inquiry.cancel()
    assert closed == [True]
    assert not told.inquiry.is_waiting
    disk.complete()
    told.inquiry.cancel()
    assert told.responses == []
    assert told.failures == []


def test_many_steps_that_need_no_waiting(server: Server) -> None:
    """What is answered at once may be asked as often as a policy likes."""

    def steps() -> Generator[LookUp, Any, Response]:
        for number in range(60):
            yield LookUp(SitePath((b"%d" % number,), False))
        return Response(200, [])

    told = Told(server, steps())
    assert [response.status for response in told.responses] == [200]
    assert len(told.inquiry.seen) == 60


@pytest.mark.parametrize(
    ("question", "may"),
    [
        (LookUp(A), True),
        (ListNames(SitePath((b"open",), True), View(), b"text/html"), False),
        (Verify(PRIVATE, Credentials(b"", b"")), False),
    ],
    ids=["look up", "list", "verify"],
)
def test_what_may_be_remembered(server: Server, question: Any, may: bool) -> None:
    server.passwords = None

    def steps() -> Generator[Any, Any, Response]:
        yield question
        return Response(200, [])

    assert Told(server, steps()).inquiry.may_be_remembered is may


# What goes wrong.


def failing(error: BaseException, name: bytes) -> Callable[[Any, SitePath], Found]:
    find = Files.find

    def broken(self: Any, path: SitePath) -> Found:
        if path.segments[-1:] == (name,):
            raise error
        return find(self, path)

    return broken


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [(b"x", 503, b"503 Service Unavailable\nbusy\n"), (b"404.html", 404, b"404 Not Found\n")],
)
def test_files_that_can_not_be_had_just_now(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: bytes, status: int, body: bytes
) -> None:
    refused = Refused(503, "busy", [(b"Retry-After", b"1")])
    with monkeypatch.context() as patch:
        patch.setattr("tinyhttp.site.files.Files.find", failing(refused, name))
        for _ in range(2):
            client = Client(server).send(get("/x"))
            (answer,) = client.answers()
            assert (answer.status, answer.body) == (status, body)
            assert answer.get("Retry-After") == ("1" if status == 503 else None)
            assert not client.ended
    (answer,) = Client(server).send(get("/x")).answers()
    assert (answer.status, answer.body) == (404, BIG), "it was not remembered"


@pytest.mark.parametrize("name", [b"x", b"404.html"])
def test_a_disk_that_fails(
    server: Server, monkeypatch: pytest.MonkeyPatch, events: Sequence[LogEvent], name: bytes
) -> None:
    with monkeypatch.context() as patch:
        error = OSError(errno.EIO, "the detail")
        patch.setattr("tinyhttp.site.files.Files.find", failing(error, name))
        client = Client(server).send(get("/x") + get("/a.txt"))
    assert statuses(client) == [500]
    assert client.ended
    assert b"detail" not in client.received
    assert [event for event in events if "log_failure" in event]
    assert statuses(Client(server).send(get("/x"))) == [404]


@pytest.mark.parametrize(
    ("error", "status", "stays"),
    [
        (Refused(503, "too many", [(b"Retry-After", b"2")]), 503, True),
        (RuntimeError("the detail"), 500, False),
    ],
)
def test_passwords_that_can_not_be_checked(
    server: Server,
    passwords: HeldPasswords,
    events: Sequence[LogEvent],
    error: Exception,
    status: int,
    stays: bool,
) -> None:
    client = Client(server).send(get("/private/", AUTHORIZED))
    passwords.waiting.pop().errback(Failure(error))
    (answer,) = client.answers()
    assert answer.status == status
    assert client.ended is not stays
    assert b"detail" not in client.received
    assert answer.get("Retry-After") == ("2" if stays else None)
    assert bool([event for event in events if "log_failure" in event]) is not stays


def test_a_directory_that_can_not_be_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, events: Sequence[LogEvent]
) -> None:
    def broken(*args: Any) -> Any:
        raise OSError(errno.EIO, "the detail")

    with monkeypatch.context() as patch:
        patch.setattr("tinyhttp.site.files.read_names", broken)
        client = Client(server).send(get("/open/"))
    assert statuses(client) == [500]
    assert events
    assert statuses(Client(server).send(get("/open/"))) == [200], "it was not remembered"


def test_a_policy_that_fails_behind_a_look_up(server: Server, disk: HeldDisk) -> None:
    def steps() -> Generator[LookUp, Any, Response]:
        yield LookUp(A)
        raise RuntimeError("the detail")

    told = Told(server, steps())
    disk.complete()
    assert told.responses == []
    (failure,) = told.failures
    assert failure.check(RuntimeError)


def test_rules_are_not_looked_up(root: Path) -> None:
    write_tree(root, {"_headers": "x", "_redirects": "y", "open/_headers": "z"})
    server = make_server(root)
    for name in ("/_headers", "/_redirects", "/_HEADERS", "/_headers/"):
        (answer,) = Client(server).send(get(name)).answers()
        assert answer.status == 404
    assert statuses(Client(server).send(get("/open/_headers"))) == [200]
    shown = make_server(root, policy=Policy(hides_rules=False))
    assert statuses(Client(shown).send(get("/_headers"))) == [200]
