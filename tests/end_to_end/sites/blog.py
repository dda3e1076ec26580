"""A site as generators leave it: pages in three languages, feeds, and rules of many years.

Everything is made by counting, so that it is the same each time. Beside the files there is what
each rule is for: a request that somebody's bookmark still makes, and where that has to lead.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from tests.support import write_tree

POSTS = 240
LANGUAGES = ("", "de/", "fr/")
HOST = "www.example.org"
TITLES = {"": "Notes from a garden", "de/": "Gartennotizen", "fr/": "Notes de jardin"}
NOT_FOUND = {"": "No such page", "de/": "Keine solche Seite", "fr/": "Page introuvable"}

_WORDS = ("rose", "thyme", "quince", "yarrow", "medlar", "sorrel", "fennel", "lovage")


@dataclass(frozen=True)
class Visit:
    """A request, and what has to come of it."""

    target: str
    status: int
    location: str | None = None
    host: str = HOST


@dataclass(frozen=True)
class Rule:
    """A line of ``_redirects``, and the request that shows that it works."""

    line: str
    visit: Visit


def post(number: int) -> str:
    """Return the path of a post: ``posts/2015/03/thyme-17/``."""
    return f"posts/{2015 + number % 9}/{number % 12 + 1:02}/{_WORDS[number % 8]}-{number}/"


def write_blog(root: Path) -> Path:
    """Write the site, with its rules, to ``root``."""
    rules = "".join(f"{rule.line}\n" for rule in RULES)
    about = "# Made by counting.\n# from  to  status\n\n"
    return write_tree(
        root,
        {
            **_files(),
            "_redirects": (about + rules).encode(),
            "_headers": _headers().encode(),
        },
    )


# Files.

_STYLE = b"""body { font-family: Georgia, serif; max-width: 40em; margin: auto }
img { max-width: 100% }
"""
STYLE = f"css/site.min.{hashlib.sha256(_STYLE).hexdigest()}.css"


def _files() -> dict[str, bytes]:
    files = {
        STYLE: _STYLE,
        "fonts/garden.woff2": b"wOF2" + bytes(600),  # no page asks for it: it is none
        "images/garden.png": _picture(64, 48),
        "favicon.ico": _picture(16, 16),
        "robots.txt": b"User-agent: *\nDisallow:\n",
        "gone.html": _page("", "Gone", "It was here once."),
        "app/index.html": _page("", "Plant finder", ""),
        "downloads/plan 2024.pdf": b"%PDF-1.7\n%%EOF\n",
        ".well-known/security.txt": b"Contact: mailto:garden@example.org\n",
    }
    for language in LANGUAGES:
        paths = [f"{language}{post(number)}" for number in range(POSTS)]
        links = "".join(f'<li><a href="/{path}">{path}</a>' for path in paths[:20])
        files[f"{language}index.html"] = _page(language, TITLES[language], f"<ul>{links}</ul>")
        files[f"{language}404.html"] = _page(language, NOT_FOUND[language], "")
        files[f"{language}index.xml"] = _feed(paths)
        for number, path in enumerate(paths):
            files[f"{path}index.html"] = _page(language, f"Post {number}", "<p>Weather. " * 40)
        for number in range(40):
            files[f"{language}tags/{number}/index.html"] = _page(language, f"Tag {number}", "")
            files[f"{language}tags/{number}/index.xml"] = _feed(paths[number::40])
    return files


def _page(language: str, title: str, body: str) -> bytes:
    return (
        f'<!doctype html>\n<html lang="{language[:2] or "en"}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" '
        f'href="/{STYLE}"><title>{title}</title></head>\n<body><h1>{title}</h1>'
        f'<img src="/images/garden.png" alt="">{body}</body></html>\n'
    ).encode()


def _feed(paths: list[str]) -> bytes:
    items = "".join(f"<item><link>https://{HOST}/{path}</link></item>" for path in paths)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>Garden</title>{items}</channel></rss>\n"
    ).encode()


def _picture(width: int, height: int) -> bytes:
    """Return a PNG of one green."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = (b"\0" + b"\x33\x88\x55" * width) * height
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    )


# Rules.


def _renamed() -> list[Rule]:
    """Return what a move from another system has left: old addresses, in each language."""
    rules = []
    for n in range(1500):
        old, new = f"/blog/{_WORDS[n % 8]}-{n:04}.html", f"/{LANGUAGES[n % 3]}{post(n % POSTS)}"
        rules.append(Rule(f"{old}  {new}  301", Visit(old, 301, new)))
    for n in range(200):
        old, new = f"/Grüße/{n}-für dich".replace(" ", "%20"), f"/de/{post(n)}"
        sent = old.replace("ü", "%C3%BC").replace("ß", "%C3%9F")
        rules.append(Rule(f"{old}\t{new}\t301", Visit(sent, 301, new)))
    for n in range(100):
        new = f"/{post(n)}"
        rules.append(
            Rule(
                f"/index.php p={n} {new} 301", Visit(f"/index.php?p={n}&utm=x", 301, f"{new}?utm=x")
            )
        )
    return rules


def _splats() -> list[Rule]:
    rules = [
        Rule(
            f"/topic-{n}/*  /tags/{n % 40}/:splat  302",
            Visit(f"/topic-{n}/index.xml?a=1", 302, f"/tags/{n % 40}/index.xml?a=1"),
        )
        for n in range(60)
    ]
    rules += [
        Rule(
            f"/feeds/{n}/:format  /fr/tags/{n}/index.xml  301  # readers of feeds",
            Visit(f"/feeds/{n}/rss", 301, f"/fr/tags/{n}/index.xml"),
        )
        for n in range(40)
    ]
    for n, short in enumerate(("de-at", "de-ch", "fr-be", "fr-ch", "fr-ca")):
        rules.append(
            Rule(
                f"/{short}/*  /{short[:2]}/:splat  302",
                Visit(f"/{short}/{post(n)}", 302, f"/{short[:2]}/{post(n)}"),
            )
        )
    archive = "/:year/:month/:day/:slug  /posts/:year/:month/:slug/  301"
    rules.append(Rule(archive, Visit("/2017/03/14/quince-2", 301, "/posts/2017/03/quince-2/")))
    return rules


def _forced() -> list[Rule]:
    """Return rules that come before the files which are there all the same."""
    rules = [
        Rule(f"/{post(n)}  /{post(n + 1)}  301!", Visit(f"/{post(n)}", 301, f"/{post(n + 1)}"))
        for n in range(200, 230, 2)
    ]
    rules += [
        Rule(f"/{post(n)}*  /gone.html  410!", Visit(f"/{post(n)}index.html", 410))
        for n in range(230, 238, 2)
    ]
    old = f"https://old.example.org/*  https://{HOST}/:splat  301!"
    moved = Visit("/a/b?c=d", 301, f"https://{HOST}/a/b?c=d", host="old.example.org")
    return [Rule(old, moved), *rules]


def _pages() -> list[Rule]:
    """Return rules for what goes by another name; those for all that is left come last."""
    return [
        Rule(f"/latest  /{post(148)}  200", Visit("/latest", 200)),
        Rule("/app/*  /app/index.html  200", Visit("/app/plants/3", 200)),
        Rule("/feed  /index.xml  200", Visit("/feed", 200)),
        Rule(
            "/shop/*  https://shop.example.org/:splat  302",
            Visit("/shop/a", 302, "https://shop.example.org/a"),
        ),
        Rule("/here  /de/  303", Visit("/here", 303, "/de/")),
        Rule(
            "/plan  /downloads/plan%202024.pdf  307",
            Visit("/plan", 307, "/downloads/plan%202024.pdf"),
        ),
        Rule("/old/*  /gone.html  410", Visit("/old/x", 410)),
        *(
            Rule(f"/{language}x/*  /{language}404.html  404", Visit(f"/{language}x/y", 404))
            for language in LANGUAGES[1:]
        ),
    ]


def _all_rules() -> list[Rule]:
    rules = [*_forced(), *_renamed(), *_splats(), *_pages()]
    for n in range(2000 - len(rules)):
        old, new = f"/shared/{n:x}", f"/fr/{post(n)}#comments"
        rules.append(Rule(f"{old} {new} 308", Visit(old, 308, new)))
    return rules


RULES = _all_rules()
"""2,000 of them."""


def _headers() -> str:
    """Return a file of 100 blocks."""
    blocks = [
        "/*\n  X-Frame-Options: DENY\n  Referrer-Policy: no-referrer\n"
        "  Content-Security-Policy: default-src 'self'; frame-ancestors 'none'\n",
        "# for readers elsewhere\n/fonts/*\n  Access-Control-Allow-Origin: *\n",
        "/*.xml\n  Content-Type: application/rss+xml; charset=utf-8\n"
        "  Cache-Control: public, max-age=600\n",
        "/images/*\n  Cache-Control: public, max-age=86400\n",
        "/downloads/:name\n  Content-Disposition: attachment\n  X-Robots-Tag: noindex\n",
        "/app/*\n  X-Frame-Options: SAMEORIGIN\n",
        "/\n  Link: </images/garden.png>; rel=preload; as=image\n",
    ]
    blocks += [
        f"/{post(n)}\n  X-Robots-Tag: noindex\n  Link: </tags/{n % 40}/>; rel=tag\n"
        for n in range(60)
    ]
    blocks += [
        f"/de/tags/{n}/*\n  X-Topic: {n}\n  X-Language: de\n" for n in range(100 - len(blocks))
    ]
    return "\n".join(blocks)
