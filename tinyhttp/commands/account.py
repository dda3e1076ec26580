"""What was heard in a rehearsal, told to a person step by step."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.fields import format_http_date
from ..core.listing import TooMany
from ..core.path import SitePath, is_hidden
from ..core.policy import ListNames, LookUp, Verify
from ..core.reasons import (
    Added,
    Asked,
    Chosen,
    Condition,
    Guarded,
    Paged,
    Ranged,
    Ruled,
    Tried,
    Weighed,
    Went,
)
from ..core.redirects import Redirect, Rule
from ..core.request import Request
from ..core.resource import Directory, File, Forbidden, Missing, Representation, Resource
from ..core.response import REASONS, Refused
from ..core.rules import is_rules_file
from ..site.tree import Outside
from .clauses import CONDITIONS, clause_of
from .pattern_text import pattern_text
from .rehearsal import Asking, Ending, Missed, Parsed, Rehearsal, Unread
from .terminal import amount, nearby, shown

__all__ = ["Step", "account"]

_MOST_TRIED = 12
"""Rules that did not match of which one is told; the others are counted."""


@dataclass(slots=True)
class Step:
    """A step on the way to an answer: what it was about, what came of it, and who says so."""

    kind: str
    title: str
    lines: list[str] = field(default_factory=list)
    clause: str = ""


def account(rehearsal: Rehearsal) -> list[Step]:
    """Return the steps in the order in which they were taken."""
    teller = _Teller()
    for heard in rehearsal.heard:
        teller.hear(heard)
    if not rehearsal.head:
        teller.steps.append(Step("waits", "The server waits for the rest of the request"))
    return teller.steps


def _text(octets: bytes) -> str:
    return shown((octets,)) if octets else ""


def _path(path: SitePath) -> str:
    return path.escaped(directory=path.directory).decode()


class _Teller:
    """Puts together what belongs together."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._request: Request | None = None
        self._tried: list[Tried] = []
        self._missed: list[Missed] = []
        self._weighed: list[Weighed] = []
        self._has_asked = False
        self._forms = 0  # of the file that was looked up last
        self._hears: dict[type, Callable[[Any], None]] = {
            Parsed: self._parsed,
            Unread: self._unread,
            Refused: self._refused,
            Asked: self._asked,
            Tried: self._tried.append,
            Ruled: self._ruled,
            Missed: self._missed.append,
            Asking: self._asking,
            Guarded: self._guarded,
            Went: self._went,
            Weighed: self._weighed.append,
            Chosen: self._chosen,
            Condition: self._condition,
            Ranged: self._ranged,
            Added: self._added,
            Paged: self._paged,
            Ending: self._ending,
        }

    def hear(self, heard: Any) -> None:
        """Take in one more."""
        self._hears[type(heard)](heard)

    def _add(self, kind: str, title: str, lines: Sequence[str] = (), clause: str = "") -> None:
        self.steps.append(Step(kind, title, list(lines), clause))

    def _value(self, name: bytes) -> str:
        fields = {} if self._request is None else self._request.fields
        return _text(fields.get(name.lower(), b""))

    # The request.

    def _parsed(self, parsed: Parsed) -> None:
        self._request = request = parsed.request
        version = "HTTP/1.0" if request.old else "HTTP/1.1"
        target = request.path if request.query is None else request.path + b"?" + request.query
        lines = [
            f"{_text(name)}: {'...' if name == b'authorization' else _text(value)}"
            for name, value in request.fields.items()
        ]
        title = f"The request is read: {_text(request.method)} {_text(target)}, {version}"
        self._add("request", title, lines, "RFC 9112 section 3")
        if parsed.page:
            self._add("page", "The server answers this path itself, as health-path says")
        elif parsed.host:
            site = f"the site of [[hosts]] {parsed.host}"
            self._add("host", f"{site} answers to {_text(request.authority)}"[:200])

    def _unread(self, unread: Unread) -> None:
        refused = unread.refused
        title = f"The request can't be read: {refused.status} {REASONS[refused.status].decode()}"
        self._add("refused", title, [refused.detail or "an error of ours"], clause_of(refused))

    def _refused(self, refused: Refused) -> None:
        title = f"Refused: {refused.status} {REASONS[refused.status].decode()}"
        self._add("refused", title, [refused.detail], clause_of(refused))

    def _asked(self, asked: Asked) -> None:
        self._has_asked = True
        lines = ["over TLS"] if asked.secure else []
        if asked.path is None:
            lines.append("an encoded slash is data: no file can have such a name")
            self._add("path", "The path leads nowhere", lines, "RFC 3986 section 2.2")
            return
        if is_hidden(asked.path):
            lines.append("a name on the way starts with a dot")
        names = "/" + (shown(asked.path.segments) if asked.path.segments else "")
        end = "/" if asked.path.directory and asked.path.segments else ""
        title = f"Escapes and dot segments are undone: {names}{end}"
        self._add("path", title, lines, "RFC 3986 section 5.2.4")

    # Rules and turns.

    def _ruled(self, ruled: Ruled) -> None:
        tried, self._tried[:] = list(self._tried), []
        others = [each for each in tried if each.outcome != "matches"]
        lines = [_tried(each) for each in others[:_MOST_TRIED]]
        if len(others) > _MOST_TRIED:
            lines.append(f"{len(others) - _MOST_TRIED} more don't match")
        lines += [_tried(each) for each in tried if each.outcome == "matches"]
        when = "before the files" if ruled.before_files else "as there is no file"
        if ruled.ruling is None and ruled.before_files and not tried:
            return  # no rule is forced, or none begins as the path does
        if ruled.ruling is None:
            if ruled.before_files and any(each.outcome == "matches" for each in tried):
                lines.append("what matches is not forced: it counts where there is no file")
            self._add("rules", f"Rules, {when}: none decides", lines)
            return
        ruling = ruled.ruling
        if isinstance(ruling, Redirect):
            what = f"sends the client to {_text(ruling.location)}, {ruling.status}"
        else:
            what = f"gives {_path(ruling.path)} with {ruling.status}"
        title = f"Rules, {when}: {nearby(ruling.rule.where)} {what}"
        self._add("rules", title, lines, "RFC 9110 section 15.4")

    def _went(self, went: Went) -> None:
        where = f": {_text(went.where)}" if went.where else ""
        self._add("turn", f"By {went.option}{where}")

    # Questions.

    def _asking(self, asking: Asking) -> None:
        question, answer = asking.question, asking.answer
        missed, self._missed[:] = list(dict.fromkeys(map(_missed, self._missed))), []
        if isinstance(answer, File):
            self._forms = len(answer.variants) + sum(not each.useless for each in answer.on_demand)
        if isinstance(question, Verify):
            title = "The password is right" if answer is True else "The password is wrong"
            self._add("password", title, clause="RFC 7617 section 2")
        elif isinstance(answer, Refused):
            self._add("look-up", "The disk could not be asked", [answer.detail])
        elif isinstance(question, ListNames):
            self._add("listing", f"The names in {_path(question.path)}", [_listed(answer)])
        elif isinstance(question, LookUp):
            assert isinstance(answer, File | Directory | Missing | Forbidden)
            title, lines = _looked_up(question.path, answer, missed)
            self._add("look-up", title, lines)

    def _guarded(self, guarded: Guarded) -> None:
        access = guarded.access
        lines = [] if guarded.credentials else ["the request brings no user and password"]
        title = f"auth {_path(access.path)}={shown((os.fsencode(access.source),))} protects it"
        self._add("password", title, lines, "RFC 9110 section 11")

    # The file.

    def _chosen(self, chosen: Chosen) -> None:
        weighed, self._weighed[:] = list(self._weighed), []
        if self._forms < 2 and chosen.coding == b"":
            return  # there was nothing to choose
        accepted = self._value(b"accept-encoding")
        asked = f"Accept-Encoding: {accepted}" if weighed else "No Accept-Encoding"
        what = "the file as it is" if chosen.coding == b"" else _text(chosen.coding or b"nothing")
        lines = list(map(_weighed, weighed))
        self._add("coding", f"{asked}: {what} is chosen", lines, "RFC 9110 section 12.5.3")

    def _condition(self, condition: Condition) -> None:
        name = _text(condition.field)
        outcome = "holds" if condition.holds else "does not hold"
        title = f"{name}: {self._value(condition.field)}: {outcome}"
        self._add("condition", title, clause=CONDITIONS[condition.field])

    def _ranged(self, ranged: Ranged) -> None:
        if ranged.spans is None:
            what = "ignored"
        elif not ranged.spans:
            what = "beyond the end of the file"
        else:
            what = ", ".join(f"octets {start} to {stop - 1}" for start, stop in ranged.spans[:5])
            what += f" and {len(ranged.spans) - 5} more" if len(ranged.spans) > 5 else ""
        self._add("range", f"Range: {_text(ranged.value)}: {what}", clause="RFC 9110 section 14.2")

    # The response.

    def _paged(self, paged: Paged) -> None:
        whose = "a page of the server's own" if paged.path is None else _path(paged.path)
        self._add("page", f"What the client sees for {paged.status}: {whose}")

    def _added(self, added: Added) -> None:
        lines = [f"{_text(name)}: {_text(value)}" for name, value in added.fields]
        lines += [f"without {_text(name)}" for name in added.removed]
        if lines:
            self._add("field", f"Fields by {nearby(added.by)}", lines)

    def _ending(self, ending: Ending) -> None:
        response = ending.response
        request = self._request
        if request is not None and request.method == b"OPTIONS" and not self._has_asked:
            preflight = any(name.startswith(b"Access-Control") for name, _ in response.fields)
            by = "cors answers the browser's question" if preflight else "no file is asked"
            self._add("method", f"OPTIONS: {by}", clause="RFC 9110 section 9.3.7")
        length = "without a body" if response.length is None else f"{response.length} octets"
        title = f"The answer: {response.status} {REASONS[response.status].decode()}, {length}"
        self._add("answer", title)


# One line of each.


def _tried(tried: Tried) -> str:
    captures = ", ".join(f"{name} = {_text(value)}" for name, value in tried.captures.items())
    rule = _rule(tried.rule)
    return f"{rule}: {tried.outcome}{f', {captures}' if captures else ''}"


def _rule(rule: Rule) -> str:
    forced = ", forced" if rule.forced else ""
    return f"{nearby(rule.where)}: {pattern_text(rule.pattern)} ({rule.status}{forced})"


def _weighed(weighed: Weighed) -> str:
    what = _text(weighed.coding) or "as it is"
    weight = f"weight {weighed.weight / 1000:g}"
    if 0 < weighed.weight < 1:
        weight = "not ruled out, which is less than any weight"
    elif not weighed.weight:
        weight = "not acceptable"
    return f"{what}: {weight}; {weighed.size} octets"


def _listed(answer: object) -> str:
    if isinstance(answer, TooMany):
        return "there are too many of them"
    if isinstance(answer, Representation):
        return f"a page of {amount(answer.size)}"
    return "there is no directory that may be shown"


def _looked_up(path: SitePath, resource: Resource, missed: Sequence[str]) -> tuple[str, list[str]]:
    """Return what came of looking ``path`` up, and why."""
    asked = f"{_path(path)} is looked up"
    lines = list(missed)
    if isinstance(resource, File):
        forms = [_form(each) for each in resource.variants]
        forms += [
            f"may be encoded on demand: {_text(form.coding)}"
            for form in resource.on_demand
            if not form.useless
        ]
        return f"{asked}: a file", [*forms, *lines]
    if isinstance(resource, Directory):
        return f"{asked}: a directory, whose path ends with a slash", lines
    if isinstance(resource, Forbidden):
        return f"{asked}: it is there, and may not be read", lines
    if not missed and is_rules_file(path):
        lines.append("it is a file of rules, which is not served")
    elif not missed and is_hidden(path):
        lines.append("names that start with a dot are hidden (option hidden-files)")
    return f"{asked}: nothing", lines


def _form(form: Representation) -> str:
    date = form.last_modified
    when = "" if date is None else f", {format_http_date(date).decode()}"
    what = _text(form.coding) if form.coding else _text(form.content_type)
    return f"{what}: {form.size} octets, ETag {_text(form.etag)}{when}"


def _missed(missed: Missed) -> str:
    name, error = shown(missed.names), missed.error
    if error is None:
        return f"{name}: no regular file"
    if isinstance(error, Outside):
        return f"{name}: {error}"
    return f"{name}: {(error.strerror or str(error)).lower()}"
