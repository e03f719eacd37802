"""Columns of a layer's units -> small histograms side by side: how its units compare."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from audit.render.charts.drawing import BLUE, Chart, Drawing, svg

SHOWN = {
    "share_of_images": "fires on images",
    "mean": "mean activation",
    "std": "standard deviation",
    "correlation": "correlation with the nearest",
    "selectivity": "selectivity for a class",
    "frequency": "frequency (cycles/px)",
}
MOST, BINS = 4, 16
FEWEST = 8
"""Units: fewer are better looked at one by one."""


def histograms(layer: str, columns: Mapping[str, Float[np.ndarray, " unit"]], name: str) -> Chart | None:
    """Of the first four known columns; None if there is none, or if there are too few units."""
    known = {head: values[np.isfinite(values)] for key, head in SHOWN.items() for values in _column(columns, key)}
    drawn = {head: values for head, values in known.items() if len(values) >= FEWEST and np.ptp(values) > 0}
    if not drawn:
        return None
    import altair as alt

    panels = [_panel(head, values) for head, values in list(drawn.items())[:MOST]]
    return Chart(
        f"How the units of {layer} compare",
        "Number of units over each statistic.",
        Drawing(svg(alt.hconcat(*panels, spacing=22), name)),
    )


def _column(columns: Mapping[str, Any], key: str) -> list[Float[np.ndarray, " unit"]]:
    return [np.asarray(columns[key], np.float64)] if key in columns else []


def _panel(head: str, values: Float[np.ndarray, " unit"]) -> Any:
    import altair as alt

    counts, edges = np.histogram(values, BINS)
    rows = [
        {"from": float(low), "to": float(high), "units": int(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return (
        alt.Chart(alt.InlineData(rows))
        .mark_bar(color=BLUE, opacity=0.8)
        .encode(
            x=alt.X("from:Q").bin("binned").title(head).axis(tickCount=4, grid=False),
            x2="to:Q",
            y=alt.Y("units:Q").title(None).axis(tickCount=3, tickMinStep=1),
        )
        .properties(width=125, height=60)
    )
