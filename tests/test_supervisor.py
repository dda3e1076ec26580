"""What workers are told: what was found out once, whoever said it and whatever is said now."""

from pathlib import Path

import pytest

from tests.support import write_tree
from tinyhttp.options import Options
from tinyhttp.settings import SETTINGS
from tinyhttp.supervisor import _settled, _without_settings


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)


def parsed(directory: Path, *arguments: str) -> Options:
    options = Options(str(directory))
    options.parseOptions(list(arguments))
    return options


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--port", "8001", "--listen", "unix:a", "--listen", "unix:b"],
        ["--listen", "unix:a"],
        ["--access-log", "-"],
        ["--access-log", "logs/access.log"],
        ["--hidden-files", "--no-follow-symlinks"],
        ["--index", "-a.html", "--index", "b c.html", "--mime-type", "x=a/b; c=d"],
        ["--config", "tinyhttp.toml", "--no-hidden-files", "--max-head", "64K"],
        ["--grace=0.5", "--grace=7"],
    ],
    ids=" ".join,
)
def test_it_comes_to_the_same_elsewhere_and_later(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = 'path = "site"\nlisten = ["unix:c", "unix:d"]\nhidden-files = true\nindex = []\n'
    write_tree(tmp_path, {"tinyhttp.toml": file, "site/index.html": b"", "elsewhere/a": b""})
    monkeypatch.setenv("TINYHTTP_THREADS", "7")
    options = parsed(tmp_path, *arguments)
    settled = _settled(options)
    monkeypatch.delenv("TINYHTTP_THREADS")
    (tmp_path / "tinyhttp.toml").write_text("nonsense")
    again = parsed(tmp_path, *settled)
    assert again["threads"] == 7
    for name in [*(each.name for each in SETTINGS), "endpoints", "mime-types"]:
        assert again[name] == options[name]
    assert _settled(again) == settled


def test_the_environment_says_nothing_more() -> None:
    variables = {"PATH": "/bin", "TINYHTTPD": "1", "SUPPORT": "1"}
    ours = {"PORT": "1", "WEB_CONCURRENCY": "2", "TINYHTTP_CONFIG": "a", "TINYHTTP_PATH": "b"}
    assert _without_settings({**variables, **ours}) == variables
