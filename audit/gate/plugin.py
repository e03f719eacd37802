"""pytest plugin: an audit.toml file is collected into items; what is not an audit costs a test run nothing."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from audit.gate.fixture import Audit
    from audit.gate.nodes import AuditFile
    from audit.plan import Prepared

FILES = pytest.StashKey[list["AuditFile"]]()
PREPARED = pytest.StashKey[dict[Path, "Prepared"]]()
ALLOWED = ("all-skipped", "all-waived")
SUMMARY = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where reports go, and which files a bare pytest collects."""
    group = parser.getgroup("deepvis-audit")
    group.addoption("--audit-report", metavar="FOLDER", help="write the reports of audit.toml files there")
    group.addoption(
        "--audit-allow",
        metavar="WHAT",
        default="",
        help="exit with 0 though nothing has passed: all-skipped, all-waived, or both with a comma",
    )
    parser.addini(
        "audit_file", "audit.toml of the fixture `audit`, relative to the root directory", default="audit.toml"
    )
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
    """What cannot be done is said; where JUnit is written, items have names there that no two share."""
    _refuse_processes(config)
    _refuse_unknown(config.getoption("--audit-allow"))
    if config.getoption("xmlpath", None):
        from audit.gate.junit import Names

        config.pluginmanager.register(Names(config), "deepvis_audit_junit")


def _refuse_processes(config: pytest.Config) -> None:
    """Several would each load the models and show them the pictures, and none could judge the whole."""
    named = [argument for argument in config.args if argument.partition("::")[0].endswith(".toml")]
    if getattr(config.option, "numprocesses", None) and named:
        raise pytest.UsageError(
            f"{named[0]} is audited in one process, which uses all cores: run it without -n, or -n 0"
        )


def _refuse_unknown(allowed: str) -> None:
    for word in filter(None, allowed.split(",")):
        if word not in ALLOWED:
            raise pytest.UsageError(f"--audit-allow={word}: say {' or '.join(ALLOWED)}")


@pytest.fixture(scope="session")
def audit(pytestconfig: pytest.Config) -> "Audit":
    """The audit.toml of this project: `audit.unit("conv1", 3).fires`, `audit.numbers["top1"]`, `audit.verdict(...)`."""
    from audit.gate.fixture import Audit

    return Audit(pytestconfig.rootpath / pytestconfig.getini("audit_file"))


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
