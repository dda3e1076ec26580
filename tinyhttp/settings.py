"""Which settings there are: their names, what they may be, and what they are if nobody says.

One table for the command line, the environment and the configuration file, so that these can't
disagree. Everything is read from text; a reader says in one line what it would have taken.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .core.fields import TOKEN
from .core.media_types import with_charset
from .core.networks import Networks
from .core.request import Limits
from .server.listening import BACKLOG
from .server.log_format import make_format
from .server.server import Timeouts
from .server.socket_options import read_option
from .site.site import Capacity

__all__ = ["GRACE", "SETTINGS", "Setting", "named"]

DEFAULT_PORT = "8000"
GRACE = 25
"""Seconds that responses under way get at the end: under the 30 s that Heroku, Kubernetes and
others allow before they kill."""

MOST_WORKERS = 64

Reader = Callable[[str], Any]


@dataclass(frozen=True)
class Setting:
    """A setting ``name``, in the words of the command line; ``about`` is its help."""

    name: str
    read: Reader
    """Returns the value that a text stands for; raises ``ValueError`` with what is wanted."""
    default: str
    about: str
    several: bool = False
    """Whether it may be given more than once. Its value is a list then, and without a word from
    anybody a list of ``default`` if that is not empty."""
    flag: bool = False
    path: str = ""
    """"directory" or "file" if it names one, which is relative to where it was said."""
    words: tuple[str, ...] = ()
    """What a path may be besides."""
    shown: str = ""
    """What stands for the default in the help, where that says more."""
    also: str = ""
    """The variable of the environment by which platforms say it."""
    hint: str = ""
    """What is completed in a shell."""

    def value(self, texts: list[str]) -> Any:
        """Return the value of ``texts``; raises ``ValueError``."""
        return [self.read(text) for text in texts] if self.several else self.read(texts[-1])

    @property
    def default_texts(self) -> list[str]:
        """What is read if nobody says anything."""
        return [] if self.several and not self.default else [self.default]

    def within(self, base: str, text: str) -> str:
        """Return ``text``, from ``base`` if it is a path."""
        if not self.path or not text or text.partition(":")[0] in self.words:
            return text
        return os.path.join(base, text)


_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_OCTETS = re.compile(r"([0-9]{1,12})([KMG]?)(?:iB)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MIME_TYPE = re.compile(
    r"\.?([^=/\s.]+)=(" + (TOKEN + b"/" + TOKEN).decode() + r"(?:;[\x20-\x7e]*)?)"
)
_SWITCH = {"true": True, "yes": True, "on": True, "1": True,
           "false": False, "no": False, "off": False, "0": False}  # fmt: skip


# Readers.


def text(said: str) -> str:
    """Return what was said."""
    return said


def switch(said: str) -> bool:
    """Return whether something is on."""
    if said.lower() not in _SWITCH:
        raise ValueError("true or false is wanted")
    return _SWITCH[said.lower()]


def seconds(least: float) -> Reader:
    """Return a reader of seconds, ``least`` or more."""

    def read(said: str) -> float:
        if not _SECONDS.fullmatch(said) or float(said) < least:
            raise ValueError(
                f"a number of seconds, such as 30 or 0.5, is wanted, {least:g} at least"
            )
        return float(said)

    return read


def octets(least: int) -> Reader:
    """Return a reader of a number of octets, ``least`` or more."""

    def read(said: str) -> int:
        m = _OCTETS.fullmatch(said)
        value = int(m[1]) * _UNITS[m[2].upper()] if m else -1
        if value < least:
            raise ValueError(
                f"a number of octets, such as 65536 or 64K, is wanted, {least} at least"
            )
        return value

    return read


def at_least(least: int) -> Reader:
    """Return a reader of whole numbers, ``least`` or more."""

    def read(said: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", said) or int(said) < least:
            raise ValueError(f"a number is wanted, {least} at least")
        return int(said)

    return read


def up_to(most: int) -> Reader:
    """Return a reader of whole numbers from 0 to ``most``."""

    def read(said: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", said) or int(said) > most:
            raise ValueError(f"a number from 0 to {most} is wanted")
        return int(said)

    return read


def port(said: str) -> str | int:
    """Return the number of a port, or the endpoint string that stands in its place."""
    number: str | int = said if ":" in said else up_to(65535)(said)
    return number


def workers(said: str) -> int:
    """Return the number of processes."""
    if said == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not re.fullmatch("[0-9]{1,9}", said) or not 1 <= int(said) <= MOST_WORKERS:
        raise ValueError(f"a number from 1 to {MOST_WORKERS} is wanted, or auto")
    return int(said)


def directory(said: str) -> str:
    """Return the absolute path of a directory that can be read."""
    if not said:
        raise ValueError("a directory is wanted, not nothing")
    path = os.path.abspath(said)
    if not os.path.exists(path):
        raise ValueError("there is no such directory")
    if not os.path.isdir(path):
        raise ValueError("that is not a directory")
    as_we_are = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=as_we_are):
        raise ValueError("that directory can't be read")
    return path


def networks(said: str) -> list[str]:
    """Return the networks that are listed, with commas between."""
    names = [name.strip() for name in said.split(",")]
    try:
        Networks(names)
    except ValueError as error:
        raise ValueError(
            f"{error}; wanted are networks such as 10.0.0.0/8, single addresses, or unix"
        ) from None
    return names


def file_name(said: str) -> str:
    """Return the name of a file, which is no path."""
    if said in ("", ".", "..") or "/" in said or "\0" in said:
        raise ValueError("a file name is wanted, without a slash")
    return said


def health_path(said: str) -> str:
    """Return a path that requests can have, or nothing."""
    if said and not re.fullmatch(r"/[\x21\x22\x24-\x3e\x40-\x7e]*", said):
        raise ValueError("a path is wanted, such as /healthz")
    return said


def unready_status(said: str) -> int:
    """Return the status by which a balancer knows that no clients are wanted."""
    if said not in ("503", "404"):
        raise ValueError("503 or 404 is wanted")
    return int(said)


def log_format(said: str) -> str:
    """Return the format of the access log, checked."""
    try:
        make_format(said, clock=float)
    except ValueError as error:
        raise ValueError(str(error).partition(": ")[2] or str(error)) from None
    return said


def forwarded_by(said: str) -> str:
    """Return which fields trusted proxies set."""
    if said not in ("x-forwarded", "forwarded"):
        raise ValueError("x-forwarded or forwarded is wanted")
    return said


def media_type(said: str) -> tuple[bytes, bytes]:
    """Return an extension, and the field value for it."""
    m = _MIME_TYPE.fullmatch(said)
    if m is None:
        raise ValueError("EXT=TYPE is wanted, such as log=text/plain")
    return os.fsencode(m[1].lower()), with_charset(m[2])


_TIMES, _SIZES, _MEMORY = Timeouts(), Limits(), Capacity()


def _quantity(name: str, read: Reader, default: float, about: str) -> Setting:
    said = f"{default:g}" if default < 1e5 else f"{int(default)}"
    return Setting(name, read, said, about)


def _flag(name: str, about: str) -> Setting:
    return Setting(name, switch, "false", about, flag=True)


SETTINGS: tuple[Setting, ...] = (
    # Where.
    Setting(
        "port",
        port,
        DEFAULT_PORT,
        "Port to listen on, on IPv4 and IPv6, or an endpoint string such as "
        "tcp:8000:interface=127.0.0.1. Without it and without --listen: the environment's PORT, "
        f"else {DEFAULT_PORT}.",
        shown="-",
        also="PORT",
        hint="port or endpoint",
    ),
    Setting(
        "listen",
        text,
        "",
        "Endpoint to listen on, e.g. unix:/run/tinyhttp.sock. May be repeated.",
        several=True,
        hint="endpoint",
    ),
    Setting(
        "backlog",
        up_to(65535),
        str(BACKLOG),
        "Connections that the kernel holds until they are accepted, unless an endpoint says.",
        hint="number",
    ),
    Setting(
        "socket-option",
        read_option,
        "",
        "NAME=VALUE: an option of the listening sockets, such as SO_KEEPALIVE=1. May be repeated.",
        several=True,
        hint="NAME=VALUE",
    ),
    Setting(
        "proxy-from",
        networks,
        "",
        "Expect PROXY headers, and only these balancers: CIDR,... or unix. May be repeated.",
        several=True,
        hint="networks",
    ),
    _flag(
        "plain-transport",
        "Use Twisted's own transport. Slower; to find out whether ours is at fault.",
    ),
    # What.
    Setting("path", directory, ".", "Directory to serve.", path="directory"),
    Setting(
        "index",
        file_name,
        "",
        "File that stands for its directory. May be repeated. [default: index.html].",
        several=True,
        hint="file name",
    ),
    Setting(
        "mime-type",
        media_type,
        "",
        "EXT=TYPE: the media type of files with that extension. May be repeated.",
        several=True,
        hint="EXT=TYPE",
    ),
    _flag(
        "hidden-files",
        "Serve names that start with a dot too. Without it they are not found, but for "
        "/.well-known/.",
    ),
    _flag(
        "follow-symlinks",
        "Follow symbolic links that lead out of the directory. Without it they are not found.",
    ),
    # How.
    Setting(
        "threads",
        up_to(1000),
        "4",
        "Threads that wait for the disk, so that the others do not have to. With 0 the reactor "
        "waits itself.",
        hint="number",
    ),
    Setting(
        "workers",
        workers,
        "1",
        "Processes that serve: a number, or auto for one on each core.",
        also="WEB_CONCURRENCY",
        hint="number",
    ),
    Setting(
        "access-log",
        text,
        "-",
        "File to append a line per answer to; '-': standard output; 'none': nothing; or "
        "syslog, syslog:/PATH, syslog:HOST[:PORT].",
        path="file",
        words=("-", "none", "syslog"),
    ),
    Setting(
        "access-log-format",
        log_format,
        "combined",
        "combined, json, or a text with fields, such as '{address} {time} {status}'.",
        hint="format",
    ),
    _flag("request-id", "Answer with X-Request-ID: a trusted proxy's, or one of our own."),
    Setting(
        "trusted-proxy",
        networks,
        "",
        "Believe what proxies of these networks say of the client: CIDR,... or unix. May be "
        "repeated.",
        several=True,
        hint="networks",
    ),
    Setting(
        "forwarded-by",
        forwarded_by,
        "x-forwarded",
        "Fields in which trusted proxies say it: x-forwarded (X-Forwarded-For and -Proto), or "
        "forwarded.",
        hint="x-forwarded or forwarded",
    ),
    # Who watches.
    Setting(
        "admin",
        text,
        "",
        "Endpoint of /metrics, /livez and /readyz, such as tcp:9100:interface=127.0.0.1.",
        hint="endpoint",
    ),
    Setting(
        "agent-check",
        text,
        "",
        "Endpoint at which HAProxy's agent-check hears whether clients are wanted.",
        hint="endpoint",
    ),
    Setting(
        "health-path",
        health_path,
        "",
        "Path that is answered like /readyz on every port, such as /healthz.",
        hint="path",
    ),
    Setting(
        "unready-status",
        unready_status,
        "503",
        "Status of /readyz and of the health path when no clients are wanted: 503 or 404.",
        hint="503 or 404",
    ),
    # Times, sizes and memory.
    _quantity(
        "head-timeout",
        seconds(0.5),
        _TIMES.head,
        "Seconds for a whole request head, and as many again for a body.",
    ),
    _quantity("idle-timeout", seconds(0.5), _TIMES.idle, "Seconds to wait for the next request."),
    _quantity(
        "stall-timeout",
        seconds(0.5),
        _TIMES.stall,
        "Seconds for a client that takes nothing of its response.",
    ),
    _quantity(
        "linger-timeout",
        seconds(0.5),
        _TIMES.linger,
        "Seconds for a client to close after its last response.",
    ),
    _quantity(
        "grace", seconds(0), GRACE, "Seconds that responses under way get when it is to stop."
    ),
    _quantity(
        "shutdown-delay",
        seconds(0),
        0,
        "Seconds to go on listening when it is to stop, so that balancers notice.",
    ),
    _quantity(
        "max-request-line",
        octets(64),
        _SIZES.request_line,
        "Octets of a request line; longer: 414.",
    ),
    _quantity("max-head", octets(128), _SIZES.head, "Octets of a request head; longer: 431."),
    _quantity("max-fields", at_least(1), _SIZES.fields, "Field lines of a request; more: 431."),
    _quantity(
        "max-body",
        octets(0),
        _SIZES.body,
        "Octets of a request's body that are read to keep the connection.",
    ),
    _quantity("cache-files", at_least(1), _MEMORY.files, "Small files that are remembered."),
    _quantity("cache-size", octets(0), _MEMORY.octets, "Octets of their content."),
    _quantity(
        "cache-descriptors", at_least(1), _MEMORY.descriptors, "Large files that are kept open."
    ),
    _quantity(
        "cache-misses", at_least(1), _MEMORY.others, "Paths remembered that lead to no file."
    ),
)


def named(name: str) -> Setting | None:
    """Return the setting of that name, if there is one."""
    return next((setting for setting in SETTINGS if setting.name == name), None)
