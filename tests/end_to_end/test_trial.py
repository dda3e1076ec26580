"""The tests that are trial's, run by trial."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import PATIENCE, SCRIPTS, environment

PROJECT = Path(__file__).parents[2]
AT_LEAST = 18
"""Tests in ``tests/trial``; a number on purpose, so that none can be lost unnoticed."""


@pytest.mark.parametrize(
    "trial",
    [[str(SCRIPTS / "trial")], [sys.executable, "-m", "twisted.trial"]],
    ids=["script", "module"],
)
def test_trial_passes(trial: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*trial, f"--temp-directory={tmp_path / 'trial'}", "tests"],
        cwd=PROJECT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^PASSED \(successes=(\d+)\)$", done.stdout, re.MULTILINE)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= AT_LEAST
