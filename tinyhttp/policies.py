"""How a site's policy is made: of options, tables of the configuration, and files of rules.

Whatever is wrong raises `CannotStart`, with a line for each mistake; what is only odd is logged.
"""

import os
import stat
from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

from .core.access import Access, deepest_first
from .core.caching import Caching
from .core.cors import Cors
from .core.field_rules import FieldRule, FieldRules
from .core.field_rules_file import parse_headers
from .core.policy import Policy
from .core.redirect_loops import examine
from .core.redirects import Redirects, Rule
from .core.redirects_file import parse_redirects
from .core.response import Fields
from .core.rule_tables import headers_from_tables, redirects_from_tables
from .core.rules import DIALECTS, ERROR, NETLIFY, Dialect, Problem
from .options import CannotStart

__all__ = ["make_policy", "problems_of", "read_rules"]

LONGEST = 8 * 1024 * 1024
"""Octets of a file of rules."""

_log = Logger()

_SECURITY: Fields = [
    (
        b"Content-Security-Policy",
        b"base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
    ),
    (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
    (b"X-Frame-Options", b"SAMEORIGIN"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Permissions-Policy", b"camera=(), geolocation=(), microphone=()"),
]
_SAME_ORIGIN = (b"Cross-Origin-Resource-Policy", b"same-origin")


class _Read:
    """The rules of a site, from its configuration and its files, and what is wrong with them."""

    def __init__(self, values: Mapping[str, Any], dialect: Dialect, place: str):
        self.redirects: list[Rule] = []
        self.fields: list[FieldRule] = []
        self.problems: list[Problem] = []
        self._root = values["path"]
        rules, problems = redirects_from_tables(
            values["redirects"], dialect, f"{place}[[redirects]]"
        )
        self._add(rules, problems, self.redirects)
        blocks, problems = headers_from_tables(values["headers"], dialect, f"{place}[[headers]]")
        self._add(blocks, problems, self.fields)
        if values["dialect"] != "none":
            self._read_files(dialect)

    def _read_files(self, dialect: Dialect) -> None:
        path, text = self._file("_redirects")
        if text is not None:
            self._add(*parse_redirects(text, dialect, path), self.redirects)
        path, text = self._file("_headers")
        if text is not None:
            self._add(*parse_headers(text, dialect, path), self.fields)

    def _add(self, found: list[Any], problems: list[Problem], to: list[Any]) -> None:
        to += found
        self.problems += problems

    def _file(self, name: str) -> tuple[str, str | None]:
        path = os.path.join(self._root, name)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return path, None  # a directory; or a pipe, at which we would wait for ever
            with open(path, "rb") as file:
                content = file.read(LONGEST + 1)
        except FileNotFoundError:
            return path, None
        except OSError as error:
            self.problems.append(Problem(path, 0, ERROR, f"{error.strerror}"))
            return path, None
        if len(content) > LONGEST:
            self.problems.append(Problem(path, 0, ERROR, f"longer than {LONGEST} octets"))
            return path, None
        return path, content.decode("utf-8-sig", "surrogateescape")


def read_rules(
    values: Mapping[str, Any], place: str = ""
) -> tuple[Redirects | None, FieldRules | None, list[Problem]]:
    """Return the rules of a site, and what is wrong with them.

    ``place`` is which tables are meant. With "none" for a dialect no file is read, and tables are
    as in the usual one.
    """
    dialect = DIALECTS.get(values["dialect"], NETLIFY)
    read = _Read(values, dialect, place)
    redirects = Redirects(read.redirects) if read.redirects else None
    fields = FieldRules(read.fields, dialect) if read.fields else None
    if redirects is not None:
        read.problems += examine(redirects)
    return redirects, fields, read.problems


def problems_of(values: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the rules of a site."""
    return read_rules(values)[2]


def make_policy(values: Mapping[str, Any], place: str = "") -> Policy:
    """Return the policy of the site that ``values``, by the names of settings, describe.

    ``place`` stands before what mistakes are in. Raises `CannotStart`.
    """
    redirects, field_rules, problems = read_rules(values, place)
    mistakes = [str(problem) for problem in problems if problem.severity == ERROR]
    if mistakes:
        raise CannotStart("\n".join(mistakes))
    for problem in problems:
        _log.warn("{problem}", problem=problem)
    return Policy(
        listing=values["listing"],
        clean_urls=values["clean-urls"],
        index=_index(values),
        trailing_slash=values["trailing-slash"],
        spa=values["spa"],
        error_pages=dict(values["error-page"]),
        hides_rules=values["dialect"] != "none",
        redirects=redirects,
        field_rules=field_rules,
        caching=_caching(values),
        cors=Cors(frozenset(values["cors"])) if values["cors"] else None,
        accesses=_accesses(values, place),
        https_port=values["https-redirect"],
        canonical_host=values["canonical-host"].encode() or None,
        fields=_security(values),
        secure_fields=([(b"Strict-Transport-Security", values["hsts"])] if values["hsts"] else []),
    )


def _caching(values: Mapping[str, Any]) -> Caching | None:
    rules, fingerprints = values["cache-control"], values["caching"]
    return Caching(rules, fingerprints=fingerprints) if rules or fingerprints else None


def _security(values: Mapping[str, Any]) -> Fields:
    if not values["security-headers"]:
        return []
    # Whoever lets other sites read what is here lets them show it, too.
    return [*_SECURITY, *([] if values["cors"] else [_SAME_ORIGIN])]


def _index(values: Mapping[str, Any]) -> tuple[bytes, ...]:
    return tuple(os.fsencode(name) for name in values["index"] or ["index.html"])


def _accesses(values: Mapping[str, Any], place: str) -> tuple[Access, ...]:
    index = _index(values)
    realm = values["auth-realm"]
    accesses = [
        Access(
            path,
            realm or path.escaped(directory=False).decode(),
            source,
            index,
            values["clean-urls"],
        )
        for path, source in values["auth"]
    ]
    try:
        return deepest_first(accesses)
    except ValueError as error:
        raise CannotStart(f"{place}--auth: {error}") from None
