"""Which rules the tables of a configuration hold.

Floor: core (pure). The same rules as in the two files, as ``[[redirects]]`` and ``[[headers]]`` of
a TOML document that has been parsed already. A table with a mistake does not take part; which it
is, is told by its number and the key.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .field_rules import FieldRule, checked_field, make_field_rule
from .redirects import Rule, make_rule
from .redirects_file import RuleList, checked_status
from .rules import Dialect, Mistake, Problem, Report, check_keys

__all__ = ["headers_from_tables", "redirects_from_tables"]

_REDIRECT_KEYS = ("from", "to", "status", "force", "query", "host")
_HEADER_KEYS = ("for", "values")


def redirects_from_tables(
    tables: object, dialect: Dialect, source: str = "[[redirects]]"
) -> tuple[list[Rule], list[Problem]]:
    """Return the rules in ``tables``, and what is wrong with those that make none.

    ``source`` is what they are called in problems.
    """
    report = Report(source)
    rules = RuleList(dialect, report)

    def read(number: int, table: Mapping[str, Any]) -> None:
        rules.add(_redirect(table, dialect, source, number))

    _each(tables, report, read)
    return rules.rules, report.problems()


def headers_from_tables(
    tables: object, dialect: Dialect, source: str = "[[headers]]"
) -> tuple[list[FieldRule], list[Problem]]:
    """Return the rules in ``tables``, and what is wrong with those that make none.

    ``source`` is what they are called in problems.
    """
    report = Report(source)
    rules: list[FieldRule] = []

    def read(number: int, table: Mapping[str, Any]) -> None:
        rule = _headers(table, dialect, source, number)
        if len(rules) >= dialect.blocks:
            raise Mistake(f"more than {dialect.blocks} tables")
        rules.append(rule)

    _each(tables, report, read)
    return rules, report.problems()


def _each(tables: object, report: Report, read: Callable[[int, Mapping[str, Any]], None]) -> None:
    if not isinstance(tables, list):
        report.error(0, "an array of tables is wanted, with two brackets on each side")
        return
    for number, table in enumerate(tables, 1):
        try:
            if not isinstance(table, dict):
                raise Mistake("a table is wanted")
            read(number, table)
        except Mistake as mistake:
            report.error(number, str(mistake))


def _redirect(table: Mapping[str, Any], dialect: Dialect, source: str, number: int) -> Rule:
    check_keys(table, _REDIRECT_KEYS)
    status = _get(table, "status", int, "a number")
    query = _get(table, "query", dict, "a table") or {}
    for name, value in query.items():
        if not isinstance(value, str):
            raise Mistake(f"query: the value of {name!r} is wanted in quotes")
    from_ = _get(table, "from", str, "text in quotes")
    if from_ is None:
        raise Mistake("from: missing")
    return make_rule(
        dialect,
        from_=from_,
        to=_get(table, "to", str, "text in quotes"),
        status=None if status is None else checked_status(status, dialect),
        forced=_get(table, "force", bool, "true or false"),
        query=query,
        host=_get(table, "host", str, "text in quotes"),
        source=source,
        line=number,
    )


def _headers(table: Mapping[str, Any], dialect: Dialect, source: str, number: int) -> FieldRule:
    check_keys(table, _HEADER_KEYS)
    for_ = _get(table, "for", str, "text in quotes")
    if for_ is None:
        raise Mistake("for: missing")
    values = _get(table, "values", dict, "a table")
    if not values:
        raise Mistake("values: missing or empty")
    fields, removed = _read_values(values, dialect)
    return make_field_rule(
        dialect, for_=for_, fields=fields, removed=removed, source=source, line=number
    )


def _read_values(
    values: Mapping[str, Any], dialect: Dialect
) -> tuple[dict[str, list[str]], list[str]]:
    """Return values by name, and the names that are to be removed: ``""`` or ``false``."""
    fields: dict[str, list[str]] = {}
    removed: list[str] = []
    seen: set[str] = set()
    for name, value in values.items():
        if name.lower() in seen:
            raise Mistake(f"values: {name} is there twice")
        seen.add(name.lower())
        try:
            if value is False or value == "":
                checked_field(name, None, dialect)
                removed.append(name)
            else:
                fields[name] = _texts(value)
                for text in fields[name]:
                    checked_field(name, text, dialect)
        except Mistake as mistake:
            raise Mistake(f"values: {mistake}") from None
    return fields, removed


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    if not texts or len(texts) < len(values):
        raise Mistake("a value is text in quotes, a list of such, or false")
    return texts


def _get(table: Mapping[str, Any], key: str, kind: type, wanted: str) -> Any:
    """Return ``table[key]`` or ``None``; raise `Mistake` if it is of another kind."""
    value = table.get(key)
    if value is not None and type(value) is not kind:
        raise Mistake(f"{key}: {wanted} is wanted")
    return value
