"""A layer -> how large the weights are with which the next convolutions read each of its units."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from audit.errors import Unavailable
from audit.model.load import Model
from audit.model.precision import precision
from audit.records import Layer, Scalars


def next_weights(model: Model, layer: Layer) -> Scalars:
    """Column "next_weight": the Euclidean norm of all weights that read a unit of the convolution `layer`.

    Readers are found by trial: some units are changed on a random picture, and a later convolution of whose input
    exactly these channels change reads the units one by one, whatever activation, pooling or normalisation per channel
    lies between. Several readers, as in a Fire module, count together. Yosinski et al. 2015, supplement, compare these
    weights with the frequency of what they read. Unavailable where no convolution reads the units so: after a layer
    that mixes them.
    """
    convolution = _module(model, layer)
    found = [reader for reader in _convolutions(model) if reader is not convolution]
    energy = torch.zeros(layer.units, dtype=torch.float64)
    readers = 0
    for reader in _reading(model, convolution, found):
        energy += _energy_per_input(reader)
        readers += 1
    if not readers:
        raise Unavailable(f"no convolution reads the units of {layer.name} one by one")
    return Scalars(layer.name, {"next_weight": energy.sqrt().numpy()})


def _module(model: Model, layer: Layer) -> nn.Conv2d:
    return cast(nn.Conv2d, model.network.get_submodule(layer.name.partition("#")[0]))


def _convolutions(model: Model) -> list[nn.Conv2d]:
    return [module for module in model.network.modules() if isinstance(module, nn.Conv2d)]


def _reading(model: Model, convolution: nn.Conv2d, others: list[nn.Conv2d]) -> list[nn.Conv2d]:
    """The convolutions whose input changes in exactly the channels of the units that were changed."""
    generator = torch.Generator().manual_seed(0)
    some = torch.rand(convolution.out_channels, generator=generator) < 0.5
    some[0], some[-1] = True, False  # neither none nor all
    picture = torch.rand(1, *model.outline.input_shape, generator=generator).to(model.device, precision(model.network))
    plain = _inputs(model, picture, convolution, others, None)
    changed = _inputs(model, picture, convolution, others, some)
    return [
        module
        for module in others
        if module in plain and module in changed and _same(_moved(plain[module], changed[module]), some)
    ]


def _inputs(
    model: Model, picture: Tensor, convolution: nn.Conv2d, others: list[nn.Conv2d], some: Bool[Tensor, " unit"] | None
) -> dict[nn.Module, Tensor]:
    """What each of the convolutions is given first, the units `some` of `convolution` turned round and moved."""
    seen: dict[nn.Module, Tensor] = {}

    def change(_: nn.Module, __: object, output: Tensor) -> Tensor | None:
        if some is None:
            return None
        chosen = some.to(output.device)[:, None, None]
        return torch.where(chosen, output.abs().mean() + 1 - output, output)

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs:
            seen.setdefault(module, inputs[0].detach().clone())

    with torch.inference_mode(), _hooked(convolution, change, others, look):
        model.network(picture)
    return seen


@contextmanager
def _hooked(convolution: nn.Module, change: Any, others: list[nn.Conv2d], look: Any) -> Iterator[None]:
    hooks = [convolution.register_forward_hook(change), *(other.register_forward_pre_hook(look) for other in others)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _moved(before: Tensor, after: Tensor) -> Bool[Tensor, " channel"]:
    return (before != after).any(dim=0).flatten(1).any(dim=1).cpu()


def _same(moved: Bool[Tensor, " channel"], some: Bool[Tensor, " unit"]) -> bool:
    return moved.shape == some.shape and bool((moved == some).all())


def _energy_per_input(reader: nn.Conv2d) -> Float[Tensor, " channel"]:
    """Sum of the squared weights of each input channel; with groups a channel is read by those of its group."""
    weight = reader.weight.detach().double().cpu()
    energy: Tensor = weight.view(reader.groups, -1, *weight.shape[1:]).square().sum(dim=(1, 3, 4))
    return energy.flatten()
