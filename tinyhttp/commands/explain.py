"""``tinyhttp explain [options] [METHOD] /path``: why a request would be answered as it would be.

Nothing is served. The options are those of the server; the request is put together from the few
others, and rehearsed (`tinyhttp.commands.rehearsal`) in a server that is given the same settings.

Exit status: 0, the answer's status is below 400; 1, it is 400 or more, or there is none; 2, the
options are wrong.
"""

import json
import os
import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.python import usage

from ..assembly import make_server
from ..options import CannotStart, Options
from ..server.pages import Health
from ..server.server import Server
from .account import Step, account
from .rehearsal import Rehearsal, Waiting, rehearse
from .terminal import complain, say, shown

__all__ = ["main"]

_METHODS = ("GET", "HEAD", "OPTIONS")


class _Options(Options):
    """The server's options, and those that make a request."""

    synopsis = (
        "Usage: tinyhttp explain [options of the server] [-H 'Name: value']... [--secure]\n"
        "                        [--user USER:PASSWORD] [--json] [GET|HEAD|OPTIONS] /path"
    )
    longdesc = (
        "Prints how a request would be answered, and why, without serving. Options go before the "
        "path. Exit status: 0, the answer is below 400; 1, it is not; 2, wrong usage."
    )
    optFlags: ClassVar[list[list[Any]]] = [
        ["secure", None, "As if the request came over TLS."],
        ["json", None, "Print JSON."],
    ]
    optParameters: ClassVar[list[list[Any]]] = [
        ["user", None, None, "USER:PASSWORD, sent as Basic credentials."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.method, self.target = "GET", ""
        self.lines: list[bytes] = []

    def opt_header(self, line: str) -> None:
        """Field of the request, as 'Name: value'. May be repeated."""
        name, colon, _ = line.partition(":")
        if not colon or not name:
            raise usage.UsageError(f"--header {line!r}: 'Name: value' is wanted")
        self.lines.append(os.fsencode(line))

    opt_H = opt_header  # noqa: N815 (the letter that curl has for it)

    def parseArgs(self, *words: str) -> None:  # noqa: N802 (the name is Twisted's)
        """Take method and path."""
        *before, target = words or ("",)
        if len(before) > 1 or not target.startswith(("/", "http://", "https://", "*")):
            raise usage.UsageError("a path is wanted behind the options: [GET|HEAD|OPTIONS] /path")
        if before and before[0] not in _METHODS:
            raise usage.UsageError(f"{before[0]!r}: GET, HEAD or OPTIONS is wanted")
        self.method, self.target = (before or ["GET"])[0], target

    def request(self) -> bytes:
        """Return the octets of the request."""
        names = {line.partition(b":")[0].lower() for line in self.lines}
        lines = [f"{self.method} ".encode() + os.fsencode(self.target) + b" HTTP/1.1", *self.lines]
        if b"host" not in names:
            lines.insert(1, b"Host: localhost")
        if self["user"] is not None:
            lines.append(b"Authorization: Basic " + b64encode(os.fsencode(self["user"])))
        return b"\r\n".join([*lines, b"", b""])


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _Options()
    try:
        options.parseOptions(list(arguments))
        reactor = Waiting()
        server = _server(reactor, options)
    except CannotStart as error:
        complain(str(error).replace("tinyhttp:", "tinyhttp explain:", 1))
        return 2
    try:
        octets, secure = options.request(), bool(options["secure"])
        rehearsal = rehearse(server, octets, secure=secure, turn=reactor.turn)
    except TimeoutError as error:
        complain(f"tinyhttp explain: {error}")
        return 1
    finally:
        _ = server.stop(grace=0)
    (_print_json if options["json"] else _print)(rehearsal)
    return 0 if 0 < rehearsal.status < 400 else 1


def _server(reactor: Waiting, options: Options) -> Server:
    """Return the server that ``options`` describe, which reads files by itself and logs nothing."""
    options["access-log"], options["threads"] = "none", 0
    server = make_server(reactor, options)
    if options["health-path"]:
        health = Health(options["unready-status"])
        health.begin()
        server.pages = {options["health-path"].encode(): health.ready}
    return server


# What is printed.


def _print(rehearsal: Rehearsal) -> None:
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in report(account(rehearsal), rehearsal.head, colours=colours):
        say(line)


def report(steps: Sequence[Step], head: bytes, *, colours: bool = False) -> list[str]:
    """Return the ``steps``, numbered, and behind them the ``head`` as it would be sent."""

    def painted(code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colours and text else text

    lines = []
    for number, step in enumerate(steps, 1):
        clause = painted(2, f"  [{step.clause}]" if step.clause else "")
        lines.append(f"{painted(1, f'{number:2}. {step.title}')}{clause}")
        lines += [f"      {line}" for line in step.lines]
    lines.append("")
    for line in head[:-4].split(b"\r\n") if head else ():
        lines.append(painted(36, shown((line,))))
    return lines


def _print_json(rehearsal: Rehearsal) -> None:
    steps = [
        {"kind": step.kind, "title": step.title, "lines": step.lines, "clause": step.clause}
        for step in account(rehearsal)
    ]
    head = rehearsal.head.decode("latin-1")
    say(json.dumps({"status": rehearsal.status, "steps": steps, "head": head}, indent=2))
