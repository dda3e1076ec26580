"""The server for tests under trial, which fails a test that leaves anything in the reactor."""

from typing import Any

from treq.client import HTTPClient
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed

from tinyhttp.testing import FileServer, ServesFiles, generated


class WithServers(ServesFiles, TestCase):
    """Each test leaves its servers, and connections to them, to the mixin."""

    timeout = 30

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor

    def client(self, server: FileServer) -> HTTPClient:
        pool = HTTPConnectionPool(self.reactor)
        self.addCleanup(pool.closeCachedConnections)
        return HTTPClient(Agent(self.reactor, pool=pool))

    async def test_a_connection_that_is_kept(self) -> None:
        server = await self.serve({"/a.txt": "text"})
        response = await self.client(server).get(server.url + "/a.txt")
        assert await response.text() == "text"

    async def test_an_answer_that_never_ends(self) -> None:
        server = await self.serve({"/big": generated(10_000_000)})
        server.on("/big").stall(at=1_000_000)
        response = await self.client(server).get(server.url + "/big")
        body = response.content()
        await server.journal.wait_for()
        await server.stop()
        await self.assertFailure(body, ResponseFailed)

    async def test_one_that_drips_while_the_test_ends(self) -> None:
        bodies: list[Any] = []
        self.addCleanup(lambda: self.assertFailure(bodies[0], ResponseFailed))  # done last
        server = await self.serve({"/big": generated(10_000_000)})
        server.on("/big").drip(1000)
        response = await self.client(server).get(server.url + "/big")
        bodies.append(response.content())

    async def test_several_servers(self) -> None:
        for n in range(10):
            server = await self.serve({"/n": str(n)})
            response = await self.client(server).get(server.url + "/n")
            assert await response.text() == str(n)
