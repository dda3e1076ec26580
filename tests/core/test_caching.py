"""How long files may be kept."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.test_path import SITE_PATHS
from tinyhttp.core.caching import (
    IMMUTABLE,
    NO_CACHE,
    Caching,
    is_fingerprinted,
    may_be_fingerprinted,
    parse_cache_rule,
)
from tinyhttp.core.path import SitePath, resolve
from tinyhttp.core.rules import Mistake

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MD5 = SHA256[:32]


def path_of(text: str) -> SitePath:
    path = resolve(b"/" + text.encode())
    assert path is not None
    return path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("assets/index-BHx1_9aZ.js", id="Vite"),
        pytest.param("assets/index-D4kX2k7a.css", id="Vite, CSS"),
        pytest.param("assets/logo-C2sW_dX9.svg", id="Vite, picture"),
        pytest.param("assets/index-BHx1_9aZ.js.map", id="Vite, map"),
        pytest.param("assets/vendor-lib-xK3-q9Zb.js", id="Rollup, with a hyphen in the hash"),
        pytest.param("chunk-3f2a9c1b.js", id="Rollup 3"),
        pytest.param("main.3f2a9c1b.js", id="webpack, 8"),
        pytest.param("main.3f2a9c1b4d5e6f708192.js", id="webpack 5, 20"),
        pytest.param(f"main.{MD5}.js", id="webpack, 32"),
        pytest.param("static/js/main.3f2a9c1b.chunk.js", id="Create React App"),
        pytest.param("static/js/2.3f2a9c1b.chunk.js", id="Create React App, a number"),
        pytest.param("static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg", id="its media"),
        pytest.param("runtime.3f2a9c1b.min.js", id="before min"),
        pytest.param("index.3f2a9c1b.js", id="Parcel"),
        pytest.param("photo.3f2a9c1b.jpg", id="Parcel, picture"),
        pytest.param("3f2a9c1b4d5e6f70.3f2a9c1b.css", id="two of them"),
        pytest.param(f"css/main.min.{SHA256}.css", id="Hugo"),
        pytest.param(f"css/main-{SHA256}.css", id="Sprockets"),
        pytest.param(f"img/logo-{MD5}.png", id="Sprockets, picture"),
        pytest.param("css/base.55e7cbb9ba48.css", id="Django"),
        pytest.param("app-A3XK7Q2M.js", id="esbuild"),
        pytest.param("chunks/lib-K2JX7Q5A.css", id="esbuild, CSS"),
        pytest.param("_next/static/Zk3xyBuildId/_buildManifest.js", id="Next, build"),
        pytest.param("_next/static/chunks/framework-2c79e2a64abdb08b.js", id="Next, chunk"),
        pytest.param("_next/static/media/font.woff2", id="Next, media"),
        pytest.param("_app/immutable/nodes/0.js", id="SvelteKit"),
        pytest.param("_astro/client.js", id="Astro"),
        pytest.param("_nuxt/entry.css", id="Nuxt"),
    ],
)
def test_names_with_a_hash(name: str) -> None:
    assert is_fingerprinted(path_of(name))
    assert may_be_fingerprinted(path_of(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "index.html",
        "app.js",
        "main.css",
        "jquery-3.7.1.min.js",
        "jquery-3.7.1.slim.min.js",
        "bootstrap.bundle.min.js",
        "font-awesome.css",
        "d3.v7.8.5.min.js",
        "app.20240101.js",
        "app-20240101.js",
        "app.20240101123000.js",
        "IMG-20210304.jpg",
        "IMG_20210304_120000.jpg",
        "IMG-20210304-WA0007.jpg",
        "report-december.pdf",
        "report-3f2a9c1b.pdf",
        "backup.3f2a9c1b.zip",
        "data.3f2a9c1b.json",
        "page.3f2a9c1b.html",
        "page-BHx1_9aZ.html",
        "version-deadbeef.js",
        "app.deadbeef.js",
        "the.facade.js",
        "theme.cafe2026.css",
        "theme.20260101a.css",
        "cafebabe.css",
        "index-products.js",
        "index-Products.js",
        "index-PRODUCTS.js",
        "index-MyWidget.js",
        "index-jQueryUI.js",
        "index-i18nData.js",
        "index-3rdParty.js",
        "index-Summer24.js",
        "index-2ndDraft.js",
        "index-H264Main.mp4",
        "index-UTF8toJS.js",
        "index-iOS17App.js",
        "index-B2B_Page.js",
        "photo-1a2b3c4d.jpg",
        "photo-IMG_2041.jpg",
        "poster-CHAPTER2.png",
        "poster-2NDDRAFT.png",
        "chapter-overview.html",
        "track-12345678.mp3",
        "sw.js",
        "service-worker.js",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff.jpg",
        "avatar-6f9619ff-8b86-d011-b42d-00c04fc964ff.png",
        "main.3F2A9C1B.js",
        "main.3f2a9c1.js",
        f"main.{SHA256}0.js",
        "main.3f2a9c1b.js/",
        "main.3f2a9c1b.other.js",
        ".3f2a9c1b.js/a",
        "3f2a9c1b/app.js",
        "_next/static/development/_buildManifest.js",
        "_next/data/x/a.js",
        "x/_next/static/a.js",
        "_next/static/a.html",
        "_nuxt/builds/latest.json",
        "_app/version.json",
        "_app/env.js",
        "a" * 250 + ".3f2a9c1b.js",
    ],
)
def test_near_misses(name: str) -> None:
    """A mistake here would freeze a file for a year."""
    assert not is_fingerprinted(path_of(name))


@pytest.mark.parametrize(
    "name",
    [
        "assets/Almanac-AJK-vYNB.js",
        "assets/index--s0R7Be3.css",
        "assets/index-Summer24.js",
        "assets/index-products.js.map",
        "app.deadbeef.chunk.js",
        "app.20240101.css",
        "logo_12345678.png",
        "main.3F2A9C1B.js",
    ],
)
def test_names_that_may_have_one(name: str) -> None:
    assert not is_fingerprinted(path_of(name)) or name == "assets/index--s0R7Be3.css"
    assert may_be_fingerprinted(path_of(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "index.html",
        "app.js",
        "sw.js",
        "service-worker.js",
        "jquery-3.7.1.min.js",
        "page-BHx1_9aZ.html",
        "data.3f2a9c1b.json",
        "backup.3f2a9c1b.zip",
        "main.3f2a9c1.js",
        f"main.{SHA256}0.js",
        "main.3f2a9c1b.js/",
        "3f2a9c1b.js",
        "3f2a9c1b/app.js",
        "a" * 250 + ".3f2a9c1b.js",
    ],
)
def test_names_that_have_none_for_certain(name: str) -> None:
    assert not may_be_fingerprinted(path_of(name))


@given(st.binary(min_size=8, max_size=8).map(lambda data: urlsafe_b64encode(data)[:8].decode()))
@example("AJK-vYNB")
@example("--------")
def test_every_hash_of_vite_may_be_one(text: str) -> None:
    for form in ("assets/index-{}.js", "assets/index-{}.css.map", "logo.{}.svg"):
        assert may_be_fingerprinted(path_of(form.format(text)))


@given(SITE_PATHS)
def test_any_path_is_one_or_is_not(path: SitePath) -> None:
    assert is_fingerprinted(path) in (True, False)


@given(st.from_regex(r"[a-z]{8}|[A-Z]{8}|[A-Z][a-z]{7}|[0-9]{8}|[A-Za-z]+[0-9]{4}", fullmatch=True))
def test_words_and_numbers_are_no_hashes(word: str) -> None:
    for name in (f"a-{word}.js", f"a.{word}.css", f"a-{word}.png"):
        assert not is_fingerprinted(path_of(name))


HTML, JS = b"text/html; charset=utf-8", b"text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    ("rules", "path", "content_type", "expected"),
    [
        ([], "a.html", HTML, NO_CACHE),
        ([], "a.html", b"Text/HTML", NO_CACHE),
        ([], "a.xhtml", b"application/xhtml+xml", NO_CACHE),
        ([], "a.js", JS, None),
        ([], "a.3f2a9c1b.js", JS, IMMUTABLE),
        ([], "a.3f2a9c1b.js", HTML, NO_CACHE),
        (["*.js=max-age=60"], "a.js", JS, b"max-age=60"),
        (["*.js=max-age=60"], "a.3f2a9c1b.js", JS, b"max-age=60"),
        (["*.js=max-age=60"], "a.html", HTML, NO_CACHE),
        (["*.html=max-age=60"], "a.html", HTML, b"max-age=60"),
        (["**=no-cache", "*.js=max-age=60"], "a.js", JS, b"max-age=60"),
        (["*.js=max-age=60", "**=no-cache"], "a.js", JS, b"no-cache"),
        (["/a/**=no-cache"], "b/a.js", JS, None),
    ],
)
def test_what_is_said(
    rules: list[str], path: str, content_type: bytes, expected: bytes | None
) -> None:
    caching = Caching(parse_cache_rule(rule) for rule in rules)
    assert caching.cache_control(path_of(path), content_type) == expected


def test_names_need_not_be_looked_at() -> None:
    caching = Caching(fingerprints=False)
    assert caching.cache_control(path_of("a.3f2a9c1b.js"), JS) is None
    assert caching.cache_control(path_of("a.html"), HTML) == NO_CACHE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("no-store", b"no-store"),
        ("public, max-age=60 ,immutable", b"public, max-age=60, immutable"),
        ('no-cache="set-cookie"', b'no-cache="set-cookie"'),
        ("private=x", b"private=x"),
        ("s-maxage=1, stale-while-revalidate=2, stale-if-error=3", None),
        ("Max-Age=60", b"Max-Age=60"),
        ("community=UCI", b"community=UCI"),
    ],
)
def test_values(value: str, expected: bytes | None) -> None:
    assert parse_cache_rule("*.js=" + value).value == (expected or value.encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "GLOB=VALUE"),
        ("*.js", "GLOB=VALUE"),
        ("=no-cache", "GLOB=VALUE"),
        ("*.js=", "no value"),
        ("*.js= ", "no value"),
        ("*.js=,", "no value"),
        ("*.js=a,,b", "no directive"),
        ("a/../b=no-cache", "no path has"),
        ("*.js=max-age", "whole seconds"),
        ("*.js=max-age=1d", "whole seconds"),
        ("*.js=max-age=-1", "whole seconds"),
        ("*.js=max-age=1.5", "whole seconds"),
        ('*.js=max-age="60"', "whole seconds"),
        ("*.js=max-age=\u0663", "no directive"),
        ("*.js=public=1", "takes no value"),
        ("*.js=maxage=60", 'did you mean "max-age"'),
        ("*.js=max_age=60", 'did you mean "max-age"'),
        ("*.js=nocache", 'did you mean "no-cache"'),
        ("*.js=public max-age=60", "no directive"),
        ("*.js=a\r\nb", "no directive"),
        ("*.js=\u00e9", "no directive"),
    ],
)
def test_what_is_no_rule(text: str, why: str) -> None:
    with pytest.raises(Mistake, match=why):
        parse_cache_rule(text)


@given(st.text(max_size=30) | st.text(st.sampled_from('*/=,-ab "\\'), max_size=20))
def test_a_rule_is_made_or_refused(text: str) -> None:
    try:
        rule = parse_cache_rule(text)
    except Mistake:
        return
    assert not set(rule.value) & set(b"\r\n\0")
    Caching([rule]).cache_control(path_of("a/b.js"), JS)
