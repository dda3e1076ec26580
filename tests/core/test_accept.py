"""Which form Accept asks for (RFC 9110 section 12.5.1)."""

from collections.abc import Sequence
from itertools import permutations
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.core.accept import HTML, JSON, PLAIN, PROBLEM, preferred, relevant

CHROMIUM = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    b"*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PICTURE = b"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param(None, PLAIN, id="no field: the first"),
        pytest.param(b"", PLAIN, id="empty: the first"),
        pytest.param(b"*/*", PLAIN, id="anything: the first"),
        pytest.param(b"text/*", PLAIN, id="any text: the first"),
        pytest.param(b"text/html", HTML, id="one"),
        pytest.param(b"TEXT/Html", HTML, id="types are case-insensitive"),
        pytest.param(b"application/json", JSON, id="another"),
        pytest.param(CHROMIUM, HTML, id="Chromium"),
        pytest.param(FIREFOX, HTML, id="Firefox"),
        pytest.param(PICTURE, PLAIN, id="for a picture"),
        pytest.param(b"application/json, text/plain, */*", PLAIN, id="equals: the first"),
        pytest.param(b"application/json, */*;q=0.5", JSON, id="HTTPie"),
        pytest.param(b"text/html, */*", HTML, id="a name goes before a wildcard"),
        pytest.param(b"application/*, */*", JSON, id="half a name goes before none"),
        pytest.param(b"text/html;q=0.5, */*;q=0.8", PLAIN, id="a weight goes before a name"),
        pytest.param(b"text/html;q=0.001", HTML, id="a thousandth"),
        pytest.param(b"text/html;Q=0.9, application/json", JSON, id="q is case-insensitive"),
        pytest.param(b"text/html ; q=0.9 ,\tapplication/json", JSON, id="white space"),
        pytest.param(b"text/plain;q=0, */*", HTML, id="the first is ruled out"),
        pytest.param(b"text/*;q=0, */*", JSON, id="the first two are ruled out"),
        pytest.param(b"image/png", PLAIN, id="nothing acceptable: the first"),
        pytest.param(b"*/*;q=0", PLAIN, id="everything is ruled out: the first"),
        pytest.param(b"text/html;level=1", HTML, id="a parameter that we have no use for"),
        pytest.param(
            b"text/html;level=1;q=0.2, text/html;q=0, application/json;q=0.1",
            JSON,
            id="the range without parameters goes before the one with",
        ),
        pytest.param(
            b'application/json;a="x, text/html;q=1, ;", text/html;q=0.5', JSON, id="a string"
        ),
        pytest.param(rb'application/json;a="\"", text/html;q=0.5', JSON, id="a quote in a string"),
        pytest.param(b'application/json;a=", text/html', JSON, id="an unfinished string"),
        pytest.param(b"text/html;q=2, application/json;q=0.1", JSON, id="a malformed weight"),
        pytest.param(b"text/html;q=, application/json;q=0.1", JSON, id="an empty weight"),
        pytest.param(b"html, text/, /html, text html, ;q=1", PLAIN, id="malformed ranges"),
        pytest.param(b"text/html;;q=0.1, application/json;q=0.2", JSON, id="an empty parameter"),
        pytest.param(b",, text/html,,", HTML, id="empty members"),
        pytest.param(b"text/html, text/html;q=0, */*;q=0.1", HTML, id="of two the first counts"),
    ],
)
def test_choice(accept: bytes | None, form: bytes) -> None:
    assert preferred(accept, (PLAIN, HTML, JSON)) == form


RANGES = st.sampled_from(
    [HTML, JSON, PLAIN, PROBLEM, b"*/*", b"text/*", b"application/*", b"image/avif", b"image/*"]
)
PARAMETERS = st.sampled_from([b"", b"", b"", b";q=0", b";q=0.5", b";q=1", b";v=1", b";v=1;q=0.3"])
MEMBERS = st.builds(bytes.__add__, RANGES, PARAMETERS)
VALUES = st.lists(MEMBERS | st.sampled_from([b"", b"x", b"a/b;q=9"]), max_size=6).map(b", ".join)
OFFERS = st.sampled_from(
    [list(p) for n in (2, 3, 4) for p in permutations((HTML, JSON, PLAIN, PROBLEM), n)]
)


@given(VALUES, OFFERS)
@example(CHROMIUM, [PLAIN, HTML])
def test_what_is_relevant_decides_alike(accept: bytes, offers: Sequence[bytes]) -> None:
    assert preferred(relevant(accept), offers) == preferred(accept, offers)


@given(st.lists(VALUES, min_size=1, max_size=3), OFFERS)
def test_lines_may_be_reduced_one_by_one(lines: list[bytes], offers: Sequence[bytes]) -> None:
    """As each line is remembered for itself, before they are joined."""
    reduced = b", ".join(map(relevant, lines))
    assert preferred(reduced, offers) == preferred(b", ".join(lines), offers)


@given(VALUES)
def test_what_is_relevant_stays_so(accept: bytes) -> None:
    assert relevant(relevant(accept)) == relevant(accept)


@given(st.binary(max_size=60))
def test_any_octets_get_an_answer(accept: bytes) -> None:
    assert preferred(accept, (HTML, JSON)) in (HTML, JSON)
    relevant(accept)


def test_browsers_are_alike_in_what_is_relevant() -> None:
    assert relevant(CHROMIUM) == relevant(FIREFOX) == b"text/html, */*;q=0.800"
    assert relevant(PICTURE) == b"*/*;q=0.800"


@pytest.mark.parametrize("unit", [b'"\\', b'";', b",", b'a/b;"', b"*/*;q=0.001,"])
def test_the_longest_field_costs_next_to_nothing(unit: bytes) -> None:
    """A second would be a thousand times what it takes."""
    accept = unit * (32 * 1024 // len(unit)) + b"\\"
    start = process_time()
    preferred(accept, (HTML, JSON))
    assert process_time() - start < 1


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"", b""),
        (b" , ", b""),
        (b"image/png", b"image/*"),
        (b"video/*;q=0.1, image/*", b"image/*"),
    ],
)
def test_to_want_other_things_is_not_to_want_anything(accept: bytes, expected: bytes) -> None:
    assert relevant(accept) == expected
