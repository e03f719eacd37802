"""What a unit does not mind: its activation while its strongest pictures are scaled, turned, moved, lit and made noisy.

Yosinski et al. 2015 find units that answer to faces of any size, pose, place and light; how far this goes is a curve.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from audit import events
from audit.analyses.max_patches import caption, has_picture, position
from audit.analyses.task import Task
from audit.analyses.transformations import TRANSFORMATIONS, Picture, Point, Shown
from audit.analyses.windows import window
from audit.data.damage import Damages
from audit.data.display import rgb
from audit.data.preprocess import batches, load, normalized, unit_range
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Pictures
from audit.stream.reducer import wide
from audit.trials.draws import drawn
from audit.trials.outputs import spread
from audit.words import plural

MOST = 4
"""Of a unit's strongest pictures that are changed."""

OTHERS = 8
"""Pictures, whatever is on them, that are changed as well."""

THUMBNAIL = 80
"""Longer side of a tile, in pixels."""

TILES = sum(len(one.amounts) for one in TRANSFORMATIONS)
Values = Float[np.ndarray, " tile"]
Read = Callable[[Shown], Float[Tensor, "tile unit"]]


class Invariance:
    """Each unit is read at its strongest position anywhere, since what it looks for moves with the picture."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """A tile per transformation and amount: the unit's strongest picture, changed, small.

        Numbers: `amount`; `pictures` that were changed; `relative`, their mean activation over that of the unchanged
        picture, with `low` and `high`, the least and the largest; and `others`: the mean of evenly spread pictures,
        changed alike, over the mean of the unit's unchanged strongest ones. NaN where a unit does not fire.
        """
        assert task.strongest is not None
        count = min(task.section.images, MOST, task.strongest.image.shape[1])
        name = f"{task.model.section.name}: invariance of {task.layer.name}"
        chosen = spread(range(len(task.images or ())), OTHERS)
        with (
            _reading(task) as read,
            events.work(task.listener, name, len(task.units) * count + len(chosen)) as advance,
        ):
            others = _others(task, chosen, read, advance)
            rows = [_row(task, unit, count, read, others[:, place], advance) for place, unit in enumerate(task.units)]
        return Pictures(
            layer=task.layer.name,
            kind="invariance",
            units=task.units,
            tiles=np.stack([tiles for tiles, _, _ in rows]),
            captions=tuple(captions for _, captions, _ in rows),
            groups=tuple(one.name for one in TRANSFORMATIONS),
            note=f"Shown is the strongest picture; the numbers are those of up to {plural(count, 'picture')}, scaled "
            "and turned around the middle of what the unit sees, filled with their mean colour. The unit is read where "
            f"it is strongest. Others: the same of {plural(len(chosen), 'picture')} evenly spread over all; where they "
            "stay up as well, the unit is not invariant but fires on anything.",
            numbers={name: np.stack([numbers[name] for _, _, numbers in rows]) for name in rows[0][2]},
        )


def _row(  # noqa: PLR0917  # a unit, and what all units share
    task: Task, unit: int, count: int, read: Read, others: Values, advance: Callable[[int], None]
) -> tuple[UInt8[np.ndarray, "tile y x 3"], tuple[str, ...], dict[str, Values]]:
    """Tiles, captions and numbers of a unit; `others` are its activations on other pictures, their mean."""
    strongest = [_shown(task, unit, rank) for rank in range(count) if has_picture(task, unit, rank)]
    values = []
    for shown in strongest:
        values.append(read(shown)[:, task.units.index(unit)].cpu().numpy())
        advance(1)
    advance(count - len(strongest))
    numbers = curves(np.array(values).reshape(len(strongest), TILES), others)
    if not strongest:
        size = _small(torch.zeros(task.model.outline.input_shape)).shape[1:]
        return np.full((TILES, *size, 3), 128, np.uint8), (caption(task, unit, 0),) * TILES, numbers
    tiles = np.stack([_small(picture).cpu().numpy() for picture in changed(strongest[0])])
    return rgb(tiles), tuple(_captions(numbers)), numbers


def curves(values: Float[np.ndarray, "picture tile"], others: Values) -> dict[str, Values]:
    """The numbers of a unit: of its activations on its strongest pictures, and on other pictures, each changed."""
    before = values[:, _neutral()]
    fires = (before > 0).all(axis=1)
    count, nothing = int(fires.sum()), np.full(TILES, np.nan)
    relative = values[fires] / before[fires]
    return {
        "amount": np.concatenate([one.amounts for one in TRANSFORMATIONS]).astype(np.float64),
        "pictures": np.full(TILES, float(count)),
        "relative": relative.mean(axis=0) if count else nothing,
        "low": relative.min(axis=0) if count else nothing,
        "high": relative.max(axis=0) if count else nothing,
        "others": others / before[fires, 0].mean() if count else nothing,
    }


def changed(shown: Shown) -> Float[Tensor, "tile channel y x"]:
    """The picture by every amount of every transformation."""
    return torch.cat([one.of(shown) for one in TRANSFORMATIONS])


def _neutral() -> np.ndarray:
    """For each tile the one of the same transformation that is the picture itself."""
    places, first = [], 0
    for one in TRANSFORMATIONS:
        places += [first + one.amounts.index(one.neutral)] * len(one.amounts)
        first += len(one.amounts)
    return np.array(places)


def _captions(numbers: dict[str, Values]) -> Iterator[str]:
    texts = [one.said(amount) for one in TRANSFORMATIONS for amount in one.amounts]
    for text, relative, others in zip(texts, numbers["relative"], numbers["others"], strict=True):
        known = f"{100 * relative:.3g} % of the activation; other pictures {100 * others:.3g} %"
        yield f"{text}: {known if np.isfinite(relative) else 'not above 0 before'}"


def _shown(task: Task, unit: int, rank: int) -> Shown:
    """The picture of that rank, with the middle of what the unit sees where it is strongest."""
    assert task.images is not None
    assert task.strongest is not None
    index = int(task.strongest.image[unit, rank])
    pixels = unit_range(load(task.images, index, task.model.section)).to(task.model.device)
    top, left, bottom, right = window(task.layer, task.model.outline, *position(task.strongest, unit, rank))
    _, height, width = pixels.shape
    middle = (min(max((top + bottom - 1) / 2, 0), height - 1), min(max((left + right - 1) / 2, 0), width - 1))
    return Shown(pixels, middle, _noise(pixels, index, task.seed))


def _noise(pixels: Picture, index: int, seed: int) -> Picture:
    return drawn([index], pixels.shape, seed)[0].to(pixels.device)


def _others(
    task: Task, chosen: Sequence[int], read: Read, advance: Callable[[int], None]
) -> Float[np.ndarray, "tile unit"]:
    """The mean over the pictures that can be shown, each changed around its own middle."""
    assert task.images is not None
    found: list[Tensor] = []
    for (pixels,), (index,) in batches(task.images, chosen, task.model.section, 1, damages=Damages(len(chosen), 100)):
        shown = pixels.to(task.model.device)
        middle: Point = ((shown.shape[1] - 1) / 2, (shown.shape[2] - 1) / 2)
        found.append(read(Shown(shown, middle, _noise(shown, index, task.seed))))
        advance(1)
    return np.asarray(torch.stack(found).mean(dim=0).cpu().numpy())


@contextmanager
def _reading(task: Task) -> Iterator[Read]:
    """What the task's units say of a picture by every amount: their largest value anywhere, after their rectifier."""
    model, layer = task.model, task.layer
    units = torch.tensor(task.units, device=model.device)
    seen: list[Tensor] = []

    def visit(_: str, output: Tensor) -> None:
        values = maps(output, layer.layout)[:, units].amax(dim=(2, 3))
        values = values.to(wide(values.device))
        seen.append(values.clamp_min(0) if layer.activation else values)

    with looking(model.network, [layer.name], visit) as run:

        def read(shown: Shown) -> Float[Tensor, "tile unit"]:
            run(normalized(changed(shown), model.mean, model.std))
            return seen.pop()

        yield read


def _small(picture: Picture) -> Float[Tensor, "channel height width"]:
    """No side longer than that of a tile."""
    _, height, width = picture.shape
    share = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return torch.nn.functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
