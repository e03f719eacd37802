"""Two columns -> their rank correlation with a 95 % interval, and what that makes of a claim."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from jaxtyping import Float

from audit.records import Claim

FEWEST = 6
"""With fewer pairs no interval of a rank correlation says anything."""

SURE = 0.999999
"""Fisher's transformation of a perfect correlation is infinite."""


@dataclass(frozen=True)
class Rank:
    """Spearman's correlation over `count` pairs, with its 95 % confidence interval; NaN and -1 to 1 if unknown."""

    measured: float
    low: float
    high: float
    count: int


def rank(one: Float[np.ndarray, " pair"], other: Float[np.ndarray, " pair"]) -> Rank:
    """Of the pairs that are finite; the interval is Fisher's with the variance of Bonett and Wright 2000 for ranks."""
    from scipy.stats import spearmanr

    finite = np.isfinite(one) & np.isfinite(other)
    one, other = one[finite], other[finite]
    count = len(one)
    if count < FEWEST or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return Rank(float("nan"), -1.0, 1.0, count)
    measured = float(spearmanr(one, other).statistic)
    middle = math.atanh(min(max(measured, -SURE), SURE))
    wide = NormalDist().inv_cdf(0.975) * math.sqrt((1 + measured**2 / 2) / (count - 3))
    return Rank(measured, math.tanh(middle - wide), math.tanh(middle + wide), count)


def held(text: str, found: Rank, sign: Literal[1, -1], source: str) -> Claim:
    """The claim that the correlation has that sign: it holds, or is contradicted, if the whole interval says so."""
    low, high = sorted((sign * found.low, sign * found.high))
    outcome: Literal["holds", "contradicted", "inconclusive"] = "inconclusive"
    if low > 0:
        outcome = "holds"
    elif high < 0:
        outcome = "contradicted"
    return Claim(text, outcome, "rank correlation", found.measured, found.low, found.high, found.count, source)
