"""Documentation as Sphinx builds it: pages with ``.html``, and directories to look into."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import write_tree

from ..processes import fetch
from .browser import Page, needs_chromium
from .serving import Site, served

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sphinx") is None, reason="Sphinx is not installed"
)

SOURCES = {
    "conf.py": "project = 'Garden'\nlanguage = 'en'\n",
    "index.rst": "Garden\n======\n\n.. toctree::\n\n   rose\n   guide/thyme\n",
    "rose.rst": "Rose\n====\n\nSee :doc:`guide/thyme`. Prune in *spring*.\n",
    "guide/thyme.rst": "Thyme\n=====\n\nWants sun, as :doc:`/rose` does.\n",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("sphinx")
    sources = write_tree(place / "sources", SOURCES)
    out = place / "html"
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(sources), str(out)],
        check=True,
        cwd=place,
    )
    with served(out, "--listing", "--caching") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/rose.html", "text/html; charset=utf-8"),
        ("/_static/pygments.css", "text/css; charset=utf-8"),
        ("/_static/doctools.js", "text/javascript; charset=utf-8"),
        ("/_static/file.png", "image/png"),
        ("/searchindex.js", "text/javascript; charset=utf-8"),
        ("/objects.inv", "application/octet-stream"),
        ("/_sources/rose.rst.txt", "text/plain; charset=utf-8"),
    ],
)
def test_what_there_is(site: Site, path: str, media_type: str) -> None:
    response, body = fetch(site.port, path)
    assert (response.status, response.getheader("Content-Type")) == (200, media_type)
    assert body == (site.root / (path[1:] or "index.html")).read_bytes()


@pytest.mark.parametrize("path", ["/rose", "/.buildinfo", "/.doctrees/", "/guide/index.html"])
def test_what_there_is_not(site: Site, path: str) -> None:
    assert fetch(site.port, path)[0].status == 404


def test_parts_that_are_not_hashed_are_not_kept_for_ever(site: Site) -> None:
    for path in ("/_static/doctools.js", "/_static/doctools.js?v=9bcbadda", "/searchindex.js"):
        assert fetch(site.port, path)[0].getheader("Cache-Control") is None


def test_a_directory_without_an_index_is_shown(site: Site) -> None:
    response, body = fetch(site.port, "/_static/", Accept="text/html")
    assert response.status == 200
    assert b'href="./doctools.js"' in body
    response, body = fetch(site.port, "/guide/", Accept="text/html")
    assert response.status == 200
    assert b'href="./thyme.html"' in body


@needs_chromium
def test_reading_it(site: Site, page: Page) -> None:
    assert page.go(site.url) == 200
    assert page.follow("a[href='rose.html']") == 200
    assert page.path == "/rose.html"
    assert page.follow("a[href='guide/thyme.html']") == 200
    assert page.evaluate("document.styleSheets.length") >= 1
    assert page.go(f"{site.url}/search.html?q=spring") == 200
    page.shows("document.querySelector('ul.search a')?.textContent", "Rose")
    assert [text for text in page.complaints if "favicon.ico" not in text] == []
