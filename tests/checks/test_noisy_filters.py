"""Filters arranged like noise are told from patterns; small kernels are not judged."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.checks.evidence import Evidence
from audit.checks.noisy_filters import NoisyFilters
from audit.demo.network import network as demo
from audit.demo.network import trained
from audit.errors import NotApplicable, Unavailable
from audit.model.filters import describe
from audit.records import Layer
from tests.checks.test_reinitialised_layers import checkpoints
from tests.weighed import weighed


def shown(network: nn.Module, name: str = "conv1") -> Evidence:
    """What the check sees of the first convolution."""
    weight = network.get_parameter(f"{name}.weight").detach()
    layer = Layer(name, "Conv2d", (len(weight), 8, 8), weight.numel(), False, None, None)
    return replace(weighed(network), layer=layer, columns=describe(weight.numpy(), 0))


def changed(weight: Tensor) -> nn.Module:
    """The demo with other first filters."""
    network = deepcopy(trained()).requires_grad_(False)
    network.get_parameter("conv1.weight").copy_(weight)
    return network


def test_trained_filters_pass() -> None:
    judgement = NoisyFilters().judge(shown(trained()))
    assert judgement.passed
    assert judgement.measured == 0
    assert judgement.findings == ()


@pytest.mark.parametrize("seed", range(4))
def test_filters_that_were_never_trained_are_found(seed: int) -> None:
    torch.manual_seed(seed)
    judgement = NoisyFilters().judge(shown(demo()))
    assert not judgement.passed
    assert judgement.measured > 75
    assert len(judgement.findings) == round(judgement.measured / 100 * 32)


def test_half_of_the_filters_being_noise_is_found_and_named() -> None:
    torch.manual_seed(0)
    weight = trained().get_parameter("conv1.weight").detach().clone()
    weight[::2] = 0.05 * torch.randn(16, 3, 11, 11)
    judgement = NoisyFilters().judge(shown(changed(weight)))
    assert not judgement.passed
    assert all(finding.unit is not None and finding.unit % 2 == 0 for finding in judgement.findings)
    assert NoisyFilters(at_most=50).judge(shown(changed(weight))).passed


def test_fine_stripes_are_a_pattern_though_they_are_rough() -> None:
    y, x = np.mgrid[:11, :11]
    stripes = np.stack([np.cos(np.pi * (x + y) + 0.1 * k) * (1 + 0.1 * np.cos(x + k)) for k in range(32)])
    weight = torch.from_numpy(np.repeat(stripes[:, None], 3, axis=1)).float()
    judgement = NoisyFilters().judge(shown(changed(weight)))
    assert judgement.passed
    assert judgement.measured == 0


def test_small_kernels_are_not_judged() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3))
    with pytest.raises(NotApplicable, match="3 x 3"):
        NoisyFilters().judge(shown(network, "0"))


def test_constant_filters_have_no_pattern_and_no_share() -> None:
    weight = trained().get_parameter("conv1.weight").detach().clone()
    weight[4:] = 0.1
    with pytest.raises(NotApplicable, match="4 of 32"):
        NoisyFilters().judge(shown(changed(weight)))


def test_filters_that_are_not_finite_never_pass() -> None:
    weight = trained().get_parameter("conv1.weight").detach().clone()
    weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(Unavailable, match="NaN"):
        NoisyFilters().judge(shown(changed(weight)))


@pytest.mark.data
def test_filters_of_squeezenet_pass_and_shuffled_ones_do_not(real) -> None:  # type: ignore[no-untyped-def]
    network = dict(checkpoints(real))["squeezenet"].requires_grad_(False)
    assert NoisyFilters().judge(shown(network, "features.0")).passed
    weight = network.get_parameter("features.0.weight")
    generator = torch.Generator().manual_seed(0)
    for index in range(len(weight)):
        weight[index] = weight[index].flatten(1)[:, torch.randperm(49, generator=generator)].reshape(3, 7, 7)
    assert NoisyFilters().judge(shown(network, "features.0")).measured > 75
