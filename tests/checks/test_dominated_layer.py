"""One unit far louder than the others is found; layers in which that means nothing are not judged."""

import numpy as np
import pytest

from audit.checks.dominated_layer import DominatedLayer
from audit.checks.evidence import Evidence
from audit.errors import NotApplicable
from audit.records import Layer, Outline


def shown(std: list[float], kind: str = "ReLU") -> Evidence:
    layer = Layer("relu1", kind, (len(std), 8, 8), 0, kind == "ReLU", None, None)
    return Evidence(Outline((3, 32, 32), (layer,)), 500, layer, {"std": np.array(std)})


def test_one_filter_a_hundred_times_louder_is_found() -> None:
    judgement = DominatedLayer().judge(shown([1.0] * 31 + [100.0] + [1.0] * 32))
    assert not judgement.passed
    assert judgement.measured == pytest.approx(100 * 10_000 / 10_063)
    assert [finding.unit for finding in judgement.findings] == [31]


def test_units_of_different_loudness_are_healthy() -> None:
    judgement = DominatedLayer().judge(shown(list(np.linspace(0.1, 4.0, 64))))
    assert judgement.passed
    assert judgement.findings == ()


def test_the_loudest_are_a_share_of_the_layer_and_at_least_one() -> None:
    std = [10.0, 10.0, 10.0, 10.0] + [1.0] * 396
    assert DominatedLayer().judge(shown(std)).measured == pytest.approx(100 * 400 / 796)
    assert DominatedLayer(loudest=0.25).judge(shown(std)).measured == pytest.approx(100 * 100 / 796)
    assert DominatedLayer(loudest=0.001).judge(shown(std)).measured == pytest.approx(100 * 100 / 796)


def test_small_layers_bounded_functions_and_silent_layers_are_not_judged() -> None:
    with pytest.raises(NotApplicable, match="15 units"):
        DominatedLayer().judge(shown([1.0] * 15))
    with pytest.raises(NotApplicable, match="bounds"):
        DominatedLayer().judge(shown([1.0] * 31 + [100.0], "ReLU6"))
    with pytest.raises(NotApplicable, match="dead-units"):
        DominatedLayer().judge(shown([0.0] * 32))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_spread_that_is_no_finite_number_never_passes(number: float) -> None:
    judgement = DominatedLayer().judge(shown([1.0] * 31 + [number]))
    assert np.isnan(judgement.measured)
    assert not judgement.passed
    assert judgement.findings
