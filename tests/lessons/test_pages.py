"""The pages: what they quote is in the code, and both languages say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .pages import CHINESE, ENGLISH, Page
from .stages import CODE, LESSONS

SOURCES = sorted(CODE.rglob("*.py"))
FIGURES: dict[str, Any] = json.loads((LESSONS / "figures.json").read_text())

every_page = pytest.mark.parametrize("path", ENGLISH + CHINESE, ids=lambda path: path.name)
every_pair = pytest.mark.parametrize(
    ("english", "chinese"), list(zip(ENGLISH, CHINESE, strict=True)), ids=[p.stem for p in ENGLISH]
)


def test_there_are_nine_pages() -> None:
    assert [int(path.name[:2]) for path in ENGLISH] == list(range(1, 10))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_file_fits_on_two_screens(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= 80


@every_page
def test_python_is_quoted_from_the_code(path: Path) -> None:
    sources = [source.read_text() for source in SOURCES]
    for block in Page.read(path).blocks("python"):
        assert any(f"\n{block}" in source for source in sources), block


@every_page
def test_there_are_no_other_blocks(path: Path) -> None:
    """Everything in a fence is compared with the code or run."""
    assert {language for language, _ in Page.read(path).all_blocks()} <= {"python", "console"}


@every_page
def test_links_lead_somewhere(path: Path) -> None:
    for link in Page.read(path).links():
        assert (path.parent / link).exists(), link


@every_pair
def test_both_languages_have_the_same_parts(english: Path, chinese: Path) -> None:
    one, other = Page.read(english), Page.read(chinese)
    assert one.headings() == other.headings()
    assert one.all_blocks() == other.all_blocks()
    assert [Path(link).name for link in one.links()] == [Path(link).name for link in other.links()]


def names_of_tests(text: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", text)


@every_pair
def test_both_languages_have_the_same_exercises(english: Path, chinese: Path) -> None:
    def numbered(path: Path) -> list[str]:
        return re.findall(r"^(\d+)\. ", path.read_text(), re.MULTILINE)

    assert numbered(english) == numbered(chinese)
    assert names_of_tests(english.read_text()) == names_of_tests(chinese.read_text())


WORDS = {
    "永远": "for ever",
    "能": "yes",
    "**不能**": "**no**",
    "\uff08空\uff09": "(none)",
    "**失守**": "**falls**",
    "看运气": "by chance",
    "守住": "holds",
}


def in_english(cell: str) -> str:
    return WORDS.get(cell, cell)


@every_pair
def test_both_languages_have_the_same_figures(english: Path, chinese: Path) -> None:
    one, other = Page.read(english).measured(), Page.read(chinese).measured()
    assert one.keys() == other.keys()
    assert one, "every page has figures"
    for kind, rows in one.items():
        start = 1 if kind == "attacks" else 0  # their names are translated
        translated = [[in_english(cell) for cell in row[start:]] for row in other[kind][2:]]
        assert translated == [row[start:] for row in rows[2:]]


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.name)
def test_figures_are_those_that_were_measured(path: Path) -> None:
    for kind, rows in Page.read(path).measured().items():
        names = [row[0].strip("`") for row in rows[2:]]
        if kind == "options":
            assert names == list(FIGURES["options"])
        elif kind.startswith("stages"):
            shown = list(FIGURES["stages"])[: len(names)]
            assert names == shown
            assert len(names) >= int(kind[-1])
            for name, row in zip(names, rows[2:], strict=True):
                assert float(row[1].replace(",", "")) == pytest.approx(
                    FIGURES["stages"][name]["close_us"], rel=0.01
                )


def test_the_table_of_attacks_is_the_list_of_attacks() -> None:
    attacks = json.loads((CODE / "attacks.json").read_text())
    for path, name in ((ENGLISH[5], "name"), (CHINESE[5], "zh")):
        rows = Page.read(path).measured()["attacks"]
        stages = [stage.strip("`") for stage in rows[0][1:]]
        assert [row[0] for row in rows[2:]] == [attack[name] for attack in attacks]
        for row, attack in zip(rows[2:], attacks, strict=True):
            fallen = [
                stage
                for stage, cell in zip(stages, row[1:], strict=True)
                if in_english(cell) == "**falls**"
            ]
            assert sorted(fallen) == sorted(attack["falls"])


def test_the_index_has_every_page_and_every_file() -> None:
    index = (LESSONS / "README.md").read_text()
    for path in ENGLISH + CHINESE:
        assert f"({path.relative_to(LESSONS)})" in index
    for source in CODE.glob("stage*.py"):
        assert f"`{source.name}`" in index
