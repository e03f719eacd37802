"""Units lifted far above zero are found; units of brightness and of residual sums are healthy."""

import numpy as np
import pytest

from audit.checks.always_on import AlwaysOn
from audit.checks.evidence import Evidence
from audit.errors import Unavailable
from audit.records import Layer, Outline

CONV = Layer("conv1", "Conv2d", (4, 8, 8), 100, False, "relu1", None)
RELU = Layer("relu1", "ReLU", (4, 8, 8), 0, True, "relu1", None)
SUM = Layer("block", "Residual", (4, 8, 8), 0, True, "block", None)
HIDDEN = Layer("fc1", "Linear", (4,), 100, False, "relu2", None)
VECTOR = Layer("relu2", "ReLU", (4,), 0, True, "relu2", None)
OUTLINE = Outline((3, 32, 32), (CONV, RELU, SUM, HIDDEN, VECTOR))
HEALTHY = {"share_of_positions": [0.5, 0.3, 1.0, 0.9999], "mean": [1.0, 1.0, 2.5, 1.2], "std": [1.0, 2.0, 1.0, 1.0]}
LIFTED = {"share_of_positions": [0.5, 1.0, 1.0, 0.9], "mean": [1.0, 8.0, 4.0, 1.0], "std": [1.0, 1.0, 1.0, 1.0]}


def shown(columns: dict[str, list[float]], layer: Layer = RELU, images: int = 500) -> Evidence:
    return Evidence(OUTLINE, images, layer, {name: np.array(values) for name, values in columns.items()})


def test_units_far_above_zero_are_found() -> None:
    judgement = AlwaysOn().judge(shown(LIFTED))
    assert not judgement.passed
    assert judgement.measured == 50
    assert judgement.limit == 0
    assert [finding.unit for finding in judgement.findings] == [1, 2]


def test_units_of_brightness_that_begin_at_zero_are_healthy_unless_asked_for() -> None:
    assert AlwaysOn().judge(shown(HEALTHY)).passed
    assert [finding.unit for finding in AlwaysOn(deviations=0).judge(shown(HEALTHY)).findings] == [2, 3]


@pytest.mark.parametrize("layer", [SUM, VECTOR])
def test_after_sums_and_in_vectors_a_quarter_of_the_units_may_be_so(layer: Layer) -> None:
    one = LIFTED | {"share_of_positions": [0.5, 1.0, 0.9, 0.9]}
    assert AlwaysOn().judge(shown(one, layer)).passed
    assert not AlwaysOn().judge(shown(one, RELU)).passed
    assert not AlwaysOn().judge(shown(LIFTED, layer)).passed
    assert AlwaysOn(at_most_elsewhere=50).judge(shown(LIFTED, layer)).passed


def test_a_constant_unit_is_another_matter() -> None:
    constant = {"share_of_positions": [1.0] * 4, "mean": [3.0] * 4, "std": [0.0] * 4}
    assert AlwaysOn().judge(shown(constant)).passed


@pytest.mark.parametrize("column", ["share_of_positions", "mean", "std"])
def test_what_is_not_a_number_never_passes(column: str) -> None:
    assert not AlwaysOn().judge(shown(LIFTED | {column: [0.5, float("nan"), 0.5, 0.5]})).passed


def test_few_pictures_prove_nothing() -> None:
    with pytest.raises(Unavailable, match="only 20 pictures"):
        AlwaysOn().judge(shown(LIFTED, images=20))
    assert AlwaysOn().judge(shown(HEALTHY, images=20)).passed
