"""``tinyhttp import``: what other servers' configurations come to."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.__main__ import main as program
from tinyhttp.commands.import_ import MOST_OCTETS, main
from tinyhttp.commands.imported import Imported, alternatives, pattern
from tinyhttp.commands.serve_json import import_serve_json
from tinyhttp.commands.static_json import import_static_json
from tinyhttp.commands.staticfile import import_staticfile, read_staticfile
from tinyhttp.commands.toml_text import document, text
from tinyhttp.core.rule_tables import headers_from_tables, redirects_from_tables
from tinyhttp.core.rules import NETLIFY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read(imported: Imported) -> dict[str, Any]:
    """Return the document, as TOML has it, whose rules are all right."""
    found: dict[str, Any] = tomllib.loads(imported.document())
    errors = [
        *redirects_from_tables(found.get("redirects", []), NETLIFY)[1],
        *headers_from_tables(found.get("headers", []), NETLIFY)[1],
    ]
    assert [str(p) for p in errors if p.severity == "error"] == []
    return found


class TestStaticJson:
    """Heroku's."""

    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({}, {"path": "public_html"}),
            ({"root": "dist/"}, {"path": "dist"}),
            ({"root": "/"}, {"path": "/"}),
            ({"clean_urls": True}, {"path": "public_html", "clean-urls": True}),
            ({"https_only": True}, {"path": "public_html", "https-redirect": 443}),
            ({"https_only": False}, {"path": "public_html"}),
            ({"basic_auth": True}, {"path": "public_html", "auth": ["/=env"]}),
            (
                {"canonical_host": "a.example"},
                {"path": "public_html", "canonical-host": "a.example"},
            ),
            ({"error_page": "e.html"}, {"path": "public_html", "error-page": ["404=/e.html"]}),
            ({"encoding": "UTF-8"}, {"path": "public_html"}),
            ({"basic_auth": False}, {"path": "public_html"}),
            ({"routes": {"/**": "index.html"}}, {"path": "public_html", "spa": True}),
        ],
    )
    def test_settings(self, config: dict[str, Any], expected: dict[str, Any]) -> None:
        imported = import_static_json(config)
        assert read(imported) == expected
        assert imported.missing == []

    def test_rules(self) -> None:
        imported = import_static_json(
            {
                "routes": {"/assets/*": "/none.html", "/app/**": "app.html"},
                "redirects": {
                    "/old/": {"url": "/new/"},
                    "/away": {"url": "https://a.example/", "status": 302},
                },
                "headers": {"/assets/**": {"Cache-Control": "max-age=60", "X-A": "b"}},
            }
        )
        assert imported.missing == []
        assert read(imported) == {
            "path": "public_html",
            "redirects": [
                {"from": "/old/", "to": "/new/", "status": 301},
                {"from": "/away", "to": "https://a.example/", "status": 302},
                {"from": "/assets/:name2", "to": "/none.html", "status": 200},
                {"from": "/app/*", "to": "/app.html", "status": 200},
            ],
            "headers": [
                {"for": "/assets/*", "values": {"Cache-Control": "max-age=60", "X-A": "b"}}
            ],
        }

    @pytest.mark.parametrize(
        ("config", "where"),
        [
            ({"root": 1}, "root: text"),
            ({"root": "${DIR}"}, "root: '${DIR}' takes something from the environment"),
            ({"canonical_host": "$HOST"}, "canonical_host: "),
            ({"clean_urls": "yes"}, "clean_urls: true or false"),
            ({"https_only": 1}, "https_only: true or false"),
            ({"error_page": []}, "error_page: text"),
            ({"encoding": "latin1"}, "encoding: "),
            ({"logging": {"access": False}}, "logging: "),
            ({"basic_auth": 1}, "basic_auth: true or false"),
            ({"basic_auth_password": "x"}, "basic_auth_password: passwords are for"),
            ({"proxies": {"/api/": {"origin": "https://a"}}}, "proxies: there is no equivalent"),
            ({"rout": "a"}, "rout: not a key"),
            ({"routes": []}, "routes: an object"),
            ({"routes": {"/a": 1}}, "routes./a: text"),
            ({"routes": {"/**/a": "b"}}, "routes./**/a: such a pattern"),
            ({"routes": {"/a": "../b"}}, "routes./a: "),
            ({"redirects": []}, "redirects: an object"),
            ({"redirects": {"/a": "/b"}}, "redirects./a: there is no url"),
            ({"redirects": {"/a": {}}}, "redirects./a: there is no url"),
            ({"redirects": {"/a": {"url": "${A}"}}}, "redirects./a: '${A}'"),
            ({"redirects": {"/a": {"url": "//b"}}}, "redirects./a: "),
            ({"redirects": {"/a": {"url": "/b", "status": 999}}}, "redirects./a: status 999"),
            ({"redirects": {"/a": {"url": "/b", "status": [1]}}}, "redirects./a: status: a number"),
            ({"headers": []}, "headers: an object"),
            ({"headers": {"/a": []}}, "headers./a: an object"),
            ({"headers": {"/**/*/a": {}}}, "headers./**/*/a: such a pattern"),
            ({"headers": {"/a": {"Date": "x"}}}, "headers./a.Date: "),
            ({"headers": {"/a": {"X-A": 1}}}, "headers./a.X-A: text"),
        ],
    )
    def test_what_is_missing(self, config: dict[str, Any], where: str) -> None:
        imported = import_static_json(config)
        read(imported)
        assert len(imported.missing) == 1
        assert imported.missing[0].startswith(where)

    def test_that_rules_for_fields_add_up(self) -> None:
        imported = import_static_json({"headers": {"/": {"X-A": "1"}, "/**": {"X-A": "2"}}})
        assert ["last rule that matches" in line for line in imported.missing] == [True]


SERVES_DEFAULTS: dict[str, Any] = {"clean-urls": True, "listing": True}


class TestServeJson:
    """That of npm's serve."""

    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({}, {}),
            ({"$schema": "x"}, {}),
            ({"public": "out"}, {"path": "out"}),
            ({"cleanUrls": False}, {"clean-urls": False}),
            ({"directoryListing": False}, {"listing": False}),
            ({"trailingSlash": True}, {"trailing-slash": "add"}),
            ({"trailingSlash": False}, {"trailing-slash": "remove"}),
            ({"symlinks": True}, {"follow-symlinks": True}),
            ({"etag": True}, {}),
            ({"renderSingle": False}, {}),
            ({"rewrites": [{"source": "**", "destination": "/index.html"}]}, {"spa": True}),
        ],
    )
    def test_settings(self, config: dict[str, Any], expected: dict[str, Any]) -> None:
        imported = import_serve_json(config)
        assert read(imported) == SERVES_DEFAULTS | expected
        assert imported.missing == []

    def test_rules(self) -> None:
        imported = import_serve_json(
            {
                "rewrites": [{"source": "p/:id/edit", "destination": "/edit-:id.html"}],
                "redirects": [
                    {"source": "/from", "destination": "to"},
                    {"source": "/o/:id", "destination": "https://a.example/:id", "type": 302},
                ],
                "headers": [
                    {
                        "source": "**/*.@(jpg|png)",
                        "headers": [{"key": "Cache-Control", "value": "max-age=7200"}],
                    },
                    {"source": "a.{x,y}", "headers": [{"key": "X-A", "value": None}]},
                ],
            }
        )
        assert imported.missing == []
        assert read(imported) == SERVES_DEFAULTS | {
            "redirects": [
                {"from": "/from", "to": "/to", "status": 301, "force": True},
                {"from": "/o/:id", "to": "https://a.example/:id", "status": 302, "force": True},
                {"from": "/p/:id/edit", "to": "/edit-:id.html", "status": 200},
            ],
            "headers": [
                {"for": "/*.jpg", "values": {"Cache-Control": "max-age=7200"}},
                {"for": "/*.png", "values": {"Cache-Control": "max-age=7200"}},
                {"for": "/a.x", "values": {"X-A": ""}},
                {"for": "/a.y", "values": {"X-A": ""}},
            ],
        }

    @pytest.mark.parametrize(
        ("config", "where"),
        [
            ({"public": 1}, "public: text"),
            ({"cleanUrls": ["/a"]}, "cleanUrls: it can't be limited"),
            ({"directoryListing": ["/a"]}, "directoryListing: it can't be limited"),
            ({"cleanUrls": "a"}, "cleanUrls: true or false"),
            ({"symlinks": 1}, "symlinks: true or false"),
            ({"etag": False}, "etag: files always"),
            ({"unlisted": ["a"]}, "unlisted: there is no equivalent"),
            ({"renderSingle": True}, "renderSingle: there is no equivalent"),
            ({"cleanurls": True}, "cleanurls: not a key"),
            ({"redirects": {}}, "redirects: an array"),
            ({"redirects": [1]}, "redirects[0]: there is no source"),
            ({"redirects": [{"source": 1}]}, "redirects[0]: there is no source"),
            ({"redirects": [{"source": "/a"}]}, "redirects[0]: text"),
            ({"redirects": [{"source": "/(a|b)", "destination": "/c"}]}, "redirects[0]: '/(a|b)'"),
            ({"rewrites": [{"source": "/a"}]}, "rewrites[0]: text"),
            ({"rewrites": [{"source": "/!(a)", "destination": "/c"}]}, "rewrites[0]: '/!(a)'"),
            ({"rewrites": [{"source": "/a", "destination": "/:b"}]}, "rewrites[0]: ':b' stands"),
            ({"rewrites": [{"source": "a/**", "destination": "/b/:0"}]}, "rewrites[0]: '/b/:0'"),
            ({"redirects": [{"source": "a/*", "destination": "/:1"}]}, "redirects[0]: '/:1'"),
            ({"headers": [{"source": "/+(a)", "headers": []}]}, "headers[0]: '/+(a)'"),
            ({"headers": [{"source": "/a"}]}, "headers[0].headers: an array"),
            ({"headers": [{"source": "/a", "headers": [{}]}]}, "headers[0].headers: an array"),
            (
                {"headers": [{"source": "/a", "headers": [{"key": "X-A", "value": 1}]}]},
                "headers[0].X-A: text",
            ),
        ],
    )
    def test_what_is_missing(self, config: dict[str, Any], where: str) -> None:
        imported = import_serve_json(config)
        read(imported)
        assert len(imported.missing) == 1
        assert imported.missing[0].startswith(where)


class TestStaticfile:
    """Cloud Foundry's."""

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("", {}),
            ("---\n# nothing\n", {}),
            ("root: public # here", {"path": "public"}),
            ("root: 'my site'", {"path": "my site"}),
            ('root: "my site"', {"path": "my site"}),
            ("directory: visible", {"listing": True}),
            ("directory: hidden", None),
            ("pushstate: enabled", {"spa": True}),
            ("pushstate: disabled", {}),
            ("force_https: true", {"https-redirect": 443}),
            ("force_https: false", {}),
            ("host_dot_files: true", {"hidden-files": True}),
            ("ssi: disabled", {}),
            ("pushstate:", {}),
            (
                "status_codes:\n  404: /404.html\n  500: 500.html",
                {"error-page": ["404=/404.html", "500=/500.html"]},
            ),
            (
                "http_strict_transport_security: true",
                {
                    "headers": [
                        {"for": "/*", "values": {"Strict-Transport-Security": "max-age=31536000"}}
                    ]
                },
            ),
            ("http_strict_transport_security: false", {}),
            ("http_strict_transport_security_include_subdomains: true", {}),
        ],
    )
    def test_settings(self, lines: str, expected: dict[str, Any] | None) -> None:
        imported = import_staticfile(lines)
        assert read(imported) == (expected or {})
        assert bool(imported.missing) is (expected is None)

    def test_transport_security_in_full(self) -> None:
        key = "http_strict_transport_security"
        imported = import_staticfile(
            f"{key}: true\n{key}_include_subdomains: yes\n{key}_preload: on"
        )
        assert read(imported)["headers"][0]["values"] == {
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload"
        }

    @pytest.mark.parametrize(
        ("lines", "where"),
        [
            ("ssi: enabled", "ssi: there is no equivalent"),
            ("location_include: a.conf", "location_include: there is no equivalent"),
            ("enable_http2: true", "enable_http2: there is no equivalent"),
            ("root:", "root: a value is wanted"),
            ("ssi:\n  a: b", "ssi: there is no equivalent"),
            ("status_codes: 404", "status_codes: statuses"),
            ("status_codes:\n  40x: /a.html", "status_codes.40x: one status"),
            ("- root", "line 1: not understood"),
            ("- root: a", "line 1: not understood"),
            (": a", "line 1: not understood"),
            ("a" + " " * 100_000 + "b", "line 1: not understood"),
            ("root public", "line 1: not understood"),
            ("  root: public", "line 1: nothing that"),
            ("root: public\n  b: c", "line 2: nothing that"),
        ],
    )
    def test_what_is_missing(self, lines: str, where: str) -> None:
        imported = import_staticfile(lines)
        read(imported)
        assert len(imported.missing) == 1
        assert imported.missing[0].startswith(where)

    @given(st.text() | st.text(st.sampled_from("a: #-'\"\n\t"), max_size=40))
    def test_nothing_is_raised(self, lines: str) -> None:
        read_staticfile(lines)
        read(import_staticfile(lines))


@pytest.mark.parametrize(
    ("glob", "expected", "for_fields"),
    [
        ("/", "/", "/"),
        ("", "/", "/"),
        ("a/b/", "/a/b/", "/a/b/"),
        ("**", "/*", "/*"),
        ("/**", "/*", "/*"),
        ("/a/**", "/a/*", "/a/*"),
        ("/a/*", "/a/:name2", "/a/:name2"),
        ("/*/b", "/:name1/b", "/:name1/b"),
        ("**/*.js", None, "/*.js"),
        ("/a/**/*.js", None, "/a/*.js"),
        ("/a/*.js", None, None),
        ("*.js", None, None),
        ("**/*", None, "/*"),
        ("**/a", None, None),
        ("/a*b", None, None),
        ("/a/*.js/b", None, None),
        ("/a?", None, None),
        ("/[ab]", None, None),
        ("/:id/x", "/:id/x", "/:id/x"),
    ],
)
def test_patterns(glob: str, expected: str | None, for_fields: str | None) -> None:
    assert pattern(glob) == expected
    assert pattern(glob, inner_splat=True) == for_fields


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("a", ["a"]),
        ("@(a|b)", ["a", "b"]),
        ("x.{a,b}", ["x.a", "x.b"]),
        ("{a,b}.@(c|d)", ["a.c", "a.d", "b.c", "b.d"]),
        ("{a,b}" * 6, ["{a,b}" * 6]),
        ("@(a|@(b|c))", ["a", "b", "c"]),
        ("@(a|{b,c})", ["a", "b", "c"]),
        ("{a}" * 200, ["{a}" * 200]),
    ],
)
def test_alternatives(glob: str, expected: list[str]) -> None:
    assert alternatives(glob) == expected


class TestToml:
    @given(st.text(), st.text())
    def test_text_comes_back(self, key: str, value: str) -> None:
        written = document({key: value}, {"t": [{"n": 1, "v": {key: value}}]})
        assert tomllib.loads(written) == {key: value} | {"t": [{"n": 1, "v": {key: value}}]}

    @given(st.lists(st.text()), st.booleans(), st.integers(0, 10**9))
    def test_other_values_come_back(self, members: list[str], flag: bool, number: int) -> None:
        values: dict[str, Any] = {"a": members, "b": flag, "c": number}
        assert tomllib.loads(document(values, {})) == values
        assert tomllib.loads(document({}, {"t": [values, values]})) == {"t": [values, values]}

    def test_half_a_surrogate_pair_is_no_text(self) -> None:
        with pytest.raises(UnicodeEncodeError):
            text("\ud800")


def keys_and_values() -> st.SearchStrategy[dict[str, Any]]:
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("/a/*"),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["source", "headers", "key", "value", "url", "/x"]), inner
            )
        ),
        max_leaves=6,
    )
    keys = ["root", "routes", "redirects", "headers", "rewrites", "public", "cleanUrls", "encoding"]
    return st.dictionaries(st.sampled_from(keys) | st.text(max_size=3), value, max_size=4)


@given(keys_and_values())
def test_whatever_json_holds_makes_toml(config: dict[str, Any]) -> None:
    for convert in (import_static_json, import_serve_json):
        read(convert(config))


class TestCommand:
    def write(self, directory: Path, name: str, content: str | bytes) -> str:
        path = directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def test_a_document_and_what_is_missing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = {"root": "dist", "proxies": {"/a": {}}, "x\x1b[2J\n": 1}
        path = self.write(tmp_path, "static.json", json.dumps(config))
        assert main([path]) == 0
        printed = capsys.readouterr()
        assert printed.out == 'path = "dist"\n'
        assert printed.err.splitlines() == [
            f"{path}: proxies: there is no equivalent",
            f"{path}: x\\x1b[2J\\n: not a key of static.json that is known",
        ]

    @pytest.mark.parametrize(
        ("name", "content", "out"),
        [
            ("serve.json", "{}", "clean-urls = true\nlisting = true\n"),
            ("Staticfile", "root: a\n", 'path = "a"\n'),
            ("STATIC.JSON", b'\xef\xbb\xbf{"root": "a"}', 'path = "a"\n'),
        ],
    )
    def test_the_name_tells_what_it_is(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        name: str,
        content: str | bytes,
        out: str,
    ) -> None:
        assert main([self.write(tmp_path, name, content)]) == 0
        assert capsys.readouterr().out == out

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("other.json", "{}", "told by the name"),
            ("static.json", "{", "no JSON"),
            ("static.json", "[]", "an object"),
            ("static.json", b"\xff", "not UTF-8"),
            ("static.json", "[" * 200_000, "nested too deeply"),
            ("static.json", b" " * (MOST_OCTETS + 1), "more than"),
            ("static.json", '{"root": "\\ud800"}', "surrogate"),
        ],
    )
    def test_what_can_not_be_read(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        name: str,
        content: str | bytes,
        why: str,
    ) -> None:
        path = self.write(tmp_path, name, content)
        assert main([path]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"tinyhttp import: {path}: ")
        assert why in printed.err
        assert printed.err.count("\n") == 1

    def test_a_file_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["/nowhere/static.json"]) == 1
        assert "No such file" in capsys.readouterr().err

    def test_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        assert "Usage: tinyhttp import" in capsys.readouterr().out

    @pytest.mark.parametrize("arguments", [[], ["a", "b"]])
    def test_a_wrong_call(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(arguments) == 2
        assert "Usage" in capsys.readouterr().err

    def test_it_is_a_command_of_the_program(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = self.write(tmp_path, "Staticfile", "root: a")
        with pytest.raises(SystemExit) as exit_:
            program(["import", path])
        assert exit_.value.code == 0
        assert capsys.readouterr().out == 'path = "a"\n'
