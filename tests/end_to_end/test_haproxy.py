"""Behind a real HAProxy, which says by PROXY headers whom it brings."""

import shutil
import socket
from pathlib import Path

import pytest

from tests.server.sockets import until
from tests.support import get, read_answers, write_tree

from .processes import PATIENCE, Running, same, start

HAPROXY = shutil.which("haproxy")
BIG = bytes(range(256)) * 8000

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")

CONFIGURATION = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen files
    bind 127.0.0.1:{front}
    server one 127.0.0.1:{back} {option} check inter 100ms
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, source: str, *requests: bytes) -> list[bytes]:
    """Return the bodies of the responses that a client at ``source`` gets; the last one closes."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        sock.sendall(b"".join(requests))
        while block := sock.recv(1 << 20):
            data += block
    return [answer.body for answer in read_answers(data)]


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("transport", [[], ["--plain-transport"]], ids=["own", "stock"])
def test_the_log_has_the_client(tmp_path: Path, option: str, transport: list[str]) -> None:
    site = write_tree(tmp_path / "site", {"a.txt": b"a", "big.bin": BIG})
    arguments = ["--port", "tcp:0:interface=127.0.0.1", "--proxy-from", "127.0.0.1"]
    with start("module", *arguments, *transport, "--path", str(site), cwd=tmp_path) as server:
        front = free_port()
        configuration = tmp_path / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(front=front, back=server.port(), option=option)
        )
        with Running([str(HAPROXY), "-db", "-f", str(configuration)], cwd=tmp_path):
            until(lambda: is_open(front))
            last = get("/a.txt", "Connection: close")
            for source in ("127.0.0.2", "127.0.0.3"):
                small, big, small_again = ask(front, source, get("/a.txt"), get("/big.bin"), last)
                assert small == small_again == b"a"
                assert same(big, BIG)
        assert server.terminate() == 0
    clients = [line.split()[0] for line in server.out.splitlines() if "HTTP/1.1" in line]
    assert clients == ["127.0.0.2"] * 3 + ["127.0.0.3"] * 3
    assert "Traceback" not in server.out + server.err


def test_without_a_header_nobody_gets_in(tmp_path: Path) -> None:
    site = write_tree(tmp_path / "site", {"a.txt": b"a"})
    arguments = ["--port", "tcp:0:interface=127.0.0.1", "--proxy-from", "127.0.0.1"]
    with start("module", *arguments, "--path", str(site), cwd=tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port()), PATIENCE) as sock:
            sock.sendall(get("/a.txt"))
            with pytest.raises(ConnectionResetError):
                sock.recv(1000)
        assert server.terminate() == 0
    assert "closed before their PROXY header, the last from 127.0.0.1" in server.out
