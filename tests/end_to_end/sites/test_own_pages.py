"""The server's own pages in a browser: on a phone, in the dark, under their own policy."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support import write_tree

from ..processes import fetch
from .browser import Page, needs_chromium
from .serving import Site, served

pytestmark = needs_chromium

# What would break a layout, a link, or the page.
NAMES = [
    "minutes of the meeting of all members that was held on the first of May.pdf",
    "a" * 200 + ".txt",
    "<img src=x onerror=alert(1)>.html",
    "100% & more?#x.txt",
    "javascript:alert(1)",
    "été ☃ שלום.txt",
    "\u202egpj.exe",
    "a\nb.txt",
]

LOOK = """(() => {
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(document.body);
    return {
        wide: document.documentElement.scrollWidth,
        window: innerWidth,
        back: light(style.backgroundColor),
        text: light(style.color),
        size: parseFloat(style.fontSize),
    };
})()"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("own") / "public"
    files = {f"strange/{name}": name for name in NAMES}
    files |= {f"many/{number:05}.txt": "x" for number in range(1001)}
    write_tree(root, {**files, "index.html": "<!doctype html><h1>Home</h1>", "empty/x/y": "z"})
    with served(root, "--listing", "--security-headers", "--caching") as running:
        yield running


def has_failed_only_itself(page: Page, url: str, status: int) -> bool:
    """Return whether nothing is in red but the status of the page, which Chromium shows so too."""
    said = [text for text in page.complaints if not text.endswith(f" {url}")]
    return said == [] and (status < 400 or len(page.complaints) == 1)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/strange/", 200, "strange"),
        ("/many/?page=2", 200, "many"),
        ("/empty/", 200, "empty"),
        ("/nothing", 404, "Not Found"),
        ("/strange/nothing/", 404, "Not Found"),
    ],
)
def test_a_page_of_our_own(
    site: Site, page: Page, path: str, status: int, heading: str, width: int
) -> None:
    page.look_like(width=width, dark=False)
    assert page.go(site.url + path) == status
    assert heading in page.evaluate("document.querySelector('h1').textContent")
    look = page.evaluate(LOOK)
    assert look["window"] == width
    assert look["wide"] <= width
    assert look["size"] >= 14
    assert look["back"] > 200
    assert look["text"] < 60
    page.look_like(width=width, dark=True)
    look = page.evaluate(LOOK)
    assert look["back"] < 60
    assert look["text"] > 200
    assert has_failed_only_itself(page, site.url + path, status)


def test_every_name_leads_to_its_file(site: Site, page: Page) -> None:
    page.go(f"{site.url}/strange/")
    links = page.evaluate(
        "[...document.querySelectorAll('tbody a')].map((a) => a.href)"
        ".filter((to) => !to.endsWith('/'))"
    )
    assert page.complaints == []
    assert all(to.startswith(f"{site.url}/strange/") for to in links)
    got = [fetch(site.port, urlsplit(to).path)[1].decode() for to in links]
    assert sorted(got) == sorted(NAMES)


def test_sorting_and_leafing_by_links(site: Site, page: Page) -> None:
    page.go(f"{site.url}/many/")
    names = "[...document.querySelectorAll('tbody a')].map((a) => a.textContent)"
    assert "00000.txt" in page.evaluate(names)
    page.follow("a[href*='page=2']")
    assert page.evaluate(names)[-1] == "01000.txt"
    page.follow("thead a[href*='sort=name']")
    assert "01000.txt" in page.evaluate(names)
    assert page.path.startswith("/many/?")
    assert page.complaints == []
