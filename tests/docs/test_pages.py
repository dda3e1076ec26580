"""Links lead somewhere, the reference has everything, pictures can be seen, and the pages build."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.end_to_end.processes import environment
from tinyhttp import configuration
from tinyhttp.commands import COMMANDS
from tinyhttp.settings import SETTINGS, Setting

from .blocks import PAGES, ROOT
from .generating import generated

DOCS = ROOT / "docs"
GENERATED = generated()
EVERY_PAGE = pytest.mark.parametrize(
    "page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES]
)
EVERY_SETTING = pytest.mark.parametrize("setting", SETTINGS, ids=[each.name for each in SETTINGS])

# Links.

_FENCED = re.compile(r"^[ ]*(`{3,}).*?^[ ]*\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def prose(text: str) -> str:
    """Return ``text`` without what is code."""
    return re.sub(r"`[^`\n]+`", "``", _FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """Return the fragments that lead into ``page``, as code hosts and the built pages make them."""
    name = page.relative_to(DOCS).with_suffix("").as_posix() if page.is_relative_to(DOCS) else ""
    text = GENERATED.complete(name, page.read_text()) if name else page.read_text()
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        number = sum(1 for each in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", each))
        found.add(f"{slug}-{number}" if number else slug)
    return found


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    """Files and fragments; what is elsewhere in the net is not asked for."""
    awaited = {DOCS / name for name in GENERATED.AWAITED}
    for link in _LINK.findall(prose(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target in awaited and not target.exists():
            continue
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if target.is_dir() and page != ROOT / "README.md":
            assert (target / "README.md").exists(), f"{link}: the built pages want a README.md"
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target), link


def test_anchors_are_as_code_hosts_make_them(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# `_a`, and [B](c)!\n```\n# no\n```\n## Two words\n## Two words\n")
    assert anchors(page) == {"_a-and-b", "two-words", "two-words-1"}


# Pictures.


@pytest.mark.parametrize("name", ["floors", "request"])
def test_drawings_suit_light_and_dark(name: str) -> None:
    text = (DOCS / "pictures" / f"{name}.svg").read_text()
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    assert root.find(f"{space}desc") is not None
    assert "prefers-color-scheme: dark" in text
    style = root.findtext(f"{space}style") or ""
    light, dark = style.split("@media")
    # What is drawn has a colour in both: one that is forgotten would not be seen on the other.
    coloured = r"\.([\w-]+)(?:, [\w. -]+)? \{[^}]*(?:fill|stroke): #"
    assert set(re.findall(coloured, light)) == set(re.findall(coloured, dark))
    for element in root.iter():
        assert element.get("fill") is None, "colours are in the style"


@EVERY_PAGE
def test_pictures_have_words_for_those_who_do_not_see_them(page: Path) -> None:
    for words in re.findall(r"!\[([^\]]*)\]\(", prose(page.read_text())):
        assert len(words.split()) >= 3


# The reference.


def test_every_part_is_known() -> None:
    for page in PAGES:
        for name in GENERATED.PLACE.findall(page.read_text()):
            assert name in GENERATED.PARTS, page


@EVERY_SETTING
def test_every_setting_has_an_example_that_works(setting: Setting, tmp_path: Path) -> None:
    said = GENERATED.example(setting)
    if not said:
        pytest.skip("no example is known; one in the help, behind 'such as', would be taken")
    file = tmp_path / "example.toml"
    file.write_text(GENERATED.in_toml(setting, said) + "\n")
    layer = configuration.file(str(file)).layer
    assert layer[setting.name].texts == [said]
    if not setting.path:  # such an example need not be there
        layer[setting.name].value(setting)


@EVERY_SETTING
def test_every_setting_is_described(setting: Setting) -> None:
    text = GENERATED.options()
    section = text.partition(f"### `--{setting.name}`\n")[2].partition("\n### ")[0]
    for label in ("May be", "Default", "Command line", "Environment", "Configuration file"):
        assert re.search(rf"^:{label}: .*\S", section, re.MULTILINE), label
    assert f"TINYHTTP_{setting.name.upper().replace('-', '_')}=" in section


def test_every_command_is_described() -> None:
    text = GENERATED.command_lines()
    for name in COMMANDS:
        section = text.partition(f"## `tinyhttp {name}`\n")[2].partition("\n## ")[0]
        assert "sage: tinyhttp " + name in section


def test_every_page_has_a_place() -> None:
    contents = GENERATED.contents()
    pages = set(GENERATED.page_names())
    for readme in (name for name in pages if name.endswith("/README")):
        contents += GENERATED.complete(readme, "")
    places = re.findall(r"^/(\S+)$", contents, re.MULTILINE)
    assert sorted(places) == sorted(pages - {"index"})


# The built pages.


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built with warnings as errors."""
    for module in ("sphinx", "myst_parser", "furo"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: it is in the extra docs")
    target = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-d", str(tmp_path_factory.mktemp("doctrees")), str(DOCS), str(target)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_every_setting_is_in_the_built_reference(built: Path) -> None:
    page = (built / "reference" / "options.html").read_text()
    assert [each.name for each in SETTINGS if f'id="{each.name}"' not in page] == []
    assert [each.name for each in SETTINGS if f'href="#{each.name}"' not in page] == []


def test_every_page_is_built_and_linked(built: Path) -> None:
    index = (built / "index.html").read_text()
    for name in GENERATED.page_names():
        assert (built / f"{name}.html").exists(), name
        assert name == "index" or f'href="{name}.html"' in index, name
