"""Networks -> what the checks of weights are shown of them; trained-looking weights that are made, not trained."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.checks.evidence import Evidence
from audit.config import ModelSection
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Outline
from audit.stream.parameters import parameters


def model_of(network: nn.Module, shape: tuple[int, int, int] = (3, 16, 16)) -> Model:
    """The network, ready to be looked at."""
    network = network.eval().requires_grad_(False)
    section = ModelSection(name="made", factory="made.py:network", input=shape)
    zeros, ones = torch.zeros(shape[0], 1, 1), torch.ones(shape[0], 1, 1)
    return Model(section, network, outline(network, shape), (), "", torch.device("cpu"), zeros, ones)


def weighed(network: nn.Module) -> Evidence:
    """What a check of weights is shown, without running the network."""
    section = ModelSection(name="made", factory="made.py:network")
    empty = Outline(section.input, ())
    scale = torch.ones(3, 1, 1)
    model = Model(section, network, empty, (), "", torch.device("cpu"), scale, scale)
    return Evidence(empty, 0, tables={"parameters": parameters(model)})


def trained_like(shape: tuple[int, ...], seed: int = 0) -> Float[Tensor, "..."]:
    """What training leaves: filters of unequal strength, heavy tails, neighbours that agree, few patterns."""
    generator = torch.Generator().manual_seed(seed)
    rank = max(1, min(shape[0], shape[1]) // 4)
    flat = torch.randn(shape[0], rank, generator=generator) @ torch.randn(
        rank, math.prod(shape[1:]), generator=generator
    )
    loud = torch.exp(0.7 * torch.randn(shape[0], 1, generator=generator))
    weight = 0.05 * (loud * flat + 0.3 * torch.randn(flat.shape, generator=generator)).reshape(shape)
    for axis in range(2, len(shape)):
        weight = weight + 0.5 * weight.roll(1, dims=axis)
    return weight


def train(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights, scales and statistics as training might have left them, every one of them."""
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for number, (name, value) in enumerate(state.items()):
        if value.ndim >= 2:
            value.copy_(trained_like(tuple(value.shape), seed + number))
        elif value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + (0.1 if "var" in name else -0.4))
    return network
