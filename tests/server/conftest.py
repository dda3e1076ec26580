"""What the tests of this floor share."""

import pytest


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in the kernel's memory, as far as it tells: every block is waited for."""
    monkeypatch.setattr("tinyhttp.server.transfer.read_at_once", lambda *_: None)
