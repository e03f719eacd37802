"""What a run writes besides its reports, in CI and by wish: a real run of layers whose names are hostile."""

import json
import re
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from junitparser.xunit2 import JUnitXml

from audit.store.schema import schema
from tests.audits import AUDIT, DATA, DEMO, FAST, PROGRAM, Folder, ended, section

LAYER = "conv`1|<b>\n::error::owned ##[error]owned"
OWN = f"""
from collections import OrderedDict
import numpy as np
from torch import nn
LAYER = {LAYER!r}
def make():
    return [np.full((64, 64, 3), 9, np.uint8)] * 3
def build():
    block = nn.Sequential(OrderedDict([("0", nn.Conv2d(3, 4, 3)), ("relu", nn.ReLU())]))
    head = [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten())]
    return nn.Sequential(OrderedDict([("block", block), (LAYER, nn.Conv2d(4, 12, 1)), *head]))
"""
MODEL = section("[[models]]", **{**DEMO, "name": "de.mo", "factory": "own.py:build"})
LAYERS = section("[[layers]]", name=["block.0", "block.relu", "conv*"], analyses=["activations"])
CHECKS = section("[[checks]]", check="accuracy", at_least=1.0) + section("[[checks]]", check="non-finite")
HOSTILE = AUDIT + MODEL + section("[data]", factory="own.py:make") + LAYERS + CHECKS
OUTPUTS = [f"--audit-{name}=out/{name}" for name in ("sarif", "markdown", "statement")]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, CompletedProcess[str]]:
    """A run on GitHub, in which the accuracy fails for lack of labels."""
    folder = Folder.of(tmp_path_factory.mktemp("hostile"), HOSTILE)
    (folder.path / "own.py").write_text(OWN)
    (folder.path / "summary.md").write_text("what an earlier command of the step said\n")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder.path / "summary.md")}
    return folder, folder.run("-v", "--junitxml=junit.xml", *OUTPUTS, **github)


def commands(output: str) -> list[str]:
    """Lines that GitHub's runner would carry out."""
    return [line for line in output.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_on_github_annotations_are_printed_and_no_name_is_a_command(
    hostile: tuple[Folder, CompletedProcess[str]],
) -> None:
    _, result = hostile
    assert result.returncode == 1, result.stdout + result.stderr
    (annotation,) = commands(result.stdout + result.stderr)
    line = HOSTILE.splitlines().index("[[checks]]") + 1
    assert annotation == (
        f"::error file=audit.toml,line={line},title=de.mo%3A accuracy::unavailable: no picture has a label: "
        "sort them into a folder per class, or let the factory return labels"
    )
    assert "owned" in result.stdout


def test_on_github_the_summary_of_the_step_is_continued(hostile: tuple[Folder, CompletedProcess[str]]) -> None:
    folder, _ = hostile
    text = (folder.path / "summary.md").read_text()
    assert text.startswith("what an earlier command of the step said\n### ✗ <code>de.mo</code>: 1 item failed, of ")
    assert text.endswith((folder.path / "out" / "markdown").read_text())


def test_junit_has_one_name_for_each_item_and_two_parts_for_its_class(
    hostile: tuple[Folder, CompletedProcess[str]],
) -> None:
    folder, _ = hostile
    (suite,) = JUnitXml.fromfile(str(folder.path / "junit.xml"))
    ids = [item["id"] for item in folder.results("de.mo")["items"]]
    names = [case.name for case in suite]
    assert len(set(names)) == len(names) == len(ids)
    assert "audit.toml::de.mo::block.0::activations" in names
    assert {case.classname for case in suite} == {"audit.de_mo"}
    failed = [case for case in suite if not case.is_passed]
    assert [case.name for case in failed] == ["audit.toml::de.mo::accuracy"]
    assert "no picture has a label" in failed[0].result[0].text
    assert all({"file", "line"} <= {entry.name for entry in case.properties()} for case in suite)


def test_every_output_is_of_the_run_s_items(hostile: tuple[Folder, CompletedProcess[str]]) -> None:
    folder, result = hostile
    items = folder.results("de.mo")["items"]
    predicate = json.loads((folder.path / "out" / "statement").read_text())["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["failedTests"] == ["audit.toml::de.mo::accuracy"]
    assert len(predicate["passedTests"]) == sum(item["outcome"] == "passed" for item in items)
    (run,) = json.loads((folder.path / "out" / "sarif").read_text())["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["accuracy"]
    assert run["automationDetails"]["id"] == "deepvis-audit/de.mo/"
    for name in ("sarif", "markdown", "statement"):
        assert f"  {name} {folder.path}/out/{name}\n" in result.stdout


def test_results_of_a_real_run_are_valid_by_the_published_schema(
    hostile: tuple[Folder, CompletedProcess[str]],
) -> None:
    results = hostile[0].results("de.mo")
    Draft202012Validator(schema()).validate(results)
    assert LAYER in [layer["name"] for layer in results["outline"]["layers"]]


def test_export_says_the_same_as_the_run(hostile: tuple[Folder, CompletedProcess[str]]) -> None:
    folder, _ = hostile
    latest = str(folder.path / "reports" / "de.mo" / "latest")
    names = ("sarif", "markdown", "statement")
    files = [part for name in names for part in (f"--{name}", f"again/{name}")]
    result = ended([str(PROGRAM), "export", latest, *files, "--annotations"], cwd=folder.path)
    assert result.returncode == 0, result.stderr
    for name in names:
        assert (folder.path / "again" / name).read_bytes() == (folder.path / "out" / name).read_bytes()
    assert commands(result.stdout) == commands(hostile[1].stdout)


def test_xunit1_has_the_file_as_an_attribute(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, HOSTILE)
    (tmp_path / "own.py").write_text(OWN)
    folder.run("-k", "non-finite", "--junitxml=junit.xml", "-o", "junit_family=xunit1")
    cases = list(ET.parse(tmp_path / "junit.xml").iter("testcase"))
    assert cases
    assert {case.get("file") for case in cases} == {"audit.toml"}
    assert {case.get("classname") for case in cases} == {"audit.de_mo"}


def test_what_cannot_be_written_fails_the_run_and_the_others_are_written(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, FAST)
    (tmp_path / "in-the-way").write_text("a file")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)}
    arguments = ["-k", "conv1 and activations", "--audit-sarif=in-the-way/x.sarif", "--audit-markdown=out.md"]
    result = folder.run(*arguments, **github)
    assert result.returncode == 1
    assert "1 passed" in result.stdout
    assert re.search(r"^no sarif: cannot write .*in-the-way/x\.sarif: ", result.stdout, re.MULTILINE)
    assert re.search(rf"^no summary of the step: {tmp_path}: ", result.stdout, re.MULTILINE)
    assert "Traceback" not in result.stdout + result.stderr
    assert "1 passed" in (tmp_path / "out.md").read_text()
    assert (tmp_path / "reports" / "demo" / "latest" / "report.html").exists()


def test_a_report_that_cannot_be_written_is_still_in_the_outputs(tmp_path: Path) -> None:
    folder = Folder.of(
        tmp_path, AUDIT + section("[[models]]", **DEMO) + DATA + section("[[checks]]", check="non-finite")
    )
    (tmp_path / "reports").write_text("in the way")
    result = folder.run("--audit-statement=s.jsonl", "--audit-annotations")
    assert result.returncode == 1
    assert "demo: no report: cannot write" in result.stdout
    statement = json.loads((tmp_path / "s.jsonl").read_text())
    assert statement["predicate"]["passedTests"]
    assert list(statement["subject"][0]["digest"]) == ["deepvis-weights"]  # of a network without a checkpoint
