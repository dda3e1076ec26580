"""A static file server over HTTP/1.1, as a Twisted protocol and a twistd plugin.

`Server` is the factory to listen with. The parts are on three floors: `tinyhttp.core` (pure),
`tinyhttp.site` (the disk) and `tinyhttp.server` (Twisted); start reading at
`tinyhttp.core.answer`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server.server import Server

__all__ = ["Server", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `Server` when it is asked for, so that ``tinyhttp.core`` needs no Twisted."""
    if name == "Server":
        from .server.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
