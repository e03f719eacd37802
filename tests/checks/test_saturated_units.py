"""Units stuck at a bound of their activation function are found; those that only meet it are healthy."""

import numpy as np
import pytest

from audit.checks.evidence import Evidence
from audit.checks.saturated_units import SaturatedUnits
from audit.errors import Unavailable
from audit.records import Layer, Outline

RELU6 = Layer("relu6", "ReLU6", (4, 8, 8), 0, True, "relu6", None)
SIGMOID = Layer("gate", "Sigmoid", (4, 8, 8), 0, False, None, None)
TANH = Layer("tanh", "tanh", (4, 8, 8), 0, False, None, None)
RELU = Layer("relu1", "ReLU", (4, 8, 8), 0, True, "relu1", None)


def shown(layer: Layer, low: list[float], high: list[float], at_max: list[float], images: int = 500) -> Evidence:
    columns = {"min": np.array(low, float), "max": np.array(high, float), "share_at_max": np.array(at_max, float)}
    return Evidence(Outline((3, 32, 32), (layer,)), images, layer, columns)


def found(evidence: Evidence) -> list[int | None]:
    return [finding.unit for finding in SaturatedUnits().judge(evidence).findings]


def test_units_at_six_nearly_everywhere_are_found() -> None:
    evidence = shown(RELU6, [0, 0, 6, 0], [6, 6, 6, 3], [0.95, 0.2, 1.0, 1e-6])
    assert found(evidence) == [0, 2]
    judgement = SaturatedUnits().judge(evidence)
    assert judgement.measured == 50
    assert not judgement.passed


def test_a_dead_relu6_is_another_matter() -> None:
    assert found(shown(RELU6, [0, 0], [0, 6], [1.0, 0.1])) == []


def test_gates_that_never_leave_a_bound_are_found_at_both_ends() -> None:
    assert found(shown(SIGMOID, [0.995, 0.0, 0.1, 0.0], [0.999, 0.004, 0.9, 1.0], [1e-6] * 4)) == [0, 1]
    assert found(shown(TANH, [-1.0, -1.0, -0.5, 0.99], [-0.99, 1.0, 0.5, 1.0], [1e-6] * 4)) == [0, 3]


def test_a_sparse_output_that_rises_somewhere_is_healthy() -> None:
    assert found(shown(SIGMOID, [0.0, 0.0], [0.97, 0.5], [1e-6, 1e-6])) == []


def test_values_that_are_cut_off_are_found_without_a_known_bound() -> None:
    assert found(shown(RELU, [0, 0, 0, 2], [65504, 7, 0, 2], [0.93, 1e-6, 1.0, 1.0])) == [0]


def test_a_tenth_of_the_layer_is_allowed() -> None:
    low, high = [0.0] * 20, [1.0] * 20
    assert SaturatedUnits().judge(shown(SIGMOID, low, high, [0.99] * 2 + [0.1] * 18)).passed
    assert not SaturatedUnits().judge(shown(SIGMOID, low, high, [0.99] * 3 + [0.1] * 17)).passed


@pytest.mark.parametrize("layer", [RELU6, SIGMOID, RELU])
def test_what_is_not_a_number_never_passes(layer: Layer) -> None:
    nan = float("nan")
    assert found(shown(layer, [nan], [nan], [nan])) == [0]
    assert found(shown(layer, [0.0], [6.0], [nan])) == [0]


def test_few_pictures_prove_nothing() -> None:
    with pytest.raises(Unavailable, match="only 9 pictures"):
        SaturatedUnits().judge(shown(RELU6, [6], [6], [1.0], images=9))


def test_a_share_that_was_not_measured_is_unavailable() -> None:
    evidence = shown(RELU6, [6], [6], [1.0])
    with pytest.raises(Unavailable, match="share_at_max"):
        SaturatedUnits().judge(Evidence(evidence.outline, 500, RELU6, {"min": np.zeros(1), "max": np.ones(1)}))
