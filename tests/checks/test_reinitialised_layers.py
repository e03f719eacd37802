"""Layers that nobody trained are found, whatever initialized them; trained ones are not."""

import importlib.util
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_0

from audit.checks.evidence import Evidence
from audit.checks.reinitialised_layers import ReinitialisedLayers
from audit.demo.network import network as demo
from audit.demo.network import trained
from audit.errors import NotApplicable, Unavailable
from audit.records import Judgement, Outline
from tests.weighed import train, weighed

INITIALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "PyTorch's default": lambda weight: nn.init.kaiming_uniform_(weight, a=5**0.5),
    "Kaiming normal by fan-out": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out"),
    "Xavier uniform": nn.init.xavier_uniform_,
    "normal of 0.01": lambda weight: nn.init.normal_(weight, std=0.01),
    "truncated normal": lambda weight: nn.init.trunc_normal_(weight, std=0.02),
}


def judged(network: nn.Module, check: ReinitialisedLayers | None = None) -> Judgement:
    return (check or ReinitialisedLayers()).judge(weighed(network))


def found(network: nn.Module) -> set[str | None]:
    return {finding.layer for finding in judged(network).findings}


def layers_of(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


def initialized(network: nn.Module, layers: list[str], initialize: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy in which the weights of these layers are new."""
    copy = deepcopy(network).requires_grad_(False)
    torch.manual_seed(3)
    for name in layers:
        initialize(copy.get_parameter(f"{name}.weight"))
    return copy


def small() -> nn.Sequential:
    """Two convolutions with BatchNorm and a classifier."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 20)),
    )


def test_the_trained_demo_passes() -> None:
    judgement = judged(trained())
    assert judgement.passed
    assert judgement.findings == ()
    assert "none of 4 layers" in judgement.message


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("layer", layers_of(demo()))
def test_one_untrained_layer_of_the_demo_is_found_and_no_other(layer: str, initialization: str) -> None:
    assert found(initialized(trained(), [layer], INITIALIZATIONS[initialization])) == {layer}


def test_the_finding_names_the_layer_the_recipe_and_the_chance() -> None:
    judgement = judged(initialized(trained(), ["conv2"], INITIALIZATIONS["PyTorch's default"]))
    (finding,) = judgement.findings
    assert (judgement.measured, judgement.passed) == (1.0, False)
    assert "PyTorch's default" in finding.message
    assert finding.measured > 1e-5
    assert "1 of 4 layers" in judgement.message
    assert "conv2" in judgement.message


def test_an_untrained_network_is_found_as_a_whole() -> None:
    torch.manual_seed(0)
    assert found(small()) == {"0", "1", "3", "4", "8"}


def test_half_of_a_layers_filters_left_as_they_were_drawn_are_counted() -> None:
    network = deepcopy(trained()).requires_grad_(False)
    torch.manual_seed(3)
    fresh = nn.init.kaiming_uniform_(torch.empty(64, 48, 3, 3), a=5**0.5)
    network.get_parameter("conv3.weight")[::2] = fresh[::2]
    (finding,) = judged(network).findings
    assert finding.layer == "conv3"
    assert "3" in finding.message
    assert "of 64 filters" in finding.message


def test_weights_that_hardly_left_a_uniform_initialization_are_found() -> None:
    network = initialized(trained(), ["conv2"], INITIALIZATIONS["PyTorch's default"])
    weight = network.get_parameter("conv2.weight")
    weight += 0.3 * weight.std() * torch.randn(48, 32, 1, 1)
    (finding,) = judged(network).findings
    assert "hardly left" in finding.message


def test_statistics_that_no_training_step_touched_are_found() -> None:
    network = train(small())
    assert found(network) == set()
    norm = network.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    norm.reset_running_stats()
    (finding,) = judged(network).findings
    assert finding.layer == "1"
    assert "all units have running mean 0 and variance 1: never updated" in finding.message
    norm.reset_parameters()
    assert "weight 1 and bias 0" in judged(network).findings[0].message
    train(norm)
    norm.running_mean[:3], norm.running_var[:3] = 0, 1  # type: ignore[index]
    assert "3 of 16 units" in judged(network).findings[0].message


def test_equal_weights_everywhere_are_no_training() -> None:
    network = deepcopy(trained()).requires_grad_(False)
    network.get_parameter("fc.weight").zero_()
    (finding,) = judged(network).findings
    assert "same number everywhere" in finding.message


def test_weights_that_are_not_finite_never_pass() -> None:
    network = deepcopy(trained()).requires_grad_(False)
    network.get_parameter("conv2.weight")[0, 0, 0, 0] = torch.nan
    judgement = judged(network)
    assert not judgement.passed
    assert "cannot be judged" in judgement.findings[0].message
    norm = train(nn.BatchNorm2d(4)).requires_grad_(False)
    norm.running_var[0] = torch.nan  # type: ignore[index,operator]
    assert not judged(norm).passed


def test_small_layers_are_named_and_not_judged() -> None:
    torch.manual_seed(0)
    message = judged(nn.Sequential(train(nn.Conv2d(8, 16, 3)), nn.Linear(16, 10))).message
    assert message.endswith("1 with under 400 weights not judged: 1")
    with pytest.raises(NotApplicable, match="400 weights"):
        judged(nn.Linear(16, 10))


def test_untrained_layers_may_be_allowed() -> None:
    network = initialized(trained(), ["conv1", "conv3"], nn.init.xavier_uniform_)
    assert judged(network, ReinitialisedLayers(at_most=2)).passed
    assert not judged(network, ReinitialisedLayers(at_most=1)).passed


def test_without_the_table_it_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="parameters"):
        ReinitialisedLayers().judge(Evidence(Outline((3, 8, 8), ()), 0))


def checkpoints(real: Path) -> Iterator[tuple[str, nn.Module]]:
    """The real trained networks."""
    spec = importlib.util.spec_from_file_location("cifar_resnet", real.parent / "models" / "cifar_resnet.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, file in (("resnet20", "cifar10-resnet20-12fca82f.th"), ("resnet32", "cifar10-resnet32-d509ac18.th")):
        state = torch.load(real / file, map_location="cpu", weights_only=True)["state_dict"]
        network = getattr(module, name)()
        network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
        yield name, network
    squeezenet = squeezenet1_0()
    squeezenet.load_state_dict(torch.load(real / "squeezenet1_0_imagenet.pth", weights_only=True))
    yield "squeezenet", squeezenet


@pytest.mark.data
def test_no_layer_of_the_real_checkpoints_is_accused_and_every_one_initialized_again_is_found(real: Path) -> None:
    for name, network in checkpoints(real):
        assert found(network) == set(), name
        layers = layers_of(network)
        assert all(np.prod(network.get_parameter(f"{layer}.weight").shape) >= 400 for layer in layers)
        for initialization in ("PyTorch's default", "Kaiming normal by fan-out", "truncated normal"):
            again = initialized(network, layers, INITIALIZATIONS[initialization])
            assert found(again) == set(layers), (name, initialization)
