"""Images on which units are as active as can be: the paper's images, per preset and seed (Yosinski et al. 2015)."""

from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from audit.analyses.task import Task
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.ascent.loop import ascend
from audit.ascent.presets import label
from audit.ascent.rows import Job
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
        model, seeds = task.model, range(task.seed, task.seed + task.section.images)
        jobs = [Job(unit, preset, seed) for unit in task.units for preset in task.presets.values() for seed in seeds]
        canvas = proven(
            canvas_of(task.layer, model.outline.input_shape, task.section.canvas),
            model.network,
            task.layer,
            model.outline.input_shape,
            model.std,
        )
        images = ascend(
            model.network,
            task.layer,
            jobs,
            canvas,
            mean=model.mean,
            std=model.std,
            first_gradient=FIRST_GRADIENT if task.section.rates == "scaled" else None,
            listener=task.listener,
        )
        each = len(task.presets) * len(seeds)
        rows = [images[start : start + each] for start in range(0, len(images), each)]
        return Pictures(
            layer=task.layer.name,
            kind="optimized",
            units=task.units,
            tiles=np.stack([np.stack([_tile(image, canvas) for image in row]) for row in rows]),
            captions=tuple(tuple(_caption(image) for image in row) for row in rows),
            groups=tuple(task.presets),
            note=_note(task, canvas),
        )


def _tile(image: Image, canvas: Canvas) -> UInt8[np.ndarray, "y x 3"]:
    """Around gray, by the largest value, as the paper's toolbox writes them: what counts is the pattern."""
    top, left, bottom, right = canvas.crop
    return rgb(centred(image.image[:, top:bottom, left:right]))


def _caption(image: Image) -> str:
    """The activation reached, the seed, and what went wrong if something did."""
    reached = f"{image.best:.4g} · seed {image.job.seed}"
    if image.status != "ok":
        return f"{reached} · {WORDS[image.status]} after {image.steps} step{'s' if image.steps > 1 else ''}"
    return reached if image.best_step > 0 else f"{reached} · never above its start"


def _note(task: Task, canvas: Canvas) -> str:
    presets = "; ".join(f"{name}: {label(preset)}" for name, preset in task.presets.items())
    height, width = canvas.size
    where = "its receptive field" if canvas.mode == "field" else "the whole input"
    rates = "scaled to this network" if task.section.rates == "scaled" else "as in the paper"
    return (
        f"Images found by gradient ascent on the unit's activation before its ReLU, {task.section.images} random "
        f"starts per preset, optimized on {where} ({height} x {width} pixels), "
        f"rates {rates}; shown around gray, each by its largest value. {presets}."
    )
