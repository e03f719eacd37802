"""What units of A and of B answer to the same pictures -> which unit of B is which unit of A."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

ROUNDING = 1e-4
"""What may be missing to a correlation of 1 and means nothing: sums in another order, or on another device."""

TIE = 1e-6
"""By how much a unit is preferred that is where it was: among equal ones it is taken."""

NOT_THERE = 0.8
"""Correlation with its own place that a unit must beat where that place is dead or gone: only with 0.9 it does."""

CONSTANT = 1e-6
"""Spread of a unit's answers, relative to their size, below which it says the same of all pictures."""

Answers = Float[np.ndarray, "unit image"]
Correlations = Float[np.ndarray, "unit_a unit_b"]


def correlations(a: Float[np.ndarray, "unit_a image"], b: Float[np.ndarray, "unit_b image"]) -> Correlations:
    """Pearson's, of every unit of A with every one of B; NaN for a unit that is constant or not finite somewhere."""
    return np.asarray(np.clip(_standardised(a) @ _standardised(b).T, -1, 1))


def _standardised(answers: Answers) -> Answers:
    exact = np.asarray(answers, np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        size = np.abs(exact).max(axis=1, initial=0, keepdims=True)
        centred = (exact / size) - (exact / size).mean(axis=1, keepdims=True)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        varying = norm > CONSTANT * np.sqrt(max(1, exact.shape[1]))
        return np.asarray(np.where(varying, centred / norm, np.nan))


def matched(correlation: Correlations) -> Int[np.ndarray, " unit_a"]:
    """The unit of B for each unit of A, -1 for none: the assignment with the largest sum of correlations.

    Units that cannot be recognised are left out. Others are taken to have changed places only where that is plain (see
    `_plain`); else they stay where they were.
    """
    units_a, units_b = correlation.shape
    found = np.full(units_a, -1)
    diagonal = np.diagonal(correlation)
    if units_a == units_b and (diagonal >= 1 - ROUNDING).all():
        return np.arange(units_a)
    known = np.isfinite(correlation)
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    gain = correlation[np.ix_(rows, columns)] + TIE * (rows[:, None] == columns)
    assigned = linear_sum_assignment(gain, maximize=True)
    found[rows[assigned[0]]] = columns[assigned[1]]
    return _only_plain(found, correlation)


def _only_plain(found: Int[np.ndarray, " unit_a"], correlation: Correlations) -> Int[np.ndarray, " unit_a"]:
    """The same, but units of a cycle, or a chain, of changed places that is not plain stay where they were."""
    group = _cycles(found, max(correlation.shape))[: len(found)]
    there = found >= 0
    own = np.full(len(found), NOT_THERE)
    square = min(correlation.shape)
    own[:square] = np.nan_to_num(np.diagonal(correlation), nan=NOT_THERE)
    best = np.where(there, np.nan_to_num(correlation[np.arange(len(found)), found]), 0)
    count = np.maximum(np.bincount(group, there), 1)
    plain = _plain(np.bincount(group, best * there) / count, np.bincount(group, own * there) / count)[group]
    back = there & ~plain & (found != np.arange(len(found)))
    stays = back.copy()
    stays[:square] &= np.isfinite(np.diagonal(correlation))
    stays[square:] = False
    return np.where(stays, np.arange(len(found)), np.where(back, -1, found))


def _plain(best: Float[np.ndarray, " group"], own: Float[np.ndarray, " group"]) -> Bool[np.ndarray, " group"]:
    """Whether units have changed places: staying would leave twice as much unexplained, and more than rounding does.

    Where training has changed all units, another one is often a little nearer by chance.
    """
    return np.asarray(1 - own > 2 * np.maximum(1 - best, ROUNDING))


def _cycles(found: Int[np.ndarray, " unit_a"], places: int) -> Int[np.ndarray, " place"]:
    """The number of the cycle, or chain, that each place belongs to."""
    a = np.flatnonzero(found >= 0)
    edges = coo_matrix((np.ones(len(a)), (a, found[a])), shape=(places, places))
    return np.asarray(connected_components(edges, directed=False)[1])
