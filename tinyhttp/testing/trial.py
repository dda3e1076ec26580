"""How a test case of trial gets a server, and gets rid of it.

Floor: testing.
"""

from collections.abc import Callable
from typing import Any

from .content import Content
from .local import FileServer

__all__ = ["ServesFiles"]


class ServesFiles:
    """For a ``twisted.trial.unittest.TestCase``: give it servers that end with the test."""

    addCleanup: Callable[..., Any]

    async def serve(self, content: Content, **options: Any) -> FileServer:
        """Return a running server of ``content``; the options are those of `FileServer`."""
        server = await FileServer(content, **options).start()
        self.addCleanup(server.stop)
        return server
