"""Who finds out what a policy asks.

Floor: server. What is in `tinyhttp.core.policy` are generators that ask. An `Inquiry`
answers from memory where that is possible, waits for a thread where it is not, and hands over the
response in the end. It notes what the answer came of, so that it may be remembered for as long as
that stays the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..core.answer import form_to_make
from ..core.path import SitePath
from ..core.policy import Answer, ListNames, LookUp, Question, Steps, Verify
from ..core.request import Request
from ..core.resource import File, Missing, OnDemand, Resource
from ..core.response import Refused, Response
from ..core.rules import is_rules_file
from ..site.files import Found
from .hosting import Host

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Inquiry"]


@dataclass(slots=True, frozen=True)
class _Waiting:
    """Stands for an answer that is not there yet."""


_WAITING: Final = _Waiting()


class Inquiry:
    """Takes the ``steps`` that answer ``request`` at ``host``.

    Calls ``done`` with the response, or ``failed`` with a failure that is no answer. ``recalled``
    is a path, and what the site remembers of it just now, if it has been asked already.
    """

    __slots__ = (
        *("_done", "_failed", "_host", "_recalled", "_request", "_server", "_steps"),
        "_waits_for",
        *("may_be_remembered", "seen"),
    )

    def __init__(
        self,
        server: "Server",
        host: Host,
        request: Request,
        steps: Steps,
        done: "Callable[[Response, Inquiry], None]",
        failed: Callable[[Failure], None],
        recalled: tuple[SitePath, Found | None] | None = None,
    ):
        self._server = server
        self._host = host
        self._request = request
        self._steps = steps
        self._done = done
        self._failed = failed
        self._recalled = recalled
        self._waits_for: Deferred[Any] | None = None
        self.seen: list[tuple[SitePath, Found]] = []
        """What was looked up, in order."""
        self.may_be_remembered = True
        """Whether nothing else has decided the answer."""

    @property
    def is_waiting(self) -> bool:
        """Whether it is a thread that has to move next."""
        return self._waits_for is not None

    def start(self) -> None:
        """Go as far as that is possible at once."""
        self._go_on(self._steps.send, None)

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        if self._waits_for is not None:
            self._waits_for.cancel()

    def _go_on(self, step: Callable[[Any], Question], answer: object) -> None:
        try:
            while not isinstance(answer, _Waiting):
                question = step(answer)
                step, answer = self._steps.send, self._ask(question)
        except StopIteration as end:
            self._done(end.value, self)

    def _ask(self, question: Question) -> Answer | _Waiting:
        if isinstance(question, LookUp):
            return self._look_up(question.path)
        self.may_be_remembered = False
        self._recalled = None  # as time passes
        if isinstance(question, ListNames):
            return self._wait(self._server.listings.get(self._host.site, question))
        assert isinstance(question, Verify)
        return self._wait(self._server.verify(question))

    def _wait(self, answer: Answer | Deferred[Any]) -> Answer | _Waiting:
        """Return ``answer``, or wait if it is a Deferred that has not fired."""
        if not isinstance(answer, Deferred):
            return answer
        self._waits_for = answer
        _ = answer.addCallbacks(self._told, self._not_told)
        return _WAITING

    # Files.

    def _look_up(self, path: SitePath) -> Resource | _Waiting:
        if is_rules_file(path) and self._host.policy.hides_rules:
            return Missing()
        site = self._host.site
        recalled, self._recalled = self._recalled, None
        if recalled is None or recalled[0] != path:
            recalled = path, site.recall(path)
        found = recalled[1]
        if found is not None:
            return self._note(found, path)
        self._waits_for = looking = self._server.look_up(path, site)
        _ = looking.addCallbacks(self._found, self._not_told, callbackArgs=(path,))
        return _WAITING

    def _found(self, found: Found, path: SitePath) -> None:
        self._told(self._note(found, path))

    def _note(self, found: Found, path: SitePath) -> Resource | _Waiting:
        self.seen.append((path, found))
        resource = found.resource
        if isinstance(resource, File) and resource.on_demand:
            return self._choose_form(resource, found, path)
        return resource

    def _choose_form(self, resource: File, found: Found, path: SitePath) -> Resource | _Waiting:
        """Have a form made, if it is one that is made on demand and has not been."""
        server, site = self._server, self._host.site
        form = form_to_make(self._request, resource, server.now())
        while form is not None and site.recall_form(path, form):
            # It is made now, or known to be useless, in which case another one may be chosen.
            form = form_to_make(self._request, resource, server.now())
        if form is None:
            return resource
        making = self._host.forms.make(path, found, form)
        if making is None:
            self.may_be_remembered = False  # a makeshift: the file as it lies
            return resource
        self._waits_for = making
        _ = making.addCallbacks(
            self._made, self._not_told, callbackArgs=(form, resource, found, path)
        )
        return _WAITING

    def _made(
        self, result: None, form: OnDemand, resource: File, found: Found, path: SitePath
    ) -> None:
        if self._host.site.recall_form(path, form):
            self._told(self._choose_form(resource, found, path))
        else:  # it was dropped again at once
            self.may_be_remembered = False
            self._told(resource)

    # What comes of waiting.

    def _told(self, answer: object) -> None:
        if isinstance(answer, _Waiting):
            return
        self._waits_for = None
        try:
            self._go_on(self._steps.send, answer)
        except Exception:
            self._failed(Failure())

    def _not_told(self, failure: Failure) -> None:
        self._waits_for = None
        error = failure.value
        if isinstance(error, CancelledError):
            self._steps.close()
        elif isinstance(error, Refused):
            self.may_be_remembered = False
            try:
                self._go_on(self._steps.throw, error)
            except Exception:
                self._failed(Failure())
        else:
            self._failed(failure)
