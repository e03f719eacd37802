"""A sample of the lab, on the demo model: the real program finds planted defects, and lets harmless changes be."""

import os
from pathlib import Path

import pytest

from tests.audits import PROGRAM, ended, environment
from tests.defects.definitions import definitions
from tests.defects.healthy import ROOT, healthy
from tests.defects.lab import FILE, Reference, false_alarms, folder_of, reference, trial

SAMPLE = [
    ("killed", "conv2", 1),
    ("not-a-number", "conv3", 1),
    ("duplicated", "conv1", 4),
    ("bgr", "", "blue, green, red"),
    ("labels-permuted", "", "off by one"),
    ("darkened", "", 0.15),
]
"""Of each way of planting: in weights of a unit, in the whole checkpoint, in the pictures."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def before(folder) -> Reference:
    """The healthy model's audits; what is kept of them is used by all."""
    return reference("demo", folder)


def test_nothing_is_found_in_the_healthy_model(before):
    assert false_alarms(healthy("demo"), before.plain) == {}
    assert before.known.accuracy > 90


@pytest.mark.parametrize("planted", SAMPLE, ids=lambda planted: planted[0])
def test_a_planted_defect_is_found_and_named(planted, before, folder):
    outcome = trial(definitions().planting("demo", *planted), before.known, folder)
    assert outcome.must_be_found
    assert outcome.by == "named", (sorted(outcome.alarms), outcome.said)


@pytest.mark.parametrize("planted", [("reordered", "conv2", 1.0), ("rounded", "", 16)], ids=lambda planted: planted[0])
def test_a_harmless_change_is_let_be(planted, before, folder):
    outcome = trial(definitions().planting("demo", *planted), before.known, folder)
    assert outcome.must_not_be_found
    assert not outcome.found, sorted(outcome.alarms | outcome.findings)
    assert not outcome.errors


def test_the_program_says_on_the_command_line_what_the_lab_sees(before, folder):
    planting = definitions().planting("demo", "killed", "conv1", 4)
    outcome = trial(planting, before.known, folder)
    here = folder_of(planting, folder)
    path = os.pathsep.join([str(ROOT), environment()["PYTHONPATH"]])
    command = [str(PROGRAM), "run", FILE, "-k", "relu1", "--report", str(folder / "demo"), "-p", "no:cacheprovider"]
    result = ended(command, cwd=here, PYTHONPATH=path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "dead-units" in result.stdout
    assert outcome.named == {"dead-units"}
