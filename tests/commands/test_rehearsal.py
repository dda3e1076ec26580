"""What is rehearsed is what is performed."""

from collections.abc import Iterator

import pytest

from tests.server.wire_table import CASES, Case, write_site
from tests.support import Client, make_server
from tinyhttp.commands.rehearsal import rehearse
from tinyhttp.server.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = make_server(write_site(tmp_path_factory.mktemp("wire")))
    yield server
    _ = server.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_head_is_the_servers(server: Server, case: Case) -> None:
    received = Client(server).send(case.request).received
    expected = received[: received.index(b"\r\n\r\n") + 4]
    rehearsal = rehearse(server, case.request)
    assert rehearsal.head == expected
    assert rehearsal.status == case.status
