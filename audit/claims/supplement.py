"""First filters and layers -> the claims of the supplement of Yosinski et al. 2015, each with what was found here.

None of the paper's own numbers is used: only the directions that it states.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from audit.claims.rank import held, rank
from audit.records import NONLINEAR, Claim, Histogram, Outline, Table

SOURCE = "Yosinski et al. 2015, supplement"
TWO_STREAMS = "CS231n, on the first layer of AlexNet"

OUTLIERS = 0.05
"""The share of a layer's units that are its outliers: those that vary most."""

ALIKE = 0.1
"""Scaled distributions that differ by no more than this (Kolmogorov-Smirnov distance) have one shape."""

Columns = Mapping[str, Float[np.ndarray, " unit"]]


def of_model(
    outline: Outline, first: Columns, layers: Mapping[str, Columns], histogram: Histogram | None
) -> tuple[Claim, ...]:
    """All claims. `first` are the columns of the first convolution, `histogram` is that of its rectified units."""
    activated = layers.get(histogram.layer) if histogram else None
    alike = of_distributions(histogram, activated["mean"]) if histogram and activated else ()
    return (*of_filters(first), *of_layers(outline, layers), *alike)


def of_filters(columns: Columns) -> Iterator[Claim]:
    """Of the first convolution: what its filters' frequencies go with. Claims whose numbers are missing are left out.

    `columns` are those of the layer: frequency, is_colour, colourfulness, mean_activated, next_weight, gradient_energy.
    """
    if "frequency" not in columns:
        return
    gray = columns["is_colour"] == 0
    frequency = np.where(gray, columns["frequency"], np.nan)
    if "mean_activated" in columns:
        text = "Edge filters of higher frequency are less active on average."
        yield held(text, rank(frequency, columns["mean_activated"]), -1, SOURCE)
    if "next_weight" in columns:
        text = "The next layer reads edge filters of higher frequency with larger weights."
        yield held(text, rank(frequency, columns["next_weight"]), 1, SOURCE)
    if "gradient_energy" in columns:
        text = "More gradient arrives at edge filters of higher frequency."
        yield held(text, rank(frequency, columns["gradient_energy"]), 1, SOURCE)
    if (columns["colourfulness"] > 0).any():
        text = "The more colourful a filter, the lower its frequency: gray edges and coarse colours."
        yield held(text, rank(columns["colourfulness"], columns["frequency"]), -1, TWO_STREAMS)


def of_layers(outline: Outline, columns: Mapping[str, Columns]) -> Iterator[Claim]:
    """Of all activation functions whose outputs were measured, by depth."""
    layers = _activated(outline, columns)
    shares = np.array([outlier_share(columns[name]["std"]) for name in layers])
    depths = np.arange(len(layers), dtype=np.float64)
    text = "The deeper a layer, the more of its variance comes from few units."
    yield held(text, rank(depths, shares), 1, SOURCE)


def spread(outline: Outline, columns: Mapping[str, Columns]) -> Table:
    """Table "spread", a row per activation function, by depth.

    `outliers`: share of the variance that the layer's outliers carry; `means`: standard deviation of its units' means
    over their median size, NaN where that is 0. Units that were not finite are left out.
    """
    layers = _activated(outline, columns)
    outliers = [outlier_share(columns[name]["std"]) for name in layers]
    means = [_relative(columns[name]["mean"]) for name in layers]
    return Table("spread", {"layer": np.array(layers, str), "outliers": np.array(outliers), "means": np.array(means)})


def _activated(outline: Outline, columns: Mapping[str, Columns]) -> list[str]:
    """The activation functions whose mean and spread were measured, by depth.

    A block, or a dropout, that only passes on what an activation function made would count it twice.
    """
    functions = [layer.name for layer in outline.layers if layer.function in NONLINEAR]
    return [name for name in functions if "std" in columns.get(name, {})]


def _relative(means: Float[np.ndarray, " unit"]) -> float:
    means = means[np.isfinite(means)]
    typical = float(np.median(np.abs(means))) if len(means) else 0.0
    return float(np.std(means)) / typical if typical > 0 else float("nan")


def outlier_share(std: Float[np.ndarray, " unit"]) -> float:
    """Share of a layer's variance that the 5 % of its units which vary most carry (one unit at least); NaN if none."""
    variance = np.sort(np.square(std[np.isfinite(std)]))[::-1]
    if not len(variance) or not variance.sum() > 0:
        return float("nan")
    return float(variance[: max(1, round(OUTLIERS * len(variance)))].sum() / variance.sum())


def of_distributions(histogram: Histogram, means: Float[np.ndarray, " unit"]) -> Iterator[Claim]:
    """Whether a unit's mean stands for its distribution: scaled to the same mean, units are distributed alike.

    The number is the median over units of the Kolmogorov-Smirnov distance between a unit's positive activations and
    those of all units of the layer, each divided by its own mean; the interval is the middle half of the units.
    """
    distances = _distances(histogram, means)
    text = "A unit's mean activation stands for its distribution: units differ in scale, not in shape."
    if len(distances) < 2:
        return
    low, middle, high = (float(value) for value in np.quantile(distances, [0.25, 0.5, 0.75]))
    outcome: Literal["holds", "contradicted", "inconclusive"] = (
        "holds" if high <= ALIKE else "contradicted" if low > ALIKE else "inconclusive"
    )
    yield Claim(text, outcome, "distance of distributions", middle, low, high, len(distances), SOURCE)


def _distances(histogram: Histogram, means: Float[np.ndarray, " unit"]) -> Float[np.ndarray, " known"]:
    known: list[int] = np.flatnonzero(np.isfinite(means) & (means > 0) & (histogram.counts.sum(axis=1) > 0)).tolist()
    if len(known) < 2:
        return np.zeros(0)
    points = np.geomspace(1e-3, 1e3, 241)
    shares = np.array([_share_below(histogram, unit, points * means[unit]) for unit in known])
    return np.asarray(np.abs(shares - shares.mean(axis=0)).max(axis=1))


def _share_below(histogram: Histogram, unit: int, points: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """Share of a unit's activations below each point, linear inside a bin."""
    edges, counts = histogram.edges[unit], histogram.counts[unit].astype(np.float64)
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    finite = np.isfinite(edges)
    return np.asarray(np.interp(points, edges[finite], below[finite]))
