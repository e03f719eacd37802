"""Weights that are zero, copied, constant, rounded or subnormal are found in the layer where they were planted."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from torch import Tensor, nn

from audit.checks.degenerate_weights import DegenerateWeights
from audit.demo.network import trained
from audit.errors import NotApplicable
from audit.records import Judgement
from tests.checks.test_reinitialised_layers import checkpoints
from tests.weighed import weighed


def judged(change: Callable[[Tensor], object], **options: float) -> Judgement:
    """Of the demo with a change in the weights of its second convolution: 48 filters of 800 weights."""
    network = deepcopy(trained()).requires_grad_(False)
    change(network.get_parameter("conv2.weight"))
    return DegenerateWeights(**options).judge(weighed(network))  # type: ignore[arg-type]


def zeroed(weight: Tensor) -> None:
    weight[[3, 7]] = 0


def copied(weight: Tensor) -> None:
    weight[5] = weight[2]


def constant(weight: Tensor) -> None:
    weight.fill_(0.25)


def pruned(weight: Tensor) -> None:
    weight[weight.abs() < weight.abs().flatten().quantile(0.9)] = 0


def rounded(weight: Tensor) -> None:
    step = weight.abs().max() / 3
    weight.copy_((weight / step).round() * step)


def subnormal(weight: Tensor) -> None:
    weight[weight.abs() < weight.abs().flatten().quantile(0.3)] = 1e-40


DEFECTS = {
    zeroed: "2 of 48 filters of zeros (3, 7)",
    copied: "1 of 48 filters equal to another (5 = 2)",
    constant: "all 38400 weights are the same number (0.25)",
    pruned: "weights are zero: pruned too far",
    rounded: "7 different values among 38400 weights",
    subnormal: "weights are subnormal numbers",
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found_where_it_is(defect: Callable[[Tensor], None]) -> None:
    judgement = judged(defect)
    assert not judgement.passed
    assert judgement.measured == 1
    assert {finding.layer for finding in judgement.findings} == {"conv2"}
    assert any(DEFECTS[defect] in finding.message for finding in judgement.findings)


def test_healthy_weights_pass_and_the_message_says_what_there_is() -> None:
    judgement = judged(lambda weight: None)
    assert judgement.passed
    assert judgement.findings == ()
    assert "none of 4 layers" in judgement.message


def test_moderate_pruning_and_eight_bits_are_healthy() -> None:
    def compress(weight: Tensor) -> None:
        weight[weight.abs() < weight.abs().flatten().quantile(0.6)] = 0
        step = weight.abs().max() / 127
        weight.copy_((weight / step).round() * step)

    assert judged(compress).passed


def test_limits_may_be_set() -> None:
    assert judged(zeroed, zero_filters=5).passed
    assert judged(copied, equal_filters=5).passed
    assert judged(pruned, zeros=95, zero_filters=5).passed
    assert judged(rounded, min_values=7, zeros=100, zero_filters=100, equal_filters=100).passed
    assert judged(subnormal, subnormal=31).passed


def test_copies_without_a_pattern_of_their_own_are_zeros_not_copies() -> None:
    assert not any("equal" in finding.message for finding in judged(zeroed).findings)


def test_without_filters_there_is_nothing_to_judge() -> None:
    with pytest.raises(NotApplicable, match="no convolution"):
        DegenerateWeights().judge(weighed(nn.BatchNorm2d(4)))


@pytest.mark.data
def test_a_pruned_and_quantised_network_is_healthy(real) -> None:  # type: ignore[no-untyped-def]
    for name, network in checkpoints(real):
        judgement = DegenerateWeights().judge(weighed(network))
        assert judgement.passed, (name, judgement.message)
    assert "80 % zeros at most (classifier.1)" in judgement.message
    assert "features.9.expand1x1: 19" in judgement.message
