"""Which values of an image lie below a percentile of that image: numpy's percentile, strict, without a full sort."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


def below_percentile(values: Float[Tensor, " image *value"], percentile: float) -> Bool[Tensor, " image *value"]:
    """Whether each value is less than the percentile (0..100, interpolated linearly) of the values of its own image."""
    rows = values.flatten(1)
    rank = (rows.shape[1] - 1) * (percentile / 100)
    below = math.floor(rank)
    low, high = neighbours(rows, below)
    return values < interpolated(low, high, rank - below).view(-1, *[1] * (values.dim() - 1))


def remove(
    images: Float[Tensor, "image channel y x"], pixels: Bool[Tensor, "image y x"]
) -> Float[Tensor, "image channel y x"]:
    """Sets those pixels to 0 in place: by multiplication, on a CPU five times as fast as filling."""
    return images.mul_(~pixels[:, None])


def neighbours(
    rows: Float[Tensor, "image value"], rank: int
) -> tuple[Float[Tensor, " image"], Float[Tensor, " image"]]:
    """The value of that rank (from 0) of each row and the next one, if there is one; NaN ranks above everything."""
    after = min(rank + 1, rows.shape[1] - 1)
    if (
        rows.device.type == "cpu"
    ):  # one numpy partition takes a tenth of the time of one kthvalue, or of two ranks at once
        parted = np.partition(rows.numpy(), rank, axis=1)
        low, high = parted[:, rank], parted[:, after:].min(axis=1)
        return torch.from_numpy(low), torch.from_numpy(high)
    return rows.kthvalue(rank + 1, dim=1).values, rows.kthvalue(after + 1, dim=1).values


def interpolated(low: Float[Tensor, " image"], high: Float[Tensor, " image"], part: float) -> Float[Tensor, " image"]:
    """`part` of the way from `low` to `high`, rounded as numpy's percentile rounds: from the nearer end."""
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)
