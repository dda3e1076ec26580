"""The command line, the environment and the file: who is heard, and what is said of mistakes."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_service import complaint, no_port, options  # noqa: F401 (a fixture)
from tinyhttp.configuration import Mistake, environment, file
from tinyhttp.options import Options
from tinyhttp.settings import SETTINGS, Setting, named

HERE = "/srv"


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """Return a function that writes a configuration file and gives its path."""

    def write(text: str | bytes) -> str:
        path = tmp_path / "tinyhttp.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


# Who is heard.


def test_the_file_is_heard(config: Any) -> None:
    parsed = options("--config", config("threads = 7\nidle-timeout = 12.5\nhidden-files = true"))
    assert (parsed["threads"], parsed["idle-timeout"]) == (7, 12.5)
    assert parsed["hidden-files"] is True


def test_the_environment_goes_before_the_file(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYHTTP_THREADS", "8")
    assert options("--config", config("threads = 7\nbacklog = 9"))["threads"] == 8
    assert options("--config", config("threads = 7\nbacklog = 9"))["backlog"] == 9


def test_the_command_line_goes_before_both(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYHTTP_THREADS", "8")
    assert options("--config", config("threads = 7"), "--threads", "9")["threads"] == 9


def test_the_environment_may_name_the_file(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYHTTP_CONFIG", config("threads = 7"))
    assert options()["threads"] == 7


def test_a_switch_can_be_switched_off_again(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config("hidden-files = true")
    assert options("--config", path)["hidden-files"] is True
    assert options("--config", path, "--no-hidden-files")["hidden-files"] is False
    monkeypatch.setenv("TINYHTTP_HIDDEN_FILES", "no")
    assert options("--config", path)["hidden-files"] is False


def test_a_list_replaces_a_list(config: Any) -> None:
    path = config('index = ["a.html", "b.html"]')
    assert options("--config", path)["index"] == ["a.html", "b.html"]
    assert options("--config", path, "--index", "c.html")["index"] == ["c.html"]


@pytest.mark.parametrize(
    ("said", "index"),
    [
        ("a.html", ["a.html"]),
        ("a.html\nb.html\n", ["a.html", "b.html"]),
        ('["a.html", "b.html"]', ["a.html", "b.html"]),
        ("", []),
        ("[]", []),
    ],
)
def test_lists_in_the_environment(
    said: str, index: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYHTTP_INDEX", said)
    assert options()["index"] == index


@pytest.mark.parametrize(
    ("file_says", "environment_says", "arguments", "endpoints"),
    [
        ("port = 1", {}, [], [1]),
        ("port = 1", {"PORT": "2"}, [], [2]),  # a platform's port, whatever the file says
        ("port = 1", {"PORT": "2", "TINYHTTP_PORT": "3"}, [], [3]),
        ('listen = "unix:/a"', {}, [], ["unix:/a"]),
        ('listen = "unix:/a"', {"PORT": "2"}, [], [2]),
        ('listen = "unix:/a"\nport = 1', {}, [], ["unix:/a", 1]),
        ("port = 1", {"TINYHTTP_LISTEN": "unix:/a"}, [], ["unix:/a"]),
        ("port = 1", {"TINYHTTP_LISTEN": "unix:/a", "PORT": "2"}, [], ["unix:/a", 2]),
        ("port = 1", {"PORT": "2"}, ["--listen", "unix:/b"], ["unix:/b"]),
        ("port = 1", {"PORT": "2"}, ["--listen", "unix:/b", "--port", "3"], ["unix:/b", 3]),
        ("", {}, [], [8000]),
    ],
)
def test_where_it_listens(
    file_says: str,
    environment_says: dict[str, str],
    arguments: list[str],
    endpoints: list[str | int],
    config: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever says one of ``port`` and ``listen`` has said where to listen."""
    for name, value in environment_says.items():
        monkeypatch.setenv(name, value)
    assert options("--config", config(file_says), *arguments)["endpoints"] == endpoints


def test_paths_are_relative_to_where_they_are_said(
    tmp_path: Path, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conf/site", "here/site"):
        (tmp_path / name).mkdir(parents=True)
    path = config("")
    Path(path).rename(tmp_path / "conf" / "a.toml")
    (tmp_path / "conf" / "a.toml").write_text('path = "site"\naccess-log = "log"\n')
    monkeypatch.chdir(tmp_path / "here")
    assert options("--config", "../conf/a.toml")["path"] == f"{tmp_path}/conf/site"
    assert (
        options("--config", "../conf/a.toml", "--path", "site")["path"] == f"{tmp_path}/here/site"
    )
    log = options("--config", "../conf/a.toml")["access-log"]
    assert Path(log).resolve() == tmp_path / "conf" / "log"
    assert options("--access-log", "-")["access-log"] == "-"
    assert options("--access-log", "none")["access-log"] == "none"


def test_it_can_be_asked_again_from_anywhere(
    tmp_path: Path, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon has gone to another directory by then."""
    monkeypatch.chdir(tmp_path)
    path = Path(config("threads = 1"))
    first = options("--config", path.name, "--hidden-files")
    path.write_text("threads = 2")
    monkeypatch.chdir("/")
    second = first.again()
    assert (first["threads"], second["threads"]) == (1, 2)
    assert second["path"] == str(tmp_path)
    assert second["hidden-files"] is True


# What is wrong.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thread = 7", "line 1: thread: there is no such setting; did you mean threads?"),
        ("\n# why\nmax_head = 7", "line 3: max_head: there is no such setting; "
         "did you mean max-head?"),
        ("config = 'a'", "line 1: config: there is no such setting"),
        ("[tls]\ncert = 1", "line 1: tls: there is no such setting"),
        ("\nthreads = 'many'", "line 2: threads 'many': a number from 0 to 1000 is wanted"),
        ("threads = 2.5", "line 1: threads '2.5': a number from 0 to 1000 is wanted"),
        ("threads = true", "line 1: threads: that can't be true or false"),
        ("threads = [1]", "line 1: threads: one value is wanted, not a list"),
        ("threads = {a = 1}", "line 1: threads: a string, a number, true or false is wanted"),
        ("hidden-files = 2", "line 1: hidden-files '2': true or false is wanted"),
        ("index = [1, 'a/b']", "line 1: index 'a/b': a file name is wanted, without a slash"),
        ("index = [1979-05-27]", "line 1: index: a string, a number, true or false is wanted"),
        ("path = 'missing'", "line 1: path '{place}/missing': there is no such directory"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file(text: str, said: str, config: Any) -> None:
    path = config(text)
    expected = f"{path} {said.replace('{place}', str(Path(path).parent))}"
    line = complaint("--config", path)
    assert line == expected or (said.endswith("no such setting") and line.startswith(expected))


def test_what_is_no_toml(config: Any) -> None:
    path = config("threads = \n")
    assert re.fullmatch(rf"{path}: that is not TOML: .*line 1.*", complaint("--config", path))
    assert (
        complaint("--config", config(b"a = 1\nb = '\xff'")) == f"{path} line 2: that is not UTF-8"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert complaint("--config", f"{tmp_path}/no") == (
        f"--config '{tmp_path}/no': No such file or directory"
    )
    assert complaint("--config", str(tmp_path)) == f"--config '{tmp_path}': Is a directory"


def test_a_file_that_never_ends() -> None:
    assert complaint("--config", "/dev/zero").endswith("that is more than 1048576 octets")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TINYHTTP_THREADS", "many", " 'many': a number from 0 to 1000 is wanted"),
        ("TINYHTTP_THREAD", "1", ": there is no such setting; did you mean TINYHTTP_THREADS?"),
        ("TINYHTTP_INDEX", "[a", ': that is no list such as ["a", "b"]'),
        ("TINYHTTP_INDEX", "['a', [1]]", ": a string, a number, true or false is wanted"),
        ("TINYHTTP_FOLLOW_SYMLINKS", "maybe", " 'maybe': true or false is wanted"),
    ],
)
def test_what_is_wrong_in_the_environment(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert complaint() == f"the environment's {variable}{said}"


# What comes of it.


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_can_be_read(setting: Setting) -> None:
    assert named(setting.name) == setting
    assert setting.about.endswith((".", "]."))
    value = setting.value(setting.default_texts)
    if setting.several:
        assert value == []
    else:
        assert value is not None or setting.default == ""


def test_printing_gives_what_can_be_read_again(
    tmp_path: Path,
    config: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TINYHTTP_BACKLOG", "77")
    arguments = ["--config", config('threads = 7\nindex = ["a\\"b", "c"]\nhidden-files = true'),
                 "--path", str(tmp_path), "--listen", "unix:/a", "--cache-size", "1M"]  # fmt: skip
    before = options(*arguments)
    with pytest.raises(SystemExit) as ended:
        options(*arguments, "--print-config")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert f"threads = 7  # {tmp_path}/tinyhttp.toml line 1: threads\n" in printed
    assert "as they stand in the file" not in printed
    assert "backlog = 77  # the environment's TINYHTTP_BACKLOG\n" in printed
    assert 'cache-size = "1M"  # --cache-size\n' in printed
    assert "grace = 25  # default\n" in printed
    monkeypatch.delenv("TINYHTTP_BACKLOG")
    after = options("--config", config(printed))
    assert {name: after[name] for name in EVERY} == {name: before[name] for name in EVERY}


def test_what_is_not_printed_is_named(
    config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = '[[redirects]]\nfrom = "/a"\nto = "/b"\n[[hosts]]\nnames = ["a.example"]\npath = "."\n'
    with pytest.raises(SystemExit):
        options("--config", config(tables), "--path", str(tmp_path), "--print-config")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "# and, as they stand in the file: [[redirects]], [[hosts]]"


EVERY = [*(setting.name for setting in SETTINGS), "endpoints", "mime-types"]


def test_only_what_is_said_makes_a_layer() -> None:
    assert environment({"HOME": "/", "PORTS": "1", "XTINYHTTP_PORT": "2"}, HERE) == {}


def test_an_empty_file_says_nothing(config: Any) -> None:
    assert file(config("# nothing\n")).layer == {}


def test_the_reader_says_where(config: Any) -> None:
    layer = file(config("\n\n  'max-head'   = 1")).layer
    with pytest.raises(Mistake, match=r"line 3: max-head '1': a number of octets"):
        layer["max-head"].value(next(s for s in SETTINGS if s.name == "max-head"))


def test_arguments_are_kept() -> None:
    parsed = Options()
    parsed.parseOptions(["--threads", "3", "--no-hidden-files"])
    assert parsed.arguments == ["--threads", "3", "--no-hidden-files"]
