"""An application with client-side routes, as Vite builds it, in the browser that it is made for."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyhttp.commands.compress import main as compress
from tinyhttp.settings.site import SITE

from ..processes import fetch
from .browser import Page, needs_chromium
from .serving import Asked, Site, needs_curl, served
from .waiting import until

YEAR = "public, max-age=31536000, immutable"
OPTIONS = ("--spa", "--caching", f"--cache-control=/assets/**={YEAR}", "--compress=gzip")
"""As an application of that kind is served. Vite's hashes are told from words in half of the
names only, so the directory is named."""

KEEPS_RELEASES = any(setting.name == "keep-releases" for setting in SITE)

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def site(app: Path) -> Iterator[Site]:
    with served(app / "1", *OPTIONS) as running:
        yield running


def assets(release: Path) -> dict[str, str]:
    """Return the paths of the application's parts, by name and extension without the hash."""
    names = os.listdir(release / "assets")
    return {re.sub(r"-[\w-]{8}(?=\.\w+$)", "", name): f"/assets/{name}" for name in names}


@needs_chromium
class TestInABrowser:
    def test_a_deep_link_opens_and_survives_a_reload(self, site: Site, page: Page) -> None:
        assert page.go(f"{site.url}/plants/rose") == 200
        page.heading("Plant rose")
        assert page.reload() == 200
        page.heading("Plant rose")
        assert page.complaints == []

    def test_going_to_and_fro(self, site: Site, page: Page) -> None:
        page.go(site.url)
        page.heading("Garden")
        page.click("#to-rose")
        page.heading("Plant rose")
        page.click("#to-almanac")  # a chunk that is loaded now
        page.heading("Almanac 1")
        page.evaluate("history.back()")
        page.heading("Plant rose")
        page.evaluate("history.back()")
        page.heading("Garden")
        page.evaluate("history.go(2)")
        page.heading("Almanac 1")
        assert page.path == "/almanac"
        assert page.complaints == []

    def test_a_page_that_only_the_application_knows_to_be_missing(
        self, site: Site, page: Page
    ) -> None:
        assert page.go(f"{site.url}/no/such/page.at.all?x=1#y") == 200
        page.heading("Nothing grows here")
        assert page.path == "/no/such/page.at.all?x=1#y"
        assert page.complaints == []

    def test_a_part_that_is_missing_is_no_page(self, site: Site, page: Page) -> None:
        page.go(site.url)
        asked = """Promise.all([
            fetch("/assets/gone-Ab3dE6gH.js").then((r) => r.status),
            fetch("/data.json", { headers: { Accept: "application/json" } }).then((r) => r.status),
            import("/assets/gone-Ab3dE6gH.js").then(() => "loaded", () => "failed"),
            new Promise((done) => {
                const picture = new Image();
                picture.onload = () => done("loaded");
                picture.onerror = () => done("failed");
                picture.src = "/gone.png";
            }),
        ])"""
        assert page.evaluate(asked) == [404, 404, "failed", "failed"]

    def test_parts_are_asked_for_once_and_the_page_each_time(self, site: Site, page: Page) -> None:
        parts = {path for name, path in assets(site.root).items() if name != "Almanac.js"}
        site.asked()
        page.go(f"{site.url}/plants/rose")
        page.heading("Plant rose")
        first = [each for each in site.asked() if each.target != "/icon.svg"]
        assert first[0] == Asked("/plants/rose", 200)
        assert set(first[1:]) == {Asked(path, 200) for path in parts}

        page.reload()
        page.heading("Plant rose")
        page.click("#to-almanac")
        page.heading("Almanac 1")
        again = [each for each in site.asked() if each.target != "/icon.svg"]
        assert again == [
            Asked("/plants/rose", 304),
            Asked(assets(site.root)["Almanac.js"], 200),
        ]
        assert page.complaints == []

    @pytest.mark.parametrize("coding", ["br", "gzip"])
    def test_sidecars(self, app: Path, tmp_path: Path, page: Page, coding: str) -> None:
        root = tmp_path / "site"
        shutil.copytree(app / "1", root)
        assert compress([str(root), "--quiet", "--level=fast", f"--codings={coding}"]) == 0
        with served(root, "--spa", "--caching") as site:
            page.go(f"{site.url}/plants/rose")
            page.heading("Plant rose")
            main = assets(app / "1")["index.js"]
            got = page.evaluate(
                f"performance.getEntriesByName(location.origin + '{main}')"
                ".map((e) => [e.contentEncoding, e.encodedBodySize, e.decodedBodySize])[0]"
            )
            assert page.complaints == []
        assert got == [
            coding,
            (root / f"{main[1:]}.{'gz' if coding == 'gzip' else coding}").stat().st_size,
            (root / main[1:]).stat().st_size,
        ]


@needs_curl
class TestFields:
    @pytest.mark.parametrize("path", ["/", "/plants/rose", "/no/such/page"])
    @pytest.mark.parametrize("accept", [HTML, "*/*"])
    def test_of_a_page(self, site: Site, path: str, accept: str) -> None:
        status, fields, body = site.curl(path, "-H", f"Accept: {accept}")
        assert (status, fields["content-type"]) == (200, "text/html; charset=utf-8")
        assert fields["cache-control"] == "no-cache"
        assert body == (site.root / "index.html").read_bytes()
        status, again, body = site.curl(
            path, "-H", f"Accept: {accept}", "-H", f"If-None-Match: {fields['etag']}"
        )
        assert (status, body) == (304, b"")
        assert again["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("index.js", "text/javascript; charset=utf-8"),
            ("index.css", "text/css; charset=utf-8"),
            ("Almanac.js", "text/javascript; charset=utf-8"),
            ("leaf.svg", "image/svg+xml"),
        ],
    )
    def test_of_a_part(self, site: Site, name: str, media_type: str) -> None:
        path = assets(site.root)[name]
        status, fields, body = site.curl(path)
        assert (status, fields["content-type"]) == (200, media_type)
        assert fields["cache-control"] == YEAR
        assert body == (site.root / path[1:]).read_bytes()

    def test_of_what_is_encoded_on_demand(self, site: Site) -> None:
        path = assets(site.root)["index.js"]
        _, plain, content = site.curl(path)
        _, fields, body = site.curl(path, "--compressed", "-H", "Accept-Encoding: gzip, br")
        assert (fields["content-encoding"], fields["vary"]) == ("gzip", "Accept-Encoding")
        assert body == content
        assert int(fields["content-length"]) < len(content) / 2
        assert plain["vary"] == "Accept-Encoding"
        assert fields["cache-control"] == plain["cache-control"] == YEAR
        assert fields["etag"] != plain["etag"]

    def test_of_a_part_that_is_missing(self, site: Site) -> None:
        for path in ("/assets/gone-Ab3dE6gH.js", "/gone.png", "/assets/gone.css"):
            status, fields, _ = site.curl(path)
            assert status == 404
            assert "cache-control" not in fields
            assert "immutable" not in str(fields)


def test_a_page_in_the_place_of_a_part_is_not_kept(app: Path, tmp_path: Path) -> None:
    """``/* /index.html 200`` is how many applications say what --spa says."""
    root = tmp_path / "site"
    shutil.copytree(app / "1", root)
    (root / "_redirects").write_text("/* /index.html 200\n")
    with served(root, "--caching", f"--cache-control=/assets/**={YEAR}") as site:
        response, body = fetch(site.port, "/assets/gone-Ab3dE6gH.js")
    assert body == (root / "index.html").read_bytes()
    assert response.getheader("Cache-Control") == "no-cache"


class TestReleases:
    """``current`` is a link to a release, and is renamed over by one to the next."""

    @pytest.fixture
    def current(self, app: Path, tmp_path: Path) -> Path:
        shutil.copytree(app, tmp_path / "releases")
        link = tmp_path / "current"
        link.symlink_to("releases/1")
        return link

    @staticmethod
    def switch(current: Path) -> None:
        following = current.with_name("following")
        following.symlink_to("releases/2")
        os.replace(following, current)

    @needs_chromium
    @pytest.mark.skipif(KEEPS_RELEASES, reason="for whoever has no --keep-releases")
    def test_a_server_stays_with_the_release_that_it_was_started_on(
        self, current: Path, page: Page
    ) -> None:
        with served(current, *OPTIONS) as site:
            page.go(f"{site.url}/plants/rose")
            page.heading("Plant rose")
            self.switch(current)
            page.click("#to-almanac")
            page.heading("Almanac 1")
            page.reload()
            page.heading("Almanac 1")
            assert page.complaints == []
        with served(current, *OPTIONS) as site:
            page.go(f"{site.url}/almanac")
            page.heading("Almanac 2")

    @needs_chromium
    @pytest.mark.skipif(not KEEPS_RELEASES, reason="there is no --keep-releases")
    def test_a_page_that_is_open_still_finds_its_chunks(self, current: Path, page: Page) -> None:
        main = assets(current.parent / "releases" / "2")["index.js"]
        with served(current, *OPTIONS, "--keep-releases=60") as site:
            page.go(f"{site.url}/plants/rose")
            page.heading("Plant rose")
            self.switch(current)
            until(lambda: main.encode() in fetch(site.port, "/almanac")[1])
            page.click("#to-almanac")
            page.heading("Almanac 1")
            page.reload()
            page.heading("Almanac 2")
            assert page.complaints == []
