"""Answers that were given before, ready to be sent again.

Floor: server. The answer to a request without a body is a pure function of the lines of its head
that matter, of the state of the file, and of the configuration. So it is remembered under those
lines for as long as the site has the file in mind and knows it to be as it was. Nothing is
decided here: what is sent again is what the ordinary way has made, octet for octet, but for Date,
which stands between the two halves of the head.
"""

from typing import NamedTuple

from ..core.path import SitePath
from ..site.files import Found

__all__ = ["Memo", "Remembered"]

ENTRIES = 8192
"""Answers that are remembered."""
OCTETS = 64 * 1024 * 1024
"""Octets of their bodies, most of which the site's own memory holds as well."""


class Remembered(NamedTuple):
    """An answer in memory."""

    path: SitePath
    found: Found
    """The resource that the answer is about, by the site's own memory of ``path``."""
    before_date: bytes
    after_date: bytes
    body: bytes
    """Empty for HEAD."""
    status: int
    persistent: bool
    """Whether the connection stays open behind it, as the client wished or not."""


class Memo:
    """A bounded map from the decisive lines of a head to its answer.

    Forgets everything when it is full: what is in use is back at once, as the site remembers files.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[bytes, ...], Remembered] = {}
        self._octets = 0
        self.get = self._answers.get

    def put(self, lines: tuple[bytes, ...], answer: Remembered) -> None:
        """Remember ``answer`` under ``lines``."""
        old = self._answers.get(lines)
        self._octets += len(answer.body) - (0 if old is None else len(old.body))
        if len(self._answers) >= ENTRIES or self._octets > OCTETS:
            self._answers.clear()
            self._octets = len(answer.body)
        self._answers[lines] = answer
