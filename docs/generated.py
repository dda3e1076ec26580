"""Which parts of the pages are made from the code: options, commands, API, contents.

A page holds a line ``<!-- generated: NAME -->``, which a code host does not show and `complete`
replaces, so that nothing that is in the code can be missing in the pages.
"""

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from tinyhttp import commands
from tinyhttp.options import Options
from tinyhttp.settings import SETTINGS, Setting

__all__ = ["AWAITED", "PAGES", "complete", "example", "in_toml", "page_names"]

DOCS = Path(__file__).resolve().parent
PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
CONSOLE = re.compile(r"^(```)console(\n(?!\$ ).*?^```$)", re.MULTILINE | re.DOTALL)

PAGES = {
    "Guide": (
        *("operations", "listing", "rules", "compression", "authentication", "tls", "limits"),
        *("logging", "metrics", "deploying", "reliability", "testing"),
    ),
    "Reference": (
        *("reference/options", "reference/commands", "reference/api", "examples/README"),
        *("http", "conformance", "security", "performance"),
    ),
    "How it is made": ("architecture", "decisions/README", "contributing", "changelog"),
    "Lessons": ("lessons/README",),
}
"""Where pages stand. One that is named nowhere stands at the end of the guide; the pages of a
directory stand below its README.md."""

AWAITED: tuple[str, ...] = ()
"""Linked to already, and being written: no links until they are there."""


def complete(docname: str, source: str) -> str:
    """Return the Markdown of a page with everything in it that is generated."""
    source = PLACE.sub(lambda place: PARTS[place[1]](), source)
    if docname.endswith("/README"):
        source += _toctree(below(docname))
    return _colour(_relink(docname, source))


def _colour(source: str) -> str:
    """Have commands without a prompt read as commands: as ``console`` they would be output."""
    return CONSOLE.sub(lambda block: f"{block[1]}shell{block[2]}", source)


# Contents.


def page_names() -> list[str]:
    """Return the names of all pages: paths beneath docs, without the extension."""
    return sorted(p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md"))


def below(docname: str) -> list[str]:
    """Return the pages of the directory that the README ``docname`` is about."""
    directory = docname.removesuffix("README")
    return [name for name in page_names() if name.startswith(directory) and name != docname]


def contents() -> str:
    """Return the tables of contents, which make the side bar."""
    there = page_names()
    placed = {name for names in PAGES.values() for name in names}
    placed.update(name for page in PAGES["Lessons"] for name in below(page))
    placed.update(name for readme in there if readme.endswith("/README") for name in below(readme))
    others = [name for name in there if name not in placed and name != "index"]
    parts = []
    for caption, names in PAGES.items():
        shown = [name for name in names if name in there]
        shown += others if caption == "Guide" else []
        parts.append(_toctree(shown, caption))
    return "".join(parts)


def _toctree(names: Iterable[str], caption: str = "") -> str:
    lines = "\n".join(f"/{name}" for name in names)
    titled = f":caption: {caption}\n" if caption else ""
    return f"\n\n```{{toctree}}\n:hidden:\n{titled}\n{lines}\n```\n" if lines else ""


def _relink(docname: str, source: str) -> str:
    """Have links that suit a code host suit the built pages: directories, and the README."""
    up = "../" * docname.count("/")
    source = source.replace(f"]({up}../README.md", f"]({up}index.md")
    for name in AWAITED:
        if not (DOCS / name).exists():
            link = re.escape(os.path.relpath(name, os.path.dirname(docname)))
            source = re.sub(rf"\[([^\]]*)\]\({link}\)", r"\1", source)
    return re.sub(r"\]\((?!\w+:)([^)\s#]+/)\)", r"](\1README.md)", source)


# Options.

_SUCH_AS = re.compile(r"(?:such as|e\.g\.|\[default:) '?([^\s']*[^\s'.,;\]])")
MIB = 1024 * 1024
_LIKELY = (
    *("60", "64K", "tcp:9100:interface=127.0.0.1", "10.0.0.0/8", "SO_KEEPALIVE=1"),
    *("log=text/plain", "/healthz", "example.org", "index.html", "./file"),
)


def options() -> str:
    """Return a table of all options, and what there is to say of each."""
    rows = [
        f"| [`--{each.name}`](#--{each.name}) | {_default(each)} | {_escape(each.about)} |"
        for each in SETTINGS
    ]
    table = "\n".join(["| option | default | what it says |", "|---|---|---|", *rows])
    sections = "\n\n".join(map(_option, SETTINGS))
    return f"{table}\n\n{_command_line_alone()}\n\n## Each option\n\n{sections}\n"


def example(setting: Setting) -> str:
    """Return a text that ``setting`` can be: its default, or what its help or hint suggests.

    Nothing, if neither does: "such as" in the help is the place for an example.
    """
    if setting.flag:
        return "true"
    if setting.name == "listen":
        return "unix:/run/tinyhttp.sock"
    if setting.path == "directory":
        return "/srv/www"
    if setting.path and not setting.default:
        return f"/etc/tinyhttp/{setting.name}"
    if setting.default:
        return setting.default
    suggested = _SUCH_AS.findall(setting.about) + _SUCH_AS.findall(_wanted(setting))
    likely = [*suggested, setting.hint.replace(" ", "-"), *_LIKELY]
    return next((text for text in likely if text and _is_read(setting, text)), "")


def _option(setting: Setting) -> str:
    name, said = setting.name, example(setting) or "..."
    variable = "TINYHTTP_" + name.upper().replace("-", "_")
    quoted = f"'{said}'" if re.search(r"[^\w./:=,-]", said) else said
    on_command_line = f"`--{name}`, `--no-{name}`" if setting.flag else f"`--{name} {quoted}`"
    also = f"; `{setting.also}` as well" if setting.also else ""
    fields = {
        "May be": _may_be(setting),
        "Default": _default(setting) or "none",
        "Command line": on_command_line,
        "Environment": f"`{variable}={quoted}`{also}",
        "Configuration file": f"`{in_toml(setting, said)}`",
    }
    lines = "\n".join(f":{label}: {text}" for label, text in fields.items())
    return f"### `--{name}`\n\n{_escape(setting.about)}\n\n{lines}"


def in_toml(setting: Setting, said: str) -> str:
    """Return the line of a configuration file that says ``said`` of ``setting``."""
    bare = setting.flag or re.fullmatch(r"0|[1-9][0-9]{0,8}", said)
    value = said if bare else f"'{said}'" if '"' in said else f'"{said}"'
    return f"{setting.name} = [{value}]" if setting.several else f"{setting.name} = {value}"


def _default(setting: Setting) -> str:
    if setting.flag:
        return "off"
    if "octets" in _wanted(setting) and int(setting.default) >= MIB:
        return f"`{setting.default}` ({int(setting.default) // MIB} MiB)"
    return f"`{setting.default}`" if setting.default else ""


def _may_be(setting: Setting) -> str:
    if setting.path == "directory":
        said = "a directory that can be read"
    elif setting.path:
        said = ", ".join(["a file", *(f"`{word}`" for word in setting.words)])
    else:
        said = _escape(_wanted(setting)) or setting.hint or "text"
    if setting.name == "port":
        said += ", or an endpoint string"
    return said + ("; may be given more than once" if setting.several else "")


def _wanted(setting: Setting) -> str:
    """Return what the reader of ``setting`` says that it wants; nothing if it takes anything."""
    try:
        setting.read("\x01")
    except ValueError as error:
        said = str(error).rpartition(r"'\x01' ")[2].rpartition("; wanted are ")[2]
        said = said.removeprefix("there is no such option; known are ")
        said = re.sub(r",? (?:is|are) wanted\b", "", said)
        return "on or off: " + said if setting.flag else said
    return ""


def _is_read(setting: Setting, text: str) -> bool:
    try:
        setting.read(text)
    except ValueError:
        return False
    return True


def _command_line_alone() -> str:
    """Return the options that are no settings: they say where settings are, or what to do."""
    names = {each.name for each in SETTINGS}
    told = [*Options.optParameters, *Options.optFlags]
    rows = {name: about for name, *_, about in told if name not in names}
    for name in ("version", "help"):
        about = getattr(Options, f"opt_{name}").__doc__ or ""
        rows[name] = about.strip().partition("\n")[0]
    lines = [f"| `--{name}` | {_escape(about)} |" for name, about in rows.items()]
    title = "## On the command line alone\n\n"
    return title + "\n".join(["| option | what it says |", "|---|---|", *lines])


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#{}])", r"\\\1", text)


# Commands.


def command_lines() -> str:
    """Return what each command says of itself."""
    parts = []
    for name, (_, about) in commands.COMMANDS.items():
        title = f"## `tinyhttp {name}`\n\n{about[:1].upper()}{about[1:]}.\n\n"
        parts.append(f"{title}```text\n{_help(name)}\n```")
    return "\n\n".join(parts)


def _help(name: str) -> str:
    said = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "90"  # what argparse folds by
    try:
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            commands.run(name, ["--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return said.getvalue().strip()


# API.

API = {
    "The server": ("tinyhttp:Server",),
    "What it may be given": (
        *("tinyhttp.server.server:Timeouts", "tinyhttp.core.request:Limits"),
        *("tinyhttp.site.site:Capacity", "tinyhttp.server.quotas:Quotas"),
        *("tinyhttp.core.networks:Networks", "tinyhttp.server.access_log:AccessLog"),
    ),
    "For tests": ("tinyhttp.testing:*",),
    "The core": (
        *("tinyhttp.core.path:resolve", "tinyhttp.core.path:SitePath"),
        *("tinyhttp.core.request:Request", "tinyhttp.core.resource:*"),
        *("tinyhttp.core.answer:answer", "tinyhttp.core.answer:check_method"),
        *("tinyhttp.core.response:Response", "tinyhttp.core.response:Refused"),
        "tinyhttp.core.response:render_head",
    ),
}
"""What others may rely on, by titles: ``module:name``, or all of a module's ``__all__``."""

MEMBERS = {"Server": "announce_end, stop"}
"""Of a class that has more of them than others need."""


def api() -> str:
    """Return what Sphinx makes descriptions of."""
    parts = []
    for title, wanted in API.items():
        directives = [_describe(*each.split(":")) for each in wanted]
        body = "\n\n".join(directive for several in directives for directive in several)
        parts.append(f"## {title}\n\n```{{eval-rst}}\n{body}\n```")
    return "\n\n".join(parts)


def _describe(module: str, wanted: str) -> list[str]:
    found = import_module(module)
    names = found.__all__ if wanted == "*" else [wanted]
    lines = []
    for name in names:
        kind = getattr(found, name)
        if isinstance(kind, type):
            lines.append(
                f".. autoclass:: {module}.{name}\n   :members: {MEMBERS.get(name, '')}".rstrip()
            )
        elif callable(kind):
            lines.append(f".. autofunction:: {module}.{name}")
        else:
            lines.append(f".. autodata:: {module}.{name}\n   :no-value:")
    return lines


# Examples.

_LANGUAGES = {".cfg": "text", ".yaml": "yaml", ".toml": "toml", ".service": "ini", ".socket": "ini"}


def examples() -> str:
    """Return every file among the examples, whole."""
    parts = []
    for file in sorted((DOCS / "examples").iterdir()):
        if file.is_file() and file.suffix != ".md" and not file.name.startswith("."):
            fence = f"```{_LANGUAGES.get(file.suffix, 'text')}"
            parts.append(f"## {_escape(file.name)}\n\n{fence}\n{file.read_text().rstrip()}\n```")
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "contents": contents,
    "options": options,
    "commands": command_lines,
    "api": api,
    "examples": examples,
}
