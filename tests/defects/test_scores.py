"""Outcomes of plantings by hand -> what counts as found, named, missed and a false alarm."""

from math import nan

import pytest

from audit.records import Finding, Item, Verdict
from tests.defects.definitions import Planting, definitions
from tests.defects.healthy import healthy
from tests.defects.lab import Audited, Outcome, compared, false_alarms
from tests.defects.recipes import Planted
from tests.defects.scores import cries, misses, must, rate, rows, why

KILLED = definitions().planting("demo", "killed", "conv2", 1)
NOISY = definitions().planting("demo", "noisy", "", 0.1)
ROUNDED = definitions().planting("demo", "rounded", "", 16)
BROKEN = Planted({}, units=(7,))


def verdict(
    task: str, outcome: str = "failed", layer: str | None = None, units: tuple[int, ...] = (), **more
) -> Verdict:
    findings = tuple(Finding(layer, unit, "is broken", 0.0) for unit in units)
    return Verdict(Item("audit.toml", "demo", layer, task), outcome, f"{task} says so", findings=findings, **more)


def accuracy(percent: float, outcome: str = "passed") -> Verdict:
    return verdict("accuracy", outcome, measured=percent)


def outcome(planting: Planting, *after: Verdict, before: tuple[Verdict, ...] = (accuracy(95.0),)) -> Outcome:
    return compared(planting, BROKEN, Audited(before), Audited(after))


def test_a_check_that_fails_anew_finds_the_defect_and_one_that_was_expected_names_it():
    found = outcome(KILLED, accuracy(95.0), verdict("dead-units", layer="relu2", units=(7,)))
    assert (found.found, found.by, found.at_place) == (True, "named", True)
    other = outcome(KILLED, accuracy(95.0), verdict("calibration"))
    assert (other.found, other.by, other.at_place) == (True, "other", False)


def test_only_the_accuracy_that_the_owner_knows_is_told_apart():
    assert outcome(NOISY, accuracy(90.0, "failed")).by == "accuracy"
    assert outcome(NOISY, accuracy(95.0)).by == "nothing"


def test_what_failed_before_finds_nothing_unless_it_is_new_at_the_place():
    before = (accuracy(95.0), verdict("dead-units", layer="relu2", units=(1,)))
    same = outcome(KILLED, accuracy(95.0), verdict("dead-units", layer="relu2", units=(1,)), before=before)
    assert not same.found
    elsewhere = outcome(KILLED, accuracy(95.0), verdict("dead-units", layer="relu2", units=(1, 3)), before=before)
    assert not elsewhere.found
    there = outcome(KILLED, accuracy(95.0), verdict("dead-units", layer="relu2", units=(1, 7)), before=before)
    assert (there.by, there.findings, there.at_place) == ("named", {"dead-units"}, True)


def test_what_failed_before_in_a_unit_that_was_moved_is_not_new():
    moved = definitions().planting("demo", "reordered", "conv2", 1.0)
    made = Planted({}, order=(2, 0, 1))
    before = Audited((accuracy(95.0), verdict("dead-units", layer="relu2", units=(2,))))
    for unit, found in ((0, False), (1, True)):
        after = Audited((accuracy(95.0), verdict("dead-units", layer="relu2", units=(unit,))))
        assert compared(moved, made, before, after).found is found


def test_a_check_that_breaks_down_has_found_nothing():
    broken = outcome(KILLED, accuracy(95.0), verdict("dead-units", "error", layer="relu2"))
    assert not broken.found
    assert broken.errors == {"dead-units"}
    assert misses([broken]) == [broken]
    assert "broke down: dead-units" in why(broken)


def test_a_broken_unit_must_be_found_whatever_it_costs():
    assert outcome(KILLED, accuracy(95.0)).must_be_found


@pytest.mark.parametrize(("after", "obliged"), [(94.5, False), (94.0, True), (50.0, True), (nan, True)])
def test_what_costs_a_point_or_an_unknown_amount_must_be_found(after, obliged):
    assert outcome(NOISY, accuracy(after)).must_be_found is obliged


def test_what_is_found_where_nothing_is_wrong_is_a_false_alarm():
    quiet, loud = outcome(ROUNDED, accuracy(95.0)), outcome(ROUNDED, accuracy(80.0, "failed"))
    assert not loud.must_be_found
    assert cries([quiet, loud]) == [loud]


def test_a_miss_says_what_the_expected_checks_said():
    missed = outcome(KILLED, accuracy(95.0), verdict("dead-units", "passed", layer="relu2"))
    assert misses([missed]) == [missed]
    assert why(missed) == "costs 0.0 points; dead-units: passed: dead-units says so"
    assert "not among the default checks" in why(outcome(KILLED, accuracy(95.0)))


def test_an_audit_that_refuses_the_checkpoint_has_found_the_defect():
    refused = compared(KILLED, BROKEN, Audited((accuracy(95.0),)), Audited(refused="damaged"))
    assert (refused.found, refused.by, refused.must_be_found) == (True, "other", True)


def test_false_alarms_are_those_that_the_definitions_do_not_excuse():
    alarms = false_alarms(healthy("demo"), Audited((accuracy(95.0), verdict("rare-units", layer="relu1"))))
    assert alarms == {"rare-units@relu1": "rare-units says so"}
    broken = false_alarms(healthy("demo"), Audited((verdict("dead-units", "error", layer="relu1"),)))
    assert broken == {"dead-units@relu1": "broke down: dead-units says so"}


@pytest.mark.data
def test_silence_is_excused_in_the_units_that_are_silent_and_in_no_other():
    whole = healthy("resnet20")
    for layer in ("layer3.0", "layer3.0.relu#2"):
        assert not false_alarms(whole, Audited((verdict("dead-units", layer=layer, units=(63,)),)))
        assert false_alarms(whole, Audited((verdict("dead-units", layer=layer, units=(63, 9)),)))
    assert false_alarms(whole, Audited((verdict("duplicate-units", layer="layer3.0", units=(63,)),)))
    assert false_alarms(whole, Audited((verdict("dead-units", layer="layer3.0"),)))


@pytest.mark.data
def test_a_unit_without_weights_is_constant_and_the_file_says_so():
    whole = healthy("squeezenet")
    for name, units in whole.subject.weightless.items():
        layer = name.removesuffix("_activation")
        branch = layer if f"{layer}.weight" in whole.state else f"{layer}.expand1x1"  # the first units of a block
        assert all(not whole.state[f"{branch}.weight"][unit].any() for unit in units)
        assert (whole.state[f"{branch}.bias"][list(units)] > 0).all()
        assert not false_alarms(whole, Audited((verdict("constant-units", layer=name, units=units),)))
        assert false_alarms(whole, Audited((verdict("constant-units", layer=name, units=(*units, 20)),)))


def test_the_rows_are_rates_of_each_kind_and_model():
    found = outcome(KILLED, accuracy(95.0), verdict("dead-units", layer="relu2", units=(7,)))
    missed = outcome(KILLED, accuracy(95.0))
    made = {row["name"]: (row["value"], row["unit"]) for row in rows([found, missed], {"demo": 2})}
    assert made["demo/killed/found"] == (0.5, "of 2")
    assert made["demo/killed/named"] == (0.5, "of 2")
    assert made["demo/missed"] == (1, "plantings")
    assert made["demo/healthy/false-alarms"] == (2, "items")
    assert str(rate(must([found, missed]), lambda each: each.found)) == "1/2"
