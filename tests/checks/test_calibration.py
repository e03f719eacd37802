"""Calibration: the error against its definition, chance among few pictures, and both directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.calibration import Calibration, calibration_error, chance_error, equal_bins
from audit.checks.evidence import Evidence
from audit.errors import NotApplicable, Unavailable
from tests.checks.predicted import predicted


def model(count: int, shift: float, seed: int = 0) -> Evidence:
    """Confidences of 0.55 to 0.95; the model is right that much less often than it says."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.55, 0.95, count)
    right = random.random(count) < confidence - shift
    return predicted(np.zeros(count, int), np.where(right, 0, 1), confidence)


def test_an_overconfident_model_is_found():
    judgement = Calibration().judge(model(2000, shift=0.2))
    assert not judgement.passed
    assert 15 < judgement.measured < 20
    assert "overconfident" in judgement.findings[0].message
    assert judgement.findings[0].measured == pytest.approx(20, abs=3)


def test_an_underconfident_model_is_found():
    judgement = Calibration(at_most=3).judge(model(2000, shift=-0.2))
    assert not judgement.passed
    assert "underconfident" in judgement.findings[0].message


def test_a_calibrated_model_is_not_alarmed_by_few_pictures():
    errors = [Calibration().judge(model(150, shift=0.0, seed=seed)).measured for seed in range(20)]
    assert max(errors) < 2
    assert np.mean(errors) < 0.2


def test_what_it_measures_is_beyond_chance():
    evidence = model(150, shift=0.0, seed=1)
    columns = evidence.table("predictions").columns
    bins = equal_bins(columns["confidence"], 15)
    assert calibration_error(columns["confidence"], columns["predicted"] == 0, bins) > 0.05
    assert Calibration().judge(evidence).measured < 2


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**31))
def test_the_error_equals_its_definition(count, bins, seed):
    random = np.random.default_rng(seed)
    confidence, right = random.random(count).round(2), random.random(count) < 0.5
    parts = equal_bins(confidence, bins)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    total = 0.0
    for part in parts:
        difference = sum(float(right[place]) for place in part) - sum(confidence[place] for place in part)
        total += abs(difference)
    assert calibration_error(confidence, right, parts) == pytest.approx(total / count)


def test_chance_shrinks_with_more_pictures():
    random = np.random.default_rng(0)
    few, many = (random.uniform(0.5, 1, count) for count in (100, 3000))
    assert chance_error(few, equal_bins(few, 15)) > 3 * chance_error(many, equal_bins(many, 15))


def test_a_confidence_that_is_not_a_number_never_passes():
    label = np.zeros(200, int)
    judgement = Calibration(at_most=100).judge(predicted(label, label, [float("nan")] + [0.9] * 199))
    assert not judgement.passed
    assert "for 1 picture" in judgement.message


def test_too_few_or_unlabelled_pictures_are_unavailable():
    with pytest.raises(Unavailable, match="149 labelled"):
        Calibration().judge(model(149, shift=0.5))
    with pytest.raises(NotApplicable, match="label"):
        Calibration().judge(predicted([-1] * 300, [0] * 300))
