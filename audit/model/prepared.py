"""Weights -> what was made of them, kept until they change."""

from collections.abc import Callable, MutableMapping
from typing import Generic, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.hooks import version

T = TypeVar("T")


class Prepared(Generic[T]):
    """Makes something of a weight, and of options that can be compared, when it is first asked for."""

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make
        # what it was made of: version, place in memory, options
        self._made: MutableMapping[Tensor, tuple[tuple[object, ...], T]] = WeakTensorKeyDictionary()

    def of(self, weight: Tensor, *options: object) -> T:
        """What `make` gives of the weight as it is now."""
        state = version(weight), weight.data_ptr(), options
        if weight not in self._made or self._made[weight][0] != state:
            self._made[weight] = state, self._make(weight.detach(), *options)
        return self._made[weight][1]
