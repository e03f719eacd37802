"""Images on which units are as active as can be: the paper's images, per preset and seed (Yosinski et al. 2015)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from torch import nn

from audit.analyses.judged import judged
from audit.analyses.strongest import mean_of_strongest
from audit.analyses.task import Task
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.ascent.difference import difference
from audit.ascent.lighter import lighter
from audit.ascent.loop import ascend
from audit.ascent.objective import Everywhere, Reading
from audit.ascent.presets import label
from audit.ascent.rows import Direction, Job
from audit.ascent.rows import Optimized as Image
from audit.data.display import centred, rgb
from audit.records import Pictures

FIRST_GRADIENT = 0.24
"""Norm of a class unit's gradient in the paper's network at a start image, for which the presets' rates were found.

The toolbox's flamingo run prints norm 1118.4289 after its first step at rate 100; decay and blur alone give 1118.4080.
"""

WORDS = {"zero-gradient": "no gradient", "non-finite": "not finite"}


class Optimized:
    """Every unit with every preset from `images` start images, seeds counted up from the audit's."""

    needs_data: ClassVar[bool] = False

    def run(self, task: Task) -> Pictures:
        """Tiles by preset, then by seed, cut to the unit's receptive field."""
        return optimized(task, task.units, "mean" if task.section.objective == "channel" else None)


def optimized(
    task: Task,
    targets: Sequence[int | Direction],
    everywhere: Everywhere | None = None,
    others: Sequence[Reading] = (),
) -> Pictures:
    """A row of tiles per unit or direction of the task's layer, numbered from 0 where it is no unit.

    `everywhere`: read over the whole map, on the whole input; `others` are readings that directions also weigh.
    """
    model, section = task.model, task.section
    seeds = range(task.seed, task.seed + section.images)
    shape, mode = model.outline.input_shape, "full" if others else section.canvas
    canvas = canvas_of(task.layer, shape, mode, everywhere)
    canvas = proven(canvas, model.network, task.layer, shape, model.std)
    starts = {} if task.strongest is None else {unit: mean_of_strongest(task, unit, canvas) for unit in task.units}
    jobs = [
        Job(target, preset, seed, None if isinstance(target, Direction) else starts.get(target))
        for target in targets
        for preset in task.presets.values()
        for seed in seeds
    ]
    climbed = lighter(
        model.network, shape, [task.layer.name, *(reading.layer.name for reading in others)], section.precision
    )
    rounding = list(_rounding(task, climbed, jobs, canvas, others))
    images = ascend(
        climbed,
        task.layer,
        jobs,
        canvas,
        mean=model.mean,
        std=model.std,
        others=others,
        classes=model.outline.is_output(task.layer),
        first_gradient=FIRST_GRADIENT if section.rates == "scaled" else None,
        listener=task.listener,
    )
    each = len(task.presets) * len(seeds)
    rows = [images[start : start + each] for start in range(0, len(images), each)]
    return Pictures(
        layer=task.layer.name,
        kind="optimized",
        units=tuple(row if isinstance(target, Direction) else target for row, target in enumerate(targets)),
        tiles=np.stack([np.stack([_tile(image, canvas) for image in row]) for row in rows]),
        captions=tuple(tuple(_caption(image) for image in row) for row in rows),
        groups=tuple(task.presets),
        note=" ".join([_note(task, canvas), *rounding, *_cut(images)]),
        numbers={} if any(isinstance(target, Direction) for target in targets) else judged(task, canvas, rows),
    )


def _tile(image: Image, canvas: Canvas) -> UInt8[np.ndarray, "y x 3"]:
    """Around gray, by the largest value, as the paper's toolbox writes them: what counts is the pattern."""
    top, left, bottom, right = canvas.crop
    return rgb(centred(image.image[:, top:bottom, left:right]))


def _caption(image: Image) -> str:
    """The activation reached, at the end if that is shown, the seed, and what went wrong if something did."""
    activation = image.last if image.job.preset.shown == "last" else image.best
    reached = f"{activation:.4g} · seed {image.job.seed}"
    if image.status != "ok":
        return f"{reached} · {WORDS[image.status]} after {image.steps} step{'s' if image.steps > 1 else ''}"
    return reached if image.best_step > 0 else f"{reached} · never above its start"


def _rounding(
    task: Task, climbed: nn.Module, jobs: Sequence[Job], canvas: Canvas, others: Sequence[Reading]
) -> Iterator[str]:
    """What bfloat16 does to the start images, where it is asked for."""
    if task.section.precision == "bf16":
        model = task.model
        apart = difference(
            model.network, climbed, task.layer, jobs, canvas, mean=model.mean, std=model.std, others=others
        )
        count = len(apart.activation)
        yield f"The network computed in bfloat16: against float32, at {count} start images, {apart}."


def _cut(images: Sequence[Image]) -> Iterator[str]:
    """That memory was short, where it was."""
    sizes = [image.batch for image in images if image.batch is not None]
    if sizes:
        yield f"Memory was short: {min(sizes)} images at a time, which round differently from more."


def _note(task: Task, canvas: Canvas) -> str:
    presets = "; ".join(f"{name}: {label(preset)}" for name, preset in task.presets.items())
    height, width = canvas.size
    where = "its receptive field" if canvas.mode == "field" else "the whole input"
    rates = "scaled to this network" if task.section.rates == "scaled" else "as in the paper"
    what = "mean activation over the map" if canvas.position == "mean" else "activation"
    return (
        f"Images found by gradient ascent on the unit's {what} before its ReLU, {task.section.images} random "
        f"starts per preset, optimized on {where} ({height} x {width} pixels), "
        f"rates {rates}; shown around gray, each by its largest value. {presets}."
    )
