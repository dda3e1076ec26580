"""Whether a rule leads a request elsewhere.

Floor: core (pure). RFC 9110 section 15.4 (redirection).

A rule *redirects*, and the client is told where to go; or *rewrites*, and gets another file of this
site, with status 200, 404 or 410. The first rule that matches decides, in the order in which they
were given. A forced rule comes before the files; any other only counts where there is no file.

Whoever asks, asks twice::

    ruling = redirects.first(path, query, host)  # forced rules
    # ... look for the file, and if there is none:
    ruling = redirects.otherwise(path, query, host)

A rewrite is not rewritten again, so that it can't go in circles. `tinyhttp.core.redirect_loops`
looks for redirects that do.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from .path import SitePath
from .patterns import PLACEHOLDER, Captures, Index, Pattern, names_of, parse_pattern
from .reasons import Tell, Tried
from .rules import Dialect, Mistake, octets, where
from .targets import Target, is_url, parse_target, split_url

__all__ = ["Redirect", "Redirects", "Rewrite", "Rule", "Ruling", "make_rule", "plain_host"]

_REWRITES = (200, 404, 410)
_HOST = re.compile(rb"[a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\]")


@dataclass(slots=True, frozen=True)
class Rule:
    """One rule, understood."""

    pattern: Pattern
    target: Target
    status: int
    forced: bool
    """Whether it comes before the files."""
    dialect: Dialect
    query: tuple[tuple[bytes, bytes | str], ...] = ()
    """Parameters that must be there, unescaped, with their value, or the placeholder for it."""
    host: bytes | None = None
    """In lower case, without port; ``None``: any."""
    source: str = ""
    line: int = 0
    """Where it stands, or which of its table it is, from 1."""

    @property
    def where(self) -> str:
        """How a person finds it."""
        return where(self.source, self.line)


@dataclass(slots=True, frozen=True)
class Redirect:
    """The client is to go to ``location``, which is escaped and fit for a field value."""

    status: int
    location: bytes
    rule: Rule

    @property
    def forced(self) -> bool:
        """Whether it comes before the files."""
        return self.rule.forced


@dataclass(slots=True, frozen=True)
class Rewrite:
    """The client is to get what ``path`` leads to, with ``status`` in place of 200.

    The path is looked up like any other, so that hidden files stay hidden; no rule is asked again.
    """

    status: int
    path: SitePath
    rule: Rule

    @property
    def forced(self) -> bool:
        """Whether it comes before the files."""
        return self.rule.forced


Ruling: TypeAlias = Redirect | Rewrite


class Redirects:
    """Rules in their order, ready to be asked. All have to be of one dialect."""

    def __init__(self, rules: Iterable[Rule]):
        self.rules = tuple(rules)
        self._index = Index((rule.pattern, rule) for rule in self.rules)
        self._dialect = self.rules[0].dialect if self.rules else None
        if any(rule.dialect is not self._dialect for rule in self.rules):
            raise ValueError("rules of two dialects can't be asked together")
        self.has_forced = any(rule.forced for rule in self.rules)
        """Whether any rule comes before the files."""
        self.asks_query = any(rule.query for rule in self.rules)
        """Whether the query has a say in which rule matches."""
        self.asks_host = any(rule.host is not None or rule.target.origin for rule in self.rules)
        """Whether the host has."""

    def first(
        self,
        path: SitePath,
        query: bytes | None = None,
        host: bytes | None = None,
        tell: Tell | None = None,
    ) -> Ruling | None:
        """Return what is to be done before a file is looked for; ``None``: look for it.

        If the first rule that matches isn't forced, a forced one behind it doesn't count.
        """
        if not self.has_forced:
            return None
        ruling = self.match(path, query, host, tell)
        return ruling if ruling is not None and ruling.forced else None

    def may_come_first(self, path: SitePath) -> bool:
        """Return whether `first` may have anything to say of ``path``, by any query and host."""
        if not self.has_forced or self._dialect is None:
            return False
        names = names_of(path, self._dialect)
        return any(
            rule.forced and pattern.match(names) is not None
            for candidates in self._index.candidates(names)
            for _, pattern, rule in candidates
        )

    def otherwise(
        self,
        path: SitePath,
        query: bytes | None = None,
        host: bytes | None = None,
        tell: Tell | None = None,
    ) -> Ruling | None:
        """Return what is to be done if there is no file; ``None``: answer 404."""
        return self.match(path, query, host, tell)

    def match(
        self,
        path: SitePath,
        query: bytes | None = None,
        host: bytes | None = None,
        tell: Tell | None = None,
    ) -> Ruling | None:
        """Return what the first rule says that matches, whether or not it is forced.

        ``query`` is still escaped; ``host`` is an authority, which may have a port. ``tell``, if
        there is one, hears of every rule that came into question.
        """
        if self._dialect is None:
            return None
        asked = _Asked(path, names_of(path, self._dialect), query, plain_host(host))
        best: tuple[int, Ruling] | None = None
        for candidates in self._index.candidates(asked.names):
            for order, _, rule in candidates:
                if best is not None and best[0] < order:
                    break
                ruling = _apply(rule, asked, tell)
                if ruling is not None:
                    best = order, ruling
                    break
        return None if best is None else best[1]


class _Asked:
    """A request, as far as rules look at it."""

    __slots__ = ("_parameters", "end", "host", "names", "path", "query")

    def __init__(
        self, path: SitePath, names: tuple[bytes, ...], query: bytes | None, host: bytes | None
    ):
        self.path = path
        self.names = names
        self.end = b"/" if path.directory and len(names) == len(path.segments) else b""
        self.query = query
        self.host = host
        self._parameters: dict[bytes, bytes] | None = None

    @property
    def parameters(self) -> dict[bytes, bytes]:
        """The parameters in the query, unescaped; of a name given twice the first counts."""
        if self._parameters is None:
            self._parameters = {}
            for pair in (self.query or b"").split(b"&"):
                name, _, value = pair.partition(b"=")
                self._parameters.setdefault(_unescape(name), _unescape(value))
        return self._parameters

    def rest_of_query(self, taken: Sequence[tuple[bytes, bytes | str]]) -> bytes | None:
        """Return the query without the parameters that a rule has asked for, still escaped."""
        if not taken or self.query is None:
            return self.query
        names = {name for name, _ in taken}
        pairs = self.query.split(b"&")
        return b"&".join(p for p in pairs if _unescape(p.partition(b"=")[0]) not in names)


def _unescape(text: bytes) -> bytes:
    """Undo the escapes of a form; this is for the query alone, where "+" is a space."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def plain_host(authority: bytes | None) -> bytes | None:
    """Return the host in ``authority`` in lower case, without port or the dot of the DNS root."""
    if not authority:
        return None
    host = authority.lower()
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0].removesuffix(b".")


def _apply(rule: Rule, asked: _Asked, tell: Tell | None = None) -> Ruling | None:
    captures: Captures | None = None
    ruling: Ruling | None = None
    if rule.host is not None and rule.host != asked.host:
        outcome = "it is for another host"
    elif (captures := rule.pattern.match(asked.names, asked.end)) is None:
        outcome = "the path is another"
    elif not _query_matches(rule, asked, captures):
        outcome = "the query is another"
    else:
        ruling, outcome = _ruling(rule, asked, captures)
    if tell is not None:
        tell(Tried(rule, outcome, captures or {}))
    return ruling


def _ruling(rule: Rule, asked: _Asked, captures: Captures) -> tuple[Ruling | None, str]:
    """Return what ``rule``, which is about the request, says; and how it came to that."""
    if rule.status in _REWRITES:
        path = rule.target.site_path(captures)
        if path is not None:
            return Rewrite(rule.status, path, rule), "matches"
    else:
        location = rule.target.location(captures, asked.rest_of_query(rule.query))
        if location is not None:
            if _leads_back(rule, asked, location):
                return None, "it would lead to where the request is already"
            return Redirect(rule.status, location, rule), "matches"
    return None, "what its placeholders stand for makes no path"


def _query_matches(rule: Rule, asked: _Asked, captures: Captures) -> bool:
    for name, wanted in rule.query:
        value = asked.parameters.get(name)
        if value is None:
            return False
        if isinstance(wanted, str):
            if not value:
                return False
            captures[wanted] = value
        elif value != wanted:
            return False
    return True


def _leads_back(rule: Rule, asked: _Asked, location: bytes) -> bool:
    """Return whether ``location`` is where the request was for: then the rule has been followed.

    So ``/* https://www.example.com/:splat`` works on a server that is also ``www.example.com``.
    """
    origin = rule.target.origin
    if origin:
        if asked.host is None or plain_host(origin.partition(b"://")[2]) != asked.host:
            return False
        location = location[len(origin) :]
    path, _, query = location.partition(b"#")[0].partition(b"?")
    return path == asked.path.escaped(directory=asked.path.directory) and query == (
        asked.query or b""
    )


def make_rule(
    dialect: Dialect,
    *,
    from_: str,
    to: str | None = None,
    status: int | None = None,
    forced: bool | None = None,
    query: Mapping[str, str] | None = None,
    host: str | None = None,
    source: str = "",
    line: int = 0,
) -> Rule:
    """Return the rule that these parts of a line or table make; raise `Mistake` if they make none.

    ``status`` and ``forced`` are the dialect's if not given.
    """
    if is_url(from_):
        _, authority, from_ = split_url(from_)
        if host is not None:
            raise Mistake("the host is given twice")
        host, from_ = authority, from_ or "/"
    pattern = parse_pattern(from_, dialect, inner_splat=dialect.parts_of_names)
    parameters = _parameters(query or {})
    status = dialect.status if status is None else status
    to = _default_target(from_, status, dialect) if to is None else to
    known = [*pattern.placeholders, *(value for _, value in parameters if isinstance(value, str))]
    if len(set(known)) < len(known):
        raise Mistake("a placeholder stands for two things")
    target = parse_target(to, known)
    _check_status(status, target, to)
    if dialect.always and not target.origin:
        _check_index(pattern, target.site_path(dict.fromkeys(known, b"~")), dialect)
    return Rule(
        pattern=pattern,
        target=target,
        status=status,
        forced=dialect.always if forced is None else forced,
        dialect=dialect,
        query=parameters,
        host=None if host is None else _checked_host(host),
        source=source,
        line=line,
    )


def _parameters(query: Mapping[str, str]) -> tuple[tuple[bytes, bytes | str], ...]:
    """Return what is asked of the query; a value is text, or wholly one placeholder."""
    parameters: list[tuple[bytes, bytes | str]] = []
    for name, value in query.items():
        if not name:
            raise Mistake("a parameter of the query has no name")
        match = PLACEHOLDER.fullmatch(value)
        wanted = match[1] if match else _unescape(octets(value))
        parameters.append((_unescape(octets(name)), wanted))
    return tuple(parameters)


def _default_target(from_: str, status: int, dialect: Dialect) -> str:
    if not dialect.always and from_.endswith("/*") and status == 200:
        return from_[:-1] + ":splat"
    raise Mistake("there is no target")


def _checked_host(host: str) -> bytes:
    plain = plain_host(octets(host))
    if plain is None or not _HOST.fullmatch(plain):
        raise Mistake(f"{host!r} is no host; placeholders can't be in it")
    return plain


def _check_status(status: int, target: Target, to: str) -> None:
    if status not in _REWRITES:
        return
    if target.origin:
        if status == 200:
            raise Mistake(f"{to!r}: fetching from another server (200 and a URL) is not supported")
        raise Mistake(f"{to!r}: with status {status} the target is a file of this site")
    if to.startswith("/.netlify/"):
        raise Mistake(f"{to!r}: functions are not supported")


def _check_index(pattern: Pattern, path: SitePath | None, dialect: Dialect) -> None:
    """Refuse what goes in circles on a host that redirects ``/index.html`` to ``/``."""
    if path is None or path.directory or path.segments[-1] not in (b"index", b"index.html"):
        return
    shown_as = SitePath(path.segments[:-1], directory=True)
    if any(pattern.match(names_of(p, dialect)) is not None for p in (path, shown_as)):
        raise Mistake(
            f"this goes in circles in the dialect {dialect.name}, which shows the file as its"
            " directory; for an application of one page there is the option spa"
        )
