"""The rules of the house: who may know whom, and that nothing is shared behind anybody's back.

Read from the source, so that an import inside a function counts as well.
"""

import ast
import dataclasses
import importlib
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from types import (
    BuiltinFunctionType,
    FunctionType,
    GenericAlias,
    MappingProxyType,
    ModuleType,
    NoneType,
    UnionType,
)

import pytest
from twisted.logger import Logger

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinyhttp"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PLUGIN = ROOT / "twisted" / "plugins" / "tinyhttp_plugin.py"


def name_of(source: Path) -> str:
    """Return the dotted name of the module in ``source``."""
    parts = source.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(source: Path) -> list[str]:
    return list(source.relative_to(ROOT).parent.parts)


def imports(source: Path, tree: ast.AST) -> Iterator[str]:
    """Give the full name of everything that is imported anywhere in ``tree``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = package_of(source)
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parse(source: Path) -> ast.Module:
    return ast.parse(source.read_text(), str(source))


def is_within(name: str, allowed: frozenset[str]) -> bool:
    """Return whether ``name`` is one of ``allowed`` or belongs to one of them."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in allowed for n in range(1, len(parts) + 1))


# Nothing here can tell the time, touch a disk or a socket, or start a thread.
CORE = frozenset(
    {
        "base64.b64decode",
        "base64.b64encode",
        "calendar.timegm",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime.datetime",
        "difflib.get_close_matches",
        "hashlib.blake2s",
        "hashlib.sha256",
        "heapq.merge",
        "html.escape",
        "ipaddress",
        "json.dumps",
        "re",
        "struct",
        "time.gmtime",
        "typing",
        "unicodedata.normalize",
        "urllib.parse",
        "tinyhttp.core",
    }
)

# The disk and what goes with it; it may run in any thread, so it may have a lock, but starts none.
SITE = frozenset(
    {
        "brotli",
        "collections",
        "contextlib",
        "dataclasses",
        "errno",
        "functools",
        "hashlib",
        "itertools.islice",
        "json",
        "os",
        "re",
        "stat",
        "threading.Lock",
        "typing",
        "zlib",
        "zstandard",
        "tinyhttp.core",
        "tinyhttp.site",
    }
)

# Of Twisted what moves octets and waits; not its own HTTP, nor how services are configured.
SERVER = frozenset(
    {
        "bisect",
        "argon2",
        "bcrypt",
        "collections",
        "dataclasses",
        "contextlib",
        "cryptography",  # where it is needed alone: to read certificates
        "datetime",
        "difflib",
        "errno",
        "fcntl",
        "functools",
        "hashlib.blake2b",
        "hmac.compare_digest",
        "importlib.import_module",
        "json",
        "itertools",
        "heapq.nsmallest",
        "math",
        "mmap",
        "os",
        "prometheus_client",
        "re",
        "resource",
        "select",
        "signal",
        "socket",
        "ssl",
        "stat",
        "struct",
        "sys",
        "tempfile",
        "termios",
        "threading",
        "time",
        "typing",
        "twisted.__version__",
        "twisted.internet",
        "twisted.logger",
        "twisted.protocols.policies",
        "twisted.protocols.tls",
        "twisted.python",
        "zope.interface",
        "tinyhttp.core",
        "tinyhttp.site",
        "tinyhttp.server",
    }
)

# A tool for other people's tests, above the server: processes, archives, and Twisted's client.
TESTING = frozenset(
    {
        *("collections", "contextlib", "dataclasses", "datetime", "fcntl", "fnmatch", "gzip"),
        *("hashlib.sha256", "importlib.import_module", "ipaddress", "itertools", "json", "os"),
        *("pathlib.Path", "random.Random", "re", "selectors", "shutil", "signal", "socket"),
        *("stat", "struct", "subprocess", "sys", "tempfile", "termios", "threading", "time"),
        *("types", "typing", "urllib.parse", "zipfile"),
        *("OpenSSL.SSL", "cryptography", "pytest", "pytest_twisted.blockon"),
        *("twisted.internet", "twisted.logger", "twisted.protocols", "twisted.python"),
        *("twisted.web.client", "twisted.web.iweb", "zope.interface"),
        *("tinyhttp.core", "tinyhttp.site", "tinyhttp.server", "tinyhttp.testing"),
    }
)

FLOORS = {"core": CORE, "site": SITE, "server": SERVER, "testing": TESTING}
# Beside the floors: a client that shares nothing with the server, so that the two can't be wrong in
# the same way. It is no part of serving, and none of the floors may know it.
CONFORM = frozenset(
    {
        "base64.b64decode",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime",
        "ipaddress",
        "json",
        "os",
        "pathlib",
        "re",
        "select",
        "socket",
        "ssl",
        "threading",
        "time",
        "typing",
        "urllib.parse",
        "tinyhttp.__version__",
        "tinyhttp.conform",
    }
)

FLOORS = {"core": CORE, "site": SITE, "server": SERVER, "conform": CONFORM}


def sources_of(floor: str) -> list[Path]:
    return sorted((PACKAGE / floor).rglob("*.py"))


ON_A_FLOOR = pytest.mark.parametrize(
    ("floor", "source"),
    [(floor, source) for floor in FLOORS for source in sources_of(floor)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
EVERY_SOURCE = pytest.mark.parametrize("source", SOURCES, ids=name_of)


def test_every_floor_is_there() -> None:
    """Else the tests below would have nothing to say."""
    for floor in FLOORS:
        assert len(sources_of(floor)) > 3


@ON_A_FLOOR
def test_a_floor_knows_only_what_is_below_it(floor: str, source: Path) -> None:
    strangers = [n for n in imports(source, parse(source)) if not is_within(n, FLOORS[floor])]
    assert strangers == []


@pytest.mark.parametrize("source", sources_of("core"), ids=name_of)
def test_core_does_not_ask_for_the_time(source: Path) -> None:
    """`datetime` is allowed for the calendar, but it is a clock as well."""
    clocks = {"now", "today", "utcnow"}
    attributes = {n.attr for n in ast.walk(parse(source)) if isinstance(n, ast.Attribute)}
    assert not attributes & clocks


@pytest.mark.parametrize("source", [*sources_of("core"), *sources_of("site")], ids=name_of)
def test_only_the_upper_floor_prints_opens_or_evaluates(source: Path) -> None:
    """``open`` is the disk without an import; on the site floor it would not be anchored."""
    calls = (node.func for node in ast.walk(parse(source)) if isinstance(node, ast.Call))
    names = {function.id for function in calls if isinstance(function, ast.Name)}
    assert not names & {"open", "print", "input", "exec", "eval", "__import__"}


@EVERY_SOURCE
def test_http_is_our_own(source: Path) -> None:
    foreign = frozenset({"twisted.web", "http", "h11", "email", "mimetypes"})
    if name_of(source) == "tinyhttp.testing.memory":
        foreign -= {"twisted.web"}  # the client that is tested there
    assert [n for n in imports(source, parse(source)) if is_within(n, foreign)] == []


REACTOR = frozenset({"twisted.internet.reactor"})
MAY_NAME_THE_REACTOR = {
    *("tinyhttp.service", "tinyhttp.worker", "tinyhttp.__main__"),
    *("tinyhttp.testing.local", "tinyhttp.testing.child"),  # entry points as well
}


@EVERY_SOURCE
def test_the_global_reactor_is_not_installed_by_importing(source: Path) -> None:
    """Its import installs it; a library that did so would choose for everybody."""
    tree = parse(source)
    inside: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside.update(imports(source, node))
            node.body = []  # so that what remains is what importing runs
    assert not [n for n in imports(source, tree) if is_within(n, REACTOR)]
    if name_of(source) not in MAY_NAME_THE_REACTOR:
        assert not [n for n in inside if is_within(n, REACTOR)]


@EVERY_SOURCE
def test_what_serves_knows_nothing_of_what_misbehaves(source: Path) -> None:
    if "testing" not in source.relative_to(PACKAGE).parts:
        testing = frozenset({"tinyhttp.testing"})
        assert not [n for n in imports(source, parse(source)) if is_within(n, testing)]


def test_the_plugin_imports_nothing_of_ours() -> None:
    """It is imported at every start of twistd, whatever is started."""
    assert list(imports(PLUGIN, parse(PLUGIN))) == ["twisted.application.service.ServiceMaker"]


# What a name at the top of a module may stand for: things that can't change. A logger has state,
# but none that anybody could see.
UNCHANGING = (
    *(int, float, str, bytes, NoneType, frozenset, range, re.Pattern, Struct, Logger),
    *(type, GenericAlias, UnionType, typing.TypeVar, typing.ParamSpec),
    *(FunctionType, BuiltinFunctionType, ModuleType),
)
# A table may be a list or a dict, if its name says that it is a constant and nobody changes it.
TABLES = (list, dict, set)
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*|__all__")


def is_unchanging(value: object) -> bool:
    if isinstance(value, tuple):
        return all(is_unchanging(member) for member in value)
    if isinstance(value, MappingProxyType):
        return all(map(is_unchanging, value.values()))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = [getattr(value, field.name) for field in dataclasses.fields(value)]
        frozen: typing.Any = value
        return frozen.__dataclass_params__.frozen and all(map(is_unchanging, members))
    # Aliases such as Callable[..., None] have a class without a public name.
    return isinstance(value, UNCHANGING) or type(value).__module__ == "typing"


def assigned_at_the_top(tree: ast.Module) -> Iterator[str]:
    """Give every name that importing the module assigns to; ``if`` and ``try`` are looked into."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        pending += ast.iter_child_nodes(node)


@EVERY_SOURCE
def test_modules_hold_no_state(source: Path) -> None:
    module = importlib.import_module(name_of(source))
    for name in assigned_at_the_top(parse(source)):
        if not hasattr(module, name):
            continue  # the variable of a comprehension
        value = getattr(module, name)
        table = CONSTANT.fullmatch(name) is not None and isinstance(value, TABLES)
        assert table or is_unchanging(value), f"{name} is a {type(value).__name__}"


MUTATORS = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
        *("add", "discard", "update", "setdefault", "popitem", "move_to_end"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    }
)


def last_name(node: ast.AST) -> str | None:
    """Return ``c`` for ``c``, ``a.c`` and ``a.b.c``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def changed(tree: ast.AST) -> Iterator[str]:
    """Give the names of the constants that something in ``tree`` changes in place."""
    for node in ast.walk(tree):
        target: ast.AST | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        elif isinstance(node, ast.AugAssign):
            target = node.target
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in MUTATORS
        ):
            target = node.func.value
        name = last_name(target) if target is not None else None
        if name is not None and CONSTANT.fullmatch(name):
            yield name


@EVERY_SOURCE
def test_constants_are_not_changed(source: Path) -> None:
    assert list(changed(parse(source))) == []


@EVERY_SOURCE
def test_no_function_assigns_to_a_module(source: Path) -> None:
    assert not [node for node in ast.walk(parse(source)) if isinstance(node, ast.Global)]


@pytest.mark.parametrize(
    "code",
    ["A[0] = 1", "del A[0]", "A += [1]", "A.append(1)", "m.A.update({})", "_A.setdefault(1, 2)"],
)
def test_a_change_of_a_constant_would_be_seen(code: str) -> None:
    assert len(list(changed(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import twisted.internet.reactor",
        "from twisted.internet import reactor",
        "def f():\n    from twisted.internet import reactor",
    ],
)
def test_an_import_of_the_reactor_would_be_seen(code: str) -> None:
    source = PACKAGE / "server" / "server.py"
    assert [n for n in imports(source, ast.parse(code)) if is_within(n, REACTOR)]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from .fields import TOKEN", "tinyhttp.core.fields.TOKEN"),
        ("from ..site.site import Site", "tinyhttp.site.site.Site"),
        ("from .. import service", "tinyhttp.service"),
        ("from . import fields", "tinyhttp.core.fields"),
        ("import os.path as p", "os.path"),
    ],
)
def test_imports_are_seen_under_their_full_names(code: str, name: str) -> None:
    assert list(imports(PACKAGE / "core" / "answer.py", ast.parse(code))) == [name]


def test_the_directories_of_twisted_stay_twisteds() -> None:
    """With an ``__init__.py`` in them they would hide Twisted itself, or its plugins."""
    assert PLUGIN.is_file()
    assert not (ROOT / "twisted" / "__init__.py").exists()
    assert not (ROOT / "twisted" / "plugins" / "__init__.py").exists()


@EVERY_SOURCE
def test_a_module_is_read_in_one_sitting(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= 480
