"""A network's backward pass -> the backward pass of a deconvnet, inside a `with`; the network itself is not touched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from audit.model.operators import Operators

Backward = Callable[[Tensor, Tensor], Tensor]  # the gradient as it arrives, the gradient as autograd would pass it on


class Rule(Operators):  # type: ignore[no-untyped-call]
    """What every ReLU's backward pass is replaced by; `replaced` counts how often, 0: no ReLU was met.

    Works on the operators of the backward pass, so a ReLU may be a module, functional, in place or used many times.
    Replaced are ReLU and ReLU6 (whose upper bound is ignored as its lower one: for the deconvnet both are the same
    rectifier). Other activations, LeakyReLU and max pooling (switches) among them, keep their own backward pass.
    """

    def __init__(self, backward: Backward):
        super().__init__()
        self.replaced = 0
        self._backward = backward

    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = operator(*args, **kwargs)
        if not _of_a_rectifier(operator, args):
            return result
        self.replaced += 1
        return self._backward(args[0], result)


@contextmanager
def deconvnet() -> Iterator[Rule]:
    """ReLU passes on max(gradient, 0) wherever it is, whatever its input was (Zeiler and Fergus 2014, section 2.1)."""
    with _replaced_by(lambda gradient, _: gradient.clamp(min=0)) as rule:
        yield rule


@contextmanager
def guided() -> Iterator[Rule]:
    """ReLU passes on max(gradient, 0) where its input was above zero (Springenberg et al. 2015, section 3.4)."""
    with _replaced_by(lambda _, passed: passed.clamp(min=0)) as rule:
        yield rule


@contextmanager
def _replaced_by(backward: Backward) -> Iterator[Rule]:
    # autograd's device threads do not see the mode of this thread, so the backward pass has to stay in it
    with torch.autograd.set_multithreading_enabled(False), Rule(backward) as rule:
        yield rule


def _of_a_rectifier(operator: Any, args: tuple[Any, ...]) -> bool:
    """Both operators are called with the gradient, what was rectified, and the lower bound."""
    rectifiers = (torch.ops.aten.threshold_backward.default, torch.ops.aten.hardtanh_backward.default)
    return operator in rectifiers and bool(args[2] == 0)
