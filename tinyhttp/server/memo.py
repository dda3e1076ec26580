"""Answers that were given before, ready to be sent again.

Floor: server. The answer to a request without a body is a pure function of the lines of its head
that matter, of the state of the file, and of the configuration. So it is remembered under those
lines for as long as the site has the file in mind and knows it to be as it was. Nothing is
decided here: what is sent again is what the ordinary way has made, octet for octet, but for Date,
which stands between the two halves of the head.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..core.path import SitePath
from ..core.resource import File, Span
from ..core.response import Body
from ..site.files import Found
from ..site.site import Site

__all__ = ["Memo", "Remembered", "is_closed"]

ENTRIES = 8192
"""Answers that are remembered."""
OCTETS = 64 * 1024 * 1024
"""Octets of lines, bodies and resources; most of these the site's own memory holds as well."""


class Remembered(NamedTuple):
    """An answer in memory."""

    path: SitePath
    found: Found
    """The resource that the answer is about, by the site's own memory of ``path``."""
    before_date: bytes
    after_date: bytes
    body: Body
    """Empty for HEAD. Octets, or a part of a large file, which the kernel has in mind for us."""
    status: int
    made: float
    """When, in epoch seconds: Last-Modified may not be later than Date (RFC 9110 section 8.8.2.1),
    so the answer is no good before."""
    persistent: bool
    """Whether the connection stays open behind it, as the client wished or not."""
    site: Site
    """Whose files these are."""
    others: tuple[tuple[SitePath, Found], ...] = ()
    """What else was looked up for it, such as the name under which there was no file."""
    cell: int = 0
    """Where it is counted; see `tally`."""


def is_closed(body: Sequence[bytes | Span]) -> bool:
    """Return whether the site has closed the file of ``body``, to make room for others."""
    return any(isinstance(piece, Span) and piece.file.descriptor < 0 for piece in body)


class Memo:
    """A bounded map from the decisive lines of a head to its answer.

    Forgets everything when it is full: what is in use is back at once, as the site remembers files.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._answers: dict[tuple[bytes, ...], Remembered] = {}
        self._octets = 0
        self.get = self._answers.get

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._octets = 0

    def put(self, lines: tuple[bytes, ...], answer: Remembered) -> None:
        """Remember ``answer`` under ``lines``."""
        if not self._entries:
            return
        weight = _weight(lines, answer)
        old = self._answers.pop(lines, None)
        if old is not None:
            self._octets -= _weight(lines, old)
        if len(self._answers) >= self._entries or self._octets + weight > OCTETS:
            self.clear()
        self._octets += weight
        self._answers[lines] = answer


def _weight(lines: tuple[bytes, ...], answer: Remembered) -> int:
    """Return the octets that are kept because of ``answer``.

    The resource's content is among them even if the body is empty, as for HEAD: the site may have
    dropped it. Usually it has not, and they are counted twice.
    """
    weight = sum(map(len, lines))
    if isinstance(answer.body, bytes):
        weight += len(answer.body)
    weight += _content(answer.found)
    for _, found in answer.others:
        weight += _content(found)
    return weight


def _content(found: Found) -> int:
    if not isinstance(found.resource, File):
        return 0
    contents = (variant.content for variant in found.resource.variants)
    return sum(len(content) for content in contents if isinstance(content, bytes))
