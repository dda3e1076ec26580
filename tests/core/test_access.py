"""Which paths are protected, what a client says of itself, and what the option may say."""

from base64 import b64encode
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.core.access import (
    Access,
    Credentials,
    challenge,
    credentials_of,
    deepest_first,
    parse_auth,
)
from tinyhttp.core.path import SitePath, resolve


def path(text: str) -> SitePath:
    resolved = resolve(text.encode())
    assert resolved is not None
    return resolved


def access(text: str, *, clean_urls: bool = False, index: tuple[bytes, ...] = ()) -> Access:
    if index:
        return Access(path(text), text, clean_urls=clean_urls, index=index)
    return Access(path(text), text, clean_urls=clean_urls)


# What is protected.


@pytest.mark.parametrize(
    ("protected", "asked", "covered"),
    [
        ("/private", "/private", True),
        ("/private", "/private/", True),
        ("/private", "/private/a/b.txt", True),
        ("/private/", "/private", True),
        ("/private", "/private2", False),
        ("/private", "/privat", False),
        ("/private", "/", False),
        ("/private", "/a/private", False),
        ("/private", "/public/../private/a", True),
        ("/private", "/%70rivate/a", True),
        ("/private", "//private//a", True),
        ("/a/b", "/a", False),
        ("/a/b", "/a/", False),
        ("/a/b", "/a/c", False),
        ("/a/b", "/a/b/c", True),
        # A file, and the same in another coding.
        ("/a/b.pdf", "/a/b.pdf", True),
        ("/a/b.pdf", "/a/b.pdf.gz", True),
        ("/a/b.pdf", "/a/b.pdf.br", True),
        ("/a/b.pdf", "/a/b.pdf.zst", True),
        ("/a/b.pdf", "/a/b.pdf.GZ", True),
        ("/a/b.pdf", "/a/b.pdf.gz/c", False),
        ("/a/b.pdf", "/a/b.pdf.txt", False),
        ("/a/b.pdf", "/a/b", False),
        ("/a/b.pdf", "/c/b.pdf.gz", False),
        ("/a/b.pdf", "/a/", False),
        # Everything.
        ("/", "/", True),
        ("/", "/a", True),
        ("/", "/a/b/c.gz", True),
        # To some file systems these are one name.
        ("/private", "/PRIVATE/a", True),
        ("/Private", "/private", True),
        ("/caf%C3%A9", "/caf%C3%A9", True),
        ("/caf%C3%A9", "/CAF%C3%89", True),
        ("/caf%C3%A9", "/cafe%CC%81", True),
        ("/caf%C3%A9", "/cafe", False),
        ("/caf%E9", "/caf%E9", True),
        ("/caf%E9", "/caf%C3%A9", False),
        # The URL of a directory leads to its index.
        ("/a/index.html", "/a/", True),
        ("/a/index.html", "/a/index.html", True),
        ("/a/index.html", "/a/index.html.br", True),
        ("/a/index.html", "/a", False),  # which is redirected to /a/
        ("/a/index.html", "/a/b", False),
        ("/index.html", "/", True),
        ("/index.html", "/a/", False),
    ],
)
def test_covers(protected: str, asked: str, covered: bool) -> None:
    assert access(protected).covers(path(asked)) is covered


@pytest.mark.parametrize(
    ("protected", "asked", "plain", "clean"),
    [
        ("/about", "/about", True, True),
        ("/about", "/about.html", False, True),
        ("/about", "/about.html.gz", False, True),
        ("/about", "/about.gz", True, True),
        ("/about.html", "/about", False, False),  # what is opened is /about.html
        ("/about.html", "/about.html", True, True),
        ("/a/index", "/a/", False, True),
        ("/", "/.html", True, True),
    ],
)
def test_covers_with_clean_urls(protected: str, asked: str, plain: bool, clean: bool) -> None:
    assert access(protected).covers(path(asked)) is plain
    assert access(protected, clean_urls=True).covers(path(asked)) is clean


def test_another_index() -> None:
    protected = access("/a/home.htm", index=(b"index.html", b"home.htm"))
    assert protected.covers(path("/a/"))
    assert not access("/a/index.html", index=(b"home.htm",)).covers(path("/a/"))


SEGMENTS = st.lists(st.binary(min_size=1, max_size=5).filter(lambda s: b"/" not in s), max_size=4)


@given(SEGMENTS, SEGMENTS, st.booleans())
@example([b"\xc3\x9f"], [], False)
def test_whatever_lies_beneath_is_covered(way: list[bytes], rest: list[bytes], slash: bool) -> None:
    protected = Access(SitePath(tuple(way), True), "")
    assert protected.covers(SitePath((*way, *rest), slash))


@pytest.mark.parametrize("order", list(permutations(["/", "/a", "/a/b", "/a.gz", "/c"])))
def test_deepest_first(order: tuple[str, ...]) -> None:
    ordered = deepest_first(map(access, order))

    def first(asked: str) -> str:
        return next(each.realm for each in ordered if each.covers(path(asked)))

    assert len(ordered) == 5
    assert [first(asked) for asked in ("/a/b/c", "/a/c", "/c/c", "/d", "/")] == [
        "/a/b", "/a", "/c", "/", "/"
    ]  # fmt: skip
    assert first("/a.gz") == "/a.gz", "a path of its own before a sidecar"


@pytest.mark.parametrize("other", ["/a", "/a/", "/A", "/x/../a"])
def test_one_path_twice(other: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        deepest_first([access("/a"), access(other)])


# What a client says.


def basic(credentials: bytes) -> bytes:
    return b"Basic " + b64encode(credentials)


@pytest.mark.parametrize(
    ("field", "user", "password"),
    [
        # RFC 7617 section 2.
        (b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"Aladdin", b"open sesame"),
        # RFC 7617 section 2.1: in UTF-8.
        (b"Basic dGVzdDoxMjPCow==", b"test", "123\u00a3".encode()),
        # RFC 9110 section 11.1: the scheme has no case.
        (b"bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"Aladdin", b"open sesame"),
        # Section 11.4: one blank or more.
        (b"Basic   YTpi", b"a", b"b"),
        # RFC 7617 section 2: the first colon ends the user.
        (basic(b"a:b:c"), b"a", b"b:c"),
        (basic(b"a:"), b"a", b""),
        (basic(b":b"), b"", b"b"),
        (basic(b":"), b"", b""),
        (basic(b"\xff:\xfe"), b"\xff", b"\xfe"),
        (basic(b"a:" + b"b" * 1022), b"a", b"b" * 1022),
    ],
)
def test_credentials(field: bytes, user: bytes, password: bytes) -> None:
    assert credentials_of(field) == (user, password)


@pytest.mark.parametrize(
    "field",
    [
        None,
        b"",
        b"Basic",
        b"Basic ",
        b"BasicYTpi",
        b"Bearer YTpi",
        b"Digest YTpi",
        b"Basic YTp",  # padding is wanted
        b"Basic YTpiYw=",
        b"Basic YTpiYw===",
        b"Basic =YTpi",
        b"Basic YT pi",
        b"Basic YTpi, Basic YTpi",
        b"Basic YTpi\n",
        b"Basic _-pi",  # RFC 4648 section 5 is not what is meant
        basic(b"no colon"),
        basic(b"a\0:b"),
        basic(b"a:b\0"),
        basic(b"a:" + b"b" * 1023),
        basic(b"a:" + b"b" * 100_000),
    ],
)
def test_no_credentials(field: bytes | None) -> None:
    assert credentials_of(field) is None


@given(st.binary() | st.binary().map(basic) | st.binary().map(lambda b: b"Basic " + b))
def test_no_field_raises(field: bytes) -> None:
    credentials = credentials_of(field)
    assert credentials is None or b64encode(b":".join(credentials)) in field


def test_credentials_do_not_show() -> None:
    credentials = Credentials(b"user-name", b"pass-word")
    for shown in (repr(credentials), str(credentials), f"{[credentials]}"):
        assert "user-name" not in shown
        assert "pass-word" not in shown


@pytest.mark.parametrize(
    ("realm", "value"),
    [
        ("/private", b'Basic realm="/private", charset="UTF-8"'),
        ('a "b" \\', b'Basic realm="a \\"b\\" \\\\", charset="UTF-8"'),
        ("a\r\nX-A: b\x7f\ud800", b'Basic realm="a??X-A: b??", charset="UTF-8"'),
        ("caf\u00e9", b'Basic realm="caf?", charset="UTF-8"'),
    ],
)
def test_challenge(realm: str, value: bytes) -> None:
    assert challenge(Access(path("/a"), realm)) == (b"WWW-Authenticate", value)


# What the option says.


@pytest.mark.parametrize(
    ("text", "segments", "source"),
    [
        ("/private=.htpasswd", [b"private"], ".htpasswd"),
        ("/private/=.htpasswd", [b"private"], ".htpasswd"),
        ("//private//=x", [b"private"], "x"),
        ("/=env", [], "env"),
        ("/a/b.pdf=/etc/x", [b"a", b"b.pdf"], "/etc/x"),
        ("/a=b=c", [b"a"], "b=c"),
        ("/a%3Db=c", [b"a=b"], "c"),
        ("/a%20b=c", [b"a b"], "c"),
        ("/a b=c", [b"a b"], "c"),
        ("/caf\u00e9=c", [b"caf\xc3\xa9"], "c"),
        ("/caf\udce9=c", [b"caf\xe9"], "c"),
        ("/a/../b=c", [b"b"], "c"),
        ("/a%3Fb%23=c", [b"a?b#"], "c"),
    ],
)
def test_option(text: str, segments: list[bytes], source: str) -> None:
    parsed, said = parse_auth(text)
    assert list(parsed.segments) == segments
    assert said == source


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "PATH begins with a slash"),
        ("private=x", "PATH begins with a slash"),
        ("=x", "PATH begins with a slash"),
        ("/private", "a file made by"),
        ("/private=", "a file made by"),
        ("/private=a\0b", "a file made by"),
        ("/a?b=c", "no query"),
        ("/a#b=c", "no fragment"),
        ("/a%2Fb=c", "a slash"),
        ("/a%zz=c", "two hex digits"),
        ("/a%00=c", "NUL"),
        ("/\ud800=c", "not text"),
    ],
)
def test_option_with_a_mistake(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        parse_auth(text)
    assert "\n" not in str(raised.value)


@given(st.text() | st.text().map("/{}=x".format))
def test_an_option_is_understood_or_refused(text: str) -> None:
    try:
        parsed, source = parse_auth(text)
    except ValueError:
        return
    assert source
    assert Access(parsed, "").covers(parsed)
