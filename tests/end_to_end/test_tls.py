"""TLS with the programs that people use: openssl, curl, HAProxy; and a renewal under load."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.certificates import KEY, OTHER_KEY, private_key, replace, write_pair
from tests.core.test_proxy_header import PROXY, TCP4, binary, tcp4
from tests.support import get, read_answers, write_tree
from tinyhttp.server.key_pair import KeyPair

from .processes import PATIENCE, Running, same

OPENSSL = shutil.which("openssl") or ""
CURL = shutil.which("curl") or ""
BIG = bytes(range(256)) * 20_000

needs_openssl = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
needs_curl = pytest.mark.skipif(not CURL, reason="curl is not installed")
every_version = pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
every_transport = pytest.mark.parametrize("transport", ["own", "stock"])


class Site:
    """What is served, and the certificates for it."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.root = write_tree(directory / "root", {"a.txt": b"a", "big.bin": BIG})
        self.keys = directory / "keys"
        self.one = self.renew("one", "one.test")
        self.two = self.renew("two", "two.test", "*.two.test")

    def renew(self, name: str, *names: str, days: float = 90) -> KeyPair:
        key = OTHER_KEY if name == "two" else KEY
        return write_pair(self.keys, *names, now=time.time(), days=days, key=key, name=name)

    def serve(self, transport: str = "own", *, proxied: bool = False) -> Running:
        files = [file for pair in (self.one, self.two) for file in pair.files]
        proxy = "proxy" if proxied else "direct"
        program = [sys.executable, "-m", "tests.end_to_end.tls_server"]
        arguments = [str(self.root), transport, proxy, *files]
        return Running([*program, *arguments], cwd=Path(__file__).parents[2])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Serving:
    """A server that several tests share; none of them changes anything."""

    def __init__(self, site: Site, server: Running):
        self.site = site
        self.server = server
        self.port = server.port()


@pytest.fixture(scope="module", params=["own", "stock"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    site = Site(tmp_path_factory.mktemp("tls"))
    with site.serve(request.param) as server:
        yield Serving(site, server)
        assert server.terminate() == 0
    assert "Traceback" not in server.out + server.err


def s_client(port: int, *options: str, request: bytes = b"") -> str:
    """Return what ``openssl s_client`` says to a connection, on which it sends ``request``."""
    command = [OPENSSL, "s_client", "-connect", f"127.0.0.1:{port}", *options]
    done = subprocess.run(
        command, input=request, capture_output=True, timeout=PATIENCE, check=False
    )
    return (done.stdout + done.stderr).decode("latin-1")


def certificate_in(text: str) -> str:
    (found,) = re.findall(r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n", text, re.DOTALL)
    return str(found)


def run(command: Sequence[str]) -> bytes:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True).stdout


def trusting(pair: KeyPair) -> ssl.SSLContext:
    """Return a client's context that takes the certificate of ``pair`` and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pair.certificate)
    return context


LAST = get("/a.txt", "Connection: close")


# openssl s_client.


@needs_openssl
def test_the_name_decides_which_certificate_is_shown(serving: Serving) -> None:
    port = serving.port
    for name, pair in (
        ("one.test", serving.site.one),
        ("two.test", serving.site.two),
        ("www.two.test", serving.site.two),
        ("a.b.two.test", serving.site.one),
        ("other.test", serving.site.one),
    ):
        shown = certificate_in(s_client(port, "-servername", name))
        assert shown == Path(pair.certificate).read_text()
    assert (
        certificate_in(s_client(port, "-noservername"))
        == Path(serving.site.one.certificate).read_text()
    )


@needs_openssl
def test_protocols_and_versions(serving: Serving) -> None:
    port = serving.port
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        said = s_client(port, version, "-alpn", "h2,http/1.1", request=LAST)
        assert "ALPN protocol: http/1.1" in said
        assert f"New, {name}, Cipher is" in said
        assert "HTTP/1.1 200 OK" in s_client(port, version, "-quiet", request=LAST)
        assert "no application protocol" in s_client(port, version, "-alpn", "h2")
    for old in ("-tls1", "-tls1_1"):
        said = s_client(port, old, "-cipher", "DEFAULT:@SECLEVEL=0")
        assert "alert protocol version" in said
        assert "no peer certificate available" in said


@needs_openssl
def test_ciphers(serving: Serving) -> None:
    port = serving.port
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert f"Cipher is {cipher}" in s_client(port, "-tls1_2", "-cipher", cipher)
    for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384"):
        said = s_client(port, "-tls1_2", "-cipher", cipher)
        assert "alert handshake failure" in said


@needs_openssl
@every_version
def test_sessions_are_resumed(serving: Serving, version: str, tmp_path: Path) -> None:
    session = str(tmp_path / "session")
    port = serving.port
    options = [f"-{version}", "-servername", "two.test", "-ign_eof"]
    first = s_client(port, *options, "-sess_out", session, request=LAST)
    assert "\nNew, TLS" in first
    again = s_client(port, *options, "-sess_in", session, request=LAST)
    assert "\nReused, TLS" in again
    assert "HTTP/1.1 200 OK" in again
    # The session is one name's alone.
    elsewhere = [*options[:2], "one.test", "-ign_eof"]
    assert "\nNew, TLS" in s_client(port, *elsewhere, "-sess_in", session, request=LAST)


@needs_openssl
def test_five_times_in_a_row(serving: Serving) -> None:
    said = s_client(serving.port, "-tls1_2", "-reconnect")
    assert said.count("\nReused, TLSv1.2") == 5
    assert "Secure Renegotiation IS supported" in said
    assert "Compression: NONE" in said


@needs_openssl
def test_there_is_no_renegotiation(serving: Serving) -> None:
    said = s_client(serving.port, "-tls1_2", request=b"R\n")
    assert "no renegotiation" in said


# What is wrong at the start.


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda site: replace(site.one.key, private_key(OTHER_KEY)), "the key does not belong to"),
        (lambda site: site.renew("two", "two.test", days=-0.5), "it has expired on"),
    ],
    ids=["mismatch", "expired"],
)
def test_what_is_wrong_is_said_in_a_line(site: Site, spoil: object, reason: str) -> None:
    assert callable(spoil)
    spoil(site)
    with site.serve() as server:
        assert server.end() == 1
    assert reason in server.err
    assert server.err.count("\n") == 1


# curl.


@needs_curl
def test_curl_takes_the_certificate_for_its_name(serving: Serving) -> None:
    port = serving.port

    def fetch(name: str, pair: KeyPair, target: str) -> bytes:
        where = ["--resolve", f"{name}:{port}:127.0.0.1", "--cacert", pair.certificate]
        return run([CURL, "-sS", *where, f"https://{name}:{port}{target}"])

    assert fetch("one.test", serving.site.one, "/a.txt") == b"a"
    assert fetch("www.two.test", serving.site.two, "/a.txt") == b"a"
    assert same(fetch("two.test", serving.site.two, "/big.bin"), BIG)
    with pytest.raises(subprocess.CalledProcessError):
        fetch("three.test", serving.site.one, "/a.txt")


@needs_curl
@pytest.mark.parametrize("option", ["--http1.0", "--http1.1", "--no-alpn"])
def test_curl_in_every_version_of_http(serving: Serving, option: str) -> None:
    assert run([CURL, "-sSk", option, f"https://127.0.0.1:{serving.port}/a.txt"]) == b"a"


@needs_curl
def test_curl_without_tls_is_told_so(serving: Serving) -> None:
    said = run([CURL, "-sSi", f"http://127.0.0.1:{serving.port}/a.txt"])
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"https://" in said


@needs_curl
def test_an_upload_that_is_refused_gets_its_answer(serving: Serving) -> None:
    """Though it is still under way: no reset takes the answer from the client."""
    upload = serving.site.directory / "upload"
    upload.write_bytes(bytes(700_000))
    for _ in range(5):
        command = [CURL, "-sSk", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:"]
        where = f"https://127.0.0.1:{serving.port}/a.txt"
        assert run([*command, "--data-binary", f"@{upload}", where]) == b"405"


# PROXY headers.


def test_a_proxy_header_comes_first(site: Site) -> None:
    context = trusting(site.two)
    with site.serve(proxied=True) as server:
        with socket.create_connection(("127.0.0.1", server.port()), PATIENCE) as sock:
            sock.sendall(binary(PROXY, TCP4, tcp4("203.0.113.9")))
            with context.wrap_socket(sock, server_hostname="two.test") as client:
                client.sendall(LAST)
                data = b""
                while block := client.recv(1 << 16):
                    data += block
        assert [answer.body for answer in read_answers(data)] == [b"a"]
        server.line(r"^203\.0\.113\.9 .*GET /a.txt")


# Renewal.


class Load(threading.Thread):
    """A client that connects anew for every few requests, until it is told to end."""

    def __init__(self, port: int, site: Site):
        super().__init__(daemon=True)
        self.problems: list[str] = []
        self.shown: set[bytes | None] = set()
        self.requests = 0
        self.ending = False
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.start()

    def run(self) -> None:
        while not self.ending:
            try:
                self._connect()
            except Exception as error:
                self.problems.append(repr(error))

    def _connect(self) -> None:
        with (
            socket.create_connection(("127.0.0.1", self._port), PATIENCE) as sock,
            self._context.wrap_socket(sock, server_hostname="one.test") as client,
        ):
            self.shown.add(client.getpeercert(binary_form=True))
            for request in (get("/a.txt"), get("/a.txt"), LAST):
                client.sendall(request)
                data = client.recv(1 << 16)
                self.requests += 1
                if not data.startswith(b"HTTP/1.1 200 OK") or not data.endswith(b"\r\n\r\na"):
                    self.problems.append(repr(data))


@every_transport
def test_a_renewal_under_load_costs_no_request(site: Site, transport: str) -> None:
    with site.serve(transport) as server:
        port = server.port()
        open_all_along = socket.create_connection(("127.0.0.1", port), PATIENCE)
        context = trusting(site.one)
        first = context.wrap_socket(open_all_along, server_hostname="one.test")
        load = [Load(port, site) for _ in range(3)]
        for days in (10, 20, 30):
            site.renew("one", "one.test", days=days)
            server.line(rf"renewed: .*one\.pem.* until {until(days)}")
        replace(site.one.key, b"garbage")
        server.line("the certificate in use stays, .*one.key: there is no private key in it")
        before = [each.requests for each in load]
        deadline = time.monotonic() + PATIENCE
        while any(each.requests <= count + 3 for each, count in zip(load, before, strict=True)):
            assert time.monotonic() < deadline
            load[0].join(0.01)
        for each in load:
            each.ending = True
        for each in load:
            each.join(PATIENCE)
        with first:
            first.sendall(LAST)
            assert first.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
        assert server.terminate() == 0
    assert [each.problems for each in load] == [[]] * 3
    assert len(set().union(*(each.shown for each in load))) == 4
    assert sum(each.requests for each in load) > 30
    assert "Traceback" not in server.out + server.err


def until(days: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86_400))
