"""Objectives: the activation of a unit at one position of its map, and the way uphill from an image."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from audit.model.hooks import Observer
from audit.model.outline import maps
from audit.model.precision import precision
from audit.records import Layer

Activations = Callable[[Float[Tensor, "image channel y x"]], Float[Tensor, "image unit"]]


@contextmanager
def activations_at(network: nn.Module, layer: Layer, position: tuple[int, int]) -> Iterator[Activations]:
    """The network up to `layer` as a function: its input -> every unit's activation at `position`.

    A rectifier is seen before it rectifies, so that a unit that is off still has a gradient (the paper's toolbox starts
    its gradient there too).
    """
    y, x = position
    seen: list[Tensor] = []
    own = precision(network)

    def visit(_: str, output: Tensor) -> None:
        seen.append(maps(output, layer.layout)[:, :, y, x].clone())  # a later in-place ReLU must not reach it

    with Observer(network, [layer.name], visit, before_rectifier=layer.rectifier) as observer:

        def activations(shown: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image unit"]:
            seen.clear()
            observer.run(shown.to(own))
            return seen.pop().to(shown.dtype)

        yield activations


def uphill(
    activations: Activations,
    images: Float[Tensor, "image channel y x"],
    units: Int[Tensor, " image"],
    scale: Float[Tensor, "channel 1 1"],
) -> tuple[Float[Tensor, "image unit"], Float[Tensor, "image channel y x"]]:
    """The activations of all units, and the gradient of each image's own unit with respect to that image.

    `images` are pixels of 0..255 minus the mean; `scale` makes them the network's input. Where the activation does not
    depend on the image at all the gradient is 0.
    """
    shown = torch.mul(images, scale, out=torch.empty_like(images, memory_format=_layout(images.device)))
    with torch.enable_grad():
        reached = activations(shown.requires_grad_())
        objective = reached.gather(1, units[:, None]).sum()
        if not objective.requires_grad:
            return reached, torch.zeros_like(images)
        (gradient,) = torch.autograd.grad(objective, shown, allow_unused=True, materialize_grads=True)
    return reached.detach(), torch.mul(gradient, scale, out=torch.empty_like(images))


def _layout(device: torch.device) -> torch.memory_format:
    """Where plain float32 convolutions are fastest: on a CPU channels last, on CUDA channels first."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients of weights and no training behaviour inside the block; everything as it was after it."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    training = [module for module in network.modules() if module.training]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        for module in training:
            module.training = False
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        for module in training:
            module.training = True
