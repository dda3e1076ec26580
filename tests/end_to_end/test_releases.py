"""A process whose directory is switched: downloads go on, and the next ones are of the new one."""

import signal
import time
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import pytest

from tests.support import OLD, write_tree

from .processes import PATIENCE, Running, fetch, same, start

SIZE = 8 * 1024 * 1024
LARGE = {name: Random(name).randbytes(SIZE) for name in ("41", "42")}
ASSET = "/assets/app.3f9a2b7c.js"


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """A link to release 41; 42 lies beside that."""
    for number, (name, large) in enumerate(LARGE.items()):
        files: dict[str, bytes | str] = {"index.html": name, "large.bin": large}
        write_tree(tmp_path / "releases" / name, files, OLD + number)
    write_tree(tmp_path / "releases" / "41", {ASSET[1:]: "asset"})
    path = tmp_path / "current"
    path.symlink_to("releases/41")
    return path


def switch(current: Path) -> None:
    link = current.parent / "new"
    link.symlink_to("releases/42")
    link.rename(current)


def wait_for(connection: HTTPConnection, target: str, before: bytes, after: bytes) -> None:
    """Ask until the answer is ``after``; until then it is ``before``, and nothing in between."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection.request("GET", target)
        body = connection.getresponse().read()
        if body == after:
            return
        assert same(body, before)
        assert time.monotonic() < deadline


def wait_for_status(port: int, target: str, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while fetch(port, target)[0].status != wanted:
        assert time.monotonic() < deadline


def begun(port: int) -> HTTPConnection:
    """Return a connection with a request for the large file, of which nothing has been read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/large.bin")
    return connection


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--plain-transport",)])
def test_a_switch_under_downloads(current: Path, options: tuple[str, ...]) -> None:
    """With a path that is relative, as seen from where the process was started."""
    with start(
        "module", "--port", "0", "--path", "current", *options, cwd=current.parent
    ) as server:
        port = server.port()
        downloads = [begun(port) for _ in range(4)]
        responses = [each.getresponse() for each in downloads]  # the heads, and not much more
        assert fetch(port)[1] == b"41"
        switch(current)
        for connection, response in zip(downloads, responses, strict=True):
            assert same(response.read(), LARGE["41"])
            # Each process, if there are several, sees it for itself, within a second.
            wait_for(connection, "/", b"41", b"42")
            wait_for(connection, "/large.bin", LARGE["41"], LARGE["42"])
            connection.close()
        assert server.terminate() == 0
    said(server, "current leads to another directory now")


def said(server: Running, text: str) -> None:
    assert text in server.out + server.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_rules_come_and_go_with_their_release(workers: str, current: Path) -> None:
    """Nobody has to say HUP; pages that were loaded before keep their parts all the same."""
    releases = current.parent / "releases"
    (releases / "41" / "_redirects").write_text("/where /41\n")
    (releases / "42" / "_headers").write_text("/*\n  X-Release: 42\n")
    options = ["--path", "current", "--keep-releases", "60", "--workers", workers]
    with start("module", "--port", "0", *options, cwd=current.parent) as server:
        port = server.port()
        assert fetch(port, "/where")[0].status == 301
        assert "X-Release" not in fetch(port)[0].headers
        switch(current)
        server.line("the configuration was read anew")
        wait_for_status(port, "/where", 404)
        assert fetch(port)[0].headers["X-Release"] == "42"
        assert fetch(port, ASSET)[1] == b"asset"
        server.forget()
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        assert fetch(port, ASSET)[1] == b"asset"
        assert server.terminate() == 0


def test_a_release_with_wrong_rules(current: Path) -> None:
    """Its files are served; the rules before it stay until somebody has mended them."""
    releases = current.parent / "releases"
    (releases / "41" / "_redirects").write_text("/where /41\n")
    (releases / "42" / "_redirects").write_text("/where /42 999\n")
    with start("module", "--port", "0", "--path", "current", cwd=current.parent) as server:
        port = server.port()
        switch(current)
        server.line("the configuration stays as it was: .*_redirects:1: error: ")
        assert fetch(port)[1] == b"42"
        assert fetch(port, "/where")[0].headers["Location"] == "/41"
        (releases / "42" / "_redirects").write_text("/where /42\n")
        server.send(signal.SIGHUP)
        server.line("the configuration was read anew")
        assert fetch(port, "/where")[0].headers["Location"] == "/42"
        assert server.terminate() == 0


def test_at_hup(current: Path) -> None:
    with start("module", "--port", "0", "--path", "current", cwd=current.parent) as server:
        port = server.port()
        download = begun(port)
        response = download.getresponse()
        assert fetch(port)[1] == b"41"
        switch(current)
        server.send(signal.SIGHUP)
        server.line("was read anew")
        assert fetch(port)[1] == b"42"
        assert same(response.read(), LARGE["41"])
        download.close()
        assert server.terminate() == 0
