"""START HERE: what is said about a resource. The whole policy, top to bottom.

Floor: core (pure). RFC 9110: methods (section 9), content negotiation (12), conditional requests
(13), range requests (14) and status codes (15), in that order.

`check_method` comes before the look-up, so that a method that is not served costs no disk access;
`answer` after it. Both know nothing of connections and of HTTP versions. For HEAD `answer` says
what it would say to GET; that no body follows is a matter of whoever sends it.
"""

from dataclasses import replace

from .conditional import evaluate, if_range
from .digest import repr_digest, wants_sha256
from .error_page import error_response
from .fields import format_http_date
from .negotiation import choose
from .path import escape_query
from .ranges import Spans, content_range, multipart, parse_range
from .reasons import Condition, Ranged, Tell
from .request import ALLOW, Request
from .resource import (
    Directory,
    File,
    Forbidden,
    Form,
    Missing,
    OnDemand,
    Representation,
    Resource,
    Span,
)
from .response import Body, Fields, Refused, Response

__all__ = ["answer", "answer_page", "check_method", "form_to_make"]

# RFC 9110 section 9.3, RFC 5789: methods that we know and no file answers.
_KNOWN_METHODS = frozenset((b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT"))

_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_ACCEPT_RANGES = (b"Accept-Ranges", b"bytes")
_VARY = (b"Vary", b"Accept-Encoding")
_WANT = b"want-repr-digest"


def check_method(request: Request) -> Response | None:
    """Return the response to OPTIONS, ``None`` for GET and HEAD; raise `Refused` for the rest."""
    method = request.method
    if method in (b"GET", b"HEAD") and request.path != b"*":
        return None
    if method == b"OPTIONS":
        return Response(204, [ALLOW], length=None)
    if method in _KNOWN_METHODS:
        raise Refused(405, "Files can be read here, and nothing else.", [ALLOW])
    raise Refused(501, "That method is not known here.")


def answer(request: Request, resource: Resource, now: float, tell: Tell | None = None) -> Response:
    """Return the response to a GET or HEAD for ``resource``; ``now`` is in epoch seconds.

    ``tell``, if there is one, hears the reasons.
    """
    # 1. Nothing to represent.
    if isinstance(resource, Missing):
        return _without_file(request, 404)
    if isinstance(resource, Forbidden):
        return _without_file(request, 403)
    if isinstance(resource, Directory):
        return _redirect(request, resource)

    # 2. Which representation?
    form = _select(request, resource, now, tell)
    if form is None:
        return _without_file(request, 406, "Every coding that this file has was ruled out.", _VARY)

    # 3. Does the client's copy, or its wish, end it here?
    fields = _validators(resource, form, now)
    status = evaluate(request.fields, form, now, tell)
    if status == 304:
        content_type = resource.variants[0].content_type
        return Response(304, fields, length=None, content_type=content_type)
    if status == 412:
        return _without_file(request, 412, "The file is not the one that the request is about.")

    # 4. All of it, or parts?
    representation = form.made if isinstance(form, OnDemand) else form
    if representation is None:  # nobody has made it: something else has to do
        return answer(request, _as_it_lies(resource), now, tell)
    _describe(fields, representation)
    if representation.sha256 is not None and wants_sha256(request.fields.get(_WANT)):
        fields.append((b"Repr-Digest", repr_digest(representation.sha256)))
    spans = _spans(request, representation, now, tell)
    if spans is None:
        return _whole(fields, representation)
    if not spans:
        return _unsatisfiable(request, representation)
    if len(spans) == 1:
        return _single(fields, representation, *spans[0])
    return _multiple(fields, representation, spans)


def answer_page(request: Request, resource: File, status: int) -> Response:
    """Return ``resource`` as the body of a response with ``status``, which is about something else.

    So it has no validators, conditions are not looked at, and there are no parts of it.
    """
    accepted = request.fields.get(b"accept-encoding")
    representation = resource.variants[choose(accepted, resource.variants) or 0]
    fields: Fields = [(b"Content-Type", representation.content_type)]
    if representation.coding:
        fields.append((b"Content-Encoding", representation.coding))
    if len(resource.variants) > 1:
        fields.append(_VARY)
    response = _whole([*fields, _NOSNIFF], representation)
    response.status = status
    return response


def form_to_make(request: Request, resource: File, now: float) -> OnDemand | None:
    """Return the form of ``resource`` that `answer` would send if it were made.

    ``None`` if there is nothing to make: another form is chosen, or no form has to be sent.
    """
    form = _select(request, resource, now)
    if not isinstance(form, OnDemand) or form.made is not None:
        return None
    return form if evaluate(request.fields, form, now) is None else None


def _select(request: Request, resource: File, now: float, tell: Tell | None = None) -> Form | None:
    """Section 12.5.3; ``None`` if the client accepts none."""
    accepted = request.fields.get(b"accept-encoding")
    index = choose(accepted, resource.variants, None if resource.on_demand else tell)
    lying = None if index is None else resource.variants[index]
    if not resource.on_demand:
        return lying
    to_make = (form for form in resource.on_demand if not form.useless)
    forms: tuple[Form, ...] = (*resource.variants, *to_make)
    index = choose(accepted, forms, tell)
    if index is None:
        return None
    form = forms[index]
    if isinstance(form, OnDemand) and lying is not None and _is_about_part(request, lying, now):
        return lying
    return form


def _is_about_part(request: Request, representation: Representation, now: float) -> bool:
    """Return whether Range may decide that ``representation`` is what the request is about.

    It may not if the client resumes by a date: that does not tell which form its first part is
    of, and would go for one that was encoded on demand as well (section 13.1.5).
    """
    by_date = not request.fields.get(b"if-range", b'"').startswith((b'"', b"W/"))
    return not by_date and _spans(request, representation, now) is not None


def _as_it_lies(resource: File) -> File:
    """Return ``resource`` with nothing to be made; it still varies (section 12.5.5)."""
    return File(
        resource.variants, tuple(replace(form, useless=True) for form in resource.on_demand)
    )


def _without_file(
    request: Request, status: int, detail: str = "", *fields: tuple[bytes, bytes]
) -> Response:
    """Return a response that has no file to send, in a form that the client likes."""
    return error_response(status, detail, fields, accept=request.fields.get(b"accept"))


def _redirect(request: Request, directory: Directory) -> Response:
    """Section 15.4.2. The path alone: nothing of the request's authority can get into it."""
    location = directory.location
    if request.query is not None:
        location += b"?" + escape_query(request.query)
    field = (b"Location", location)
    return _without_file(request, 301, "Directories end with a slash.", field)


def _validators(resource: File, representation: Form, now: float) -> Fields:
    """The fields that a 304 repeats too (section 15.4.5)."""
    fields = [(b"ETag", representation.etag)]
    if representation.last_modified is not None:
        # Section 8.8.2.1: never later than Date.
        date = min(representation.last_modified, int(now))
        fields.append((b"Last-Modified", format_http_date(date)))
    if len(resource.variants) > 1 or resource.on_demand:
        fields.append(_VARY)  # on every variant, the unencoded one too: section 12.5.5
    return fields


def _describe(fields: Fields, representation: Representation) -> None:
    fields.append((b"Content-Type", representation.content_type))
    if representation.coding:
        fields.append((b"Content-Encoding", representation.coding))
    fields += (_ACCEPT_RANGES, _NOSNIFF) if representation.divisible else (_NOSNIFF,)


def _spans(
    request: Request, representation: Representation, now: float, tell: Tell | None = None
) -> Spans | None:
    """Range is defined for GET alone (section 14.2); ranges count in the encoded form."""
    value = request.fields.get(b"range")
    if value is None or request.method != b"GET" or not representation.divisible:
        return None
    holds = if_range(request.fields, representation, now)
    if tell is not None and b"if-range" in request.fields:
        tell(Condition(b"If-Range", holds))
    spans = parse_range(value, representation.size) if holds else None
    if tell is not None:
        tell(Ranged(value, spans))
    return spans


def _whole(fields: Fields, representation: Representation) -> Response:
    body = _cut(representation, 0, representation.size)
    return Response(
        200, fields, body, representation.size, content_type=representation.content_type
    )


def _unsatisfiable(request: Request, representation: Representation) -> Response:
    """Section 15.5.17."""
    field = (b"Content-Range", b"bytes */%d" % representation.size)
    return _without_file(request, 416, "The file is shorter than that.", field)


def _single(fields: Fields, representation: Representation, start: int, stop: int) -> Response:
    """Section 15.3.7.1."""
    fields.append((b"Content-Range", content_range(start, stop, representation.size)))
    body = _cut(representation, start, stop)
    return Response(206, fields, body, stop - start, content_type=representation.content_type)


def _multiple(fields: Fields, representation: Representation, spans: Spans) -> Response:
    """Section 15.3.7.2. The type of the file moves from the head into the parts."""
    content_type, delimiters, closing = multipart(
        spans, representation.size, representation.content_type, representation.etag
    )
    head = [(n, content_type if n == b"Content-Type" else v) for n, v in fields]
    pieces: list[bytes | Span] = []
    length = len(closing)
    for delimiter, (start, stop) in zip(delimiters, spans, strict=True):
        pieces += (delimiter, *_pieces(_cut(representation, start, stop)))
        length += len(delimiter) + stop - start
    return Response(206, head, [*pieces, closing], length, content_type=representation.content_type)


def _cut(representation: Representation, start: int, stop: int) -> Body:
    content = representation.content
    if isinstance(content, bytes):
        return content if stop - start == len(content) else content[start:stop]
    return (Span(content, start, stop),)


def _pieces(body: Body) -> tuple[bytes | Span, ...]:
    return (body,) if isinstance(body, bytes) else tuple(body)
