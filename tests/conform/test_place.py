"""Nobody's server is tested by mistake."""

import socket
from typing import Any

import pytest

from tinyhttp.conform.place import Unfit, find_place


@pytest.fixture
def port() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr("tinyhttp.conform.place.socket.getaddrinfo", getaddrinfo)


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr("tinyhttp.conform.place.socket.create_connection", refuse)


@pytest.mark.parametrize(
    ("addresses", "may_test"),
    [
        (["192.0.2.1"], None),
        (["127.0.0.1", "192.0.2.1"], None),
        (["127.0.0.1", "2001:db8::1"], None),
        (["::ffff:192.0.2.1"], None),
        (["0.0.0.0"], None),
        (["169.254.0.1"], "other.example"),
        (["fe80::1%eth0"], "example"),
    ],
)
@pytest.mark.usefixtures("no_connection")
def test_other_machines_are_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], may_test: str | None
) -> None:
    resolve_to(monkeypatch, *addresses)
    with pytest.raises(Unfit, match=r"--i-may-test server\.example"):
        find_place("http://server.example/", may_test)


def test_other_machines_are_tested_if_the_name_is_repeated(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "192.0.2.1")
    place = find_place(f"http://Server.Example:{port}/x/", "SERVER.example")
    assert (place.address, place.prefix) == ("127.0.0.1", "/x")
    assert place.authority == f"Server.Example:{port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_this_machine(monkeypatch: pytest.MonkeyPatch, port: int, host: str) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    assert find_place(f"http://{host}:{port}").prefix == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:8000", "a URL of http or https"),
        ("ftp://127.0.0.1/", "a URL of http or https"),
        ("http:///x", "a URL of http or https"),
        ("http://127.0.0.1:99999/", "Port out of range"),
        ("http://[::1/", "Invalid IPv6"),
        ("http://user@127.0.0.1/", "without user"),
        ("http://127.0.0.1/?q", "without user, query"),
        ("http://127.0.0.1/#f", "without user, query"),
        ("http://127.0.0.1/a b", "no spaces"),
        ("http://127.0.0.1/\r\nX: y", "no spaces"),
    ],
)
@pytest.mark.usefixtures("no_connection")
def test_a_url_that_is_none(url: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        find_place(url)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unfit, match=f"nobody listens at port {port}"):
        find_place(f"http://127.0.0.1:{port}/")
