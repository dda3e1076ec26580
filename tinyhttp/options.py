"""Options on the command line: what they are called, what they may be, and what they mean.

Everything is checked here that can be checked without opening anything; whatever is wrong is told
in one line.
"""

import os
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.python import usage

from .core.fields import TOKEN
from .core.media_types import with_charset
from .core.networks import Networks
from .core.request import Limits
from .server.listening import BACKLOG
from .server.server import Timeouts
from .site.site import Capacity

__all__ = ["GRACE", "CannotStart", "Options"]

DEFAULT_PORT = "8000"
GRACE = 25
"""Seconds that responses under way get at the end: under the 30 s that Heroku, Kubernetes and
others allow before they kill."""

_MIME_TYPE = re.compile(
    r"\.?([^=/\s.]+)=(" + (TOKEN + b"/" + TOKEN).decode() + r"(?:;[\x20-\x7e]*)?)"
)
_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_OCTETS = re.compile(r"([0-9]{1,12})([KMG]?)(?:iB)?", re.IGNORECASE)
_WANTED = {
    "seconds": "a number of seconds, such as 30 or 0.5,",
    "octets": "a number of octets, such as 65536 or 64K,",
    "number": "a number",
}
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class _Quantity:
    """An option that is a number of ``unit``: "seconds", "octets" or plain "number"."""

    name: str
    unit: str
    default: float
    text: str
    least: float = 1

    def value(self, text: str) -> float:
        """Return the number that ``text`` stands for; raises ``UsageError``."""
        value = self._read(text)
        if value is None or value < self.least:
            wanted = f"{_WANTED[self.unit]} is wanted, {self.least:g} at least"
            raise usage.UsageError(f"--{self.name} {text!r}: {wanted}")
        return value

    def _read(self, text: str) -> float | None:
        if self.unit == "seconds":
            return float(text) if _SECONDS.fullmatch(text) else None
        if self.unit == "octets":
            m = _OCTETS.fullmatch(text)
            return int(m[1]) * _UNITS[m[2].upper()] if m else None
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


_TIMES, _SIZES, _MEMORY = Timeouts(), Limits(), Capacity()

QUANTITIES = (
    _Quantity(
        "head-timeout",
        "seconds",
        _TIMES.head,
        "Seconds for a whole request head, and as many again for a body.",
        0.5,
    ),
    _Quantity("idle-timeout", "seconds", _TIMES.idle, "Seconds to wait for the next request.", 0.5),
    _Quantity(
        "stall-timeout",
        "seconds",
        _TIMES.stall,
        "Seconds for a client that takes nothing of its response.",
        0.5,
    ),
    _Quantity(
        "linger-timeout",
        "seconds",
        _TIMES.linger,
        "Seconds for a client to close after its last response.",
        0.5,
    ),
    _Quantity(
        "grace", "seconds", GRACE, "Seconds that responses under way get when it is to stop.", 0
    ),
    _Quantity(
        "max-request-line",
        "octets",
        _SIZES.request_line,
        "Octets of a request line; longer: 414.",
        64,
    ),
    _Quantity("max-head", "octets", _SIZES.head, "Octets of a request head; longer: 431.", 128),
    _Quantity("max-fields", "number", _SIZES.fields, "Field lines of a request; more: 431."),
    _Quantity(
        "max-body",
        "octets",
        _SIZES.body,
        "Octets of a request's body that are read to keep the connection.",
        0,
    ),
    _Quantity("cache-files", "number", _MEMORY.files, "Small files that are remembered."),
    _Quantity("cache-size", "octets", _MEMORY.octets, "Octets of their content.", 0),
    _Quantity(
        "cache-descriptors", "number", _MEMORY.descriptors, "Large files that are kept open."
    ),
    _Quantity("cache-misses", "number", _MEMORY.others, "Paths remembered that lead to no file."),
)
"""In the order in which they are shown."""


class CannotStart(SystemExit, Exception):  # noqa: N818 (it is both, and says what it means)
    """The service can't start, for the reason given in one line.

    As a ``SystemExit`` it ends the process with that line and status 1 instead of a traceback; as
    an ``Exception`` it is passed on by twistd from a daemon to the terminal that started it.
    """

    def __init__(self, reason: str):
        super().__init__(f"tinyhttp: {reason}")


class Options(usage.Options):
    """Options of ``twistd tinyhttp``."""

    synopsis = "[options]"
    longdesc = "Serves the files of a directory over HTTP/1.1."

    optParameters: ClassVar[list[list[Any]]] = [
        [
            "port",
            None,
            None,
            "Port to listen on, on IPv4 and IPv6, or an endpoint string such as "
            "tcp:8000:interface=127.0.0.1. Without it and without --listen: the "
            f"environment's PORT, else {DEFAULT_PORT}.",
        ],
        ["path", None, ".", "Directory to serve."],
        [
            "threads",
            None,
            "4",
            "Threads that wait for the disk, so that the others do not have to. With 0 the "
            "reactor waits itself.",
        ],
        [
            "backlog",
            None,
            str(BACKLOG),
            "Connections that the kernel holds until they are accepted, unless an endpoint says.",
        ],
        ["access-log", None, "-", "File to append a line per answer to; '-': standard output; "
         "'none': nothing."],
        *([each.name, None, f"{each.default:g}" if each.default < 1e5 else f"{int(each.default)}",
           each.text] for each in QUANTITIES),
    ]  # fmt: skip

    optFlags: ClassVar[list[list[Any]]] = [
        [
            "hidden-files",
            None,
            "Serve names that start with a dot too. Without it they are not found, but for "
            "/.well-known/.",
        ],
        [
            "follow-symlinks",
            None,
            "Follow symbolic links that lead out of the directory. Without it they are not found.",
        ],
        [
            "plain-transport",
            None,
            "Use Twisted's own transport. Slower; to find out whether ours is at fault.",
        ],
    ]

    compData = usage.Completions(
        multiUse=["listen", "index", "mime-type", "proxy-from"],
        optActions={
            "path": usage.CompleteDirs(descr="directory to serve"),
            "access-log": usage.CompleteFiles(descr="file, '-' or 'none'"),
            "port": usage.Completer(descr="port or endpoint"),
            "listen": usage.Completer(descr="endpoint"),
            "proxy-from": usage.Completer(descr="networks"),
            "index": usage.CompleteList(["index.html", "index.htm"], descr="file name"),
            "threads": usage.Completer(descr="number"),
            **{each.name: usage.Completer(descr=each.unit) for each in QUANTITIES},
            "backlog": usage.Completer(descr="number"),
            "mime-type": usage.Completer(descr="EXT=TYPE"),
        },
    )

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["index"] = []
        self["mime-types"] = {}
        self["proxy-from"] = []

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse ``options``; raise `CannotStart` with one clear line for whatever is wrong."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise CannotStart(f"{error} (--help lists the options)") from None

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint to listen on, e.g. unix:/run/tinyhttp.sock. May be repeated."""
        self["listen"].append(endpoint)

    def opt_proxy_from(self, networks: str) -> None:
        """Expect PROXY headers, and only these balancers: CIDR,... or unix. May be repeated."""
        names = [name.strip() for name in networks.split(",")]
        try:
            Networks(names)
        except ValueError as error:
            raise usage.UsageError(
                f"--proxy-from {networks!r}: {error}; wanted are networks such as 10.0.0.0/8, "
                "single addresses, or unix"
            ) from None
        self["proxy-from"] += names

    def opt_index(self, name: str) -> None:
        """File that stands for its directory. May be repeated. [default: index.html]."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise usage.UsageError(f"--index {name!r}: a file name is wanted, without a slash")
        self["index"].append(name)

    def opt_mime_type(self, rule: str) -> None:
        """EXT=TYPE: the media type of files with that extension. May be repeated."""
        m = _MIME_TYPE.fullmatch(rule)
        if m is None:
            raise usage.UsageError(
                f"--mime-type {rule!r}: EXT=TYPE is wanted, such as log=text/plain"
            )
        self["mime-types"][os.fsencode(m[1].lower())] = with_charset(m[2])

    def opt_version(self) -> None:
        """Display the versions of tinyhttp and Twisted, and exit."""
        from twisted import __version__ as twisted_version

        from . import __version__

        print(f"tinyhttp {__version__}, Twisted {twisted_version}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check what can be checked without opening anything."""
        self["threads"] = _whole_number("--threads", self["threads"], 1000)
        self["backlog"] = _whole_number("--backlog", self["backlog"], 65535)
        for quantity in QUANTITIES:
            self[quantity.name] = quantity.value(self[quantity.name])
        self["path"] = _directory(self["path"])
        self["endpoints"] = self["listen"] + self._port()
        if self["proxy-from"]:
            _check_proxied(self["endpoints"])

    def _port(self) -> list[str | int]:
        port, source = self["port"], "--port"
        if port is None:
            if self["listen"]:
                return []
            port, source = os.environ.get("PORT", DEFAULT_PORT), "the environment's PORT"
        if ":" in port:
            return [port]
        return [_whole_number(source, port, 65535)]


def _check_proxied(endpoints: list[str | int]) -> None:
    """Refuse endpoints that expect TLS before the PROXY header, which comes first."""
    for endpoint in endpoints:
        if isinstance(endpoint, str) and endpoint.startswith(("ssl:", "tls:", "haproxy:")):
            raise usage.UsageError(
                f"--proxy-from does not go with {endpoint}: the PROXY header comes before TLS; "
                "let the balancer end TLS, and listen with tcp:"
            )


def _whole_number(source: str, value: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", value) or int(value) > most:
        raise usage.UsageError(f"{source} {value!r}: a number from 0 to {most} is wanted")
    return int(value)


def _directory(path: str) -> str:
    if not path:
        raise usage.UsageError("--path: a directory is wanted, not nothing")
    path = os.path.abspath(path)
    if not os.path.exists(path):
        raise usage.UsageError(f"--path {path}: there is no such directory")
    if not os.path.isdir(path):
        raise usage.UsageError(f"--path {path}: that is not a directory")
    as_we_are = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=as_we_are):
        raise usage.UsageError(f"--path {path}: that directory can't be read")
    return path
