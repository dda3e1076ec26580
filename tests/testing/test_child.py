"""Servers in another process, and that it is never left behind."""

import os
import select
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.processes import PATIENCE, fetch_over_unix
from tinyhttp.testing import Child, ChildServer, ScriptError, generated, on, serve
from tinyhttp.testing.certificates import make_trust


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as child:
        yield child


def fetch(server: ChildServer, target: str = "/a") -> tuple[int, bytes]:
    place = urlsplit(server.url)
    assert place.hostname is not None
    connection = HTTPConnection(place.hostname, place.port, timeout=PATIENCE)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_server_of_its_own() -> None:
    with serve({"/a": "text", "/big": generated(3_000_000)}) as server:
        assert fetch(server) == (200, b"text")
        assert fetch(server, "/big") == (200, generated(3_000_000).octets())
        root = server._prepared.root
    assert not os.path.exists(root)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    server.stop()


def test_rules(child: Child) -> None:
    with child.serve({"/a": "text"}, rules=[on("/a", nth=1).status(503)]) as server:
        server.on("/a", nth=2).status(500).field("X", "y")
        assert [fetch(server)[0] for _ in range(3)] == [503, 500, 200]
        server.assert_all_used()
        server.on("/a", nth=99).delay(1)
        with pytest.raises(AssertionError, match="nth=99"):
            server.assert_all_used()
        server.clear_rules()
        server.assert_all_used()
        server.add(on("/a").status(404))
        assert fetch(server)[0] == 404


def test_the_journal(child: Child) -> None:
    with child.serve({"/a": "text"}) as server:
        fetch(server)
        fetch(server, "/a?b")
        (entry,) = server.journal.wait_for(target="/a?b", ended=True)
        assert (entry.number, entry.path, entry.status, entry.octets) == (2, "/a", 200, 4)
        server.journal.assert_requested("GET", "/a", times=2)
        assert server.journal.last == entry
        with pytest.raises(TimeoutError, match=r"(?s)waited in vain for 9 requests.*GET /a\?b"):
            server.journal.wait_for(9, timeout=0.01)
        server.journal.clear()
        assert len(server.journal) == 0


def test_refusing(child: Child) -> None:
    with child.serve({"/a": "text"}) as server:
        with server.refusing(), pytest.raises(ConnectionRefusedError):
            fetch(server)
        assert fetch(server)[0] == 200


def test_a_change(child: Child) -> None:
    with child.serve({"/a": "text"}) as server:
        fetch(server)
        server.write("/a", "new")
        assert fetch(server) == (200, b"new")


def test_https(child: Child) -> None:
    trust = make_trust()
    with child.serve({"/a": "text"}, https=trust) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        connection = HTTPSConnection(
            "localhost", urlsplit(server.url).port, timeout=PATIENCE, context=context
        )
        connection.request("GET", "/a")
        assert connection.getresponse().read() == b"text"
        connection.close()
        path = server.ca_file
    assert not os.path.exists(path)


def test_a_unix_socket(child: Child) -> None:
    with child.serve({"/a": "text"}, unix=True) as server:
        assert server.socket_path is not None
        assert fetch_over_unix(Path(server.socket_path), "/a") == b"text"
    assert not os.path.exists(server.socket_path)


def test_options(child: Child) -> None:
    with child.serve({"/.a": "x"}, hidden_files=True, timeouts={"head": 1}) as server:
        assert fetch(server, "/.a")[0] == 200


def test_several_at_a_time(child: Child) -> None:
    with child.serve({"/a": "1"}) as one, child.serve({"/a": "2"}) as two:
        assert (fetch(one), fetch(two)) == ((200, b"1"), (200, b"2"))
        assert one.pid == two.pid


def test_mistakes_are_told_by_the_process(child: Child) -> None:
    with child.serve({"/a": "text"}) as server:
        with pytest.raises(ScriptError, match="no such file"):
            server.on("/b")
        with pytest.raises(ScriptError, match="only 4 octets"):
            server.on("/a").truncate(5)
        with pytest.raises(ScriptError, match="can't be sent to the child"):
            server.on("/a", where=lambda entry: True)
        with pytest.raises(ScriptError, match="nothing to trust"):
            _ = server.ca_file
    with pytest.raises(ScriptError, match="no option 'colour'"):
        child.serve({"/a": "text"}, colour="red")
    with pytest.raises(ScriptError, match="no such file"):
        child.serve({"/a": "text"}, rules=[on("/b")])
    with pytest.raises(RuntimeError, match="TypeError"):
        child.serve({"/a": "text"}, timeouts={"nonsense": 1})
    assert fetch(child.serve({"/a": "text"}))[0] == 200


def test_a_process_that_is_gone() -> None:
    server = serve({"/a": "text"})
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="has ended"):
        _ = server.journal.entries
    with pytest.raises(RuntimeError, match="has ended"):
        server.stop()
    assert not os.path.exists(server._prepared.root)


PARENT = """
import sys, os, signal
sys.path.insert(0, {project!r})
from tinyhttp.testing import serve
server = serve({{"/a": "x"}})
print(server.pid, server._prepared.root, flush=True)
{end}
"""


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(1)",
        "raise SystemExit",
        # Somebody else holds the pipe open.
        "os.fork() and os.kill(os.getpid(), signal.SIGKILL); import time; time.sleep(20)",
    ],
    ids=["killed", "exit", "forgotten", "forked"],
)
def test_it_is_not_left_behind(end: str) -> None:
    project = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PARENT.format(project=project, end=end)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid, root = parent.stdout.readline().split()
    handle = os.pidfd_open(int(pid))
    try:
        parent.wait(PATIENCE)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(PATIENCE * 1000), "the process with the server is still there"
    finally:
        os.close(handle)
        # What the forked one left: it is alone in its group.
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
    assert not os.path.exists(root)


def test_an_interrupt_at_the_keyboard_is_not_its_business() -> None:
    with serve({"/a": "text"}) as server:
        os.kill(server.pid, signal.SIGINT)
        assert fetch(server) == (200, b"text")
