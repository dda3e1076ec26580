"""HTML or JSON, and what makes each a representation."""

import json
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pages import check_policy, read_page
from tests.core.test_listing_page import ENTRIES, PATHS, directory, file, listing
from tinyhttp.core.accept import HTML, JSON
from tinyhttp.core.conditional import evaluate
from tinyhttp.core.listing import Entry, Listing, View
from tinyhttp.core.listing_forms import form_fields, listing_form, listing_json, represent
from tinyhttp.core.path import SitePath


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, HTML),
        (b"*/*", HTML),
        (b"text/html,*/*;q=0.8", HTML),
        (b"application/json", JSON),
        (b"application/json, */*;q=0.5", JSON),
        (b"application/json;q=0.5, text/html", HTML),
        (b"image/png", HTML),
    ],
)
def test_form(accept: bytes | None, form: bytes) -> None:
    assert listing_form(accept) == form


def test_json() -> None:
    shown = listing(directory(b"sub"), file(b"a b.txt"), path=SitePath((b"x", "é".encode()), True))
    assert json.loads(listing_json(shown)) == {
        "path": "/x/é/",
        "page": 1,
        "pages": 1,
        "total": 2,
        "entries": [
            {
                "name": "sub",
                "type": "directory",
                "size": None,
                "modified": "2026-11-03T10:15:00Z",
                "href": "./sub/",
            },
            {
                "name": "a b.txt",
                "type": "file",
                "size": 5,
                "modified": "2026-11-03T10:15:00Z",
                "href": "./a%20b.txt",
            },
        ],
    }


def test_json_of_a_name_that_is_no_text() -> None:
    (entry,) = json.loads(listing_json(listing(file(b"\xff\n", 0, None))))["entries"]
    assert entry == {
        "name": "\ufffd\n",
        "type": "file",
        "size": 0,
        "modified": None,
        "href": "./%FF%0A",
    }


@given(PATHS, st.lists(ENTRIES, max_size=4))
def test_json_is_ascii_and_its_links_are_exact(path: SitePath, entries: list[Entry]) -> None:
    octets = listing_json(listing(*entries, path=path))
    document = json.loads(octets.decode("ascii"))
    names = [unquote_to_bytes(one["href"])[2:].rstrip(b"/") for one in document["entries"]]
    assert names == [entry.name for entry in entries]
    assert b"\n" not in octets[:-1]


@pytest.mark.parametrize("form", [HTML, JSON])
def test_a_representation(form: bytes) -> None:
    representation = represent(listing(file()), form)
    assert isinstance(representation.content, bytes)
    assert representation.size == len(representation.content)
    assert representation.content_type.startswith(form)
    assert (representation.coding, representation.last_modified) == (b"", None)


def test_html_comes_with_its_policy_and_json_needs_none() -> None:
    content = represent(listing(file()), HTML).content
    assert isinstance(content, bytes)
    check_policy(read_page(content), form_fields(HTML))
    assert form_fields(JSON) == [(b"Vary", b"Accept")]


def test_vary_names_accept_in_either_form() -> None:
    """RFC 9110 section 12.5.5."""
    assert (b"Vary", b"Accept") in form_fields(HTML)


def test_the_tag_is_that_of_the_octets() -> None:
    """So that If-None-Match gets a 304 as long as nothing that is shown has changed."""
    shown = listing(file(), directory())
    representation = represent(shown, HTML)
    again = {b"if-none-match": represent(listing(file(), directory()), HTML).etag}
    assert evaluate(again, representation, 0) == 304
    assert not representation.etag.startswith(b"W/")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(listing(file(b"b.txt")), id="another name"),
        pytest.param(listing(file(size=6)), id="another size"),
        pytest.param(listing(file(modified=1_793_700_960)), id="another time"),
        pytest.param(listing(), id="nothing"),
        pytest.param(listing(file(), view=View("name", True)), id="another order"),
        pytest.param(listing(file(), path=SitePath((b"e",), True)), id="another place"),
        pytest.param(Listing(SitePath((b"d",), True), View(), [file()], 0, 2), id="another count"),
    ],
)
def test_what_looks_different_has_another_tag(other: Listing) -> None:
    assert represent(other, HTML).etag != represent(listing(file()), HTML).etag


def test_the_forms_have_different_tags() -> None:
    shown = listing(file())
    assert represent(shown, HTML).etag != represent(shown, JSON).etag
