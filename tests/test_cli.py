"""The console script: help without heavy imports, several models, other folders, rendering again, broken folders."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit import __version__
from audit.advice.explanation import explained
from audit.config import read, schema_text
from audit.store.schema import schema_text as results_schema_text
from tests.audits import (
    AUDIT,
    CHECKS,
    DATA,
    DEMO,
    FAST,
    IDS,
    LAYERS,
    MODEL,
    PRESET,
    PROGRAM,
    WEIGHTS,
    Folder,
    ended,
    section,
)

LOADED = "import json, sys; from audit.cli import app; {}; print(json.dumps(sorted(sys.modules)))"
SECOND = section("[[models]]", **{**DEMO, "name": "second"}, checkpoint=str(WEIGHTS))
BOTH = AUDIT + MODEL + SECOND + DATA + PRESET + LAYERS + CHECKS
ONE_LAYER = section("[[layers]]", name="relu1", analyses=["activations"])


def loaded_by(*arguments: str) -> set[str]:
    """The packages that a command has loaded when it ends."""
    call = f"app({list(arguments)!r}, standalone_mode=False)"
    result = ended([sys.executable, "-c", LOADED.format(call)], cwd=Path.cwd(), pdf=True)
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, subprocess.CompletedProcess[str]]:
    """Two models in one file, with everything a report can have, run from the folder above."""
    folder = Folder.of(tmp_path_factory.mktemp("two") / "inner", BOTH)
    return folder, folder.run("inner/audit.toml", cwd=folder.path.parent, pdf=True)


def test_help_is_said_without_torch_pytest_or_pydantic() -> None:
    heavy = {"torch", "pytest", "numpy", "jinja2", "pandas"}
    assert not {*heavy, "pydantic"} & loaded_by("--help")
    assert not heavy & loaded_by("run", "--help")  # typer itself loads pydantic when it looks at a command
    assert not heavy & loaded_by("search", "--help")
    assert not heavy & loaded_by("version")


def test_the_installed_program_says_its_commands_and_version(tmp_path: Path) -> None:
    help_ = ended([str(PROGRAM), "--help"], cwd=tmp_path)
    assert help_.returncode == 0
    commands = ("run", "search", "sweep", "render", "export", "compare", "baseline", "init", "doctor", "explain")
    assert all(f"  {command} " in help_.stdout for command in (*commands, "schema", "version"))
    assert ended([str(PROGRAM), "version"], cwd=tmp_path).stdout == f"deepvis-audit {__version__}\n"
    assert ended([str(PROGRAM), "schema"], cwd=tmp_path).stdout == schema_text()
    assert ended([str(PROGRAM), "schema", "--of", "results"], cwd=tmp_path).stdout == results_schema_text()
    assert ended([str(PROGRAM), "ran"], cwd=tmp_path).returncode == 2


def test_listing_the_items_loads_nothing_that_only_running_them_needs(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, FAST)
    script = (
        "import pytest, sys; pytest.main(sys.argv[1:]); print('LOADED', *{n.partition('.')[0] for n in sys.modules})"
    )
    command = [sys.executable, "-c", script, "-p", "deepvis_audit", "-p", "no:hypothesispytest", "--collect-only"]
    result = ended([*command, "-q", "audit.toml"], cwd=folder.path)
    loaded = set(result.stdout.partition("LOADED")[2].split())
    assert {"torch", "audit"} <= loaded
    assert not {"scipy", "skimage", "sklearn", "pandas", "altair", "torchvision"} & loaded


def test_explain_and_init_say_what_is_wrong_in_a_sentence_and_exit_1(tmp_path: Path) -> None:
    listed, one = (ended([str(PROGRAM), "explain", *name], cwd=tmp_path) for name in ((), ("dead-units",)))
    assert (listed.returncode, one.returncode) == (0, 0)
    assert "  dead-units " in listed.stdout
    assert one.stdout == explained("dead-units")
    unknown = ended([str(PROGRAM), "explain", "dead-unit"], cwd=tmp_path)
    assert (unknown.returncode, unknown.stderr) == (1, 'nothing is called "dead-unit"; did you mean "dead-units"?\n')
    init = ended([str(PROGRAM), "init"], cwd=tmp_path)
    assert init.returncode == 1
    assert init.stderr.startswith("name a checkpoint or a factory: deepvis-audit init model.pth")
    made = ended([str(PROGRAM), "init", "audit.demo.network:network", "--argument", "classes=4"], cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(
        "audit.toml is written: audit.demo.network:network was given, not guessed\nnot known: "
    )
    assert read(tmp_path / "audit.toml").models[0].arguments == {"classes": 4}


def test_each_model_has_items_and_a_report_of_its_own(two: tuple[Folder, subprocess.CompletedProcess[str]]) -> None:
    folder, result = two
    assert result.returncode == 0, result.stdout
    assert "16 passed" in result.stdout
    for model in ("demo", "second"):
        names = [name.replace("::demo::", f"::{model}::") for name in IDS]
        assert folder.outcomes(model) == {f"inner/{name}": "passed" for name in names}
        assert f"{model}: 8 passed; top-1 accuracy 94.17%" in result.stdout


def test_paths_hold_from_another_folder(two: tuple[Folder, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = two
    assert (folder.path / "reports" / "second" / "latest" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert not (folder.path.parent / "reports").exists()


def test_one_model_can_be_selected_by_its_name(two: tuple[Folder, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = two
    result = folder.run("audit.toml::second", "-k", "dead-units", "--report", "chosen")
    assert result.returncode == 0
    assert sorted(path.name for path in (folder.path / "chosen").iterdir()) == [
        ".index.json",
        ".work",
        "index.html",
        "second",
    ]


def test_render_makes_both_pages_again_without_torch(two: tuple[Folder, subprocess.CompletedProcess[str]]) -> None:
    latest = two[0].path / "reports" / "demo" / "latest"
    page = (latest / "report.html").read_bytes()
    for name in ("report.html", "report.pdf"):
        (latest / name).unlink()
    loaded = loaded_by("render", str(latest))
    assert not {"torch", "pytest", "torchvision"} & loaded
    assert "jinja2" in loaded
    assert (latest / "report.html").read_bytes() == page
    assert (latest / "report.pdf").read_bytes().startswith(b"%PDF")


def test_render_of_no_report_is_said_in_a_sentence(tmp_path: Path) -> None:
    result = ended([str(PROGRAM), "render", str(tmp_path / "nowhere")], cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"no report in {tmp_path}/nowhere: ")
    assert len(result.stderr.splitlines()) == 1


OWN = '{% extends "builtin/report.html" %}\n\n{% block title %}{{ page.MODEL }} of ours{% endblock %}'
WITH_TEMPLATES = FAST.replace("[audit]", '[audit]\ntemplates = "own"')


def test_a_run_uses_the_user_s_templates_and_loses_nothing_where_they_fail(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, WITH_TEMPLATES)
    (tmp_path / "own").mkdir()
    template, page = tmp_path / "own" / "report.html", tmp_path / "reports" / "demo" / "latest" / "report.html"
    template.write_text(OWN.replace("MODEL", "model"))
    assert folder.run("-k", "conv1 and activations").returncode == 0
    assert "<title>demo of ours</title>" in page.read_text()
    template.write_text(OWN)
    failed = folder.run("-k", "conv1 and activations")
    assert failed.returncode == 1
    assert f'  templates: {template}:3: ReportPage has no "MODEL"' in failed.stdout
    assert "report.html is made with the built-in ones" in failed.stdout
    assert "<title>passed: demo " in page.read_text()
    assert folder.outcomes("demo") == {"audit.toml::demo::conv1::activations": "passed"}


def test_wrong_templates_are_said_before_anything_is_measured(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, WITH_TEMPLATES)
    missing = folder.run()
    line = WITH_TEMPLATES.splitlines().index('templates = "own"') + 1
    assert missing.returncode == 4
    assert f'audit.toml:{line}:1: templates = "own": there is no folder {tmp_path}/own' in missing.stderr
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "report.htm").write_text("")
    (tmp_path / "own" / "report.css").write_text("\n{{")
    wrong = folder.run()
    assert wrong.returncode == 4
    assert "own/report.css:2:1: unexpected 'end of template'" in wrong.stderr
    assert 'own/report.htm:1:1: no template of a report is called so; did you mean "report.html"?' in wrong.stderr
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("reports", "cannot write the report to "), ("reports/demo/latest", "is neither a link nor a report: remove it")],
)
def test_a_report_that_cannot_be_written_fails_the_run_but_verdicts_are_shown(
    tmp_path: Path, wrong: str, said: str
) -> None:
    folder = Folder.of(tmp_path, FAST)
    (tmp_path / wrong).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / wrong).write_text("in the way")
    result = folder.run("-v", "-k", "conv1 and activations")
    assert result.returncode == 1
    assert "audit.toml::demo::conv1::activations PASSED" in result.stdout
    assert "demo: no report: " in result.stdout
    assert said in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert (tmp_path / wrong).read_text() == "in the way"


def test_options_that_look_like_files_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "pytest.toml").write_text('[pytest]\naddopts = ["--strict-markers"]\n')
    folder = Folder.of(tmp_path, FAST)
    result = folder.run("-c", "pytest.toml", "--collect-only", "-q")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[: len(IDS)] == IDS


def test_the_plugin_is_there_where_no_plugin_is_loaded_by_itself(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "checks = []\n" + AUDIT + MODEL + DATA + ONE_LAYER)
    result = folder.run("--report", "elsewhere", "-W", "error", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "elsewhere" / "demo" / "latest" / "report.html").exists()
