"""Plugins on the command line: broken ones turn their items red, and a renderer that fails the exit status."""

import pytest

from tests.audits import DEMO, WEIGHTS, Folder, section

TEXT = (
    section("[audit]", plugins=["checks.py", "renderers.py"], renderers=["torn"])
    + section("[[models]]", **DEMO, checkpoint=str(WEIGHTS))
    + section("[[checks]]", check="mine")
    + section("[[checks]]", check="degenerate-weights")
)
RENDERERS = """
from audit.plugins import renderer

@renderer("torn")
def torn(report, folder):
    raise OSError("the disc is full")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = Folder.of(tmp_path_factory.mktemp("plugins"), TEXT)
    (made.path / "checks.py").write_text("from nowhere_at_all import Check\n")
    (made.path / "renderers.py").write_text(RENDERERS)
    return made


def test_the_items_of_a_broken_plugin_are_errors_and_the_others_run(folder: Folder) -> None:
    result = folder.run()
    assert result.returncode == 1
    assert "1 failed, 1 passed" in result.stdout
    assert "checks.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'" in result.stdout
    assert folder.outcomes() == {"audit.toml::demo::mine": "error", "audit.toml::demo::degenerate-weights": "passed"}


def test_a_renderer_that_fails_is_a_line_and_a_bad_exit_status(folder: Folder) -> None:
    result = folder.run("audit.toml::demo::degenerate-weights")
    assert result.returncode == 1
    assert "demo: 1 passed" in result.stdout
    assert "  renderer torn: renderers.py:6: OSError: the disc is full\n" in result.stdout
    assert folder.outcomes() == {"audit.toml::demo::degenerate-weights": "passed"}


def test_a_plugin_that_is_not_there_is_a_usage_error(folder: Folder) -> None:
    (folder.path / "other.toml").write_text(TEXT.replace("checks.py", "chekcs.py"))
    result = folder.run("other.toml")
    assert result.returncode == 4
    assert result.stderr == 'other.toml:2:12: "chekcs.py": no such file; did you mean "checks.py"?\n'
