"""How requests are measured: by responses, by octets, and beside downloads."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Protocol

from . import one_by_one, wrk
from .accounting import cpu_seconds
from .asking import Answer, ask, demand
from .content import MIB
from .errors import UnableError
from .running import Running
from .sample import Sample

__all__ = ["LOAD", "Beside", "Measure", "Octets", "Requests"]

LOAD = "load generator us/request"
"""Under which name samples keep what asking has cost."""

_SETTLE = 0.05
"""Seconds in which a server can finish with the last connections."""


class Measure(Protocol):
    """A way to measure a server that runs."""

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Measure for so many seconds; raises `UnableError` where there is nothing to measure."""


@dataclass(frozen=True)
class Requests:
    """Processor time per response, microseconds; for responses that are many and small."""

    target: str
    length: int | None = None
    """Octets of the body; ``None``: any."""
    status: int = 200
    fields: Mapping[str, str] = field(default_factory=dict)
    connections: int = 64
    script: str = "report"
    conditional: bool = False
    """Whether to ask for the file only if it has changed."""
    keeps_open: bool = False
    """Whether it makes sense only on connections that stay open."""

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Ask once whether the server does what this is about, then measure."""
        fields = self._fields(server)
        answer = _ask(server, self.target, fields)
        demand(answer, self.status, self.length)
        if self.keeps_open and not answer.stays_open:
            raise UnableError("closes every connection")
        load = wrk.Load(server.url(self.target), self.connections, self.script, fields)
        counted, spent = _measure(server, load, seconds, announced=answer.announced)
        done = counted.requests if self.status >= 400 else counted.requests - counted.status
        if not done:
            raise UnableError("completes no response")
        unexpected = (
            abs(counted.requests - counted.status) if self.status >= 400 else counted.status
        )
        whole = self.script != "pipelined"  # there, wrk times batches, and counts them 32 times
        return Sample(
            value=spent.server * 1e6 / done,
            per_second=done * 1e6 / counted.microseconds,
            p50=counted.p50 or None if whole else None,
            p99=counted.p99 or None if whole else None,
            errors=counted.lost + unexpected,
            more=_more(counted, spent, done),
        )

    def _fields(self, server: Running) -> dict[str, str]:
        if not self.conditional:
            return dict(self.fields)
        answer = _ask(server, self.target, {})
        if answer.etag:
            return {**self.fields, "If-None-Match": answer.etag}
        if answer.last_modified:
            return {**self.fields, "If-Modified-Since": answer.last_modified}
        raise UnableError("sends neither ETag nor Last-Modified")


@dataclass(frozen=True)
class Octets:
    """Processor time per request, microseconds, for large files.

    At the end of a run there are responses that have cost something and are not complete, so the
    octets are counted and not the responses: what a MiB costs, times the size of the file.
    """

    target: str
    length: int
    """Octets of the file."""
    connections: int = 4

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Ask once whether the server sends the file, then measure."""
        answer = _ask(server, self.target, {})
        demand(answer, 200, self.length)
        load = wrk.Load(server.url(self.target), self.connections)
        counted, spent = _measure(server, load, seconds, announced=answer.announced)
        if not counted.octets:
            raise UnableError("sends nothing")
        files = counted.octets / self.length
        return Sample(
            value=spent.server * 1e6 / files,
            per_second=files * 1e6 / counted.microseconds,
            p50=counted.p50 or None,
            p99=counted.p99 or None,
            errors=counted.lost + counted.status,
            more={
                **_more(counted, spent, files),
                "us/MiB": spent.server * 1e6 * MIB / counted.octets,
                "MiB/s": counted.octets * 1e6 / counted.microseconds / MIB,
            },
        )


@dataclass(frozen=True)
class Beside:
    """How long small requests take, microseconds of p99, beside downloads that never end.

    The load generator of the downloads gives way to the other, so that the wait is the server's.
    """

    target: str
    downloads: int
    connections: int = 4

    def __call__(self, server: Running, seconds: int) -> Sample:
        """Begin with the downloads, then measure the small requests."""
        demand(_ask(server, "/100m-0.bin", {}), 200, 100 * MIB)
        downloads = wrk.Load(server.url("/"), self.downloads, "downloads")
        load = wrk.Load(server.url(self.target), self.connections)
        with wrk.loading(downloads, seconds + 20):
            counted, spent = _measure(server, load, seconds)
        done = counted.requests - counted.status
        if not done:
            raise UnableError("completes no small response beside the downloads")
        return Sample(
            value=counted.p99,
            per_second=done * 1e6 / counted.microseconds,
            p50=counted.p50,
            p99=counted.p99,
            errors=counted.lost + counted.status,
            more={"cores used": spent.server * 1e6 / counted.microseconds},
        )


def _ask(server: Running, target: str, fields: Mapping[str, str]) -> Answer:
    return ask(server.job.port, target, fields, tls=server.job.tls is not None)


@dataclass(frozen=True)
class _Spent:
    """Seconds of processor time."""

    server: float
    load: float
    """Of the load generator: what the kernel does for a connection may be charged to either."""


def _more(counted: wrk.Counted, spent: _Spent, requests: float) -> dict[str, float]:
    """Return what else is worth keeping of a measurement."""
    return {
        "cores used": spent.server * 1e6 / counted.microseconds,
        LOAD: spent.load * 1e6 / requests,
    }


def _measure(
    server: Running, load: wrk.Load, seconds: int, *, announced: bool = True
) -> tuple[wrk.Counted, _Spent]:
    """Warm up; return what was counted, and what was spent.

    ``announced`` says whether responses have a length; else they are asked for one by one.
    """
    client = wrk if announced else one_by_one
    client.warm_up(load)
    time.sleep(_SETTLE)
    before = cpu_seconds(server.session), _load_seconds()
    counted = client.run(load, seconds)
    time.sleep(_SETTLE)
    after = cpu_seconds(server.session), _load_seconds()
    if server.process.poll() is not None:
        raise UnableError(f"ends under this load, with status {server.process.returncode}")
    return counted, _Spent(after[0] - before[0], after[1] - before[1])


def _load_seconds() -> float:
    """Return the processor time of this program and of the children that have ended, seconds."""
    both = [getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
