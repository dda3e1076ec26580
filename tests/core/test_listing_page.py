"""What people see of a directory, and what hostile names can't make of it."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.pages import Element, Page, check_policy, read_page
from tinyhttp.core.listing import DEFAULT_VIEW, PER_PAGE, Entry, Listing, View, parse_view
from tinyhttp.core.listing_page import LISTING_POLICY, listing_page, rfc3339, size_for_people
from tinyhttp.core.page import visible
from tinyhttp.core.path import SitePath, resolve

PLACE = SitePath((b"d",), True)
MOMENT = 1_793_700_900  # 2026-11-03T10:15:00Z

HOSTILE = [
    *(b"<script>alert(1)<", b'"><img src=x onerror=alert(1)>', b"' onmouseover='x", b"a&lt;b"),
    *(b"javascript:alert(1)", b"data:text,x", b"http:", b"\\\\evil.com", b"...", b"%2e%2e", b"%"),
    *(b"a?b", b"a#b", b"a;b", b"a\nb", b"a\r\nLocation: x", b"\x1b[2J", b" ", b"  a  ", b"~", b"-"),
    *(b"\xff\xfe", b"\xed\xa0\x80", "photo\u202egpj.exe".encode(), "\u2067x".encode(), b"{}%s"),
    *(b"]]>", b"<!--", b"-->", b"<bdi>", b"&#0;", b"a" * 255, "\u05d0".encode()),
]
NAMES = st.sampled_from(HOSTILE) | st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in (b".", b"..") and not {0, 0x2F} & set(name)
)
ENTRIES = st.builds(
    Entry, NAMES, st.booleans(), st.integers(0, 2**63), st.none() | st.integers(0, 253_402_300_799)
)
PATHS = st.lists(NAMES, max_size=4).map(lambda names: SitePath(tuple(names), True))
VIEWS = st.builds(View, st.sampled_from(["name", "size", "time"]), st.booleans())

TAGS = {
    *("html", "meta", "title", "style", "main", "nav", "ol", "li", "h1", "p", "footer", "a", "bdi"),
    *("table", "thead", "tbody", "tr", "th", "td", "time", "span"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "aria-label", "href", "scope", "aria-sort", "class"),
    *("title", "datetime"),
}


def listing(*entries: Entry, path: SitePath = PLACE, view: View = DEFAULT_VIEW) -> Listing:
    directories = sum(entry.is_directory for entry in entries)
    return Listing(path, view, list(entries), directories, len(entries) - directories)


def pages_listing(page: int, total: int) -> Listing:
    return Listing(SitePath((), True), View("size", True, page), files=total)


def read(shown: Listing) -> Page:
    return read_page(listing_page(shown))


def file(name: bytes = b"a.txt", size: int = 5, modified: int | None = MOMENT) -> Entry:
    return Entry(name, False, size, modified)


def directory(name: bytes = b"sub") -> Entry:
    return Entry(name, True, 0, MOMENT)


def target(shown: Listing, link: Element) -> SitePath | None:
    """Return where ``link`` leads, as the server would take it."""
    base = "http://host" + shown.path.escaped(directory=True).decode() + "?sort=size"
    parts = urlsplit(urljoin(base, link["href"]))
    assert (parts.scheme, parts.netloc) == ("http", "host")
    return resolve(parts.path.encode())


@given(PATHS, st.lists(ENTRIES, max_size=5), VIEWS)
@example(SitePath(tuple(HOSTILE), True), [file(name) for name in HOSTILE], View())
@example(SitePath((), True), [directory(name) for name in HOSTILE], View("time", True))
def test_names_are_text_and_links_lead_to_their_octets(
    path: SitePath, entries: list[Entry], view: View
) -> None:
    shown = listing(*entries, path=path, view=view)
    page = read(shown)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    links = [one for one in page.all("a", "tbody") if one["href"] != "../"]
    for link, entry in zip(links, entries, strict=True):
        assert target(shown, link) == SitePath((*path.segments, entry.name), entry.is_directory)
        assert link.text == visible(entry.name) + ("/" if entry.is_directory else "")
        assert link["href"].startswith("./")
    for link in page.all("a", "ol"):
        above = target(shown, link)
        assert above is not None
        assert above.segments == path.segments[: len(above.segments)]
        assert above.directory


@given(PATHS)
def test_directories_above(path: SitePath) -> None:
    shown = listing(path=path)
    page = read(shown)
    links = page.all("a", "ol")
    assert [target(shown, link) for link in links] == [
        SitePath(path.segments[:depth], True) for depth in range(len(path.segments))
    ]
    assert [link.text for link in links] == ["Home", *map(visible, path.segments)][:-1]
    assert page.one("h1").text == (visible(path.segments[-1]) if path.segments else "Home")
    up = [one for one in page.all("a", "tbody") if one["href"] == "../"]
    assert [target(shown, link) for link in up] == [SitePath(path.segments[:-1], True)][
        : len(path.segments)
    ]


def test_of_a_way_without_end_the_middle_is_left_out() -> None:
    names = tuple(b"%d" % n for n in range(2000))
    html = listing_page(listing(path=SitePath(names, True)))
    items = [one.text for one in read_page(html).all("li")]
    assert items == ["Home", "…", *map(str, range(1987, 1999))]
    assert len(html) < 50_000


def test_the_style_is_allowed_and_nothing_else_is() -> None:
    page = read(listing(file(), directory()))
    check_policy(page, [LISTING_POLICY])
    assert "url(" not in page.one("style").text
    assert "@import" not in page.one("style").text


def test_a_row() -> None:
    page = read(listing(file(size=1_234_567)))
    size, time = page.all("td")[2:]
    assert (size.text, size["title"]) == ("1.2 MiB", "1,234,567 bytes")
    assert time.text == "2026-11-03 10:15"
    assert page.one("time")["datetime"] == "2026-11-03T10:15:00Z"
    assert [one["scope"] for one in page.all("th")] == ["col"] * 3 + ["row"] * 2


def test_what_says_nothing_is_left_empty() -> None:
    page = read(listing(file(modified=None), Entry(b"sub", True, 0, None)))
    assert [one.text for one in page.all("td")] == ["", "", "5 B", "", "", ""]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((b"a.png", "i"), (b"a.mp3", "s"), (b"a.mp4", "v"), (b"a.zip", "z"), (b"a.tar.gz", "z")),
        *((b"a.py", "c"), (b"a.html", "c"), (b"a.json", "c"), (b"a.sh", "c")),
        *((b"a.txt", None), (b"a", None), (b"a.pdf", None), (b"png", None)),
    ],
)
def test_kinds_look_different(name: bytes, kind: str | None) -> None:
    link = read(listing(file(name), path=SitePath((), True))).one("a", "tbody")
    assert link.attributes.get("class") == kind


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([], "This folder is empty"),
        ([file()], "1 file"),
        ([directory()], "1 folder"),
        ([directory(), directory(b"x"), file()], "2 folders, 1 file"),
    ],
)
def test_counts(entries: list[Entry], text: str) -> None:
    assert read(listing(*entries)).one("p").text == text


def test_counts_are_of_all_pages() -> None:
    assert read(Listing(SitePath((), True), View(), [], 0, 1_234_567)).one("p").text == (
        "1,234,567 files"
    )


@pytest.mark.parametrize(
    ("view", "references", "orders"),
    [
        pytest.param(
            View(),
            ["?sort=name&order=desc", "?sort=size&order=desc", "?sort=time&order=desc"],
            ["ascending", None, None],
            id="as it comes",
        ),
        pytest.param(
            View("name", True),
            ["./", "?sort=size&order=desc", "?sort=time&order=desc"],
            ["descending", None, None],
            id="by name, downwards",
        ),
        pytest.param(
            View("size", True),
            ["./", "?sort=size&order=asc", "?sort=time&order=desc"],
            [None, "descending", None],
            id="by size, downwards",
        ),
        pytest.param(
            View("time", page=1),
            ["./", "?sort=size&order=desc", "?sort=time&order=desc"],
            [None, None, "ascending"],
            id="by time, upwards",
        ),
    ],
)
def test_columns(view: View, references: list[str], orders: list[str | None]) -> None:
    page = read(listing(file(), view=view))
    assert [one["href"] for one in page.all("a", "thead")] == references
    assert [one.attributes.get("aria-sort") for one in page.all("th", "thead")] == orders


@pytest.mark.parametrize(
    ("page", "total", "texts", "leads_to"),
    [
        pytest.param(1, PER_PAGE, None, [], id="one page"),
        pytest.param(1, PER_PAGE + 1, "Page 1 of 2NextLast", [2, 2], id="the first"),
        pytest.param(
            2, 2 * PER_PAGE + 1, "FirstPreviousPage 2 of 3NextLast", [1, 1, 3, 3], id="in between"
        ),
        pytest.param(
            1000, 1000 * PER_PAGE, "FirstPreviousPage 1,000 of 1,000", [1, 999], id="the last"
        ),
    ],
)
def test_leafing(page: int, total: int, texts: str | None, leads_to: list[int]) -> None:
    found = read(pages_listing(page, total)).all("nav")
    assert [one.text for one in found] == ([] if texts is None else [texts])
    links = read(pages_listing(page, total)).all("a", "nav")
    views = [parse_view(link["href"].encode()[1:]) for link in links]
    assert views == [View("size", True, target) for target in leads_to]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        *((0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB")),
        *((102_348, "99.9 KiB"), (102_349, "100 KiB"), (1024 * 1023, "1,023 KiB")),
        *((1024 * 1024 - 513, "1,023 KiB"), (1024 * 1024 - 512, "1.0 MiB"), (1024**2, "1.0 MiB")),
        *((1024**3 - 1, "1.0 GiB"), (5 * 1024**4, "5.0 TiB"), (2**63, "8.0 EiB")),
        *((2**80, "1,048,576 EiB"), (1_234_567, "1.2 MiB")),
    ],
)
def test_sizes(octets: int, text: str) -> None:
    assert size_for_people(octets) == text


@given(st.integers(1024, 2**70))
def test_what_is_shown_of_a_size_is_near_it(octets: int) -> None:
    number, unit = size_for_people(octets).split()
    value = float(number.replace(",", "")) * 1024 ** (1 + "KMGTPE".index(unit[0]))
    assert abs(value - octets) <= octets * 0.051


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (MOMENT, "2026-11-03T10:15:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_times(seconds: int, text: str) -> None:
    assert rfc3339(seconds) == text
