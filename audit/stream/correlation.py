"""Activations -> how strongly the units of a layer are correlated, and in how many directions they vary."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.errors import Unavailable
from audit.records import Scalars, Table
from audit.stream.reducer import Activations, wide
from audit.stream.sampling import sampled

POSITIONS = 4
"""Positions of a picture that are compared, at most: more of them say little that is new, and cost units**2 each."""

MOST_UNITS = 4096
"""The state has units**2 float64 numbers: 32 MiB for 2048 units, 128 MiB for these. Larger layers are not measured."""

EQUAL = 1e-9
"""Correlations that differ less are equal: what is left of rounding."""

AT_ONCE = 256  # units whose correlations with all others are in memory at the end


class Correlation:
    """Pearson correlation between all units over samples (picture, position), at most four positions a picture.

    The state is the mean of each unit and the matrix of co-moments, in float64, merged as in Chan et al. 1979. Merging
    the states of two batches in order equals, bit for bit, updating with both.
    """

    def __init__(self, most_units: int = MOST_UNITS) -> None:
        self.most_units = most_units
        self.samples = 0
        self.units = 0
        self.mean: Float[Tensor, " unit"] | None = None
        self.comoments: Float[Tensor, "unit unit"]
        self.unreadable: Bool[Tensor, " unit"]

    def update(self, batch: Activations) -> None:
        self.units = batch.maps.shape[1]
        if self.units > self.most_units:
            return
        part, summary = Correlation(self.most_units), batch.summary
        rows = sampled(batch, POSITIONS).flatten(0, 1)
        rows = rows.to(wide(rows.device))
        part.units, part.samples, part.mean = self.units, len(rows), rows.mean(dim=0)
        rows = rows - part.mean
        part.comoments = rows.T @ rows
        part.unreadable = ~(summary.peak.isfinite() & summary.minimum.isfinite()).all(dim=0)
        self.merge(part)

    def merge(self, other: "Correlation") -> None:
        self.units = other.units or self.units
        if other.mean is None:
            return
        if self.mean is None:
            self.samples, self.mean = other.samples, other.mean
            self.comoments, self.unreadable = other.comoments.clone(), other.unreadable
            return
        samples = self.samples + other.samples
        gap = other.mean - self.mean
        self.comoments += other.comoments
        self.comoments.addr_(gap, gap * (self.samples * other.samples / samples))
        self.mean = self.mean + gap * (other.samples / samples)
        self.unreadable = self.unreadable | other.unreadable
        self.samples = samples

    def compute(self, layer: str) -> Scalars:
        """`nearest`: the other unit with the largest absolute correlation, the lowest of equals; `correlation` with it.

        -1 and NaN for a unit that is constant, that was not finite anywhere, or that has no other to compare with.
        Raises Unavailable for a layer with more units than can be compared.
        """
        self._require(layer)
        parts = list(zip(*map(_nearest, self._correlations(), self._blocks()), strict=True))
        nearest, value = (torch.cat(part) for part in parts)
        return Scalars(layer, {"nearest": nearest.double().cpu().numpy(), "correlation": value.cpu().numpy()})

    def dimension(self, layer: str) -> float:
        """In how many directions the units vary: the participation ratio of the covariance's eigenvalues.

        (sum of them)**2 / (sum of their squares): from 1, all units move as one, to the number of units. NaN if any
        unit was not finite, or if all are constant. Raises Unavailable as `compute` does.
        """
        self._require(layer)
        if bool(self.unreadable.any()):
            return float("nan")
        return float(self.comoments.trace().square() / self.comoments.square().sum())

    def _require(self, layer: str) -> None:
        if self.units > self.most_units:
            raise Unavailable(
                f"{layer} has {self.units} units; correlations keep a number for each pair, of at most "
                f"{self.most_units} units"
            )
        assert self.mean is not None, "nothing was seen"

    def _blocks(self) -> list[Int[Tensor, " part"]]:
        return list(torch.split(torch.arange(self.units, device=self.comoments.device), AT_ONCE))

    def _correlations(self) -> Iterator[Float[Tensor, "part unit"]]:
        """Between the units of each block and all; NaN where one of the two cannot be compared."""
        spread = self.comoments.diagonal().sqrt()
        spread = spread.where((spread > 0) & ~self.unreadable, torch.nan)
        for block in self._blocks():
            yield (self.comoments[block] / spread[block, None] / spread).clamp(-1, 1)


class Directions:
    """In how many directions the units of a layer vary, from what its `Correlation` has seen in the same pass."""

    def __init__(self, seen: Correlation) -> None:
        self.seen = seen

    def update(self, batch: Activations) -> None:
        """Nothing: `seen` takes the batch itself."""

    def merge(self, other: "Directions") -> None:
        """Nothing: `seen` is merged itself."""

    def compute(self, layer: str) -> Table:
        """Table "correlations" of one row: layer, units, effective_units (`Correlation.dimension`)."""
        dimension = self.seen.dimension(layer)
        columns = {"layer": [layer], "units": [self.seen.units], "effective_units": [dimension]}
        return Table("correlations", {name: np.array(column) for name, column in columns.items()})


def _nearest(
    correlations: Float[Tensor, "part unit"], own: Int[Tensor, " part"]
) -> tuple[Int[Tensor, " part"], Float[Tensor, " part"]]:
    """The column with the largest magnitude in each row, but not the row's own one, and its value."""
    size = correlations.abs().nan_to_num(nan=-1).scatter(1, own[:, None], -1)
    largest = size.amax(dim=1, keepdim=True)
    columns = torch.arange(size.shape[1], device=size.device)
    nearest = columns.where(size >= largest - EQUAL, size.shape[1]).amin(dim=1)
    known = largest[:, 0] >= 0
    value = correlations.gather(1, nearest[:, None])[:, 0]
    return nearest.where(known, -1), value.where(known, torch.nan)
