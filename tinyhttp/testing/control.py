"""Servers for tests that know no Twisted, in a process that is told what to do.

Floor: testing. Nothing of Twisted is imported here. The process reads orders from a pipe, and ends
when the pipe does: however this process ends, that one is not left behind.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from .certificates import Trust, make_trust
from .content import Content, Prepared, prepare
from .journal import Entries, Entry
from .mistakes import ScriptError
from .rules import Rule
from .scripting import Scripting

__all__ = ["Child", "ChildJournal", "ChildServer", "serve"]

PATIENCE = 30.0
"""Seconds until an order is given up; all take milliseconds, but for the first on a busy machine.
"""
_READ = 64 * 1024

# Our directory is the first on its path, and not the current one: a file there called like a module
# of the standard library would be taken for it. Twisted imports pyOpenSSL if it finds it, a third
# of the time until the process is ready; so it does not find it, until TLS is asked for.
_PROGRAM = """
import sys
sys.path[0] = {!r}
sys.modules["OpenSSL"] = None
from tinyhttp.testing.child import main
main()
"""


class Child:
    """A process in which any number of servers can run; a context manager.

    The first server waits for the process to start, the others take milliseconds.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._received = b""
        self._orders = 0
        package = str(Path(__file__).resolve().parents[2])
        self._process = subprocess.Popen(  # noqa: S603 (this Python, and our own program)
            [sys.executable, "-c", _PROGRAM.format(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def serve(
        self,
        content: Content,
        *,
        rules: Iterable[Rule] = (),
        https: bool | Trust = False,
        unix: bool | str = False,
        **options: Any,
    ) -> "ChildServer":
        """Return a running server of ``content``; raises `ScriptError`.

        The parameters are those of `FileServer`; ``timeouts`` is a dict of what `Timeouts` has.
        """
        said = [rule.plain() for rule in rules]
        trust = make_trust() if https is True else (https or None)
        prepared = prepare(content)
        try:
            result = self.order(
                "serve",
                prepared=prepared.plain(),
                rules=said,
                trust=trust and [trust.ca_pem.decode(), trust.server_pem.decode()],
                unix=os.path.abspath(unix) if isinstance(unix, str) else unix,
                options=options,
            )
        except BaseException:
            prepared.remove()
            raise
        return ChildServer(self, prepared, trust, **result)

    def stop(self) -> None:
        """End the process, and every server in it."""
        with self._lock:
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def order(self, what: str, *, patience: float = PATIENCE, **parameters: Any) -> Any:
        """Have the process do ``what``, and return what it says to that."""
        with self._lock:
            self._orders += 1
            line = json.dumps({"id": self._orders, "do": what, **parameters}) + "\n"
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                raise self._gone() from None
            answer: dict[str, Any] = {"id": 0}
            while answer["id"] != self._orders:  # others are of orders that were given up
                answer = json.loads(self._line(monotonic() + patience))
        if "error" in answer:
            raise _error(answer["kind"], answer["error"])
        return answer["result"]

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        pieces = [self._received]
        self._received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in pieces[-1]:
                if not selector.select(max(deadline - monotonic(), 0)):
                    self._received = b"".join(pieces)
                    raise TimeoutError("the process with the servers does not answer")
                data = os.read(pipe, _READ)
                if not data:
                    raise self._gone()
                pieces.append(data)
        line, _, self._received = b"".join(pieces).partition(b"\n")
        return line

    def _gone(self) -> RuntimeError:
        status = self._process.poll()
        return RuntimeError(f"the process with the servers has ended (status {status})")


class ChildJournal(Entries):
    """The requests that a server in the process has had; asked for anew each time."""

    def __init__(self, child: Child, number: int):
        self._child = child
        self._number = number

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries there are, oldest first; the latest 10,000."""
        return [Entry.from_plain(e) for e in self._child.order("entries", server=self._number)]

    def clear(self) -> None:
        """Forget what there was."""
        self._child.order("forget", server=self._number)

    def wait_for(
        self,
        count: int = 1,
        method: str | None = None,
        target: str | None = None,
        *,
        ended: bool = False,
        timeout: float = 10,
    ) -> list[Entry]:
        """Return the entries like that, once there are ``count`` of them.

        With ``ended``, once so many have been answered to the end. Raises ``TimeoutError`` after
        ``timeout`` seconds.
        """
        found = self._child.order(
            "wait",
            server=self._number,
            count=count,
            method=method,
            target=target,
            ended=ended,
            timeout=timeout,
            patience=timeout + PATIENCE,
        )
        return [Entry.from_plain(entry) for entry in found]


class ChildServer(Scripting):
    """A server in the process; a context manager, at whose end it stops."""

    def __init__(
        self,
        child: Child,
        prepared: Prepared,
        trust: Trust | None,
        *,
        server: int,
        url: str,
        socket_path: str | None,
    ):
        self.url = url
        """The URL of the root, without a slash at its end."""
        self.socket_path = socket_path
        self.journal = ChildJournal(child, server)
        self.ends_its_process = False
        self.trust = trust
        self._child = child
        self._number = server
        self._prepared = prepared
        self._certificates: Prepared | None = None
        self._age = 0
        self._stopped = False

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    def __enter__(self) -> "ChildServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop; requests under way are cut off."""
        if self._stopped:
            return
        self._stopped = True
        try:
            self._child.order("stop", server=self._number)
        finally:
            self._prepared.remove()
            if self._certificates is not None:
                self._certificates.remove()
            if self.ends_its_process:
                self._child.stop()

    @property
    def ca_file(self) -> str:
        """The path of a file with the certificate that a client has to trust, as PEM."""
        if self.trust is None:
            raise ScriptError("there is nothing to trust without https=True")
        if self._certificates is None:
            self._certificates = prepare({"/ca.pem": self.trust.ca_pem})
        return os.path.join(self._certificates.root, "ca.pem")

    def write(self, path: str, content: str | bytes) -> None:
        """Replace a file, or make one, as a deployment would; it is newer than all before."""
        self._age += 60
        self._prepared.write(path, content, self._age)

    def refuse(self) -> None:
        """Refuse new connections; others stay."""
        self._child.order("refuse", server=self._number)

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._child.order("accept", server=self._number)

    def refusing(self) -> "Refusing":
        """Return a context in which new connections are refused."""
        return Refusing(self)

    def _add(self, rule: Rule) -> int:
        return int(self._child.order("add", server=self._number, rule=rule.plain()))

    def _replace(self, place: int, rule: Rule) -> None:
        self._child.order("replace", server=self._number, place=place, rule=rule.plain())

    def _clear(self) -> None:
        self._child.order("clear", server=self._number)

    def _unused(self) -> list[str]:
        return [str(said) for said in self._child.order("unused", server=self._number)]


class Refusing:
    """A context in which ``server`` refuses connections."""

    def __init__(self, server: ChildServer):
        self._server = server

    def __enter__(self) -> None:
        self._server.refuse()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.accept()


def serve(
    content: Content,
    *,
    rules: Iterable[Rule] = (),
    https: bool | Trust = False,
    unix: bool | str = False,
    **options: Any,
) -> ChildServer:
    """Return a server of ``content`` in a process of its own: a context manager.

    The parameters are those of `Child.serve`. Raises `ScriptError`.
    """
    child = Child()
    try:
        server = child.serve(content, rules=rules, https=https, unix=unix, **options)
    except BaseException:
        child.stop()
        raise
    server.ends_its_process = True
    return server


def _error(kind: str, text: str) -> Exception:
    if kind == "TimeoutError":
        return TimeoutError(text)
    if kind in ("ScriptError", "Missing"):
        return ScriptError(text)
    return RuntimeError(f"the server could not do that: {kind}: {text}")
