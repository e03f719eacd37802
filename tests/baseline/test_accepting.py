"""`deepvis-audit baseline` on real runs of the demo model: what is accepted, what is refused, what a change says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from audit import store
from audit.baseline import read_baseline, tolerance
from audit.cli import app
from audit.errors import ConfigError
from audit.gate.nodes import explained
from audit.plan import prepare
from audit.records import Report, Verdict
from audit.session import Session
from tests.audits import AUDIT, DATA, MODEL, WEIGHTS, Folder, section

LAYERS = section("[[layers]]", name="relu1") + section(
    "[[layers]]", name="conv1", units=[3], images=2, analyses=["max-patches"]
)
ACCURACY = section("[[checks]]", check="accuracy", at_least=60.0, change="at most 0.5 points below baseline")
DEAD = section("[[checks]]", check="dead-units", only="change", change="at most 2 points above baseline")
NOISE = section("[[checks]]", check="noise-sensitivity", sigma=0.1, at_most=90.0, change="at most 10 % above baseline")
PLAIN = section("[[checks]]", check="non-finite")
NOISY = MODEL.replace("std = 0.25", "std = 0.5")  # as right as with 0.25, and one picture is at the edge of a class
TEXT = AUDIT + NOISY + DATA + LAYERS + ACCURACY + DEAD + NOISE + PLAIN

CHANGES = {"accuracy-change", "relu1::dead-units-change", "noise-sensitivity-change"}
CHECKS = {"accuracy", "relu1::dead-units", "noise-sensitivity", "non-finite"}


def command(*arguments: str, ci: str | None = None) -> Result:
    """`deepvis-audit baseline ARGUMENTS`, on a machine that is no CI unless told so."""
    return CliRunner().invoke(app, ["baseline", *arguments], env={"CI": ci, "COLUMNS": "150"})


def evaluated(file: Path) -> dict[str, Verdict]:
    """The verdicts on all checks of an audit, by what follows the model's name; nothing is published."""
    prepared = prepare(file)
    items = [item for item in prepared.items(file.name) if prepared.subjects[item.model].check(item)]
    session = Session(prepared, items)
    return {item.id.split("::", 2)[2]: session.evaluate(item) for item in items}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder in which the audit ran once, without a baseline, in CI."""
    folder = Folder.of(tmp_path_factory.mktemp("accepting"), TEXT)
    result = folder.run(CI="true")
    assert result.returncode == 1, result.stdout
    return folder


@pytest.fixture
def accepted(run: Folder) -> Folder:
    """The folder, its run accepted."""
    result = command("accept", str(run.path / "audit.toml"))
    assert result.exit_code == 0, result.output
    return run


@pytest.fixture
def other(accepted: Folder) -> Callable[..., Path]:
    """The audit with something else in its text, beside the accepted one."""

    def write(old: str, new: str, text: str = TEXT) -> Path:
        assert old in text
        file = accepted.path / "other.toml"
        file.write_text(text.replace(old, new), encoding="utf-8")
        return file

    return write


def stored(run: Folder, tmp_path: Path, change: Callable[[Report], Report]) -> tuple[str, ...]:
    """Arguments that name a folder of reports whose latest one is the run's, but for the change."""
    folder = tmp_path / "reports" / "demo" / "one"
    store.write(change(store.read(run.path / "reports" / "demo" / "latest")), folder)
    store.publish_latest(folder, folder.parent / "latest")
    return "accept", str(run.path / "audit.toml"), "--report", str(tmp_path / "reports")


def with_outcome(task: str, outcome: Any) -> Callable[[Report], Report]:
    """A report in which the items of that task have another outcome."""

    def change(report: Report) -> Report:
        changed = (
            replace(verdict, outcome=outcome) if verdict.item.task == task else verdict for verdict in report.verdicts
        )
        return replace(report, verdicts=tuple(changed))

    return change


# Without a baseline


def test_without_a_baseline_every_change_has_failed_and_nothing_is_written(run: Folder) -> None:
    outcomes, messages = run.outcomes(), run.messages()
    for task in CHANGES:
        assert outcomes[f"audit.toml::demo::{task}"] == "failed"
        message = messages[f"audit.toml::demo::{task}"]
        assert message.startswith("unavailable: there is no baseline of this model (baseline.json)")
        assert 'deepvis-audit baseline accept audit.toml"' in message
    assert outcomes["audit.toml::demo::accuracy"] == "passed"
    (run.path / "baseline.json").unlink(missing_ok=True)
    assert run.run("-k", "accuracy", "--report", "again").returncode == 1
    assert not (run.path / "baseline.json").exists()


def test_a_check_that_is_judged_by_its_change_alone_is_measured_and_not_passed(run: Folder) -> None:
    items = {item["id"]: item for item in run.results()["items"]}
    alone = items["audit.toml::demo::relu1::dead-units"]
    assert (alone["outcome"], alone["measured"], alone["limit"], alone["asked"]) == ("skipped", 0.0, None, None)
    assert "measured only: its change is judged, by dead-units-change" in alone["message"]


def test_a_limit_is_stored_as_it_was_asked_and_as_chance_makes_it(run: Folder) -> None:
    items = {item["task"]: item for item in run.results()["items"]}
    assert items["accuracy"]["asked"] == items["accuracy"]["limit"] == 60.0
    noise = items["noise-sensitivity"]
    assert noise["asked"] == 90.0
    assert 90 < noise["limit"] < 100


# Accepting


def test_the_numbers_of_the_run_are_accepted(accepted: Folder) -> None:
    results = accepted.results()
    known = read_baseline(accepted.path / "baseline.json").models["demo"]
    measured = {item["id"].split("::", 2)[2]: item["measured"] for item in results["items"]}
    assert {name: entry.measured for name, entry in known.items.items()} == {name: measured[name] for name in CHECKS}
    assert known.items["noise-sensitivity"].options["sigma"] == 0.1
    assert "at_most" not in known.items["noise-sensitivity"].options
    assert known.run == results["provenance"]["started"]
    assert (known.weights, known.data) == tuple(results["provenance"][f"{name} digest"] for name in ("weights", "data"))
    assert known.numbers == results["numbers"]
    (pictures,) = results["pictures"]
    assert known.pictures == {"conv1::max-patches": tuple(sheet["sha256"] for sheet in pictures["sheets"])}


def test_accepting_twice_gives_the_same_bytes(accepted: Folder) -> None:
    file = accepted.path / "baseline.json"
    first = file.read_bytes()
    result = command("accept", str(accepted.path / "audit.toml"))
    assert result.exit_code == 0
    assert "demo: 4 numbers as before" in result.output
    assert f"{file} is written: commit it" in result.output.replace("\n", "")
    assert file.read_bytes() == first


def test_what_changed_is_shown(accepted: Folder) -> None:
    file = accepted.path / "baseline.json"
    document = json.loads(file.read_text())
    items = document["models"]["demo"]["items"]
    items["accuracy"]["measured"] -= 3
    del items["non-finite"]
    document["models"]["demo"] |= {"weights": "0" * 64, "pictures": {}}
    file.write_text(json.dumps(document))
    result = command("accept", str(accepted.path / "audit.toml"))
    rows = [line.split() for line in result.output.splitlines()]
    assert ["accuracy", "91.167", "%", "94.167", "%", "+3"] in rows
    assert ["non-finite", "none", "0"] in rows
    assert any(row[:2] == ["weights", "0" * 12] for row in rows)
    assert any(row[:3] == ["pictures", "conv1::max-patches", "none"] for row in rows)
    assert "demo: 2 numbers as before" in result.output


def test_the_baseline_is_shown(accepted: Folder) -> None:
    result = command("show", str(accepted.path / "audit.toml"), "--model", "demo")
    assert result.exit_code == 0
    for line in ("accuracy", "relu1::dead-units", "noise-sensitivity", "non-finite"):
        assert f"\n{line} " in result.output
    assert "not measured" in result.output
    missing = command("show", str(accepted.path / "audit.toml"), "--model", "demi")
    assert (missing.exit_code, 'no model "demi"' in missing.output) == (4, True)
    (accepted.path / "baseline.json").unlink()
    nothing = command("show", str(accepted.path / "audit.toml"))
    assert (nothing.exit_code, "baseline accept" in nothing.output) == (4, True)


def test_models_that_are_not_named_stay_as_they_were(accepted: Folder) -> None:
    file = accepted.path / "baseline.json"
    document = json.loads(file.read_text())
    document["models"]["earlier"] = document["models"]["demo"]
    file.write_text(json.dumps(document))
    assert command("accept", str(accepted.path / "audit.toml"), "--model", "demo").exit_code == 0
    assert set(read_baseline(file).models) == {"demo", "earlier"}
    whole = command("accept", str(accepted.path / "audit.toml"))
    assert "earlier: no longer in the baseline" in whole.output
    assert set(read_baseline(file).models) == {"demo"}


# Refusing


def test_ci_writes_no_baseline(run: Folder) -> None:
    file = run.path / "baseline.json"
    file.unlink(missing_ok=True)
    result = command("accept", str(run.path / "audit.toml"), ci="true")
    assert result.exit_code == 4
    assert result.output.startswith("CI is set, and no baseline is written there: ")
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--repeats", "2"), "--repeats 2: the spread of fewer than 3 runs says nothing"),
        (("--model", "demmo"), 'no model "demmo" in audit.toml; did you mean "demo"?'),
    ],
)
def test_a_wrong_argument_is_4(arguments: tuple[str, ...], said: str, run: Folder) -> None:
    result = command("accept", str(run.path / "audit.toml"), *arguments)
    assert (result.exit_code, result.output.strip()) == (4, said)


def test_what_was_never_run_is_not_accepted(run: Folder, tmp_path: Path) -> None:
    result = command("accept", str(run.path / "audit.toml"), "--report", str(tmp_path))
    assert result.exit_code == 1
    assert "no report in" in result.output


def test_a_run_of_something_else_is_not_accepted(accepted: Folder, other: Callable[..., Path]) -> None:
    before = (accepted.path / "baseline.json").read_bytes()
    result = command("accept", str(other("at_least = 60.0", "at_least = 61.0")))
    assert result.exit_code == 1
    assert " was of another other.toml; run it again: " in result.output
    assert (accepted.path / "baseline.json").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "said"), [("weights digest", "another checkpoint"), ("code digest", "another version of the program")]
)
def test_a_run_of_other_weights_or_code_is_not_accepted(key: str, said: str, run: Folder, tmp_path: Path) -> None:
    def change(report: Report) -> Report:
        return replace(report, provenance={**report.provenance, key: "0" * 64})

    result = command(*stored(run, tmp_path, change))
    assert result.exit_code == 1
    assert f" was of {said}; run it again" in result.output


def test_a_part_of_a_run_is_not_accepted(run: Folder, tmp_path: Path) -> None:
    def change(report: Report) -> Report:
        return replace(report, verdicts=tuple(one for one in report.verdicts if one.item.task != "accuracy"))

    result = command(*stored(run, tmp_path, change))
    assert result.exit_code == 1
    assert "did not evaluate 1 check: audit.toml::demo::accuracy; run it again" in result.output


@pytest.mark.parametrize("outcome", ["failed", "waiver-expired"])
def test_a_failed_run_is_accepted_only_when_told_so(outcome: str, run: Folder, tmp_path: Path) -> None:
    arguments = stored(run, tmp_path, with_outcome("accuracy", outcome))
    refused = command(*arguments)
    assert refused.exit_code == 1
    assert "has 1 item that failed: audit.toml::demo::accuracy; to accept it all the same" in refused.output
    assert command(*arguments, "--even-failed").exit_code == 0


def test_an_item_in_error_is_never_accepted(run: Folder, tmp_path: Path) -> None:
    result = command(*stored(run, tmp_path, with_outcome("max-patches", "error")), "--even-failed")
    assert result.exit_code == 1
    assert "has 1 item in error: audit.toml::demo::conv1::max-patches" in result.output


def test_a_waived_item_is_accepted(run: Folder, tmp_path: Path) -> None:
    assert command(*stored(run, tmp_path, with_outcome("accuracy", "waived"))).exit_code == 0


def test_a_number_that_is_none_is_left_out_and_said(run: Folder, tmp_path: Path) -> None:
    def change(report: Report) -> Report:
        wrong = (
            replace(one, measured=float("nan"), outcome="failed") if one.item.task == "accuracy" else one
            for one in report.verdicts
        )
        return replace(report, verdicts=tuple(wrong))

    result = command(*stored(run, tmp_path, change), "--even-failed")
    assert result.exit_code == 0
    assert "audit.toml::demo::accuracy has no number in this run" in result.output
    assert "accuracy" not in read_baseline(run.path / "baseline.json").models["demo"].items


# Judging


def test_a_model_that_did_not_change_passes(accepted: Folder) -> None:
    verdicts = evaluated(accepted.path / "audit.toml")
    assert {verdicts[task].outcome for task in CHANGES} == {"passed"}
    assert {verdicts[task].measured for task in CHANGES} == {0.0}
    assert "as in the baseline" in verdicts["accuracy-change"].message
    text = (accepted.path / "audit.toml").read_text().splitlines()
    assert text[verdicts["accuracy-change"].line - 1].startswith("change = ")
    assert text[verdicts["accuracy"].line - 1] == "[[checks]]"


def test_a_damaged_checkpoint_fails_by_its_changes_and_says_both_numbers(
    accepted: Folder, other: Callable[..., Path]
) -> None:
    weights = load_file(WEIGHTS)
    weights["conv1.bias"][[4, 5]] = -1e3  # units of relu1 that never fire
    weights["fc.weight"][0] = 0
    weights["fc.bias"][0] = -1e3  # a class that is never answered
    save_file(weights, accepted.path / "damaged.safetensors")
    verdicts = evaluated(other(str(WEIGHTS), "damaged.safetensors"))
    dead = verdicts["relu1::dead-units-change"]
    assert (dead.outcome, dead.measured, dead.limit, dead.unit) == ("failed", 6.25, 2.0, "points")
    assert dead.message.startswith("6.25 %, 6.25 points above the 0 % of the baseline; at most 2 points above ")
    assert [finding.unit for finding in dead.findings] == [4, 5]
    lost = verdicts["accuracy-change"]
    then, now = 94 + 1 / 6, verdicts["accuracy"].measured
    assert now is not None
    assert (lost.outcome, verdicts["accuracy"].outcome) == ("failed", "passed")
    assert lost.measured == pytest.approx(now - then, abs=1e-8)
    assert (lost.limit, lost.asked, lost.good) == (-0.5, -0.5, "at least")
    assert f"{now:.5g} %, " in lost.message
    assert "points below the 94.167 % of the baseline; at most 0.5 points below is allowed" in lost.message


@pytest.mark.parametrize(
    ("old", "new", "task", "said"),
    [
        ("batch = 40", "batch = 40\nlimit = 110", "accuracy-change", "was measured on other pictures"),
        ("sigma = 0.1", "sigma = 0.05", "noise-sensitivity-change", "with sigma = 0.1, and now it is 0.05"),
        ('name = "demo"', 'name = "later"', "accuracy-change", "there is no baseline of this model"),
        ('"non-finite"', '"non-finite"\nchange = "at most 0 above baseline"', "non-finite-change", None),
        (
            '"non-finite"',
            '"half-precision"\nchange = "at most 0 % from baseline"',
            "half-precision-change",
            "no number",
        ),
    ],
)
def test_what_cannot_be_compared_has_failed(
    old: str, new: str, task: str, said: str | None, other: Callable[..., Path]
) -> None:
    verdict = evaluated(other(old, new))[task]
    assert verdict.outcome == ("passed" if said is None else "failed")
    if said is not None:
        assert verdict.message.startswith("unavailable: ")
        assert said in verdict.message
        assert 'deepvis-audit baseline accept other.toml"' in verdict.message


def test_a_limit_of_its_own_needs_no_other_measurement(accepted: Folder, other: Callable[..., Path]) -> None:
    verdicts = evaluated(other("at_most = 90.0", "at_most = 1.0"))
    assert verdicts["noise-sensitivity-change"].outcome == "passed"


def test_a_damaged_baseline_is_a_mistake_with_its_line(accepted: Folder, other: Callable[..., Path]) -> None:
    file = accepted.path / "baseline.json"
    text = file.read_text()
    file.write_text(text.replace('"good": "at least"', '"good": "best"'))
    with pytest.raises(ConfigError) as caught:
        prepare(accepted.path / "audit.toml")
    (line,) = (number for number, one in enumerate(text.splitlines(), 1) if '"accuracy": {' in one)
    assert {problem.line for problem in caught.value.problems} == {line}
    assert "models.demo.items.accuracy.good should be" in str(caught.value)
    shown = command("show", str(accepted.path / "audit.toml"))
    assert (shown.exit_code, f"baseline.json:{line}:" in shown.output) == (4, True)
    assert command("accept", str(accepted.path / "audit.toml")).exit_code == 4
    without_changes = TEXT.replace(ACCURACY, "").replace(DEAD, "").replace(NOISE, "")
    prepare(other("[audit]", "[audit]", without_changes))
    file.unlink()


# Noise


def test_repeated_runs_say_how_noisy_a_number_is(accepted: Folder, other: Callable[..., Path]) -> None:
    folders = sorted((accepted.path / "reports" / "demo").iterdir())
    result = command("accept", str(accepted.path / "audit.toml"), "--repeats", "3")
    assert result.exit_code == 0, result.output
    assert sorted((accepted.path / "reports" / "demo").iterdir()) == folders
    items = read_baseline(accepted.path / "baseline.json").models["demo"].items
    seeded = [evaluated(other("[audit]", f"[audit]\nseed = {seed}"))["noise-sensitivity"] for seed in (1, 2, 3)]
    numbers = [verdict.measured for verdict in seeded]
    noise = items["noise-sensitivity"].noise
    assert noise is not None
    assert noise.runs == 3
    assert noise.mean == pytest.approx(np.mean(numbers))
    assert noise.deviation == pytest.approx(np.std(numbers, ddof=1))
    assert noise.deviation > 0
    assert items["accuracy"].noise is not None
    assert items["accuracy"].noise.deviation == 0

    verdict = evaluated(accepted.path / "audit.toml")["noise-sensitivity-change"]
    assert verdict.asked == 10.0
    assert verdict.limit == pytest.approx(10 + 100 * tolerance(noise) / noise.mean)
    assert "after 3 runs with other seeds whose standard deviation is" in verdict.message
    (needed,) = [line for line in explained(verdict) if "needed" in line]
    assert needed.endswith(f"needed at most 10 %, {verdict.limit:.4g} % with chance")
