"""Paths that are answered by functions, and what these say.

Floor: server. A `Server` looks here before it looks for a file, at the path as it came: what is
found is answered at once, whatever lies on the disk under that name; it is not remembered, not
logged and not counted, as it is asked for every few seconds by balancers and says nothing of
visitors.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ..core.request import Request
from ..core.response import Fields, Refused, Response

__all__ = ["NO_STORE", "Health", "Page", "index_page", "only_read"]

Page: TypeAlias = Callable[[Request], Response]
"""Answers a request at once; it may raise `Refused`. For HEAD no body is sent."""

NO_STORE: Final[Fields] = [(b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff")]

_ALLOW: Final = (b"Allow", b"GET, HEAD")


def only_read(request: Request) -> None:
    """Raise `Refused` (405) for every method but GET and HEAD (RFC 9110 section 15.5.6)."""
    if request.method not in (b"GET", b"HEAD"):
        raise Refused(405, "This page can be read, and nothing else.", [_ALLOW])


class Health:
    """Whether this process lives, and wants requests; both pages are for balancers.

    ``unready`` is the status that says it wants none: 503, or 404 for HAProxy's
    ``disable-on-404``, which then sends no new clients but leaves those it has.
    """

    def __init__(self, unready: int = 503):
        self._unready = unready
        self.state = "starting"
        """Then "ready", then "draining"."""

    @property
    def is_ready(self) -> bool:
        """Whether it wants requests."""
        return self.state == "ready"

    def begin(self) -> None:
        """It listens, and is ready; unless it has been told to drain meanwhile."""
        if self.state == "starting":
            self.state = "ready"

    def drain(self) -> None:
        """It is about to end, and wants no requests any more."""
        self.state = "draining"

    def live(self, request: Request) -> Response:
        """Return 200: whoever gets it knows that the reactor turns."""
        only_read(request)
        return _short(200, "live")

    def ready(self, request: Request) -> Response:
        """Return 200, or ``unready`` while starting and draining."""
        only_read(request)
        return _short(200 if self.is_ready else self._unready, self.state)


def index_page(pages: Mapping[bytes, Page]) -> Page:
    """Return a page that lists the paths of ``pages``."""
    links = b"".join(b'<li><a href="%s">%s</a></li>\n' % (path, path) for path in pages)
    body = b"<!DOCTYPE html>\n<title>tinyhttp</title>\n<ul>\n%s</ul>\n" % links

    def index(request: Request) -> Response:
        only_read(request)
        fields = [(b"Content-Type", b"text/html; charset=utf-8"), *NO_STORE]
        return Response(200, fields, body, len(body))

    return index


def _short(status: int, word: str) -> Response:
    fields = [(b"Content-Type", b"text/plain; charset=utf-8"), *NO_STORE]
    body = word.encode() + b"\n"
    return Response(status, fields, body, len(body))
