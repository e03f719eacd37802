"""What became of every setting's images -> numbers per setting, and one score that ranks them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

OF_SETTING = Float[np.ndarray, " setting"]
OF_IMAGE = Float[np.ndarray, "setting unit seed"]

NATURAL_SLOPE = -2.0
"""Slope of the power spectrum of natural pictures, where there are none to measure (Field 1987)."""


@dataclass(frozen=True)
class Scores:
    """Per setting, means over units and seeds; NaN where nothing is known.

    `reached` is the activation as a share of the best that any setting reached on that unit; `slope` that of the power
    spectrum, `distance` how far it is from that of natural pictures; `sparsity` the share of gray pixels; `variation`
    the total variation per pixel; `probability` and `agreement` what a second model says of the class. `score` is 0..1.
    """

    reached: OF_SETTING
    slope: OF_SETTING
    distance: OF_SETTING
    sparsity: OF_SETTING
    variation: OF_SETTING
    probability: OF_SETTING
    agreement: OF_SETTING
    score: OF_SETTING

    @property
    def numbers(self) -> Float[np.ndarray, "setting number"]:
        """What describes a setting's images, for comparing settings."""
        return np.stack([self.reached, self.slope, self.sparsity, self.variation], axis=1)


def scores(numbers: Mapping[str, OF_IMAGE], natural: Float[np.ndarray, " unit"]) -> Scores:
    """From the activation "reached", "slope", "sparsity", "variation", "probability" and "agreement" of each image.

    `natural` is the slope of natural pictures at the size of each unit's image.
    """
    reached = mean(relative(numbers["reached"]))
    distance = mean(np.abs(numbers["slope"] - natural[:, None]))
    slope, sparsity, variation, probability, agreement = (
        mean(numbers[name]) for name in ("slope", "sparsity", "variation", "probability", "agreement")
    )
    parts = [
        standing(reached),
        (standing(-distance) + standing(sparsity) + standing(-variation)) / 3,
        *([standing(probability)] if np.isfinite(probability).any() else []),
    ]
    return Scores(reached, slope, distance, sparsity, variation, probability, agreement, score=np.mean(parts, axis=0))


def relative(reached: OF_IMAGE) -> OF_IMAGE:
    """Activations as shares (0..1) of the best of their unit; an image that had none, or one below 0, has reached 0.

    NaN for a unit that no setting could excite.
    """
    known = np.nan_to_num(reached, nan=0.0).clip(min=0)
    best = known.max(axis=(0, 2), keepdims=True)
    return np.asarray(np.divide(known, best, out=np.full_like(known, np.nan), where=best > 0))


def standing(values: OF_SETTING) -> OF_SETTING:
    """Where each setting stands among all, 0 the lowest value to 1 the highest; unknown is lowest, equals share."""

    from scipy.stats import rankdata

    if len(values) < 2:
        return np.ones_like(values)
    return np.asarray((rankdata(np.where(np.isnan(values), -np.inf, values)) - 1) / (len(values) - 1))


def mean(values: OF_IMAGE) -> OF_SETTING:
    """Per setting, of the images of which the number is known; NaN where it is known of none."""
    known = np.ma.masked_invalid(values.reshape(len(values), -1))
    return np.asarray(known.mean(axis=1).filled(np.nan), dtype=np.float64)
