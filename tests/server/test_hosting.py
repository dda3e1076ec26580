"""Which site answers to which name."""

import os
from pathlib import Path

import pytest

from tests.core.sites import protected, rules
from tests.support import Client, FakeReactor, get, make_server, open_descriptors, write_tree
from tinyhttp.core.policy import Policy
from tinyhttp.server.hosting import SiteOptions
from tinyhttp.server.server import Server


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [write_tree(tmp_path / name, {"a.txt": name, "i.html": name}) for name in ("one", "two")]


@pytest.fixture
def server(roots: list[Path]) -> Server:
    one, two = roots
    other = SiteOptions(two, index=["i.html"], policy=Policy(redirects=rules("/old /a.txt 301")))
    return make_server(one, hosts={b"two.org": other, b"www.two.org": other, b"[::1]": other})


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("/a.txt", "one.org", b"one"),
        ("/a.txt", "", b"one"),
        ("/a.txt", "two.org", b"two"),
        ("/a.txt", "Two.ORG", b"two"),
        ("/a.txt", "two.org:8080", b"two"),
        ("/a.txt", "two.org.", b"two"),
        ("/a.txt", "www.two.org", b"two"),
        ("/a.txt", "[::1]:8080", b"two"),
        ("/a.txt", "two.org.evil", b"one"),
        ("/a.txt", "xtwo.org", b"one"),
        ("http://two.org/a.txt", "one.org", b"two"),
        ("http://one.org/a.txt", "two.org", b"one"),
        ("/", "two.org", b"two"),
    ],
)
def test_names(server: Server, target: str, host: str, expected: bytes) -> None:
    (answer,) = Client(server).send(get(target, f"Host: {host}")).answers()
    assert (answer.status, answer.body) == (200, expected)


def test_a_client_that_names_no_host(server: Server) -> None:
    (answer,) = Client(server).send(get("/a.txt", version="1.0")).answers()
    assert answer.body == b"one"


def test_each_has_its_own_rules(server: Server) -> None:
    statuses = [
        Client(server).send(get("/old", f"Host: {host}")).answers()[0].status
        for host in ("one.org", "two.org")
    ]
    assert statuses == [404, 301]


def test_a_password_for_one_is_none_for_the_other(roots: list[Path]) -> None:
    one, two = roots
    closed = SiteOptions(two, policy=Policy(accesses=protected("/")))
    server = make_server(one, hosts={b"two.org": closed})
    for target, host, status in (
        ("/a.txt", "one.org", 200),
        ("/a.txt", "two.org", 401),
        ("http://two.org/a.txt", "one.org", 401),
        ("/none", "two.org", 401),
        ("/a.txt", "TWO.org:1", 401),
    ):
        (answer,) = Client(server).send(get(target, f"Host: {host}")).answers()
        assert answer.status == status


def test_a_site_of_several_names_is_one(roots: list[Path], server: Server) -> None:
    assert len(server.hosts.every) == 2
    assert server.hosts.of(b"two.org") is server.hosts.of(b"www.two.org")
    opened = [link for link in open_descriptors() if link.endswith(str(roots[1]))]
    assert len(opened) == 1


def test_everything_is_let_go_of_at_the_end(roots: list[Path]) -> None:
    one, two = roots
    write_tree(two, {"big.bin": bytes(100_000)})
    before = open_descriptors()
    server = make_server(one, hosts={b"two.org": SiteOptions(two), b"three.org": SiteOptions(two)})
    for host in ("two.org", "three.org"):
        client = Client(server).send(get("/big.bin", f"Host: {host}"))
        assert len(client.answers()) == 1
        client.vanish()
    assert open_descriptors() > before
    stopped = server.stop()
    assert stopped.called
    assert open_descriptors() == before


def test_a_site_that_can_not_be_opened(roots: list[Path]) -> None:
    """Nothing of the others is left open then."""
    before = open_descriptors()
    missing = SiteOptions(os.fspath(roots[0] / "none"))
    with pytest.raises(FileNotFoundError):
        make_server(roots[0], FakeReactor(), hosts={b"a": SiteOptions(roots[1]), b"b": missing})
    assert open_descriptors() == before
