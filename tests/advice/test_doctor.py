"""doctor: what it sees on this machine, on one that lacks something, and of an audit that would be slow."""

from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from audit.advice import diagnosis, workload
from audit.advice.diagnosis import PANGO, Symptom, symptoms
from audit.advice.workload import loads
from tests.audits import AUDIT, MODEL, PROGRAM, Folder, ended, section


def states(found: list[Symptom]) -> dict[str, str]:
    return {symptom.thing: symptom.state for symptom in found}


def test_every_part_of_the_machine_is_looked_at(tmp_path: Path) -> None:
    found = list(symptoms(tmp_path / "reports"))
    assert {"machine", "pytest plugin", "CPU", "memory", "GPU", "PDF", "fonts", "reports"} <= set(states(found))
    assert all(symptom.advice for symptom in found if symptom.state != "ok")
    assert not (tmp_path / "reports").exists()


def test_another_version_than_the_package_asks_for_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "requires", lambda _: ["torch<1", "no-such-package>=2", 'numpy>99; extra == "x"'])
    torch_, missing = diagnosis._packages()
    assert (torch_.state, torch_.seen) == ("broken", f"is {version('torch')}, needed <1")
    assert torch_.advice == 'pip install "torch<1"'
    assert (missing.thing, missing.state, missing.seen) == ("no-such-package", "broken", "is not installed")


def test_a_folder_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    symptom = diagnosis._disk(tmp_path / "file" / "reports")
    assert symptom.state == "broken"
    assert "--report" in symptom.advice


def test_without_pango_the_line_that_installs_it_is_said_and_the_exit_code_is_1(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path)
    result = ended([str(PROGRAM), "doctor", "audit.toml"], cwd=folder.path, pdf=False)
    assert result.returncode == 1
    words = " ".join("".join(line.split("│")[-1:]) for line in result.stdout.splitlines())
    assert " ".join(words.split()).replace("- ", "-").count("libpangoft2-1.0-0") == 1
    assert "broken" in result.stdout
    assert "8 items of demo" in result.stdout
    assert "libpangoft2-1.0-0" in PANGO


def test_a_wrong_file_is_broken_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit.toml").write_text(AUDIT + MODEL + "seed = 1\n")
    (symptom,) = loads(tmp_path / "audit.toml")
    assert symptom.state == "broken"
    assert symptom.seen.startswith("audit.toml:11:1: no key ")


def test_many_images_and_half_precision_on_a_cpu_are_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"name": "conv2", "units": [1, 2, 3], "analyses": ["optimized"], "presets": ["yosinski-1"], "images": 2}
    text = AUDIT + MODEL + section("[[layers]]", **asked, precision="bf16")
    file = Folder.of(tmp_path, text).path / "audit.toml"
    monkeypatch.setattr(workload, "has_fast_half", lambda: False)
    monkeypatch.setattr(workload, "PATIENCE", 0.0)
    _, half, images = loads(file)
    assert (half.state, half.thing) == ("slow", "demo")
    assert 'precision = "bf16" for conv2' in half.seen
    assert images.state == "slow"
    assert images.seen.startswith("6 optimized images: at most about ")
    monkeypatch.setattr(workload, "PATIENCE", 1e9)
    monkeypatch.setattr(workload, "has_fast_half", lambda: True)
    assert [symptom.state for symptom in loads(file)] == ["ok", "ok"]


def test_the_steps_are_those_of_all_units_images_and_presets(tmp_path: Path) -> None:
    asked = {"name": "conv2", "units": "0-9", "analyses": ["optimized"], "presets": ["yosinski-1", "l2"], "images": 2}
    file = Folder.of(tmp_path, AUDIT + MODEL + section("[[layers]]", **asked)).path / "audit.toml"
    subject = workload.prepare(file).subjects["demo"]
    chosen = subject.layers["conv2"].analyses["optimized"]
    assert workload._steps(subject, "conv2", chosen) == 10 * 2 * (500 + 100)
    assert torch.get_num_threads() >= 1
