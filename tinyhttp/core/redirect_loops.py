"""Which redirects go in circles, and which rules no request reaches.

Floor: core (pure). A request that a rule matches is made up, and the rules are asked where it
leads, and from there again. Whether a file is there can't be known; then it is a warning.
"""

from collections.abc import Iterable

from .path import SitePath, resolve
from .redirects import Redirect, Redirects, Rule, plain_host
from .rules import ERROR, WARNING, Problem

__all__ = ["examine"]

MOST_STEPS = 10
"""Redirects in a row; browsers follow 20 or so."""

MOST_COMPARISONS = 1_000_000
"""Of a path with a pattern, at most; rules that are left then are not examined."""

_State = tuple[SitePath, bytes | None, bytes | None]


def examine(redirects: Redirects) -> list[Problem]:
    """Return what is found in ``redirects``, in the order of the rules.

    An error is a circle that no file can end: every rule on it comes before the files.
    """
    problems: list[Problem] = []
    cost = 1 + sum(rule.pattern.exact is None for rule in redirects.rules)
    left = MOST_COMPARISONS // cost
    for rule in redirects.rules:
        if left <= 0:
            break
        passed, circle = _follow(redirects, _sample(rule))
        left -= len(passed) + 1
        if not passed:
            text = "leads to where it comes from, so it has no effect"
            if rule.target.origin:
                text += "; from http to https there is the option https-redirect"
            problems.append(Problem(rule.source, rule.line, WARNING, text))
        elif passed[0] is not rule and rule.pattern.exact is not None:
            text = f"never reached: {passed[0].where} comes first and matches too"
            problems.append(Problem(rule.source, rule.line, WARNING, text))
        else:
            problems += _tell(rule, circle)
        if _takes_slash_away(rule):
            text = "if that is a directory the slash is added again, and so on for ever"
            problems.append(Problem(rule.source, rule.line, WARNING, text))
    return problems


def _takes_slash_away(rule: Rule) -> bool:
    """Return whether ``rule`` does the opposite of what is done for directories, before that."""
    exact = rule.pattern.exact
    if not rule.forced or exact is None or rule.status == 200 or not rule.target.is_fixed:
        return False
    path = rule.target.site_path({})
    if rule.target.origin or path is None or path.directory:
        return False
    return path.segments == tuple(name for name in exact if name)


def _sample(rule: Rule) -> _State:
    """Return path, query and host of a request that ``rule`` matches."""
    pairs = (name + b"=" + (b"~" if isinstance(v, str) else v) for name, v in rule.query)
    return rule.pattern.sample(), b"&".join(pairs) or None, rule.host


def _follow(redirects: Redirects, state: _State) -> tuple[list[Rule], list[Rule]]:
    """Return the rules on the way from ``state``, and those of them that make it endless.

    These are the rules on a circle, or those that were asked more than once on a way that is too
    long.
    """
    visited: list[_State] = []
    passed: list[Rule] = []
    while len(passed) < MOST_STEPS:
        if state in visited:
            return passed, passed[visited.index(state) :]
        ruling = redirects.match(*state)
        if ruling is None:
            return passed, []
        visited.append(state)
        passed.append(ruling.rule)
        follower = _after(ruling, state[2]) if isinstance(ruling, Redirect) else None
        if follower is None:
            return passed, []
        state = follower
    return passed, [rule for rule in passed if passed.count(rule) > 1]


def _after(redirect: Redirect, host: bytes | None) -> _State | None:
    """Return the request that a client makes next, or ``None`` if that may be anywhere else."""
    origin = redirect.rule.target.origin
    location = redirect.location[len(origin) :]
    if origin and plain_host(origin.partition(b"://")[2]) != host:
        return None
    raw, _, query = location.partition(b"#")[0].partition(b"?")
    path = resolve(raw)
    return None if path is None else (path, query or None, host)


def _tell(rule: Rule, circle: list[Rule]) -> Iterable[Problem]:
    """Tell of a circle, at the first of its rules."""
    circle = sorted(dict.fromkeys(circle), key=lambda r: r.line)
    if rule not in circle or any(r.line < rule.line for r in circle if r.source == rule.source):
        return
    lines = ", ".join(r.where for r in circle)
    if all(r.forced for r in circle):
        text = f"redirects go in circles, or on for ever: {lines}"
        yield Problem(rule.source, rule.line, ERROR, text)
    else:
        text = f"redirects go in circles, or on for ever, unless a file is there: {lines}"
        yield Problem(rule.source, rule.line, WARNING, text)
