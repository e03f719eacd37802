"""Histograms of units -> their shapes, one below the other on one axis."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from audit.records import Histogram
from audit.render.charts.drawing import BLUE, Chart, Drawing, svg
from audit.render.wording import percent
from audit.words import plural

CELLS = 80
MOST = 12
"""Units of a layer that are drawn."""

TAILS = (0.001, 0.999)
"""Shares of a unit's values between which the axis reaches; what lies beyond would press the rest together."""


def ridges(histogram: Histogram, units: Sequence[int], name: str) -> Chart | None:
    """The distributions of the first 12 of the `units`, without exact zeros; None if none of them varies."""
    asked = [unit for unit in units[:MOST] if unit < len(histogram.counts)]
    shapes = {unit: shape for unit in asked if (shape := _below(histogram, unit)) is not None}
    if not shapes:
        return None
    axis = _axis(list(shapes.values()))
    zeros = {unit: _zeros(histogram, unit) for unit in shapes}
    rows = [row for unit, shape in shapes.items() for row in _ridge(unit, shape, zeros[unit], axis)]
    still = len(asked) - len(shapes)
    return Chart(
        f"How the values of {plural(len(shapes), 'unit')} of {histogram.layer} are distributed",
        "Relative frequency of each unit's values, scaled to its highest, without exact zeros, whose share stands "
        f"beside it.{_left_out(still)}",
        Drawing(svg(_chart(rows), name)),
    )


def _left_out(still: int) -> str:
    one = "that does not vary is" if still == 1 else "that do not vary are"
    return f" {plural(still, 'unit')} {one} left out." if still else ""


Shape = tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]
"""Edges, ascending, and the share of the values below each. Equal edges are a jump: many values are one."""


def _below(histogram: Histogram, unit: int) -> Shape | None:
    """Of the values that are not zero; None where a unit was not finite, or has fewer than two of them."""
    edges, counts = histogram.edges[unit], np.where(_zero(histogram, unit), 0, histogram.counts[unit])
    total = counts.sum()
    if not np.isfinite(edges).all() or not total or edges[0] == edges[-1]:
        return None
    return edges, np.concatenate([[0.0], np.cumsum(counts)]) / total


def _zero(histogram: Histogram, unit: int) -> Any:
    edges = histogram.edges[unit]
    return (edges[:-1] == 0) & (edges[1:] == 0)


def _zeros(histogram: Histogram, unit: int) -> float:
    counts = histogram.counts[unit]
    return float(counts[_zero(histogram, unit)].sum() / counts.sum())


def _axis(shapes: Sequence[Shape]) -> Float[np.ndarray, " cell+1"]:
    ends = np.array([np.interp(TAILS, below, edges) for edges, below in shapes])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    return np.linspace(low, high if high > low else low + 1, CELLS + 1)


def _ridge(unit: int, shape: Shape, zeros: float, axis: Float[np.ndarray, " cell+1"]) -> Iterator[dict[str, Any]]:
    edges, below = shape
    shares = np.diff(np.interp(axis, edges, below))
    highest = shares.max() or 1.0
    label = f"unit {unit}, {percent(zeros)} zero" if zeros else f"unit {unit}"
    for x, share in zip((axis[:-1] + axis[1:]) / 2, shares, strict=True):
        yield {"unit": label, "x": float(x), "share": float(share / highest)}


def _chart(rows: Sequence[dict[str, Any]]) -> Any:
    import altair as alt

    names = list(dict.fromkeys(row["unit"] for row in rows))
    header = alt.Header(labelAngle=0, labelAlign="left", labelColor="currentColor", labelFontSize=11, labelPadding=12)
    return (
        alt.Chart(alt.InlineData(list(rows)))
        .mark_area(color=BLUE, opacity=0.75, interpolate="monotone")
        .encode(
            x=alt.X("x:Q").title("activation").axis(tickCount=6).scale(zero=False, nice=False),
            y=alt.Y("share:Q").axis(None).scale(domain=[0, 1]),
            row=alt.Row("unit:N").sort(names).title(None).header(header).spacing(3),
        )
        .properties(width=360, height=24)
    )
