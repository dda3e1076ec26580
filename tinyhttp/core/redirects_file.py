"""Which rules a file ``_redirects`` holds.

Floor: core (pure). A line is a rule: ``from [name=value ...] to [status[!]]``. The dialects differ
in more than the reading of it, and docs/rules.md has the table; where a line would mean something
else in the other dialect, that is said.
"""

import re
from collections.abc import Sequence

from .redirects import Rule, make_rule
from .rules import CLOUDFLARE, NETLIFY, Dialect, Mistake, Problem, Report, lines_of, where
from .targets import is_url

__all__ = ["RuleList", "checked_status", "parse_redirects"]

_COLON_WITHIN = re.compile(r"[^/]:[A-Za-z]")
_STATUS = re.compile(r"([0-9]{1,9})(!?)")


class RuleList:
    """Rules that come one by one, up to the number that the dialect allows."""

    def __init__(self, dialect: Dialect, report: Report):
        self.rules: list[Rule] = []
        self._dialect = dialect
        self._report = report
        self._seen: dict[object, Rule] = {}
        self._exact = self._patterns = 0

    def add(self, rule: Rule) -> None:
        """Take ``rule``, unless there is one already that matches the same; raise `Mistake`."""
        earlier = self._seen.setdefault((rule.pattern, rule.host, rule.query), rule)
        if earlier is not rule:
            text = f"never reached: {where(earlier.source, earlier.line)} matches the same"
            self._report.warning(rule.line, text)
            return
        if rule.pattern.exact is None:
            self._patterns += 1
            if self._patterns > self._dialect.patterns:
                raise Mistake(f"more than {self._dialect.patterns} rules with placeholders")
        else:
            self._exact += 1
            if self._exact > self._dialect.exact_rules:
                raise Mistake(f"more than {self._dialect.exact_rules} rules without placeholders")
        self._warn(rule)
        self.rules.append(rule)

    def _warn(self, rule: Rule) -> None:
        """Tell of what is understood, and has no effect."""
        target = rule.target
        if rule.status in (200, 404, 410) and (target.query is not None or target.fragment):
            text = f"with status {rule.status} a query or fragment in the target has no effect"
            self._report.warning(rule.line, text)


def parse_redirects(
    text: str, dialect: Dialect, source: str = "_redirects"
) -> tuple[list[Rule], list[Problem]]:
    """Return the rules in ``text``, and what is wrong with the lines that make none.

    ``source`` is what the file is called in problems.
    """
    report = Report(source)
    rules = RuleList(dialect, report)
    without_status: list[int] = []
    parse = _parse_netlify if dialect is NETLIFY else _parse_cloudflare
    for number, line in lines_of(text, dialect, report):
        try:
            rule, has_status = parse(line.split(), source, number)
            rules.add(rule)
        except Mistake as mistake:
            report.error(number, str(mistake))
            continue
        if not has_status:
            without_status.append(number)
        _warn_of_colons(line.split()[0], number, dialect, report)
    if without_status:
        report.warning(
            without_status[0],
            f"no status, here{_and_below(len(without_status) - 1)}: that is {dialect.status},"
            f" and {_other(dialect).status} in the dialect {_other(dialect).name}",
        )
    return rules.rules, report.problems()


def _and_below(count: int) -> str:
    return f" and on {count} line{'s' * (count > 1)} below" if count else ""


def _other(dialect: Dialect) -> Dialect:
    return CLOUDFLARE if dialect is NETLIFY else NETLIFY


def _parse_netlify(words: Sequence[str], source: str, line: int) -> tuple[Rule, bool]:
    """Return the rule, and whether it gives a status: ``from [query] [to] [status[!]]``."""
    comment = next((n for n, word in enumerate(words) if word.startswith("#")), len(words))
    from_, *rest = words[:comment]
    if rest and _STATUS.fullmatch(rest[0]):  # "to" may be left out
        query, to = {}, None
    else:
        place = next((n for n, word in enumerate(rest) if _is_target(word)), None)
        if place is None:
            raise Mistake("no target: that would begin with '/', 'http://' or 'https://'")
        query, to = _parse_query(rest[:place]), rest[place]
        rest = rest[place + 1 :]
    status, forced = _parse_status(rest[0], NETLIFY) if rest else (None, False)
    _refuse_conditions(rest[1:])
    rule = make_rule(
        NETLIFY,
        from_=from_,
        to=to,
        status=status,
        forced=forced,
        query=query,
        source=source,
        line=line,
    )
    return rule, status is not None


def _is_target(word: str) -> bool:
    return word.startswith("/") or is_url(word)


def _parse_query(words: Sequence[str]) -> dict[str, str]:
    query: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Mistake(f"{word!r} is neither a target nor 'name=value'")
        if name in query:
            raise Mistake(f"{name!r} is asked of the query twice")
        query[name] = value
    return query


def _refuse_conditions(words: Sequence[str]) -> None:
    """Refuse the rule: without its conditions it would be for everybody."""
    for word in words:
        name, equals, _ = word.partition("=")
        if equals:
            raise Mistake(f"{name}=...: such conditions are not supported, nor this rule without")
        raise Mistake(f"{word!r} behind the status is not understood")


def _parse_status(word: str, dialect: Dialect) -> tuple[int, bool]:
    match = _STATUS.fullmatch(word)
    if match is None:
        if "=" in word:
            _refuse_conditions([word])
        raise Mistake(f"{word!r} is no status")
    return checked_status(int(match[1]), dialect), bool(match[2])


def checked_status(status: int, dialect: Dialect) -> int:
    """Return ``status`` if a rule can give it; raise `Mistake` if not."""
    if status not in dialect.statuses:
        known = ", ".join(map(str, sorted(dialect.statuses)))
        raise Mistake(f"status {status} is none of those known here: {known}")
    return status


def _parse_cloudflare(words: Sequence[str], source: str, line: int) -> tuple[Rule, bool]:
    """Return the rule, and whether it gives a status: ``from to [status]``."""
    comment = next((n for n, w in enumerate(words) if n > 1 and w.startswith("#")), len(words))
    words = words[:comment]
    if len(words) > 1 and "=" in words[1] and not _is_target(words[1]):
        raise Mistake(f"{words[1]!r}: the query can't be matched in this dialect")
    if not 2 <= len(words) <= 3:
        raise Mistake(f"'from to status' are three words, or two, and not {len(words)}")
    status = None
    if len(words) == 3:
        status, forced = _parse_status(words[2], CLOUDFLARE)
        if forced:
            raise Mistake("there is no '!' in this dialect: every rule comes before the files")
    if is_url(words[0]):
        raise Mistake("a host in what is matched is not known in this dialect")
    rule = make_rule(
        CLOUDFLARE, from_=words[0], to=words[1], status=status, source=source, line=line
    )
    return rule, status is not None


def _warn_of_colons(from_: str, line: int, dialect: Dialect, report: Report) -> None:
    """Within a name, a colon makes a placeholder in one dialect and is text in the other."""
    path = from_.partition("://")[2].partition("/")[2] if is_url(from_) else from_
    if _COLON_WITHIN.search(path):
        meaning = "makes a placeholder" if dialect.parts_of_names else "is text"
        report.warning(line, f"a colon within a name {meaning}, but not in the other dialect")
