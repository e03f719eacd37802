"""Back from a unit to the pixels, by some rule for rectifiers -> the tiles of the views that share this way.

The unit is started from before its own ReLU, at the position where it was strongest, or everywhere on its map.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from audit import events
from audit.analyses.max_patches import caption, has_picture, position
from audit.analyses.task import Task
from audit.analyses.windows import Window, cut, window
from audit.data.display import centred, rgb
from audit.data.preprocess import load, normalized, unit_range
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.model.rules import Rule
from audit.records import Layer, Pictures
from audit.words import plural

ROWS = 16
"""Pictures per backward pass."""

BLUR = 4.0
"""Standard deviation in pixels of the view "norm-blur", as in Yosinski's toolbox."""

Origin = Literal["position", "map"]
View = Literal["raw", "gray", "norm", "norm-blur", "max"]
Rules = Callable[[], AbstractContextManager[Rule]]
Backward = Float[Tensor, "row channel y x"]


@dataclass(frozen=True)
class Way:
    """A kind of pictures: the rule of the backward pass, what its tiles are called together, and what they are."""

    kind: str
    rule: Rules
    group: str
    what: str


ORIGINS: dict[Origin, str] = {
    "position": "back from the unit where it was strongest, with 1 there",
    "map": "back from the whole map of the unit, each position with its activation",
}
VIEWS: dict[View, str] = {
    "raw": "gray is nothing, scaled per picture",
    "gray": "mean over the channels, gray is nothing, scaled per picture",
    "norm": "norm over the channels, black is nothing, scaled per picture",
    "norm-blur": f"norm over the channels, blurred by {BLUR:g} pixels, black is nothing, scaled per picture",
    "max": "largest magnitude of a channel, black is nothing, scaled per picture",
}


def backward_pictures(task: Task, way: Way) -> Pictures:
    """One tile per unit and strong image, in the order of the max patches and cut like them; of a map, whole."""
    assert task.strongest is not None
    count = min(task.section.images, task.strongest.image.shape[1])
    places = [(row, rank) for row, _ in enumerate(task.units) for rank in range(count)]
    fires = [(row, rank) for row, rank in places if has_picture(task, task.units[row], rank)]
    height, width = _shape(_place(task, 0, 0))
    tiles = np.full((len(task.units), count, height, width, 3), 128, np.uint8)
    replaced, name = 0, f"{task.model.section.name}: {way.group} of {task.layer.name}"
    with events.work(task.listener, name, len(places)) as advance:
        advance(len(places) - len(fires))
        for start in range(0, len(fires), ROWS):
            part = fires[start : start + ROWS]
            pictures, replaced = _passed_back(task, part, way.rule)
            for (row, rank), picture in zip(part, pictures, strict=True):
                place = _place(task, *position(task.strongest, task.units[row], rank))
                tiles[row, rank] = rgb(viewed(cut(picture, place, 0.0), task.section.view))
            advance(len(part))
    return Pictures(
        layer=task.layer.name,
        kind=way.kind,
        units=task.units,
        tiles=tiles,
        captions=tuple(tuple(caption(task, unit, rank) for rank in range(count)) for unit in task.units),
        groups=(way.group,),
        note=_note(task, way, replaced) if fires else "None of the units fires: there is nothing to pass back.",
    )


def passed_back(
    model: Model,
    layer: Layer,
    pixels: Backward,
    units: Sequence[int],
    positions: Sequence[tuple[int, int]] | None,
    *,
    rule: Rules,
) -> tuple[Backward, int]:
    """What arrives at the pixels, in the model's input space, from one unit per row; how many rectifiers met the rule.

    Each row begins with 1 at its position, or, without positions, everywhere with the unit's activation. All zero
    where the layer does not depend on the image.
    """
    own = precision(model.network)
    images = normalized(pixels, model.mean, model.std).to(own).requires_grad_()
    rows, unit = torch.arange(len(units), device=images.device), torch.tensor(units, device=images.device)
    chosen: list[Tensor] = []

    def visit(_: str, output: Tensor) -> None:
        own_maps = maps(output, layer.layout)[rows, unit]
        if positions is None:
            activation = own_maps.detach().clamp(min=0) if layer.rectifier else own_maps.detach()
            chosen.append(own_maps * activation)
        else:
            y, x = torch.tensor(positions, device=images.device).T
            chosen.append(own_maps[rows, y, x])

    with exact_arithmetic():
        with Observer(model.network, (layer.name,), visit, before_rectifier=True) as observer:
            observer.run(images)
        if not chosen[0].requires_grad:  # the layer does not depend on the image
            return torch.zeros_like(images).float(), 0
        with rule() as active:
            (gradient,) = torch.autograd.grad(chosen[0].sum(), images, allow_unused=True, materialize_grads=True)
    return gradient.float(), active.replaced


def viewed(picture: Float[np.ndarray, "channel y x"], view: View) -> Float[np.ndarray, "shown y x"]:
    """A signed picture as 0..1: as it is or its mean around 0.5, or its size without sign from 0 on."""
    match view:
        case "raw":
            return centred(picture)
        case "gray":
            return centred(picture.mean(axis=0, keepdims=True))
        case "max":
            return _scaled(np.abs(picture).max(axis=0, keepdims=True))
        case "norm":
            return _scaled(np.linalg.norm(picture, axis=0, keepdims=True))
        case "norm-blur":
            norm = np.linalg.norm(picture, axis=0, keepdims=True)
            return _scaled(gaussian_filter(norm, (0, BLUR, BLUR)))


def _scaled(sizes: Float[np.ndarray, "channel y x"]) -> Float[np.ndarray, "channel y x"]:
    most = sizes.max()
    return np.asarray(sizes / most if most > 0 else sizes)


def _passed_back(
    task: Task, part: list[tuple[int, int]], rule: Rules
) -> tuple[Float[np.ndarray, "row channel y x"], int]:
    assert task.images is not None
    assert task.strongest is not None
    units = [task.units[row] for row, _ in part]
    where = [position(task.strongest, unit, rank) for unit, (_, rank) in zip(units, part, strict=True)]
    indices = [int(task.strongest.image[unit, rank]) for unit, (_, rank) in zip(units, part, strict=True)]
    pixels = torch.stack([unit_range(load(task.images, index, task.model.section)) for index in indices])
    from_map = task.section.origin == "map"
    gradient, replaced = passed_back(task.model, task.layer, pixels, units, None if from_map else where, rule=rule)
    return gradient.cpu().numpy(), replaced


def _place(task: Task, y: int, x: int) -> Window:
    _, height, width = task.model.outline.input_shape
    return (0, 0, height, width) if task.section.origin == "map" else window(task.layer, task.model.outline, y, x)


def _shape(place: Window) -> tuple[int, int]:
    top, left, bottom, right = place
    return bottom - top, right - left


def _note(task: Task, way: Way, replaced: int) -> str:
    section = task.section
    how = f"{way.what} {ORIGINS[section.origin]}; {VIEWS[section.view]}"
    if way.kind == "gradient":
        return f"{how}."
    met = (
        f"{plural(replaced, 'rectifier')} followed the rule"
        if replaced
        else "no rectifier lies below this layer, so it is the plain gradient"
    )
    return f"{how}; {met}."
