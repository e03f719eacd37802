"""Settings and how good they are -> a few of the better ones that are as different from each other as can be."""

import math

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

FEW = 4
"""How many settings are chosen: as many as the paper's figures show."""

BETTER = 0.2
"""Share of the settings, the best by score, that the few are chosen from."""

GRID = 8
"""Rows and columns to which a picture is reduced to be compared."""


def complementary(
    scores: Float[np.ndarray, " setting"],
    numbers: Float[np.ndarray, "setting number"],
    looks: Float[np.ndarray, "setting value"],
) -> tuple[int, ...]:
    """The few settings, best score first: of the better part those whose smallest pairwise distance is largest."""
    order = ranked(scores)
    better = order[: max(FEW, math.ceil(BETTER * len(order)))]
    found = farthest(features(numbers[better], looks[better]), FEW)
    return tuple(int(better[place]) for place in found)


def ranked(scores: Float[np.ndarray, " setting"]) -> Int[np.ndarray, " setting"]:
    """The settings, best first; equals in the order of their draws, unknown scores last."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    return np.argsort(-known, kind="stable").astype(np.int64)


def features(
    numbers: Float[np.ndarray, "setting number"], looks: Float[np.ndarray, "setting value"]
) -> Float[np.ndarray, "setting feature"]:
    """Points whose distances compare settings: what was measured and what is seen weigh the same.

    Each number is standardised (one that is unknown is an average one); then both parts are scaled so that the mean
    squared distance of two settings is 1.
    """
    known = np.ma.masked_invalid(numbers)
    spread = known.std(axis=0).filled(0)
    standard = (known - known.mean(axis=0)).filled(0) / np.where(spread > 0, spread, 1)
    return np.hstack([_of_one_size(standard), _of_one_size(looks)])


def _of_one_size(part: Float[np.ndarray, "setting value"]) -> Float[np.ndarray, "setting value"]:
    size = math.sqrt(2 * part.var(axis=0).sum())  # of independent pairs the mean squared distance is twice the variance
    return np.asarray(part / size if size > 0 else part)


def look(tiles: UInt8[np.ndarray, "*batch y x 3"]) -> Float[np.ndarray, "*batch value"]:
    """Pictures reduced to a few by a few mean colours of 0..1: where what is, without its detail."""
    flat = tiles.reshape(-1, *tiles.shape[-3:])
    small = [np.asarray(Image.fromarray(tile).resize((GRID, GRID), Image.Resampling.BOX)) for tile in flat]
    return (np.stack(small) / 255.0).reshape(*tiles.shape[:-3], GRID * GRID * 3)


def farthest(points: Float[np.ndarray, "point feature"], count: int) -> tuple[int, ...]:
    """The `count` points whose smallest pairwise distance is largest, ascending: exact, the first of equal sets.

    Depth first; a set grows only by points that keep it better than the best set so far. ValueError if there are fewer.
    """
    if len(points) < count:
        raise ValueError(f"{count} of {len(points)} points")
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    best, chosen = -1.0, tuple(range(count))
    waiting: list[tuple[tuple[int, ...], Int[np.ndarray, " point"], float]] = [((), np.arange(len(points)), math.inf)]
    while waiting:
        members, allowed, smallest = waiting.pop()
        if smallest <= best:
            continue
        if len(members) == count:
            best, chosen = smallest, members
            continue
        for point in allowed[::-1].tolist():  # the last one put down is looked at first
            nearest = min(smallest, *(float(distances[point, member]) for member in members), math.inf)
            later = allowed[allowed > point]
            if nearest > best and len(members) + 1 + len(later) >= count:
                waiting.append(((*members, point), later[distances[point, later] > best], nearest))
    return chosen
