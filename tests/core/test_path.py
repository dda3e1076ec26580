"""From the path of a target to names beneath the root, and back into Location."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhttp.core.path import SitePath, escape_query, is_hidden, resolve
from tinyhttp.core.response import Refused

# What the parser lets through in a target: visible ASCII but "#", and the query is cut off.
PATH_OCTETS = bytes(n for n in range(0x21, 0x7F) if n not in b"#?")

# Thick with what traversal is made of.
HOSTILE = st.lists(
    st.sampled_from(
        [b"/", b".", b"..", b"%2e", b"%2E", b"%2f", b"%2F", b"%5c", b"\\", b"%", b"%00"]
    )
    | st.sampled_from([b"a", b"%61", b"%25", b"%ff", b"%c0%af", b"%e4", b"~", b";", b":", b"b"]),
    max_size=20,
).map(lambda parts: b"/" + b"".join(parts))
PLAIN = st.lists(st.sampled_from(PATH_OCTETS), max_size=40).map(lambda octets: b"/" + bytes(octets))
RAW_PATHS = HOSTILE | PLAIN

NAMES = st.binary(min_size=1, max_size=8).filter(
    lambda name: name not in (b".", b"..") and not {0, 0x2F} & set(name)
)
SITE_PATHS = st.builds(SitePath, st.lists(NAMES, max_size=5).map(tuple), st.booleans())


def names(*segments: bytes, directory: bool = False) -> SitePath:
    return SitePath(segments, directory)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(b"/", names(directory=True), id="the root"),
        pytest.param(b"/a", names(b"a"), id="a file"),
        pytest.param(b"/a/b/c.txt", names(b"a", b"b", b"c.txt"), id="a file further down"),
        pytest.param(b"/a/", names(b"a", directory=True), id="a directory"),
        pytest.param(b"/a%20b", names(b"a b"), id="an escaped space"),
        pytest.param(b"/%E4%b8%AD", names("\u4e2d".encode()), id="UTF-8, escapes in either case"),
        pytest.param(b"/%ff", names(b"\xff"), id="not UTF-8"),
        pytest.param(b"/%2561", names(b"%61"), id="undone once and not twice"),
        pytest.param(b"/%252e%252e/a", names(b"%2e%2e", b"a"), id="dots escaped twice are no dots"),
        pytest.param(b"/a+b", names(b"a+b"), id="a plus is no space"),
        pytest.param(b"/a;b=1", names(b"a;b=1"), id="a parameter is part of the name"),
        pytest.param(b"/a:b@c", names(b"a:b@c"), id="sub-delims"),
        pytest.param(b'/|"<>^`{}', names(b'|"<>^`{}'), id="what browsers send bare"),
        pytest.param(b"/%0d%0a", names(b"\r\n"), id="a line end is a name like any other"),
        pytest.param(b"/a\\b", names(b"a\\b"), id="a backslash is no separator"),
        pytest.param(b"/..\\..\\a", names(b"..\\..\\a"), id="nor does it make dot segments"),
        pytest.param(b"/..%5c..%5ca", names(b"..\\..\\a"), id="nor does an escaped one"),
        pytest.param(b"/...", names(b"..."), id="three dots are a name"),
        pytest.param(b"/..a/.b./c..", names(b"..a", b".b.", b"c.."), id="dots within names"),
        pytest.param(b"/C:/a", names(b"C:", b"a"), id="a drive letter is a name"),
    ],
)
def test_names(raw: bytes, path: SitePath) -> None:
    """RFC 3986 section 2.1: percent-decoding."""
    assert resolve(raw) == path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(b"/a/./b", names(b"a", b"b"), id="one dot"),
        pytest.param(b"/a/.", names(b"a", directory=True), id="one dot at the end"),
        pytest.param(b"/.", names(directory=True), id="one dot alone"),
        pytest.param(b"/a/../b", names(b"b"), id="two dots"),
        pytest.param(b"/a/b/..", names(b"a", directory=True), id="two dots at the end"),
        pytest.param(b"/a/b/../", names(b"a", directory=True), id="two dots and a slash"),
        pytest.param(b"/..", names(directory=True), id="above the root"),
        pytest.param(b"/../../../etc/passwd", names(b"etc", b"passwd"), id="far above the root"),
        pytest.param(b"/a/../../b", names(b"b"), id="above the root in the middle"),
        pytest.param(b"/%2e%2e/%2E%2E/b", names(b"b"), id="escaped dots"),
        pytest.param(b"/a/.%2e/b", names(b"b"), id="half escaped dots"),
        pytest.param(b"/a/%2e", names(b"a", directory=True), id="an escaped dot at the end"),
        pytest.param(b"/a/b/c/./../../g", names(b"a", b"g"), id="the example of RFC 3986 5.2.4"),
        pytest.param(b"//a", names(b"a"), id="two slashes in front"),
        pytest.param(b"///", names(directory=True), id="nothing but slashes"),
        pytest.param(b"/a//b", names(b"a", b"b"), id="two slashes"),
        pytest.param(b"/a//", names(b"a", directory=True), id="two slashes at the end"),
        pytest.param(b"/a//../b", names(b"a", b"b"), id="an empty segment is a level"),
        pytest.param(b"/a///../../b", names(b"a", b"b"), id="so are two"),
        pytest.param(b"//../a", names(b"a"), id="and one at the root"),
    ],
)
def test_dot_segments(raw: bytes, path: SitePath) -> None:
    """RFC 3986 section 5.2.4; then empty segments go."""
    assert resolve(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        b"/a%2fb",
        b"/a%2Fb",
        b"/%2f",
        b"/%2fetc%2fpasswd",
        b"/..%2f..%2fetc/passwd",
        b"/%2e%2e%2f%2e%2e%2fetc",
        b"/a/..%2f",
        b"/a%2f../b",
    ],
)
def test_an_encoded_slash_is_no_separator_and_in_no_name(raw: bytes) -> None:
    """RFC 3986 section 2.2: a delimiter and its escape are not the same."""
    assert resolve(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"/%", id="a percent sign at the end"),
        pytest.param(b"/%2", id="one digit at the end"),
        pytest.param(b"/a%2/b", id="one digit before a slash"),
        pytest.param(b"/%zz", id="no hex digits"),
        pytest.param(b"/%2g", id="one hex digit"),
        pytest.param(b"/%%41", id="two percent signs"),
        pytest.param(b"/%+1", id="a sign"),
        pytest.param(b"/%u0041", id="Microsoft's escape"),
        pytest.param(b"/a/../%", id="in front of which dots lead away"),
        pytest.param(b"/a.txt%00.html", id="NUL"),
        pytest.param(b"/%00", id="NUL alone"),
        pytest.param(b"/%00/../a", id="NUL in a segment that dots remove"),
    ],
)
def test_incomplete_escapes_and_nul_are_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        resolve(raw)
    assert refused.value.status == 400


@given(RAW_PATHS)
def test_no_path_leads_out_of_the_root(raw: bytes) -> None:
    path = outcome(raw)
    if not isinstance(path, SitePath):
        assert path in (None, 400)
        return
    for segment in path.segments:
        assert segment not in (b"", b".", b"..")
        assert b"/" not in segment
        assert b"\0" not in segment


def outcome(raw: bytes) -> SitePath | int | None:
    """Return what ``raw`` resolves to, or the status that it is refused with."""
    try:
        return resolve(raw)
    except Refused as refused:
        return refused.status


@given(RAW_PATHS, st.booleans())
def test_whatever_resolves_is_escaped_into_a_path_of_this_host(raw: bytes, directory: bool) -> None:
    path = outcome(raw)
    if isinstance(path, SitePath):
        check_escaped(path, directory=directory)


@given(SITE_PATHS, st.booleans())
def test_any_names_are_escaped_into_a_path_of_this_host(path: SitePath, directory: bool) -> None:
    check_escaped(path, directory=directory)


def check_escaped(path: SitePath, *, directory: bool) -> None:
    escaped = path.escaped(directory=directory)
    # Two slashes, or a slash and a backslash for browsers, would name another host.
    assert re.fullmatch(rb"/(?![/\\])[!-~]*", escaped)
    assert not set(escaped) & set(b'\\"<>?#')
    resolved = resolve(escaped)
    assert resolved is not None
    assert resolved.segments == path.segments
    assert resolved.directory is (directory or not path.segments)


@pytest.mark.parametrize(
    ("path", "directory", "escaped"),
    [
        (names(), True, b"/"),
        (names(), False, b"/"),
        (names(b"a"), True, b"/a/"),
        (names(b"a", b"b"), False, b"/a/b"),
        (names(b"a b", b"\xe4"), True, b"/a%20b/%E4/"),
        (names(b"\\evil.example"), True, b"/%5Cevil.example/"),
        (names(b"a?b#c"), False, b"/a%3Fb%23c"),
        (names(b"100%"), False, b"/100%25"),
        (names(b"a\r\nSet-Cookie: x=1"), True, b"/a%0D%0ASet-Cookie:%20x=1/"),
        (names(b'<script>"'), False, b"/%3Cscript%3E%22"),
        (names(b"-._~!$&'()*+,;=:@"), False, b"/-._~!$&'()*+,;=:@"),
    ],
)
def test_escaped(path: SitePath, directory: bool, escaped: bytes) -> None:
    """RFC 3986 section 3.3: pchar stays, all else is escaped."""
    assert path.escaped(directory=directory) == escaped


@pytest.mark.parametrize(
    ("segments", "hidden"),
    [
        ((), False),
        ((b"a", b"b"), False),
        ((b"a.b",), False),
        ((b".git",), True),
        ((b".git", b"config"), True),
        ((b"a", b".htpasswd"), True),
        ((b"...",), True),
        ((b".well-known",), False),
        ((b".well-known", b"security.txt"), False),
        ((b".well-known", b".git"), True),
        ((b".well-known", b".well-known"), True),
        ((b"a", b".well-known", b"b"), True),
        ((b".well-known2",), True),
        ((b".Well-Known",), True),
    ],
    ids=lambda value: b"/".join(value).decode() or "root" if isinstance(value, tuple) else "",
)
def test_hidden(segments: tuple[bytes, ...], hidden: bool) -> None:
    """RFC 8615 section 3: the name is registered at the top only."""
    assert is_hidden(names(*segments)) is hidden


@pytest.mark.parametrize(
    ("query", "escaped"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"a=1&b=2", b"a=1&b=2", id="ordinary"),
        pytest.param(b"/?:@!$&'()*+,;=-._~", b"/?:@!$&'()*+,;=-._~", id="all that may stand bare"),
        pytest.param(b"a=%20%e4%E4", b"a=%20%e4%E4", id="escapes stay as they are"),
        pytest.param(b"100%", b"100%25", id="a percent sign at the end"),
        pytest.param(b"%zz%4", b"%25zz%254", id="incomplete escapes"),
        pytest.param(b"%%41", b"%25%41", id="a percent sign before an escape"),
        pytest.param(
            b'"<>\\^`{|}[]', b"%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D", id="what browsers send"
        ),
        pytest.param(b"a\r\nX: y", b"a%0D%0AX:%20y", id="a line end"),
        pytest.param(b"#\x00\x7f\xff", b"%23%00%7F%FF", id="octets that never get here"),
    ],
)
def test_escape_query(query: bytes, escaped: bytes) -> None:
    assert escape_query(query) == escaped


# RFC 3986 section 3.4: query = *( pchar / "/" / "?" ), written independently of the module.
QUERY = re.compile(rb"(?:[A-Za-z0-9]|[-._~]|[!$&'()*+,;=]|[:@]|[/?]|%[0-9A-Fa-f][0-9A-Fa-f])*")


@settings(deadline=None)
@given(st.binary(max_size=60) | st.from_regex(QUERY, fullmatch=True))
def test_escape_query_gives_queries_and_leaves_queries_alone(query: bytes) -> None:
    escaped = escape_query(query)
    assert QUERY.fullmatch(escaped)
    assert escape_query(escaped) == escaped
    if QUERY.fullmatch(query):
        assert escaped == query
