"""A network's ReLUs -> leaky ReLUs, inside a `with`: what is cut off still has a gradient behind it (Oygard 2016)."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from audit.model.operators import Functions


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
    return Functions(partial(_leaking, slope)) if slope else nullcontext()


def _leaking(slope: float, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    bounds = _BOUNDS.get(function)
    if bounds is None:
        return function(*args, **kwargs)
    value, low, high, inplace = bounds(*args, **kwargs)
    if low != 0:
        return function(*args, **kwargs)
    if high != torch.inf:  # first, for in place the leaky ReLU's gradient is made from its result
        value = value.clamp_(max=high) if inplace else value.clamp(max=high)
    return functional.leaky_relu(value, slope, inplace)


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
