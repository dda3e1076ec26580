"""Whether a file that is there is simply answered, and with which fields.

Floor: core (pure). `tinyhttp.core.policy` has the last word on everything, and takes its time. For
a file that no rule comes before, that is for everybody, and that has no better name, nothing is
left to ask: then what it would say is said here, by the same functions. What goes by the path
alone is remembered.
"""

from collections.abc import Mapping
from typing import TypeAlias

from .answer import answer
from .field_rules import Operations
from .https import elsewhere
from .other_names import shorter
from .path import SitePath
from .policy import Policy
from .policy_fields import cache_control_of, dress, operations_on
from .request import Request
from .resource import File
from .response import Fields, Refused, Response

__all__ = ["KnownFiles"]

MOST = 4096
"""Paths that are remembered; then everything is forgotten, and what is in use is back at once."""

_Key: TypeAlias = tuple[SitePath, bytes, bytes]


class KnownFiles:
    """What ``policy`` says of files."""

    def __init__(self, policy: Policy):
        self._policy = policy
        self._has_place = policy.https_port is not None or policy.canonical_host is not None
        rules = policy.field_rules
        self._asks_host = rules is not None and rules.asks_host
        self._said: dict[_Key, tuple[Fields, Operations] | None] = {}

    @property
    def remembered(self) -> Mapping[_Key, object]:
        """What is remembered, by path, type, and the host where that matters."""
        return self._said

    def respond(
        self, request: Request, path: SitePath, file: File, when: float, *, secure: bool
    ) -> Response | None:
        """Return what `tinyhttp.core.policy.respond` would, or ``None``: it has to be asked."""
        policy = self._policy
        content_type = file.variants[0].content_type
        key = path, content_type, request.authority if self._asks_host else b""
        said = self._said.get(key) or self._find_out(key)
        if said is None or (self._has_place and self._is_elsewhere(request, secure)):
            return None
        response = answer(request, file, when)
        if response.status >= 400:
            return None  # there may be a page for it
        cache_control, operations = said
        origin = request.fields.get(b"origin")
        return dress(policy, response, cache_control, operations, origin, secure=secure)

    def _find_out(self, key: _Key) -> tuple[Fields, Operations] | None:
        if key in self._said:
            return None
        if len(self._said) >= MOST:
            self._said.clear()
        path, content_type, authority = key
        policy, said = self._policy, None
        if not (
            policy.access_to(path) is not None
            or (policy.redirects is not None and policy.redirects.may_come_first(path))
            or shorter(policy, path) is not None
        ):
            said = (
                cache_control_of(policy, path, content_type),
                operations_on(policy, path, content_type, authority),
            )
        self._said[key] = said
        return said

    def _is_elsewhere(self, request: Request, secure: bool) -> bool:
        policy = self._policy
        try:
            place = elsewhere(request, secure, policy.https_port, policy.canonical_host)
        except Refused:
            return True
        return place is not None
