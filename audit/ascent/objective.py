"""Objectives: what of a layer's activation is climbed, and the way uphill from an image.

An objective is a weighted sum of numbers that are read off layers: the activation of a unit at one position, its mean
over all positions (a channel; a class where the network ends in a mean), or its mean square (DeepDream). One weight
is a unit, a vector of them a direction of the layer's space, weights on several layers a sum of objectives. Images may
also repel each other, so that they show different sides of a unit (Olah et al. 2017, diversity).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audit.ascent.borderless import Borderless, Box
from audit.ascent.first_convolution import FastFirstConvolution
from audit.model.hooks import Observer
from audit.model.outline import maps
from audit.model.precision import precision
from audit.records import Layer

Activations = Callable[[Float[Tensor, "image channel y x"]], Float[Tensor, "image unit"]]
Change = Callable[[Float[Tensor, "image channel y x"]], Float[Tensor, "image channel y x"]]
Everywhere = Literal["mean", "energy"]
Where = tuple[int, int] | Everywhere | Literal["gram", "code"]


@dataclass(frozen=True)
class Reading:
    """The numbers that are read off a layer, one per unit, or per pair of units.

    `where` is a position (y, x); "mean": over all positions; "energy": the mean square over all positions, whose sum
    is what DeepDream makes larger (Mordvintsev et al. 2015). "gram": the Gram matrix over all positions, the mean
    product of each unit with each, which tells styles apart (Gatys et al. 2016, equation 3); at least in float32.
    "code": everything, unit by unit, of a rectifier after it rectified.
    """

    layer: Layer
    where: Where

    def of(self, output: Tensor, first: tuple[int, int] = (0, 0)) -> Float[Tensor, "image number"]:
        """From the layer's raw output; a copy, so that a later in-place ReLU does not reach it.

        `first` is the position with which a map begins of which only a part was computed.
        """
        values = maps(output, self.layer.layout)
        match self.where:
            case "mean":
                return values.mean((2, 3))
            case "energy":
                return values.clone().square().mean((2, 3))
            case "gram":
                flat = values.flatten(2).to(torch.promote_types(values.dtype, torch.float32), copy=True)
                return (flat @ flat.mT / flat.shape[2]).flatten(1)
            case "code":
                return values.flatten(1).clone()
            case (y, x):
                return values[:, :, y - first[0], x - first[1]].clone()


@contextmanager
def activations_at(network: nn.Module, *readings: Reading, seen_by_unit: Box | None = None) -> Iterator[Activations]:
    """The network as a function: its input -> the numbers of all readings, one reading's units after another's.

    The forward pass ends at the last of the layers. A rectifier is seen before it rectifies, so that a unit that is off
    still has a gradient (the paper's toolbox starts its gradient there too); only its code is what it hands on.
    `seen_by_unit` is the part of the input that a single reading at one position depends on: only what lies between the
    two is computed then (`Borderless`).
    """
    seen: dict[int, Tensor] = {}
    own, fast, borderless = precision(network), FastFirstConvolution(), Borderless()

    def visit(name: str, output: Tensor) -> None:
        first = (0, 0) if seen_by_unit is None else borderless.end(output)
        seen.update(
            {at: reading.of(output, first) for at, reading in enumerate(readings) if reading.layer.name == name}
        )

    names = {reading.layer.name for reading in readings}
    rectified = any(reading.layer.rectifier and reading.where != "code" for reading in readings)
    with Observer(network, names, visit, before_rectifier=rectified) as observer:

        def activations(shown: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image unit"]:
            numbers = shown.to(own)
            # around the observer, which sees a function first and then passes it on
            with fast, nullcontext() if seen_by_unit is None else borderless:
                observer.run(numbers if seen_by_unit is None else borderless.begin(numbers, seen_by_unit))
            return torch.cat([seen.pop(at) for at in range(len(readings))], 1).to(shown.dtype)

        yield activations


def uphill(
    activations: Activations,
    images: Float[Tensor, "image channel y x"],
    weights: Float[Tensor, "image unit"],
    scale: Float[Tensor, "channel 1 1"],
    changed: Change | None = None,
    *,
    apart: Float[Tensor, "image image"] | None = None,
) -> tuple[Float[Tensor, "image unit"], Float[Tensor, "image channel y x"]]:
    """The activations, and the gradient of each image's own weighted sum of them with respect to that image.

    `images` are pixels of 0..255 minus the mean; `scale` makes them the network's input, which `changed` may still
    transform. Where the sum does not depend on the image at all the gradient is 0. `apart` says how strongly each two
    images repel each other: their `repulsion` is taken off, of the Gram matrices that `activations` gives after the
    numbers that have `weights`.
    """
    shown = torch.mul(images, scale, out=torch.empty_like(images, memory_format=fast_layout(images.device)))
    with torch.enable_grad():
        shown.requires_grad_()
        read = activations(shown if changed is None else changed(shown))
        reached, grams = read[:, : weights.shape[1]], read[:, weights.shape[1] :]
        objective = weighted(reached, weights).sum()
        if apart is not None:
            objective = objective - repulsion(grams, apart)
        if not objective.requires_grad:
            return reached, torch.zeros_like(images)
        (gradient,) = torch.autograd.grad(objective, shown, allow_unused=True, materialize_grads=True)
    return reached.detach(), torch.mul(gradient, scale, out=torch.empty_like(images))


def weighted(reached: Float[Tensor, "image unit"], weights: Float[Tensor, "image unit"]) -> Float[Tensor, " image"]:
    """The weighted sum of each row; a unit without weight has no part in it, whatever its activation is."""
    return torch.where(weights == 0, 0, reached * weights).sum(1)


def repulsion(grams: Float[Tensor, "image pair"], apart: Float[Tensor, "image image"]) -> Float[Tensor, ""]:
    """The sum over pairs of images of their strength (`apart`, symmetric) times the cosine of their Gram matrices.

    A matrix that is not finite is like no other, and reaches no other's gradient.
    """
    finite = torch.where(grams.isfinite().all(1, keepdim=True), grams, 0)
    alone = functional.normalize(finite, dim=1)
    return (apart.triu(1) * (alone @ alone.mT)).sum()


def fast_layout(device: torch.device) -> torch.memory_format:
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
