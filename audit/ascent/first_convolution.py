"""A strided convolution that reads the image -> the same one with a fast gradient of its input, on a CPU.

Output s q + r of a transposed convolution of stride s is output q of an ordinary convolution with every s-th row and
column of the weights, flipped; there is one for each r, and they are made together (Shi et al. 2016, "Is the
deconvolution layer the same as a convolutional layer?"). oneDNN computes an ordinary convolution several times faster
than the gradient of a strided one that has three input channels.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.hooks import version
from audit.model.operators import Functions

MOST_CHANNELS = 4  # of an image; with many the usual gradient is fast
WIDTH = 8  # numbers of float32 in a vector register of 256 bits
Pair = tuple[int, int]  # y, x
State = tuple[int, int, Pair]  # of a weight when its phases were made: version, place in memory, stride


class FastFirstConvolution(Functions):
    """Inside, the gradient of every `conv2d` with respect to an image is computed fast; all values are the usual ones.

    Meant are convolutions of at most four channels and strides of at least 2, in float32 or float64 on a CPU, without
    groups or dilation, whose input needs a gradient and whose weights need none; all others stay as they are, and so
    do compiled and scripted networks, whose functions Python does not see. The gradient agrees with the usual one but
    for rounding; it cannot be differentiated again (RuntimeError). Weights are prepared once for all entries.
    """

    def __init__(self) -> None:
        super().__init__(self._computed)
        self._prepared: MutableMapping[Tensor, tuple[State, Tensor]] = WeakTensorKeyDictionary()

    def _computed(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._convolved(*args, **kwargs) if function is functional.conv2d else function(*args, **kwargs)

    def _convolved(  # noqa: PLR0917 - as conv2d takes them
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> Tensor:

        def usual(image: Tensor) -> Tensor:
            return functional.conv2d(image, weight, bias, stride, padding, dilation, groups)

        plain = groups == 1 and pair(dilation) == (1, 1) and min(pair(stride)) > 1
        if isinstance(padding, str) or not (plain and _reads_an_image(input) and _is_fixed(weight, bias)):
            return usual(input)
        fast = partial(
            gradient_of_input,
            phases=self._phases(weight, pair(stride)),
            stride=pair(stride),
            padding=pair(padding),
            shape=(input.shape[1], *pair(input.shape[2:])),
        )
        return cast(Tensor, _Replaced.apply(input, usual, fast))

    def _phases(self, weight: Tensor, stride: Pair) -> Tensor:
        state = version(weight), weight.data_ptr(), stride
        if weight not in self._prepared or self._prepared[weight][0] != state:
            self._prepared[weight] = state, phases(weight.detach(), stride)
        return self._prepared[weight][1]


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


def _reads_an_image(shown: Tensor) -> bool:
    is_image = shown.dim() == 4 and shown.shape[1] <= MOST_CHANNELS
    exact = shown.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return is_image and exact and shown.device.type == "cpu" and shown.requires_grad and torch.is_grad_enabled()


def _is_fixed(weight: Tensor, bias: Tensor | None) -> bool:
    return weight.dim() == 4 and not weight.requires_grad and (bias is None or not bias.requires_grad)


def pair(lengths: int | Sequence[int]) -> Pair:
    """An int, or a sequence of one or two, as torch takes them."""
    values = tuple(lengths) if isinstance(lengths, Sequence) else (lengths,)
    return values[0], values[-1]
