"""The servers that are held against the RFCs: found as those that are measured, and set up for it.

What a server can do for a directory of files is switched on: an index, precompressed forms.
"""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from shutil import which
from tempfile import gettempdir

from . import configurations, servers
from .launch import Command, Job
from .servers import Server

__all__ = ["CONTESTANTS"]

_NGINX = "gzip_static on; gzip_vary on; index index.html;"
_LIGHTTPD = """
index-file.names = ( "index.html" )
mimetype.assign += ( ".txt" => "text/plain", "" => "application/octet-stream" )
"""
_CADDY = """
{{
    admin off
    auto_https off
}}
:{port} {{
    bind 127.0.0.1
    root * {root}
    file_server {{
        precompressed br gzip
    }}
}}
"""


def _measured(name: str) -> Server:
    return next(server for server in servers.SERVERS if server.name == name)


def _nginx(job: Job) -> Command:
    command = _measured("nginx").command(job)
    (job.work / "nginx.conf").write_text(configurations.nginx(job, _NGINX))
    return command


def _lighttpd(job: Job) -> Command:
    command = _measured("lighttpd").command(job)
    with (job.work / "lighttpd.conf").open("a") as file:
        file.write(_LIGHTTPD)
    return command


def _starlette(job: Job) -> Command:
    """Return its command, with the option that is for directories of pages."""
    command = _measured("starlette").command(job)
    return replace(command, line=[*command.line, "--html"])


def _caddy(job: Job) -> Command:
    file = job.work / "Caddyfile"
    file.write_text(_CADDY.format(port=job.port, root=job.root))
    return _program(job, "caddy", "run", "--adapter", "caddyfile", "--config", str(file))


def _serve(job: Job) -> Command:
    """Return its command, with the redirects switched off that take .html from names."""
    file = job.work / "serve.json"
    file.write_text('{"cleanUrls": false}')
    where = ["-l", "tcp://127.0.0.1:{port}", "--config", str(file), "{root}"]
    return _program(job, "serve", "--no-port-switching", *where)


def _program(job: Job, name: str, *options: str) -> Command:
    """Return a command in whose options the directory and the port are put in."""
    filled = [option.format(root=job.root, port=job.port) for option in options]
    return Command([str(which(name)), *filled], stderr=job.work / "errors")


def _finder(name: str, option: str) -> Callable[[], str | None]:
    """Return what finds the program ``name`` and its version."""

    def find() -> str | None:
        program = which(name)
        if program is None:
            return None
        done = subprocess.run(
            [program, option],
            cwd=gettempdir(),
            timeout=20,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        words = done.stdout.split()
        version = next((word for word in words if any(map(str.isdigit, word))), "")
        return f"{name} {version.strip('v,').removeprefix(f'{name}/')}"

    return find


def _other(name: str, version: str, *options: str) -> Server:
    return Server(name, _finder(name, version), partial(_with_options, name=name, options=options))


def _with_options(job: Job, *, name: str, options: tuple[str, ...]) -> Command:
    return _program(job, name, *options)


CONTESTANTS = (
    _measured("tinyhttp"),
    replace(_measured("nginx"), command=_nginx),
    replace(_measured("lighttpd"), command=_lighttpd),
    Server("caddy", _finder("caddy", "version"), _caddy),
    _other("darkhttpd", "--help", "{root}", "--port", "{port}", "--addr", "127.0.0.1"),
    _measured("twistd-web"),
    _measured("aiohttp"),
    replace(_measured("starlette"), command=_starlette),
    _measured("http.server"),
    Server("serve", _finder("serve", "--version"), _serve),
    _other("http-server", "--version", "{root}", "-a", "127.0.0.1", "-p", "{port}", "-g", "-b"),
)
"""In the order in which they are shown."""
