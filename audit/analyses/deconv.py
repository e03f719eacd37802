"""What in each strongest image made a unit fire: the deconvnet's picture (Zeiler and Fergus 2014; seeds D10, 2.5)."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit import events
from audit.analyses.max_patches import caption, has_picture, position
from audit.analyses.task import Task
from audit.analyses.windows import cut, window
from audit.data.display import centred, rgb
from audit.data.preprocess import load, normalized, unit_range
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.model.rules import deconvnet
from audit.records import Layer, Pictures

ROWS = 16
"""Pictures per backward pass."""


class Deconv:
    """Backward from the unit at its strongest position, with 1 there and before its own ReLU, to the pixels.

    Every ReLU passes back the positive part of what arrives and ignores what it did on the way forward; everything else
    is the ordinary backward pass (max pooling by its switches). Shown like the patches: cut to the receptive field.
    """

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches."""
        assert task.strongest is not None
        count = min(task.section.images, task.strongest.image.shape[1])
        places = [(row, rank) for row, _ in enumerate(task.units) for rank in range(count)]
        tiles = self._blank(task, count)
        replaced = 0
        name = f"{task.model.section.name}: deconvnets of {task.layer.name}"
        fires = [(row, rank) for row, rank in places if has_picture(task, task.units[row], rank)]
        with events.work(task.listener, name, len(places)) as advance:
            advance(len(places) - len(fires))
            for start in range(0, len(fires), ROWS):
                part = fires[start : start + ROWS]
                pictures, replaced = self._backward(task, part)
                for (row, rank), picture in zip(part, pictures, strict=True):
                    place = window(task.layer, task.model.outline, *position(task.strongest, task.units[row], rank))
                    tiles[row, rank] = rgb(centred(cut(picture, place, 0.0)))
                advance(len(part))
        return Pictures(
            layer=task.layer.name,
            kind="deconv",
            units=task.units,
            tiles=tiles,
            captions=tuple(tuple(caption(task, unit, rank) for rank in range(count)) for unit in task.units),
            groups=("deconvnets",),
            note=_note(replaced) if fires else "None of the units fires: there is nothing to pass back.",
        )

    def _blank(self, task: Task, count: int) -> np.ndarray:
        top, left, bottom, right = window(task.layer, task.model.outline, 0, 0)
        return np.full((len(task.units), count, bottom - top, right - left, 3), 128, np.uint8)

    def _backward(self, task: Task, part: list[tuple[int, int]]) -> tuple[Float[np.ndarray, "row channel y x"], int]:
        assert task.images is not None
        assert task.strongest is not None
        units = [task.units[row] for row, _ in part]
        where = [position(task.strongest, unit, rank) for unit, (_, rank) in zip(units, part, strict=True)]
        indices = [int(task.strongest.image[unit, rank]) for unit, (_, rank) in zip(units, part, strict=True)]
        pixels = torch.stack([unit_range(load(task.images, index, task.model.section)) for index in indices])
        gradient, replaced = deconvolve(task.model, task.layer, pixels, units, where)
        return gradient.cpu().numpy(), replaced


def deconvolve(
    model: Model,
    layer: Layer,
    pixels: Float[Tensor, "row channel y x"],
    units: list[int],
    positions: list[tuple[int, int]],
) -> tuple[Float[Tensor, "row channel y x"], int]:
    """The deconvnet's picture, in the model's input space, of one unit and position per row, and how many ReLUs were
    replaced. All zero where the layer does not depend on the image.
    """
    own = precision(model.network)
    images = normalized(pixels, model.mean, model.std).to(own).requires_grad_()
    rows = torch.arange(len(units), device=images.device)
    unit = torch.tensor(units, device=images.device)
    y, x = torch.tensor(positions, device=images.device).T
    chosen: list[Tensor] = []

    def visit(_: str, output: Tensor) -> None:
        chosen.append(maps(output, layer.layout)[rows, unit, y, x])

    with exact_arithmetic():
        with Observer(model.network, (layer.name,), visit, before_rectifier=True) as observer:
            observer.run(images)
        if not chosen[0].requires_grad:  # the layer does not depend on the image
            return torch.zeros_like(images).float(), 0
        with deconvnet() as rule:
            (gradient,) = torch.autograd.grad(chosen[0].sum(), images, allow_unused=True, materialize_grads=True)
    return gradient.float(), rule.replaced


def _note(replaced: int) -> str:
    how = (
        f"{replaced} ReLUs passed back only what is positive"
        if replaced
        else "no ReLU lies below this layer, so it is the plain gradient"
    )
    return (
        "What in each max patch made the unit fire: the deconvnet's picture, gray is nothing, scaled per picture; "
        f"{how}."
    )
