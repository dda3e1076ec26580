"""A site in a dict, and whoever asks it what a policy wants to know."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import NOW, OLD, get
from tinyhttp.core.access import Access, Credentials
from tinyhttp.core.answer import check_method
from tinyhttp.core.field_rules import FieldRules
from tinyhttp.core.field_rules_file import parse_headers
from tinyhttp.core.listing import Entry, Listing, TooMany
from tinyhttp.core.listing_forms import represent
from tinyhttp.core.media_types import media_type
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.policy import (
    Answer,
    ListNames,
    LookUp,
    Policy,
    Question,
    Steps,
    Verify,
    respond,
    respond_refused,
)
from tinyhttp.core.redirects import Redirects
from tinyhttp.core.redirects_file import parse_redirects
from tinyhttp.core.request import HeadReader, Limits, Request
from tinyhttp.core.request import parse as parse_head
from tinyhttp.core.resource import Directory, File, Forbidden, Missing, Representation, Resource
from tinyhttp.core.response import Refused, Response
from tinyhttp.core.rules import ERROR, NETLIFY, Dialect

__all__ = [
    "FakeSite",
    "Outcome",
    "ask",
    "blocks",
    "fields_of",
    "path_of",
    "protected",
    "request_of",
    "rules",
]

LIMITS = Limits()
RIGHT = Credentials(b"user", b"right")


def path_of(text: str) -> SitePath:
    path = resolve(text.encode())
    assert path is not None
    return path


def rules(text: str, dialect: Dialect = NETLIFY) -> Redirects:
    found, problems = parse_redirects(text, dialect)
    assert not [problem for problem in problems if problem.severity == ERROR]
    return Redirects(found)


def blocks(text: str, dialect: Dialect = NETLIFY) -> FieldRules:
    found, problems = parse_headers(text, dialect)
    assert not [problem for problem in problems if problem.severity == ERROR]
    return FieldRules(found, dialect)


def protected(*paths: str, clean_urls: bool = False) -> tuple[Access, ...]:
    """Return what protects ``paths``, the deepest of which have to come first."""
    return tuple(
        Access(SitePath(path_of(path).segments, path == "/"), path, clean_urls=clean_urls)
        for path in paths
    )


class FakeSite:
    """Files by their paths, which begin with a slash; ``None`` stands for one that can't be read.

    A name with ``.gz`` or ``.br`` behind it is a sidecar as well.
    """

    def __init__(self, files: Mapping[str, str | None], index: Iterable[str] = ("index.html",)):
        self.files = dict(files)
        self._index = list(index)
        self.busy: set[str] = set()
        """Paths of which nothing can be learnt just now."""
        self.too_many = False

    def look_up(self, path: SitePath) -> Resource:
        name = "/" + "/".join(os.fsdecode(segment) for segment in path.segments)
        if name in self.busy:
            raise Refused(503, "busy", [(b"Retry-After", b"1")])
        if any(segment.startswith(b".") for segment in path.segments):
            return Missing()
        if not path.directory:
            return self._at(name)
        prefix = name.removesuffix("/") + "/"
        found = (self._at(prefix + each) for each in self._index)
        return next((each for each in found if isinstance(each, File)), Missing())

    def _at(self, name: str) -> Resource:
        if name in self.files:
            content = self.files[name]
            if content is None:
                return Forbidden()
            variants = [_variant(name, content, "")]
            for coding, extension in (("br", ".br"), ("gzip", ".gz")):
                coded = self.files.get(name + extension)
                if coded is not None:
                    variants.append(_variant(name, coded, coding))
            return File(tuple(variants))
        if any(each.startswith(name + "/") for each in self.files):
            return Directory(_path(name).escaped(directory=True))
        return Missing()

    def list(self, wish: ListNames) -> Answer:
        name = "/" + "".join(os.fsdecode(segment) + "/" for segment in wish.path.segments)
        inside = {each.removeprefix(name) for each in self.files if each.startswith(name)}
        if self.too_many:
            return TooMany()
        if not inside:
            return Missing()
        names = sorted({each.partition("/")[0] for each in inside})
        entries = [Entry(each.encode(), False, 1, int(OLD)) for each in names]
        listing = Listing(wish.path, wish.view, entries, files=len(entries))
        return represent(listing, wish.form)


def _path(name: str) -> SitePath:
    return SitePath(tuple(os.fsencode(each) for each in name.split("/")[1:]), False)


def _variant(name: str, content: str, coding: str) -> Representation:
    octets = content.encode()
    etag = f'"{name}-{coding}-{len(octets)}"'.encode()
    content_type = media_type(name.encode(), {})
    return Representation(len(octets), etag, int(OLD), content_type, coding.encode(), octets)


@dataclass
class Outcome:
    """What was answered, and what was asked for it."""

    response: Response
    trace: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def body(self) -> str:
        assert isinstance(self.response.body, bytes)
        return self.response.body.decode()

    def __getitem__(self, name: str) -> str | None:
        """Return the value of the field ``name``, which may be there once at most."""
        values = fields_of(self.response, name)
        assert len(values) <= 1, values
        return values[0] if values else None


def fields_of(response: Response, name: str) -> list[str]:
    wanted = name.lower().encode()
    return [v.decode("latin-1") for n, v in response.fields if n.lower() == wanted]


def ask(
    policy: Policy,
    site: FakeSite,
    target: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    secure: bool = False,
) -> Outcome:
    """Ask as the server does; raise `Refused` for what is refused before it is known by whom."""
    request = _request(policy, target, *fields, method=method, version=version)
    trace: list[str] = []
    return Outcome(_run(_steps(policy, request, secure), site, trace), trace)


def request_of(policy: Policy, target: str, *fields: str) -> tuple[Request, SitePath | None]:
    """Return a request as the server sees it, and its path; raise `Refused` if it has none."""
    request = _request(policy, target, *fields)
    return request, resolve(request.path)


def _request(
    policy: Policy, target: str, *fields: str, method: str = "GET", version: str = "1.1"
) -> Request:
    head = get(target, *fields, method=method, version=version)
    return parse_head(HeadReader(LIMITS, policy.decisive).read(head))


def _steps(policy: Policy, request: Request, secure: bool) -> Steps | Response:
    path = None
    try:
        response = None if policy.cors is None else policy.cors.preflight(request)
        response = check_method(request) if response is None else response
        if response is not None:
            return response
        path = resolve(request.path)
    except Refused as refused:
        return respond_refused(policy, request, path, refused, NOW, secure=secure)
    return respond(policy, request, path, NOW, secure=secure)


def _run(steps: Steps | Response, site: FakeSite, trace: list[str]) -> Response:
    if isinstance(steps, Response):
        return steps
    step: Any = steps.send
    answer: Any = None
    try:
        while True:
            question = step(answer)
            trace.append(_told(question))
            try:
                step, answer = steps.send, _answered(question, site)
            except Refused as refused:
                step, answer = steps.throw, refused
    except StopIteration as end:
        response: Response = end.value
        return response


def _answered(question: Question, site: FakeSite) -> Answer:
    if isinstance(question, LookUp):
        return site.look_up(question.path)
    if isinstance(question, ListNames):
        return site.list(question)
    return question.credentials == RIGHT


def _told(question: Question) -> str:
    if isinstance(question, Verify):
        return f"verify {question.access.realm}"
    path = question.path.escaped(directory=question.path.directory).decode()
    return f"list {path}" if isinstance(question, ListNames) else path
