"""A network -> its outline: one dry forward pass that finds every layer whose output can be looked at."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from audit.errors import SectionError
from audit.model.hooks import Call, Execution, version
from audit.model.receptive_field import Fields
from audit.records import Layer, Outline

DRY_IMAGES = 2  # with one image, a positional embedding [1, token, channel] would look like a batch


def outline(network: nn.Module, input_shape: tuple[int, int, int]) -> Outline:
    """Every layer that is executed for an image of `input_shape` (channels, y, x), in the order of execution.

    The dry pass is made with zeros, since shapes do not depend on values, with gradients off and in the mode that the
    network is in. A layer is a module or a functional activation that returns floating point numbers
    [image, unit, y, x], [image, token, unit] or [image, unit]; the last one is the network's own output, added as
    "output" if no layer inside it is that. Raises SectionError("input") with the network's own words if the pass fails.
    """
    images = _blank(network, input_shape)
    fields = Fields(images)
    with torch.no_grad(), fields, _Sketch(network, fields) as sketch:
        try:
            sketch.run(images)
        except Exception as error:
            raise SectionError("input", _failed(network, input_shape, error)) from error
    if not sketch.layers:
        raise SectionError("factory", f"no layer of {type(network).__name__} returns numbers [image, unit, ...]")
    return Outline(input_shape, tuple(sketch.finished()))


def maps(output: Tensor) -> Float[Tensor, "image unit y x"]:
    """A layer's raw output as maps of its units, without a copy; the one place that says which axis the units are.

    [image, unit, y, x] as it is; [image, unit] has one position; [image, token, unit] has a column of tokens (y).
    """
    match output.dim():
        case 2:
            return output[:, :, None, None]
        case 3:
            return output.transpose(1, 2)[:, :, :, None]
        case 4:
            return output
    raise ValueError(f"an output of shape {tuple(output.shape)} has no maps; 2, 3 or 4 axes have")


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

    def __init__(self, network: nn.Module, fields: Fields):
        super().__init__(network)
        self.layers: list[Layer] = []
        self._fields = fields
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
        if not isinstance(output, Tensor) or not _is_layer(output):
            return
        if call.module is self._network and self._last is not None and self._last.still_is(output):
            return
        self._last = _Produced(output, version(output))
        self._add(output, [call.name])
        rectifier = call.before is not None
        self.layers.append(
            Layer(
                call.name,
                call.kind,
                _shape(output),
                0 if call.module is None else sum(p.numel() for p in call.module.parameters()),
                rectifier,
                call.name if rectifier else None,
                self._fields.of(output) if output.dim() == 4 else None,
            )
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


def _is_layer(output: Tensor) -> bool:
    right_axes = 2 <= output.dim() <= 4 and output.shape[0] == DRY_IMAGES
    return right_axes and output.is_floating_point() and output.numel() > 0


def _shape(output: Tensor) -> tuple[int, ...]:
    _, units, y, x = maps(output).shape
    return (units,) if output.dim() == 2 else (units, y, x)


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
