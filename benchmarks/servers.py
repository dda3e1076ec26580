"""The servers that are measured: how each is found, and how it is started."""

import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from tempfile import gettempdir

from . import configurations, rules
from .launch import Command, Job

__all__ = ["MEASURED", "REFERENCE", "SERVERS", "Server"]

MEASURED = "tinyhttp"
REFERENCE = "nginx"
"""What all ratios are to."""

_PEERS = Path(__file__).with_name("peers")
_SBIN = "/usr/sbin:/usr/local/sbin"
_ANY = frozenset({"large", "log", "many", "tls"})
"""What most servers can be asked for."""


@dataclass(frozen=True)
class Server:
    """A server that may be installed here."""

    name: str
    find: Callable[[], str | None]
    """Returns what it is and in which version, or ``None`` where it is missing."""
    command: Callable[[Job], Command]
    able: frozenset[str] = _ANY
    """What it can be asked for: files that do not fit into memory many times, an access log that
    can be had or not, 10,000 connections, TLS; redirects and fields by rules of ours."""


def _output(*line: str) -> str | None:
    """Return what a program prints, or ``None`` if there is none or it fails."""
    try:
        done = subprocess.run(
            line,
            cwd=gettempdir(),  # not here: what is installed is measured
            timeout=20,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _program(name: str) -> str | None:
    """Return where a program is; those for administrators are not always in the path."""
    return which(name) or which(name, path=_SBIN)


def _versions(*distributions: str) -> str | None:
    """Return names and versions of Python distributions, or ``None`` if one is missing."""
    try:
        return ", ".join(f"{name} {version(name)}" for name in distributions)
    except PackageNotFoundError:
        return None


def _find_tinyhttp() -> str | None:
    printed = _output(sys.executable, "-m", "tinyhttp", "--version")
    return printed.replace("\n", ", ") if printed else None


def _find_plain_tinyhttp() -> str | None:
    """Return its version, if there is a transport of its own to do without."""
    printed = _output(sys.executable, "-m", "tinyhttp", "--help") or ""
    return _find_tinyhttp() if "--plain-transport" in printed else None


def _tinyhttp(job: Job, *options: str) -> Command:
    where = [f"--port=tcp:{job.port}:interface=127.0.0.1"]
    if job.tls:
        certificate, key = job.tls
        where += [f"--tls-cert={certificate}", f"--tls-key={key}"]
    log = f"--access-log={job.log or 'none'}"
    line = [sys.executable, "-m", "tinyhttp", *where, f"--path={job.root}", log, *options]
    if job.rules:
        line = ["env", *rules.SECRETS, *line, f"--config={job.rules}", *rules.OPTIONS]
    return Command(line, stderr=job.work / "errors")


def _tls_endpoint(job: Job) -> str:
    assert job.tls is not None
    certificate, key = job.tls
    return f"ssl:{job.port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"


def _find_nginx() -> str | None:
    program = _program("nginx")
    return (_output(program, "-v") or "").rpartition(" ")[2] or None if program else None


def _nginx(job: Job, more: str = "") -> Command:
    file = job.work / "nginx.conf"
    file.write_text(configurations.nginx(job, more))
    # -e: until the file has been read, errors go where only an administrator may write
    errors = job.work / "errors"
    return Command([str(_program("nginx")), "-e", str(errors), "-c", str(file)], stderr=errors)


def _find_lighttpd() -> str | None:
    program = _program("lighttpd")
    return ((_output(program, "-v") or "").split(" ")[0] or None) if program else None


def _lighttpd(job: Job) -> Command:
    file = job.work / "lighttpd.conf"
    file.write_text(configurations.lighttpd(job))
    return Command(
        [str(_program("lighttpd")), "-D", "-f", str(file)], stderr=job.work / "complaints"
    )


def _twistd() -> str | None:
    """Return where the twistd of this Python is."""
    return which("twistd", path=str(Path(sys.executable).parent))


def _find_twistd() -> str | None:
    return _versions("Twisted") if _twistd() else None


def _twistd_web(job: Job) -> Command:
    where = f"--listen=tcp:{job.port}:interface=127.0.0.1"
    if job.tls:
        where = f"--listen={_tls_endpoint(job)}"
    line = [str(_twistd()), "--nodaemon", "--pidfile=", "web", where, f"--path={job.root}"]
    return Command(line, stdout=job.log)  # it always logs; else to nowhere


def _find_http_server() -> str:
    return f"Python {platform.python_version()}"


def _http_server(job: Job) -> Command:
    line = [sys.executable, "-m", "http.server", str(job.port), "-p", "HTTP/1.1"]
    where = ["-b", "127.0.0.1", "-d", str(job.root)]
    return Command([*line, *where], stderr=job.log)  # it always logs; else to nowhere


def _program_of_ours(job: Job, *, name: str) -> Command:
    log = ["--log"] if job.log else []
    tls = ["--tls", *map(str, job.tls)] if job.tls else []
    line = [sys.executable, str(_PEERS / f"{name}.py"), str(job.port), str(job.root), *log, *tls]
    output = job.log or job.work / "errors"
    return Command(line, stdout=output, stderr=output)


def _threads(job: Job) -> Command:
    line = [sys.executable, str(_PEERS / "threads.py"), str(job.root)]
    return Command(line, typed=f"{job.port}\n")


def _processes(job: Job) -> Command:
    return Command([sys.executable, str(_PEERS / "processes.py"), str(job.root), str(job.port)])


SERVERS = (
    Server(MEASURED, _find_tinyhttp, _tinyhttp, able=_ANY | {"rules"}),
    Server(
        "tinyhttp-plain",
        _find_plain_tinyhttp,
        lambda job: _tinyhttp(job, "--plain-transport"),
        able=_ANY | {"rules"},
    ),
    Server(REFERENCE, _find_nginx, _nginx),
    Server("nginx-cache", _find_nginx, partial(_nginx, more=configurations.CACHING)),
    Server("nginx-nopush", _find_nginx, partial(_nginx, more=configurations.NOPUSH)),
    Server("lighttpd", _find_lighttpd, _lighttpd),
    Server("twistd-web", _find_twistd, _twistd_web),
    Server(
        "starlette",
        lambda: _versions("starlette", "uvicorn", "h11"),
        partial(_program_of_ours, name="starlette_static"),
    ),
    Server(
        "aiohttp", lambda: _versions("aiohttp"), partial(_program_of_ours, name="aiohttp_static")
    ),
    Server("http.server", _find_http_server, _http_server, able=frozenset({"large", "log"})),
    Server("threads", _find_http_server, _threads, able=frozenset()),
    Server("processes", _find_http_server, _processes, able=frozenset()),
)
"""In the order in which they are measured and shown."""
