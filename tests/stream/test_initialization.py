"""torch's own initializations are recognised by what they leave, and nothing else is."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from audit.stream.chance import normal_p, sample, uniform_p
from audit.stream.initialization import recognised

RECIPES: list[tuple[str, Callable[[Tensor], Tensor]]] = [
    ("Kaiming uniform", nn.init.kaiming_uniform_),
    ("Kaiming uniform by fan-out", lambda weight: nn.init.kaiming_uniform_(weight, mode="fan_out")),
    ("Kaiming normal", nn.init.kaiming_normal_),
    ("Kaiming normal by fan-out", lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out")),
    ("Xavier uniform", nn.init.xavier_uniform_),
    ("Xavier normal", nn.init.xavier_normal_),
    ("LeCun normal", lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear")),
    ("normal of 0.01", lambda weight: nn.init.normal_(weight, std=0.01)),
    ("normal of 0.02", lambda weight: nn.init.trunc_normal_(weight, std=0.02)),
]


def name_of(weight: Tensor) -> str:
    """What the weight of a convolution or a linear layer is recognised as."""
    inputs, outputs = (int(weight.numel() / weight.shape[axis]) for axis in (0, 1))
    values = sample(weight.numpy(), 0)
    measured = {"largest": float(weight.abs().max()), "std": float(weight.std(correction=0))}
    p = {"uniform_p": uniform_p(values), "normal_p": normal_p(values)}
    return recognised(inputs, outputs, weight.numel(), **measured, **p)


@pytest.mark.parametrize(("name", "initialize"), RECIPES)
@pytest.mark.parametrize("shape", [(32, 24, 3, 3), (40, 200), (16, 3, 3, 3)])
def test_an_initialization_is_recognised(
    name: str, initialize: Callable[[Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    assert name_of(initialize(torch.empty(shape))) == name


def test_pytorchs_own_layers_are_recognised() -> None:
    torch.manual_seed(1)
    assert name_of(nn.Conv2d(8, 20, 3).weight.detach()) == "PyTorch's default"
    assert name_of(nn.Linear(80, 20).weight.detach()) == "PyTorch's default"


def test_another_scale_or_distribution_is_nobodys() -> None:
    torch.manual_seed(1)
    weight = nn.Linear(80, 40).weight.detach()
    assert name_of(0.9 * weight) == ""
    assert name_of(0.5 * nn.init.kaiming_normal_(weight.clone())) == ""
    assert name_of(weight**3) == ""
