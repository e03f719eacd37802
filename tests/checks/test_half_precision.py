"""What float16 cannot hold is found; what it can, passes."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.checks.evidence import Evidence
from audit.checks.half_precision import HalfPrecision
from audit.demo.generator import pictures
from audit.demo.network import trained
from audit.demo.train import batches
from audit.errors import Unavailable
from tests.weighed import weighed


def observed(network: nn.Module, images: Tensor) -> dict[str, Mapping[str, np.ndarray]]:
    """Smallest, largest and not-finite activations of every layer, by a plain forward pass."""
    layers: dict[str, Mapping[str, np.ndarray]] = {}
    maps = images
    with torch.inference_mode():
        for name, layer in network.named_children():
            maps = layer(maps)
            values = maps.flatten(2).transpose(1, 2).flatten(0, 1) if maps.ndim == 4 else maps
            broken = (~values.isfinite()).sum(0).double()
            extremes = {"min": values.amin(0).double().numpy(), "max": values.amax(0).double().numpy()}
            layers[name] = {**extremes, "non_finite": broken.numpy()}
    return layers


def shown(network: nn.Module) -> Evidence:
    images, _ = next(batches(pictures(count=20), 20))
    return replace(weighed(network), images=20, layers=observed(network, images))


def louder(times: float) -> nn.Module:
    """The demo with unit 5 of conv1 louder and its reader quieter: the same function."""
    network = deepcopy(trained()).requires_grad_(False)
    for name in ("conv1.weight", "conv1.bias"):
        network.get_parameter(name)[5] *= times
    network.get_parameter("conv2.weight")[:, 5] /= times
    return network


def test_a_layer_that_is_scaled_and_undone_after_it_is_found() -> None:
    images, _ = next(batches(pictures(count=20), 20))
    with torch.inference_mode():
        torch.testing.assert_close(louder(1e5)(images), trained()(images), rtol=1e-3, atol=1e-3)
    judgement = HalfPrecision().judge(shown(louder(1e5)))
    assert not judgement.passed
    units = {(finding.layer, finding.unit) for finding in judgement.findings}
    assert units == {("conv1", 5), ("relu1", 5), ("pool1", 5)}
    assert "conv1, unit 5" in judgement.message


def test_the_same_network_in_float16_overflows_indeed() -> None:
    images, _ = next(batches(pictures(count=20), 20))
    with torch.inference_mode():
        assert not louder(1e5).get_submodule("conv1").half()(images.half()).isfinite().all()
        assert trained().get_submodule("conv1").half()(images.half()).isfinite().all()


def test_a_healthy_network_passes_and_says_how_far_it_gets() -> None:
    judgement = HalfPrecision().judge(shown(trained()))
    assert judgement.passed
    assert judgement.findings == ()
    assert "float16 holds everything: activations reach" in judgement.message


def test_a_margin_may_be_asked_for() -> None:
    evidence = shown(trained())
    loudest = max(float(np.abs(c[side]).max()) for c in evidence.layers.values() for side in ("min", "max"))
    assert HalfPrecision(largest=loudest * 1.01).judge(evidence).passed
    assert not HalfPrecision(largest=loudest * 0.99).judge(evidence).passed


@pytest.mark.parametrize("value", [1e5, -1e5, float("inf"), float("nan")])
def test_a_parameter_beyond_it_is_found(value: float) -> None:
    network = deepcopy(trained()).requires_grad_(False)
    network.get_parameter("fc.bias")[3] = value
    judgement = HalfPrecision().judge(weighed(network))
    assert not judgement.passed
    assert {finding.layer for finding in judgement.findings} == {"fc"}


def test_weights_that_would_become_zero_are_found() -> None:
    network = deepcopy(trained()).requires_grad_(False)
    weight = network.get_parameter("conv3.weight")
    weight[:16] *= 1e-9
    assert (weight.half() == 0).double().mean() > 0.2
    judgement = HalfPrecision().judge(weighed(network))
    (finding,) = judgement.findings
    assert (finding.layer, finding.unit) == ("conv3", None)
    assert finding.measured == pytest.approx(25, abs=0.5)
    assert HalfPrecision(vanishing=30).judge(weighed(network)).passed


def test_activations_that_are_not_numbers_never_pass() -> None:
    columns = {"min": np.zeros(2), "max": np.array([1.0, np.nan]), "non_finite": np.array([0.0, 0.0])}
    evidence = replace(weighed(trained()), layers={"relu1": columns})
    assert [finding.unit for finding in HalfPrecision().judge(evidence).findings] == [1]
    hidden = {"min": np.zeros(2), "max": np.ones(2), "non_finite": np.array([3.0, 0.0])}
    evidence = replace(weighed(trained()), layers={"relu1": hidden})
    assert [finding.unit for finding in HalfPrecision().judge(evidence).findings] == [0]


def test_extremes_that_were_not_measured_are_unavailable() -> None:
    with pytest.raises(Unavailable, match="not measured"):
        HalfPrecision().judge(replace(weighed(trained()), layers={"relu1": {"max": np.ones(2)}}))
