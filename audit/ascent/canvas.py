"""Canvas: a layer's receptive field -> the picture that one of its units is optimized on."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.ascent.objective import Everywhere, Reading, Where, activations_at, frozen
from audit.ascent.start import noise
from audit.model.precision import exact_arithmetic
from audit.records import Field, Layer

Mode = Literal["field", "full"]


@dataclass(frozen=True)
class Canvas:
    """The size (y, x) of the picture, where in its map the unit is read (position (y, x), or all), and what that sees.

    `crop` is (top, left, bottom, right), end exclusive, inside the picture. Mode "field": the picture is no larger than
    what the unit depends on needs, and no border is seen; activation and gradient are those of the whole input, but
    percentiles and blurs see only this picture. Mode "full": the whole input, as in the paper. `borderless`: on this
    picture the network is known to run without borders (`Borderless`), which is the same to the unit and costs less.
    """

    size: tuple[int, int]
    position: Where
    crop: tuple[int, int, int, int]
    mode: Mode
    borderless: bool = False

    @property
    def seen(self) -> tuple[int, int, int, int] | None:
        """What of the picture the network is shown where it runs without borders; None: all of it, with borders."""
        return self.crop if self.borderless else None


def canvas_of(
    layer: Layer, input_shape: tuple[int, int, int], mode: Mode = "field", everywhere: Everywhere | None = None
) -> Canvas:
    """The smallest picture that holds the whole field of a unit of the layer; the whole input if there is none.

    `everywhere`: not at one position, so on the whole input.
    """
    height, width = input_shape[1:]
    if everywhere is not None:
        return Canvas((height, width), everywhere, (0, 0, height, width), "full")
    if mode == "full" or layer.field is None:
        return whole_input(layer, (height, width))
    axes = [inner(layer.field, axis) for axis in (0, 1)]
    (y, height_needed), (x, width_needed) = axes
    if height_needed > height or width_needed > width or y >= layer.map_size[0] or x >= layer.map_size[1]:
        return whole_input(layer, (height, width))
    return Canvas((height_needed, width_needed), (y, x), layer.field.box(y, x), "field")


def proven(
    canvas: Canvas,
    network: nn.Module,
    layer: Layer,
    input_shape: tuple[int, int, int],
    std: Float[Tensor, "channel 1 1"],
) -> Canvas:
    """`canvas`, if on a picture of noise every unit there is what it is on the whole input; else the whole input.

    Guards against networks that use more than the field tells (a mean over the picture) or refuse another size; one
    forward pass of each size. Without borders, if it is the same so, too. `std` is that of pixels of 0..1.
    """
    if canvas.mode == "full":
        return canvas
    whole = torch.from_numpy(noise(0, input_shape).copy()).to(std)[None] / (255 * std)
    part = whole[:, :, : canvas.size[0], : canvas.size[1]].contiguous()
    expected = _units(network, layer, canvas, whole)
    for tried in (replace(canvas, borderless=True), canvas):
        try:
            found = _units(network, layer, tried, part)
        except Exception:  # whatever a network raises at a size that it was not made for
            continue
        if bool((expected - found).abs().max() <= 1e-4 * expected.abs().max()):
            return tried
    return whole_input(layer, input_shape[1:])


def _units(
    network: nn.Module, layer: Layer, canvas: Canvas, shown: Float[Tensor, "image channel y x"]
) -> Float[Tensor, "image unit"]:
    reading = Reading(layer, canvas.position)
    with (
        frozen(network),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(network, reading, seen_by_unit=canvas.seen) as activations,
    ):
        return activations(shown)


def whole_input(layer: Layer, size: tuple[int, int]) -> Canvas:
    """The unit at the centre of its map, on the whole input; all of it is the crop where the field is not known."""
    if layer.field is None:
        return Canvas(size, layer.centre, (0, 0, *size), "full")
    top, left, bottom, right = layer.field.box(*layer.centre)
    return Canvas(size, layer.centre, (max(top, 0), max(left, 0), min(bottom, size[0]), min(right, size[1])), "full")


def inner(field: Field, axis: int) -> tuple[int, int]:
    """The first position of an axis that sees no border, and how many pixels reach to the end of what it sees."""
    position = max(0, -(field.start[axis] // field.stride[axis]))  # ceil(-start / stride)
    return position, field.start[axis] + position * field.stride[axis] + field.size[axis]
