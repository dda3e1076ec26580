"""A site of a thousand pages with 2,000 rules: every bookmark leads where it should."""

import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..processes import PATIENCE, WAYS, fetch
from .blog import HOST, LANGUAGES, NOT_FOUND, RULES, STYLE, Visit, post, write_blog
from .browser import Page, needs_chromium
from .serving import Fields, Site, needs_curl, served

YEAR = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blog(tmp_path_factory.mktemp("blog") / "public")


@pytest.fixture(scope="module")
def site(blog: Path) -> Iterator[Site]:
    with served(blog, "--caching", "--security-headers", "--compress=gzip") as running:
        yield running


def test_nothing_is_said_against_the_rules(blog: Path) -> None:
    assert len(RULES) == 2000
    assert (blog / "_headers").read_text().count("\n\n") == 99
    done = subprocess.run(
        [*WAYS["command"], "--check", f"--path={blog}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "_redirects" not in done.stdout + done.stderr
    assert "_headers" not in done.stdout + done.stderr


def test_every_rule_does_what_it_is_there_for(site: Site) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        got = []
        for rule in RULES:
            visit = rule.visit
            connection.request("GET", visit.target, headers={"Host": visit.host})
            response = connection.getresponse()
            response.read()
            location = response.getheader("Location")
            got.append(Visit(visit.target, response.status, location, visit.host))
    finally:
        connection.close()
    assert got == [rule.visit for rule in RULES]


def test_no_redirect_leads_to_nothing_or_to_another(site: Site) -> None:
    ours = {
        urlsplit(rule.visit.location).path
        for rule in RULES
        if rule.visit.location and rule.visit.location.startswith("/")
    }
    # Later moved once more, or withdrawn.
    forced = {rule.line.split()[0].rstrip("*") for rule in RULES if rule.line.endswith("!")}
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        for path in sorted(ours - forced):
            connection.request("GET", path, headers={"Host": HOST})
            response = connection.getresponse()
            response.read()
            assert (path, response.status) == (path, 200)
    finally:
        connection.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_its_own_page_for_what_is_missing(site: Site, language: str) -> None:
    for path in (f"/{language}nothing", f"/{language}posts/1999/", f"/{language}nothing.html"):
        response, body = fetch(site.port, path)
        assert response.status == 404
        assert NOT_FOUND[language].encode() in body
        assert response.getheader("Cache-Control") is None


def test_the_rules_are_not_to_be_seen(site: Site) -> None:
    for path in ("/_redirects", "/_headers", "/%5fredirects", "/de/../_headers"):
        assert fetch(site.port, path)[0].status == 404


EVERYWHERE = {
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
FIELDS: list[tuple[str, dict[str, str | None]]] = [
    ("/", {"cache-control": "no-cache", "link": "</images/garden.png>; rel=preload; as=image"}),
    (
        f"/{post(3)}",
        {"cache-control": "no-cache", "x-robots-tag": "noindex", "link": "</tags/3/>; rel=tag"},
    ),
    (f"/{post(60)}", {"x-robots-tag": None, "link": None}),
    (f"/{STYLE}", {"cache-control": YEAR, "content-type": "text/css; charset=utf-8"}),
    ("/fonts/garden.woff2", {"access-control-allow-origin": "*", "cache-control": None}),
    ("/images/garden.png", {"cache-control": "public, max-age=86400"}),
    (
        "/de/tags/7/index.xml",
        {
            "content-type": "application/rss+xml; charset=utf-8",
            "cache-control": "public, max-age=600",
            "x-topic": "7",
        },
    ),
    ("/downloads/plan%202024.pdf", {"content-disposition": "attachment"}),
    ("/app/", {"x-frame-options": "SAMEORIGIN"}),
    ("/.well-known/security.txt", {"content-type": "text/plain; charset=utf-8"}),
]


@needs_curl
@pytest.mark.parametrize(("path", "wanted"), FIELDS, ids=[path for path, _ in FIELDS])
def test_fields_of_a_file(site: Site, path: str, wanted: dict[str, str | None]) -> None:
    for method in ((), ("--head",)):
        status, fields, _ = site.curl(path, *method)
        assert status == 200
        expected = {**EVERYWHERE, **wanted}
        assert {name: fields.get(name) for name in expected} == expected
    again, revalidated, _ = site.curl(path, "-H", f"If-None-Match: {fields['etag']}")
    assert again == 304
    assert same_but_of_content(revalidated, fields)


def same_but_of_content(revalidated: Fields, fields: Fields) -> bool:
    """Return whether a 304 says of caching and safety what the 200 has said."""
    names = ("cache-control", "etag", "vary", "x-frame-options", "content-security-policy")
    return all(revalidated.get(name) == fields.get(name) for name in names)


@needs_chromium
class TestInABrowser:
    def test_a_page_with_all_of_its_parts(self, site: Site, page: Page) -> None:
        assert page.go(site.url) == 200
        page.heading("Notes from a garden")
        shown = page.evaluate(
            "[document.images[0].naturalWidth, document.styleSheets.length,"
            " getComputedStyle(document.body).fontFamily]"
        )
        assert shown == [64, 1, "Georgia, serif"]
        assert page.complaints == []

    def test_old_addresses(self, site: Site, page: Page) -> None:
        for old, new in (
            ("/blog/thyme-0001.html", f"/de/{post(1)}"),
            ("/index.php?p=5&from=mail", f"/{post(5)}?from=mail"),
            ("/de-at/tags/3/#top", "/de/tags/3/#top"),
            ("/Grüße/7-für dich", f"/de/{post(7)}"),
            ("/2017/03/14/quince-2/", "/posts/2017/03/quince-2/"),
        ):
            assert page.go(site.url + old) == 200
            assert page.path == new

    def test_what_is_gone_or_was_never_there(self, site: Site, page: Page) -> None:
        assert page.go(f"{site.url}/old/letters") == 410
        page.heading("Gone")
        assert page.go(f"{site.url}/fr/rien") == 404
        page.heading("Page introuvable")
        assert page.evaluate("document.images[0].naturalWidth") == 64
