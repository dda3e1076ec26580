"""Where a policy comes from: options, tables and files; and what is said of mistakes there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.support import Answer, Client, FakeReactor, get, open_descriptors, write_tree
from tests.test_service import no_port, options  # noqa: F401 (a fixture)
from tinyhttp.assembly import make_server, make_watching
from tinyhttp.core.policy import Policy
from tinyhttp.options import CannotStart
from tinyhttp.policies import LONGEST, make_policy, problems_of
from tinyhttp.server.server import Server
from tinyhttp.service import FileService, assemble

QUIET = ("--access-log", "none", "--threads", "0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"index.html": "home", "about.html": "about", "private/a.txt": "secret"}
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a configuration file and gives its path."""

    def write(text: str) -> str:
        path = tmp_path / "tinyhttp.toml"
        path.write_text(text)
        return str(path)

    return write


def policy(root: Path, *arguments: str) -> Policy:
    return make_policy(options("--path", str(root), *arguments))


def complaints(*arguments: str) -> list[str]:
    """Return what is said, line by line, when a server is wanted with these options."""
    parsed = options("--access-log", "none", *arguments)
    with pytest.raises(CannotStart) as caught:
        make_server(FakeReactor(), parsed)
    return str(caught.value).removeprefix("tinyhttp: ").splitlines()


def one(server: Server, target: str, *fields: str) -> Answer:
    (answer,) = Client(server).send(get(target, *fields)).answers()
    return answer


# Files of rules.


def test_a_site_without_anything(root: Path) -> None:
    made = policy(root)
    assert made == Policy()
    assert made.is_plain


def test_files_of_rules(root: Path) -> None:
    write_tree(root, {"_redirects": "/old /about.html\n", "_headers": "/*\n  X-A: b\n"})
    server = make_server(FakeReactor(), options("--path", str(root), *QUIET))
    assert one(server, "/old")["Location"] == "/about.html"
    assert one(server, "/about.html")["X-A"] == "b"
    assert one(server, "/_redirects").status == one(server, "/_headers").status == 404


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("_redirects", "/a /b\n/c\n", ":2: error: "),
        ("_redirects", "\n\n# no rule\n/a /b 999\n", ":4: error: "),
        ("_redirects", "/a /b!\n/c /d 301x\n", ":2: error: "),
        ("_redirects", "\ufeff/a https://user@b/\n", ":1: error: "),
        ("_redirects", "/a /b\r\n/c\r\n", ":2: error: "),
        ("_redirects", "/a /b 301!\n/b /a 301!\n", ":1: error: redirects go in circles"),
        ("_headers", "X: y\n", ":1: error: "),
        ("_headers", "/a\n  Content-Length: 5\n", ":2: error: "),
        ("_headers", "/a\n  X: y\n/*\n  no colon\n", ":4: error: "),
        ("_headers", "/a\n  X: a\x01b\n", ":2: error: "),
    ],
)
def test_mistakes_in_files(root: Path, name: str, content: str, expected: str) -> None:
    (root / name).write_bytes(content.encode())
    (line,) = complaints("--path", str(root))
    assert line.startswith(f"{root}/{name}{expected}")
    assert line.isprintable()


def test_every_mistake_is_told_in_a_line(root: Path) -> None:
    write_tree(root, {"_redirects": "/a\n/b\n/c /d 1\n", "_headers": "x\n"})
    lines = complaints("--path", str(root))
    assert [line.partition(": ")[0] for line in lines] == [
        *(f"{root}/_redirects:{number}" for number in (1, 2, 3)),
        f"{root}/_headers:1",
    ]


def test_mistakes_without_end_are_bounded(root: Path) -> None:
    write_tree(root, {"_redirects": "/a\n" * 10_000})
    lines = complaints("--path", str(root))
    assert len(lines) <= 101
    assert "more problems" in lines[-1]


def test_what_is_only_odd_is_logged(root: Path) -> None:
    write_tree(root, {"_redirects": "/a /a\n"})
    with capturedLogs() as log:
        assert policy(root).redirects is not None
    said = [formatEvent(event) for event in log]
    assert said[0].startswith(f"{root}/_redirects:1: warning: ")
    problems = problems_of(options("--path", str(root)))
    assert [str(problem) for problem in problems] == said
    assert {problem.severity for problem in problems} == {"warning"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf/old /about.html\n",
        b"/old /about.html\r\n",
        b"\xef\xbb\xbf# comment\r\n\r\n  /old   /about.html  \r\n",
        b"/old /about.html",
        b"# \xff\xfe\n/old /about.html\n",
    ],
    ids=["BOM", "CRLF", "both", "no end", "not UTF-8 in a comment"],
)
def test_ways_to_write_a_file(root: Path, content: bytes) -> None:
    (root / "_redirects").write_bytes(content)
    redirects = policy(root).redirects
    assert redirects is not None
    assert [rule.pattern.exact for rule in redirects.rules] == [(b"old",)]


@pytest.mark.parametrize("size", [1_100_000, LONGEST + 1])
def test_a_file_that_is_too_long(root: Path, size: int) -> None:
    (root / "_headers").write_bytes(b"#" * size)
    (line,) = complaints("--path", str(root))
    assert line.startswith(f"{root}/_headers: error: longer than ")


def test_a_file_that_can_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(root, {"_headers": "/*\n  X: y\n"})

    def denied(*arguments: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tinyhttp.policies.open", denied, raising=False)
    assert complaints("--path", str(root)) == [f"{root}/_headers: error: Permission denied"]


def test_what_is_no_file(root: Path) -> None:
    """Nobody waits for somebody to write into a pipe."""
    os.mkfifo(root / "_redirects")
    (root / "_headers").mkdir()
    made = policy(root)
    assert (made.redirects, made.field_rules) == (None, None)


@pytest.mark.parametrize(("name", "status"), [("netlify", 301), ("cloudflare", 302)])
def test_dialects(root: Path, name: str, status: int) -> None:
    write_tree(root, {"_redirects": "/old /about.html\n"})
    redirects = policy(root, "--dialect", name).redirects
    assert redirects is not None
    assert [rule.status for rule in redirects.rules] == [status]


def test_no_dialect(root: Path, config: Callable[[str], str]) -> None:
    """Files are not read then, and may be had; tables are still rules."""
    write_tree(root, {"_redirects": "no rule at all\n", "_headers": "nor this\n"})
    text = '[[redirects]]\nfrom = "/old"\nto = "/about.html"\n'
    arguments = ("--path", str(root), "--dialect", "none", *QUIET)
    server = make_server(FakeReactor(), options(*arguments, "--config", config(text)))
    assert one(server, "/_redirects").body == b"no rule at all\n"
    assert one(server, "/old")["Location"] == "/about.html"


# Tables.


TABLES = """
[[redirects]]
from = "/old"
to = "/table"
[[headers]]
for = "/*"
values = { X-A = "table", X-B = "table" }
"""


def test_tables_come_before_files(root: Path, config: Callable[[str], str]) -> None:
    write_tree(root, {"_redirects": "/old /file\n/more /file\n"})
    write_tree(root, {"_headers": "/*\n  X-A: file\n"})
    arguments = ("--path", str(root), *QUIET)
    with capturedLogs():  # that a rule is never reached
        server = make_server(FakeReactor(), options(*arguments, "--config", config(TABLES)))
    assert one(server, "/old")["Location"] == "/table"
    assert one(server, "/more")["Location"] == "/file"
    home = one(server, "/")
    assert (home["X-A"], home["X-B"]) == ("file", "table")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[redirects]]\nto = "/b"\n', "[[redirects]] 1: error: from: missing"),
        (
            '[[redirects]]\nfrom = "/a"\nto = "/b"\n[[redirects]]\nfrom = "/a"\nstatsu = 5\n',
            "[[redirects]] 2: error: statsu: no such key",
        ),
        ('[redirects]\nfrom = "/a"\n', "[[redirects]]: error: an array of tables is wanted"),
        ('redirects = ["/a"]\n', "[[redirects]] 1: error: a table is wanted"),
        (
            '[[headers]]\nfor = "/a"\nvalues = { Date = "x" }\n',
            "[[headers]] 1: error: values: Date is not for rules",
        ),
    ],
)
def test_mistakes_in_tables(
    root: Path, config: Callable[[str], str], text: str, expected: str
) -> None:
    (line,) = complaints("--path", str(root), "--config", config(text))
    assert line.startswith(expected)


def test_mistakes_in_the_tables_of_a_host(root: Path, config: Callable[[str], str]) -> None:
    host = f'[[hosts]]\nnames = ["x.org", "www.x.org"]\npath = "{root}"\n'
    text = host + '[[hosts.redirects]]\nto = "/b"\n'
    (line,) = complaints("--path", str(root), "--config", config(text))
    assert line == "[[hosts]] x.org [[redirects]] 1: error: from: missing"


# Hosts.


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (['["a.org"]', '["b.org", "A.ORG"]'], "A.ORG"),
        (['["a.org"]', '["a.org."]'], "a.org."),
        (['["[::1]", "a.org", "a.org"]', '["[::1]"]'], "[::1]"),
    ],
)
def test_two_hosts_of_one_name(
    root: Path, config: Callable[[str], str], names: list[str], twice: str
) -> None:
    text = "".join(f'[[hosts]]\nnames = {each}\npath = "{root}"\n' for each in names)
    (line,) = complaints("--path", str(root), "--config", config(text))
    assert line == f"[[hosts]]: {twice} is the name of two"


def test_hosts(root: Path, tmp_path: Path, config: Callable[[str], str]) -> None:
    other = write_tree(tmp_path / "other", {"a.html": "other", "_headers": "/*\n  X-Host: other\n"})
    host = f'[[hosts]]\nnames = ["Other.org."]\npath = "{other}"\nclean-urls = true\n'
    arguments = ("--path", str(root), *QUIET)
    server = make_server(FakeReactor(), options(*arguments, "--config", config(host)))
    answer = one(server, "/a", "Host: other.org:8080")
    assert (answer.body, answer["X-Host"]) == (b"other", "other")
    assert one(server, "/a", "Host: x").status == 404
    assert one(server, "/about", "Host: x").status == 404, "what is said of one is not of the other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[hosts]]\npath = "."\n', "[[hosts]] 1: names: a list of hosts is wanted"),
        ('[[hosts]]\nnames = ["a b"]\npath = "."\n', "[[hosts]] 1: names: a list"),
        ('[[hosts]]\nnames = ["a:80"]\npath = "."\n', "[[hosts]] 1: names: a list"),
        ('[[hosts]]\nnames = ["a"]\n', "[[hosts]] 1: path: a directory is wanted"),
        ('[[hosts]]\nnames = ["a"]\npath = "."\nport = 5\n', "[[hosts]] 1: port: there is no such"),
        ('[[hosts]]\nnames = ["a"]\npath = "none"\n', "there is no such directory"),
        ('hosts = "a"\n', "[[hosts]] are tables"),
    ],
)
def test_mistakes_about_hosts(
    root: Path, config: Callable[[str], str], text: str, expected: str
) -> None:
    with pytest.raises(CannotStart) as caught:
        options("--path", str(root), "--config", config(text))
    (line,) = str(caught.value).splitlines()
    assert expected in line
    assert "tinyhttp.toml" in line


# Options.


def test_what_options_make(root: Path) -> None:
    made = policy(
        root,
        *("--listing", "--clean-urls", "--spa", "--trailing-slash", "add", "--index", "home.html"),
        *("--error-page", "404=/about.html", "--caching", "--cors", "*", "--security-headers"),
        *("--canonical-host", "WWW.X.org", "--https-redirect", "8443", "--hsts", "60"),
    )
    assert (made.listing, made.clean_urls, made.spa, made.trailing_slash) == (True,) * 3 + ("add",)
    assert made.index == (b"home.html",)
    assert [(s, p.segments) for s, p in made.error_pages.items()] == [(404, (b"about.html",))]
    assert made.caching is not None
    assert made.cors is not None
    assert (made.canonical_host, made.https_port) == (b"www.x.org", 8443)
    assert made.secure_fields == [(b"Strict-Transport-Security", b"max-age=60")]
    names = {name for name, _ in made.fields}
    assert b"Content-Security-Policy" in names
    assert b"Cross-Origin-Resource-Policy" not in names, "others may read what is here"
    alone = policy(root, "--security-headers")
    assert b"Cross-Origin-Resource-Policy" in {name for name, _ in alone.fields}


def test_passwords(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = complaints("--path", str(root), "--auth", f"/private={tmp_path}/none")
    assert line[0].startswith("--auth: ")
    both = ("--auth", "/a=env", "--auth", "/A/=env")
    (line_of_both,) = complaints("--path", str(root), *both)
    assert line_of_both.startswith("--auth: /A is protected twice")
    made = policy(root, "--auth", "/private=env", "--auth", "/private/deep=env", "--clean-urls")
    assert [access.path.segments for access in made.accesses] == [
        (b"private", b"deep"),
        (b"private",),
    ]
    assert [access.realm for access in made.accesses] == ["/private/deep", "/private"]
    assert all(access.clean_urls for access in made.accesses)


@pytest.mark.parametrize(
    "arguments",
    [("--auth", "/private=none"), ("--dialect", "cloudflare")],
    ids=["passwords", "rules"],
)
def test_nothing_stays_open_if_there_is_a_mistake(
    root: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A configuration may be read anew again and again."""
    write_tree(root, {"_redirects": "/a\n"} if "--dialect" in arguments else {})
    log = tmp_path / "access.log"
    parsed = options("--path", str(root), "--access-log", str(log), *arguments)
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(CannotStart):
            make_server(FakeReactor(), parsed)
    assert open_descriptors() == before


def test_a_root_that_can_not_be_opened(
    root: Path, tmp_path: Path, config: Callable[[str], str]
) -> None:
    other = write_tree(tmp_path / "other", {"a": "a"})
    log = ("--access-log", str(tmp_path / "access.log"))
    text = f'[[hosts]]\nnames = ["a"]\npath = "{other}"\n'
    parsed = options("--path", str(root), *log, "--config", config(text))
    (other / "a").unlink()
    other.rmdir()
    before = open_descriptors()
    with pytest.raises(CannotStart, match=f"--path {other}: No such file"):
        make_server(FakeReactor(), parsed)
    assert open_descriptors() == before


# Reading it anew.


def test_reload(root: Path, config: Callable[[str], str]) -> None:
    path = config(f'path = "{root}"\naccess-log = "none"\nthreads = 0\nport = 0\n')
    reactor = FakeReactor()
    parsed = options("--config", path)
    watching = make_watching(reactor, parsed)

    def anew() -> FileService:
        return assemble(reactor, parsed.again(), {}, watching)

    service = assemble(reactor, parsed, {}, watching, anew=anew)

    def asked(target: str) -> tuple[int, str | None]:
        answer = one(service._server, target)
        return answer.status, answer.get("Location")

    assert asked("/old") == (404, None)
    write_tree(root, {"_redirects": "/old /about.html 301\n"})
    assert asked("/old") == (404, None), "rules are read at the start alone"
    service.reload()
    assert asked("/old") == (301, "/about.html")
    write_tree(root, {"_redirects": "/old /elsewhere\nmistaken\n"})
    with capturedLogs() as log:
        service.reload()
    said = [formatEvent(event) for event in log]
    assert any(f"{root}/_redirects:2: error: " in each for each in said)
    assert asked("/old") == (301, "/about.html"), "it stays as it was"
    (root / "_redirects").unlink()
    config(f'path = "{root}"\naccess-log = "none"\nthreads = 0\nport = 0\nclean-urls = true\n')
    service.reload()
    assert asked("/old") == (404, None)
    assert asked("/about") == (200, None)
