"""One browser for all tests of a process, and a page of each kind."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.kinds import KINDS, made
from tests.browser.opening import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GIVEN = [path for path in os.environ.get("DEEPVIS_PAGES", "").split(os.pathsep) if path]
"""Pages to look at instead of those that the tests make."""

PAGES = GIVEN or [pytest.param(kind, marks=[pytest.mark.data] * (kind == "squeezenet")) for kind in KINDS]


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium without a window; its sandbox needs more than root in a container has."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pages"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", params=PAGES)
def page(request: pytest.FixtureRequest, shared: Path) -> Path:
    """The file of a page of each kind."""
    return Path(request.param).absolute() if GIVEN else made(request.param, shared)


@pytest.fixture(scope="session")
def every_view(shared: Path) -> Path:
    """The page that shows all there is."""
    return made("every_view", shared)
