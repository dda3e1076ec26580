"""The same under every reactor, through our own transport and through Twisted's."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import pytest

from tests.server.test_wire import the_answer
from tests.server.wire_table import A_TXT, CASES, write_site
from tests.support import NOW, get, read_answers

from .processes import PATIENCE, WAYS, Running, fetch, same

BIG = Random(2).randbytes(5_000_000)

# The table is about a server whose clock stands still. Here it is the one of this machine.
ROWS = [
    case
    for case in CASES
    if b" GMT" not in case.request and (b"\r\nIf-" not in case.request or time.time() > NOW)
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_site(tmp_path_factory.mktemp("reactors"))
    (root / "big.bin").write_bytes(BIG)
    return root


@pytest.fixture(scope="module", params=["own", "plain"])
def transport(request: pytest.FixtureRequest) -> list[str]:
    return {"own": [], "plain": ["--plain-transport"]}[request.param]


@pytest.fixture(scope="module", params=["epoll", "poll", "select", "asyncio"])
def server(
    request: pytest.FixtureRequest, site: Path, transport: list[str]
) -> Iterator[tuple[Running, int]]:
    program, *options = WAYS["twistd"]
    command = [program, f"--reactor={request.param}", *options, "--port", "0", *transport]
    command += ["--path", str(site), "--access-log", "none"]
    with Running(command, cwd=site) as running:
        yield running, running.port()
        assert running.terminate() == 0
        assert "Traceback" not in running.out + running.err
        assert "Twisted's own transport" not in running.out


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def read_to_the_end(client: socket.socket) -> bytes:
    blocks = []
    while block := client.recv(65536):
        blocks.append(block)
    return b"".join(blocks)


def test_the_wire(server: tuple[Running, int]) -> None:
    """Row by row, and several at once."""
    assert len(ROWS) > 300
    _, port = server
    wrong = []
    for start in range(0, len(ROWS), 50):
        with ExitStack() as stack:
            clients = []
            for case in ROWS[start : start + 50]:
                client = stack.enter_context(closing(connect(port)))
                client.sendall(case.request)
                client.shutdown(socket.SHUT_WR)
                clients.append((case, client))
            for case, client in clients:
                answer = the_answer(read_to_the_end(client))
                if answer.status != case.status or case.body not in (None, answer.body):
                    wrong.append((case.name, answer.status))
    assert wrong == []


def test_a_large_file(server: tuple[Running, int]) -> None:
    _, port = server
    response, body = fetch(port, "/big.bin")
    assert response.status == 200
    assert same(body, BIG)
    response, body = fetch(port, "/big.bin", Range="bytes=1234567-4567890")
    assert response.status == 206
    assert same(body, BIG[1_234_567:4_567_891])


def test_many_connections(server: tuple[Running, int]) -> None:
    """Open at the same time, and each used more than once."""
    _, port = server
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(port))) for _ in range(200)]
        for _ in range(2):
            for client in clients:
                client.sendall(get("/a.txt"))
            for client in clients:
                received = b""
                while not received.endswith(A_TXT):
                    received += client.recv(65536)
                (answer,) = read_answers(received)
                assert answer.status == 200


def test_many_downloads(server: tuple[Running, int]) -> None:
    _, port = server
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(port))) for _ in range(10)]
        for client in clients:
            client.sendall(get("/big.bin", "Connection: close"))
        for client in clients:
            (answer,) = read_answers(read_to_the_end(client))
            assert same(answer.body, BIG)
