"""The examples of docs/testing.md, each run as a reader would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import PATIENCE, environment

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
EXAMPLES = re.findall(r"^## ([^\n]*)|^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def examples() -> list[tuple[str, str]]:
    """Return the examples, each with the title above it."""
    found, title = [], ""
    for heading, code in EXAMPLES:
        title = heading or title
        if code:
            found.append((title, code))
    return found


def test_there_are_examples() -> None:
    assert len(examples()) >= 8


@pytest.mark.parametrize(("title", "code"), examples(), ids=[title for title, _ in examples()])
def test_example(title: str, code: str, tmp_path: Path) -> None:
    """Those with tests in them are run by the runner that they are for."""
    (tmp_path / "test_example.py").write_text(code)
    command = [sys.executable, "test_example.py"]
    if "(TestCase)" in code or ", TestCase)" in code or "SynchronousTestCase)" in code:
        command = [sys.executable, "-m", "twisted.trial", "test_example"]
    elif "def test_" in code:
        command = [sys.executable, "-m", "pytest", "-W", "error"]
        command += ["-p", "no:hypothesispytest", "test_example.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path), no_proxy="*"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if command[0] == sys.executable and "-m" in command:
        assert re.search(r"\d+ passed|PASSED \(successes=\d+\)", said), said
