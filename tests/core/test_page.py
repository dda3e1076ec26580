"""What all pages of ours have in common."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pages import check_policy, contrasts, read_page
from tinyhttp.core.page import COLOURS, document, policy, visible


@pytest.mark.parametrize("title", ["plain", "</title><script>", "&amp;", "a\"b'c", "{style}"])
def test_a_title_is_text(title: str) -> None:
    page = read_page(document(title, "p{color:red}", "<p>text</p>"))
    assert page.one("title").text == title
    assert page.tags == {"html", "meta", "title", "style", "p"}


def test_the_policy_is_that_of_the_style() -> None:
    style = "p{color:red}"
    check_policy(read_page(document("", style, "<p></p>")), [policy(style)])


def test_other_styles_have_other_policies() -> None:
    assert policy("p{}") != policy("p{ }")


@pytest.mark.parametrize(("text", "ground", "contrast"), contrasts(COLOURS))
def test_everybody_can_read_it(text: str, ground: str, contrast: float) -> None:
    """WCAG 2.2, 1.4.3 (AA)."""
    assert contrast >= 4.5


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(b"a.txt", "a.txt", id="plain"),
        pytest.param("é 名".encode(), "é 名", id="UTF-8"),
        pytest.param(b"a\nb\tc\x1b", "a␊b␉c␛", id="control characters"),
        pytest.param(b"a\x7fb\xc2\x85", "a␡b\ufffd", id="DEL, and one of C1"),
        pytest.param(b"\xe4.txt", "\ufffd.txt", id="Latin-1"),
        pytest.param(b"\xed\xa0\x80", "\ufffd\ufffd\ufffd", id="half of a pair"),
        pytest.param("photo\u202egpj.exe".encode(), "photo\ufffdgpj.exe", id="an override"),
        pytest.param("\u2066a\u2069".encode(), "\ufffda\ufffd", id="an isolate"),
        pytest.param("a\u2028b".encode(), "a\ufffdb", id="a separator of lines"),
        pytest.param("\u200fא\u200e".encode(), "\u200fא\u200e", id="marks of direction stay"),
        pytest.param("a\u200db".encode(), "a\u200db", id="joiners stay"),
    ],
)
def test_visible(name: bytes, shown: str) -> None:
    assert visible(name) == shown


@given(
    st.binary(max_size=20) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
)
def test_nothing_that_is_shown_controls_anything(name: bytes) -> None:
    shown = visible(name)
    shown.encode()  # as it is sent
    embedding = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B"}
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in embedding
