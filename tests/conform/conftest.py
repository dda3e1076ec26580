"""A server of our own, in a process of its own, that serves the kit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import WAYS, Running
from tinyhttp.conform.kit import PLACE, write_kit


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("kit")
    assert write_kit(directory) == []
    (directory / PLACE / "deep").symlink_to(".")  # for a path in front
    return directory / PLACE


@pytest.fixture(scope="module")
def own_port(kit: Path) -> Iterator[int]:
    command = [*WAYS["module"], "--port", "tcp:0:interface=127.0.0.1", "--path", str(kit)]
    with Running([*command, "--access-log", "none"], cwd=kit) as running:
        yield running.port()
        assert running.terminate() == 0
        assert "Traceback" not in running.out + running.err
