"""Plain loops over arrays -> machine code, by numba, compiled when first used and kept on disk."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

import torch
from torch import Tensor

Loop = TypeVar("Loop", bound=Callable[..., object])


@cache
def compiled(loop: Loop) -> Loop:
    """The loop as machine code; numba is imported here, since it takes half a second. Decorate loops @no_type_check."""
    from numba import njit

    try:
        return cast(Loop, njit(loop, cache=True, nogil=True, error_model="numpy"))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(Loop, njit(loop, nogil=True, error_model="numpy"))


def compilable(values: Tensor) -> bool:
    """Whether loops can run over the tensor's own memory: it is on the CPU, and of a type that numpy has."""
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)
