"""What a line of the access log looks like.

Floor: server. There are three kinds: the combined format, which every tool reads; a JSON object;
and whatever a format string with named fields makes. In none of them can what a client sends end
the line, end a quoted string, or pass for another field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..core.request import Head, noted_fields
from .log_fields import Answered, Field, fields, format_timestamp

if TYPE_CHECKING:
    from .incoming import Incoming

__all__ = ["Combined", "Format", "Formatted", "combined", "make_format"]

MAX_FIELD = 4096
"""Octets of a request line or field that are logged."""

JSON_FIELDS = (
    *("time", "address", "peer", "method", "target", "version", "status", "bytes", "duration"),
    *("coding", "referer", "agent", "host", "scheme", "tls", "request_id", "worker"),
)

_SAID = 1024
"""Lines whose part behind the time is remembered: it is made of the same words again and again."""
_SAID_LENGTH = 1024
"""Octets of a request line and its fields up to which that is done."""

# Whatever could end a line, a quoted string or a terminal's patience.
_UNSAFE = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Format(Protocol):
    """A way to make a line."""

    wants: frozenset[str]
    """Names of its fields, as far as somebody has to see to it that they are there."""

    def line(
        self,
        connection: "Incoming",
        head: Head | None,
        line: bytes,
        status: int,
        octets: int,
        shown: bytes,
    ) -> bytes:
        """Return a line, with its end, about an answer; the arguments are those of `Answered`."""


def make_format(form: str, *, clock: Callable[[], float], worker: int | None = None) -> Format:
    """Return the format that ``form`` describes: ``combined``, ``json``, or a format string.

    Raises ``ValueError`` for a format string with unpaired braces or an unknown field.
    """
    if form == "combined":
        return Combined(clock)
    known = fields(worker)
    if form == "json":
        return _json(known, clock)
    if "{" not in form:
        raise ValueError(f"{form!r}: 'combined', 'json' or a text with {{fields}} is wanted")
    return _from_string(form, known, clock)


def combined(
    line: bytes,
    status: int,
    octets: int,
    referer: bytes | None,
    agent: bytes | None,
) -> bytes:
    r"""Return what follows the time in a line of the combined format, its end included.

    ``octets`` are those of the body that were handed to the transport. Control characters,
    quotes, backslashes and everything beyond ASCII are written as ``\xHH``.
    """
    return b'"%s" %d %d "%s" "%s"\n' % (
        _escape(line),
        status,
        octets,
        _escape(referer or b"-"),
        _escape(agent or b"-"),
    )


class Combined:
    """The combined format."""

    wants: frozenset[str] = frozenset()

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._second = -1
        self._timestamp = b""
        self._said: dict[tuple[bytes, int, int, tuple[bytes, ...]], bytes] = {}

    def line(
        self,
        connection: "Incoming",
        head: Head | None,
        line: bytes,
        status: int,
        octets: int,
        shown: bytes,
    ) -> bytes:
        """See `Format.line`."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._timestamp = b" - - [%s] " % format_timestamp(second)
        about = line, status, octets, () if head is None else head.noted
        said = self._said.get(about) or self._say(about)
        return connection.client(head) + self._timestamp + said

    def _say(self, about: tuple[bytes, int, int, tuple[bytes, ...]]) -> bytes:
        """Return the part of a line that many of them share, and remember it."""
        line, status, octets, noted = about
        told = noted_fields(noted)
        said = combined(line, status, octets, told.get(b"referer"), told.get(b"user-agent"))
        if len(line) + sum(map(len, noted)) <= _SAID_LENGTH:
            if len(self._said) >= _SAID:
                self._said.clear()
            self._said[about] = said
        return said


class Value(NamedTuple):
    """A field as a format writes it."""

    name: str
    write: Callable[[Answered], bytes]
    is_of_head: bool
    """See `Field.is_of_head`."""


class Formatted:
    """A format that is made of ``pieces``, texts and values, one behind the other."""

    def __init__(self, pieces: Sequence[bytes | Value], clock: Callable[[], float]):
        values = [piece for piece in pieces if isinstance(piece, Value)]
        self.wants = frozenset(value.name for value in values)
        self._clock = clock
        self._pieces = pieces
        self._values = [value.write for value in values if not value.is_of_head]
        self._said: dict[tuple[bytes, tuple[object, ...]], bytes] = {}

    def line(
        self,
        connection: "Incoming",
        head: Head | None,
        line: bytes,
        status: int,
        octets: int,
        shown: bytes,
    ) -> bytes:
        """See `Format.line`."""
        answered = Answered(connection, head, line, status, octets, shown, self._clock())
        about = line, () if head is None else head[:2]
        said = self._said.get(about) or self._say(answered, about)
        return said % tuple([write(answered) for write in self._values])

    def _say(self, answered: Answered, about: tuple[bytes, tuple[Any, ...]]) -> bytes:
        """Return what all lines about equal heads share, with a ``%s`` for the rest of them."""
        said = b"".join(self._fixed(piece, answered) for piece in self._pieces)
        line, lines = about
        if len(line) + sum(len(each) for some in lines for each in some) <= _SAID_LENGTH:
            if len(self._said) >= _SAID:
                self._said.clear()
            self._said[about] = said
        return said

    @staticmethod
    def _fixed(piece: bytes | Value, answered: Answered) -> bytes:
        if isinstance(piece, Value):
            if not piece.is_of_head:
                return b"%s"
            piece = piece.write(answered)
        return piece.replace(b"%", b"%%")


def _json(known: Mapping[str, Field], clock: Callable[[], float]) -> Formatted:
    pieces: list[bytes | Value] = []
    for name in JSON_FIELDS:
        field = known[name]
        pieces.append(b'%s"%s":' % (b"," if pieces else b"{", name.encode()))
        pieces.append(Value(name, _as_json(field), field.is_of_head))
    return Formatted([*pieces, b"}\n"], clock)


def _as_json(field: Field) -> Callable[[Answered], bytes]:
    """Return what makes a JSON value (RFC 8259) of ``field``: a number, a string or null.

    An octet beyond ASCII becomes the character of the same number, so that nothing is lost and
    nothing has to be valid in any encoding.
    """
    get = field.get

    def number(a: Answered) -> bytes:
        return get(a) or b"null"

    def text(a: Answered) -> bytes:
        value = get(a)
        return b"null" if value is None else b'"%s"' % _escape_json(value)

    return number if field.is_number else text


def _from_string(form: str, known: Mapping[str, Field], clock: Callable[[], float]) -> Formatted:
    if _CONTROL.search(form):
        raise ValueError(f"{form!r}: a line can't hold control characters other than tabs")
    pieces: list[bytes | Value] = []
    quoted = False
    for m in _PIECE.finditer(form):
        text, name = m[0], m[1]
        if name is not None:
            if name not in known:
                raise ValueError(f"{form!r}: {_unknown(name, known)}")
            write = _as_text(known[name], quoted=quoted)
            pieces.append(Value(name, write, known[name].is_of_head))
        elif text in ("{", "}"):
            raise ValueError(f"{form!r}: {text!r} stands alone; {{{{ and }}}} write braces")
        else:
            quoted ^= text.count('"') % 2 == 1
            text = text[:1] if text in ("{{", "}}") else text
            pieces.append(text.encode("utf-8", "surrogateescape"))
    return Formatted([*pieces, b"\n"], clock)


def _unknown(name: str, known: Mapping[str, Field]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (wanted by a mistake alone)

    close = get_close_matches(name, known, 1)
    hint = f"{{{close[0]}}} is meant, perhaps" if close else f"there are {', '.join(known)}"
    return f"no field is called {name!r}; {hint}"


def _as_text(field: Field, *, quoted: bool) -> Callable[[Answered], bytes]:
    """Return what makes a text of ``field``, which is a dash if there is nothing to say.

    Where it is not in quotes a space would begin the next column, so it is escaped as well.
    """
    get = field.get
    escape = _escape if quoted else _escape_word

    def plain(a: Answered) -> bytes:
        return get(a) or b"-"

    def text(a: Answered) -> bytes:
        return escape(get(a) or b"-")

    return plain if field.is_number or field.is_ours else text


def _escape(value: bytes) -> bytes:
    return _UNSAFE.sub(lambda m: b"\\x%02x" % m[0][0], value[:MAX_FIELD])


def _escape_word(value: bytes) -> bytes:
    return _escape(value).replace(b" ", b"\\x20")


def _escape_json(value: bytes) -> bytes:
    return _UNSAFE.sub(lambda m: b"\\u%04x" % m[0][0], value[:MAX_FIELD])
