"""What all rules of a site have in common: dialects, and the mistakes of their authors.

Floor: core (pure). Rules come from the files ``_redirects`` and ``_headers``, of which two hosts
have two dialects, or from tables of a configuration. Whatever is wrong with a rule is a `Problem`
that says where it stands and what would be right, and the rule does not take part: a rule that is
understood by half would do something that nobody has asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from .path import SitePath

__all__ = [
    "CLOUDFLARE",
    "DIALECTS",
    "ERROR",
    "NETLIFY",
    "RULES_FILES",
    "WARNING",
    "Dialect",
    "Mistake",
    "Problem",
    "Report",
    "check_keys",
    "is_rules_file",
    "lines_of",
    "octets",
    "printable",
    "suggestion",
    "where",
]

ERROR = "error"
"""The rule, or line, does not take part."""
WARNING = "warning"
"""It does, but may not do what its author thinks."""

RULES_FILES = (b"_redirects", b"_headers")
"""At the root of a site."""

MOST_PROBLEMS = 100
"""Problems of one source that are told one by one; of the others only the number is."""

LONGEST_TEXT = 500
"""Characters of a problem's text; what is quoted in it may be a whole line."""

MOST_CHARACTERS = 1 << 20
"""Characters of a file of rules; a longer one is not read at all."""


@dataclass(slots=True, frozen=True)
class Dialect:
    """How a host reads its files of rules."""

    name: str
    status: int
    """Of a rule that gives none."""
    statuses: frozenset[int]
    """Which a rule may give."""
    always: bool
    """Whether rules come before files; else a file wins unless the rule is forced."""
    slash_matters: bool
    """Whether ``/a`` and ``/a/`` are two paths."""
    parts_of_names: bool
    """Whether ``:name`` and, in redirects, ``*`` may stand within a path and within a name."""
    substitutes: bool
    """Whether values of fields may hold placeholders."""
    line_length: int
    """Characters."""
    exact_rules: int
    """Redirects without placeholders; more are refused."""
    patterns: int
    """Redirects with placeholders."""
    blocks: int
    """Patterns for fields."""


NETLIFY = Dialect(
    name="netlify",
    status=301,
    statuses=frozenset((200, 301, 302, 303, 307, 308, 404, 410)),
    always=False,
    slash_matters=False,
    parts_of_names=False,
    substitutes=False,
    line_length=8192,  # this and the rest are limits of ours
    exact_rules=10_000,
    patterns=1_000,
    blocks=1_000,
)
CLOUDFLARE = Dialect(
    name="cloudflare",
    status=302,
    statuses=frozenset((200, 301, 302, 303, 307, 308)),
    always=True,
    slash_matters=True,
    parts_of_names=True,
    substitutes=True,
    line_length=2_000,
    exact_rules=2_000,
    patterns=100,
    blocks=100,
)
DIALECTS = {dialect.name: dialect for dialect in (NETLIFY, CLOUDFLARE)}


def is_rules_file(path: SitePath) -> bool:
    """Return whether ``path`` is one of the two files of rules, which are never served.

    That is at the root alone; elsewhere they are files like any other.
    """
    # In lower case, as some file systems know no other.
    return len(path.segments) == 1 and path.segments[0].lower() in RULES_FILES


class Mistake(ValueError):  # noqa: N818 (the author's, told as a `Problem`)
    """What is wrong with one rule, in words for its author."""


@dataclass(slots=True, frozen=True)
class Problem:
    """Something about a rule that its author should know."""

    source: str
    """The file, or the tables, such as ``[[redirects]]``."""
    line: int
    """The line, or which of the tables it is, from 1; 0: the problem is about all of them."""
    severity: str
    """`ERROR` or `WARNING`."""
    text: str

    def __str__(self) -> str:
        return f"{where(self.source, self.line)}: {self.severity}: {self.text}"


def where(source: str, line: int) -> str:
    """Return how a person finds a line of a file, or a table by its number."""
    if not line:
        return source
    return f"{source} {line}" if source.endswith("]") else f"{source}:{line}"


class Report:
    """The problems of ``source``, in the order in which they were found; a bounded number."""

    def __init__(self, source: str):
        self._source = source
        self._problems: list[Problem] = []
        self._untold: list[str] = []

    def error(self, line: int, text: str) -> None:
        """Note something for which a rule does not take part."""
        self.add(Problem(self._source, line, ERROR, text))

    def warning(self, line: int, text: str) -> None:
        """Note something that may not be meant."""
        self.add(Problem(self._source, line, WARNING, text))

    def add(self, problem: Problem) -> None:
        """Note ``problem``."""
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(replace(problem, text=printable(problem.text)))
        else:
            self._untold.append(problem.severity)

    def problems(self) -> list[Problem]:
        """Return what was noted."""
        if not self._untold:
            return list(self._problems)
        severity = ERROR if ERROR in self._untold else WARNING
        text = f"{len(self._untold)} more problems are not told"
        return [*self._problems, Problem(self._source, 0, severity, text)]


def lines_of(text: str, dialect: Dialect, report: Report) -> Iterable[tuple[int, str]]:
    """Give the number and text of every line that is neither empty nor a comment.

    Lines end with LF alone, so that the numbers are an editor's.
    """
    if len(text) > MOST_CHARACTERS:
        report.error(0, f"longer than {MOST_CHARACTERS} characters: nothing of it is read")
        return
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if len(line) > dialect.line_length:
            report.error(number, f"longer than {dialect.line_length} characters")
        else:
            yield number, line


def octets(text: str) -> bytes:
    """Return ``text`` in UTF-8; octets that were read as surrogates come out as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Mistake(f"{text!r} is not text") from None


def printable(text: str) -> str:
    """Return ``text`` short, and without what could move a terminal's cursor: it quotes a file."""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` if one of ``known`` resembles ``word``, or nothing."""
    close = get_close_matches(word[:100], list(known), 1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def check_keys(table: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise `Mistake` if ``table`` has a key that is not among ``known``."""
    for key in table:
        if key not in set(known):
            raise Mistake(f"{key}: no such key{suggestion(str(key), known)}")
