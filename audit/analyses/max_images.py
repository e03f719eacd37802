"""The whole of each unit's strongest images, with what it saw in a box and its map over them (CS231n; seeds D5).

The unit is looked at once more, and what it says is held against what the pass wrote down.
"""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from audit import events
from audit.analyses.max_patches import caption, has_picture, position
from audit.analyses.task import Task
from audit.analyses.windows import Window, window
from audit.data.display import rgb
from audit.data.preprocess import load, normalized, unit_range
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Layer, Pictures
from audit.words import plural

TOLERANCE = 1e-3
"""Share of the value by which a second look may differ: batches of another size round differently."""

WARM = np.array([1.0, 0.55, 0.0])
"""Colour of the map."""

Map = Float[np.ndarray, "y x"]


class MaxImages:
    """Each strongest image whole, darker where the unit is off, orange where it is on, its receptive field in a box."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches."""
        assert task.strongest is not None
        count = min(task.section.images, task.strongest.image.shape[1])
        name = f"{task.model.section.name}: strongest images of {task.layer.name}"
        made = []
        with events.work(task.listener, name, len(task.units)) as advance:
            for unit in task.units:
                made.append(_row(task, unit, count))
                advance(1)
        differ = sum(text.endswith(DIFFERS) for _, texts in made for text in texts)
        warning = f" {plural(differ, 'picture')} said something else on a second look." if differ else ""
        return Pictures(
            layer=task.layer.name,
            kind="max-images",
            units=task.units,
            tiles=np.stack([tiles for tiles, _ in made]),
            captions=tuple(texts for _, texts in made),
            groups=("strongest images",),
            note="The whole pictures on which a unit is strongest: the box is what it sees where it is strongest, "
            f"orange is where else it fires, by its largest value.{warning}",
        )


DIFFERS = "on a second look"
"""How the caption of a picture ends on which the unit was not what the pass had written down."""


def spread_out(values: Float[np.ndarray, "map_y map_x"], layer: Layer, size: tuple[int, int]) -> Map:
    """A map as large as the picture: each position's value at the middle of what it sees, linear between them.

    A layer whose units see everything has no such middles, and its map is stretched over the picture.
    """

    from scipy.ndimage import map_coordinates

    axes = []
    for axis, length in enumerate(size):
        pixels = np.arange(length) + 0.5
        if layer.field is None:
            axes.append(pixels * values.shape[axis] / length - 0.5)
        else:
            middle = layer.field.start[axis] + layer.field.size[axis] / 2
            axes.append((pixels - middle) / layer.field.stride[axis])
    return np.asarray(map_coordinates(values, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest"))


def overlaid(picture: Float[np.ndarray, "channel y x"], heat: Map) -> Float[np.ndarray, "3 y x"]:
    """The picture, half as bright where the unit is off, under orange where it is on."""
    colours = np.broadcast_to(picture if len(picture) == 3 else picture.mean(axis=0), (3, *picture.shape[1:]))
    strength = np.clip(heat, 0, None) / max(float(heat.max()), 1e-30)
    lit = colours * (0.5 + 0.5 * strength)
    return np.asarray(lit * (1 - 0.5 * strength) + WARM[:, None, None] * 0.5 * strength)


def boxed(picture: UInt8[np.ndarray, "y x 3"], place: Window) -> UInt8[np.ndarray, "y x 3"]:
    """The edges of the place as a white line inside a black one, where they lie inside the picture."""
    result = picture.copy()
    height, width = picture.shape[:2]
    for inset, colour in ((0, 0), (1, 255)):
        top, left, bottom, right = place[0] + inset, place[1] + inset, place[2] - inset, place[3] - inset
        if bottom <= top or right <= left:
            continue
        rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        for y in (top, bottom - 1):
            if 0 <= y < height:
                result[y, columns] = colour
        for x in (left, right - 1):
            if 0 <= x < width:
                result[rows, x] = colour
    return result


def _row(task: Task, unit: int, count: int) -> tuple[UInt8[np.ndarray, "tile y x 3"], tuple[str, ...]]:
    assert task.images is not None
    assert task.strongest is not None
    _, height, width = task.model.outline.input_shape
    tiles = np.full((count, height, width, 3), 128, np.uint8)
    texts = [caption(task, unit, rank) for rank in range(count)]
    ranks = [rank for rank in range(count) if has_picture(task, unit, rank)]
    if not ranks:
        return tiles, tuple(texts)
    indices = [int(task.strongest.image[unit, rank]) for rank in ranks]
    pixels = torch.stack([unit_range(load(task.images, index, task.model.section)) for index in indices])
    for rank, picture, values in zip(ranks, pixels.numpy(), unit_maps(task, unit, pixels), strict=True):
        where = position(task.strongest, unit, rank)
        alone = values.size == 1  # a class, or a unit of a vector: there is no elsewhere
        tile = rgb(picture if alone else overlaid(picture, spread_out(values, task.layer, (height, width))))
        tiles[rank] = boxed(tile, window(task.layer, task.model.outline, *where)) if task.layer.field else tile
        recorded, now = float(task.strongest.value[unit, rank]), float(values[where])
        if not abs(now - recorded) <= TOLERANCE * abs(recorded):
            texts[rank] += f" · {now:.4g} {DIFFERS}"
    return tiles, tuple(texts)


def unit_maps(
    task: Task, unit: int, pixels: Float[Tensor, "image channel y x"]
) -> Float[np.ndarray, "image map_y map_x"]:
    """The unit's map on each picture of 0..1."""
    seen: list[Tensor] = []

    def visit(_: str, output: Tensor) -> None:
        seen.append(maps(output, task.layer.layout)[:, unit].double().clone())

    with looking(task.model.network, [task.layer.name], visit) as run:
        run(normalized(pixels, task.model.mean, task.model.std))
    found: Float[np.ndarray, "image map_y map_x"] = seen[0].cpu().numpy()
    return found
