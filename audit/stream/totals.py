"""The summary of a batch -> what it says of each unit over all its images."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.stream.summary import Summary


@dataclass(frozen=True)
class Totals:
    """Mean, sum of squared deviations and extremes of each unit over images and positions, and three counts.

    `non_finite` counts the images on which a unit is not finite, `firing` those on which it is positive anywhere, and
    `positive` the positions at which it is.
    """

    mean: Float[Tensor, " unit"]
    squares: Float[Tensor, " unit"]
    minimum: Float[Tensor, " unit"]
    maximum: Float[Tensor, " unit"]
    non_finite: Int[Tensor, " unit"]
    firing: Int[Tensor, " unit"]
    positive: Int[Tensor, " unit"]


def total(summary: Summary, positions: int) -> Totals:
    """The totals of a batch whose units have so many positions, by operations of torch."""
    variance, mean = torch.var_mean(summary.mean, dim=0, correction=0)
    return Totals(
        mean,
        summary.squares.sum(dim=0).add(variance, alpha=len(summary.mean) * positions),
        summary.minimum.amin(dim=0),
        summary.peak.amax(dim=0),
        (~summary.mean.isfinite()).sum(dim=0),
        (summary.positive > 0).sum(dim=0),
        summary.positive.sum(dim=0),
    )
