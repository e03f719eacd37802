"""What every reducer is: a small state that takes activations in batches and ends as a record."""

from functools import cached_property
from typing import Protocol, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import Numbers, Scalars, TopK

Record = Scalars | TopK | Numbers


class Activations:
    """A batch of a layer's activations (image, unit, y, x), with what several reducers ask of it computed once."""

    def __init__(self, maps: Float[Tensor, "image unit y x"], images: Int[Tensor, " image"]):
        self.maps = maps
        self.images = images

    @cached_property
    def _strongest(self) -> tuple[Tensor, Tensor]:
        return self.maps.flatten(2).max(dim=2)

    @property
    def peak(self) -> Float[Tensor, "image unit"]:
        """The strongest activation of each unit in each image; NaN where there is a NaN."""
        return self._strongest[0]

    @property
    def where(self) -> Int[Tensor, "image unit"]:
        """The flat position y * width + x of the peak, the first of equals."""
        return self._strongest[1]


class Reducer(Protocol):
    """State of one statistic of one layer. Merging the states of two parts in order equals updating with both."""

    def update(self, batch: Activations) -> None:
        """Takes a batch into the state, without moving anything to the host."""

    def merge(self, other: Self) -> None:
        """Takes the state of the images that follow."""

    def compute(self, layer: str) -> Record:
        """The record of all that was seen."""


def wide(device: torch.device) -> torch.dtype:
    """float64, the type of every state, but where the device has none."""
    return torch.float32 if device.type == "mps" else torch.float64
