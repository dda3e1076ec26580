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
