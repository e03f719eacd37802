"""Natural colours: independent channels -> red, green and blue that vary together as in photographs (Olah et al. 2017).

Neighbouring colours of photographs differ mostly in brightness, so a step along red alone is an unnatural one. These
numbers are of the pixels (0..1) of 500 photographs, one of every second class of ImageNet, centre squares: the
eigenvectors of their covariance are within 2 degrees of the opponent colours below, and their standard deviations
along them are 0.447, 0.126 and 0.063.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

OPPONENTS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
"""Brightness, red against blue, and purple against green: rows of an orthonormal matrix."""

DEVIATIONS = np.array([0.447, 0.126, 0.063])

MIX = OPPONENTS.T * DEVIATIONS / np.sqrt(np.mean(DEVIATIONS**2))
"""Three independent numbers of variance 1 -> red, green, blue of mean variance 1 with the covariance of photographs."""


def mixed(channels: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image channel y x"]:
    """Colours from independent channels; the channels themselves where there are not three of them."""
    if channels.shape[1] != 3:
        return channels
    return (_matrix(channels.dtype, channels.device) @ channels.flatten(2)).view_as(channels)


def unmixed(pictures: Float[np.ndarray, "picture channel y x"]) -> Float[np.ndarray, "picture channel y x"]:
    """The independent channels that `mixed` makes these colours of."""
    if pictures.shape[1] != 3:
        return pictures
    channels: np.ndarray = np.einsum("dc,pcyx->pdyx", np.linalg.inv(MIX), pictures)
    return channels


@lru_cache(maxsize=8)
def _matrix(dtype: torch.dtype, device: torch.device) -> Float[Tensor, "3 3"]:
    return torch.from_numpy(MIX).to(device=device, dtype=dtype)
