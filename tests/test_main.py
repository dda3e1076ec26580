"""What ``tinyhttp`` makes of its first words: a command, a directory, or a mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinyhttp.__main__ import main
from tinyhttp.commands import COMMANDS


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("chek", "tinyhttp: 'chek' is no command and no directory; did you mean check?"),
        ("nowhere", "tinyhttp: 'nowhere' is no command and no directory"),
        ("", "tinyhttp: '' is no command and no directory"),
    ],
)
def test_a_first_word_that_means_nothing(
    word: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([word])
    assert str(caught.value.code) == said


def test_help_tells_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    assert text.startswith("Usage: tinyhttp [options] [DIRECTORY]\n")
    assert all(f"  {name} " in text for name in COMMANDS)


def test_a_reader_who_has_seen_enough_of_the_help() -> None:
    """The pipe is closed before anything is written, as ``head`` may do."""
    started = subprocess.Popen(
        [sys.executable, "-m", "tinyhttp", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    with started.stderr:
        assert started.stderr.read() == ""
    assert started.wait(20) == 141
