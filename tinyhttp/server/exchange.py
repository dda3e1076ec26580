"""One request and its response.

Floor: server. Takes a request that has arrived whole, waits for the disk if it must, has `core`
decide the answer, and writes it. The connection knows when; this knows what. If the next request
of the same kind would get the same octets, they are remembered for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.answer import answer, check_method
from ..core.path import SitePath, resolve
from ..core.policy import Steps, respond_refused
from ..core.policy import respond as policy_respond
from ..core.reasons import Tell
from ..core.request import Head, Request
from ..core.resource import File, Resource, Span
from ..core.response import Body, Refused, Response, render_head
from ..site.files import Found
from ..site.residency import read_at_once
from .inquiry import Inquiry
from .memo import Remembered
from .pages import Page
from .tally import cell
from .transfer import Gone, Transfer, begin, make_transfer, rest

if TYPE_CHECKING:
    from .protocol import Connection

__all__ = ["Exchange"]

SMALL_PART: Final = 32 * 1024
"""Octets up to which a part of a large file is read inline, if it is in the kernel's memory."""

_log = Logger()


def _in_memory(body: Body) -> Body:
    """Return ``body`` as octets, if it is a small part of a file that needs no waiting for."""
    if isinstance(body, bytes) or len(body) > 1:
        return body
    span = body[0]
    if isinstance(span, bytes) or span.stop - span.start > SMALL_PART:
        return body
    octets = read_at_once(span.file.descriptor, span.stop - span.start, span.start)
    if octets is None or len(octets) < span.stop - span.start:
        return body
    return octets


def _is_of_the_future(resource: Resource, now: float) -> bool:
    return isinstance(resource, File) and any(
        variant.last_modified is not None and variant.last_modified > now
        for variant in resource.variants
    )


class Exchange:
    """The answering of a request that has come in on ``connection``.

    ``line`` is its request line, for the log; ``is_head`` says that no body may follow. ``head``
    and ``request`` are missing if there is only something to be refused.
    """

    __slots__ = (
        *("_began", "_connection", "_head", "_host", "_inquiry", "_is_head", "_is_logged"),
        *("_line", "_request", "_seen", "_server", "_shown", "_status", "_transfer"),
    )
    tell: Tell | None = None
    """Who hears the reasons; nobody, but where ``tinyhttp explain`` answers."""

    def __init__(
        self,
        connection: "Connection",
        line: bytes,
        *,
        is_head: bool,
        head: Head | None = None,
        request: Request | None = None,
    ):
        self._connection = connection
        self._server = connection.server
        self._line = line
        self._is_head = is_head
        self._head = head
        self._request = request
        self._status = 0
        self._is_logged = True
        self._shown = b""  # the field lines of the response, but for the first two
        self._host = connection.server.hosts.default
        self._seen: Sequence[tuple[SitePath, Found]] = ()  # what the answer came of
        self._inquiry: Inquiry | None = None
        self._transfer: Transfer | None = None
        tally = self._server.tally
        self._began = 0.0 if tally is None else tally.clock()

    @property
    def has_begun(self) -> bool:
        """Whether anything of the response has been written."""
        return self._status != 0

    def answer(self, request: Request) -> None:
        """Answer ``request``, now or when the disk has spoken."""
        page = self._server.pages.get(request.path)
        if page is not None:
            self._show(page, request)
            return
        self._host = host = self._server.hosts.of(request.authority)
        cors = host.policy.cors
        secure = host.policy.asks_secure and self._connection.is_secure(self._head)
        path: SitePath | None = None
        try:
            response = None if cors is None else cors.preflight(request)
            if response is None:
                response = check_method(request)
            if response is not None:
                self.respond(response)
                return
            path = resolve(request.path)
        except Refused as refused:
            now = self._server.now()
            steps = respond_refused(
                host.policy, request, path, refused, now, secure=secure, tell=self.tell
            )
            self._inquire(request, steps)
            return
        recalled: tuple[SitePath, Found | None] | None = None
        if path is not None:
            found = host.site.recall(path)
            if found is not None and self._answer_file(request, path, found, secure):
                return
            recalled = path, found
        now = self._server.now()
        steps = policy_respond(host.policy, request, path, now, secure=secure, tell=self.tell)
        self._inquire(request, steps, recalled)

    def _answer_file(self, request: Request, path: SitePath, found: Found, secure: bool) -> bool:
        """Answer with what was ``found``, if it is a file of which nothing else is to be asked."""
        resource, now = found.resource, self._server.now()
        if not isinstance(resource, File) or resource.on_demand:
            return False
        files = self._host.files
        if files is None:  # as for most sites
            response: Response | None = answer(request, resource, now)
        else:
            response = files.respond(request, path, resource, now, secure=secure)
        if response is None:
            return False
        self._seen = ((path, found),)
        self.respond(response)
        return True

    def _inquire(
        self,
        request: Request,
        steps: Steps,
        recalled: tuple[SitePath, Found | None] | None = None,
    ) -> None:
        """Answer as ``steps`` say, now or when the disk has spoken."""
        self._inquiry = Inquiry(
            self._server, self._host, request, steps, self._inquired, self._broken, recalled
        )
        self._inquiry.start()

    def _inquired(self, response: Response, inquiry: Inquiry) -> None:
        self._inquiry = None
        if inquiry.may_be_remembered and response.status != 401:
            self._seen = inquiry.seen
        self.respond(response)

    def _show(self, page: Page, request: Request) -> None:
        """Answer with one of our own pages: nobody's visit, so it leaves no trace."""
        try:
            response = page(request)
        except Refused as refused:
            response = refused.response()
        response.is_logged = False
        self.respond(response)

    def respond(self, response: Response) -> None:
        """Write ``response``; the connection hears of it when it is all written."""
        self._status = response.status
        self._is_logged = response.is_logged
        trace = self._connection.trace
        before_date, after_date = render_head(response, self._connection_field())
        self._shown = after_date
        date = self._server.date(self._server.now())
        if trace is not None:
            date += trace.field
        head = before_date + date + after_date
        body = b"" if self._is_head else _in_memory(response.body)
        if response.is_logged:
            self._remember(before_date, after_date, body)
        self._send(head, body)

    def _connection_field(self) -> bytes:
        """Return the value of Connection (RFC 9112 section 9.3) in the answer."""
        connection = self._connection
        if self._server.draining:
            connection.persistent = False
        if not connection.persistent:
            return b"close"
        return b"keep-alive" if self._request is not None and self._request.old else b""

    def _send(self, head: bytes, body: Body) -> None:
        connection = self._connection
        allowance = connection.allowance
        if isinstance(body, bytes):
            if allowance is not None:
                allowance.spend(len(body))
            connection.send(head, body)
            self._count(len(body))
            self._end(len(body))
            return
        connection.flush()
        if allowance is None or allowance.pace is None:
            sent = begin(connection.transport, head, body)
        else:
            connection.transport.write(head)
            sent = 0
        if pieces := rest(body, sent):
            self.go_on(self._status, self._shown, pieces, sent)
        else:
            self._count(sent, by_sendfile=sent)
            self._end(sent)

    def go_on(self, status: int, shown: bytes, pieces: Sequence[bytes | Span], sent: int) -> None:
        """Write the ``pieces`` that are left of a body behind the ``sent`` octets of it."""
        self._status, self._shown = status, shown
        connection = self._connection
        self._count(sent, by_sendfile=sent)
        pace = None if connection.allowance is None else connection.allowance.pace
        self._transfer = make_transfer(pieces, connection.transport, self._server.disk, pace)
        self._transfer.tally = tally = self._server.tally
        if tally is not None and self._request is None:
            tally.resumed += 1  # it is the memo that has begun
        self._transfer.sent = sent
        connection.watch_progress()
        if connection.is_full:
            self._transfer.pause()
        _ = (
            self._transfer.start()
            .addCallbacks(self._transferred, self._cut_short)
            .addErrback(self._broken)
        )

    def pause(self) -> None:
        """The client does not keep up."""
        if self._transfer is not None:
            self._transfer.pause()

    def resume(self) -> None:
        """It does again."""
        if self._transfer is not None:
            self._transfer.resume()

    def stop(self) -> None:
        """The connection is lost, or given up."""
        if self._inquiry is not None:
            self._inquiry.cancel()
        if self._transfer is not None:
            self._transfer.stop()

    @property
    def waits_for_disk(self) -> bool:
        """Whether it is the disk, or the pace, and not the client, that has to move next."""
        return (self._inquiry is not None and self._inquiry.is_waiting) or (
            self._transfer is not None and not self._transfer.waits_for_client
        )

    def _broken(self, failure: Failure) -> None:
        self._inquiry = None
        _log.failure("an error of the server's own; the connection is closed", failure)
        self._connection.refuse(Refused(500, ""))

    # The end.

    def _remember(self, before_date: bytes, after_date: bytes, body: Body) -> None:
        """Remember the answer, if nothing but the head and the resource has decided it.

        Not if it has parts; nor if a body came with the request; nor if the connection closes and
        not because the client asked for it; nor if a password is in the head.
        """
        request, persistent = self._request, self._connection.persistent
        if not self._seen or request is None or self._head is None:
            return
        if b"authorization" in request.fields:
            return
        if not isinstance(body, bytes) and len(body) > 1:
            return
        now = self._server.now()
        if any(_is_of_the_future(found.resource, now) for _, found in self._seen):
            return  # its Last-Modified is the time of each answer
        if request.body_length == 0 and request.persistent == persistent:
            # The last is what the answer is about; those before led to it.
            *others, (path, found) = self._seen
            answer = Remembered(
                path,
                found,
                before_date,
                after_date,
                body,
                self._status,
                now,
                persistent,
                self._host.site,
                tuple(others),
                0 if self._server.tally is None else cell(self._line, self._status),
            )
            self._connection.memo.put(self._head.decisive, answer)

    def _transferred(self, result: None) -> None:
        transfer, self._transfer = self._transfer, None
        assert transfer is not None
        self._end(transfer.sent)

    def _cut_short(self, failure: Failure) -> None:
        """The announced length can't be kept, so the connection has to end (RFC 9112 section 8)."""
        transfer, self._transfer = self._transfer, None
        assert transfer is not None
        if not failure.check(Gone):
            _log.error("a response was cut short: {error!r}", error=failure.value)
        self._leave_trace(transfer.sent)
        self._connection.cut_short()

    def _end(self, octets: int) -> None:
        self._leave_trace(octets)
        self._connection.responded()

    def _leave_trace(self, octets: int) -> None:
        """Leave a trace of the answer, of whose body ``octets`` were sent."""
        if not self._is_logged:
            return
        if self._server.tally is not None:
            self._server.tally.answered(self._line, self._status, self._began)
        self._write_log(octets)

    def _count(self, octets: int, by_sendfile: int = 0) -> None:
        tally = self._server.tally
        if tally is not None and self._is_logged:
            tally.octets += octets
            tally.by_sendfile += by_sendfile

    def _write_log(self, octets: int) -> None:
        log = self._server.access_log
        if log is not None:
            about = self._head, self._line, self._status, octets, self._shown
            log.add(log.line(self._connection, *about))
