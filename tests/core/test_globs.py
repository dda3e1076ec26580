"""Globs of paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_patterns import calls_during
from tinyhttp.core.globs import parse_glob
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.rules import Mistake


def matches(glob: str, raw: bytes) -> bool:
    path = resolve(raw)
    assert path is not None
    return parse_glob(glob).match(path)


@pytest.mark.parametrize(
    ("glob", "raw", "expected"),
    [
        ("*.js", b"/a.js", True),
        ("*.js", b"/x/y/a.js", True),
        ("*.js", b"/a.mjs", False),
        ("*.js", b"/a.js/b", False),
        ("a", b"/a", True),
        ("a", b"/b/a", True),
        ("/a", b"/a", True),
        ("/a", b"/b/a", False),
        ("/*.js", b"/a.js", True),
        ("/*.js", b"/x/a.js", False),
        ("a/b", b"/a/b", True),
        ("a/b", b"/x/a/b", False),
        ("a/*", b"/a/b", True),
        ("a/*", b"/a", False),
        ("a/*", b"/a/b/c", False),
        ("a/**", b"/a/b/c", True),
        ("a/**", b"/a", True),
        ("a/", b"/a/b/c", True),
        ("**", b"/", True),
        ("**", b"/a/b", True),
        ("*", b"/a/b", True),
        ("/*", b"/a/b", False),
        ("**/b", b"/b", True),
        ("**/b", b"/a/a/b", True),
        ("a/**/b", b"/a/b", True),
        ("a/**/b", b"/a/x/y/b", True),
        ("a/**/b", b"/a/x/y/c", False),
        ("**/a/**/b/**", b"/x/a/y/b/z", True),
        ("**/a/**/b/**", b"/x/b/y/a/z", False),
        ("a?c", b"/abc", True),
        ("a?c", b"/ac", False),
        ("a?c", b"/a/c", False),
        ("a?c", b"/a%C3%A9c", True),
        ("a?c", b"/a%FFc", True),
        ("\u00e9*", b"/%c3%a9t%c3%a9", True),
        ("a*b*c", b"/aXbYc", True),
        ("a*b*c", b"/abcbc", True),
        ("a*b*c", b"/acb", False),
        ("[ab]", b"/a", False),
        ("[ab]", b"/%5Bab%5D", True),
        ("A", b"/a", False),
        ("a.js", b"/a%2Ejs", True),
        ("%61", b"/a", False),
    ],
)
def test_which_paths_match(glob: str, raw: bytes, expected: bool) -> None:
    assert matches(glob, raw) is expected


@pytest.mark.parametrize("glob", ["", "/", "a/../b", "./a", "a/**b", "**.js", "***"])
def test_what_is_no_glob(glob: str) -> None:
    with pytest.raises(Mistake):
        parse_glob(glob)


@pytest.mark.parametrize(
    ("glob", "raw"),
    [
        ("*a" * 30 + "b", b"/" + b"a" * 255),
        ("/" + "**/a/" * 30 + "b", b"/a" * 500),
        ("*?" * 30 + "b", b"/" + b"a" * 255),
    ],
)
def test_the_number_of_steps_is_bounded(glob: str, raw: bytes) -> None:
    """By the product of the lengths; backtracking would take 255**30."""
    path = resolve(raw)
    assert path is not None
    compiled = parse_glob(glob)
    assert calls_during(lambda: compiled.match(path)) < 10 * len(glob) * len(raw)


NAMES = st.text(st.sampled_from("ab"), min_size=1, max_size=6)


@given(st.text(st.sampled_from("ab*?"), min_size=1, max_size=6), NAMES)
def test_within_a_name_it_is_what_an_expression_is(glob: str, name: str) -> None:
    import re

    if "**" in glob:
        return
    expression = glob.replace("*", ".*").replace("?", ".")
    expected = re.fullmatch(expression, name) is not None
    assert parse_glob(glob).match(SitePath((name.encode(),), False)) is expected


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=6),
)
def test_over_names_it_is_what_an_expression_is(glob: list[str], names: list[str]) -> None:
    import re

    expression = "".join({"*": "(?:[a-c]/)", "**": "(?:[a-c]/)*"}.get(n, n + "/") for n in glob)
    expected = re.fullmatch(expression, "".join(name + "/" for name in names)) is not None
    path = SitePath(tuple(name.encode() for name in names), False)
    assert parse_glob("/" + "/".join(glob)).match(path) is expected
