"""The stored report that pages are rendered from, opened as a run."""

from pathlib import Path

import pytest

from audit.notebook import Run, open_run
from tests.render.conftest import folder, report, reports

__all__ = ["folder", "report", "reports", "run"]


@pytest.fixture(scope="session")
def run(folder: Path) -> Run:  # the fixture of that name
    """The run."""
    return open_run(folder)
