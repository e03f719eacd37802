"""A strided convolution that reads the image -> the same one with a fast gradient of its input, on a CPU.

Output s q + r of a transposed convolution of stride s is output q of an ordinary convolution with every s-th row and
column of the weights, flipped; there is one for each r, and they are made together (Shi et al. 2016, "Is the
deconvolution layer the same as a convolutional layer?"). oneDNN computes an ordinary convolution several times faster
than the gradient of a strided one that has three input channels.

Where a ReLU and a maximum follow, as in most networks' stems, the maximum's gradient goes back to the image in one step
(`audit.ascent.stem`); what else reads the maps in between is served as usual.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from audit.ascent.stem import Stem, table_of
from audit.model.hooks import version
from audit.model.operators import Functions, Pair, pair
from audit.model.positions import Convolution, Pool
from audit.model.prepared import Prepared

MOST_CHANNELS = 4  # of an image; with many the usual gradient is fast
WIDTH = 8  # numbers of float32 in a vector register of 256 bits
FEW = 4  # positions of a map for each of its maximum: from there on few of them have a gradient


@dataclass(frozen=True)
class _Made:
    """A convolution's map, or its ReLU, as it was when it had that version: what of, and how."""

    version: int
    image: Tensor
    stem: Stem


class FastFirstConvolution(Functions):
    """Inside, the gradient of every `conv2d` with respect to an image is computed fast; all values are the usual ones.

    Meant are convolutions of at most four channels and strides of at least 2, in float32 or float64 on a CPU, without
    groups or dilation, whose input needs a gradient and whose weights need none; all others stay as they are, and so
    do compiled and scripted networks, whose functions Python does not see. The gradient agrees with the usual one but
    for rounding; it cannot be differentiated again (RuntimeError). Weights are prepared once for all entries.
    """

    def __init__(self, *, stems: bool = True) -> None:
        """Without `stems`, ReLUs are passed back one by one, as who replaces their gradients needs it."""
        super().__init__(self._computed)
        self._stems = stems
        self._prepared = Prepared(lambda weight, stride: (phases(weight, stride), table_of(weight)))
        self._convolutions: MutableMapping[Tensor, _Made] = WeakTensorKeyDictionary()
        self._rectified: MutableMapping[Tensor, _Made] = WeakTensorKeyDictionary()

    def _computed(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        title = getattr(function, "__name__", "").strip("_")
        if function is functional.conv2d:
            return self._convolved(*args, **kwargs)
        if self._stems and title == "relu":
            return self._rectify(function, *args, **kwargs)
        return self._pooled(function, *args, **kwargs) if title == "max_pool2d" else function(*args, **kwargs)

    def _rectify(self, relu: Callable[..., Tensor], input: Tensor, *others: Any, **named: Any) -> Tensor:
        made = _known(self._convolutions, input)
        result = relu(input, *others, **named)
        if made is not None:
            self._rectified[result] = replace(made, version=version(result))
        return result

    def _pooled(self, pool: Callable[..., Any], *args: Any, **named: Any) -> Any:
        asked = Pool.of(pool, *args, **named)
        made = _known(self._rectified, asked.input)
        if made is None or asked.says_where or prod(asked.stride) < FEW:
            return pool(*args, **named)
        pooled, at = functional.max_pool2d_with_indices(
            asked.input.detach(), asked.kernel, asked.stride, asked.padding, asked.dilation, asked.ceil_mode
        )
        fast = partial(made.stem.gradient, on=pooled > 0, at=at, size=pair(asked.input.shape[2:]))
        return _Replaced.apply(made.image, lambda _: pooled, fast)

    def _convolved(self, *args: Any, **named: Any) -> Tensor:
        asked = Convolution.of(*args, **named)

        def usual(image: Tensor) -> Tensor:
            return asked.run(image, asked.padding)

        plain = asked.groups == 1 and asked.dilation == (1, 1) and min(asked.stride) > 1
        image, weight = asked.input, asked.weight
        if isinstance(asked.padding, str) or not (plain and _reads_an_image(image) and _is_fixed(weight, asked.bias)):
            return usual(image)
        of_phases, table = self._prepared.of(weight, asked.stride)
        stem = Stem(table, asked.stride, asked.padding, (image.shape[1], *pair(image.shape[2:])))
        fast = partial(gradient_of_input, phases=of_phases, stride=stem.stride, padding=stem.padding, shape=stem.shape)
        result = cast(Tensor, _Replaced.apply(image, usual, fast))
        self._convolutions[result] = _Made(version(result), image, stem)
        return result


def phases(weight: Float[Tensor, "unit channel ky kx"], stride: Pair) -> Float[Tensor, "phase unit my mx"]:
    """Every s-th row and column of the weights, from each of the s first ones on, flipped; s*s phases per channel.

    Behind them stand phases of zeros, up to a whole number of vector registers: a convolution of 12 units takes longer
    than one of 16.
    """
    (units, channels, *kernel), (sy, sx) = weight.shape, stride
    my, mx = (-(-length // step) for length, step in zip(kernel, stride, strict=True))
    padded = functional.pad(weight, (0, mx * sx - kernel[1], 0, my * sy - kernel[0]))
    split = padded.view(units, channels, my, sy, mx, sx).permute(1, 3, 5, 0, 2, 4).flip(4, 5)
    made = split.reshape(channels * sy * sx, units, my, mx)
    filled = functional.pad(made, (0, 0, 0, 0, 0, 0, 0, -len(made) % WIDTH))
    return filled.contiguous(memory_format=torch.channels_last)


def gradient_of_input(
    gradient: Float[Tensor, "image unit out_y out_x"],
    phases: Float[Tensor, "phase unit my mx"],
    stride: Pair,
    padding: Pair,
    shape: tuple[int, int, int],
) -> Float[Tensor, "image channel y x"]:
    """The gradient of a convolution's input of that shape, from that of its output and from its weights' `phases`."""
    (sy, sx), (top, left), (channels, height, width) = stride, padding, shape
    found = functional.conv2d(gradient, phases, padding=(phases.shape[2] - 1, phases.shape[3] - 1))
    found = found[:, : channels * sy * sx]
    split = found.view(len(found), channels, sy, sx, *found.shape[2:]).permute(0, 1, 4, 2, 5, 3)
    whole = split.flatten(4, 5).flatten(2, 3)
    missing = (max(0, width + left - whole.shape[3]), max(0, height + top - whole.shape[2]))  # what no window read
    whole = functional.pad(whole, (0, missing[0], 0, missing[1])) if any(missing) else whole
    return whole[:, :, top : top + height, left : left + width]


class _Replaced(Function):
    """A function of an image whose gradient is computed by another one."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, usual: Callable[[Tensor], Tensor], fast: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.fast = fast
        return usual(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.fast(gradient), None, None


def _known(made: MutableMapping[Tensor, _Made], value: Tensor) -> _Made | None:
    """What was written down of a tensor, unless it was changed since."""
    known = made.get(value)
    return known if known is not None and known.version == version(value) else None


def _reads_an_image(shown: Tensor) -> bool:
    is_image = shown.dim() == 4 and shown.shape[1] <= MOST_CHANNELS
    exact = shown.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return is_image and exact and shown.device.type == "cpu" and shown.requires_grad and torch.is_grad_enabled()


def _is_fixed(weight: Tensor, bias: Tensor | None) -> bool:
    return weight.dim() == 4 and not weight.requires_grad and (bias is None or not bias.requires_grad)
