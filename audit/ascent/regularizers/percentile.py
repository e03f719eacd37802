"""Which pixels of an image lie below a percentile of that image: numpy's percentile, strict, without a full sort."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


def below_percentile(values: Float[Tensor, "image y x"], percentile: float) -> Bool[Tensor, "image y x"]:
    """Whether each value is less than the percentile (0..100, interpolated linearly) of the values of its own image."""
    rows = values.flatten(1)
    rank = (rows.shape[1] - 1) * (percentile / 100)
    below = math.floor(rank)
    low, high = order_statistics(rows, below, min(below + 1, rows.shape[1] - 1))
    return values < interpolated(low, high, rank - below).view(-1, 1, 1)


def order_statistics(
    rows: Float[Tensor, "image value"], first: int, second: int
) -> tuple[Float[Tensor, " image"], Float[Tensor, " image"]]:
    """The values of rank `first` and `second` (from 0) of each row; not a number ranks above everything."""
    if rows.device.type == "cpu":  # numpy's selection finds both in one go, in a third of kthvalue's time for one
        parted = torch.from_numpy(np.partition(rows.numpy(), (first, second), axis=1))
        return parted[:, first], parted[:, second]
    return rows.kthvalue(first + 1, dim=1).values, rows.kthvalue(second + 1, dim=1).values


def interpolated(low: Float[Tensor, " image"], high: Float[Tensor, " image"], part: float) -> Float[Tensor, " image"]:
    """`part` of the way from `low` to `high`, rounded as numpy's percentile rounds: from the nearer end."""
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)
