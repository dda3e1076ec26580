"""The application of `app`, built by its own tools: React, a router, and Vite."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCES = Path(__file__).with_name("app")
_NODE = 20, 19
"""What this version of Vite asks for, at least."""
_INSTALL, _BUILD = 90, 60
"""Seconds that the package registry, and the bundler, get."""


def build_app(place: Path) -> Path:
    """Build two releases in ``place``, and return the directory that holds them.

    They differ in what the lazy chunk says, and so in the names of most files. Skips the test
    where there is no npm, or no registry to get the packages from.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    node = _run(["node", "--version"], place, _BUILD).stdout
    if tuple(map(int, re.findall(r"\d+", node)[:2])) < _NODE:
        pytest.skip(f"Node.js is too old for Vite, or not there: {node.strip() or 'no version'}")
    sources = place / "sources"
    shutil.copytree(_SOURCES, sources, ignore=shutil.ignore_patterns("node_modules", "dist"))
    options = ["--include=dev", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0"]
    command = [npm, "ci", *options]
    try:
        done = _run(command, sources, _INSTALL)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm has not installed the packages within {_INSTALL} s")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip(f"npm can't install the packages: {said[0] if said else done.returncode}")
    releases = place / "releases"
    for release in ("1", "2"):
        (sources / "src" / "release.json").write_text(json.dumps({"year": int(release)}))
        out = str(releases / release)
        built = _run(
            [npm, "run", "build", "--", "--logLevel=warn", "--outDir", out], sources, _BUILD
        )
        assert built.returncode == 0, built.stdout + built.stderr
    return releases


def _run(command: list[str], cwd: Path, limit: int) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name != "NODE_ENV"}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**env, "CI": "1", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
