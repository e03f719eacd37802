"""Peaks of units and groups of pictures -> areas under ROC curves, with intervals; intervals of shares.

The area (AUC) of a unit and a group is the probability that the unit is stronger in a picture of the group than in
another one, half of it where it is equally strong: the Mann-Whitney statistic over the number of pairs.
"""

from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

SURE = 0.95
HALVINGS = 45


def areas(
    peaks: Float[np.ndarray, "image unit"], group: Int[np.ndarray, " image"], groups: int
) -> Float[np.ndarray, "group unit"]:
    """Of each of the first `groups` against all others; NaN for a group that has no picture, or all of them."""
    return areas_of_ranks(ranks(peaks), group, groups)


def ranks(peaks: Float[np.ndarray, "image unit"]) -> Float[np.ndarray, "image unit"]:
    """Of each unit's pictures, from 1; equal ones share the mean of theirs."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(peaks, axis=0))


def areas_of_ranks(
    ranks: Float[np.ndarray, "image unit"], group: Int[np.ndarray, " image"], groups: int
) -> Float[np.ndarray, "group unit"]:
    """`areas`, for several groupings of the same pictures: sums of ranks, without a loop over groups or units."""
    count = np.bincount(group, minlength=groups)
    there = np.flatnonzero(count)
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count[there])[:-1]]).astype(np.int64)
    own = count[:, None].astype(np.float64)
    sums = np.zeros((len(count), ranks.shape[1]))
    sums[there] = np.add.reduceat(ranks[order], starts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums - own * (own + 1) / 2) / (own * (len(group) - own)))[:groups]


def lower_bound(
    area: Float[np.ndarray, "*axes"],
    own: Int[np.ndarray, "*#axes"],
    others: Int[np.ndarray, "*#axes"],
    comparisons: int = 1,
) -> Float[np.ndarray, "*axes"]:
    """Lower end of the 95 % interval of an AUC, for all `comparisons` together (Bonferroni).

    Newcombe 2006 (Statistics in Medicine 25, part 2), method 5: the smallest AUC from which the measured one is no
    further than its standard error there allows, by Hanley and McNeil 1982 with the mean number of pictures in place of
    both. It does not shrink to nothing at 0 and 1, and it contains 0.5 exactly where the rank sum test (without its
    correction for ties) does not reject. NaN where the AUC is.
    """
    sure = -NormalDist().inv_cdf((1 - SURE) / 2 / max(1, comparisons))
    low, high = np.zeros_like(area), np.asarray(area, np.float64)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beyond = area - middle > sure * np.sqrt(_variance(middle, own, others))
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.asarray(np.where(np.isnan(area), np.nan, low))


def upper_bound(
    area: Float[np.ndarray, "*axes"],
    own: Int[np.ndarray, "*#axes"],
    others: Int[np.ndarray, "*#axes"],
    comparisons: int = 1,
) -> Float[np.ndarray, "*axes"]:
    """The other end: the error is the same for what is weaker."""
    return np.asarray(1 - lower_bound(1 - area, own, others, comparisons))


def _variance(
    area: Float[np.ndarray, "*axes"], own: Int[np.ndarray, "*#axes"], others: Int[np.ndarray, "*#axes"]
) -> Float[np.ndarray, "*axes"]:
    half = (own + others) / 2 - 1
    pairs = np.maximum(own * others, 1)
    return np.asarray(area * (1 - area) * (1 + half * (1 - area) / (2 - area) + half * area / (1 + area)) / pairs)


def wilson(
    having: Int[np.ndarray, "*axes"], count: Int[np.ndarray, "*axes"]
) -> tuple[Float[np.ndarray, "*axes"], Float[np.ndarray, "*axes"]]:
    """95 % interval of a share of which `having` of `count` were seen (Wilson 1927); NaN of none."""
    z = -NormalDist().inv_cdf((1 - SURE) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        share, shrink = having / count, 1 + z**2 / count
        middle = (share + z**2 / (2 * count)) / shrink
        half = z / shrink * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half
