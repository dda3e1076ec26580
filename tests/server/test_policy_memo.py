"""What a policy has answered is said again only where it would be said again."""

import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.core.sites import blocks, path_of, protected, rules
from tests.support import (
    OLD,
    Answer,
    Client,
    FakeReactor,
    FakeTransport,
    get,
    make_server,
    pass_time,
    read_answers,
    write_tree,
)
from tinyhttp.core.access import Credentials
from tinyhttp.core.caching import Caching
from tinyhttp.core.cors import Cors
from tinyhttp.core.forwarded import TrustedProxies
from tinyhttp.core.networks import Networks
from tinyhttp.core.policy import Policy
from tinyhttp.server.hosting import SiteOptions
from tinyhttp.server.server import Server

from .test_memo import asked_ordinarily, ordinary, root  # noqa: F401 (fixtures)

FILES = {
    "index.html": b"home",
    "about.html": b"about",
    "a.txt": b"text",
    "a.txt.gz": b"zipped",
    "docs/index.html": b"docs",
    "docs/404.html": b"no such document",
    "big.html": b"x" * 100_000,
    "empty/note.txt": b"note",
    "private/secret.txt": b"secret",
    "app.3f2a91bc.js": b"script",
}
AUTHORIZED = "Authorization: Basic " + b64encode(b"user:hunter2").decode()
PAGE = "Accept: text/html,image/avif,*/*;q=0.8"
SECURITY = [(b"Strict-Transport-Security", b"max-age=1")]


class Passwords:
    """Knows one password, at once."""

    def verify(self, source: str, credentials: Credentials) -> bool:
        return credentials == (b"user", b"hunter2")

    def rest(self) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "site", FILES)


class SecureTransport(FakeTransport):
    """A transport over TLS, as far as anybody asks."""

    def getHandle(self) -> Any:
        return SimpleNamespace(version=lambda: "TLSv1.3")


class SecureClient(Client):
    """A client that has come over TLS."""

    def __init__(self, server: Server):
        self.transport = SecureTransport()
        self.connection = server.buildProtocol(None)
        self.transport.protocol = self.connection
        self.connection.makeConnection(self.transport)


FULL = Policy(
    listing=True,
    clean_urls=True,
    spa=True,
    error_pages={416: path_of("/big.html"), 403: path_of("/a.txt")},
    redirects=rules("/old /about 301\n/forced /about 302!\n/in /a.txt 200\n/gone /big.html 410"),
    field_rules=blocks("/*\n  X-All: a\n"),
    caching=Caching(),
    cors=Cors(frozenset((b"https://one.org",))),
    accesses=protected("/private"),
    fields=[(b"X-Frame-Options", b"DENY")],
    secure_fields=SECURITY,
)

REQUESTS = {
    "a file": get("/a.txt"),
    "a sidecar": get("/a.txt", "Accept-Encoding: gzip"),
    "clean": get("/about"),
    "sent to the clean name": get("/about.html?x"),
    "index": get("/docs/"),
    "big": get("/big"),
    "a part": get("/big", "Range: bytes=1-70000"),
    "of an old rule": get("/old"),
    "of a forced rule": get("/forced"),
    "rewritten": get("/in", "If-None-Match: *"),
    "gone": get("/gone"),
    "listing": get("/empty/", "Accept: application/json"),
    "no such document": get("/docs/none", "Accept: image/png"),
    "page of a program": get("/users/1", PAGE),
    "too far": get("/big", "Range: bytes=200000-"),
    "other site": get("/a.txt", "Origin: https://one.org"),
    "preflight": get(
        "/a.txt", "Origin: https://one.org", "Access-Control-Request-Method: GET", method="OPTIONS"
    ),
    "not for everybody": get("/private/secret.txt"),
    "for some": get("/private/secret.txt", AUTHORIZED),
    "not a path": get("/%zz"),
    "not a name": get("/a%2fb", PAGE),
    "not a method": get("/a.txt", method="PUT"),
}
ORDINARY = frozenset(
    (
        *("of a forced rule", "listing", "preflight", "not for everybody", "for some"),
        *("not a path", "not a method"),
        # Large files: an exchange is made for what does not go out at once.
        *("big", "a part", "gone", "too far"),
    )
)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
@pytest.mark.parametrize("name", REQUESTS)
def test_asked_twice(site: Path, ordinary: list[bytes], name: str, secure: bool) -> None:  # noqa: F811
    server = make_server(site, policy=FULL, passwords=Passwords())
    connect = SecureClient if secure else Client
    request = REQUESTS[name]
    first = connect(server).send(request)
    assert first.received
    made = len(ordinary)
    again = first.received
    assert connect(server).send(request).received == again
    assert connect(server).send(request, piece=1).received == again
    assert (len(ordinary) == made) is (name not in ORDINARY)
    assert (b"Strict-Transport" in again) is (secure and name != "preflight")
    _ = server.stop()


# What changes.


def body(server: Server, target: str, *fields: str) -> bytes:
    client = Client(server).send(get(target, *fields))
    (answer,) = client.answers()
    client.vanish()
    return answer.body


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.mark.parametrize(
    ("policy", "target", "before", "written", "after"),
    [
        (Policy(), "/x", b"404 Not Found\n", "404.html", b"new"),
        (Policy(), "/docs/x", b"no such document", "docs/404.html", b"new"),
        (Policy(), "/docs/deep/x", b"no such document", "docs/deep/404.html", b"new"),
        (Policy(), "/x", b"404 Not Found\n", "x", b"new"),
        (Policy(), "/docs/", b"docs", "docs/index.html", b"new"),
        (Policy(clean_urls=True), "/about", b"about", "about", b"new"),
        (Policy(clean_urls=True), "/about", b"about", "about.html", b"new"),
        (Policy(redirects=rules("/in /a.txt 200")), "/in", b"text", "in", b"new"),
        (Policy(redirects=rules("/in /a.txt 200")), "/in", b"text", "a.txt", b"new"),
        (Policy(redirects=rules("/in /a.txt 200!")), "/in", b"text", "in", b"text"),
        (Policy(spa=True), "/users", b"home", "index.html", b"new"),
        (Policy(spa=True), "/users", b"home", "users", b"new"),
    ],
)
def test_a_change_is_noticed(
    site: Path,
    reactor: FakeReactor,
    policy: Policy,
    target: str,
    before: bytes,
    written: str,
    after: bytes,
) -> None:
    server = make_server(site, reactor, policy=policy)
    for _ in range(3):
        assert body(server, target) == before
    (site / written).unlink(missing_ok=True)
    write_tree(site, {written: b"new"}, mtime=OLD + 5)
    pass_time(reactor, 1.25)
    for _ in range(3):
        assert body(server, target) == after
    (site / written).unlink()
    pass_time(reactor, 1.25)
    assert body(server, target) != b"new"
    _ = server.stop()


def test_a_page_that_moves_is_noticed(site: Path, reactor: FakeReactor) -> None:
    server = make_server(site, reactor, policy=Policy(clean_urls=True))
    assert body(server, "/about") == b"about"
    os.rename(site / "about.html", site / "else.html")
    pass_time(reactor, 1.25)
    assert body(server, "/about") == b"404 Not Found\n"
    assert body(server, "/else") == b"about"
    _ = server.stop()


# Over TLS, and without.


def answer_of(client: Client) -> Answer:
    (answer,) = read_answers(client.received)
    return answer


@pytest.mark.parametrize("first", [Client, SecureClient])
@pytest.mark.parametrize(
    "policy",
    [
        Policy(https_port=443),
        Policy(secure_fields=SECURITY),
        Policy(canonical_host=b"x.org"),
        Policy(https_port=443, secure_fields=SECURITY, canonical_host=b"x.org"),
    ],
)
def test_tls_has_a_memory_of_its_own(site: Path, policy: Policy, first: type[Client]) -> None:
    server = make_server(site, policy=policy)
    host = "Host: y.org" if policy.canonical_host else "Host: x.org"
    alone = {
        connect: answer_of(connect(make_server(site, policy=policy)).send(get("/a.txt", host)))
        for connect in (Client, SecureClient)
    }
    assert alone[Client] != alone[SecureClient]
    for _ in range(2):
        for connect in (first, Client, SecureClient):
            assert answer_of(connect(server).send(get("/a.txt", host))) == alone[connect]


def test_where_it_makes_no_difference_the_memory_is_one(
    site: Path,
    ordinary: list[bytes],  # noqa: F811
) -> None:
    server = make_server(site, policy=Policy(fields=SECURITY))
    Client(server).send(get("/a.txt"))
    SecureClient(server).send(get("/a.txt"))
    assert len(ordinary) == 1


PROXIES = TrustedProxies(Networks(["192.0.2.1"]))


@pytest.mark.parametrize("connect", [Client, SecureClient])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_proxy_says_of_each_how_it_came(site: Path, connect: type[Client], trusted: bool) -> None:
    policy = Policy(https_port=443, secure_fields=SECURITY)
    proxies = PROXIES if trusted else TrustedProxies(Networks(["192.0.2.99"]))
    server = make_server(site, policy=policy, trusted_proxies=proxies)
    client = connect(server)
    said = ["https", "http", "https", "", "http", "https"]
    for scheme in said:
        fields = [f"X-Forwarded-Proto: {scheme}", "X-Forwarded-For: 198.51.100.7"] if scheme else []
        client.send(get("/a.txt", *fields))
    ours = connect is SecureClient
    secure = [scheme == "https" if scheme and trusted else ours for scheme in said]
    answers = client.answers()
    assert [answer.status == 200 for answer in answers] == secure
    assert [answer.get("Strict-Transport-Security") is not None for answer in answers] == secure


def test_a_client_is_not_believed_beside_a_proxy(site: Path) -> None:
    """What the proxy's connection was answered is in no memory of anybody else."""
    server = make_server(site, policy=Policy(https_port=443), trusted_proxies=PROXIES)
    secure = "X-Forwarded-Proto: https"
    proxy = Client(server).send(get("/a.txt", secure))
    assert [answer.status for answer in proxy.answers()] == [200]
    stranger = Client(server, peer=SimpleNamespace(host="203.0.113.9", port=1))
    stranger.send(get("/a.txt", secure)).send(get("/a.txt"))
    assert [answer.status for answer in stranger.answers()] == [308, 308]


# Passwords.


def remembered(server: Server) -> Iterator[bytes]:
    """Give all octets by which the server remembers anything of a head."""
    for memo in (server.memo, server._secure_memo):
        for lines in memo._answers:
            yield from lines
    yield from server.heads._heads
    yield from server.heads._lines


@pytest.mark.parametrize("target", ["/a.txt", "/docs/", "/x", "/private/secret.txt", "/private/x"])
@pytest.mark.parametrize(
    "line", [AUTHORIZED, "authorization: Bearer hunter2", "AUTHORIZATION:Basic aHVudGVyMg=="]
)
def test_no_password_is_remembered(site: Path, target: str, line: str) -> None:
    """Not even one that is sent to where nobody has asked for it."""
    other = SiteOptions(site, policy=Policy())
    server = make_server(site, policy=FULL, passwords=Passwords(), hosts={b"other": other})
    for host in ("Host: a", "Host: other"):
        for _ in range(2):
            client = Client(server).send(get(target, line, host)).send(get(target, host))
            assert len(client.answers()) == 2
    secret = line.partition(":")[2].strip().encode()
    assert not [each for each in remembered(server) if secret in each or b"hunter2" in each]


def test_who_is_known_says_nothing_of_others(site: Path) -> None:
    server = make_server(site, policy=FULL, passwords=Passwords())
    client = Client(server)
    known, unknown = (get("/private/secret.txt", *each) for each in ([AUTHORIZED], []))
    client.send(known).send(unknown).send(known).send(unknown)
    assert [answer.status for answer in client.answers()] == [200, 401] * 2


# Hosts.


def test_every_host_has_its_own_answers(site: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", {"a.txt": b"other", "404.html": b"other 404"})
    options = SiteOptions(other, policy=Policy(redirects=rules("/old /new 301")))
    server = make_server(site, hosts={b"other": options}, policy=FULL, passwords=Passwords())
    client = Client(server)
    for _ in range(2):
        for host in ("site", "other", "OTHER:8000", "other."):
            client.send(get("/a.txt", f"Host: {host}"))
    assert [answer.body for answer in client.answers()] == [
        b"text",
        b"other",
        b"other",
        b"other",
    ] * 2
    for target in ("/old", "http://other/old", "http://site/old"):
        Client(server).send(get(target, "Host: other"))
    ways = [
        answer_of(Client(server).send(get(target, "Host: other"))).get("Location")
        for target in ("/old", "http://other/old", "http://site/old")
    ]
    assert ways == ["/new", "/new", "/about"]
