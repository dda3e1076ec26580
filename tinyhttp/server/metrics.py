"""What was done, told to Prometheus.

Floor: server. ``prometheus_client`` (the extra ``metrics``) writes the page, and does nothing else:
its own counters, with their locks and labels, would cost more than an answer from memory does. So
nothing is registered with it but a `Collector`, which makes its families of a row of numbers when
somebody asks. Importing this module needs ``prometheus_client``.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from ..core.request import Request
from ..core.response import Response
from .pages import NO_STORE, only_read
from .tally import BOUNDS, COLUMNS, METHODS, OFFSETS, REASONS, STATUS_CLASSES

__all__ = ["Collector", "MetricsPage"]

_COUNTERS = (
    (
        "memo_hits",
        "tinyhttp_memo_hits",
        "Requests answered from memory by the lines of their head, without looking for the file.",
    ),
    (
        "cache_hits",
        "tinyhttp_cache_hits",
        "Requests, beside those of tinyhttp_memo_hits, whose path was known.",
    ),
    ("cache_misses", "tinyhttp_cache_misses", "Requests whose path had to be looked up."),
    ("lines_lost", "tinyhttp_access_log_lines_lost", "Lines of the access log not written."),
    ("accepted", "tinyhttp_connections", "Connections there have been."),
    ("restarts", "tinyhttp_worker_restarts", "Workers that ended unasked and were started again."),
)
"""Column, name and help of counters without labels."""

_GAUGES = (
    ("open", "tinyhttp_open_connections", "Connections that are open."),
    (
        "idle",
        "tinyhttp_idle_connections",
        "Open connections that wait for the first octet of a request.",
    ),
    ("look_ups_waiting", "tinyhttp_look_ups_waiting", "Look-ups under way, or waiting for one."),
    ("workers", "tinyhttp_workers", "Processes that serve."),
)


class Collector:
    """Makes metrics of the row that ``source`` returns, each time it is asked."""

    def __init__(self, source: Callable[[], Sequence[int]], version: str = ""):
        self._source = source
        self._version = version

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not ask ``source``."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give one metric after the other."""
        row = self._source()
        yield _requests(_numbers(row, "requests"))
        yield _refused(_numbers(row, "refused"))
        yield _durations(_numbers(row, "buckets"), _number(row, "nanoseconds"))
        yield _octets(_number(row, "written_octets"), _number(row, "sendfile_octets"))
        yield _disk_calls(_number(row, "look_ups"), _number(row, "disk_reads"))
        for column, name, text in _COUNTERS:
            yield CounterMetricFamily(name, text, _number(row, column))
        for column, name, text in _GAUGES:
            yield GaugeMetricFamily(name, text, _number(row, column))
        if expiry := _number(row, "certificate_expiry"):
            text = "When the first of the certificates runs out, in seconds since 1970."
            yield GaugeMetricFamily("tinyhttp_certificate_expiry_timestamp_seconds", text, expiry)
        build = GaugeMetricFamily("tinyhttp_build_info", "Always 1.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build


class MetricsPage:
    """The page that shows the row of ``source``.

    With ``process`` it also has what ``prometheus_client`` knows of this process: CPU time, memory,
    descriptors. With several workers it would be that of any of them.
    """

    def __init__(
        self, source: Callable[[], Sequence[int]], *, version: str = "", process: bool = False
    ):
        self._registry = CollectorRegistry()
        self._registry.register(Collector(source, version))
        if process:
            ProcessCollector(registry=self._registry)

    def __call__(self, request: Request) -> Response:
        """Return the page, in the text format or as OpenMetrics, as Accept wants it."""
        only_read(request)
        return self._page(request.fields.get(b"accept", b"").decode("latin-1"))

    def _page(self, accept: str) -> Response:
        try:
            encode, content_type = choose_encoder(accept)
            body = encode(self._registry)
        except (TypeError, ValueError):  # a version that is not made of numbers
            encode, content_type = choose_encoder("")
            body = encode(self._registry)
        fields = [(b"Content-Type", content_type.encode("latin-1")), *NO_STORE]
        return Response(200, [*fields, (b"Vary", b"Accept")], body, len(body))


def _number(row: Sequence[int], name: str) -> int:
    return row[OFFSETS[name]]


def _numbers(row: Sequence[int], name: str) -> Sequence[int]:
    (size,) = [column.size for column in COLUMNS if column.name == name]
    return row[OFFSETS[name] : OFFSETS[name] + size]


def _requests(numbers: Sequence[int]) -> Metric:
    """All of them, also those that never occurred: a rate needs the zero before the first one."""
    metric = CounterMetricFamily(
        "tinyhttp_requests", "Answers to requests.", labels=["method", "status_class"]
    )
    cells = [(method, status) for method in METHODS for status in STATUS_CLASSES]
    for labels, count in zip(cells, numbers, strict=True):
        if labels[1] != "1xx":  # no such answers are made; there to keep arithmetic simple
            metric.add_metric(labels, count)
    return metric


def _refused(numbers: Sequence[int]) -> Metric:
    metric = CounterMetricFamily(
        "tinyhttp_refused", "Requests and connections refused.", labels=["reason"]
    )
    for reason, count in zip(REASONS, numbers, strict=True):
        metric.add_metric([reason], count)
    return metric


def _durations(numbers: Sequence[int], nanoseconds: int) -> Metric:
    """The buckets of Prometheus hold those below them as well."""
    bounds = [*map(str, BOUNDS), "+Inf"]
    return HistogramMetricFamily(
        "tinyhttp_request_duration_seconds",
        "From when a whole request has its turn until the last octet of its response is handed on.",
        buckets=list(zip(bounds, accumulate(numbers), strict=True)),
        sum_value=nanoseconds / 1e9,
    )


def _octets(written: int, sendfile: int) -> Metric:
    metric = CounterMetricFamily(
        "tinyhttp_response_body_bytes", "Octets of bodies sent.", labels=["way"]
    )
    metric.add_metric(["sendfile"], sendfile)
    metric.add_metric(["write"], written)
    return metric


def _disk_calls(look_ups: int, reads: int) -> Metric:
    metric = CounterMetricFamily(
        "tinyhttp_disk_calls", "Calls that may wait for the disk, in threads.", labels=["purpose"]
    )
    metric.add_metric(["look_up"], look_ups)
    metric.add_metric(["read"], reads)
    return metric
