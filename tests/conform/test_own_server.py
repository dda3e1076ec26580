"""Our own server passes all that is asked of others, and the command says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import WAYS, Running
from tinyhttp.__main__ import main as program
from tinyhttp.commands.conform import FAILED, PASSED, UNABLE, main
from tinyhttp.conform.cases import CASES
from tinyhttp.conform.judge import PASSED as RIGHT
from tinyhttp.conform.place import find_place
from tinyhttp.conform.report import VERSION
from tinyhttp.conform.runner import Pace, learn, run

from .wrong import response, serving

AT_ONCE = Pace(rate=10_000, total=60)
FAST = ["--rate", "10000"]


def url(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


def test_everything_passes(own_port: int) -> None:
    """What MAY be so as well: it is what we have chosen."""
    results = run(learn(find_place(url(own_port)), 5), CASES, AT_ONCE)
    assert [(r.case.id, r.reason) for r in results if r.verdict != RIGHT] == []
    assert [r.case for r in results] == list(CASES)


def test_everything_passes_below_a_path(own_port: int) -> None:
    subject = learn(find_place(url(own_port, "/deep/")), 5)
    results = run(subject, CASES, AT_ONCE)
    at_root = [r for r in results if r.case.at_root]
    assert {r.reason for r in at_root} == {"needs the kit at the root of the host"}
    wrong = [(r.case.id, r.reason) for r in results if not r.case.at_root and r.verdict != RIGHT]
    assert wrong == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests"),
            *("-keyout", str(path), "-out", f"{path}.crt"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl")
    with path.open("ab") as file:
        file.write(Path(f"{path}.crt").read_bytes())
    return path


def test_over_tls(certificate: Path, kit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listen = f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"
    command = [*WAYS["module"], "--listen", listen, "--path", str(kit), "--access-log", "none"]
    with Running(command, cwd=kit) as running:
        place = running.line(r"listening on (https://\S+)")[1]
        assert main([place, "--group", "line"]) == UNABLE
        assert "certificate verify failed" in capsys.readouterr().err
        chosen = ["--group", "line", "--group", "connection", "--group", "limit"]
        assert main([place, *FAST, *chosen, "--insecure", "--strict"]) == PASSED


def test_report(own_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url(own_port), *FAST, "--group", "host", "--case", "head-plain"]) == PASSED
    out = capsys.readouterr().out
    assert "(tinyhttp): 29 cases" in out
    assert "Host and target" in out
    assert "FAILED" not in out
    assert "Ranges" not in out


def test_json(own_port: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chosen = [url(own_port), *FAST, "--case", "range-first-octet"]
    assert main([*chosen, "--json", "-"]) == PASSED
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == VERSION
    assert document["totals"]["MUST"] == {"passed": 1, "failed": 0, "skipped": 0}
    assert list(document["groups"]) == ["range"]
    (case,) = document["cases"]
    assert case["id"] == "range-first-octet"
    assert case["verdict"] == "passed"
    assert case["sent"].startswith("GET /a.txt HTTP/1.1\\r\\nHost: 127.0.0.1:")
    assert case["received"].startswith("HTTP/1.1 206 ")
    assert case["statuses"] == [206]
    assert case["connection"] == "open"
    assert main([*chosen, "--json", str(tmp_path / "file")]) == PASSED
    assert "1 cases" in capsys.readouterr().out
    assert json.loads((tmp_path / "file").read_text())["cases"] == document["cases"]
    assert main([*chosen, "--json", str(tmp_path / "no" / "file")]) == UNABLE
    assert "No such file" in capsys.readouterr().err


def test_a_failure_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    def flaw(head: str, answer: bytes) -> bytes:
        return response(500, b"\x1b[31m") if "/none" in head else answer

    with serving(flaw) as port:
        assert main([url(port), *FAST, "--case", "path-none"]) == FAILED
        lines = capsys.readouterr().out.splitlines()
        assert main([url(port), *FAST, "--case", "connection-after-404"]) == PASSED
        assert main([url(port), *FAST, "--case", "connection-after-404", "--strict"]) == FAILED
        assert main([url(port), *FAST, "--case", "path-well-known"]) == PASSED
        assert "chosen path" not in capsys.readouterr().out
        assert main([url(port), *FAST, "--case", "path-well-known", "--all"]) == PASSED
        assert "chosen path-well-known" in capsys.readouterr().out
    begin = lines.index("FAILED path-none (MUST, RFC 9110 15.5.5): no such file")
    assert lines[begin + 1].startswith("  sent    GET /none HTTP/1.1\\r\\n")
    assert "\\x1b[31m" in lines[begin + 2]
    assert lines[begin + 3 : begin + 5] == ["  wrong   status 500", "  wanted  404"]


def test_without_the_kit(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda head, answer: response(404, b"") if "conform" in head else answer) as port:
        assert main([url(port), *FAST]) == UNABLE
        assert "does not serve the kit. Write it with --write-kit DIR" in capsys.readouterr().err
        assert main([url(port), *FAST, "--no-kit", "--group", "host"]) in (PASSED, FAILED)
    out = capsys.readouterr().out
    needless = [case for case in CASES if case.group == "host" and not case.kit]
    assert f"{len(needless)} cases" in out


def test_kit_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write-kit", str(tmp_path / "kit")]) == PASSED
    assert capsys.readouterr().out == f"Serve {tmp_path / 'kit' / 'www'}, and nothing above it.\n"
    (tmp_path / "file").write_bytes(b"")
    assert main(["--write-kit", str(tmp_path / "file")]) == UNABLE
    assert "tinyhttp conform: " in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == PASSED
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [case.id for case in CASES]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "URL is missing"),
        (["--group", "x", "--list"], "there is no 'x'; there are line, field"),
        (["--case", "x", "--list"], "there is no 'x'; --list names them"),
        (["http://192.0.2.1/"], "--i-may-test 192.0.2.1"),
        (["http://192.0.2.1/", "--i-may-test", "192.0.2.2"], "--i-may-test 192.0.2.1"),
        (["http://127.0.0.1/", "--connections", "0"], "no whole number from 1 to 64"),
        (["http://127.0.0.1/", "--connections", "\u0664"], "no whole number from 1 to 64"),
        (["http://127.0.0.1/", "--rate", "nan"], "no number from 0.1 to 10000"),
        (["http://127.0.0.1/", "--timeout", "x"], "no number from 0.1 to 60"),
        (["http://127.0.0.1/", "--nonsense"], "unrecognized"),
    ],
)
def test_wrong_calls(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == UNABLE
    assert why in capsys.readouterr().err


def test_help_and_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        program(["conform", "--help"])
    assert end.value.code == 0
    assert "Exit status" in capsys.readouterr().out


def test_progress_is_for_terminals(
    own_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [url(own_port), *FAST, "--group", "expect"]
    main(chosen)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(chosen)
    assert "\r6/6 expect-" in capsys.readouterr().err
