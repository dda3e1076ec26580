"""What a site does with a request besides handing out the file that it names.

Floor: core (pure). `respond` is the whole of it, from top to bottom, as `tinyhttp.core.answer` is
for a single file. It is a generator: what it can't know it asks for (what a path leads to, which
names a directory holds, whether a password is right), and in the end it returns the response. So
it decides, and somebody else waits; and ``tinyhttp explain`` can ask in the same way.

A `File` is good until the next question: whoever answers that may have to wait, and to close other
files for it. What is protected is a `SitePath`, and so is what is opened: they can't disagree.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from .accept import wants_page
from .access import Access, challenge, credentials_of
from .answer import answer, answer_page
from .caching import Caching
from .cors import Cors
from .error_lookup import error_pages
from .error_page import error_response
from .field_rules import FieldRules, Operations
from .https import elsewhere
from .listing import TooMany, parse_view
from .listing_forms import form_fields, listing_form
from .other_names import as_directory, shorter, with_html
from .path import SitePath, escape_query
from .policy_fields import cache_control_of, dress, kept_private, operations_on, varies_by
from .questions import Answer, ListNames, LookUp, Question, Steps, Verify
from .reasons import Added, Asked, Guarded, Paged, Ruled, Tell, Went
from .redirects import Redirect, Redirects, Rewrite
from .request import Request
from .resource import Directory, File, Missing, Representation, Resource
from .response import Fields, Refused, Response

__all__ = [
    "Answer",
    "ListNames",
    "LookUp",
    "Policy",
    "Question",
    "Steps",
    "Verify",
    "respond",
    "respond_refused",
]

ROOT = SitePath((), True)
_NO_CACHE = (b"Cache-Control", b"no-cache")
_VARY = (b"Vary", b"Accept")
_STATUSES_OF_FILES = frozenset((406, 412, 416))
"""What `answer` may have to say about a file that is there."""


@dataclass(slots=True, frozen=True)
class Policy:
    """How a site differs from a plain tree of files.

    Without arguments: not at all, but for the page ``404.html`` nearest to what was asked for.
    """

    listing: bool = False
    clean_urls: bool = False
    """Whether ``/about`` stands for ``about.html``, which itself redirects to it."""
    index: tuple[bytes, ...] = (b"index.html",)
    """Names by which a directory is answered; of the first one it is taken for a file."""
    trailing_slash: str = "keep"
    """"add" or "remove" it where a page is a file or a directory's index, "keep" what is there."""
    spa: bool = False
    """Whether pages without a file are the root's index, for a program in the browser to make."""
    hides_rules: bool = True
    """Whether the files of rules at the root are none of the site's files."""
    own_pages: bool = True
    """Whether the nearest ``404.html`` is looked for."""
    error_pages: Mapping[int, SitePath] = field(default_factory=dict)
    redirects: Redirects | None = None
    field_rules: FieldRules | None = None
    caching: Caching | None = None
    cors: Cors | None = None
    accesses: Sequence[Access] = ()
    """Who may see what, the deepest first."""
    https_port: int | None = None
    """Where plain requests are sent, if they are."""
    canonical_host: bytes | None = None
    fields: Fields = field(default_factory=list)
    """Of every response."""
    secure_fields: Fields = field(default_factory=list)
    """Of every response over TLS."""

    @property
    def is_plain(self) -> bool:
        """Whether a file that is there is always answered as `answer` says."""
        return not (
            self.clean_urls
            or self.trailing_slash != "keep"
            or self.redirects is not None
            or self.field_rules is not None
            or self.caching is not None
            or self.cors is not None
            or self.accesses
            or not self.error_pages.keys().isdisjoint(_STATUSES_OF_FILES)
            or self.https_port is not None
            or self.canonical_host is not None
            or self.fields
            or self.secure_fields
        )

    @property
    def asks_secure(self) -> bool:
        """Whether it makes a difference that a request came over TLS."""
        return (
            self.https_port is not None
            or self.canonical_host is not None  # to which one is sent by the same scheme
            or bool(self.secure_fields)
        )

    @property
    def decisive(self) -> frozenset[bytes]:
        """The request's fields, in lower case, that have a say besides those `answer` looks at."""
        names: set[bytes] = set()
        if self.cors is not None:
            names |= {
                b"origin",
                b"access-control-request-method",
                b"access-control-request-headers",
            }
        if self.accesses:
            names.add(b"authorization")
        return frozenset(names)

    def access_to(self, path: SitePath) -> Access | None:
        """Return what protects ``path``, if anything does."""
        return next((access for access in self.accesses if access.covers(path)), None)


@dataclass(slots=True)
class _Asked:
    """A request to a site."""

    policy: Policy
    request: Request
    path: SitePath | None
    """``None`` if no file can have its name."""
    when: float
    """Epoch seconds."""
    secure: bool
    tell: Tell | None = None
    """Who hears the reasons, if anybody does."""
    guarded: bool = False
    """Whether a password was asked for on the way."""
    file: SitePath | None = None
    """The file's own path, where that is not the path it is asked for by."""


def respond(
    policy: Policy,
    request: Request,
    path: SitePath | None,
    when: float,
    *,
    secure: bool = False,
    tell: Tell | None = None,
) -> Steps:
    """Ask what has to be asked, and return the response to a GET or HEAD for ``path``.

    ``when`` is in epoch seconds; ``secure`` says that the request came over TLS. ``tell``, if there
    is one, hears the reasons (see `tinyhttp.core.reasons`).
    """
    asked = _Asked(policy, request, path, when, secure, tell)
    if tell is not None:
        tell(Asked(path, secure))
    try:
        response = yield from _find(asked)
    except Refused as refused:
        if tell is not None:
            tell(refused)
        response = error_response(
            refused.status,
            refused.detail,
            refused.fields,
            accept=request.fields.get(b"accept"),
        )
    if response.status >= 400 and not response.content_type:
        response = yield from _with_page(asked, response)
    return _finish(asked, response)


def respond_refused(
    policy: Policy,
    request: Request,
    path: SitePath | None,
    refused: Refused,
    when: float,
    *,
    secure: bool = False,
    tell: Tell | None = None,
) -> Steps:
    """Do the same for a request that something else than the site has refused."""
    asked = _Asked(policy, request, path, when, secure, tell)
    if tell is not None:
        tell(refused)
    accept = request.fields.get(b"accept")
    response = error_response(refused.status, refused.detail, refused.fields, accept=accept)
    response = yield from _with_page(asked, response)
    return _finish(asked, response)


# The way to a file.


def _find(asked: _Asked) -> Steps:
    policy, request, path = asked.policy, asked.request, asked.path
    # 1. Is this the place?
    location = elsewhere(request, asked.secure, policy.https_port, policy.canonical_host)
    if location is not None:
        _went(asked, "https-redirect or canonical-host", location)
        return _moved(asked, 308, location)
    if path is None:  # it names no file: there is a "/" in a name, for example
        return (yield from _program(asked)) or _missing(asked)
    # 2. Does a rule come before the files?
    if policy.redirects is not None:
        ruling = policy.redirects.first(path, request.query, request.authority, asked.tell)
        if asked.tell is not None:
            asked.tell(Ruled(True, ruling))
        if ruling is not None:
            return (yield from _follow(asked, ruling))
    # 3. Is there a file, under this name or another that people use for it?
    resource = yield from _look_up(asked, path)
    if isinstance(resource, File):
        short = shorter(policy, path)
        if short is not None:
            if (yield from _leads_there(asked, path, short)):
                location = _location(short, request)
                _went(asked, "clean-urls and trailing-slash: this is its address", location)
                return _moved(asked, 308, location)
            resource = yield from _look_up(asked, path)  # what was found may have been closed
    elif isinstance(resource, Missing | Directory):
        other = yield from _other_name(asked, path, resource)
        if other is not None:
            return other
    if not isinstance(resource, Missing):
        return answer(request, resource, asked.when, asked.tell)
    return (yield from _without_file(asked, path))


def _without_file(asked: _Asked, path: SitePath) -> Steps:
    policy, request = asked.policy, asked.request
    # 4. Does a rule know what to do without a file?
    if policy.redirects is not None:
        ruling = policy.redirects.otherwise(path, request.query, request.authority, asked.tell)
        if asked.tell is not None:
            asked.tell(Ruled(False, ruling))
        if ruling is not None:
            return (yield from _follow(asked, ruling))
    # 5. Is it a directory that may be shown, or a page of a program?
    if policy.listing and path.directory:
        listed = yield from _list(asked, path)
        if listed is not None:
            return listed
    return (yield from _program(asked)) or _missing(asked)


def _program(asked: _Asked) -> Generator[Question, "Answer", Response | None]:
    """Return the page with the program that makes the others, if one of those is wanted."""
    if not asked.policy.spa or not _is_navigation(asked.request, asked.path):
        return None
    _went(asked, "spa: a page that is no file is for the root's index", b"/")
    page = yield from _look_up(asked, ROOT)
    if not isinstance(page, File):
        return None
    response = answer(asked.request, page, asked.when, asked.tell)
    response.fields += [_NO_CACHE, _VARY]
    return response


def _look_up(asked: _Asked, path: SitePath) -> Generator[Question, "Answer", Resource]:
    """Return what ``path`` leads to, if the client may know; raise `Refused` (401) if not."""
    access = asked.policy.access_to(path)
    if access is not None:
        asked.guarded = True
        credentials = credentials_of(asked.request.fields.get(b"authorization"))
        if asked.tell is not None:
            asked.tell(Guarded(access, credentials is not None))
        allowed = credentials is not None and (yield Verify(access, credentials))
        if not allowed:
            raise Refused(401, "This is not for everybody.", [challenge(access)])
    resource = yield LookUp(path)
    assert isinstance(resource, Resource)
    return resource


def _follow(asked: _Asked, ruling: Redirect | Rewrite) -> Steps:
    """Do what a rule says."""
    if isinstance(ruling, Redirect):
        return _moved(asked, ruling.status, ruling.location)
    asked.file = ruling.path
    resource = yield from _look_up(asked, ruling.path)
    if isinstance(resource, Missing | Directory):
        # "/app" for "app/index.html" and "/about" for "about.html", as when they are asked for.
        for path in (as_directory(ruling.path), with_html(asked.policy, ruling.path)):
            if path is not None and not isinstance(resource, File):
                asked.file = path
                resource = yield from _look_up(asked, path)
    if not isinstance(resource, File):
        return _missing(asked, 404 if ruling.status == 200 else ruling.status)
    if ruling.status == 200:
        return answer(asked.request, resource, asked.when, asked.tell)
    return answer_page(asked.request, resource, ruling.status)


def _other_name(
    asked: _Asked, path: SitePath, resource: Resource
) -> Generator[Question, "Answer", Response | None]:
    """Return the answer with a file that goes by the name of ``path`` as well, if there is one."""
    policy, request = asked.policy, asked.request
    page = with_html(policy, path)
    if page is not None:
        found = yield from _look_up(asked, page)
        if isinstance(found, File):
            wanted = policy.trailing_slash == "add"
            if path.directory != wanted:
                moved = SitePath(path.segments, wanted)
                if (yield from _leads_there(asked, page, moved)):
                    location = _location(moved, request)
                    _went(asked, "trailing-slash: this is its address", location)
                    return _moved(asked, 308, location)
                found = yield from _look_up(asked, page)
        if isinstance(found, File):
            asked.file = page
            _went(asked, "clean-urls: this is the file meant", _location(page, request))
            return answer(request, found, asked.when, asked.tell)
    if isinstance(resource, Directory) and policy.trailing_slash == "remove":
        found = yield from _look_up(asked, SitePath(path.segments, True))
        if isinstance(found, File):
            asked.file = SitePath((*path.segments, policy.index[0]), False)
            _went(asked, "trailing-slash: the directory's index, without its slash")
            return answer(request, found, asked.when, asked.tell)
    return None


def _leads_there(
    asked: _Asked, path: SitePath, other: SitePath
) -> Generator[Question, "Answer", bool]:
    """Return whether ``other`` is just another name of the file at ``path``.

    It is not if a rule comes before it, which may lead back to ``path``; nor if there is a file
    that is preferred by that name.
    """
    policy, request = asked.policy, asked.request
    rules = policy.redirects
    if rules is not None and rules.first(other, request.query, request.authority) is not None:
        return False
    if path.directory or path.segments[-1] == policy.index[0]:
        rival = None if other.directory else with_html(policy, other)
    else:
        rival = other
    if rival is None:
        return True
    try:
        return not isinstance((yield from _look_up(asked, rival)), File)
    except Refused:
        return False


def _list(asked: _Asked, path: SitePath) -> Generator[Question, "Answer", Response | None]:
    request = asked.request
    form = listing_form(request.fields.get(b"accept"))
    listed = yield ListNames(path, parse_view(request.query), form)
    if isinstance(listed, TooMany):
        raise Refused(403, "This directory holds more names than are listed here.")
    if not isinstance(listed, Representation):
        return None
    response = answer(request, File((listed,)), asked.when, asked.tell)
    response.fields += form_fields(form)
    return response


def _is_navigation(request: Request, path: SitePath | None) -> bool:
    """Return whether somebody wants a page, and not a part of one, such as a picture.

    Browsers ask for pages with ``text/html``; programs that accept everything mean a page if the
    name has no extension.
    """
    accept = request.fields.get(b"accept")
    if accept is None or not wants_page(accept):
        everything = accept is None or accept.strip() in (b"", b"*/*")
        if path is None:
            return False
        return everything and (not path.segments or b"." not in path.segments[-1])
    return True


def _went(asked: _Asked, option: str, where: bytes = b"") -> None:
    if asked.tell is not None:
        asked.tell(Went(option, where))


# Responses.


def _moved(asked: _Asked, status: int, location: bytes) -> Response:
    fields = [(b"Location", location)]
    return error_response(status, "", fields, accept=asked.request.fields.get(b"accept"))


def _location(path: SitePath, request: Request) -> bytes:
    location = path.escaped(directory=path.directory)
    return location if request.query is None else location + b"?" + escape_query(request.query)


def _missing(asked: _Asked, status: int = 404) -> Response:
    return error_response(status, accept=asked.request.fields.get(b"accept"))


def _with_page(asked: _Asked, response: Response) -> Steps:
    """Return ``response`` with a page of the site's own as its body, if there is one for it."""
    candidates: list[SitePath] = []
    if response.status in asked.policy.error_pages:
        candidates.append(asked.policy.error_pages[response.status])
    elif response.status == 404 and asked.policy.own_pages:
        candidates += error_pages(asked.path)
    for path in candidates:
        try:
            resource = yield from _look_up(asked, path)
        except Refused:  # it is for others, or can't be had just now
            continue
        if isinstance(resource, File):
            if asked.tell is not None:
                asked.tell(Paged(response.status, path))
            page = answer_page(asked.request, resource, response.status)
            named = {name.lower() for name, _ in page.fields} | _OF_BODY
            page.fields += [each for each in response.fields if each[0].lower() not in named]
            # The page is the same for all, but for some there may be none.
            names = varies_by(response.fields)
            spa = asked.policy.spa
            page.fields += [(b"Vary", n) for n in names if spa or n.lower() != b"accept"]
            return page
    if asked.tell is not None:
        asked.tell(Paged(response.status, None))
    return response


# Fields that describe the body which a page takes the place of.
_OF_BODY = frozenset(
    (b"content-type", b"content-security-policy", b"x-content-type-options", b"vary")
)


def _finish(asked: _Asked, response: Response) -> Response:
    """Return ``response`` with the fields that the policy gives it."""
    policy, path, request, tell = asked.policy, asked.path, asked.request, asked.tell
    file, renamed = asked.file or path, asked.file is not None
    content_type = response.content_type
    cache_control: Fields = []
    if file is not None and content_type and response.status < 400:
        cache_control = cache_control_of(policy, file, content_type, tell, renamed=renamed)
    operations: Operations = ()
    if path is not None:
        operations = operations_on(policy, path, content_type, request.authority, tell)
    origin = request.fields.get(b"origin")
    dress(policy, response, cache_control, operations, origin, secure=asked.secure, tell=tell)
    if asked.guarded:
        before, response.fields = response.fields, kept_private(response.fields)
        if tell is not None and response.fields != before:
            kept = response.fields[-1:]
            tell(Added("auth: nobody else may be handed it (RFC 9111 section 3.5)", kept))
    return response
