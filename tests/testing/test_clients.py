"""What real clients do when a server misbehaves: each fault has to be one that they feel."""

import asyncio
import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from tests.end_to_end.processes import PATIENCE, environment, same
from tinyhttp.testing import Child, ChildServer, Content, Rule, generated, on

CONTENT = generated(300_000)
LARGE = CONTENT.octets()
TEXT = b"All work and no play makes Jack a dull boy.\n" * 200
FILES: Content = {"/a.bin": CONTENT, "/text.txt": TEXT}


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as child:
        yield child


@pytest.fixture
def server(child: Child) -> Iterator[ChildServer]:
    with child.serve(FILES) as server:
        yield server


# Three libraries, and how each calls what went wrong.


def with_requests(url: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=(PATIENCE, 0.3)).content


def with_httpx(url: str) -> bytes:
    timeout = httpx.Timeout(PATIENCE, read=0.3)
    with httpx.Client(trust_env=False, timeout=timeout, follow_redirects=True) as client:
        return client.get(url).content


def with_aiohttp(url: str) -> bytes:
    async def fetch() -> bytes:
        # In all as well: of a chunk that is broken it hears nothing, and goes on waiting.
        timeout = aiohttp.ClientTimeout(total=1, sock_read=0.3)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return await response.read()

    return asyncio.run(fetch())


FAILURES = (
    requests.RequestException,
    httpx.HTTPError,
    aiohttp.ClientError,
    TimeoutError,
    asyncio.TimeoutError,  # another one until Python 3.11
)
EVERY_LIBRARY = pytest.mark.parametrize(
    "fetch", [with_requests, with_httpx, with_aiohttp], ids=["requests", "httpx", "aiohttp"]
)
Fetch = Callable[[str], bytes]


@EVERY_LIBRARY
@pytest.mark.parametrize(
    "rule",
    [
        on("/a.bin"),
        on("/a.bin").chunked(),
        on("/a.bin").until_close(),
        on("/a.bin").gzip(),
        on("/a.bin").inform(100),
        on("/a.bin").delay(0.05).pause(100_000, 0.05).drip(3_000_000),
        on("/a.bin").flap_etag().add_field("X-Odd", "1").add_field("X-Odd", "2"),
    ],
    ids=str,
)
def test_what_every_library_bears(server: ChildServer, fetch: Fetch, rule: Rule) -> None:
    server.add(rule)
    assert same(fetch(server.url + "/a.bin"), LARGE)


@EVERY_LIBRARY
@pytest.mark.parametrize(
    "rule",
    [
        on("/a.bin").close(),
        on("/a.bin").reset(),
        on("/a.bin").stall(),
        on("/a.bin").garbage(),
        on("/a.bin").truncate(200_000),
        on("/a.bin").reset(200_000),
        on("/a.bin").stall(200_000),
        on("/a.bin").content_length(off_by=1),
        on("/a.bin").chunked(broken="size"),
        on("/a.bin").chunked(broken="short"),
        on("/a.bin").chunked(broken="end"),
        on("/a.bin").redirect("/a.bin"),
        on("/a.bin").field("Content-Encoding", "gzip"),
        on("/a.bin").gzip(broken="data"),
    ],
    ids=str,
)
def test_what_every_library_complains_of(server: ChildServer, fetch: Fetch, rule: Rule) -> None:
    server.add(rule)
    with pytest.raises(FAILURES):
        fetch(server.url + "/a.bin")


@pytest.mark.parametrize("fetch", [with_httpx, with_aiohttp])
def test_early_hints(server: ChildServer, fetch: Fetch) -> None:
    """Not requests: the standard library's client takes any 1xx but 100 for the answer."""
    server.on("/a.bin").inform(103, [("Link", "</a>; rel=preload")])
    assert same(fetch(server.url + "/a.bin"), LARGE)


@EVERY_LIBRARY
def test_refused(server: ChildServer, fetch: Fetch) -> None:
    with server.refusing(), pytest.raises(FAILURES):
        fetch(server.url + "/a.bin")


@EVERY_LIBRARY
def test_an_octet_that_nobody_notices(server: ChildServer, fetch: Fetch) -> None:
    server.on("/a.bin").corrupt(at=1000)
    body = fetch(server.url + "/a.bin")
    assert body[1000] == LARGE[1000] ^ 0xFF
    assert same(body[1001:], LARGE[1001:])


def retrying(**options: Any) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    retry = urllib3.Retry(backoff_factor=0, status_forcelist=[503], **options)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


@pytest.mark.parametrize("rule", ["status", "close", "reset", "garbage"])
def test_requests_asks_again(server: ChildServer, rule: str) -> None:
    failing = server.on("/a.bin", first=2)
    _ = failing.status(503, retry_after=0) if rule == "status" else getattr(failing, rule)()
    with retrying(total=3) as session:
        assert same(session.get(server.url + "/a.bin", timeout=PATIENCE).content, LARGE)
    server.journal.assert_requested("GET", "/a.bin", times=3)


def test_requests_gives_up(server: ChildServer) -> None:
    server.on("/a.bin").status(503)
    with retrying(total=2) as session, pytest.raises(requests.exceptions.RetryError):
        session.get(server.url + "/a.bin", timeout=PATIENCE)
    server.journal.assert_statuses(503, 503, 503)
    server.journal.assert_connections(1)


def test_requests_trusts_a_certificate_of_the_moment(child: Child) -> None:
    with child.serve(FILES, https=True) as server, requests.Session() as session:
        session.trust_env = False
        response = session.get(server.url + "/a.bin", verify=server.ca_file, timeout=PATIENCE)
        assert same(response.content, LARGE)
        with pytest.raises(requests.exceptions.SSLError):
            session.get(server.url + "/a.bin", timeout=PATIENCE)


def test_httpx_over_a_unix_socket(child: Child) -> None:
    with child.serve(FILES, unix=True) as server:
        transport = httpx.HTTPTransport(uds=server.socket_path)
        with httpx.Client(transport=transport) as client:
            assert client.get(server.url + "/text.txt").content == TEXT


# Programs.


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str, cwd: Path) -> int:
    """Run ``command`` without anybody's settings, and return its exit status."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(HOME=str(cwd), no_proxy="*"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    ).returncode


@needs("curl")
@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (on("/a.bin").close(), 52),
        (on("/a.bin").reset(), 56),
        (on("/a.bin").stall(), 28),
        (on("/a.bin").garbage(), 1),
        (on("/a.bin").truncate(1000), 18),
        (on("/a.bin").reset(1000), 56),
        (on("/a.bin").stall(1000), 28),
        (on("/a.bin").content_length(off_by=1), 18),
        (on("/a.bin").chunked(broken="size"), 56),
        (on("/a.bin").chunked(broken="end"), 18),
        (on("/a.bin").redirect("/a.bin"), 47),
        (on("/a.bin").gzip(broken="data"), 61),
        (on("/a.bin").status(503), 22),
        (on("/a.bin").drip(2_000_000).pause(9, 0.05), 0),
        (on("/a.bin").chunked(), 0),
    ],
    ids=str,
)
def test_what_curl_calls_it(server: ChildServer, tmp_path: Path, rule: Rule, status: int) -> None:
    server.add(rule)
    command = ["curl", "-sS", "--fail", "-L", "--compressed", "--max-time", "0.7", "-o", "a"]
    assert run(*command, f"{server.url}/a.bin", cwd=tmp_path) == status


@needs("curl")
def test_curl_asks_again(server: ChildServer, tmp_path: Path) -> None:
    server.on("/a.bin", first=2).status(503)
    command = ["curl", "-sS", "--fail", "--retry", "3", "--retry-delay", "0", "-o", "a"]
    # Its first wait is a second, unless the server says otherwise.
    server.clear_rules()
    server.on("/a.bin", nth=1).status(503, retry_after=1)
    assert run(*command, f"{server.url}/a.bin", cwd=tmp_path) == 0
    assert same((tmp_path / "a").read_bytes(), LARGE)
    server.journal.assert_statuses(503, 200)


@needs("curl")
def test_curl_resumes(server: ChildServer, tmp_path: Path) -> None:
    server.on("/a.bin", first=2).truncate(at=100_000)
    command = ["curl", "-sS", "--fail", "-C", "-", "-o", "a", f"{server.url}/a.bin"]
    assert [run(*command, cwd=tmp_path) for _ in range(3)] == [18, 18, 0]
    assert same((tmp_path / "a").read_bytes(), LARGE)
    server.journal.assert_statuses(200, 206, 206)


@needs("curl")
def test_curl_does_not_resume_where_ranges_are_ignored(server: ChildServer, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LARGE[:1000])
    server.on("/a.bin").ignore_range()
    command = ["curl", "-sS", "--fail", "-C", "-", "-o", "a", f"{server.url}/a.bin"]
    assert run(*command, cwd=tmp_path) == 33
    assert (tmp_path / "a").read_bytes() == LARGE[:1000]


@needs("wget")
@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_wget_resumes_by_itself(server: ChildServer, tmp_path: Path, kind: str) -> None:
    getattr(server.on("/a.bin", first=1), kind)(100_000)
    command = ["wget", "-q", "--no-proxy", "--tries=3", "--waitretry=0", f"{server.url}/a.bin"]
    assert run(*command, cwd=tmp_path) == 0
    assert same((tmp_path / "a.bin").read_bytes(), LARGE)
    server.journal.assert_requested("GET", "/a.bin", fields={"Range": "bytes=100000-"}, times=1)


@needs("wget")
def test_wget_continues(server: ChildServer, tmp_path: Path) -> None:
    server.on("/a.bin", nth=1).truncate(at=150_000)
    command = ["wget", "-q", "-c", "--no-proxy", "--tries=1", f"{server.url}/a.bin"]
    assert [run(*command, cwd=tmp_path) for _ in range(2)] == [4, 0]
    assert same((tmp_path / "a.bin").read_bytes(), LARGE)


@needs("aria2c")
def test_aria2_mends_what_breaks(server: ChildServer, tmp_path: Path) -> None:
    server.on("/a.bin", nth=1).truncate(at=100_000)
    server.on("/a.bin", nth=2).reset(at=50_000)
    command = ["aria2c", "--no-conf", "--quiet", "--max-tries=5", "--retry-wait=0"]
    options = ["--split=1", "--file-allocation=none", "--async-dns=false"]
    assert run(*command, *options, f"{server.url}/a.bin", cwd=tmp_path) == 0
    assert same((tmp_path / "a.bin").read_bytes(), LARGE)
    assert len(server.journal) >= 3


def test_the_text_survives_the_zip(server: ChildServer) -> None:
    server.on("/text.txt").gzip()
    raw = requests.get(server.url + "/text.txt", stream=True, timeout=PATIENCE).raw.read()
    assert gzip.decompress(raw) == TEXT
