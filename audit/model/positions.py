"""Functions of torch that keep the positions of a map apart, by name, for those who follow positions through a network.

Names are without the underscores of methods and in-place functions. What the functions with windows are given is read
here, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from audit.model.hooks import ACTIVATIONS
from audit.model.operators import Pair, pair

ELEMENTWISE = ACTIVATIONS - {"softmax", "softmin", "log_softmax", "glu"} | {
    *("batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
    *("clone", "contiguous", "to", "neg", "abs", "exp", "sqrt", "square", "pow", "clamp"),
}
ARITHMETIC = {
    *("add", "iadd", "radd", "sub", "isub", "rsub", "mul", "imul", "rmul", "div", "truediv", "itruediv", "rtruediv"),
}
POOLS = {"max_pool2d", "avg_pool2d"}

MOST = ("dilation", "ceil_mode", "return_indices")
MEANS = ("ceil_mode", "count_include_pad", "divisor_override")
"""What comes behind the padding of a maximum, and of an average pool."""


@dataclass(frozen=True)
class Convolution:
    """What `conv2d` is given; padding may have a name."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    stride: Pair
    padding: Pair | str
    dilation: Pair
    groups: int

    @staticmethod
    def of(  # noqa: PLR0917 - as conv2d takes them
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> "Convolution":
        """Its arguments, lengths as pairs."""
        named = padding if isinstance(padding, str) else pair(padding)
        return Convolution(input, weight, bias, pair(stride), named, pair(dilation), groups)

    def run(self, maps: Tensor, padding: Pair | str) -> Tensor:
        """The same convolution of other maps."""
        return functional.conv2d(maps, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


@dataclass(frozen=True)
class Pool:
    """What `max_pool2d` or `avg_pool2d` is given; `options` are those behind the padding."""

    pool: Callable[..., Any]
    input: Tensor
    kernel: Pair
    stride: Pair
    padding: Pair
    options: Mapping[str, Any]

    @staticmethod
    def of(
        pool: Callable[..., Any],
        input: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *others: Any,
        **named: Any,
    ) -> "Pool":
        """Its arguments, lengths as pairs."""
        names = MOST if "max" in pool.__name__ else MEANS
        options = {**dict(zip(names, others, strict=False)), **named}
        return Pool(pool, input, pair(kernel_size), pair(stride or kernel_size), pair(padding), options)

    @property
    def is_maximum(self) -> bool:
        """Else it is a mean."""
        return "max" in self.pool.__name__

    @property
    def dilation(self) -> Pair:
        """Of a mean always 1."""
        return pair(self.options.get("dilation", 1))

    @property
    def ceil_mode(self) -> bool:
        """Whether windows may begin so that they end beyond the padding."""
        return bool(self.options.get("ceil_mode", False))

    @property
    def says_where(self) -> bool:
        """Whether the places of the maxima are asked for, too."""
        return bool(self.options.get("return_indices", False))

    def run(self, maps: Tensor, padding: Pair, **changed: Any) -> Any:
        """The same pool of other maps."""
        return self.pool(maps, self.kernel, self.stride, padding, **{**self.options, **changed})
