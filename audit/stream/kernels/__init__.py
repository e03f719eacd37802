"""Activations -> their summary, in one way for each kind of device: numba on a CPU, Triton on CUDA, torch elsewhere."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from audit.stream import totals
from audit.stream.kernels import cpu, cuda, plain
from audit.stream.summary import Summary
from audit.stream.totals import Totals

Summarize = Callable[[Float[Tensor, "image unit y x"]], Summary]


def summarize(maps: Float[Tensor, "image unit y x"]) -> Summary:
    """The summary of a batch, made on its device, which nobody waits for."""
    return chosen(maps.device, maps.dtype)(maps)


def total(summary: Summary, positions: int) -> Totals:
    """The totals of a batch whose units have so many positions, made where the summary was made."""
    return totals.total(summary, positions) if summary.rows is None else cpu.total(summary, positions)


def chosen(device: torch.device, dtype: torch.dtype) -> Summarize:
    """The fastest way for that device and type."""
    if cpu.takes(device, dtype):
        return cpu.summarize
    return cuda.summarize if cuda.takes(device, dtype) else plain.summarize
