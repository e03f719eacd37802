"""Every row of pytest's table of exit codes, reached by real runs of the program and of plain pytest."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.audits import AUDIT, DATA, DEMO, MODEL, WEIGHTS, Folder, environment, section

WEIGHED = section("[[checks]]", check="degenerate-weights")
HEALTHY = AUDIT + MODEL + WEIGHED
DAMAGED = AUDIT + section("[[models]]", **{**DEMO, "name": "damaged"}, checkpoint="damaged.safetensors") + WEIGHED
JUDGED = AUDIT + MODEL + DATA + section("[[checks]]", check="accuracy", at_least=50.0)
DEFAULT = AUDIT + MODEL + DATA + section("[[checks]]", check="defaults")
REFUSING = JUDGED.replace("pictures.py:make", "pictures.py:refuse")
BROKEN = HEALTHY.replace("degenerate-weights", "degenerate-weight")
INTERRUPTING = "import os, signal\n\ndef pytest_runtest_call(item):\n    os.kill(os.getpid(), signal.SIGINT)\n"
SKIPPING = "import pytest\n\ndef pytest_runtest_setup(item):\n    pytest.skip('not today')\n"
FAULTY = "def pytest_runtestloop(session):\n    raise RuntimeError('a hook of somebody is broken')\n"
WARNING = "import warnings\n\ndef pytest_runtest_call(item):\n    warnings.warn('this will not do for ever')\n"


@dataclass(frozen=True)
class Row:
    """A run that ends with `code`: what lies in its folder, what it is told, and what it says."""

    code: int
    text: str
    said: str
    arguments: tuple[str, ...] = ()
    conftest: str = ""
    reports: bool = False


ROWS = {
    "all passed": Row(0, HEALTHY, "1 passed", reports=True),
    "one failed": Row(1, DAMAGED, "FAILED audit.toml::damaged::degenerate-weights", reports=True),
    "in error": Row(1, REFUSING, "nothing was evaluated, so nothing has passed", reports=True),
    "skipped by us": Row(1, DEFAULT, "1 skipped; nothing was evaluated", ("-k", "normalisation-drift"), reports=True),
    "skipped by others": Row(1, HEALTHY, "1 skipped; nothing was evaluated", conftest=SKIPPING, reports=True),
    "interrupted": Row(2, HEALTHY, "KeyboardInterrupt", conftest=INTERRUPTING),
    "internal error": Row(3, HEALTHY, "INTERNALERROR> RuntimeError: a hook of somebody is broken", conftest=FAULTY),
    "unknown id": Row(4, HEALTHY, "not found: ", ("audit.toml::demo::degenerate-weight",)),
    "unknown option": Row(4, HEALTHY, "unrecognized arguments: --no-such-option", ("--no-such-option",)),
    "nothing selected": Row(5, HEALTHY, "1 deselected", ("-k", "nothing_of_this_name")),
    "too many warnings": Row(6, HEALTHY, "1 passed, 1 warning", ("--max-warnings=0",), WARNING, reports=True),
}
RUN_ONLY = {"broken audit.toml": Row(4, BROKEN, 'audit.toml:12:1: no check "degenerate-weight"; did you mean')}
PYTEST_ONLY = {
    "broken audit.toml": Row(2, BROKEN, 'audit.toml:12:1: no check "degenerate-weight"; did you mean'),
    "no such file": Row(4, HEALTHY, "file or directory not found: other.toml", ("other.toml",)),
}
ASKED = {
    **{("run", name): row for name, row in {**ROWS, **RUN_ONLY}.items()},
    **{("pytest", name): row for name, row in {**ROWS, **PYTEST_ONLY}.items()},
}


STARTS = """
import json, os, sys
import altair, jinja2, numba, pandas, pyarrow.parquet, pytest, rich.progress, torch, vl_convert
from audit.cli import main

WAYS = {"run": main, "pytest": pytest.console_main}
codes = []
for folder, way, *arguments in json.load(sys.stdin):
    if not (child := os.fork()):
        os.chdir(folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = ["deepvis-audit", "run", *arguments] if way == "run" else ["pytest", *arguments]
        sys.exit(WAYS[way]())
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""
"""Runs programs one after the other, each in a process of its own that has torch and its like already loaded."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, Path]]:
    """(way, name of a row) -> exit code, folder."""
    folders = {asked: tmp_path_factory.mktemp("row") for asked in ASKED}
    commands = [_command(folders[way, name], way, row) for (way, name), row in ASKED.items()]
    all_runs = subprocess.run(
        [sys.executable, "-c", STARTS],
        input=json.dumps(commands),
        env={
            **environment(),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert all_runs.returncode == 0, all_runs.stderr
    codes = json.loads(all_runs.stdout)
    return {asked: (code, folders[asked]) for asked, code in zip(ASKED, codes, strict=True)}


def _command(path: Path, way: str, row: Row) -> list[str]:
    """The row's folder, made, and what is to be run there."""
    Folder.of(path, row.text)
    (path / "conftest.py").write_text(row.conftest)
    if row.text == DAMAGED:
        state = load_file(WEIGHTS)
        state["conv2.weight"][:8] = 0
        save_file(state, path / "damaged.safetensors")
    named = any(argument.partition("::")[0].endswith(".toml") for argument in row.arguments)
    return [str(path), way, *row.arguments, *(() if named or way == "run" else ("audit.toml",))]


@pytest.mark.parametrize(("way", "name"), ASKED, ids=[f"{way}, {name}" for way, name in ASKED])
def test_the_exit_code_and_what_is_said(runs: dict[tuple[str, str], tuple[int, Path]], way: str, name: str) -> None:
    row, (code, folder) = ASKED[way, name], runs[way, name]
    output = (folder / "output.txt").read_text(encoding="utf-8")
    assert code == row.code, output
    assert row.said in output
    assert (folder / "reports").exists() == row.reports
    if name != "internal error":
        assert "Traceback" not in output


def test_every_code_of_pytest_is_reached_both_ways() -> None:
    for way in ("run", "pytest"):
        assert {row.code for (asked, _), row in ASKED.items() if asked == way} == {0, 1, 2, 3, 4, 5, 6}
    assert max(map(int, pytest.ExitCode)) <= 6
