"""Codes -> a plane in which alike ones lie close together -> a grid with a place for each.

PCA, then t-SNE (van der Maaten and Hinton 2008; started from the first two components, Kobak and Berens 2019). The grid
is Karpathy's (CS231n, visualizing CNN codes), whose places each take the nearest picture that is left; here the whole
assignment is solved.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

COMPONENTS = 50
"""Of the PCA before t-SNE: enough for neighbours, few enough to be fast and to leave noise out."""


@dataclass(frozen=True)
class Plane:
    """Points of the plane; of how many principal components they were made, and the share of the variance in these."""

    points: Float[np.ndarray, "picture 2"]
    components: int
    variance: float


def plane(codes: Float[np.ndarray, "picture unit"], perplexity: float, seed: int) -> Plane:
    """t-SNE of codes that are not all the same, of two units at least; the same for the same seed.

    In one thread: for so few points others do not help, and on a busy machine they wait for each other.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    values = codes.astype(np.float64)
    with threadpool_limits(1):
        pca = PCA(min(COMPONENTS, *values.shape), random_state=seed)
        reduced = pca.fit_transform(values)
        points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return Plane(np.asarray(points, np.float64), reduced.shape[1], float(pca.explained_variance_ratio_.sum()))


def bounded(perplexity: float, pictures: int) -> float:
    """At most a third of the other pictures: t-SNE looks at three times as many neighbours as its perplexity."""
    return min(perplexity, (pictures - 1) / 3)


def assigned(points: Float[np.ndarray, "picture 2"], shape: tuple[int, int]) -> Int[np.ndarray, "picture 2"]:
    """(row, column) of each point (x, y) on a grid of (rows, columns), at least as many places as points.

    No place has two. Points and places fill the same square, y downwards; the sum of the squared distances between
    points and their places is the smallest there is.
    """

    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    size = np.ptp(points, axis=0)
    within = (points - points.min(axis=0)) / np.where(size > 0, size, 1)
    places = np.indices(shape).reshape(2, -1).T
    middles = (places + 0.5) / shape
    _, place = linear_sum_assignment(cdist(within, middles[:, ::-1], "sqeuclidean"))
    return np.asarray(places[place])
