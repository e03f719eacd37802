"""`deepvis-audit export`: stored runs in, texts of other tools out; what does not fit together is said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit.cli import app
from audit.store import write
from tests.render.findings import of_every_outcome, report, verdict
from tests.test_cli import loaded_by


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """The folders of two runs."""
    write(replace(of_every_outcome(), model="first"), tmp_path / "first")
    write(report(verdict("accuracy", "failed"), model="second"), tmp_path / "second")
    return str(tmp_path / "first"), str(tmp_path / "second")


def export(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_several_runs_go_into_one_file(runs: tuple[str, str], tmp_path: Path) -> None:
    result = export(*runs, "--sarif", tmp_path / "new" / "a.sarif", "--statement", "-")
    assert result.exit_code == 0, result.output
    path, *statements = result.stdout.splitlines()
    assert path == str(tmp_path / "new" / "a.sarif")
    assert len(statements) == 2
    log = json.loads((tmp_path / "new" / "a.sarif").read_text())
    assert [run["automationDetails"]["id"] for run in log["runs"]] == ["deepvis-audit/first/", "deepvis-audit/second/"]


def test_a_dash_prints_the_text_alone(runs: tuple[str, str]) -> None:
    result = export(*runs, "--statement", "-")
    assert [json.loads(line)["predicate"]["result"] for line in result.stdout.splitlines()] == ["FAILED", "FAILED"]
    assert export(runs[1], "--annotations").stdout == (
        "::error file=audit.toml,line=1,title=demo%3A accuracy::so it is\n"
    )


def test_a_comment_is_short_enough_for_one(tmp_path: Path) -> None:
    failed = [verdict("dead-units", "failed", "1 is dead", f"conv{number}") for number in range(2000)]
    write(report(*failed), tmp_path / "run")
    text = export(tmp_path / "run", "--markdown", "-", "--comment").stdout
    assert 60_000 < len(text) <= 65_000
    assert text.startswith("**Shortened to 65,000 bytes: ")
    assert len(export(tmp_path / "run", "--markdown", "-").stdout) > 100_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to write: add --sarif FILE"),
        (["--comment", "--sarif", "-"], "--comment says how long the Markdown may be: add --markdown FILE"),
        (["--sarif", "-", "--annotations"], "only one of them can be printed: name a file for the others"),
    ],
)
def test_arguments_that_do_not_fit_together_are_4(runs: tuple[str, str], arguments: list[str], said: str) -> None:
    result = export(*runs, *arguments)
    assert result.exit_code == 4
    assert said in result.stderr
    assert not result.stdout


def test_a_run_that_cannot_be_read_is_1_and_nothing_is_written(runs: tuple[str, str], tmp_path: Path) -> None:
    result = export(*runs, tmp_path / "nowhere", "--sarif", tmp_path / "a.sarif")
    assert result.exit_code == 1
    assert f"no report in {tmp_path}/nowhere: " in result.stderr
    assert not (tmp_path / "a.sarif").exists()


def test_a_file_that_cannot_be_written_is_1(runs: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    result = export(*runs, "--markdown", tmp_path / "in-the-way" / "a.md")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"cannot write {tmp_path}/in-the-way/a.md: ")


def test_neither_torch_nor_pytest_is_loaded(runs: tuple[str, str]) -> None:
    assert not {"torch", "pytest", "torchvision"} & loaded_by("export", *runs, "--sarif", "-")
