"""A unit per row, and pixels -> what arrives at the pixels in one backward pass, by some rule for rectifiers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from audit.analyses.windows import Window
from audit.ascent.borderless import Borderless
from audit.ascent.first_convolution import FastFirstConvolution
from audit.ascent.lighter import lighter
from audit.data.preprocess import normalized
from audit.model.allocator import kept_memory
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.memory import fast_order, in_order
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.model.rules import Rule
from audit.records import Layer

Rules = Callable[[], AbstractContextManager[Rule]]
Backward = Float[Tensor, "row channel y x"]


@dataclass(frozen=True)
class PassedBack:
    """What arrived at the pixels, as the model sees them; the activations begun from; rectifiers that met the rule."""

    gradient: Backward
    reached: Float[Tensor, "row ..."]
    replaced: int


@runtime_checkable
class PassBack(Protocol):
    """From one unit per row, from before its ReLU, back to the `pixels` of 0..1 by a rule.

    Each row begins with 1 at its position, or, without positions, everywhere with the unit's activation. All zero
    where the layer does not depend on the image. `seen`: the part of the pixels that the units depend on, where they
    see no border; the network then runs without borders (`Borderless`), and `positions` are those in the whole map.
    """

    def __call__(
        self,
        pixels: Backward,
        units: Sequence[int],
        positions: Sequence[tuple[int, int]] | None,
        seen: Window | None = None,
    ) -> PassedBack: ...


@contextmanager
def passing_back(model: Model, layer: Layer, rule: Rules | None) -> Iterator[PassBack]:
    """Inside, the given function passes back from the layer as often as it is called.

    Without a rule, it gives the plain gradient. It runs a lighter copy of the network, its normalisations folded, in
    the memory order that is fast.
    """
    network = lighter(model.network, model.outline.input_shape, {layer.name})
    own, order = precision(network), fast_order(network)
    fast, borderless = FastFirstConvolution(stems=rule is None), Borderless()
    outputs: list[Tensor] = []

    with (
        exact_arithmetic(),
        kept_memory(),
        in_order(network, order),
        # nothing runs behind the layer that could change its output in place
        Observer(network, (layer.name,), lambda _, output: outputs.append(output), before_rectifier=True) as observer,
    ):

        def back(
            pixels: Backward,
            units: Sequence[int],
            positions: Sequence[tuple[int, int]] | None,
            seen: Window | None = None,
        ) -> PassedBack:
            images = normalized(pixels, model.mean, model.std).to(own).contiguous(memory_format=order).requires_grad_()
            with fast, nullcontext() if seen is None else borderless:  # what an observer hears, it passes on to these
                observer.run(images if seen is None else borderless.begin(images, seen))
            output = outputs.pop()
            first = (0, 0) if seen is None else borderless.end(output)
            rows, unit = (torch.tensor(numbers, device=images.device) for numbers in (range(len(units)), units))
            begun = _begun(maps(output, layer.layout)[rows, unit], first, positions, layer)
            reached = begun.detach().float()
            if not begun.requires_grad:  # the layer does not depend on the image
                return PassedBack(torch.zeros_like(images).float(), reached, 0)
            with nullcontext() if rule is None else rule() as active:
                (gradient,) = torch.autograd.grad(begun.sum(), images, allow_unused=True, materialize_grads=True)
            return PassedBack(gradient.float(), reached, 0 if active is None else active.replaced)

        yield back


def _begun(
    own_maps: Float[Tensor, "row y x"],
    first: tuple[int, int],
    positions: Sequence[tuple[int, int]] | None,
    layer: Layer,
) -> Float[Tensor, "row ..."]:
    """What the gradient is taken of: each unit at its position, or its map times what it is."""
    if positions is None:
        return own_maps * (own_maps.detach().clamp(min=0) if layer.rectifier else own_maps.detach())
    y, x = (torch.tensor(positions, device=own_maps.device) - torch.tensor(first, device=own_maps.device)).T
    return own_maps[torch.arange(len(own_maps), device=own_maps.device), y, x]
