"""The report of tests/render/reports.py, for the tests of the store."""

import importlib.util
from pathlib import Path

import pytest

from audit.records import Report


@pytest.fixture(scope="session")
def report() -> Report:
    """A plausible report (see tests/render/reports.py)."""
    source = Path(__file__).parents[1] / "render" / "reports.py"
    spec = importlib.util.spec_from_file_location("reports_for_the_store", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.report()  # type: ignore[no-any-return]
