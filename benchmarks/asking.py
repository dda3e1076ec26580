"""A client for a request or two: whether a server answers, what, and how soon."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import UnableError

__all__ = ["Answer", "ask", "demand"]

_SECONDS = 10
"""How long an answer may take."""
_ENOUGH = 256 * 1024
"""Octets of a body that are read; of larger ones the announced length is believed."""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    etag: str | None
    last_modified: str | None
    length: int
    """Octets of the body."""
    announced: bool
    """Whether the response says where it ends; else it ends with the connection."""
    stays_open: bool
    """Whether the connection could be used for another request."""


def ask(port: int, target: str, fields: Mapping[str, str], *, tls: bool = False) -> Answer:
    """Return the answer to a GET; raises OSError or HTTPException if there is none."""
    connection = _connection(port, tls=tls)
    try:
        connection.request("GET", target, headers=dict(fields))
        response = connection.getresponse()
        stays_open = not response.will_close
        announced = response.length
        body = response.read(_ENOUGH)
        return Answer(
            response.status,
            response.getheader("ETag"),
            response.getheader("Last-Modified"),
            len(body) if announced is None else announced,
            announced is not None or response.chunked,
            stays_open,
        )
    finally:
        connection.close()


def _connection(port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is our own, made for this run
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=_SECONDS, context=context)


def demand(answer: Answer, status: int, length: int | None) -> None:
    """Raise `UnableError` unless the answer is the one that a case is about."""
    if answer.status != status:
        raise UnableError(f"answers {answer.status}, not {status}")
    if length is not None and answer.length != length:
        raise UnableError(f"sends {answer.length} octets, not {length}")
