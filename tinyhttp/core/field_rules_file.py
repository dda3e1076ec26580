"""Which rules a file ``_headers`` holds.

Floor: core (pure). A line that begins as a path does opens a block; the lines behind it are
fields, ``Name: value``, or in one dialect ``! Name`` to remove one. Indentation has no meaning.
"""

import re

from .field_rules import FieldRule, checked_field, make_field_rule
from .rules import Dialect, Mistake, Problem, Report, lines_of

__all__ = ["parse_headers"]

_OPENS_A_BLOCK = re.compile(r"/|[^\s]+://")
_PLACEHOLDER = re.compile(r":splat\b")


class _Block:
    """What has been read of one block."""

    def __init__(self, for_: str, line: int):
        self.for_ = for_
        self.line = line
        self.fields: dict[str, list[str]] = {}
        self.removed: list[str] = []
        self._cases: dict[str, str] = {}
        self.had_mistakes = False

    def add(self, name: str, value: str) -> None:
        """Note a value; the name is written as it was the first time."""
        name = self._cases.setdefault(name.lower(), name)
        self.fields.setdefault(name, []).append(value)


def parse_headers(
    text: str, dialect: Dialect, source: str = "_headers"
) -> tuple[list[FieldRule], list[Problem]]:
    """Return the rules in ``text``, and what is wrong with the lines that make none.

    ``source`` is what the file is called in problems. A line with a mistake is left out of its
    block; a block whose path is one is left out whole.
    """
    report = Report(source)
    rules: list[FieldRule] = []
    block: _Block | None = None
    opened = False
    for number, line in lines_of(text, dialect, report):
        if _OPENS_A_BLOCK.match(line):
            _close(block, dialect, source, rules, report)
            block, opened = _open(line, number, dialect, report), True
        elif block is not None:
            _read_field(line, number, block, dialect, report)
        elif not opened:
            report.error(number, "a field before the first path: that would begin with '/'")
    _close(block, dialect, source, rules, report)
    return rules, report.problems()


def _open(line: str, number: int, dialect: Dialect, report: Report) -> _Block | None:
    """Return a new block, or ``None`` if its path is wrong, so that its fields are passed over."""
    try:
        make_field_rule(dialect, for_=line, fields={})
    except Mistake as mistake:
        report.error(number, f"{mistake}; the fields below do not take part")
        return None
    return _Block(line, number)


def _read_field(line: str, number: int, block: _Block, dialect: Dialect, report: Report) -> None:
    name, colon, value = (part.strip() for part in line.partition(":"))
    try:
        if line.startswith("!"):
            _remove(line, block, dialect)
        elif not colon:
            raise Mistake(f"{line!r} is neither a path nor 'Name: value'")
        else:
            checked_field(name, value, dialect)
            block.add(name, value)
    except Mistake as mistake:
        report.error(number, str(mistake))
        block.had_mistakes = True
        return
    if not dialect.substitutes and _PLACEHOLDER.search(value):
        report.warning(number, "':splat' is text here, and a placeholder in the other dialect")


def _remove(line: str, block: _Block, dialect: Dialect) -> None:
    if not dialect.substitutes:
        raise Mistake(f"{line!r}: a field can't be removed in the dialect {dialect.name}")
    if not line.startswith("! "):
        raise Mistake(f"{line!r}: there is a space behind the '!'")
    name = line[2:].strip()
    checked_field(name, None, dialect)
    block.removed.append(name)


def _close(
    block: _Block | None, dialect: Dialect, source: str, rules: list[FieldRule], report: Report
) -> None:
    if block is None:
        return
    if not block.fields and not block.removed:
        if not block.had_mistakes:
            report.warning(block.line, f"{block.for_!r} has no fields")
        return
    if len(rules) >= dialect.blocks:
        report.error(block.line, f"more than {dialect.blocks} paths")
        return
    try:
        rule = make_field_rule(
            dialect,
            for_=block.for_,
            fields=block.fields,
            removed=block.removed,
            source=source,
            line=block.line,
        )
    except Mistake as mistake:
        report.error(block.line, str(mistake))
        return
    rules.append(rule)
