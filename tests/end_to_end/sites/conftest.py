"""What the tests of sites share: one browser, and one build of each site."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import CHROMIUM, Browser, Page
from .building import build_app


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.page() as opened:
        yield opened


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of the application, ``1`` and ``2``, as its build leaves them."""
    return build_app(tmp_path_factory.mktemp("app"))
