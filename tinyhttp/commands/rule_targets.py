"""Whether the rules of a site lead anywhere, and whether any request gets to them.

The policy is asked what it is always asked (`tinyhttp.core.policy.respond`), with a request made up
for each rule, and the disk answers. Targets that hold what a request has brought are left out, as
no made-up request can tell where these lead.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..core.path import SitePath, resolve
from ..core.policy import Answer, ListNames, LookUp, Policy, Question, respond
from ..core.reasons import Ruled
from ..core.redirects import Redirect, Rule, Ruling
from ..core.request import Request
from ..core.resource import Directory, File, Missing
from ..core.response import Refused, Response
from ..core.rules import is_rules_file
from ..site.files import Files, let_go
from .findings import ERROR, WARNING, Findings
from .pattern_text import pattern_text
from .terminal import shown

__all__ = ["check_error_pages", "check_targets"]

_MOST_STEPS = 5
"""Redirects that are followed from a target."""


class _Asker:
    """Asks a ``policy`` about requests, with what ``files`` hold."""

    def __init__(self, policy: Policy, files: Files, when: float):
        # What would come before the rules, or hide what they lead to, is looked at elsewhere.
        self._policy = replace(
            policy,
            https_port=None,
            canonical_host=None,
            accesses=(),
            own_pages=False,
            error_pages={},
        )
        self._files = files
        self._when = when
        self.looked_up: list[Answer] = []
        """What the last request had looked up."""

    def ask(
        self, path: SitePath | None, query: bytes | None, host: bytes
    ) -> tuple[Response, list[Any]]:
        """Return the response to a GET, and the reasons for it."""
        self.looked_up.clear()
        target = b"/" if path is None else path.escaped(directory=path.directory)
        request = Request(b"GET", target, query, host, {}, True, False, 0, False, b"")
        reasons: list[Any] = []
        steps = respond(self._policy, request, path, self._when, tell=reasons.append)
        try:
            question = next(steps)
            while True:
                question = steps.send(self._answer(question))
        except StopIteration as end:
            return end.value, reasons

    def _answer(self, question: Question) -> Answer:
        if isinstance(question, ListNames):
            return self._files.listed(question.path, question.view, question.form)
        assert isinstance(question, LookUp)
        if is_rules_file(question.path) and self._policy.hides_rules:
            return Missing()
        found = self._files.find(question.path)
        let_go(found)
        self.looked_up.append(found.resource)
        return found.resource


def check_targets(policy: Policy, files: Files, when: float, findings: Findings) -> None:
    """Find out of every rule of ``policy`` whether it is used, and leads somewhere."""
    if policy.redirects is None:
        return
    asker = _Asker(policy, files, when)
    for rule in policy.redirects.rules:
        try:
            _check(rule, asker, findings)
        except (OSError, Refused) as error:
            findings.add("rules", WARNING, f"{rule.where}: can't be checked: {error}")


def _check(rule: Rule, asker: _Asker, findings: Findings) -> None:
    pairs = (name + b"=" + (b"~" if isinstance(v, str) else v) for name, v in rule.query)
    query = b"&".join(pairs) or None
    host = rule.host or b"localhost"
    path = rule.pattern.sample()
    response, reasons = asker.ask(path, query, host)
    ruling = _ruling_of(rule, reasons)
    if ruling is None:
        if rule.pattern.exact is not None and _found(asker.looked_up):
            text = f"{rule.where}: never used, as there is a file at {pattern_text(rule.pattern)}"
            advice = "" if rule.dialect.always else f"; {rule.status}! would go before it"
            findings.add("rules", WARNING, text + advice)
        return
    if not rule.target.is_fixed or rule.target.origin:
        return
    if not isinstance(ruling, Redirect):
        if not any(isinstance(each, File) for each in asker.looked_up):
            target = shown((ruling.path.escaped(directory=ruling.path.directory),))
            findings.add("rules", ERROR, f"{rule.where}: there is no file {target} for it to give")
        return
    status = _follow(response, asker, host)
    if status >= 400:
        target = shown((ruling.location,))
        findings.add("rules", ERROR, f"{rule.where}: leads to {target}, which is answered {status}")


def _ruling_of(rule: Rule, reasons: Sequence[Any]) -> Ruling | None:
    """Return what ``rule`` has decided, if it has."""
    rulings = [each.ruling for each in reasons if isinstance(each, Ruled)]
    return next((each for each in rulings if each is not None and each.rule is rule), None)


def _found(looked_up: Sequence[Answer]) -> bool:
    return any(isinstance(each, File | Directory) for each in looked_up)


def _follow(response: Response, asker: _Asker, host: bytes) -> int:
    """Return the status at the end of the way that begins with ``response``."""
    for _ in range(_MOST_STEPS):
        locations = [value for name, value in response.fields if name == b"Location"]
        if not locations or not locations[0].startswith(b"/"):
            break
        raw, _, query = locations[0].partition(b"#")[0].partition(b"?")
        response, _ = asker.ask(resolve(raw), query or None, host)
    return response.status


def check_error_pages(policy: Policy, files: Files, findings: Findings) -> None:
    """Find out whether the pages that were promised for errors are there."""
    for status, path in policy.error_pages.items():
        found = files.find(path)
        let_go(found)
        if not isinstance(found.resource, File):
            name = shown((path.escaped(directory=path.directory),))
            findings.add("error pages", ERROR, f"error-page {status}={name}: there is no such file")
