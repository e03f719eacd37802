"""A network -> its outline: one dry forward pass that finds every layer whose output can be looked at."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from audit.errors import SectionError
from audit.model.axes import DRY_IMAGES
from audit.model.directions import Directions
from audit.model.hooks import Call, Execution, version
from audit.model.layout import Layouts
from audit.model.receptive_field import Fields
from audit.records import Layer, Outline

PLAIN = ("image", "unit")
ORDER = {"image": 0, "unit": 1}


def outline(network: nn.Module, input_shape: tuple[int, int, int]) -> Outline:
    """Every layer that is executed for an image of `input_shape` (channels, y, x), in the order of execution.

    The dry pass is made with zeros, since shapes do not depend on values, with gradients off and in the mode that the
    network is in. A layer is what a module or a functional activation returns, or a part of that, if it is floating
    point numbers with an axis of images and one of units, wherever they are; the last layer is the network's own
    output, added as "output" if no layer inside it is that. Of several outputs it is the first, or the one called
    "logits" or "out". Raises SectionError("input") with the network's own words if the pass fails.
    """
    images = _blank(network, input_shape)
    fields = Fields(images)
    layouts = Layouts(images, fields)
    with torch.no_grad(), fields, layouts, _Sketch(network, fields, layouts) as sketch:
        try:
            sketch.run(images)
        except Exception as error:
            raise SectionError("input", _failed(network, input_shape, error)) from error
    if not sketch.layers:
        raise SectionError("factory", f"no layer of {type(network).__name__} returns numbers [image, unit, ...]")
    return Outline(input_shape, tuple(sketch.finished()))


def maps(output: Tensor, layout: str | None = None) -> Float[Tensor, "image unit y x"]:
    """A layer's raw output as maps of its units, without a copy; the one place that makes them.

    `layout` is the layer's: "image", "unit" or "position" for each axis; None is (image, unit, positions). Positions
    along one axis, as of tokens, are a column; along three or more, all but the last are the rows. Several axes of
    units are one (both may take a copy). Raises ValueError if the output has other axes than the layout.
    """
    words = _words(layout, output)
    order = sorted(range(len(words)), key=lambda axis: ORDER.get(words[axis], 2))
    units = words.count("unit")
    moved = output if order == list(range(len(words))) else output.permute(order)
    moved = moved if units == 1 else moved.flatten(1, units)
    while moved.dim() < 4:
        moved = moved.unsqueeze(-1)
    return moved if moved.dim() == 4 else moved.flatten(2, -2)


def _words(layout: str | None, output: Tensor) -> Sequence[str]:
    words = (*PLAIN, *["position"] * (output.dim() - 2)) if layout is None else tuple(layout.split())
    if len(words) != output.dim():
        shown = layout or " ".join(PLAIN)
        raise ValueError(f"an output of shape {tuple(output.shape)} has not the axes ({shown}), and so no maps")
    return words


@dataclass(frozen=True)
class _Produced:
    """The tensor that a layer returned, as it was then."""

    tensor: Tensor
    version: int

    def still_is(self, other: object) -> bool:
        """Whether `other` holds the same numbers in the same memory."""
        return (
            isinstance(other, Tensor)
            and other.numel() == self.tensor.numel()
            and other.untyped_storage().data_ptr() == self.tensor.untyped_storage().data_ptr()
            and version(other) == self.version
        )


class _Sketch(Execution):
    """Collects a Layer for every call, and which layer rectifies which."""

    def __init__(self, network: nn.Module, fields: Fields, layouts: Layouts):
        super().__init__(network)
        self.layers: list[Layer] = []
        self._fields, self._layouts = fields, layouts
        # tensor -> its version then, and the layers whose output it is, normalised or not
        self._made_by: MutableMapping[Tensor, tuple[int, list[str]]] = WeakTensorKeyDictionary()
        self._activation: dict[str, str] = {}
        self._last: _Produced | None = None

    def finished(self) -> list[Layer]:
        """The layers with the rectifiers that came after them."""
        return [
            layer if layer.rectifier else replace(layer, activation=self._activation.get(layer.name))
            for layer in self.layers
        ]

    def reached(self, call: Call) -> None:
        output = call.output
        if call.module is not None and "Norm" in call.kind and call.inputs and isinstance(call.inputs[0], Tensor):
            self._hand_on(call.inputs[0], output)
        words = self._layouts.of(output) if _is_numbers(output) else None
        if words is None:
            return
        if call.module is self._network and self._last is not None and self._last.still_is(output):
            return
        layer = self._layer(call, words)
        if isinstance(call.module, Directions):  # beside what the network computes
            self.layers.append(layer)
            return
        if self._last is not None and self._last.still_is(output):
            layer = _repeated(layer, self.layers[-1])
        self._last = _Produced(output, version(output))
        self._add(output, [call.name])
        self.layers.append(layer)

    def _layer(self, call: Call, words: tuple[str, ...]) -> Layer:
        layout = None if words[:2] == PLAIN and "unit" not in words[2:] else " ".join(words)
        units = maps(call.output, layout)
        rectifier = call.before is not None
        return Layer(
            call.name,
            call.kind,
            tuple(units.shape[1:] if "position" in words else units.shape[1:2]),
            0 if call.module is None else sum(p.numel() for p in call.module.parameters()),
            rectifier,
            call.name if rectifier else None,
            self._fields.of(units),
            layout,
        )

    def rectifies(self, name: str, value: Tensor) -> None:
        for layer in self._makers(value):
            self._activation.setdefault(layer, name)

    def normalised(self, value: Tensor, result: Tensor) -> None:
        self._hand_on(value, result)

    def _hand_on(self, value: Tensor, result: object) -> None:
        if isinstance(result, Tensor) and result is not value:
            self._add(result, [name for name in self._makers(value) if name not in self._makers(result)])

    def _makers(self, value: Tensor) -> list[str]:
        made, names = self._made_by.get(value, (None, []))
        return names if made == version(value) else []

    def _add(self, value: Tensor, names: list[str]) -> None:
        self._made_by[value] = (version(value), self._makers(value) + names)


def _repeated(layer: Layer, before: Layer) -> Layer:
    """The layer, which hands on the tensor of the one before: the same units, unless it shows them in another shape."""
    same = (layer.shape, layer.layout) == (before.shape, before.layout)
    return replace(layer, same_as=before.same_as or before.name) if same else layer


def _is_numbers(output: Tensor) -> bool:
    return output.is_floating_point() and output.numel() > 0


def _blank(network: nn.Module, input_shape: tuple[int, int, int]) -> Float[Tensor, "image channel y x"]:
    """Zeros of the type, and on the device, of the network's own numbers."""
    numbers = (value for value in (*network.parameters(), *network.buffers()) if value.is_floating_point())
    return next(numbers, torch.zeros(())).new_zeros(DRY_IMAGES, *input_shape)


def _failed(network: nn.Module, shape: tuple[int, int, int], error: Exception) -> str:
    words = " ".join(str(error).split()) or "no message"
    return (
        f"{type(network).__name__} cannot look at images of {shape[0]} channels, {shape[1]} x {shape[2]} pixels "
        f"(input = {list(shape)}): {type(error).__name__}: {words[:500]}"
    )
