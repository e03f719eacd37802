"""Every row of pytest's table of exit codes, reached by real runs of the program and of plain pytest."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.audits import AUDIT, DATA, DEMO, MODEL, WEIGHTS, Folder, environment, section
from tests.prefork import forked

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
    "too many warnings": Row(6, HEALTHY, "maximum allowed warnings", ("--max-warnings=0",), WARNING, reports=True),
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


@pytest.mark.parametrize(("way", "name"), ASKED, ids=[f"{way}, {name}" for way, name in ASKED])
def test_the_exit_code_and_what_is_said(tmp_path: Path, way: str, name: str) -> None:
    row = ASKED[way, name]
    Folder.of(tmp_path, row.text)
    (tmp_path / "conftest.py").write_text(row.conftest)
    if row.text == DAMAGED:
        state = load_file(WEIGHTS)
        state["conv2.weight"][:8] = 0
        save_file(state, tmp_path / "damaged.safetensors")
    named = any(argument.partition("::")[0].endswith(".toml") for argument in row.arguments)
    program = ["deepvis-audit", "run"] if way == "run" else ["pytest", *(() if named else ("audit.toml",))]
    result = forked(program[0], [*program[1:], *row.arguments], tmp_path, environment())
    output = result.stdout + result.stderr
    assert result.returncode == row.code, output
    assert row.said in output
    assert (tmp_path / "reports").exists() == row.reports
    if name != "internal error":
        assert "Traceback" not in output


def test_every_code_of_pytest_is_reached_both_ways() -> None:
    for way in ("run", "pytest"):
        assert {row.code for (asked, _), row in ASKED.items() if asked == way} == {0, 1, 2, 3, 4, 5, 6}
    assert max(map(int, pytest.ExitCode)) <= 6
