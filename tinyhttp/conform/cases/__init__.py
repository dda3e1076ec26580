"""All cases, by groups, in the order in which they are run and shown."""

from dataclasses import replace

from ..model import Case
from . import (
    conditional,
    connections,
    directories,
    expectations,
    fields,
    heads,
    host,
    http10,
    limits,
    methods,
    negotiation,
    paths,
    ranges,
    request_line,
    smuggling,
)

__all__ = ["CASES", "GROUPS", "find"]

GROUPS: dict[str, str] = {
    "line": "Request line",
    "field": "Fields and framing",
    "smuggling": "Smuggling",
    "host": "Host and target",
    "method": "Methods",
    "conditional": "Conditional requests",
    "range": "Ranges",
    "negotiation": "Codings beside files",
    "directory": "Directories and redirects",
    "path": "Paths and traversal",
    "connection": "Connections, pipelining",
    "limit": "Limits",
    "http10": "HTTP/1.0",
    "expect": "Expectations",
    "head": "HEAD",
}
"""Name and title of every group."""

_TABLES = {
    "line": request_line.CASES,
    "field": fields.CASES,
    "smuggling": smuggling.CASES,
    "host": host.CASES,
    "method": methods.CASES,
    "conditional": conditional.CASES,
    "range": ranges.CASES,
    "negotiation": negotiation.CASES,
    "directory": directories.CASES,
    "path": paths.CASES,
    "connection": connections.CASES,
    "limit": limits.CASES,
    "http10": http10.CASES,
    "expect": expectations.CASES,
    "head": heads.CASES,
}

CASES: tuple[Case, ...] = tuple(
    replace(case, id=f"{group}-{case.id}", group=group)
    for group in GROUPS
    for case in _TABLES[group]
)
"""Their names begin with that of their group."""


def find(id_: str) -> Case:
    """Return the case of that name; raises KeyError if there is none."""
    for case in CASES:
        if case.id == id_:
            return case
    raise KeyError(id_)
