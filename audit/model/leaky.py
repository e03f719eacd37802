"""A network's ReLUs -> leaky ReLUs, inside a `with`: what is cut off still has a gradient behind it (Oygard 2016)."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def leaky(slope: float) -> AbstractContextManager[object]:
    """Every ReLU that runs inside the block passes on `slope` times what is below 0, and its gradient times `slope`.

    A ReLU may be a module, a function or a method of a tensor, in place or used many times. ReLU6, and a hardtanh that
    begins at 0, leak below and keep their upper bound. What cuts off in another way (clamp, maximum, threshold) stays
    as it is, and so do compiled and scripted networks, whose functions Python does not see. The network is not changed,
    names of layers remain, and `model.hooks` sees inside the block what it sees outside. A slope of 0 changes nothing;
    ValueError if it is not within 0 .. 1.
    """
    if not 0 <= slope <= 1:
        raise ValueError(f"no leaky ReLU of slope {slope}: a slope is a number from 0 to 1")
    return _Leaking(slope) if slope else nullcontext()


class _Leaking(TorchFunctionMode):
    def __init__(self, slope: float):
        super().__init__()
        self._slope = slope

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        bounds = _BOUNDS.get(func)
        if bounds is None:
            return func(*args, **(kwargs or {}))
        value, low, high, inplace = bounds(*args, **(kwargs or {}))
        if low != 0:
            return func(*args, **(kwargs or {}))
        if high != torch.inf:  # first, for in place the leaky ReLU's gradient is made from its result
            value = value.clamp_(max=high) if inplace else value.clamp(max=high)
        return functional.leaky_relu(value, self._slope, inplace)


Number = float | int
Bounds = tuple[Tensor, float, float, bool]  # what is cut off, from where to where, whether in place


def _relu(input: Tensor, inplace: bool = False) -> Bounds:
    return input, 0.0, torch.inf, inplace


def _relu_in_place(input: Tensor) -> Bounds:
    return input, 0.0, torch.inf, True


def _relu6(input: Tensor, inplace: bool = False) -> Bounds:
    return input, 0.0, 6.0, inplace


def _hardtanh(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0, inplace: bool = False) -> Bounds:
    return input, float(min_val), float(max_val), inplace


def _hardtanh_in_place(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0) -> Bounds:
    return input, float(min_val), float(max_val), True


_BOUNDS: dict[Callable[..., Any], Callable[..., Bounds]] = {
    functional.relu: _relu,
    torch.relu: _relu,
    Tensor.relu: _relu,
    torch.relu_: _relu_in_place,
    Tensor.relu_: _relu_in_place,
    functional.relu6: _relu6,
    functional.hardtanh: _hardtanh,
    functional.hardtanh_: _hardtanh_in_place,
}
