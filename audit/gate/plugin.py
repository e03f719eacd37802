"""pytest plugin: an audit.toml file is collected into items; what is not an audit costs a test run nothing."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from audit.gate.nodes import AuditFile
    from audit.plan import Prepared

FILES = pytest.StashKey[list["AuditFile"]]()
PREPARED = pytest.StashKey[dict[Path, "Prepared"]]()
SUMMARY = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where reports go, and which files a bare pytest collects."""
    group = parser.getgroup("deepvis-audit")
    group.addoption("--audit-report", metavar="FOLDER", help="write the reports of audit.toml files there")
    for name, what in (
        ("sarif", "SARIF 2.1.0, for code scanning"),
        ("markdown", "a summary in Markdown"),
        ("statement", "in-toto statements of the results, to be signed"),
    ):
        group.addoption(f"--audit-{name}", metavar="FILE", help=f"write {what} there")
    group.addoption("--audit-annotations", action="store_true", help="print GitHub's annotations, as GitHub gets them")
    parser.addini(
        "audit_files", "globs of the audit.toml files that pytest collects without being told", type="args", default=[]
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Where JUnit is written, items have names there that no two share."""
    if config.getoption("xmlpath", None):
        from audit.gate.junit import Names

        config.pluginmanager.register(Names(config), "deepvis_audit_junit")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "AuditFile | None":
    """A .toml file named on the command line, or one that the configuration asks for."""
    if file_path.suffix != ".toml":
        return None
    asked = parent.config.getini("audit_files")
    if not parent.session.isinitpath(file_path) and not any(file_path.match(pattern) for pattern in asked):
        return None
    from audit.gate.nodes import AuditFile

    file: AuditFile = AuditFile.from_parent(parent, path=file_path)
    parent.config.stash.setdefault(FILES, []).append(file)
    return file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What the pass alone decides runs before the pictures, model by model."""
    if config.stash.get(FILES, None):
        from audit.gate.nodes import in_order

        items[:] = in_order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """An audit's item that pytest skips is said to be skipped in the audit's report too."""
    report = yield
    if report.skipped and item.config.stash.get(FILES, None):
        from audit.gate.nodes import AuditItem

        if isinstance(item, AuditItem):
            item.skipped(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Reports are written; where items were selected and none was evaluated, the run has failed."""
    files = session.config.stash.get(FILES, None)
    if not files or session.config.option.collectonly:
        return
    from audit.gate.summary import finish

    session.config.stash[SUMMARY] = finish(session, files)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the reports are."""
    lines = terminalreporter.config.stash.get(SUMMARY, None)
    if lines:
        terminalreporter.write_sep("=", "deepvis-audit")
        for line in lines:
            terminalreporter.write_line(line)
