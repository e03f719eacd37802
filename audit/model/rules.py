"""A network's backward pass -> the backward pass of a deconvnet, inside a `with`; the network itself is not touched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from audit.model.operators import Operators

BOUNDED = {"threshold_backward", "hardtanh_backward"}
PARAMETRIC = "_prelu_kernel_backward"  # gives the gradient of the slope too
RECTIFIERS = {
    *("leaky_relu_backward", PARAMETRIC, "elu_backward", "softplus_backward", "silu_backward"),
    *("gelu_backward", "mish_backward", "hardswish_backward"),
}
"""Operators of backward passes."""

Passed = Callable[[Tensor], Tensor]
"""What autograd passes on of a gradient."""

Backward = Callable[[Tensor, Passed], Tensor]  # of the gradient as it arrives


class Rule(Operators):  # type: ignore[no-untyped-call]
    """What every rectifier's backward pass is replaced by; `replaced` counts how often, 0: none was met.

    Works on the operators of the backward pass, so a ReLU may be a module, functional, in place or used many times.
    Rectifiers are ReLU, ReLU6 (whose upper bound is ignored as its lower one) and what stands in their place in later
    networks, off on one side and on on the other: leaky and parametric ReLUs, ELU and its kin, softplus, SiLU, GELU,
    Mish, Hardswish. Sigmoid and tanh, which are gates, and max pooling (switches) keep their own backward pass.
    """

    def __init__(self, backward: Backward):
        super().__init__()
        self.replaced = 0
        self._backward = backward

    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not _of_a_rectifier(operator, args):
            return operator(*args, **kwargs)
        self.replaced += 1
        arriving, *others = args
        if operator.overloadpacket.__name__ != PARAMETRIC:
            return self._backward(arriving, lambda gradient: operator(gradient, *others, **kwargs))
        of_slope = operator(*args, **kwargs)[1]
        return self._backward(arriving, lambda gradient: operator(gradient, *others, **kwargs)[0]), of_slope


@contextmanager
def deconvnet() -> Iterator[Rule]:
    """A rectifier passes on max(gradient, 0), whatever its input was (Zeiler and Fergus 2014, section 2.1)."""
    with _replaced_by(lambda gradient, _: gradient.clamp(min=0)) as rule:
        yield rule


@contextmanager
def guided() -> Iterator[Rule]:
    """ReLU passes on max(gradient, 0) where its input was above zero (Springenberg et al. 2015, section 3.4).

    A smooth rectifier passes on its own gradient where that is above zero, and what arrives is.
    """
    with _replaced_by(_guided) as rule:
        yield rule


def _guided(gradient: Tensor, passed: Passed) -> Tensor:
    return passed(gradient.clamp(min=0)).clamp_(min=0)  # the second is for smooth ones, whose slope may be below zero


@contextmanager
def _replaced_by(backward: Backward) -> Iterator[Rule]:
    # autograd's device threads do not see the mode of this thread, so the backward pass has to stay in it
    with torch.autograd.set_multithreading_enabled(False), Rule(backward) as rule:
        yield rule


def _of_a_rectifier(operator: Any, args: tuple[Any, ...]) -> bool:
    """All are called with the gradient first; a threshold and a hardtanh with what was cut, and where."""
    name = operator.overloadpacket.__name__
    return name in RECTIFIERS or (name in BOUNDED and bool(args[2] == 0))
