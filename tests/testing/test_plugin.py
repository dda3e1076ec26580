"""The fixtures, as a project finds them that has tinyhttp installed and knows nothing of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import PATIENCE, environment

TESTS = """
import sys
import urllib.request
import pytest


def test_nothing_was_imported():
    assert not [n for n in sys.modules if n == "twisted" or n.startswith("twisted.internet")]


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read()


PIDS = set()


@pytest.mark.parametrize("n", range(3))
def test_child(tinyhttp_server, n):
    one, two = tinyhttp_server({"/a": "1"}), tinyhttp_server({"/a": "2"})
    assert (fetch(one.url + "/a"), fetch(two.url + "/a")) == (b"1", b"2")
    one.journal.assert_requested("GET", "/a", times=1)
    PIDS.add(one.pid)
    assert len(PIDS) == 1
    assert "twisted.internet.reactor" not in sys.modules
"""

TWISTED = """
import pytest_twisted
from treq.client import HTTPClient
from twisted.web.client import Agent, HTTPConnectionPool


def test_memory(tinyhttp_agent):
    server = tinyhttp_agent({"/a": "text"})
    results = []
    HTTPClient(server.agent).get(server.url + "/a").addCallback(results.append)
    assert results[0].code == 200


@pytest_twisted.ensureDeferred
async def test_local(tinyhttp_local):
    from twisted.internet import reactor
    server = await tinyhttp_local({"/a": "text"})
    client = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)))
    assert await (await client.get(server.url + "/a")).text() == "text"
    assert server.journal.last.ended
"""

MISSING = """
import sys
sys.modules["pytest_twisted"] = None

def test_local(tinyhttp_local):
    pass
"""


def run(tmp_path: Path, tests: str, *options: str) -> str:
    (tmp_path / "test_it.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:hypothesispytest", *options],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("tests", "options", "said"),
    [
        (TESTS, ["-p", "no:twisted"], "4 passed"),
        (TWISTED, [], "2 passed"),
        (MISSING, [], "the fixture tinyhttp_local needs pytest-twisted"),
    ],
    ids=["plain", "twisted", "missing"],
)
def test_fixtures(tmp_path: Path, tests: str, options: list[str], said: str) -> None:
    assert said in run(tmp_path, tests, *options)
