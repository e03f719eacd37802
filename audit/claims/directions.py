"""Table "directions" -> whether a layer's units are purer than random directions of it (Szegedy et al. 2014)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from audit.records import Claim, Table

SOURCE = "Szegedy et al. 2014"
DRAWS = 2000
FEWEST = 6
"""With fewer units no interval says anything."""


CLOSE = 0.05
"""A difference of purity that nobody would see."""


def of_directions(tables: Sequence[Table]) -> Iterator[Claim]:
    """A claim per layer: random directions are as pure as units.

    The number is the mean purity of units minus that of directions, with its 95 % interval (percentiles of `DRAWS`
    bootstrap samples of both). The claim is contradicted where units are purer, and holds where they are less pure or
    the interval lies within `CLOSE` of 0; else it is open.
    """
    for table in tables:
        if table.name == "directions":
            for layer in dict.fromkeys(table.columns["layer"].tolist()):
                yield _claim(layer, *(_purity(table, layer, of) for of in ("unit", "direction")))


def _purity(table: Table, layer: str, of: str) -> Float[np.ndarray, " known"]:
    chosen = (table.columns["layer"] == layer) & (table.columns["of"] == of)
    values = np.asarray(table.columns["purity"][chosen], np.float64)
    return np.asarray(values[np.isfinite(values)])


def _claim(layer: str, units: Float[np.ndarray, " unit"], directions: Float[np.ndarray, " direction"]) -> Claim:
    text = f"Random directions of {layer} are as pure as its units"
    count = min(len(units), len(directions))
    if count < FEWEST:
        return Claim(f"{text}.", "inconclusive", "difference", float("nan"), -1.0, 1.0, count, SOURCE)
    measured = float(units.mean() - directions.mean())
    low, high = _interval(units, directions)
    outcome: Literal["holds", "contradicted", "inconclusive"] = "inconclusive"
    if low > 0:
        outcome = "contradicted"
    elif high <= CLOSE:
        outcome = "holds"
    means = f"mean purity {directions.mean():.2f}, of units {units.mean():.2f}"
    return Claim(f"{text}: {means}.", outcome, "difference", measured, low, high, count, SOURCE)


def _interval(units: Float[np.ndarray, " unit"], directions: Float[np.ndarray, " direction"]) -> tuple[float, float]:
    from scipy.stats import bootstrap

    if not np.ptp(units) and not np.ptp(directions):
        return (float(units[0] - directions[0]),) * 2
    found = bootstrap(
        (units, directions),
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        n_resamples=DRAWS,
        method="percentile",
        rng=0,
        vectorized=True,
    ).confidence_interval
    return float(found.low), float(found.high)
