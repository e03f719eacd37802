"""`deepvis-audit render`: pages of stored runs, made where they are not up to date, without torch and anywhere."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit.cli import app
from audit.records import Outline, Report
from audit.render import fresh
from audit.store import write

WITHOUT_TORCH = (
    "import sys; sys.modules.update(dict.fromkeys(('torch', 'torchvision')));"
    "from audit.cli import app; app(sys.argv[1:])"
)


def render(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["render", *map(str, arguments)])


def run(folder: Path, model: str = "demo") -> Path:
    write(Report("audit", model, Outline((3, 8, 8), ()), ()), folder)
    return folder


def lines(result: Result) -> list[str]:
    return [line.rpartition("/")[2] for line in result.stdout.splitlines()]


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return run(tmp_path / "one")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with a style of somebody's own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.css").write_text("h1 { color: teal; }")
    return tmp_path / "mine"


def test_pages_that_are_up_to_date_are_not_made_again(one: Path) -> None:
    assert lines(render(one)) == ["report.html", "report.pdf"]
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in one.iterdir() if path.is_file()}
    again = render(one)
    assert (again.exit_code, lines(again)) == (0, ["report.html is up to date", "report.pdf is up to date"])
    assert files == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    assert lines(render(one, "--force", "--no-pdf")) == ["report.html"]


@pytest.mark.parametrize("change", ["edited", "deleted", "results", "forgotten", "garbled"])
def test_what_was_changed_is_made_again(change: str, one: Path) -> None:
    assert render(one, "--no-pdf").exit_code == 0
    page = (one / "report.html").read_bytes()
    match change:
        case "edited":
            (one / "report.html").write_bytes(page.replace(b"demo", b"good"))
        case "deleted":
            (one / "report.html").unlink()
        case "results":
            text = (one / "results.json").read_text()
            (one / "results.json").write_text(text.replace('"demo"', '"second"'))
            page = page.replace(b"demo", b"second")
        case "forgotten":
            (one / "rendered.json").unlink()
        case "garbled":
            (one / "rendered.json").write_text('["report.html"]')
    assert lines(render(one, "--no-pdf")) == ["report.html"]
    assert (one / "report.html").read_bytes().replace(b"demo", b"second") == page.replace(b"demo", b"second")
    assert lines(render(one, "--no-pdf")) == ["report.html is up to date"]


def test_other_templates_and_another_program_make_another_page(
    one: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines(render(one, "--no-pdf")) == ["report.html"]
    for _ in range(2):
        assert lines(render(one, "--no-pdf", "--templates", mine)) in (["report.html"], ["report.html is up to date"])
    assert "h1 { color: teal; }" in (one / "report.html").read_text()
    assert lines(render(one, "--no-pdf", "--templates", mine)) == ["report.html is up to date"]
    (mine / "own").mkdir()
    (mine / "own" / "part.html").write_text("")
    assert lines(render(one, "--no-pdf", "--templates", mine)) == ["report.html"]
    assert lines(render(one, "--no-pdf")) == ["report.html"]
    monkeypatch.setattr(fresh, "_code", lambda: "another")
    assert lines(render(one, "--no-pdf")) == ["report.html"]


def test_a_page_says_nothing_of_what_made_the_other(one: Path) -> None:
    assert render(one, "--no-pdf").exit_code == 0
    before = json.loads((one / "rendered.json").read_text())
    assert render(one, "--no-html").exit_code == 0
    after = json.loads((one / "rendered.json").read_text())
    assert set(before) == {"report.html"}
    assert set(after) == {"report.html", "report.pdf"}
    assert after["report.html"] == before["report.html"]


def test_of_several_runs_one_that_cannot_be_read_stops_no_other(one: Path, tmp_path: Path) -> None:
    two = run(tmp_path / "two", "second")
    result = render(one, tmp_path / "nowhere", two, "--no-pdf")
    assert result.exit_code == 1
    assert lines(result) == ["report.html", "report.html"]
    assert result.stderr.startswith(f"no report in {tmp_path}/nowhere: ")
    assert "second" in (two / "report.html").read_text()


def test_templates_that_fail_leave_the_pages_as_they_are(one: Path, mine: Path) -> None:
    assert render(one, "--no-pdf").exit_code == 0
    page = (one / "report.html").read_bytes()
    (mine / "report.html").write_text(
        '{% extends "builtin/report.html" %}\n{% block before %}{{ page.x }}{% endblock %}'
    )
    failed = render(one, "--templates", mine)
    assert failed.exit_code == 1
    assert failed.stderr.startswith(f'{mine}/report.html:2: ReportPage has no "x"')
    assert (one / "report.html").read_bytes() == page
    assert lines(failed) == ["report.pdf"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-html", "--no-pdf"], "nothing to make: --no-html and --no-pdf leave no page"),
        (["--templates", "nowhere"], "nowhere:1:1: is not there"),
    ],
)
def test_arguments_that_do_not_fit_are_4_and_nothing_is_made(arguments: list[str], said: str, one: Path) -> None:
    result = render(one, *arguments)
    assert result.exit_code == 4
    assert said in result.stderr
    assert not (one / "report.html").exists()


def test_a_copy_is_rendered_elsewhere_where_torch_cannot_be_imported(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "there")
    shutil.move(tmp_path / "there", tmp_path / "copy")
    command = [sys.executable, "-c", WITHOUT_TORCH, "render", "copy", "--no-pdf"]
    first, second = (subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False) for _ in "12")
    assert (first.returncode, first.stdout, first.stderr) == (0, "copy/report.html\n", "")
    assert (second.returncode, second.stdout) == (0, "copy/report.html is up to date\n")
    assert "data:image/" in (tmp_path / "copy" / "report.html").read_text()
