"""The administrators' endpoint: its pages, and the numbers on them after known traffic."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.support import Client, FakeReactor, get, make_server, write_tree
from tinyhttp.core.request import HeadReader, Limits, parse
from tinyhttp.core.response import render_head
from tinyhttp.server.admin import make_admin
from tinyhttp.server.metrics import MetricsPage
from tinyhttp.server.pages import Health
from tinyhttp.server.server import Server
from tinyhttp.server.tally import BOUNDS, METHODS, REASONS, Tally

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS = (
    "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What it really sends, but for a form that is not text."""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def reactor() -> FakeReactor:
    return FakeReactor()


@pytest.fixture
def server(tmp_path: Path, reactor: FakeReactor) -> Server:
    root = write_tree(tmp_path / "root", {"a.txt": b"four", "sub/index.html": b"<p>"})
    return make_server(root, reactor, tally=Tally(reactor.seconds))


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def admin(server: Server, reactor: FakeReactor, health: Health) -> Server:
    assert server.tally is not None
    tally = server.tally
    page = MetricsPage(lambda: tally.row(server), version="1.2.3")
    return make_admin(reactor, health, {b"/metrics": page})


def samples(admin: Server, *fields: str) -> tuple[str, Samples]:
    """Return the type of the page, and what is on it."""
    (answer,) = Client(admin).send(get("/metrics", *fields)).answers()
    assert answer.status == 200
    assert answer["Cache-Control"] == "no-store"
    text, content_type = answer.body.decode(), answer["Content-Type"]
    if content_type.startswith(OPENMETRICS):
        assert text.endswith("# EOF\n")
        families = list(openmetrics_parser.text_string_to_metric_families(text))
    else:
        families = list(parser.text_string_to_metric_families(text))
    found: Samples = {}
    for family in families:
        assert family.documentation.endswith(".")
        assert family.type != "unknown"
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return content_type, found


def traffic(server: Server) -> None:
    client = Client(server).send(get("/a.txt") * 3 + get("/sub") + get("/a.txt", method="HEAD"))
    client.send(get("/nowhere") + get("/a.txt", method="POST"))
    assert server.tally is not None
    server.tally.refuse("client-connections")
    server.tally.restarts = 2
    server.tally.certificate_expiry = lambda: 1_800_000_000.5


FORMS = pytest.mark.parametrize(
    ("fields", "form"),
    [((), "text/plain"), (("Accept: text/plain",), "text/plain"), ((PROMETHEUS,), OPENMETRICS)],
)


@FORMS
def test_numbers_after_known_traffic(
    server: Server, admin: Server, fields: tuple[str, ...], form: str
) -> None:
    traffic(server)
    content_type, found = samples(admin, *fields)
    assert content_type.startswith(form)

    def value(name: str, **labels: str) -> float:
        return found[f"tinyhttp_{name}", tuple(sorted(labels.items()))]

    assert value("requests_total", method="GET", status_class="2xx") == 3
    assert value("requests_total", method="GET", status_class="3xx") == 1
    assert value("requests_total", method="GET", status_class="4xx") == 1
    assert value("requests_total", method="HEAD", status_class="2xx") == 1
    assert value("requests_total", method="other", status_class="4xx") == 1
    assert value("requests_total", method="OPTIONS", status_class="2xx") == 0
    assert value("refused_total", reason="method") == 1
    assert value("refused_total", reason="client-connections") == 1
    assert value("refused_total", reason="gate") == 0
    assert value("request_duration_seconds_count") == 7
    assert value("request_duration_seconds_bucket", le="+Inf") == 7
    assert value("request_duration_seconds_sum") == 0
    assert value("memo_hits_total") == 2
    assert value("cache_hits_total") == 1
    assert value("cache_misses_total") == 4
    assert value("disk_calls_total", purpose="look_up") == 4
    assert value("disk_calls_total", purpose="read") == 0
    assert value("connections_total") == value("open_connections") == value("idle_connections") == 1
    assert value("worker_restarts_total") == 2
    assert value("certificate_expiry_timestamp_seconds") == 1_800_000_000
    assert value("build_info", version="1.2.3") == 1
    answers = 3 * 4 + len(b"301 Moved Permanently\nDirectories end with a slash.\n")
    answers += len(b"404 Not Found\n405 Method Not Allowed\n")
    answers += len(b"Files can be read here, and nothing else.\n")
    assert value("response_body_bytes_total", way="write") == answers
    assert value("response_body_bytes_total", way="sendfile") == 0


def test_buckets_hold_those_below_them(server: Server, admin: Server) -> None:
    assert server.tally is not None
    for seconds in (0.00005, 0.003, 0.003, 2, 1000):
        server.tally.requests[0] += 1
        server.tally.took(seconds)
    _, found = samples(admin)
    name = "tinyhttp_request_duration_seconds_bucket"
    buckets = {float(labels[0][1]): value for (n, labels), value in found.items() if n == name}
    assert list(buckets) == [*BOUNDS, float("inf")]
    for bound, count in buckets.items():
        assert count == sum(s <= bound for s in (0.00005, 0.003, 0.003, 2, 1000))
    assert found["tinyhttp_request_duration_seconds_sum", ()] == pytest.approx(1002.00605)


@FORMS
def test_what_has_not_happened_is_there_as_zero(
    admin: Server, fields: tuple[str, ...], form: str
) -> None:
    """Else the first of its kind would be no change, and no alert would see it."""
    _, found = samples(admin, *fields)
    assert sum(name == "tinyhttp_requests_total" for name, _ in found) == 4 * len(METHODS)
    assert sum(name == "tinyhttp_refused_total" for name, _ in found) == len(REASONS)
    assert ("tinyhttp_certificate_expiry_timestamp_seconds", ()) not in found


def test_nothing_of_a_client_is_on_the_page(server: Server, admin: Server) -> None:
    secret = "sesame"
    for request in (
        get(f"/{secret}", f"Host: {secret}", f"User-Agent: {secret}", f"Referer: {secret}"),
        get("/", method=secret.upper()),
        get("/", version=secret),
    ):
        Client(server).send(request)
    (answer,) = Client(admin).send(get("/metrics")).answers()
    assert secret not in answer.body.decode().lower()
    assert "192.0.2" not in answer.body.decode()
    labels = {name for _, all_ in samples(admin)[1] for name, _ in all_}
    assert labels == {"method", "status_class", "reason", "le", "way", "purpose", "version"}


def test_names_are_as_prometheus_wants_them(admin: Server) -> None:
    (answer,) = Client(admin).send(get("/metrics")).answers()
    types = re.findall(r"# TYPE (\S+) (\S+)", answer.body.decode())
    assert len(types) == len(set(types)) > 12
    for name, type_ in types:
        assert name.startswith("tinyhttp_")
        assert name.endswith("_total") == (type_ == "counter")
        assert "octets" not in name


@given(
    st.from_regex(r"[!-~ ]{0,30}", fullmatch=True)
    | st.from_regex(
        r"(application/openmetrics-text|text/plain)(; ?(version|escaping)=[!-+\x2d-~]{0,9}){0,3}",
        fullmatch=True,
    )
)
def test_whatever_is_accepted_gets_a_page(accept: str) -> None:
    head = HeadReader(Limits(), (b"accept",)).read(get("/metrics", f"Accept: {accept}"))
    response = MetricsPage(Tally().row)(parse(head))
    assert response.status == 200
    assert dict(response.fields)[b"Content-Type"].decode().startswith(("text/plain", OPENMETRICS))
    render_head(response)


@pytest.mark.parametrize("version", ["abc", "1.0.0.x", "9", "", "1..2", "\xb2"])
def test_a_strange_version_is_no_error(admin: Server, version: str) -> None:
    for form in (OPENMETRICS, "text/plain"):
        (answer,) = (
            Client(admin).send(get("/metrics", f"Accept: {form};version={version}")).answers()
        )
        assert answer.status == 200
        assert b"tinyhttp_build_info" in answer.body


def test_of_one_process_there_is_more_to_say(reactor: FakeReactor) -> None:
    page = MetricsPage(Tally().row, process=True)
    _, found = samples(make_admin(reactor, Health(), {b"/metrics": page}))
    assert found["process_open_fds", ()] > 0
    assert found["process_resident_memory_bytes", ()] > 1e6


# The other pages.


def test_the_index_lists_the_pages(admin: Server) -> None:
    (answer,) = Client(admin).send(get("/")).answers()
    links = re.findall(r'href="([^"]*)"', answer.body.decode())
    assert links == ["/metrics", "/livez", "/readyz"]
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    for link in links:
        (answer,) = Client(admin).send(get(link)).answers()
        assert answer.status in (200, 503)
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("target", ["/metrics/", "/index.html", "/../etc/passwd", "/metrics.json"])
def test_there_is_nothing_else(admin: Server, target: str) -> None:
    (answer,) = Client(admin).send(get(target)).answers()
    assert answer.status in (400, 404)


@pytest.mark.parametrize("target", ["/", "/metrics", "/livez", "/readyz"])
def test_nothing_can_be_changed(admin: Server, target: str) -> None:
    (answer,) = Client(admin).send(get(target, method="POST")).answers()
    assert answer.status == 405
    (answer,) = Client(admin).send(get(target, method="HEAD")).answers([0])
    assert int(answer["Content-Length"]) > 0


def test_readiness_ends_at_once_and_life_does_not(admin: Server, health: Health) -> None:
    client = Client(admin).send(get("/readyz"))
    health.begin()
    client.send(get("/readyz"))
    health.drain()
    client.send(get("/readyz") + get("/livez"))
    assert [answer.status for answer in client.answers()] == [503, 200, 503, 200]


def test_a_scrape_counts_for_nothing(server: Server, admin: Server) -> None:
    before = samples(admin)
    assert samples(admin) == before


def test_a_connection_that_says_nothing_is_closed(admin: Server, reactor: FakeReactor) -> None:
    client = Client(admin)
    for _ in range(24):
        reactor.advance(0.5)
    assert client.transport.closed


def test_openmetrics_names_its_version(admin: Server) -> None:
    (answer,) = Client(admin).send(get("/metrics", f"Accept: {OPENMETRICS}")).answers()
    assert answer["Content-Type"] == openmetrics.exposition.CONTENT_TYPE_LATEST
    assert answer["Vary"] == "Accept"
