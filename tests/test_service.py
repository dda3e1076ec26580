"""Options, what is said of wrong ones, and the service that comes of right ones."""

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.plugin import getPlugins
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python._shellcomp import shellComplete
from zope.interface.verify import verifyObject

from tests.support import Client, FakeReactor, get, make_server, write_tree
from tinyhttp.server.listening import EveryAddress
from tinyhttp.server.server import Server
from tinyhttp.service import CannotStart, FileService, Options, makeService
from tinyhttp.settings import SETTINGS

QUANTITIES = {
    "head-timeout": 30, "idle-timeout": 95, "stall-timeout": 60, "linger-timeout": 5, "grace": 25,
    "shutdown-delay": 0,
    "max-request-line": 8192, "max-head": 32_768, "max-fields": 100, "max-body": 65_536,
    "cache-files": 4096, "cache-size": 67_108_864, "cache-descriptors": 256, "cache-misses": 1024,
}  # fmt: skip
EVERY_OPTION = {each.name for each in SETTINGS}


@pytest.fixture(autouse=True)
def no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's PORT decides about a test, nor any other setting."""
    for name in [
        name
        for name in os.environ
        if name in ("PORT", "WEB_CONCURRENCY") or name.startswith("TINYHTTP_")
    ]:
        monkeypatch.delenv(name)


def options(*arguments: str) -> Options:
    parsed = Options()
    parsed.parseOptions(list(arguments))
    return parsed


@pytest.mark.parametrize(
    ("rules", "out", "err"),
    [
        ("/a /b.html 301\n", "everything is as it should be", []),
        ("/a /b.html 301\n/a /c.html 302\n", "it would start", ["_redirects:2: "]),
    ],
)
def test_check_tells_what_would_be_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, out: str, err: list[str]
) -> None:
    write_tree(tmp_path, {"_redirects": rules})
    for _ in range(2):  # nothing is left that would tell it twice
        with pytest.raises(SystemExit) as ended:
            makeService(options("--check", f"--path={tmp_path}", "--port=0"))
        assert ended.value.code == 0
        said = capsys.readouterr()
        assert said.out == f"tinyhttp: {out}\n"
        lines = said.err.splitlines()
        assert len(lines) == len(err)
        for line, part in zip(lines, err, strict=True):
            assert line.startswith("tinyhttp: warning: ")
            assert part in line


@pytest.mark.parametrize("name", ["access-log", "manifest", "tls-cert", "listen"])
def test_no_value_holds_a_nul(name: str) -> None:
    said = complaint(f"--{name}=a\0b")
    assert said.startswith(f"--{name} '")
    assert said.endswith("a\\x00b': there is a NUL in it")


def complaint(*arguments: str) -> str:
    """Return the one line that is said about wrong ``arguments``, without its frame."""
    with pytest.raises(CannotStart) as caught:
        options(*arguments)
    (line,) = str(caught.value).splitlines()
    said = re.fullmatch(r"tinyhttp: (.*) \(--help lists the options\)", line)
    assert said is not None, line
    return said[1]


# Options.


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = options()
    assert parsed["path"] == str(tmp_path)
    assert parsed["endpoints"] == [8000]
    assert parsed["threads"] == 4
    assert parsed["access-log"] == "-"
    assert parsed["index"] == []
    assert parsed["mime-types"] == {}
    assert not parsed["hidden-files"]
    assert not parsed["follow-symlinks"]
    assert not parsed["plain-transport"]


def test_balancers(tmp_path: Path) -> None:
    parsed = options(
        "--proxy-from", "10.0.0.0/8, ::1", "--proxy-from", "unix", "--path", str(tmp_path)
    )  # fmt: skip
    assert parsed["proxy-from"] == ["10.0.0.0/8", "::1", "unix"]
    assert options()["proxy-from"] == []


@pytest.mark.parametrize("networks", ["", "everybody", "10.0.0.1/8", "10.0.0.0/8,", "1.2.3"])
def test_what_is_no_network(networks: str) -> None:
    line = complaint("--proxy-from", networks)
    assert line.startswith(f"--proxy-from {networks!r}: ")
    assert "wanted are networks such as 10.0.0.0/8" in line


@pytest.mark.parametrize(
    "endpoint", ["ssl:443", "tls:/certificates", "haproxy:tcp:80"], ids=["ssl", "tls", "haproxy"]
)
def test_the_header_comes_before_tls(endpoint: str) -> None:
    line = complaint("--proxy-from", "::1", "--listen", endpoint)
    assert line.startswith(f"--proxy-from does not go with {endpoint}: ")


@pytest.mark.parametrize("name", QUANTITIES)
def test_quantities(name: str) -> None:
    assert options()[name] == QUANTITIES[name]
    assert options(f"--{name}", "77777")[name] == 77_777


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("head-timeout", "0.5", 0.5),
        ("grace", "0", 0),
        ("idle-timeout", "999999.999", 999_999.999),
        ("max-head", "64K", 65_536),
        ("max-head", "64k", 65_536),
        ("max-head", "64KiB", 65_536),
        ("cache-size", "2G", 2_147_483_648),
        ("cache-size", "1MiB", 1_048_576),
        ("max-body", "0", 0),
    ],
)
def test_how_quantities_are_written(name: str, text: str, value: float) -> None:
    assert options(f"--{name}", text)[name] == value


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("head-timeout", "0", "a number of seconds, such as 30 or 0.5, is wanted, 0.5 at least"),
        ("grace", "-1", "a number of seconds, such as 30 or 0.5, is wanted, 0 at least"),
        ("idle-timeout", "1e3", "a number of seconds, such as 30 or 0.5, is wanted, 0.5 at least"),
        ("idle-timeout", "inf", "a number of seconds, such as 30 or 0.5, is wanted, 0.5 at least"),
        ("idle-timeout", "30s", "a number of seconds, such as 30 or 0.5, is wanted, 0.5 at least"),
        ("max-head", "127", "a number of octets, such as 65536 or 64K, is wanted, 128 at least"),
        ("max-head", "64T", "a number of octets, such as 65536 or 64K, is wanted, 128 at least"),
        ("max-head", "1.5K", "a number of octets, such as 65536 or 64K, is wanted, 128 at least"),
        ("cache-size", "", "a number of octets, such as 65536 or 64K, is wanted, 0 at least"),
        ("max-fields", "0", "a number is wanted, 1 at least"),
        ("max-fields", "1K", "a number is wanted, 1 at least"),
        ("cache-files", "\u0664", "a number is wanted, 1 at least"),
    ],
)
def test_what_is_no_quantity(name: str, text: str, wanted: str) -> None:
    assert complaint(f"--{name}", text) == f"--{name} {text!r}: {wanted}"


def test_quantities_reach_the_server(tmp_path: Path) -> None:
    chosen = {name: str(number) for number, name in enumerate(QUANTITIES, 200)}
    arguments = [part for name, text in chosen.items() for part in (f"--{name}", text)]
    with made("--path", str(tmp_path), "--threads", "0", "--access-log", "none", *arguments) as s:
        server: Server = s._server
        times, sizes = server.timeouts, server.limits
        assert [times.head, times.idle, times.stall, times.linger] == [200, 201, 202, 203]
        assert [s._grace, s._delay] == [204, 205]
        assert [sizes.request_line, sizes.head, sizes.fields, sizes.body] == [206, 207, 208, 209]
        site: Any = server.site
        assert [site._small._entries, site._small._limit] == [210, 211]
        assert [site._large._limit, site._others._entries] == [212, 213]


@pytest.mark.parametrize("backlog", ["", "-1", "65536", "many"])
def test_what_is_no_backlog(backlog: str) -> None:
    assert complaint("--backlog", backlog).startswith(f"--backlog {backlog!r}: a number")


def test_every_option_is_taken(tmp_path: Path) -> None:
    parsed = options(
        "--port", "8080", "--listen", "unix:/a", "--listen", "unix:/b", "--path", str(tmp_path),
        "--index", "a.html", "--index", "b.html", "--threads", "0", "--access-log", "none",
        "--mime-type", "Log=text/plain", "--mime-type", ".x=a/b", "--hidden-files",
        "--follow-symlinks", "--plain-transport",
    )  # fmt: skip
    assert parsed["endpoints"] == ["unix:/a", "unix:/b", 8080]
    assert parsed["path"] == str(tmp_path)
    assert parsed["index"] == ["a.html", "b.html"]
    assert parsed["threads"] == 0
    assert parsed["access-log"] == "none"
    assert parsed["mime-types"] == {b"log": b"text/plain; charset=utf-8", b"x": b"a/b"}
    assert parsed["hidden-files"]
    assert parsed["follow-symlinks"]
    assert parsed["plain-transport"]


@pytest.mark.parametrize(
    ("port", "endpoint"),
    [
        ("0", 0),
        ("1", 1),
        ("65535", 65535),
        ("0080", 80),
        ("tcp:80:interface=127.0.0.1", "tcp:80:interface=127.0.0.1"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
    ],
)
def test_port_is_a_number_or_an_endpoint(port: str, endpoint: int | str) -> None:
    assert options("--port", port)["endpoints"] == [endpoint]


@pytest.mark.parametrize(
    "port", ["", "65536", "99999", "-1", "+1", "1_0", " 80", "80 ", "0x50", "http", "\u0661",
             "9" * 99],
)  # fmt: skip
def test_port_is_nothing_else(port: str) -> None:
    assert complaint("--port", port) == f"--port {port!r}: a number from 0 to 65535 is wanted"


def test_the_environment_names_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5000")
    assert options()["endpoints"] == [5000]


def test_the_environment_may_name_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "tcp:5000:interface=127.0.0.1")
    assert options()["endpoints"] == ["tcp:5000:interface=127.0.0.1"]


@pytest.mark.parametrize("port", ["", "65536", "web"])
def test_a_wrong_port_in_the_environment_is_told_apart(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", port)
    assert complaint() == f"the environment's PORT {port!r}: a number from 0 to 65535 is wanted"


@pytest.mark.parametrize("port", ["5000", "nonsense"])
def test_options_go_before_the_environment(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", port)
    assert options("--port", "8080")["endpoints"] == [8080]
    assert options("--listen", "unix:/a")["endpoints"] == ["unix:/a"]


def test_listen_alone_opens_no_default_port() -> None:
    assert options("--listen", "unix:/a")["endpoints"] == ["unix:/a"]


@pytest.mark.parametrize("threads", ["", "-1", "1001", "many", "2.0", "\u0662"])
def test_threads_is_a_number(threads: str) -> None:
    assert complaint("--threads", threads) == (
        f"--threads {threads!r}: a number from 0 to 1000 is wanted"
    )


@pytest.mark.parametrize("name", ["", "a/b", "/", "a\0b", ".", ".."])
def test_an_index_is_a_name(name: str) -> None:
    assert complaint("--index", name) == (
        f"--index {name!r}: a file name is wanted, without a slash"
    )


@pytest.mark.parametrize(
    ("rule", "extension", "value"),
    [
        ("log=text/plain", b"log", b"text/plain; charset=utf-8"),
        (".log=text/plain", b"log", b"text/plain; charset=utf-8"),
        ("LOG=text/plain", b"log", b"text/plain; charset=utf-8"),
        ("log=text/plain; charset=koi8-r", b"log", b"text/plain; charset=koi8-r"),
        ("x=application/vnd.x+json", b"x", b"application/vnd.x+json"),
        ("\u00e9=a/b", "\u00e9".encode(), b"a/b"),
    ],
)
def test_a_media_type(rule: str, extension: bytes, value: bytes) -> None:
    assert options("--mime-type", rule)["mime-types"] == {extension: value}


@pytest.mark.parametrize(
    "rule",
    [
        "", "log", "=text/plain", "log=", "log=text", "log=text/", "log=/plain", "log=text/plain/x",
        "log= text/plain", "a/b=text/plain", "a b=text/plain", "tar.gz=text/plain",
        "log=t\u00e9xt/x", "log=text/plain\r\nX: y", "log=text/plain;\r\nX: y",
        "log=text/plain;\u00e9",
    ],
)  # fmt: skip
def test_a_media_type_is_complete_and_fit_for_a_field(rule: str) -> None:
    assert complaint("--mime-type", rule) == (
        f"--mime-type {rule!r}: EXT=TYPE is wanted, such as log=text/plain"
    )


def test_an_extension_that_is_not_utf_8_is_taken() -> None:
    """File names are octets; Python hands the odd ones over as surrogates."""
    rule = os.fsdecode(b"\xff=text/x")
    assert options("--mime-type", rule)["mime-types"] == {b"\xff": b"text/x; charset=utf-8"}


def test_the_directory_is_named() -> None:
    """As with a variable of the shell that is not set; the current one might hold anything."""
    assert complaint("--path", "") == "--path '': a directory is wanted, not nothing"


def test_the_directory_is_there(tmp_path: Path) -> None:
    assert complaint("--path", f"{tmp_path}/missing") == (
        f"--path '{tmp_path}/missing': there is no such directory"
    )


def test_the_directory_is_one(tmp_path: Path) -> None:
    write_tree(tmp_path, {"file": b""})
    assert complaint("--path", f"{tmp_path}/file") == (
        f"--path '{tmp_path}/file': that is not a directory"
    )


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody without root's rights for a while; who is not root is so already."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody but root may enter, in one that everybody may."""
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    path = tmp_path / "private"
    path.mkdir(0)
    yield path
    path.chmod(0o700)


def test_the_directory_can_be_read(private: Path) -> None:
    with as_nobody():
        assert complaint("--path", str(private)) == (
            f"--path '{private}': that directory can't be read"
        )


@pytest.mark.parametrize("mode", [0o444, 0o111])
def test_half_the_rights_are_not_enough(mode: int, private: Path) -> None:
    """Without x no file can be opened; without r a directory is probably not meant to be seen."""
    private.chmod(mode)
    with as_nobody():
        assert complaint("--path", str(private)).endswith(": that directory can't be read")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wheels"], "option --wheels not recognized"),
        (["--pathes=."], "option --pathes not recognized; did you mean --path?"),
        (["--no-path"], "option --no-path not recognized; did you mean --path?"),
        (["--port"], "option --port requires argument"),
        (["--hidden-files=yes"], "option --hidden-files must not have an argument"),
        (["--root=."], "option --root not recognized; --path is meant for that"),
        (["one", "two"], "one directory is wanted, not 2: one two"),
        (["one", "--pathes=."], "option --pathes not recognized; did you mean --path?"),
        (["--path=.", "one"], "'one': --path says already what to serve"),
    ],
)
def test_mistakes_of_form(arguments: list[str], said: str) -> None:
    assert complaint(*arguments) == said


@pytest.mark.parametrize(
    "arguments",
    [
        ["site"],
        ["site", "--port", "80", "--listing"],
        ["--listing", "--port=80", "site"],
        ["--port", "80", "--no-listing", "--", "site"],
    ],
)
def test_the_directory_may_stand_anywhere(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    parsed = Options(str(tmp_path))
    parsed.parseOptions(arguments)
    assert parsed["path"] == str(tmp_path / "site")
    assert parsed["listing"] == ("--listing" in arguments)
    assert parsed["endpoints"] == [80 if len(arguments) > 1 else 8000]
    assert parsed.again()["path"] == parsed["path"]


def test_help_mentions_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--help")
    assert not caught.value.code
    text = capsys.readouterr().out
    named = set(re.findall(r"^ +--([a-z-]+)", text, re.MULTILINE))
    assert named == EVERY_OPTION | {"help", "version", "config", "check", "print-config"}
    assert "Serves the files of a directory over HTTP/1.1." in text
    # Every one with a description beside it.
    assert not re.search(r"^ +--[a-z-]+=?\s*$", text, re.MULTILINE)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--version")
    assert caught.value.code == 0
    assert re.fullmatch(r"tinyhttp \d+\.\d+\.\d+, Twisted \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_every_option_with_a_value_can_be_completed() -> None:
    flags = {each.name for each in SETTINGS if each.flag}
    assert set(Options.compData.optActions) == EVERY_OPTION - flags | {"config"}
    assert set(Options.compData.multiUse) == {each.name for each in SETTINGS if each.several}


def test_zsh_completes_every_option() -> None:
    file = BytesIO()
    shellComplete(Options(), "tinyhttp", ["", "zsh:2"], file)
    script = file.getvalue().decode()
    assert script.startswith("#compdef tinyhttp\n")
    completed = set(re.findall(r"--([a-z-]+)=?\[", script))
    assert completed >= EVERY_OPTION
    assert "_directories" in next(line for line in script.splitlines() if "--path=" in line)
    assert "_files" in next(line for line in script.splitlines() if "--access-log=" in line)


# The exception.


def test_cannot_start_ends_the_process_with_one_line() -> None:
    error = CannotStart("the reason")
    assert isinstance(error, SystemExit)
    assert error.code == "tinyhttp: the reason"  # printed by Python, with status 1


def test_cannot_start_is_caught_as_an_ordinary_exception() -> None:
    """By twistd, which passes it on from the daemon to the terminal."""
    error = CannotStart("the reason")
    assert isinstance(error, Exception)
    assert str(error) == "tinyhttp: the reason"


# makeService.


@contextmanager
def made(*arguments: str) -> Iterator[FileService]:
    """Give a service that is not started, and release what it holds."""
    service = makeService(options(*arguments))
    try:
        yield service
    finally:
        service._server.site.close()


def refusal(*arguments: str) -> str:
    """Return why no service is made of ``arguments``, which parse."""
    parsed = options(*arguments)
    with pytest.raises(CannotStart) as caught:
        makeService(parsed)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("tinyhttp: ")
    return line.removeprefix("tinyhttp: ")


def test_the_service_is_one(tmp_path: Path) -> None:
    with made("--path", str(tmp_path), "--access-log", "none") as service:
        assert verifyObject(IService, service)


def test_the_options_reach_the_server(tmp_path: Path) -> None:
    root = write_tree(
        tmp_path / "root", {"start.log": b"A log.", ".hidden/start.log": b"A secret."}
    )
    write_tree(tmp_path, {"outside": b"Elsewhere."})
    (root / "link").symlink_to("../outside")
    arguments = [
        "--path", str(root), "--index", "start.log", "--mime-type", "log=text/x-log",
        "--hidden-files", "--follow-symlinks", "--threads", "0", "--access-log", "none",
    ]  # fmt: skip
    with made(*arguments) as service:
        client = Client(service._server)
        client.send(get("/") + get("/.hidden/") + get("/link", "Connection: close"))
        index, hidden, link = client.answers()
    assert (index.body, index["Content-Type"]) == (b"A log.", "text/x-log; charset=utf-8")
    assert hidden.body == b"A secret."
    assert link.body == b"Elsewhere."


def test_without_the_options_nothing_is_given_away(tmp_path: Path) -> None:
    root = write_tree(
        tmp_path / "root", {"index.html": b"A page.", ".hidden/index.html": b"A secret."}
    )
    write_tree(tmp_path, {"outside": b"Elsewhere."})
    (root / "link").symlink_to("../outside")
    with made("--path", str(root), "--threads", "0", "--access-log", "none") as service:
        client = Client(service._server)
        client.send(get("/") + get("/.hidden/") + get("/link", "Connection: close"))
        assert [answer.status for answer in client.answers()] == [200, 404, 404]


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("nonsense:1", "Unknown endpoint type: 'nonsense'"),
        ("tcp:http", "invalid literal for int() with base 10: 'http'"),
        ("", "Unknown endpoint type: ''"),
        ("8001", "Unknown endpoint type: '8001'"),
        ("tcp:80:colour=red", "_parseTCP() got an unexpected keyword argument 'colour'"),
    ],
)
def test_an_endpoint_that_is_none(endpoint: str, why: str, tmp_path: Path) -> None:
    assert refusal("--path", str(tmp_path), "--listen", endpoint) == (
        f"endpoint {endpoint!r} is not understood: {why}"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        *("tcp:65536", "tcp:-1", "tcp:999999999", "tcp:port=65536", "tcp:port=-1"),
        *("tcp:70000:interface=127.0.0.1", "tcp6:65536", "tcp6:port=65536", "ssl:65536"),
        "ssl:port=65536:privateKey=key.pem",
    ],
)
@pytest.mark.parametrize("option", ["--port", "--listen"])
def test_the_port_of_an_endpoint_is_one(option: str, endpoint: str, tmp_path: Path) -> None:
    """Before anything is opened; the system's own words come late and are harder to read."""
    assert refusal("--path", str(tmp_path), option, endpoint) == (
        f"endpoint {endpoint!r}: a port from 0 to 65535 is wanted"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        *("tcp:0", "tcp:65535", "tcp:port=65535", "tcp:8000:interface=127.0.0.1"),
        *("tcp6:0", "tcp6:65535", "unix:70000", "unix:/run/tcp:70000"),
    ],
)
def test_a_port_that_is_one_and_names_that_are_none(endpoint: str, tmp_path: Path) -> None:
    with made("--path", str(tmp_path), "--listen", endpoint, "--access-log", "none") as service:
        assert list(service._endpoints) == [endpoint]


def test_an_access_log_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "access.log"
    assert refusal("--path", str(tmp_path), "--access-log", str(path)) == (
        f"--access-log {path}: No such file or directory"
    )


def test_an_access_log_that_is_a_directory(tmp_path: Path) -> None:
    assert refusal("--path", str(tmp_path), "--access-log", str(tmp_path)) == (
        f"--access-log {tmp_path}: Is a directory"
    )


def test_an_access_log_that_may_not_be_written(private: Path) -> None:
    private.chmod(0o755)
    log = private / "access.log"
    log.touch(0o444)
    with as_nobody():
        assert refusal("--path", str(private), "--access-log", str(log)) == (
            f"--access-log {log}: Permission denied"
        )


def test_a_directory_that_goes_away_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.mkdir()
    parsed = options("--path", str(path), "--access-log", "none")
    path.rmdir()
    with pytest.raises(CannotStart, match=f"tinyhttp: --path {path}: No such file or directory"):
        makeService(parsed)


def test_what_is_served_is_logged(tmp_path: Path) -> None:
    with (
        capturedLogs() as events,
        made("--path", str(tmp_path), "--index", "a", "--index", "b", "--access-log", "none"),
    ):
        assert [formatEvent(event) for event in events] == [
            f"tinyhttp serves {tmp_path}; index: a, b; threads: 4; access log: none"
        ]


# The service at work.


class Reactor(FakeReactor):
    """A reactor that runs once told so."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0
        self._waiting: list[Callable[[], None]] = []

    def callWhenRunning(self, function: Callable[[], None]) -> None:
        self._waiting.append(function)

    def run(self) -> None:
        for function in self._waiting:
            function()

    def stop(self) -> None:
        self.stops += 1


class Port:
    """An open port at ``address``."""

    def __init__(self, address: IAddress):
        self._address = address
        self.open = True

    def getHost(self) -> IAddress:
        return self._address

    def stopListening(self) -> Deferred[None]:
        self.open = False
        return succeed(None)


class WrappingPort(Port):
    """One that puts ``factory`` between itself and the server."""

    def __init__(self, address: IAddress, factory: Factory):
        super().__init__(address)
        self.factory = factory


class Endpoint:
    """An endpoint that does as it is told, and counts."""

    def __init__(self, result: Deferred[Any]):
        self.factories: list[object] = []
        self._result = result

    def listen(self, factory: object) -> Deferred[Any]:
        self.factories.append(factory)
        return self._result


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers as a reactor sets them, and as they were afterwards."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda number, frame: None)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Stage:
    """A service with what it stands on."""

    def __init__(self, root: Path, *results: Deferred[Any], plain: bool = True):
        self.reactor = Reactor()
        self.server: Server = make_server(root, self.reactor)
        self.endpoints = [Endpoint(result) for result in results]
        named: Any = {f"endpoint {n}": each for n, each in enumerate(self.endpoints)}
        self.service = FileService(self.reactor, self.server, named, plain_transport=plain)


def said(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events]


def test_it_listens_once_with_its_server(tmp_path: Path) -> None:
    port = Port(IPv4Address("TCP", "127.0.0.1", 80))
    stage = Stage(tmp_path, succeed(port))
    with capturedLogs() as events:
        stage.service.privilegedStartService()
        stage.service.startService()
        assert said(events) == []
        stage.reactor.run()
    assert stage.endpoints[0].factories == [stage.server]
    assert said(events) == ["listening on http://127.0.0.1:80/"]


def test_a_port_that_keeps_its_transport_is_told(tmp_path: Path) -> None:
    """Unless that is what was asked for: see the test before this one."""
    stage = Stage(tmp_path, succeed(Port(IPv4Address("TCP", "127.0.0.1", 80))), plain=False)
    with capturedLogs() as events:
        stage.service.startService()
        stage.reactor.run()
    assert said(events) == [
        "Twisted's own transport is used, which is slower: "
        "Port is not a kind of port that is known here",
        "listening on http://127.0.0.1:80/",
    ]


@pytest.mark.parametrize(
    ("factory", "line"),
    [
        (
            TLSMemoryBIOFactory(CertificateOptions(), False, Factory()),
            "listening on https://127.0.0.1:443/",
        ),
        (WrappingFactory(Factory()), "listening on http://127.0.0.1:443/"),
    ],
    ids=["TLS", "something else"],
)
def test_a_port_with_something_in_between(factory: Factory, line: str, tmp_path: Path) -> None:
    port = WrappingPort(IPv4Address("TCP", "127.0.0.1", 443), factory)
    stage = Stage(tmp_path, succeed(port))
    with capturedLogs() as events:
        stage.service.startService()
        stage.reactor.run()
    assert said(events) == [line]


def test_every_port_is_logged_in_order(tmp_path: Path) -> None:
    ports = [succeed(Port(IPv4Address("TCP", "127.0.0.1", number))) for number in (80, 81)]
    stage = Stage(tmp_path, *ports)
    with capturedLogs() as events:
        stage.service.startService()
        stage.reactor.run()
    assert said(events) == [
        "listening on http://127.0.0.1:80/",
        "listening on http://127.0.0.1:81/",
    ]


def test_it_listens_without_the_privileged_start_too(tmp_path: Path) -> None:
    """As under a parent that is started already."""
    stage = Stage(tmp_path, succeed(Port(IPv4Address("TCP", "127.0.0.1", 80))))
    stage.service.startService()
    assert stage.endpoints[0].factories == [stage.server]


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (IPv4Address("TCP", "127.0.0.1", 80), "listening on http://127.0.0.1:80/"),
        (IPv4Address("TCP", "0.0.0.0", 80), "listening on http://0.0.0.0:80/"),
        (IPv6Address("TCP", "::1", 80), "listening on http://[::1]:80/"),
        (
            IPv6Address("TCP", "::", 80),
            "listening on port 80 of every address (http://localhost:80/)",
        ),
        (UNIXAddress(b"/run/a.sock"), "listening on unix:/run/a.sock"),
        (UNIXAddress(None), "listening on unix:?"),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
def test_the_address_is_logged_when_it_is_bound(
    address: IAddress, line: str, late: bool, tmp_path: Path
) -> None:
    """And when the reactor runs: whoever reads the line may send a signal, which is heeded."""
    listening: Deferred[Port] = Deferred()
    stage = Stage(tmp_path, listening)
    with capturedLogs() as events:
        if not late:
            listening.callback(Port(address))
        stage.service.startService()
        assert said(events) == []
        stage.reactor.run()
        if late:
            assert said(events) == []
            listening.callback(Port(address))
    assert said(events) == [line]


def test_a_port_in_use_stops_the_start(tmp_path: Path) -> None:
    in_use = CannotListenError("127.0.0.1", 80, OSError(98, "Address already in use"))
    stage = Stage(tmp_path, fail(in_use))
    with pytest.raises(CannotStart) as caught:
        stage.service.privilegedStartService()
    assert str(caught.value) == "tinyhttp: can't listen on endpoint 0: Address already in use"


def test_the_endpoint_that_can_not_listen_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/missing/socket"
    arguments = ["--path", str(tmp_path), "--listen", path, "--access-log", "none"]
    with made(*arguments) as service, pytest.raises(CannotStart) as caught:
        service.privilegedStartService()
    assert str(caught.value) == f"tinyhttp: can't listen on {path}: No such file or directory"


def test_an_endpoint_that_fails_later_ends_the_service(tmp_path: Path) -> None:
    listening: Deferred[Port] = Deferred()
    stage = Stage(tmp_path, listening)
    stage.service.startService()
    with capturedLogs() as events:
        listening.errback(OSError(13, "Permission denied"))
    assert "can't listen on endpoint 0: Permission denied" in said(events)
    assert stage.reactor.stops == 1


def test_it_closes_its_ports_and_waits_for_its_connections(tmp_path: Path) -> None:
    write_tree(tmp_path, {"large.bin": bytes(1_000_000)})
    ports = [Port(IPv4Address("TCP", "127.0.0.1", number)) for number in (80, 81)]
    stage = Stage(tmp_path, *(succeed(port) for port in ports))
    stage.service.startService()
    client = Client(stage.server, room=1000).send(get("/large.bin"))
    ended = stage.service.stopService()
    assert not any(port.open for port in ports)
    assert not ended.called
    client.transport.client_reads()
    (answer,) = client.answers()
    assert answer.body == bytes(1_000_000)
    assert ended.called


def test_patience_with_connections_has_an_end(tmp_path: Path) -> None:
    """It is less than the 30 s after which supervisors kill."""
    write_tree(tmp_path, {"large.bin": bytes(1_000_000)})
    stage = Stage(tmp_path)
    stage.service.startService()
    client = Client(stage.server, room=1000).send(get("/large.bin"))
    ended = stage.service.stopService()
    stage.reactor.pump([1] * 24)
    assert not ended.called
    stage.reactor.pump([1] * 5)
    assert ended.called
    assert client.transport.aborted


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_once(number: signal.Signals, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.service.startService()
    stage.reactor.run()
    for _ in range(3):
        signal.raise_signal(number)
    assert stage.reactor.stops == 1


@pytest.mark.usefixtures("signals")
def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """As ``nohup`` and shells ask for in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stage = Stage(tmp_path)
    stage.service.startService()
    stage.reactor.run()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_number_listens_on_every_address(tmp_path: Path) -> None:
    with made("--path", str(tmp_path), "--port", "8080", "--access-log", "none") as service:
        ((name, endpoint),) = service._endpoints.items()
        assert name == "port 8080"
        assert isinstance(endpoint, EveryAddress)


def test_twistd_finds_the_plugin() -> None:
    from twisted.application.service import IServiceMaker

    (plugin,) = [p for p in getPlugins(IServiceMaker) if p.tapname == "tinyhttp"]
    assert verifyObject(IServiceMaker, plugin)
    assert plugin.options is Options
    assert plugin.makeService is makeService
