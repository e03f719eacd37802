"""Units that fire on very few pictures are found, as far as the pictures prove it."""

import numpy as np
import pytest
from scipy.stats import binom

from audit.checks.evidence import Evidence
from audit.checks.rare_units import RareUnits
from audit.errors import Unavailable
from audit.records import Layer, Outline

RELU = Layer("relu1", "ReLU", (4, 8, 8), 0, True, "relu1", None)


def shown(fired: list[float], images: int = 500, classes: int = 10) -> Evidence:
    outline = Outline((3, 32, 32), (RELU, Layer("fc", "Linear", (classes,), 100, False, None, None)))
    return Evidence(outline, images, RELU, {"share_of_images": np.array(fired) / images})


def test_units_that_fire_on_two_of_500_pictures_of_ten_classes_are_found() -> None:
    judgement = RareUnits().judge(shown([2, 250, 500, 1]))
    assert not judgement.passed
    assert judgement.measured == 50
    assert [(finding.layer, finding.unit) for finding in judgement.findings] == [("relu1", 0), ("relu1", 3)]
    assert "fires on 2 of 500 pictures" in judgement.findings[0].message


def test_a_unit_of_one_class_in_a_thousand_is_healthy() -> None:
    assert RareUnits().judge(shown([1, 250, 500, 3], classes=1000)).passed
    assert not RareUnits().judge(shown([1, 2500, 5000, 3], images=50_000, classes=1000)).passed


def test_labels_count_where_a_model_has_them() -> None:
    evidence = shown([2, 250, 500, 1], classes=1000)
    labelled = Evidence(evidence.outline, 500, RELU, evidence.columns, labels=("a", "b", "c"))
    assert not RareUnits().judge(labelled).passed


def test_a_dead_unit_is_not_a_rare_one() -> None:
    assert RareUnits().judge(shown([0, 250, 500, 400])).passed


@pytest.mark.parametrize(("fired", "images"), [(1, 200), (2, 500), (5, 500), (30, 2000)])
def test_the_interval_ends_where_so_few_would_be_seen_in_one_of_twenty_audits(fired: int, images: int) -> None:
    below, above = (RareUnits(share_of_class=share).judge(shown([fired], images)) for share in _around(fired, images))
    assert below.passed
    assert not above.passed


def _around(fired: int, images: int) -> tuple[float, float]:
    """Shares of a tenth of the pictures just below and above the bound, found on a fine grid."""
    grid = np.linspace(0, 1, 200_001)
    bound = grid[np.flatnonzero(binom.cdf(fired, images, grid) >= 0.05)[-1]]
    return 10 * (bound - 1e-4), 10 * (bound + 1e-4)


def test_a_share_that_is_not_a_number_never_passes() -> None:
    assert not RareUnits().judge(shown([float("nan"), 250, 250, 250])).passed


def test_few_pictures_prove_nothing() -> None:
    with pytest.raises(Unavailable, match="only 50 pictures"):
        RareUnits(share_of_class=1.0).judge(shown([1, 40, 40, 40], images=50))
    assert RareUnits().judge(shown([30, 40, 40, 50], images=50)).passed


def test_some_rare_units_may_be_allowed() -> None:
    assert RareUnits(at_most=50).judge(shown([2, 250, 500, 1])).passed


def test_a_share_that_was_not_measured_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="share_of_images"):
        RareUnits().judge(Evidence(shown([1]).outline, 500, RELU))
