"""Back from a unit to the pixels, by some rule for rectifiers -> the tiles of the views that share this way.

The unit is started from before its own ReLU, at the position where it was strongest, or everywhere on its map.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from audit import events
from audit.analyses.crops import Crop, canvas_for, crop_for
from audit.analyses.max_patches import caption, has_picture, position
from audit.analyses.passed_back import PassBack, PassedBack, Rules, passing_back
from audit.analyses.task import Task
from audit.analyses.windows import Window, cut, window
from audit.ascent.canvas import whole_input
from audit.data.display import centred, rgb
from audit.data.preprocess import load, unit_range
from audit.records import Pictures
from audit.words import plural

ROWS, MOST_ROWS = 16, 256
"""Whole pictures per backward pass, and of crops, of which as many are taken as have that many pixels."""

SAME = 1e-3
"""Of an activation: by more than that, a unit on a crop is not what it was on the whole picture."""

BLUR = 4.0
"""Standard deviation in pixels of the view "norm-blur", as in Yosinski's toolbox."""

Origin = Literal["position", "map"]
View = Literal["raw", "gray", "norm", "norm-blur", "max"]


@dataclass(frozen=True)
class Way:
    """A kind of pictures: the rule of the backward pass, what its tiles are called together, and what they are."""

    kind: str
    rule: Rules | None
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
    with (
        events.work(task.listener, name, len(places)) as advance,
        passing_back(task.model, task.layer, way.rule) as back,
    ):
        advance(len(places) - len(fires))
        for part in _together(task, fires):
            rows, made = _passed_back(task, part, back)
            for one, picture in zip(rows, made.gradient.cpu().numpy(), strict=True):
                (top, left, bottom, right), (y, x, *_) = (
                    _place(task, *position(task.strongest, task.units[one.row], one.rank)),
                    one.crop.box,
                )
                shown = cut(picture, (top - y, left - x, bottom - y, right - x), 0.0)
                tiles[one.row, one.rank] = rgb(viewed(shown, task.section.view))
            replaced = made.replaced
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


def viewed(picture: Float[np.ndarray, "channel y x"], view: View) -> Float[np.ndarray, "shown y x"]:
    """A signed picture as 0..1: as it is or its mean around 0.5, or its size without sign from 0 on."""

    from scipy.ndimage import gaussian_filter

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


@dataclass(frozen=True)
class _Fires:
    """A row of the task's units, a rank of its pictures, and what is shown of that."""

    row: int
    rank: int
    crop: Crop


def _together(task: Task, fires: Sequence[tuple[int, int]]) -> Iterator[list[_Fires]]:
    """What shares a backward pass, crops of one shape; of small ones there are many at once."""
    assert task.strongest is not None
    _, *size = task.model.outline.input_shape
    whole = whole_input(task.layer, (size[0], size[1]))
    canvas = whole if task.section.origin == "map" else canvas_for(task.model, task.layer)
    groups: dict[object, list[_Fires]] = {}
    for row, rank in fires:
        crop = crop_for(task.layer, canvas, whole.size, position(task.strongest, task.units[row], rank))
        groups.setdefault((crop.size, crop.seen), []).append(_Fires(row, rank, crop))
    for members in groups.values():
        rows = min(MOST_ROWS, ROWS * prod(whole.size) // prod(members[0].crop.size))
        for start in range(0, len(members), rows):
            yield members[start : start + rows]


def _passed_back(task: Task, part: Sequence[_Fires], back: PassBack) -> tuple[Sequence[_Fires], PassedBack]:
    """What came back, and of what: of whole pictures where a unit is not on its crop what it was in the pass."""
    assert task.images is not None
    assert task.strongest is not None
    units, pixels, recorded = [task.units[one.row] for one in part], [], []
    for unit, one in zip(units, part, strict=True):
        top, left, bottom, right = one.crop.box
        picture = unit_range(load(task.images, int(task.strongest.image[unit, one.rank]), task.model.section))
        pixels.append(picture[:, top:bottom, left:right])
        recorded.append(float(task.strongest.value[unit, one.rank]))
    from_map, seen = task.section.origin == "map", part[0].crop.seen
    positions = None if from_map else [one.crop.position for one in part]
    made = back(torch.stack(pixels), units, positions, seen)
    whole = [_whole(task, one) for one in part]
    if from_map or list(part) == whole or np.allclose(made.reached.cpu().numpy(), recorded, rtol=SAME, atol=0):
        return part, made
    several = [_passed_back(task, whole[start : start + ROWS], back)[1] for start in range(0, len(whole), ROWS)]
    return whole, PassedBack(
        torch.cat([one.gradient for one in several]), torch.cat([one.reached for one in several]), several[0].replaced
    )


def _whole(task: Task, one: _Fires) -> _Fires:
    assert task.strongest is not None
    _, height, width = task.model.outline.input_shape
    place = position(task.strongest, task.units[one.row], one.rank)
    return _Fires(one.row, one.rank, Crop((0, 0, height, width), place))


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
