"""Reads pages as a browser would, as far as it takes to know what is in them."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from typing import TypeAlias

__all__ = ["Element", "Page", "check_policy", "contrasts", "read_page"]

_VOID = frozenset(("meta",))

Attributes: TypeAlias = dict[str, str | None]


@dataclass
class Element:
    """An element: its name, attributes, the names of those around it, and its text."""

    tag: str
    attributes: Attributes
    around: tuple[str, ...]
    text: str = ""

    def __getitem__(self, name: str) -> str:
        value = self.attributes[name]
        assert value is not None
        return value


@dataclass
class Page:
    """All elements of a page, in the order in which they begin."""

    elements: list[Element] = field(default_factory=list)

    def all(self, tag: str, within: str = "html") -> list[Element]:
        return [one for one in self.elements if one.tag == tag and within in one.around]

    def one(self, tag: str, within: str = "html") -> Element:
        (found,) = self.all(tag, within)
        return found

    @property
    def tags(self) -> set[str]:
        return {one.tag for one in self.elements}

    @property
    def attributes(self) -> set[str]:
        return {name for one in self.elements for name in one.attributes}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute comes twice"
        element = Element(tag, dict(attrs), tuple(one.tag for one in self.open))
        self.page.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, "elements must be closed in the order of their opening"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("there are no comments in our pages")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("there are no declarations in our pages")


def read_page(html: bytes) -> Page:
    """Return what is in ``html``; only its last element, ``html``, may stay open."""
    reader = _Reader()
    reader.feed(html.decode())
    reader.close()
    assert [one.tag for one in reader.open] == ["html"]
    return reader.page


def check_policy(page: Page, fields: list[tuple[bytes, bytes]]) -> None:
    """Fail unless ``fields`` allow the style of ``page`` and nothing else."""
    (policy,) = [value for name, value in fields if name == b"Content-Security-Policy"]
    digest = b64encode(sha256(page.one("style").text.encode()).digest()).decode()
    assert policy.decode().split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]


def contrasts(style: str) -> list[tuple[str, str, float]]:
    """Return the contrast of every text with every ground, for light and for dark (WCAG 2.2)."""
    found: list[tuple[str, str, float]] = []
    for colours in re.findall(r":root\{([^}]*)\}", style):
        shades = dict(re.findall(r"--(\w+):#([0-9a-f]{3,6})", colours))
        found += [
            (text, ground, _contrast(shades[text], shades[ground]))
            for text in ("text", "soft", "link")
            for ground in ("back", "card", "over")
        ]
    return found


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(shade: str) -> float:
    if len(shade) == 3:
        shade = "".join(2 * digit for digit in shade)
    parts = [int(shade[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
