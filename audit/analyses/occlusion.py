"""What a unit misses when a part of a picture is covered: occlusion heat maps (Zeiler and Fergus 2014, section 4.2)."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from audit import events
from audit.analyses.max_patches import BORDER, caption, has_picture, position
from audit.analyses.reading import Picture, Place, Reading, reading_of
from audit.analyses.task import Task
from audit.analyses.windows import Window, cut, window
from audit.config import Fill, OcclusionSection
from audit.data.display import rgb
from audit.data.preprocess import load, unit_range
from audit.errors import Unavailable
from audit.records import Pictures
from audit.words import plural

SHARE = 6
"""Of the shorter side of what the unit sees: how large the cover is where nobody says so."""

LESS, MORE = np.array([0.84, 0.15, 0.12]), np.array([0.1, 0.35, 0.85])
"""Colours of where a unit falls, and where it rises, without what is there."""

FILLS: dict[Fill, str] = {
    "zero": "of the mean colour of the training pictures, which is zero to the network",
    "mean": "of the picture's own mean colour",
    "blur": "that shows the picture blurred",
}


class Occlusion:
    """A cover slides over each of a unit's strongest pictures, and the unit is read where it was strongest.

    Each pixel shows the mean change over the covers that lie on it. Covers that do not reach what the unit sees are
    not tried: they change nothing.
    """

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches and cut like them.

        Unavailable if the probability of units is asked for that are no classes.
        """
        assert task.strongest is not None
        options = task.section.occlusion
        if options.of == "probability" and not task.model.outline.is_output(task.layer):
            raise Unavailable(f"the units of {task.layer.name} are no classes, so they have no probability")
        count = min(task.section.images, task.strongest.image.shape[1])
        name = f"{task.model.section.name}: occlusions of {task.layer.name}"
        with (
            events.work(task.listener, name, len(task.units) * count) as advance,
            reading_of(task.model, task.layer, options.of) as reading,
        ):
            made = [[_tile(task, unit, rank, reading, advance) for rank in range(count)] for unit in task.units]
        side, step = cover_of(options, window(task.layer, task.model.outline, 0, 0))
        return Pictures(
            layer=task.layer.name,
            kind="occlusion",
            units=task.units,
            tiles=np.stack([np.stack([tile for tile, _, _ in row]) for row in made]),
            captions=tuple(tuple(text for _, text, _ in row) for row in made),
            groups=("occlusions",),
            note=f"A cover of {plural(side, 'pixel')} a side, {FILLS[options.fill]}, slides over each picture in steps "
            f"of {step}: red where the unit's {options.of} falls when that is covered, blue where it rises; each "
            "picture by its largest change.",
            numbers={"lost": np.array([[lost for _, _, lost in row] for row in made])},
        )


def cover_of(options: OcclusionSection, seen: Window) -> tuple[int, int]:
    """Side and step of the cover in pixels: by themselves a sixth of the shorter side of what is seen, half of that."""
    top, left, bottom, right = seen
    side = options.size or max(1, min(bottom - top, right - left) // SHARE)
    return side, options.stride or max(1, side // 2)


def covers(size: tuple[int, int], side: int, step: int, seen: Window) -> list[Window]:
    """All places of the cover that reach what is seen, row by row; the last of each axis ends with the picture.

    Along an axis that is shorter than the cover there is one place.
    """
    ys, xs = ([*range(0, length - side, step), max(length - side, 0)] for length in size)
    top, left, bottom, right = seen
    return [
        (y, x, min(y + side, size[0]), min(x + side, size[1]))
        for y in ys
        for x in xs
        if y < bottom and x < right and y + side > top and x + side > left
    ]


def filling(picture: Picture, fill: Fill, mean: Float[np.ndarray, "channel 1 1"], side: int) -> Picture:
    """What the cover shows, as large as the picture, in pixels of 0..1; `mean` is the network's, per channel."""

    from scipy.ndimage import gaussian_filter

    match fill:
        case "zero":
            return np.broadcast_to(mean, picture.shape)
        case "mean":
            return np.broadcast_to(picture.mean(axis=(1, 2), keepdims=True), picture.shape)
        case "blur":
            return np.asarray(gaussian_filter(picture, (0, side / 2, side / 2)))


def heat_map(
    change: Float[np.ndarray, " cover"], places: Sequence[Window], size: tuple[int, int]
) -> Float[np.ndarray, "y x"]:
    """The mean change over the covers that lie on each pixel; 0 where none does."""
    total, count = np.zeros(size), np.zeros(size)
    for value, (top, left, bottom, right) in zip(change, places, strict=True):
        total[top:bottom, left:right] += value
        count[top:bottom, left:right] += 1
    return np.asarray(total / np.maximum(count, 1))


def overlaid(picture: Picture, heat: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "3 y x"]:
    """The picture in pale gray under the heat: falls red, rises blue, the largest change in full colour."""
    gray = 0.35 + 0.5 * picture.mean(axis=0)
    largest = np.abs(heat).max()
    strength = np.abs(heat) / largest if largest > 0 else heat
    colour = np.where(heat[..., None] > 0, LESS, MORE)
    mixed = gray[..., None] * (1 - strength[..., None]) + colour * strength[..., None]
    return np.asarray(np.moveaxis(mixed, -1, 0))


def _tile(
    task: Task, unit: int, rank: int, reading: Reading, advance: Callable[[int], None]
) -> tuple[UInt8[np.ndarray, "y x 3"], str, float]:
    """The heat over the picture, what is said of it, and the largest share of the activation that a cover takes."""
    assert task.images is not None
    assert task.strongest is not None
    where = position(task.strongest, unit, rank)
    place, text = window(task.layer, task.model.outline, *where), caption(task, unit, rank)
    if not has_picture(task, unit, rank):
        advance(1)
        return np.full((place[2] - place[0], place[3] - place[1], 3), 128, np.uint8), text, float("nan")
    options = task.section.occlusion
    picture = unit_range(load(task.images, int(task.strongest.image[unit, rank]), task.model.section)).numpy()
    side, step = cover_of(options, place)
    places = covers(picture.shape[1:], side, step, place)
    filled = filling(picture, options.fill, task.model.mean.cpu().numpy(), side)
    whole, values = reading.with_and_without(picture, filled, places, Place(unit, where))
    advance(1)
    lost = float((whole - values.min()) / whole) if whole > 0 else float("nan")
    said = f" · {options.of} falls by {100 * lost:.3g} % at most" if np.isfinite(lost) and lost > 0 else ""
    return (
        rgb(cut(overlaid(picture, heat_map(whole - values, places, picture.shape[1:])), place, BORDER)),
        text + said,
        lost,
    )
