"""Columns of the first convolution -> what its filters' frequencies go with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from audit.records import Report
from audit.render.charts.drawing import BLUE, ORANGE, Chart, interactive
from audit.words import plural

FREQUENCY = "dominant frequency (cycles per pixel)"
KINDS = ("gray edge", "colour")
WIDE = 30
"""Largest over smallest: positive numbers that differ by more are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Scatter:
    """A column that is drawn against the frequency: the question, the title of its axis, what it is, if a share."""

    column: str
    question: str
    axis: str
    text: str
    share: bool = False


SCATTERS = (
    Scatter("mean_activated", "Do low frequencies fire more?", "mean activation", "its mean activation after the ReLU"),
    Scatter(
        "next_weight",
        "Are high frequencies read with larger weights?",
        "norm of the weights that read it",
        "the norm of all weights with which the next layer reads the filter",
    ),
    Scatter(
        "gradient_energy",
        "Does more gradient arrive at high frequencies?",
        "gradient energy",
        "the squared gradient of the strongest output that arrives at it, over all positions, mean over the pictures",
    ),
    Scatter(
        "colourfulness",
        "Are colourful filters coarse?",
        "colourfulness",
        "the share of its energy that is not gray",
        True,
    ),
)


def draw(report: Report) -> Iterator[Chart]:
    """A chart per column that was measured."""
    for scalars in report.scalars:
        if {"frequency", "is_colour"} <= scalars.columns.keys():
            found = (_drawn(scalars.layer, scalars.columns, scatter) for scatter in SCATTERS)
            yield from (chart for chart in found if chart is not None)


def _drawn(layer: str, columns: Mapping[str, Float[np.ndarray, " unit"]], scatter: Scatter) -> Chart | None:
    if scatter.column not in columns:
        return None
    named = ("frequency", "is_colour", scatter.column)
    numbers = np.stack([np.asarray(columns[name], dtype=np.float64) for name in named], axis=1)
    known = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(known):
        return None
    left_out = len(numbers) - len(known)
    missing = f" Without {plural(left_out, 'filter')} of which a number is not known." if left_out else ""
    return Chart(
        scatter.question,
        f"{plural(len(known), 'filter')} of {layer}: the frequency at which a filter's spectrum is strongest against "
        f"{scatter.text}. Circles are gray edges, diamonds are colour filters.{missing}",
        interactive(_chart(known, scatter), scatter.column.replace("_", "-")),
    )


def _chart(numbers: Float[np.ndarray, "unit 3"], scatter: Scatter) -> Any:
    import altair as alt

    rows = [{"x": x, "y": y, "filter": KINDS[int(colour > 0)]} for x, colour, y in numbers.tolist()]
    lowest, highest = numbers[:, 2].min(), numbers[:, 2].max()
    wide = not scatter.share and 0 < lowest * WIDE < highest
    scale = alt.Scale(type="log") if wide else alt.Scale(zero=bool(lowest >= 0))
    colours, shapes = (alt.Scale(domain=KINDS, range=those) for those in ([BLUE, ORANGE], ["circle", "diamond"]))
    return (
        alt.Chart(alt.InlineData(rows))
        .mark_point(filled=True, size=60, opacity=0.8)
        .encode(
            x=alt.X("x:Q").title(FREQUENCY).axis(tickCount=6),
            y=alt.Y("y:Q").title(scatter.axis).scale(scale).axis(tickCount=5),
            color=alt.Color("filter:N").scale(colours).title(None),
            shape=alt.Shape("filter:N").scale(shapes).title(None),
        )
        .properties(width=420, height=230)
    )
