"""What the tests of the course share: one copy of its code."""

import sys
from pathlib import Path

import pytest

from .stages import copy_of_the_code

if sys.platform != "linux":  # the pages say so: they show the kernel's tables in /proc
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of docs/lessons/code, with ``site`` in it."""
    return copy_of_the_code(tmp_path_factory.mktemp("lessons"))
