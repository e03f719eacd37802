"""Where a unit looks: the part of the model's input that a position of a layer sees, cut out of an image."""

import numpy as np
from jaxtyping import Float

from audit.records import Layer, Outline

Window = tuple[int, int, int, int]  # top, left, bottom, right; end exclusive; may reach beyond the image


def window(layer: Layer, outline: Outline, y: int, x: int) -> Window:
    """The receptive field of position (y, x); the whole of an axis where the field is at least as long as the input."""
    _, height, width = outline.input_shape
    if layer.field is None:
        return 0, 0, height, width
    top, left, bottom, right = layer.field.box(y, x)
    if bottom - top >= height:
        top, bottom = 0, height
    if right - left >= width:
        left, right = 0, width
    return top, left, bottom, right


def cut(image: Float[np.ndarray, "channel y x"], place: Window, fill: float) -> Float[np.ndarray, "channel a b"]:
    """What the window shows of the image; `fill` where it reaches beyond the border."""
    top, left, bottom, right = place
    _, height, width = image.shape
    patch = np.full((image.shape[0], bottom - top, right - left), fill, dtype=image.dtype)
    inside = image[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    y, x = max(-top, 0), max(-left, 0)
    patch[:, y : y + inside.shape[1], x : x + inside.shape[2]] = inside
    return patch
