"""What people see of a directory.

Floor: core (pure). One HTML page: where it is, what it holds, and links to sort it and to leaf
through it. Every reference is relative, so that it holds behind a proxy that serves the tree under
another path. Names are anybody's: they are escaped, isolated from the direction of the text around
them (``bdi``), and what can't be seen is shown by a sign.
"""

from html import escape
from time import gmtime

from .listing import Entry, Listing, View, href
from .media_types import media_type
from .page import COLOURS, document, one_line, policy, visible

__all__ = ["LISTING_POLICY", "LISTING_STYLE", "listing_page", "rfc3339", "size_for_people"]

LISTING_STYLE = one_line(
    COLOURS
    + """
main{max-width:60rem;margin:0 auto;padding:2.5rem 1rem 2rem}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
bdi{overflow-wrap:anywhere;white-space:pre-wrap}
h1{margin:0;font-size:1.6rem;line-height:1.25;font-weight:650}
ol{list-style:none;margin:0 0 .35rem;padding:0;display:flex;flex-wrap:wrap;font-size:.9rem}
li+li::before{content:"/";color:var(--soft);padding:0 .5em}
p{margin:.25rem 0 1.25rem;color:var(--soft);font-size:.9rem}
table{width:100%;border-collapse:separate;border-spacing:0;background:var(--card);\
border:1px solid var(--line);border-radius:10px;overflow:hidden;font-size:.95rem}
th,td{padding:0 1rem;text-align:left;font-weight:400}
tr+tr>*,tbody>tr>*{border-top:1px solid var(--line)}
thead th{font-size:.8rem;font-weight:600}
thead a{display:inline-block;padding:.6rem 0;color:var(--soft);white-space:nowrap}
[aria-sort] a{color:var(--text)}
[aria-sort] a::after{content:"\\2009\\2191"}
[aria-sort=descending] a::after{content:"\\2009\\2193"}
tbody tr:hover{background:var(--over)}
tbody a{display:flex;gap:.75rem;align-items:center;min-height:2.4rem;padding:.3rem 0;\
color:var(--text)}
tbody a:hover{color:var(--link)}
.d{font-weight:600}
.n{text-align:right;width:7rem}
.t{width:11rem}
td{color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums}
tbody a::before{content:"";flex:none;width:16px;height:18px;background:#8b95a1;\
forced-color-adjust:none;\
clip-path:path("M2 1h7v5h5v10a1 1 0 0 1-1 1h-10a1 1 0 0 1-1-1zM10 1l4 4h-4z")}
tbody .d::before{background:#e3a008;\
clip-path:path("M0 4a1.5 1.5 0 0 1 1.5-1.5h4l2 2h7a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 \
1.5h-13a1.5 1.5 0 0 1-1.5-1.5z")}
tbody .u::before{background:var(--soft);clip-path:path("M8 3l6 6h-4v6h-4v-6h-4z")}
.i::before{background:#2f9e6e!important}
.s::before{background:#a45ee5!important}
.v::before{background:#e0574f!important}
.z::before{background:#b0752e!important}
.c::before{background:#3f83f8!important}
nav.p{display:flex;flex-wrap:wrap;justify-content:center;margin-top:.75rem;font-size:.9rem}
nav.p>*{padding:.5rem .7rem}
nav.p span{color:var(--soft)}
footer{margin-top:1rem;color:var(--soft);font-size:.8rem;text-align:center}
@media(max-width:40rem){main{padding:1.25rem .75rem}
h1{font-size:1.35rem}
th,td{padding:0 .35rem}
tr>:first-child{padding-left:.8rem}
tr>:last-child{padding-right:.8rem}
.n{width:4.6rem}
.t{width:5.6rem}
td{font-size:.8rem}
tbody a{min-height:2.9rem;gap:.6rem}
time span{display:none}}
"""
)

LISTING_POLICY = policy(LISTING_STYLE)

_COLUMNS = (("name", "Name", ""), ("size", "Size", "n"), ("time", "Modified", "t"))
_FALLS_FIRST = frozenset(("size", "time"))
"""Columns of which the large and new are of interest first."""

_CRUMBS = 12
"""Directories above that are named; of more, those next to the top are left out."""

_KINDS = {"image": "i", "audio": "s", "video": "v"}
_CODE = frozenset(("html", "css", "javascript", "json", "xml", "toml", "yaml", "wasm"))
_ARCHIVES = frozenset(
    ("zip", "gzip", "zstd", "x-tar", "x-bzip2", "x-xz", "x-7z-compressed", "java-archive")
)


def listing_page(listing: Listing) -> bytes:
    """Return the page for people."""
    names = [visible(name) for name in listing.path.segments]
    heading = names[-1] if names else "Home"
    body = (
        f"<main>{_crumbs(names)}<h1><bdi>{escape(heading)}</bdi></h1>"
        f"<p>{_counts(listing)}</p>{_table(listing)}{_leafing(listing)}"
        "<footer>Times are UTC</footer></main>"
    )
    path = "/" + "".join(name + "/" for name in names)
    return document(f"Index of {path}", LISTING_STYLE, body)


def _crumbs(names: list[str]) -> str:
    """Return links to the directories above."""
    depth = len(names)
    if not depth:
        return ""
    above = list(enumerate(["Home", *names[:-1]]))
    items = [
        f'<li><a href="{"../" * (depth - level)}"><bdi>{escape(name)}</bdi></a></li>'
        for level, name in [*above[:1], *above[1:][-_CRUMBS:]]
    ]
    if len(above) > len(items):
        items.insert(1, "<li>\N{HORIZONTAL ELLIPSIS}</li>")
    return f'<nav aria-label="Directories above"><ol>{"".join(items)}</ol></nav>'


def _counts(listing: Listing) -> str:
    parts = [
        _count(listing.directories, "folder", "folders"),
        _count(listing.files, "file", "files"),
    ]
    return ", ".join(part for part in parts if part) or "This folder is empty"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}" if number else ""


def _table(listing: Listing) -> str:
    rows = "".join(_row(entry) for entry in listing.entries)
    if listing.path.segments:
        up = '<a class="u" href="../">Folder above</a>'
        rows = f'<tr><th scope="row">{up}</th><td></td><td></td></tr>{rows}'
    head = "".join(_column(listing.view, *column) for column in _COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _column(view: View, sort: str, title: str, style: str) -> str:
    """Return the head of a column, with the link that sorts by it, or else turns the order."""
    state = ""
    descending = sort in _FALLS_FIRST
    if view.sort == sort:
        state = f' aria-sort="{"descending" if view.descending else "ascending"}"'
        descending = not view.descending
    reference = escape(View(sort, descending).query())
    style = f' class="{style}"' if style else ""
    return f'<th scope="col"{style}{state}><a href="{reference}">{title}</a></th>'


def _row(entry: Entry) -> str:
    name = escape(visible(entry.name))
    link = href(entry.name, is_directory=entry.is_directory)
    style = _kind(entry)
    if style:
        style = f' class="{style}"'
    slash = "/" if entry.is_directory else ""
    return (
        f'<tr><th scope="row"><a{style} href="{link}"><bdi>{name}{slash}</bdi></a></th>'
        f"{_size(entry)}{_time(entry)}</tr>"
    )


def _kind(entry: Entry) -> str:
    if entry.is_directory:
        return "d"
    group, _, kind = media_type(entry.name, {}).decode().partition(";")[0].partition("/")
    if kind in _CODE or (group == "text" and kind.startswith("x-")):
        return "c"
    return "z" if kind in _ARCHIVES else _KINDS.get(group, "")


def _size(entry: Entry) -> str:
    if entry.is_directory:
        return '<td class="n"></td>'
    exact = _count(entry.size, "byte", "bytes") or "empty"
    return f'<td class="n" title="{exact}">{size_for_people(entry.size)}</td>'


def _time(entry: Entry) -> str:
    if entry.modified is None:
        return '<td class="t"></td>'
    exact = rfc3339(entry.modified)
    text = f"{exact[:10]} <span>{exact[11:16]}</span>"
    return f'<td class="t"><time datetime="{exact}">{text}</time></td>'


def _leafing(listing: Listing) -> str:
    """Return links to the other pages."""
    view, pages = listing.view, listing.pages
    if pages == 1:
        return ""
    here = f"<span>Page {view.page:,} of {pages:,}</span>"
    back = _pages(view, (("First", 1), ("Previous", view.page - 1))) if view.page > 1 else ""
    on = _pages(view, (("Next", view.page + 1), ("Last", pages))) if view.page < pages else ""
    return f'<nav class="p" aria-label="Pages">{back}{here}{on}</nav>'


def _pages(view: View, targets: tuple[tuple[str, int], ...]) -> str:
    return "".join(
        f'<a href="{escape(View(view.sort, view.descending, page).query())}">{title}</a>'
        for title, page in targets
    )


def rfc3339(seconds: int) -> str:
    """Return a time of the years 1970 to 9999 as RFC 3339 section 5.6 writes it, in UTC."""
    year, month, day, hour, minute, second = gmtime(seconds)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def size_for_people(octets: int) -> str:
    """Return a size in powers of 1024, to a tenth below 100 of its unit."""
    if octets < 1024:
        return f"{octets} B"
    value, unit = octets, 0
    while value >= 1024 * 1024 - 512 and unit < len(_UNITS) - 1:
        value, unit = value // 1024, unit + 1
    if value < 102_349:  # shown as 99.9 or less
        tenths = (value * 10 + 512) // 1024
        return f"{tenths // 10}.{tenths % 10} {_UNITS[unit]}"
    return f"{(value + 512) // 1024:,} {_UNITS[unit]}"


_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
