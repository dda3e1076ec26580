"""What a listing of a directory is, and which part of it a query asks for.

Floor: core (pure). The site floor reads the names; `listing_page` and `listing_forms` write them
down. What a query says that means nothing here is ignored, since it may be meant for somebody
else: a listing is always the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

from .fields import parse_decimal
from .natural_order import natural_key
from .path import SitePath
from .validators import is_meaningless

__all__ = [
    "DEFAULT_VIEW",
    "PER_PAGE",
    "Entry",
    "Listing",
    "TooMany",
    "View",
    "date_of",
    "href",
    "page_count",
    "page_span",
    "parse_view",
    "value_key",
]

PER_PAGE = 1000
"""Entries on a page."""

_PARAMETERS = 16
"""Parameters of a query that are looked at."""

_SORTS = {b"name": "name", b"size": "size", b"time": "time"}
_ORDERS = {b"asc": False, b"desc": True}

_DATES_END = 253_402_300_800
"""Epoch seconds of the year 10000, which RFC 3339 has no digits for."""


class Entry(NamedTuple):
    """A file or directory in a listing; a link is what it leads to."""

    name: bytes
    is_directory: bool
    size: int
    """Octets; 0 for a directory."""
    modified: int | None
    """Epoch seconds, in the years 1970 to 9999; ``None`` where the time says nothing."""


@dataclass(slots=True, frozen=True)
class View:
    """Which entries of a directory are asked for, and in which order."""

    sort: str = "name"
    """``name``, ``size`` or ``time``. Directories come first, always."""
    descending: bool = False
    page: int = 1

    def query(self) -> str:
        """Return the reference to this view of the directory, as short as it can be."""
        parts = []
        if (self.sort, self.descending) != ("name", False):
            parts += [f"sort={self.sort}", f"order={'desc' if self.descending else 'asc'}"]
        if self.page != 1:
            parts.append(f"page={self.page}")
        return "?" + "&".join(parts) if parts else "./"


DEFAULT_VIEW = View()


@dataclass(slots=True)
class Listing:
    """A page of what a directory holds."""

    path: SitePath
    view: View
    """As it is shown: the page is one that there is."""
    entries: list[Entry] = field(default_factory=list)
    """Those of the page, in order."""
    directories: int = 0
    """How many the directory holds, on all pages."""
    files: int = 0

    @property
    def total(self) -> int:
        """How many entries the directory holds, on all pages."""
        return self.directories + self.files

    @property
    def pages(self) -> int:
        """How many pages they make: at least one."""
        return page_count(self.total)


@dataclass(slots=True)
class TooMany:
    """A directory that holds more than is ever listed."""


def parse_view(query: bytes | None) -> View:
    """Return the view that ``query`` asks for: ``sort``, ``order`` and ``page``.

    Of a parameter given twice the first counts. Unknown names and values are as good as absent.
    Nothing is unescaped: no value that is known needs it.
    """
    given: dict[bytes, bytes] = {}
    for parameter in (query or b"").split(b"&", _PARAMETERS)[:_PARAMETERS]:
        name, _, value = parameter.partition(b"=")
        given.setdefault(name, value)
    return View(
        _SORTS.get(given.get(b"sort", b""), "name"),
        _ORDERS.get(given.get(b"order", b""), False),
        parse_decimal(given.get(b"page", b"")) or 1,
    )


def page_count(total: int) -> int:
    """Return how many pages ``total`` entries make: at least one, which may be empty."""
    return max(1, -(-total // PER_PAGE))


def page_span(view: View, total: int) -> tuple[View, int, int]:
    """Return ``view`` with a page that there is, and the span of ``total`` entries on it."""
    page = min(view.page, page_count(total))
    start = (page - 1) * PER_PAGE
    return View(view.sort, view.descending, page), start, min(start + PER_PAGE, total)


def value_key(view: View) -> Callable[[Entry], Any]:
    """Return the key of a ``view`` by size or time; equals are sorted by name, upwards."""
    sign = -1 if view.descending else 1
    if view.sort == "size":
        return lambda entry: (sign * entry.size, natural_key(entry.name))
    return lambda entry: (sign * (entry.modified or 0), natural_key(entry.name))


def href(name: bytes, *, is_directory: bool) -> str:
    """Return a reference from the page of a directory to ``name`` in it.

    RFC 3986 section 4.2: with a dot segment in front nothing in it can be taken for a scheme or
    a host. All but unreserved characters are escaped, so that it needs no further care in HTML.
    """
    return "./" + quote_from_bytes(name, safe="") + ("/" if is_directory else "")


def date_of(mtime_ns: int) -> int | None:
    """Return the time of a file (nanoseconds) as `Entry` has it."""
    seconds = mtime_ns // 10**9
    return seconds if 0 <= seconds < _DATES_END and not is_meaningless(mtime_ns) else None
