"""Distances in two spaces -> how much of who is near whom in the one is kept in the other.

Those that are equally far, as on a grid they are, share what is left of the `count` nearest: every number is the mean
over all orders of them, and so none depends on the order of the pictures.
"""

import numpy as np
from jaxtyping import Float, Int

Distances = Float[np.ndarray, "picture picture"]
Weights = Float[np.ndarray, "picture picture"]


def nearest(distances: Distances, count: int) -> Weights:
    """How much column j is one of the `count` nearest of row i, 0 to 1; no row is its own, each sums to `count`."""
    far = _of_others(distances)
    edge = np.partition(far, count - 1, axis=1)[:, count - 1 : count]
    inside, on_edge = far < edge, far == edge
    left = count - inside.sum(axis=1, keepdims=True)
    return np.asarray(inside + on_edge * (left / on_edge.sum(axis=1, keepdims=True)))


def trustworthiness(distances: Distances, neighbours: Weights, count: int) -> float:
    """1 if all neighbours in a plane are neighbours by `distances` too, about 0.5 if they are anyhow.

    Venna and Kaski 2001: each of the `count` neighbours in the plane costs by how many ranks it is beyond `count`,
    over the largest sum there can be. Defined for `count` below half of the pictures.
    """

    from scipy.stats import rankdata

    pictures = len(distances)
    ranks = rankdata(_of_others(distances), method="min", axis=1)
    cost = float((neighbours * np.clip(ranks - count, 0, None)).sum())
    return 1 - 2 * cost / (pictures * count * (2 * pictures - 3 * count - 1))


def kept(neighbours: Weights, others: Weights, count: int) -> float:
    """Share of the `count` nearest that are among the nearest in the other space too."""
    return float((neighbours * others).sum() / (len(neighbours) * count))


def agreement(neighbours: Weights, labels: Int[np.ndarray, " picture"]) -> float:
    """Share of the labelled neighbours that have a picture's own label; -1 is an unknown one.

    Mean over the pictures whose label another one has too; NaN where there is none.
    """
    known = labels >= 0
    same = (labels[:, None] == labels) & known
    weight = (neighbours * known).sum(axis=1)
    asked = known & (same.sum(axis=1) > 1) & (weight > 0)
    return float(((neighbours * same).sum(axis=1)[asked] / weight[asked]).mean()) if asked.any() else float("nan")


def _of_others(distances: Distances) -> Distances:
    """The distances, each thing infinitely far from itself."""
    far = distances.copy()
    np.fill_diagonal(far, np.inf)
    return far
