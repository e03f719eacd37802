"""What every reducer is: a small state that takes activations in batches and ends as a record."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import Numbers, Scalars, TopK

Record = Scalars | TopK | Numbers


AT_ONCE = {"cpu": 2**17}
"""Activations summarized together: on a CPU few, so that they stay in the cache over the many passes over them."""


@dataclass(frozen=True)
class Summary:
    """What is asked of each unit in each image; float32, or float64 for activations of float64.

    `squares` is the sum of squared deviations from `mean`, `positive` the number of positions above zero. `peak` is the
    maximum, NaN where there is a NaN, and `where` its flat position y * width + x, the first of equals.
    """

    mean: Float[Tensor, "image unit"]
    squares: Float[Tensor, "image unit"]
    minimum: Float[Tensor, "image unit"]
    peak: Float[Tensor, "image unit"]
    where: Int[Tensor, "image unit"]
    positive: Float[Tensor, "image unit"]


class Activations:
    """A batch of a layer's activations (image, unit, y, x), with what reducers ask of it computed once."""

    def __init__(self, maps: Float[Tensor, "image unit y x"], images: Int[Tensor, " image"]):
        self.maps = maps
        self.images = images

    @property
    def positions(self) -> int:
        """How many positions a unit has."""
        return self.maps.shape[2] * self.maps.shape[3]

    @cached_property
    def summary(self) -> Summary:
        """Of each unit in each image, without moving anything to the host."""
        rows = self.maps.flatten(2).flatten(0, 1)
        together = max(1, AT_ONCE.get(rows.device.type, 2**27) // self.positions)
        with _one_thread():
            parts = list(zip(*map(_summarized, torch.split(rows, together)), strict=True))
        return Summary(*(torch.cat(part).view(self.maps.shape[:2]) for part in parts))


@runtime_checkable
class Reducer(Protocol):
    """State of one statistic of one layer. Merging the states of two parts in order equals updating with both."""

    def update(self, batch: Activations) -> None:
        """Takes a batch into the state, without moving anything to the host."""

    def merge(self, other: Any) -> None:
        """Takes the state of the images that follow."""

    def compute(self, layer: str) -> Record:
        """The record of all that was seen."""


def wide(device: torch.device) -> torch.dtype:
    """float64, the type of every state, but where the device has none."""
    return torch.float32 if device.type == "mps" else torch.float64


def _summarized(rows: Float[Tensor, "row position"]) -> tuple[Tensor, ...]:
    """The fields of a Summary, in their order."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    mean = rows.mean(dim=1)
    spare = rows - mean[:, None]
    squares = spare.square_().sum(dim=1)
    positive = torch.gt(rows, 0, out=spare).sum(dim=1)  # exact up to 2^24 positions
    peak, where = rows.max(dim=1)
    return mean, squares, rows.amin(dim=1), peak, where, positive


@contextmanager
def _one_thread() -> Iterator[None]:
    """Inside, torch does not share work among threads: with so little they wait for each other longer than they work.

    Where other programs kept two cores busy, each operation took 10 ms instead of 0.05.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
