"""How a configuration is written in TOML.

Above the floors. Only what a configuration of ours needs: text, true and false, numbers, lists of
text, and tables one level deep.
"""

import re
from collections.abc import Mapping

__all__ = ["document", "text"]

Value = str | bool | int | list[str] | dict[str, str]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# What a basic string can't hold bare; a lone surrogate is nothing that TOML has a way to write.
_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f]')


def text(value: str) -> str:
    """Return ``value`` as a basic string; raises ``ValueError`` for a lone surrogate."""
    value.encode()
    return '"' + _SPECIAL.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", value) + '"'


def document(settings: Mapping[str, Value], tables: Mapping[str, list[dict[str, Value]]]) -> str:
    """Return a document of ``settings``, and then of ``tables`` in arrays by name."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in settings.items()]
    for name, members in tables.items():
        for member in members:
            lines += ("", f"[[{_key(name)}]]", *_table(name, member))
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(name: str, member: Mapping[str, Value]) -> list[str]:
    """Return the lines of a table; tables in it come last, as TOML wants it."""
    lines = [f"{_key(k)} = {_value(v)}" for k, v in member.items() if not isinstance(v, dict)]
    for key, value in member.items():
        if isinstance(value, dict):
            lines.append(f"[{_key(name)}.{_key(key)}]")
            lines += [f"{_key(k)} = {text(v)}" for k, v in value.items()]
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else text(key)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(text(member) for member in value) + "]"
    assert isinstance(value, str)
    return text(value)
