"""A unit's strongest pictures -> their mean on a canvas, to start an ascent from (Nguyen et al. 2016, section 3)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from audit.analyses.max_patches import has_picture, position
from audit.analyses.task import Task
from audit.analyses.windows import Window, cut
from audit.ascent.canvas import Canvas
from audit.data.preprocess import load, unit_range
from audit.records import Layer


def mean_of_strongest(task: Task, unit: int, canvas: Canvas) -> Float[np.ndarray, "channel y x"]:
    """The mean picture of the canvas' size: float64 pixels of 0..255 minus the model's mean.

    Each picture is moved so that the place where the unit was strongest lies where the canvas reads it. Where a picture
    does not reach it counts as the mean colour; a unit that fires on no picture starts from the mean colour alone.
    """
    assert task.strongest is not None
    ranks = [rank for rank in range(task.strongest.image.shape[1]) if has_picture(task, unit, rank)]
    patches = [_patch(task, unit, rank, canvas) for rank in ranks]
    return mean_patch(patches, (task.model.outline.input_shape[0], *canvas.size))


def mean_patch(
    patches: Sequence[Float[np.ndarray, "channel y x"]], shape: tuple[int, int, int]
) -> Float[np.ndarray, "{shape[0]} {shape[1]} {shape[2]}"]:
    """float64 mean of patches of that shape; 0 of none."""
    return np.asarray(np.mean(patches, axis=0, dtype=np.float64)) if patches else np.zeros(shape)


def moved(layer: Layer, canvas: Canvas, input_size: tuple[int, int], y: int, x: int) -> Window:
    """The part of a picture that lies on the canvas when position (y, x) of the layer lies at the canvas' position.

    An axis along which a unit sees the whole picture is not moved, nor is a picture of which every position counts.
    """
    top, left = 0, 0
    if layer.field is not None and not isinstance(canvas.position, str):
        whole = [field >= size for field, size in zip(layer.field.size, input_size, strict=True)]
        top = 0 if whole[0] else (y - canvas.position[0]) * layer.field.stride[0]
        left = 0 if whole[1] else (x - canvas.position[1]) * layer.field.stride[1]
    return top, left, top + canvas.size[0], left + canvas.size[1]


def _patch(task: Task, unit: int, rank: int, canvas: Canvas) -> Float[np.ndarray, "channel y x"]:
    assert task.images is not None
    assert task.strongest is not None
    shown = unit_range(load(task.images, int(task.strongest.image[unit, rank]), task.model.section))
    centred = 255 * (shown.numpy() - task.model.mean.cpu().numpy())
    input_size = task.model.outline.input_shape[1:]
    return cut(centred, moved(task.layer, canvas, input_size, *position(task.strongest, unit, rank)), 0.0)
