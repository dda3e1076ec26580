"""What can be said of an answer, and of the request that led to it.

Floor: server. Each field of the access log's formats is a function here, and a row of the table
that `fields` returns.
"""

import re
from collections.abc import Callable
from time import gmtime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..core.fields import TOKEN
from ..core.request import Head, field_line, noted_fields
from .any_transport import tls_version

if TYPE_CHECKING:
    from .incoming import Incoming

__all__ = ["Answered", "EachSecond", "Field", "fields", "format_timestamp"]

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CODING = re.compile(rb"\r\nContent-Encoding: (" + TOKEN + rb")\r\n")


class Answered(NamedTuple):
    """An answer, and what it answered."""

    connection: "Incoming"
    head: Head | None
    """``None`` if the request was refused before its head was read."""
    line: bytes
    """The request line, or what came in its place."""
    status: int
    octets: int
    """Those of the body that were handed to the transport."""
    fields: bytes
    """The field lines of the response, each with a line end before and behind it."""
    when: float
    """Epoch seconds."""


Get: TypeAlias = Callable[[Answered], "bytes | None"]


class Field(NamedTuple):
    """Something that a line can say."""

    get: Get
    """Returns it as it is written; ``None`` if there is nothing to say."""
    is_number: bool = False
    is_ours: bool = False
    """Whether it is free of anything that would have to be escaped."""
    is_of_head: bool = False
    """Whether request line, decisive and noted field lines alone decide it."""


class EachSecond:
    """A function of whole seconds that is called once for each of them."""

    def __init__(self, make: Callable[[int], bytes]):
        self._make = make
        self._second = -1
        self._made = b""

    def __call__(self, when: float) -> bytes:
        """Return what is made of the second of ``when``."""
        second = int(when)
        if second != self._second:
            self._second, self._made = second, self._make(second)
        return self._made


def fields(worker: int | None = None) -> dict[str, Field]:
    """Return the fields by name; ``worker`` is the number of this process among several."""
    date = EachSecond(_date)
    common = EachSecond(format_timestamp)
    number = None if worker is None else b"%d" % worker
    return {
        "time": Field(lambda a: b"%s.%03dZ" % (date(a.when), int(a.when % 1 * 1000)), is_ours=True),
        "common_time": Field(lambda a: common(a.when), is_ours=True),
        "address": Field(lambda a: a.connection.client(a.head)),
        "peer": Field(lambda a: a.connection.peer()),
        "method": Field(lambda a: _words(a.line)[0], is_of_head=True),
        "target": Field(lambda a: _words(a.line)[1], is_of_head=True),
        "version": Field(lambda a: _words(a.line)[2], is_of_head=True),
        "status": Field(lambda a: b"%d" % a.status, is_number=True),
        "bytes": Field(lambda a: b"%d" % a.octets, is_number=True),
        "duration": Field(_duration, is_number=True),
        "coding": Field(_coding),
        "referer": Field(lambda a: _noted(a, b"referer"), is_of_head=True),
        "agent": Field(lambda a: _noted(a, b"user-agent"), is_of_head=True),
        "host": Field(_host, is_of_head=True),
        "scheme": Field(
            lambda a: b"https" if a.connection.is_secure(a.head) else b"http", is_ours=True
        ),
        "tls": Field(lambda a: tls_version(a.connection.transport), is_ours=True),
        "request_id": Field(
            lambda a: (a.connection.trace and a.connection.trace.request_id) or None
        ),
        "worker": Field(lambda _: number, is_number=True),
    }


def format_timestamp(when: int) -> bytes:
    """Return epoch seconds in the form that the combined format has in brackets, in UTC."""
    t = gmtime(when)
    return b"%02d/%s/%04d:%02d:%02d:%02d +0000" % (
        *(t.tm_mday, _MONTHS[t.tm_mon - 1], t.tm_year),
        *(t.tm_hour, t.tm_min, t.tm_sec),
    )


def _date(when: int) -> bytes:
    """Return epoch seconds as RFC 3339 writes them in UTC, up to the seconds."""
    return b"%04d-%02d-%02dT%02d:%02d:%02d" % gmtime(when)[:6]


def _words(line: bytes) -> tuple[bytes | None, bytes, bytes | None]:
    """Return method, target and version; of what is no request line all counts as its target."""
    words = line.split(b" ")
    if len(words) == 3 and words[2].startswith(b"HTTP/"):
        return words[0], words[1], words[2]
    return None, line, None


def _duration(a: Answered) -> bytes | None:
    # Never below zero, whatever the clock does.
    return None if a.connection.trace is None else b"%.6f" % max(a.connection.trace.elapsed(), 0)


def _coding(a: Answered) -> bytes | None:
    m = _CODING.search(a.fields)
    return None if m is None else m[1]


def _noted(a: Answered, name: bytes) -> bytes | None:
    return None if a.head is None else noted_fields(a.head.noted).get(name)


def _host(a: Answered) -> bytes | None:
    """Return the value of Host, of which a request that was understood has one at most."""
    lines = () if a.head is None else a.head.decisive[1:]
    values = [field_line(line)[1] for line in lines if line[:5].lower() == b"host:"]
    return values[0] if values else None
