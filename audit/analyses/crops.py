"""A position of a layer -> the part of a picture that shows a unit there all it sees, borders of the picture included.

A unit depends on its receptive field alone, so its activation and gradient there are those of the whole picture. The
part begins where the layers' strides put a position, and is as long as an inner field needs, or ends with the picture.
"""

from dataclasses import dataclass

from audit.analyses.windows import Window
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.model.load import Model
from audit.model.operators import Pair
from audit.records import Layer


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
    field, stride = layer.field.box(*place), layer.field.stride
    top, bottom = _span(place[0] - canvas.position[0], (canvas.size[0], size[0]), field[2], stride[0])
    left, right = _span(place[1] - canvas.position[1], (canvas.size[1], size[1]), field[3], stride[1])
    inside = min(field[:2]) >= 0 and field[2] <= size[0] and field[3] <= size[1]
    position = place[0] - top // stride[0], place[1] - left // stride[1]
    return Crop((top, left, bottom, right), position, canvas.seen if inside else None)


def _span(steps: int, lengths: Pair, end: int, stride: int) -> Pair:
    """Begin and end of a crop along an axis; of few lengths, so that many units share a pass.

    `steps` are strides to where an inner unit's crop begins, `lengths` those of such a crop and of the picture, `end`
    is where the field ends.
    """
    needed, whole = lengths
    begin = min(max(0, steps), max(0, whole - needed) // stride) * stride
    return begin, min(begin + needed, whole) if begin + needed >= min(end, whole) else whole


def canvas_for(model: Model, layer: Layer) -> Canvas:
    """The canvas of the layer's receptive field, as far as it is proven for the network."""
    shape = model.outline.input_shape
    return proven(canvas_of(layer, shape), model.network, layer, shape, model.std)
