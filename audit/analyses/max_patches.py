"""The strongest images of each unit, cut to its receptive field (seeds T1.6, D5; Zeiler and Fergus 2014)."""

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
        """One tile per unit and strong image, strongest first; gray, with the reason, where a unit does not fire."""
        assert task.strongest is not None
        count = min(task.section.images, task.strongest.image.shape[1])
        name = f"{task.model.section.name}: max patches of {task.layer.name}"
        tiles, captions = [], []
        with events.work(task.listener, name, len(task.units)) as advance:
            for unit in task.units:
                tiles.append(np.stack([rgb(_patch(task, unit, rank)) for rank in range(count)]))
                captions.append(tuple(caption(task, unit, rank) for rank in range(count)))
                advance(1)
        return Pictures(
            layer=task.layer.name,
            kind="max-patches",
            units=task.units,
            tiles=np.stack(tiles),
            captions=tuple(captions),
            groups=("max patches",),
            note=f"The {count} pictures on which a unit is strongest, cut to its receptive field at the strongest "
            "position; gray where it reaches beyond the picture.",
        )


def has_picture(task: Task, unit: int, rank: int) -> bool:
    """Whether there is an image of that rank on which the unit says something.

    A unit with a rectifier that is off has no strongest image; one without speaks with negative numbers too.
    """
    assert task.strongest is not None
    fires = task.layer.activation is None or task.strongest.value[unit, rank] > 0
    return bool(task.strongest.image[unit, rank] >= 0 and fires)


def caption(task: Task, unit: int, rank: int) -> str:
    """Value and name of the image at that rank, or why there is none."""
    assert task.images is not None
    assert task.strongest is not None
    if not has_picture(task, unit, rank):
        return f"nothing to show: {_reason(task, unit)}"
    return f"{task.strongest.value[unit, rank]:.4g} · {task.images.name(int(task.strongest.image[unit, rank]))}"


def _reason(task: Task, unit: int) -> str:
    assert task.strongest is not None
    value = task.strongest.value[unit, 0]
    if has_picture(task, unit, 0):
        return "there is no other picture on which it fires"
    if not np.isfinite(value):
        return "its activation is not finite on any picture"
    return "it says the same of every picture" if task.layer.activation is None or value > 0 else "it never fires"


def _patch(task: Task, unit: int, rank: int) -> Float[np.ndarray, "channel y x"]:
    assert task.images is not None
    assert task.strongest is not None
    place = window(task.layer, task.model.outline, *position(task.strongest, unit, rank))
    if not has_picture(task, unit, rank):
        top, left, bottom, right = place
        return np.full((task.model.outline.input_shape[0], bottom - top, right - left), BORDER, np.float32)
    image = load(task.images, int(task.strongest.image[unit, rank]), task.model.section)
    return cut(unit_range(image).numpy(), place, BORDER)


def position(strongest: TopK, unit: int, rank: int) -> tuple[int, int]:
    """(y, x) of the unit in its image at that rank."""
    return int(strongest.y[unit, rank]), int(strongest.x[unit, rank])
