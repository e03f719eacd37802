"""Units that say the same of every picture are found; quiet, rare, dead and saturated ones are other matters."""

import numpy as np
import pytest

from audit.checks.constant_units import ConstantUnits
from audit.checks.evidence import Evidence
from audit.errors import Unavailable
from audit.records import Layer, Outline

RELU = Layer("relu1", "ReLU", (4, 8, 8), 0, True, "relu1", None)
GELU = Layer("gelu", "GELU", (4, 8, 8), 0, False, None, None)
SIGMOID = Layer("gate", "Sigmoid", (4, 8, 8), 0, False, None, None)


def shown(
    mean: list[float],
    std: list[float],
    layer: Layer = RELU,
    *,
    images: int = 500,
    low: list[float] | None = None,
    high: list[float] | None = None,
) -> Evidence:
    columns = {
        "mean": np.array(mean),
        "std": np.array(std),
        "min": np.zeros(len(mean)) if low is None else np.array(low),
        "max": np.array(mean) + 3 * np.array(std) if high is None else np.array(high),
    }
    return Evidence(Outline((3, 32, 32), (layer,)), images, layer, columns)


def found(evidence: Evidence) -> list[int | None]:
    return [finding.unit for finding in ConstantUnits().judge(evidence).findings]


def test_units_that_never_change_are_found_however_small_they_are() -> None:
    evidence = shown([1.0, 5.0, 8e-14, 0.5], [1.0, 0.0, 0.0, 0.7])
    assert found(evidence) == [1, 2]
    judgement = ConstantUnits().judge(evidence)
    assert judgement.measured == 50
    assert not judgement.passed


def test_units_that_change_by_rounding_only_are_found() -> None:
    assert found(shown([1.0, 5.0, 1e-9], [1.0, 1e-6, 1e-8])) == [1, 2]


def test_a_quiet_or_rarely_firing_unit_is_not_constant() -> None:
    assert found(shown([1.0, 1e-5, 3.0], [1.0, 1e-4, 0.5])) == []


def test_a_large_unit_that_changes_as_much_as_the_others_is_not_constant() -> None:
    assert found(shown([1.0, 1000.0, 0.5], [1.0, 0.5, 1.0])) == []


def test_a_layer_of_constants_is_found_whole() -> None:
    assert found(shown([1.0, 2.0, 3.0], [1e-9, 1e-9, 1e-9])) == [0, 1, 2]


def test_dead_units_are_another_matter_after_a_relu_and_no_other() -> None:
    assert found(shown([0.0, 1.0], [0.0, 1.0], RELU)) == []
    assert found(shown([0.0, 1.0], [0.0, 1.0], GELU)) == [0]


def test_a_gate_at_its_bound_is_another_matter() -> None:
    half_open = shown([1.0, 0.5, 0.5], [0.0, 0.0, 0.3], SIGMOID, low=[1.0, 0.5, 0.0], high=[1.0, 0.5, 1.0])
    assert found(half_open) == [1]


@pytest.mark.parametrize("layer", [RELU, SIGMOID])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_a_number_never_passes(layer: Layer, number: float) -> None:
    nan = float("nan")
    evidence = shown([number, 1.0], [nan, 1.0], layer, low=[nan, 0.0], high=[number, 4.0])
    assert found(evidence) == [0]


def test_few_pictures_prove_nothing() -> None:
    with pytest.raises(Unavailable, match="only 3 pictures"):
        ConstantUnits().judge(shown([1.0, 2.0], [1.0, 0.0], images=3))
    assert ConstantUnits().judge(shown([1.0, 2.0], [1.0, 1.0], images=3)).passed
