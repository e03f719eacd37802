"""A stored report and what is rendered from it, made once."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from audit.records import Report
from audit.render import html
from audit.store import write


@pytest.fixture(scope="session")
def reports() -> ModuleType:
    """The module that builds reports."""
    spec = importlib.util.spec_from_file_location("reports_to_render", Path(__file__).with_name("reports.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def report(reports: ModuleType) -> Report:
    """A plausible report with markup in its names."""
    return reports.report()  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which that report is stored."""
    folder = tmp_path_factory.mktemp("rendered") / "run"
    write(report, folder)
    return folder


@pytest.fixture(scope="session")
def page(folder: Path) -> str:
    """The text of its report.html."""
    return html.render(folder).read_text(encoding="utf-8")
