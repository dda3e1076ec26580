"""``tinyhttp explain``: the head that it prints is the server's, and its reasons are true."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import Client, TurningReactor, get, write_tree
from tinyhttp.__main__ import main as program
from tinyhttp.assembly import make_server
from tinyhttp.commands.account import account
from tinyhttp.commands.clauses import CLAUSES
from tinyhttp.commands.explain import main, report
from tinyhttp.commands.rehearsal import Rehearsal, Waiting, rehearse
from tinyhttp.options import Options

ROOT = Path(__file__).resolve().parent.parent.parent

PASSWORDS = "me:$2b$04$abcdefghijklmnopqrstuuJpEgmSq/3RD7LEuyEOyfUzwbWvnHQ6K\n"
"""Whose password nobody knows."""

REDIRECTS = """\
/old/* /new/:splat 301
/a.txt /about.html 301
/forced/:name /about.html 200!
/by-query id=:id /about.html 302
/gone /404.html 410
"""
HEADERS = """\
/*
  X-All: yes
/new/*
  X-New: :splat
  Cache-Control: no-store
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = write_tree(
        tmp_path / "site",
        {
            "index.html": "<p>home",
            "about.html": "<p>about",
            "404.html": "<p>nothing here",
            "a.txt": "0123456789" * 200,
            "a.txt.gz": "smaller, as far as anyone can tell",
            "new/x.js": "x",
            "new/app.8f3a01bc97de.js": "y",
            "private/x.html": "secret",
            "_redirects": REDIRECTS,
            "_headers": HEADERS,
        },
    )
    (root / "out").symlink_to(tmp_path)
    (tmp_path / "passwords").write_text(PASSWORDS)
    return root


def real_answer(site: Path, options: list[str], request: bytes, *, secure: bool) -> bytes:
    """Return the head that a server with ``options`` sends."""
    parsed = Options()
    parsed.parseOptions(["--path", str(site), *options])
    parsed["access-log"], parsed["threads"] = "none", 0
    reactor = TurningReactor()
    server = make_server(reactor, parsed)
    client = Client(server)
    transport: Any = client.transport
    if secure:
        transport.getHandle = lambda: SimpleNamespace(version=lambda: "TLSv1.3")
    client.send(request)
    while not client.received:
        reactor.turn()
    _ = server.stop(grace=0)
    head, end, _ = client.received.partition(b"\r\n\r\n")
    return head + end


def without_date(head: bytes) -> list[bytes]:
    return [line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")]


AUTH = "--auth=/private={passwords}"

TABLE: list[tuple[list[str], bytes]] = [
    ([], get("/")),
    ([], get("/a.txt")),
    ([], get("/a.txt", "Accept-Encoding: gzip")),
    ([], get("/a.txt", "Accept-Encoding: gzip;q=0, *;q=0")),
    ([], get("/a.txt", "Range: bytes=0-9")),
    ([], get("/a.txt", "Range: bytes=0-9, 20-29")),
    ([], get("/a.txt", "Range: bytes=9999-")),
    ([], get("/a.txt", "If-None-Match: *")),
    ([], get("/a.txt", 'If-Match: "x"')),
    ([], get("/a.txt", "Range: bytes=1-2", 'If-Range: "x"')),
    ([], get("/old/x?q")),
    ([], get("/forced/x")),
    ([], get("/by-query?id=7")),
    ([], get("/gone")),
    ([], get("/_redirects")),
    ([], get("/.hidden")),
    ([], get("/out/passwords")),
    ([], get("/new")),
    ([], get("/new/")),
    (["--listing"], get("/new/")),
    (["--listing"], get("/new/", "Accept: text/html")),
    (["--clean-urls"], get("/about")),
    (["--clean-urls"], get("/about.html")),
    (["--clean-urls", "--trailing-slash=add"], get("/about")),
    (["--trailing-slash=remove"], get("/new/../about.html")),
    (["--spa"], get("/app/x", "Accept: text/html")),
    (["--caching", "--cache-control=new/x.js=max-age=60"], get("/new/app.8f3a01bc97de.js")),
    (["--cache-control=*.txt=max-age=60"], get("/a.txt")),
    (["--caching"], get("/")),
    (["--security-headers", "--hsts=31536000"], get("/")),
    (["--cors=https://example.org"], get("/a.txt", "Origin: https://example.org")),
    (
        ["--cors=*"],
        get("/", "Origin: https://x.org", "Access-Control-Request-Method: GET", method="OPTIONS"),
    ),
    (["--https-redirect=443"], get("/a.txt")),
    (["--canonical-host=www.example.org"], get("/a.txt?x")),
    (["--error-page=404=/about.html"], get("/nothing")),
    (["--dialect=none"], get("/_headers")),
    (["--compress=gzip"], get("/a.txt", "Accept-Encoding: gzip")),
    ([AUTH], get("/private/x.html")),
    ([AUTH], get("/private/x.html", "Authorization: Basic bWU6eW91")),
    (["--max-head=200"], get("/" + "a" * 300)),
    ([], get("/a%2fb")),
    ([], get("/%zz")),
    ([], get("/", method="OPTIONS")),
    ([], get("/", method="HEAD")),
    ([], get("/", method="PUT")),
    ([], get("/", method="WAT")),
    ([], b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    ([], b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    ([], get("/", version="1.0")),
]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(("options", "request_"), TABLE, ids=lambda v: str(v)[:60])
def test_the_head_is_the_servers(
    site: Path, options: list[str], request_: bytes, secure: bool
) -> None:
    passwords = site.parent / "passwords"
    options = [option.format(passwords=passwords) for option in options]
    real = real_answer(site, options, request_, secure=secure)
    parsed = Options()
    parsed.parseOptions(["--path", str(site), *options])
    parsed["access-log"], parsed["threads"] = "none", 0
    reactor = Waiting()
    server = make_server(reactor, parsed)
    rehearsal = rehearse(server, request_, secure=secure, turn=reactor.turn)
    _ = server.stop(grace=0)
    assert without_date(rehearsal.head) == without_date(real)
    steps = account(rehearsal)  # there is something to say about each
    assert steps[-1].kind == "answer"
    assert str(rehearsal.status) in steps[-1].title


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(arguments)
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["/a.txt"], 0, ["_redirects:2: /a.txt (301): matches", "what matches is not forced"]),
        (["/a.txt"], 0, ["No Accept-Encoding: the file as it is is chosen"]),
        (["-H", "Accept-Encoding: gzip;q=0.5", "/a.txt"], 0, ["gzip: weight 0.5; 34 octets"]),
        (["/old/a/b"], 0, ["_redirects:1 sends the client to /new/a/b, 301", "splat = a/b"]),
        (["/forced/x"], 0, ["(200, forced): matches, name = x", "before the files"]),
        (["/by-query"], 1, ["_redirects:4: /by-query (302): the query is another"]),
        (["/new/x.js"], 0, ["_headers:3", "Cache-Control: no-store"]),
        (["--caching", "/new/app.8f3a01bc97de.js"], 0, ["its name holds a hash"]),
        (["--cache-control=*.txt=max-age=1", "/a.txt"], 0, ["for the glob **/*.txt"]),
        (["-H", 'If-Match: "x"', "/a.txt"], 1, ['If-Match: "x": does not hold', "13.1.1"]),
        (["-H", "Range: bytes=5-", "/a.txt"], 0, ["octets 5 to 1999"]),
        (["/out/passwords"], 1, ["a symbolic link leads out of the root"]),
        (["/.x"], 1, ["names that start with a dot are hidden"]),
        (["/_headers"], 1, ["it is a file of rules"]),
        (["/x"], 1, ["What the client sees for 404: /404.html"]),
        (["/a%00"], 1, ["The path contains a NUL.", "RFC 3986"]),
        (["-H", "Host: a b", "/"], 1, ["The request can't be read: 400", "RFC 9112 section 3.2"]),
        (["OPTIONS", "/"], 0, ["OPTIONS: no file is asked", "9.3.7"]),
        (["--spa", "/deep/page"], 0, ["By spa"]),
        (["--https-redirect=8443", "/a.txt"], 0, ["https://localhost:8443/a.txt"]),
        (["--health-path=/health", "/health"], 0, ["as health-path says", "200 OK"]),
    ],
)
def test_reasons(
    site: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    said: list[str],
) -> None:
    ended, out = explained(capsys, "--path", str(site), *arguments)
    for text in said:
        assert text in out
    assert ended == status
    assert "\x1b" not in out


def test_passwords_are_asked_and_not_shown(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    auth = f"/private={site.parent / 'passwords'}"
    options = ["--path", str(site), "--auth", auth, "--user", "me:hunter2"]
    status, out = explained(capsys, *options, "/private/x.html")
    assert status == 1
    assert "The password is wrong" in out
    assert "hunter2" not in out
    assert "bWU6" not in out


def test_other_hosts(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_tree(tmp_path / "other", {"b.txt": "b"})
    config = tmp_path / "t.toml"
    config.write_text(f'path = "{site}"\n[[hosts]]\nnames = ["b.org"]\npath = "{other}"\n')
    arguments = ["--config", str(config), "-H", "Host: B.org:80", "/b.txt"]
    status, out = explained(capsys, *arguments)
    assert status == 0
    assert "[[hosts]] 1 answers to B.org:80" in out


def test_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = explained(capsys, "--path", str(site), "--json", "/a.txt")
    told = json.loads(out)
    assert (status, told["status"]) == (0, 200)
    assert told["head"].startswith("HTTP/1.1 200 OK\r\n")
    assert told["steps"][0] == {
        "kind": "request",
        "title": "The request is read: GET /a.txt, HTTP/1.1",
        "lines": ["host: localhost"],
        "clause": "RFC 9112 section 3",
    }


def test_names_of_files_move_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsencode(tmp_path) + b"/\x1b[2J\xff.txt"
    with open(name, "wb") as file:
        file.write(b"x")
    status, out = explained(capsys, "--path", str(tmp_path), "/%1B[2J%FF.txt")
    assert status == 0
    assert "\x1b" not in out


def test_a_request_that_is_not_whole(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--path", str(site), "-H", "Content-Length: 5", "/"]
    status, out = explained(capsys, *arguments)
    assert status == 1
    assert "waits for the rest" in out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x"],
        ["POST", "/"],
        ["GET", "/", "/"],
        ["-H", "nonsense", "/"],
        ["--no-such-option", "/"],
        ["--path", "/nowhere/at/all", "/"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("tinyhttp explain: ")
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_colours() -> None:
    server_steps = account(Rehearsal())
    assert "\x1b[1m" in report(server_steps, b"", colours=True)[0]
    assert "\x1b" not in "".join(report(server_steps, b"", colours=False))


def test_it_is_a_command(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program(["explain", "--path", str(site), "/a.txt"])
    assert ended.value.code == 0
    assert "The answer: 200 OK" in capsys.readouterr().out


def refusals() -> set[str]:
    """Return the sentences that are given to `Refused` anywhere below."""
    found = set()
    for floor in ("core", "site", "server"):
        for source in (ROOT / "tinyhttp" / floor).glob("*.py"):
            for node in ast.walk(ast.parse(source.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                    detail = node.args[1]
                    if isinstance(detail, ast.Constant) and detail.value:
                        found.add(str(detail.value))
    return found


def test_every_refusal_has_its_clause() -> None:
    assert refusals() == set(CLAUSES)


def examples() -> list[tuple[str, str]]:
    """Return the commands in the documentation, with what it shows of them."""
    parts = (ROOT / "docs" / "explain.md").read_text().split("```console\n$ ")[1:]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1].split("```")[0]) for part in parts]


@pytest.mark.parametrize(("command", "shown"), examples(), ids=lambda v: v[:40])
def test_the_documentation(tmp_path: Path, command: str, shown: str) -> None:
    """What the page shows is what is printed, but for the date, in the site that it describes."""
    write_tree(
        tmp_path,
        {
            "index.html": "<h1>Home</h1>\n",
            "style.css": "body { margin: 0 }\n" * 100,
            "style.css.gz": "not gzip at all",
            "_redirects": "/blog/* /news/:splat\n/style.css /a.css 302\n/start /home.html 302\n",
            "_headers": "/*.css\n  Cache-Control: max-age=60\n",
        },
        mtime=1_577_836_800,
    )
    words = command.split(" ", 1)[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        f"{sys.executable} -m tinyhttp {words}",
        shell=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("Date: ")]
    assert lines == [line for line in shown.splitlines() if not line.startswith("Date: ")]
