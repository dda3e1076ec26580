"""What a text may say: a reader returns its value, or raises ``ValueError`` with what is wanted."""

import os
import re

from ..core.fields import TOKEN
from ..core.https import strict_transport_security
from ..core.media_types import with_charset
from ..core.networks import Networks
from ..core.path import SitePath, resolve
from ..core.response import Refused
from ..core.rules import DIALECTS
from ..server.log_format import make_format
from ..site.coding import select
from .setting import Reader

MOST_WORKERS = 64

_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_OCTETS = re.compile(r"([0-9]{1,12})([KMG]?)(?:iB)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MIME_TYPE = re.compile(
    r"\.?([^=/\s.]+)=(" + (TOKEN + b"/" + TOKEN).decode() + r"(?:;[\x20-\x7e]*)?)"
)
_HSTS = re.compile(r"([0-9]{1,9})(; *includeSubDomains)?(; *preload)?", re.IGNORECASE)


# Readers.


def text(said: str) -> str:
    """Return what was said."""
    return said


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


def rate(said: str) -> float:
    """Return a number of events per second, which may have a fraction."""
    if not _SECONDS.fullmatch(said):
        raise ValueError("a number per second, such as 20 or 0.5, is wanted")
    return float(said)


def limit_or_none(said: str) -> int | None:
    """Return a limit; ``None`` for nothing."""
    limit: int | None = at_least(0)(said) if said else None
    return limit


def https_port(said: str) -> int | None:
    """Return the port of https that clients see; ``None`` for nothing."""
    if not said:
        return None
    if not re.fullmatch("[0-9]{1,9}", said) or not 1 <= int(said) <= 65535:
        raise ValueError("the port of https is wanted, such as 443")
    return int(said)


def hsts(said: str) -> bytes:
    """Return the value of Strict-Transport-Security."""
    if not said:
        return b""
    m = _HSTS.fullmatch(said)
    if m is None:
        raise ValueError("seconds are wanted, and perhaps '; includeSubDomains' and '; preload'")
    return strict_transport_security(
        int(m[1]), include_subdomains=m[2] is not None, preload=m[3] is not None
    )


def codings(said: str) -> list[str]:
    """Return the codings that are listed, with commas between, if there is an encoder for each."""
    names = [name.strip() for name in said.split(",") if name.strip()]
    try:
        select(names)
    except ValueError as error:
        raise ValueError(f"{error} (pip install 'twisted-tinyhttp[compress]')") from None
    return names


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


def one_of(*words: str) -> Reader:
    """Return a reader of one of ``words``."""

    def read(said: str) -> str:
        if said not in words:
            raise ValueError(f"{', '.join(words[:-1])} or {words[-1]} is wanted")
        return said

    return read


def trailing_slash(said: str) -> str:
    """Return what is done with slashes at the end."""
    word: str = one_of("add", "remove", "keep")(said)
    return word


def dialect(said: str) -> str:
    """Return how rules are written, or that there are none."""
    word: str = one_of(*DIALECTS, "none")(said)
    return word


def error_page(said: str) -> tuple[int, SitePath]:
    """Return a status, and the path of the page for it."""
    m = re.fullmatch(r"([45][0-9]{2})=(/[^?#]*)", said)
    if m is None:
        raise ValueError("STATUS=PATH is wanted, such as 404=/404.html")
    try:
        path = resolve(m[2].encode("utf-8", "surrogateescape"))
    except Refused as refused:
        raise ValueError(f"PATH: {refused.detail}") from None
    if path is None:
        raise ValueError("PATH: no file can have a slash (%2F) in its name")
    return int(m[1]), path


def canonical_host(said: str) -> str:
    """Return a host in lower case, perhaps with a port."""
    if said and not re.fullmatch(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", said):
        raise ValueError("the name of a host is wanted, such as www.example.org")
    return said.lower()
