"""docs/generated.py, which is no part of the package and is read from where it lies."""

import functools
import importlib.util
from typing import Any

from .blocks import ROOT


@functools.cache
def generated() -> Any:
    """Return the module."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
