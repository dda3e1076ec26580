"""Fixtures for pytest, found by it through the entry point ``pytest11``.

Floor: testing. It is imported at every start of pytest wherever tinyhttp is installed, so it
imports nothing before a fixture is asked for; of all Twisted's least of all its reactor.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .control import Child, ChildServer
    from .memory import MemoryServer

__all__ = ["tinyhttp_agent", "tinyhttp_child", "tinyhttp_local", "tinyhttp_server"]


@pytest.fixture(scope="session")
def tinyhttp_child() -> Iterator["Child"]:
    """The process for all servers of `tinyhttp_server`, started when the first is."""
    from .control import Child

    with Child() as child:
        yield child


@pytest.fixture
def tinyhttp_server(tinyhttp_child: "Child") -> Iterator[Callable[..., "ChildServer"]]:
    """Start servers in another process, by ``tinyhttp_server({"/a": "content"})``, for one test."""
    servers: list[ChildServer] = []

    def start(content: Any, **options: Any) -> "ChildServer":
        servers.append(tinyhttp_child.serve(content, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def tinyhttp_local() -> Iterator[Callable[..., Any]]:
    """Start servers on the reactor of pytest-twisted, for one test; to be awaited."""
    try:
        from pytest_twisted import blockon
    except ImportError:
        pytest.fail("the fixture tinyhttp_local needs pytest-twisted", pytrace=False)
    from .local import FileServer

    servers: list[FileServer] = []

    def start(content: Any, **options: Any) -> Any:
        server = FileServer(content, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        blockon(server.stop())


@pytest.fixture
def tinyhttp_agent() -> Iterator[Callable[..., "MemoryServer"]]:
    """Make servers in memory, for ``HTTPClient(tinyhttp_agent({...}).agent)`` of treq."""
    from .memory import MemoryServer

    servers: list[MemoryServer] = []

    def make(content: Any, **options: Any) -> "MemoryServer":
        servers.append(MemoryServer(content, **options))
        return servers[-1]

    yield make
    for server in servers:
        _ = server.stop()
