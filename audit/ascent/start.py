"""Start images: a seed becomes the picture that an ascent starts from, whatever else is in its batch."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from audit.ascent.presets import Start


def start_image(
    start: Start, seed: int, size: tuple[int, int], mean: Float[np.ndarray, "channel 1 1"]
) -> Float[np.ndarray, "channel {size[0]} {size[1]}"]:
    """float64 pixels of 0..255 minus the mean; `mean` is that of pixels of 0..1, `size` is (y, x).

    The noise is numpy's RandomState(seed).normal(0, 10), drawn channel by channel as Yosinski's optimizer draws it;
    a seed outside 0 .. 2**32 - 1 is a ValueError.
    """
    shape = (mean.shape[0], *size)
    match start:
        case "noise":
            return noise(seed, shape)
        case "uniform":
            drawn: np.ndarray = np.random.RandomState(seed).uniform(0, 255, shape) - 255 * mean
            return drawn
        case "mean":
            return np.zeros(shape)
        case "blank":
            white: np.ndarray = np.random.RandomState(seed).normal(250, 8, shape) - 255 * mean
            return white


@lru_cache(maxsize=16)
def noise(seed: int, shape: tuple[int, int, int]) -> Float[np.ndarray, "channel y x"]:
    """Gaussian noise of standard deviation 10 around the mean picture; the units of a layer share that of a seed."""
    drawn = np.random.RandomState(seed).normal(0, 10, shape)
    drawn.flags.writeable = False
    return drawn
