"""Activations -> mean, standard deviation, minimum, maximum per unit, and on how many images it is not finite."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import Scalars
from audit.stream.reducer import Activations


class Moments:
    """Mean and population variance over images and positions, by Chan et al. 1979's pairwise update in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Float[Tensor, " unit"] | None = None
        self.squares: Float[Tensor, " unit"]
        self.minimum: Float[Tensor, " unit"]
        self.maximum: Float[Tensor, " unit"]
        self.non_finite: Int[Tensor, " unit"]

    def update(self, batch: Activations) -> None:
        part, totals = Moments(), batch.totals
        part.count = len(batch.maps) * batch.positions
        part.mean, part.squares = totals.mean, totals.squares
        part.minimum, part.maximum, part.non_finite = totals.minimum, totals.maximum, totals.non_finite
        self.merge(part)

    def merge(self, other: "Moments") -> None:
        if other.mean is None:
            return
        if self.mean is None:
            self.count, self.mean, self.squares = other.count, other.mean, other.squares
            self.minimum, self.maximum, self.non_finite = other.minimum, other.maximum, other.non_finite
            return
        count = self.count + other.count
        gap = other.mean - self.mean
        self.squares = torch.addcmul(self.squares + other.squares, gap, gap, value=self.count * other.count / count)
        self.mean = self.mean.add(gap, alpha=other.count / count)
        self.minimum = torch.minimum(self.minimum, other.minimum)
        self.maximum = torch.maximum(self.maximum, other.maximum)
        self.non_finite = self.non_finite + other.non_finite
        self.count = count

    def compute(self, layer: str) -> Scalars:
        assert self.mean is not None, "nothing was seen"
        columns = {
            "mean": self.mean,
            "std": (self.squares / self.count).clamp_min(0).sqrt(),
            "min": self.minimum,
            "max": self.maximum,
            "non_finite": self.non_finite,
        }
        return Scalars(layer, {name: column.cpu().double().numpy() for name, column in columns.items()})
