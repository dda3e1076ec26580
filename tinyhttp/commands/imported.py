"""What has come of a configuration of another server.

Above the floors. The rules are those of the dialect ``netlify``, since in other servers too a file
goes before a rule; each is made once here, so that what is printed is what the server takes.
"""

import re

from ..core.rule_tables import headers_from_tables, redirects_from_tables
from ..core.rules import ERROR, NETLIFY
from . import toml_text
from .toml_text import Value

__all__ = ["Imported", "alternatives", "pattern"]

_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_GROUP = re.compile(r"@\(([^()]*)\)|\{([^{}]*)\}")
_LITERAL = re.compile(r"[^*?\[\](){}|!+@]+")
_ANY_OF_A_TYPE = re.compile(r"\*[^*?\[\](){}|!+@]+")

HTTPS_PORT = 443
MOST_ALTERNATIVES = 50
MOST_CHARACTERS = 500
"""Of a glob that is looked at for alternatives."""


class Imported:
    """Settings and rules, and what there is no equivalent of."""

    def __init__(self) -> None:
        self.settings: dict[str, Value] = {}
        self.missing: list[str] = []
        """Each with the key where it stands."""
        self._redirects: list[dict[str, Value]] = []
        self._headers: list[dict[str, Value]] = []

    def miss(self, where: str, why: str = "there is no equivalent") -> None:
        """Note that what stands at ``where`` is left out."""
        self.missing.append(f"{where}: {why}")

    def text(self, where: str, value: object) -> str | None:
        """Return ``value`` if it is text that stands for itself; else note that it is left out."""
        if not isinstance(value, str):
            self.miss(where, "text is wanted")
        elif _VARIABLE.search(value):
            self.miss(where, f"{value!r} takes something from the environment")
        else:
            return value
        return None

    def flag(self, where: str, value: object, key: str) -> None:
        """Set ``key`` to ``value``, if that is true or false."""
        if isinstance(value, bool):
            self.settings[key] = value
        else:
            self.miss(where, "true or false is wanted")

    def https_redirect(self, where: str, value: object) -> None:
        """Have plain HTTP redirected to the usual port, if ``value`` is true."""
        if not isinstance(value, bool):
            self.miss(where, "true or false is wanted")
        elif value:
            self.settings["https-redirect"] = HTTPS_PORT

    def basic_auth(self, where: str, value: object) -> None:
        """Ask for the password in the environment, if ``value`` is true."""
        if not isinstance(value, bool):
            self.miss(where, "true or false is wanted")
        elif value:
            self.settings["auth"] = ["/=env"]

    def redirect(self, where: str, rule: dict[str, Value]) -> None:
        """Add a rule, if it makes one."""
        problems = redirects_from_tables([rule], NETLIFY)[1]
        errors = [problem.text for problem in problems if problem.severity == ERROR]
        if errors:
            self.miss(where, errors[0])
        else:
            self._redirects.append(rule)

    def header(self, where: str, for_: str, values: dict[str, str]) -> None:
        """Add a rule of those ``values`` that are allowed; an empty one removes the field."""
        allowed: dict[str, str] = {}
        for name, value in values.items():
            problems = headers_from_tables([{"for": for_, "values": {name: value}}], NETLIFY)[1]
            if problems:
                self.miss(f"{where}.{name}", problems[0].text)
            else:
                allowed[name] = value
        if allowed:
            self._headers.append({"for": for_, "values": allowed})

    def document(self) -> str:
        """Return all of it in TOML."""
        tables = {"redirects": self._redirects, "headers": self._headers}
        return toml_text.document(self.settings, tables)


def pattern(glob: str, *, inner_splat: bool = False) -> str | None:
    """Return the pattern that matches what ``glob`` does, ``None`` if there is none.

    In ``glob``, ``*`` is one name and ``**`` any number of them. ``inner_splat``: for fields, where
    ``*`` may stand before an extension.
    """
    names = [name for name in glob.split("/") if name]
    parts: list[str] = []
    for index, name in enumerate(names):
        last = index == len(names) - 1
        if name == "**" and last:
            parts.append("*")
        elif name == "**" and inner_splat and index == len(names) - 2:
            if names[-1] == "*":
                continue  # "**/*" is any number too
            if not _ANY_OF_A_TYPE.fullmatch(names[-1]):
                return None
            continue
        elif name == "*":
            parts.append("*" if names[index - 1 : index] == ["**"] else f":name{index + 1}")
        elif _LITERAL.fullmatch(name) or (
            # Ours reaches into directories, so it must have done so before.
            last
            and inner_splat
            and names[index - 1 : index] == ["**"]
            and _ANY_OF_A_TYPE.fullmatch(name)
        ):
            parts.append(name)
        else:
            return None
    slash = "/" if glob.endswith("/") and parts else ""
    return "/" + "/".join(parts) + slash


def alternatives(glob: str) -> list[str]:
    """Return what ``@(a|b)`` and ``{a,b}`` in ``glob`` stand for, up to a number; else itself."""
    found = [glob]
    if len(glob) > MOST_CHARACTERS:
        return found
    while any(_GROUP.search(each) for each in found):
        found = list(dict.fromkeys(more for each in found for more in _expanded(each)))
        if len(found) > MOST_ALTERNATIVES:
            return [glob]
    return found


def _expanded(glob: str) -> list[str]:
    """Return ``glob`` with each alternative of its first, innermost group."""
    match = _GROUP.search(glob)
    if match is None:
        return [glob]
    parts = match[1].split("|") if match[1] is not None else match[2].split(",")
    return [glob[: match.start()] + part + glob[match.end() :] for part in parts]
