"""The strongest images of each unit, cut to its receptive field (seeds T1.6, D5; Zeiler and Fergus 2014)."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from audit import events
from audit.analyses.task import Task
from audit.analyses.windows import cut, window
from audit.data.display import rgb
from audit.data.preprocess import load, unit_range
from audit.records import Pictures, TopK

BORDER = 0.5


class MaxPatches:
    """Patches come from the preprocessed picture, as the model saw it; beyond its border they are gray."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, strongest first; a unit that never fires gets gray tiles that say so."""
        count = min(task.section.images, task.strongest.image.shape[1]) if task.strongest else 0
        name = f"{task.model.section.name}: max patches of {task.layer.name}"
        tiles, captions = [], []
        with events.work(task.listener, name, len(task.units)) as advance:
            for unit in task.units:
                shown = [patch for patch in _patches(task, unit, count)]
                tiles.append(np.stack([rgb(pixels) for pixels, _ in shown]))
                captions.append(tuple(caption for _, caption in shown))
                advance(1)
        return Pictures(
            layer=task.layer.name,
            kind="max-patches",
            units=task.units,
            tiles=np.stack(tiles),
            captions=tuple(captions),
            groups=("max patches",),
            note=f"The {count} pictures on which a unit is strongest, cut to its receptive field at the strongest position; "
            "gray where it reaches beyond the picture.",
        )


def positive(strongest: TopK, unit: int, rank: int) -> bool:
    """Whether there is such an image and the unit fires on it: a unit that is off has no strongest image."""
    return bool(strongest.image[unit, rank] >= 0 and strongest.value[unit, rank] > 0)


def caption(task: Task, unit: int, rank: int) -> str:
    """Value and name of the image at that rank."""
    assert task.images is not None
    assert task.strongest is not None
    if not positive(task.strongest, unit, rank):
        return "never fires"
    return f"{task.strongest.value[unit, rank]:.4g} · {task.images.name(int(task.strongest.image[unit, rank]))}"


def _patches(task: Task, unit: int, count: int) -> Iterator[tuple[Float[np.ndarray, "channel y x"], str]]:
    assert task.images is not None
    assert task.strongest is not None
    for rank in range(count):
        place = window(task.layer, task.model.outline, *position(task.strongest, unit, rank))
        if positive(task.strongest, unit, rank):
            image = load(task.images, int(task.strongest.image[unit, rank]), task.model.section)
            yield cut(unit_range(image).numpy(), place, BORDER), caption(task, unit, rank)
        else:
            top, left, bottom, right = place
            blank = np.full((task.model.outline.input_shape[0], bottom - top, right - left), BORDER, np.float32)
            yield blank, caption(task, unit, rank)


def position(strongest: TopK, unit: int, rank: int) -> tuple[int, int]:
    """(y, x) of the unit in its image at that rank."""
    return int(strongest.y[unit, rank]), int(strongest.x[unit, rank])
