"""What comes back if a case is sent, on one connection, and whether it can be used further.

Whether a connection stays open, and whether both sides agree where the next request begins, is
found out by asking for something known: the right answer means both. No answer, or that to another
question, means that the server has taken some octets for something else.
"""

import time
from dataclasses import dataclass, field

from .kit import MARKER, MARKER_NAME
from .model import Await, Case, Pause, Target, fill_in, status_in_words
from .place import Place
from .reading import Closed, Garbled, Link, Response, TooLate
from .writing import get

__all__ = ["CLOSED", "LOST", "OPEN", "WAITS", "Seen", "exchange", "fetch"]

OPEN = "open"
CLOSED = "closed"
WAITS = "waits"
"""Nothing came in time: more of the request is waited for, or nobody cares."""
LOST = "lost"
"""Neither: what came next was no answer to what was asked next."""


@dataclass(frozen=True)
class Seen:
    """What came back."""

    sent: bytes
    responses: tuple[Response, ...] = ()
    after: str = CLOSED
    problem: str = ""
    """Why there are no more responses, if that is not because it was closed."""
    received: bytes = field(default=b"", repr=False)
    """The first octets of everything."""


def exchange(place: Place, case: Case, target: Target, timeout: float, *, kit: bool) -> Seen:
    """Send ``case`` on a connection of its own; raises OSError if there is none.

    ``timeout`` is for each response; ``kit`` tells whether there is something known to ask for.
    """
    sent = fill_in(case.request, target)
    link = place.connect(timeout)
    responses: list[Response] = []
    after, problem = CLOSED, ""
    try:
        for part in case.octets:
            if isinstance(part, Pause):
                time.sleep(part.seconds)
            elif isinstance(part, Await):
                link.await_anything(time.monotonic() + min(part.seconds, timeout))
            else:
                link.send(fill_in(part, target), time.monotonic() + timeout)
        for index in range(1 + len(case.also)):
            until = time.monotonic() + timeout
            responses.append(link.response(until, bodiless=index in case.bodiless))
        if not responses[-1].until_closed:
            after, problem = _what_follows(place, link, target, timeout, kit=kit)
    except Closed:
        pass
    except Garbled as error:
        after, problem = LOST, str(error)
    except TooLate:
        after, problem = WAITS, f"no response within {timeout:g} s"
    finally:
        link.close()
    return Seen(sent, tuple(responses), after, problem, link.received)


def _what_follows(
    place: Place, link: Link, target: Target, timeout: float, *, kit: bool
) -> tuple[str, str]:
    """Return what has become of the connection, and what is wrong with it."""
    until = time.monotonic() + timeout
    link.send(_question(target, kit=kit), until)
    try:
        response = link.response(until, bodiless=False)
    except Closed:
        return CLOSED, ""
    except TooLate:
        return WAITS, "the next request on the connection is not answered"
    except Garbled as error:
        return LOST, f"behind the response: {error}"
    if kit and (response.status, response.body) != (200, MARKER):
        what = status_in_words(response.status)
        return LOST, f"the next request on the connection is answered with {what}"
    return OPEN, ""


def _question(target: Target, *, kit: bool) -> bytes:
    name = f"/{MARKER_NAME}" if kit else "/"
    return fill_in(get(name, "Connection: close", "Accept-Encoding: identity"), target)


def fetch(place: Place, name: str, timeout: float) -> Response:
    """Return the response for ``name``; raises OSError, `Closed`, `Garbled` and `TooLate`."""
    link = place.connect(timeout)
    until = time.monotonic() + timeout
    try:
        target = Target(place.authority, place.prefix)
        request = get(f"/{name}", "Connection: close", "Accept-Encoding: identity")
        link.send(fill_in(request, target), until)
        return link.response(until, bodiless=False)
    finally:
        link.close()
