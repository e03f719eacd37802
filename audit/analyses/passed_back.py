"""A unit per row, and pixels -> what arrives at the pixels in one backward pass, by some rule for rectifiers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from audit.analyses.windows import Window
from audit.ascent.borderless import Borderless
from audit.ascent.first_convolution import FastFirstConvolution
from audit.data.preprocess import normalized
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.memory import fast_order, in_order
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.model.rules import Rule, plain
from audit.records import Layer

Rules = Callable[[], AbstractContextManager[Rule]]
Backward = Float[Tensor, "row channel y x"]


@dataclass(frozen=True)
class PassedBack:
    """What arrived at the pixels, in the model's input space; the activations begun from; how many rectifiers met."""

    gradient: Backward
    reached: Float[Tensor, "row ..."]
    replaced: int


def passed_back(
    model: Model,
    layer: Layer,
    pixels: Backward,
    units: Sequence[int],
    positions: Sequence[tuple[int, int]] | None,
    *,
    rule: Rules,
    seen: Window | None = None,
) -> PassedBack:
    """From one unit per row, from before its ReLU, back to the `pixels` of 0..1 by the rule.

    Each row begins with 1 at its position, or, without positions, everywhere with the unit's activation. All zero
    where the layer does not depend on the image. `seen`: the part of the pixels that the units depend on, where they
    see no border; the network then runs without borders (`Borderless`), and `positions` are those in the whole map.
    """
    own, order = precision(model.network), fast_order(model.network)
    images = normalized(pixels, model.mean, model.std).to(own).contiguous(memory_format=order).requires_grad_()
    rows, unit = torch.arange(len(units), device=images.device), torch.tensor(units, device=images.device)
    fast, borderless = FastFirstConvolution(stems=rule is plain), Borderless()
    chosen: list[Tensor] = []

    def visit(_: str, output: Tensor) -> None:
        first = (0, 0) if seen is None else borderless.end(output)
        own_maps = maps(output, layer.layout)[rows, unit]
        if positions is None:
            activation = own_maps.detach().clamp(min=0) if layer.rectifier else own_maps.detach()
            chosen.append(own_maps * activation)
        else:
            y, x = (torch.tensor(positions, device=images.device) - torch.tensor(first, device=images.device)).T
            chosen.append(own_maps[rows, y, x])

    with exact_arithmetic(), in_order(model.network, order):
        around = nullcontext() if seen is None else borderless  # what an observer hears, it passes on to these
        with Observer(model.network, (layer.name,), visit, before_rectifier=True) as observer, fast, around:
            observer.run(images if seen is None else borderless.begin(images, seen))
        reached = chosen[0].detach().float()
        if not chosen[0].requires_grad:  # the layer does not depend on the image
            return PassedBack(torch.zeros_like(images).float(), reached, 0)
        with rule() as active:
            (gradient,) = torch.autograd.grad(chosen[0].sum(), images, allow_unused=True, materialize_grads=True)
    return PassedBack(gradient.float(), reached, active.replaced)
