"""Which fields the rules of a site add to a response, or take away.

Floor: core (pure). RFC 9110 sections 5.1 (names), 5.3 (order and lists) and 5.5 (values).

A rule is a pattern and what it does to fields. All rules that match take part, in their order; the
outcome is one `Operation` for each name, which depends on path and host alone, so that whoever
remembers what a path leads to can remember that too. `merge` then applies it to one response.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote_from_bytes

from .fields import TOKEN, elements
from .path import SitePath
from .patterns import (
    PLACEHOLDER,
    SPLAT,
    Captures,
    Index,
    Pattern,
    names_of,
    parse_host,
    parse_pattern,
)
from .reasons import Added, Tell
from .redirects import plain_host
from .response import Fields
from .rules import Dialect, Mistake, octets, where
from .targets import is_url, split_url

__all__ = [
    "FieldRule",
    "FieldRules",
    "Operation",
    "Operations",
    "checked_field",
    "make_field_rule",
    "merge",
]

Operation: TypeAlias = tuple[bytes, tuple[bytes, ...]]
"""A name, and the values of the lines that replace all that it had; none: it is removed."""

Operations: TypeAlias = tuple[Operation, ...]

MOST_OCTETS = 8 * 1024
"""Of a value, with what its placeholders stand for; it is left out if there are more."""

# Framing and connections (RFC 9112 sections 6, 9), what says how the content is coded and cut
# (RFC 9110 sections 8.4, 14.4), its validators (8.8) and what only the server can know.
_OWN = frozenset(
    (
        *(b"content-length", b"transfer-encoding", b"trailer", b"te", b"connection"),
        *(b"keep-alive", b"proxy-connection", b"upgrade", b"content-encoding", b"content-range"),
        *(b"accept-ranges", b"etag", b"last-modified", b"date", b"age", b"allow", b"location"),
        *(b"server", b"host", b"status", b"proxy-authenticate", b"www-authenticate"),
    )
)
_NOT_NETLIFYS = frozenset((b"alt-svc", b"set-cookie"))

# About the content of a file, not of a page that stands in for it; and not repeated in a 304.
_ABOUT_CONTENT = frozenset(
    (b"content-type", b"content-language", b"content-disposition", b"content-location")
)
# How long it is fresh: not for an error, which would outlast its cause.
_FRESHNESS = frozenset(
    (
        *(b"cache-control", b"expires", b"pragma", b"cdn-cache-control", b"surrogate-control"),
        *(b"cloudflare-cdn-cache-control", b"netlify-cdn-cache-control"),
    )
)

_NAME = re.compile(TOKEN)
_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")

_VALUE_SAFE = "!$&'()*+:@-._~"  # of a path, but not what delimits lists, parameters and Link

_Template: TypeAlias = tuple[bytes | str, ...]


@dataclass(slots=True, frozen=True)
class FieldRule:
    """A pattern, and what it does to fields."""

    pattern: Pattern
    host: Pattern | None
    fields: tuple[tuple[bytes, tuple[_Template, ...]], ...]
    """Names, each once and in the author's case, with a value; Set-Cookie may have several."""
    removed: tuple[bytes, ...]
    """Names in lower case; they go before anything is set."""
    source: str = ""
    line: int = 0


class FieldRules:
    """Rules in their order, ready to be asked. All have to be of one dialect."""

    def __init__(self, rules: Iterable[FieldRule], dialect: Dialect):
        self.rules = tuple(rules)
        self._dialect = dialect
        self._index = Index((rule.pattern, rule) for rule in self.rules)
        self.asks_host = any(rule.host is not None for rule in self.rules)
        """Whether the host has a say in which rule matches."""
        self.files_only = not dialect.always
        """Whether rules are for files alone, those of error pages included; else for everything."""

    def apply(
        self, path: SitePath, host: bytes | None = None, tell: Tell | None = None
    ) -> Operations:
        """Return what is to be done to the fields of a response about ``path``.

        ``host`` is an authority, which may have a port. ``tell``, if there is one, hears of each
        rule that takes part what it alone would do.
        """
        names = names_of(path, self._dialect)
        if not self._dialect.slash_matters:
            names = tuple(name.lower() for name in names)
        plain = plain_host(host)
        found: list[tuple[int, FieldRule, Captures]] = []
        for candidates in self._index.candidates(names):
            for order, pattern, rule in candidates:
                captures = pattern.match(names)
                if captures is not None and _host_matches(rule, plain, captures):
                    found.append((order, rule, captures))
        found.sort(key=lambda match: match[0])
        for _, rule, captures in found if tell is not None else ():
            assert tell is not None
            alone = _fold([(rule, captures)], self._dialect)
            fields = [(name, value) for name, values in alone for value in values]
            tell(Added(where(rule.source, rule.line), fields, rule.removed))
        return _fold([(rule, captures) for _, rule, captures in found], self._dialect)


def _host_matches(rule: FieldRule, host: bytes | None, captures: Captures) -> bool:
    if rule.host is None:
        return True
    if host is None:
        return False
    more = rule.host.match(host.split(b"."), separator=b".")
    captures.update(more or {})
    return more is not None


def _fold(found: Sequence[tuple[FieldRule, Captures]], dialect: Dialect) -> Operations:
    """Return one operation for each name.

    The first rule that sets a name replaces what the server says. The next replaces that, or in
    the other dialect adds to it.
    """
    values: dict[bytes, tuple[bytes, tuple[bytes, ...]]] = {}
    for rule, captures in found:
        for name in rule.removed:
            values[name] = (name, ())
        for name, templates in rule.fields:
            key = name.lower()
            lines = values.get(key, (name, ()))[1] if dialect.always else ()
            filled = (_fill(template, captures) for template in templates)
            lines += tuple(value for value in filled if value is not None)
            if len(lines) > 1 and key != b"set-cookie":  # RFC 9110 section 5.3
                lines = (b", ".join(lines),)
            if lines:
                values[key] = (name, lines)
    return tuple(values.values())


def _fill(template: _Template, captures: Captures) -> bytes | None:
    """Return the value; what the client sent stays escaped, as it is in a path."""
    value = b"".join(
        part
        if isinstance(part, bytes)
        else quote_from_bytes(
            captures[part], _VALUE_SAFE + "/" if part == SPLAT else _VALUE_SAFE
        ).encode()
        for part in template
    ).strip(b" \t")
    return value if value and len(value) <= MOST_OCTETS else None


def merge(fields: Fields, operations: Operations, status: int = 200) -> Fields:
    """Return ``fields`` as they are after ``operations``, for a response with ``status``.

    Vary is only ever added to, since what the server says there is true. What describes the content
    goes with the content alone, and what lets a response be stored not with an error.
    """
    if not operations:
        return fields
    taken: dict[bytes, Operation] = {}
    varies: tuple[bytes, ...] = ()
    for operation in operations:
        key = operation[0].lower()
        if key == b"vary":
            varies += operation[1]
        elif _belongs(key, status):
            taken[key] = operation
    merged = [field for field in fields if field[0].lower() not in taken]
    for name, values in taken.values():
        merged += [(name, value) for value in values]
    return _with_vary(merged, varies) if varies else merged


def _belongs(key: bytes, status: int) -> bool:
    if key in _ABOUT_CONTENT:
        return status in (200, 206)
    return key not in _FRESHNESS or status < 400


def _with_vary(fields: Fields, values: Sequence[bytes]) -> Fields:
    names = [name for key, value in fields if key.lower() == b"vary" for name in elements(value)]
    known = {name.lower() for name in names}
    for name in (name for value in values for name in elements(value)):
        if name.lower() not in known:
            known.add(name.lower())
            names.append(name)
    others = [field for field in fields if field[0].lower() != b"vary"]
    return [*others, (b"Vary", b", ".join(names))] if names else others


def make_field_rule(
    dialect: Dialect,
    *,
    for_: str,
    fields: Mapping[str, Sequence[str]],
    removed: Iterable[str] = (),
    source: str = "",
    line: int = 0,
) -> FieldRule:
    """Return the rule that these parts of a block or table make; raise `Mistake` if they make none.

    ``fields`` are checked already, by `checked_field`; several values are joined.
    """
    pattern, host = parse_for(for_, dialect)
    known = [*pattern.placeholders, *(host.placeholders if host is not None else ())]
    if len(set(known)) < len(known):
        raise Mistake("a placeholder stands for two things")
    if not dialect.substitutes:
        known = []
    return FieldRule(
        pattern=pattern,
        host=host,
        fields=tuple((octets(n), _templates(n, values, known)) for n, values in fields.items()),
        removed=tuple(octets(name).lower() for name in removed),
        source=source,
        line=line,
    )


def parse_for(text: str, dialect: Dialect) -> tuple[Pattern, Pattern | None]:
    """Return the patterns of path and host that ``text`` writes; raise `Mistake` if it does not."""
    host = None
    if is_url(text):
        if not dialect.always:
            raise Mistake(f"{text!r}: a host is not known in the dialect {dialect.name}")
        _, authority, text = split_url(text)
        host = parse_host(re.sub(r":[0-9]+$", "", authority))
        text = text or "/"
    fold = not dialect.slash_matters
    pattern = parse_pattern(text, dialect, inner_splat=True, ignore_case=fold)
    if host is not None and host.splat is not None and pattern.splat is not None:
        raise Mistake(f"{text!r}: only one '*' can be in a pattern")
    return pattern, host


def checked_field(name: str, value: str | None, dialect: Dialect) -> None:
    """Raise `Mistake` if no rule may set field ``name`` to ``value``, or remove it (``None``)."""
    key = octets(name).lower()
    if not _NAME.fullmatch(key):
        raise Mistake(f"{name!r} is no name of a field")
    if key in _OWN:
        raise Mistake(f"{name} is not for rules to set: the server knows it better")
    if key in _NOT_NETLIFYS and not dialect.always:
        raise Mistake(f"{name} is not for rules to set in the dialect {dialect.name}")
    if value is None:
        if key == b"vary":
            raise Mistake("Vary can't be removed: caches need it to keep variants apart")
    elif not _VALUE.fullmatch(octets(value)):
        raise Mistake(f"{name}: {value!r} is empty or holds a control character")
    elif len(octets(value)) > MOST_OCTETS:
        raise Mistake(f"{name}: the value is longer than {MOST_OCTETS} octets")


def _templates(name: str, values: Sequence[str], known: Collection[str]) -> tuple[_Template, ...]:
    """Return one template of the values joined; Set-Cookie is no list, and has one for each."""
    if name.lower() != "set-cookie":
        values = [", ".join(values)]
        if len(octets(values[0])) > MOST_OCTETS:
            raise Mistake(f"{name}: the values are longer than {MOST_OCTETS} octets")
    return tuple(_template(value, known) for value in values)


def _template(text: str, known: Collection[str]) -> _Template:
    """Split ``text`` at the placeholders that are known; others are text."""
    parts: list[bytes | str] = []
    start = 0
    for match in PLACEHOLDER.finditer(text):
        if match[1] in known:
            parts += (octets(text[start : match.start()]), match[1])
            start = match.end()
    return tuple(part for part in (*parts, octets(text[start:])) if part)
