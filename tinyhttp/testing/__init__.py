"""A file server for other people's tests: real content, real answers, faults on demand.

``docs/testing.md`` is the guide. `FileServer` runs in this process on Twisted's reactor; `serve`
and `Child` in another process, for tests that know no Twisted; `MemoryServer` without sockets, on
a clock. Nothing is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .certificates import Trust
    from .content import Content, Generated, generated
    from .control import Child, ChildServer, serve
    from .faults import Faults
    from .journal import Entry
    from .local import FileServer
    from .memory import MemoryServer
    from .mistakes import ScriptError
    from .rules import Rule, on
    from .trial import ServesFiles

__all__ = [
    "Child",
    "ChildServer",
    "Content",
    "Entry",
    "Faults",
    "FileServer",
    "Generated",
    "MemoryServer",
    "Rule",
    "ScriptError",
    "ServesFiles",
    "Trust",
    "generated",
    "on",
    "serve",
]

_MODULES = {
    **dict.fromkeys(("Content", "Generated", "generated"), "content"),
    **dict.fromkeys(("Child", "ChildServer", "serve"), "control"),
    **dict.fromkeys(("Rule", "on"), "rules"),
    "Entry": "journal",
    "Faults": "faults",
    "FileServer": "local",
    "MemoryServer": "memory",
    "ScriptError": "mistakes",
    "ServesFiles": "trial",
    "Trust": "certificates",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    from importlib import import_module

    if name in _MODULES:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
