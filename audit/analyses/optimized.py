"""Images on which units are as active as can be: the paper's optimized images, per preset and seed (Yosinski et al. 2015)."""

from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from audit.analyses.task import Task
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.ascent.loop import Job, ascend
from audit.ascent.loop import Optimized as Image
from audit.ascent.presets import label
from audit.data.display import rgb
from audit.records import Pictures

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
        images = ascend(model.network, task.layer, jobs, canvas, mean=model.mean, std=model.std, listener=task.listener)
        each = len(task.presets) * len(seeds)
        rows = [images[start : start + each] for start in range(0, len(images), each)]
        return Pictures(
            layer=task.layer.name,
            kind="optimized",
            units=task.units,
            tiles=np.stack([np.stack([_tile(image, canvas, task) for image in row]) for row in rows]),
            captions=tuple(tuple(_caption(image) for image in row) for row in rows),
            groups=tuple(task.presets),
            note=_note(task, canvas),
        )


def _tile(image: Image, canvas: Canvas, task: Task) -> UInt8[np.ndarray, "y x 3"]:
    top, left, bottom, right = canvas.crop
    pixels = image.image / 255 + task.model.mean.cpu().numpy()
    return rgb(pixels[:, top:bottom, left:right])


def _caption(image: Image) -> str:
    """The activation reached, the seed, and what went wrong if something did."""
    reached = f"{image.best:.4g} · seed {image.job.seed}"
    return reached if image.status == "ok" else f"{reached} · {WORDS[image.status]} after {image.steps} steps"


def _note(task: Task, canvas: Canvas) -> str:
    presets = "; ".join(f"{name}: {label(preset)}" for name, preset in task.presets.items())
    height, width = canvas.size
    where = "its receptive field" if canvas.mode == "field" else "the whole input"
    return (
        f"Images found by gradient ascent on the unit's activation before its ReLU, {task.section.images} random starts per "
        f"preset, optimized on {where} ({height} x {width} pixels). {presets}."
    )
