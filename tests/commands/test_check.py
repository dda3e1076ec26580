"""``tinyhttp check``: what it finds in sites that are wrong, and that it says nothing of others."""

import gzip
import json
import os
import socket
import time
from pathlib import Path

import pytest

from tests.certificates import write_pair
from tests.support import open_descriptors, write_tree
from tinyhttp.__main__ import main as program
from tinyhttp.commands.check import main
from tinyhttp.commands.findings import ERROR, NOTE, WARNING, Findings

GOOD = {"index.html": "<p>home", "a.txt": "a" * 500}

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")


def checked(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = main([str(each) for each in arguments])
    captured = capsys.readouterr()
    assert captured.err == ""
    return status, captured.out


def test_a_good_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, {**GOOD, "a.txt.gz": gzip.compress(b"a" * 500)})
    before = open_descriptors()
    assert checked(capsys, tmp_path) == (0, "1 directories, 3 files: nothing to tell\n")
    assert checked(capsys, "--quiet", tmp_path) == (0, "")
    assert open_descriptors() == before


def test_it_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, GOOD)
    with pytest.raises(SystemExit) as ended:
        program(["check", str(tmp_path)])
    assert ended.value.code == 0
    assert "nothing to tell" in capsys.readouterr().out


RULES: list[tuple[str, int, str]] = [
    ("/x /index.html 200\n/y / 301\n", 0, ""),
    ("/x /nowhere 200\n", 1, "_redirects:1: there is no file /nowhere for it to give"),
    ("/x /nowhere 404\n", 1, "_redirects:1: there is no file /nowhere for it to give"),
    ("# one\n\n/x /nowhere 301\n", 1, "_redirects:3: leads to /nowhere, which is answered 404"),
    ("/x /y 301\n/y /nowhere 301\n", 1, "_redirects:1: leads to /y, which is answered 404"),
    ("/x/* /nowhere/:splat 301\n", 0, ""),
    ("/x/* /nowhere 301\n", 1, "_redirects:1: leads to /nowhere"),
    ("/x https://example.org/ 301\n", 0, ""),
    ("/x q=:q /nowhere 301\n", 1, "_redirects:1: leads to /nowhere"),
    ("/x /a.txt#part 301\n", 0, ""),
    ("/x /a.txt?q 301\n", 0, ""),
    ("/x /sub 301\n", 0, ""),
    ("/x /_headers 301\n", 1, "_redirects:1: leads to /_headers, which is answered 404"),
    ("/a.txt / 301\n", 0, "_redirects:1: never used, as there is a file at /a.txt; 301! would go"),
    ("/sub / 301\n", 0, "never used, as there is a file at /sub"),
    ("/a.txt / 301!\n", 0, ""),
    ("/x /y 301!\n/y /x 301!\n", 1, "redirects go in circles"),
    ("/x nonsense\n", 1, "_redirects:1"),
]


@pytest.mark.parametrize(("rules", "status", "said"), RULES)
def test_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, status: int, said: str
) -> None:
    write_tree(tmp_path, {**GOOD, "sub/index.html": "s", "_redirects": rules, "_headers": ""})
    ended, out = checked(capsys, tmp_path)
    assert ended == status
    assert said in out
    if not said:
        assert "rules:" not in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--error-page=404=/no.html"], "error-page 404=/no.html: there is no such file"),
        (["--auth=/x=/no/such/file"], "/no/such/file: No such file or directory"),
        (["--tls-cert=/no/such/file"], "/no/such/file"),
        (["--auth=/x=env", "--auth=/X=env"], "protected twice"),
        (["--manifest=/no/such/file"], "--manifest /no/such/file: No such file or directory"),
    ],
)
def test_what_keeps_a_server_from_starting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    write_tree(tmp_path, GOOD)
    status, out = checked(capsys, *options, tmp_path)
    assert status == 1
    assert said in out


def test_rules_behind_https_and_passwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What comes before the rules does not hide where they lead."""
    rules = {"_redirects": "/x /nowhere 301\n/y /a.txt 301\n"}
    write_tree(tmp_path / "site", {**GOOD, **rules})
    (tmp_path / "passwords").write_text(
        "me:$2b$04$abcdefghijklmnopqrstuuJpEgmSq/3RD7LEuyEOyfUzwbWvnHQ6K\n"
    )
    auth = f"--auth=/={tmp_path / 'passwords'}"
    options = ["--https-redirect=443", "--canonical-host=x.org", auth]
    status, out = checked(capsys, *options, tmp_path / "site")
    assert status == 1
    assert out.count("leads to") == 1


def test_a_hostile_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(
        tmp_path / "site",
        {
            "page.html": "<p>" * 100,
            "page.html.gz": b"no gzip",
            "old.css": "b" * 400,
            "old.css.gz": gzip.compress(b"a" * 400),
            "bare/x.txt": "x",
            "sub/_redirects": "/a /b\n",
            "data.weird": "d",
            "LICENSE": "l",
            ".git/config": "hidden",
            "about.html": "a",
            "about": "b",
        },
    )
    (root / "dangling").symlink_to("nowhere")
    (root / "outside").symlink_to(tmp_path)
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "round").symlink_to("round")
    (root / "inside").symlink_to("bare")
    os.mkfifo(root / "fifo")
    with open(os.fsencode(root) + b"/\x1b[2J\xff.txt", "wb"):
        pass
    status, out = checked(capsys, "--clean-urls", root)
    assert status == 1
    assert out == GOLDEN


GOLDEN = """\
names: 2 warnings, 1 note
  warning: about.html: clean-urls sends who asks for it to a name that is taken
  warning: sub/_redirects: rules are read at the root alone
  note: \\x1b[2J\\xff.txt: not UTF-8; links have to escape its octets
links: 4 warnings
  warning: dangling: leads nowhere
  warning: outside: a symbolic link leads out of the root, and is not served
  warning: passwd: a symbolic link leads out of the root, and is not served
  warning: round: too many symbolic links, and is not served
files: 1 warning
  warning: fifo: neither file nor directory, and not served
sidecars: 2 errors
  error: old.css.gz: does not hold what its file does, and is sent for it
  error: page.html.gz: does not hold what its file does, and is sent for it
directories: 1 warning, 2 notes
  warning: / has no index
  note: /bare/ has no index, and listing is off
  note: /sub/ has no index, and listing is off
media types: 1 note
  note: 4 served as application/octet-stream: without extension (3), .weird (1); mime-type names \
their type
3 directories, 11 files: 2 errors, 8 warnings, 4 notes
"""


@as_user
def test_what_can_not_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, {**GOOD, "closed/x.txt": "x", "b.txt": "b"})
    (tmp_path / "b.txt").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        status, out = checked(capsys, tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert status == 1
    assert "b.txt: can't be read: Permission denied" in out
    assert "closed/: the directory can't be read: Permission denied" in out


def test_names_that_are_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, {**GOOD, "a" * 200 + "/" + "b" * 200: "x"})
    status, out = checked(capsys, "--max-request-line=300", "--strict", tmp_path)
    assert status == 1
    assert "can't be asked for within max-request-line" in out
    assert checked(capsys, "--max-request-line=300", tmp_path)[0] == 0


def test_sockets_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, GOOD)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert "s: neither file nor directory" in checked(capsys, tmp_path)[1]


def test_many_of_a_kind_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, GOOD)
    for number in range(30):
        (tmp_path / f"l{number:02}").symlink_to("nowhere")
    out = checked(capsys, "--most=3", tmp_path)[1]
    assert out.count("leads nowhere") == 3
    assert "warning: and 27 more" in out
    told = json.loads(checked(capsys, "--most=3", "--json", tmp_path)[1])
    assert told["warnings"] == 30
    assert [each["count"] for each in told["groups"]["links"]] == [30]
    assert len(told["groups"]["links"][0]["first"]) == 3


def test_every_host_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path / "one", GOOD)
    write_tree(tmp_path / "two", {**GOOD, "_redirects": "/x /nowhere 301\n"})
    config = tmp_path / "t.toml"
    config.write_text('path = "one"\n[[hosts]]\nnames = ["b.org"]\npath = "two"\n')
    status, out = checked(capsys, "--config", config)
    assert status == 1
    assert "leads to /nowhere" in out
    assert "2 directories, 5 files" in out


def test_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path / "site", GOOD)
    pair = write_pair(tmp_path, now=time.time())
    arguments = ["--tls-cert", pair.certificate, "--tls-key", pair.key, tmp_path / "site"]
    status, out = checked(capsys, *arguments)
    assert status == 0
    assert "note: " in out
    assert "good until" in out
    write_pair(tmp_path, now=time.time(), age=81, days=9)
    assert "warning: " in checked(capsys, *arguments)[1]
    write_pair(tmp_path, now=time.time(), days=-0.5)
    status, out = checked(capsys, *arguments)
    assert status == 1
    assert "it has expired" in out


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-option"], ["a", "b"], ["--most=x"], ["--config=/no/such/file"], ["/no/such"]],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("tinyhttp check: ")
    assert len(captured.err.splitlines()) == 1


def test_findings_are_counted_and_cut() -> None:
    findings = Findings(2)
    for number in range(5):
        findings.add("g", NOTE, str(number))
    findings.add("g", ERROR, "bad")
    assert list(findings.groups()) == [("g", [(ERROR, 1, ["bad"]), (NOTE, 5, ["0", "1"])])]
    assert findings.summary() == "1 error, 5 notes"
    assert findings.count(WARNING) == 0
