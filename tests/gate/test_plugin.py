"""The plugin in other people's projects: which files it collects, and that it costs them nothing."""

import json
from pathlib import Path

import pytest

from tests.audits import FAST, IDS, Folder

LISTING = """
import json
import sys
from pathlib import Path

def test_plain():
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    Path("loaded.json").write_text(json.dumps([loaded, [name for name in sys.modules if name.startswith("audit")]]))
"""
"""A test that writes down which modules its process has loaded."""
WRONG = FAST.replace("seed", "sead") + "sead = 1\n"


@pytest.fixture
def project(tmp_path: Path) -> Folder:
    """A project with a test, a test folder and an audit.toml that is wrong."""
    (tmp_path / "test_plain.py").write_text(LISTING)
    return Folder.of(tmp_path, WRONG)


def loaded(project: Folder, *arguments: str) -> tuple[set[str], set[str]]:
    """The packages, and our modules, that a run of the project's tests has loaded."""
    result = project.pytest(*arguments, "-p", "no:cacheprovider", fresh=True)
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout
    packages, ours = json.loads((project.path / "loaded.json").read_text())
    return set(packages), set(ours)


def test_a_bare_pytest_loads_nothing_for_us_and_leaves_audit_toml_alone(project: Folder) -> None:
    packages, ours = loaded(project)
    without, none = loaded(project, "-p", "no:deepvis_audit")
    assert packages - without <= {"audit"}
    assert none == set()
    assert ours == {"audit", "audit.gate", "audit.gate.plugin"}


def test_the_plugin_alone_loads_neither_torch_nor_pydantic_numpy_or_jinja2(project: Folder) -> None:
    result = project.pytest("-p", "deepvis_audit", fresh=True, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert result.returncode == 0, result.stdout
    packages, ours = json.loads((project.path / "loaded.json").read_text())
    assert "audit.gate.plugin" in ours
    assert not {"torch", "pydantic", "numpy", "jinja2", "rich", "typer", "pandas"} & set(packages)


def test_an_audit_in_a_folder_named_on_the_command_line_is_not_collected(project: Folder) -> None:
    assert loaded(project, str(project.path))[1] == {"audit", "audit.gate", "audit.gate.plugin"}


def test_a_file_named_on_the_command_line_is_collected(project: Folder) -> None:
    result = project.pytest("audit.toml", "test_plain.py")
    assert result.returncode == 2
    assert 'audit.toml:28:1: no key "sead" in [[checks]]' in result.stdout


def test_a_bare_pytest_collects_what_its_configuration_asks_for(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naudit_files = audits/*.toml other.toml\n")
    (tmp_path / "test_plain.py").write_text(LISTING)
    Folder.of(tmp_path / "audits")
    (tmp_path / "left.toml").write_text(WRONG)
    result = Folder(tmp_path).pytest("--collect-only", "-q")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[: len(IDS)] == [f"audits/{name}" for name in IDS]
    assert "test_plain.py::test_plain" in result.stdout


def test_audits_run_beside_ordinary_tests(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naudit_files = audit.toml\nfilterwarnings = error\n")
    (tmp_path / "test_plain.py").write_text(LISTING)
    folder = Folder.of(tmp_path)
    result = folder.pytest("-k", "optimized or plain")
    assert result.returncode == 0, result.stdout
    assert "3 passed, 6 deselected" in result.stdout
    assert set(folder.outcomes().values()) == {"passed"}


def test_a_run_that_never_began_leaves_no_report(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    result = Folder.of(tmp_path).pytest("audit.toml", "test_broken.py")
    assert result.returncode == 2
    assert not (tmp_path / "reports").exists()
