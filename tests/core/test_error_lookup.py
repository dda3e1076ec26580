"""Where a site's own page for an error may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.error_lookup import DEPTH, error_pages
from tinyhttp.core.path import SitePath, resolve


@pytest.mark.parametrize(
    ("path", "pages"),
    [
        pytest.param(b"/", ["/404.html"], id="the root"),
        pytest.param(b"/a", ["/404.html"], id="in the root"),
        pytest.param(b"/a/", ["/a/404.html", "/404.html"], id="a directory"),
        pytest.param(b"/a/b", ["/a/404.html", "/404.html"], id="in a directory"),
        pytest.param(b"/a/b/c", ["/a/b/404.html", "/a/404.html", "/404.html"], id="deeper"),
        pytest.param(b"/a/404.html", ["/a/404.html", "/404.html"], id="the page itself"),
        pytest.param(b"/a%2fb", ["/404.html"], id="what no file can be called"),
    ],
)
def test_nearest_first(path: bytes, pages: list[str]) -> None:
    assert [one.escaped(directory=False).decode() for one in error_pages(resolve(path))] == pages


def test_another_name() -> None:
    assert list(error_pages(resolve(b"/a"), b"403.html")) == [SitePath((b"403.html",), False)]


@given(st.integers(0, 2000), st.booleans())
def test_however_deep_the_root_is_asked_in_the_end(depth: int, directory: bool) -> None:
    pages = list(error_pages(SitePath((b"x",) * depth, directory)))
    assert len(pages) <= DEPTH + 1
    assert pages[-1] == SitePath((b"404.html",), False)
    lengths = [len(page.segments) for page in pages]
    assert lengths == sorted(lengths, reverse=True)
