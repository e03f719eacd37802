"""What every reducer is: a small state that takes activations in batches and ends as a record."""

from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from audit.records import Histogram, Numbers, Responses, Scalars, Table, TopK
from audit.stream.kernels import summarize, total
from audit.stream.summary import Summary, wide
from audit.stream.totals import Totals

__all__ = ["Activations", "Record", "Reducer", "wide"]

Record = Scalars | TopK | Numbers | Histogram | Responses | Table


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
        """Of each unit in each image; nothing is moved to the host, which does not wait for the device."""
        return summarize(self.maps)

    @cached_property
    def totals(self) -> Totals:
        """Of each unit over all images and positions."""
        return total(self.summary, self.positions)


@runtime_checkable
class Reducer(Protocol):
    """State of one statistic of one layer. Merging the states of two parts in order equals updating with both."""

    def update(self, batch: Activations) -> None:
        """Takes a batch into the state, without moving anything to the host."""

    def merge(self, other: Any) -> None:
        """Takes the state of the images that follow."""

    def compute(self, layer: str) -> Record:
        """The record of all that was seen."""
