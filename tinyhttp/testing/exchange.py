"""A connection and an exchange that do what a script says to what the real ones would answer.

Floor: testing. Everything up to the response, and all of it where no rule applies, is what the
server always does.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.request import Head, HeadReader, Request
from ..core.resource import Span
from ..core.response import Response
from ..server.exchange import Exchange
from ..server.protocol import Connection
from ..server.transfer import Gone
from .faults import NO_FAULTS, Faults
from .journal import Entry
from .sending import Sending
from .wire import Plan, change_request, make_plan

if TYPE_CHECKING:
    from .server import ScriptedServer

__all__ = ["ScriptedConnection", "WholeHeads"]

_log = Logger()


class WholeHead(Head):
    """A head that has kept all its field lines, for the journal."""

    lines: tuple[bytes, ...] = ()


class WholeHeads(HeadReader):
    """Reads heads as the real one does, and keeps what that drops."""

    def read_whole(self, data: bytes) -> Head | None:
        """Say that it has to be read as it comes: nothing is answered from memory here."""
        return None

    def read(self, head: bytes) -> Head:
        """See `HeadReader.read`."""
        known = super().read(head)
        whole = WholeHead(known.decisive, known.noted)
        whole.lines = tuple(head[:-4].split(b"\r\n")[1:])
        return whole


class ScriptedExchange(Exchange):
    """An exchange that is noted in the journal, and to which the script is applied."""

    def __init__(
        self,
        connection: "ScriptedConnection",
        line: bytes,
        *,
        is_head: bool,
        head: Head | None = None,
        request: Request | None = None,
    ):
        super().__init__(connection, line, is_head=is_head, head=head, request=request)
        self._scripted: ScriptedServer = connection.scripted
        self._faults = NO_FAULTS
        self._sending: Sending | None = None
        self._entry = _entry_of(connection, line, head)
        self._scripted.record.add(self._entry)

    def answer(self, request: Request) -> None:
        """See `Exchange.answer`; the request may be changed before."""
        rule = self._scripted.script.choose(self._entry)
        if rule is not None:
            self._faults = rule.faults
            self._note(faults=str(rule.faults))
            change_request(request, rule.faults)
        super().answer(request)

    def respond(self, response: Response) -> None:
        """See `Exchange.respond`."""
        body = response.body
        generated = not isinstance(body, bytes) and any(map(self._scripted.is_generated, body))
        if self._faults == NO_FAULTS and not generated:
            self._note(status=response.status)
            super().respond(response)
            return
        self._status = response.status
        connection, faults = self._connection, self._faults
        connection.flush()
        self._connection_field()  # takes note if the server is draining
        plan = make_plan(
            response,
            faults,
            number=self._entry.number,
            date=self._server.date(self._server.now()),
            persistent=connection.persistent,
            is_head=self._is_head,
            old=self._request is not None and self._request.old,
        )
        self._start_scripted(
            plan, faults, response.status if faults.status is None else faults.status
        )

    def _start_scripted(self, plan: Plan, faults: Faults, status: int) -> None:
        connection = self._connection
        connection.persistent = plan.persistent
        scripted = self._scripted

        def sent() -> None:
            answered = None if faults.garbage is not None else status
            self._note(status=answered, octets=sending.octets)

        sending = Sending(connection.transport, scripted.reactor, scripted.read, sent)
        self._sending = sending
        if connection.is_full:
            sending.pause()
        spans = [piece for piece in plan.body if isinstance(piece, Span)]
        for span in spans:
            span.file.hold()
        _ = self._scripted.run(self._send_scripted(plan, faults, spans)).addErrback(self._broken)

    async def _send_scripted(self, plan: Plan, faults: Faults, spans: list[Span]) -> None:
        assert self._sending is not None
        sending, ending, gone = self._sending, plan.ending, False
        try:
            await sending.run(plan)
        except Gone:
            gone = True
        finally:
            self._sending = None
            for span in spans:
                span.file.let_go()
            self._note(duration=self._server.now() - self._entry.time)
        if faults.refuse_for is not None:
            self._scripted.refuse_for(faults.refuse_for)
        if gone:
            return
        if ending is not None and (ending.at is None or ending.at <= sending.octets):
            self._connection.cut_short()
        else:
            self._connection.responded()

    def _broken(self, failure: Failure) -> None:
        self._note(duration=self._server.now() - self._entry.time)
        super()._broken(failure)

    def pause(self) -> None:
        """See `Exchange.pause`."""
        super().pause()
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """See `Exchange.resume`."""
        super().resume()
        if self._sending is not None:
            self._sending.resume()

    def stop(self) -> None:
        """See `Exchange.stop`."""
        super().stop()
        if self._sending is not None:
            self._sending.stop()

    @property
    def waits_for_disk(self) -> bool:
        """Whether it is not the client that has to move next: we may be slow on purpose."""
        return self._sending is not None or super().waits_for_disk

    def _write_log(self, octets: int) -> None:
        super()._write_log(octets)
        self._note(octets=octets, duration=self._server.now() - self._entry.time)

    def _note(self, **changes: Any) -> None:
        self._scripted.record.change(self._entry.number, **changes)


class ScriptedConnection(Connection):
    """A connection to a `ScriptedServer`, the ``number``-th."""

    exchange_type: type[Exchange] = ScriptedExchange

    def __init__(self, server: "ScriptedServer", number: int):
        super().__init__(server)
        self.scripted = server
        self.number = number


def _entry_of(connection: ScriptedConnection, line: bytes, head: Head | None) -> Entry:
    """Return the entry of a request, as far as it is one."""
    words = line.decode("latin-1").split(" ")
    method, target = words[0], words[1] if len(words) > 1 else ""
    lines = head.lines if isinstance(head, WholeHead) else ()
    path = target.partition("?")[0]
    if not path.startswith(("/", "*")):  # absolute-form
        path = "/" + path.partition("://")[2].partition("/")[2]
    return Entry(
        connection.scripted.record.next_number(),
        connection.number,
        method,
        target,
        unquote_to_bytes(path).decode("utf-8", "replace"),
        tuple(_field(line) for line in lines),
        connection.scripted.now(),
    )


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name, value.strip(" \t")
