"""A position of a layer -> the part of a picture that shows a unit there all it sees, borders of the picture included.

A unit depends on its receptive field alone, so its activation and gradient there are those of the whole picture. The
part begins where the layers' strides put a position, and ends with the field, or with the picture.
"""

from dataclasses import dataclass

from audit.analyses.windows import Window
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.model.load import Model
from audit.records import Layer

Pair = tuple[int, int]  # y, x


@dataclass(frozen=True)
class Crop:
    """A part of the picture, the unit's position in its map, and what of the part it sees where it sees no border."""

    box: Window
    position: Pair
    seen: Window | None = None

    @property
    def size(self) -> Pair:
        """Height and width."""
        top, left, bottom, right = self.box
        return bottom - top, right - left


def crop_for(layer: Layer, canvas: Canvas, size: Pair, place: Pair) -> Crop:
    """What of a picture of that size is shown for the unit at `place`; `canvas` is the layer's, as it is proven."""
    whole = Crop((0, 0, *size), place)
    if canvas.mode == "full" or layer.field is None or isinstance(canvas.position, str):
        return whole
    field = layer.field.box(*place)
    moved = [max(0, at - inner) for at, inner in zip(place, canvas.position, strict=True)]
    top, left = (steps * stride for steps, stride in zip(moved, layer.field.stride, strict=True))
    bottom, right = (min(end, most) for end, most in zip(field[2:], size, strict=True))
    if bottom <= top or right <= left:
        return whole
    inside = min(field[:2]) >= 0 and (bottom, right) == field[2:]
    return Crop((top, left, bottom, right), (place[0] - moved[0], place[1] - moved[1]), canvas.seen if inside else None)


def canvas_for(model: Model, layer: Layer) -> Canvas:
    """The canvas of the layer's receptive field, as far as it is proven for the network."""
    shape = model.outline.input_shape
    return proven(canvas_of(layer, shape), model.network, layer, shape, model.std)
