"""Plain loops over arrays -> machine code, by numba, compiled when first used and kept on disk, on several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

Loop = TypeVar("Loop", bound=Callable[..., object])


@cache
def compiled(loop: Loop, *fastmath: str) -> Loop:
    """The loop as machine code that lets other threads run. Decorate loops @no_type_check.

    `fastmath` are the liberties that LLVM may take with floating point ("contract", "reassoc"). numba is imported here,
    since it takes half a second.
    """
    from numba import njit

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(fastmath)}
    try:
        return cast(Loop, njit(loop, cache=True, **options))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(Loop, njit(loop, **options))


def compilable(values: Tensor) -> bool:
    """Whether loops can run over the tensor's own memory: it is on the CPU, and of a type that numpy has."""
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


def in_threads(work: Callable[[int, int], None], tasks: int, threads: int) -> None:
    """Does tasks 0 .. tasks - 1, as `work(first, end)`, a part of them in each thread, one of which is this one."""
    threads = min(threads, tasks)
    cuts = [tasks * thread // threads for thread in range(threads + 1)]
    others = [_pool(threads - 1).submit(work, *cut) for cut in pairwise(cuts[1:])]
    work(cuts[0], cuts[1])
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="loop")
