"""Columns and tables of layers -> charts with a row per layer, in the order of execution."""

import math
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import Any

import numpy as np
from jaxtyping import Float

from audit.records import Layer, Report, Table
from audit.render.charts.drawing import BLUE, GREEN, ORANGE, RED, Chart, interactive
from audit.render.rows import rows_of

Columns = Mapping[str, Float[np.ndarray, " unit"]]


def draw(report: Report) -> tuple[Chart, ...]:
    """The charts whose columns were measured, for the layers in the order of execution."""
    columns: dict[str, dict[str, Float[np.ndarray, " unit"]]] = {}
    for scalars in report.scalars:
        columns.setdefault(scalars.layer, {}).update(scalars.columns)
    layers = [layer for layer in report.outline.layers if layer.name in columns]
    found = (_firing(layers, columns), _strength(layers, columns))
    return tuple(chart for chart in found if chart is not None)


def spread(table: Table) -> Chart | None:
    """The table "spread": how much of a layer's variance its outliers carry, and how far apart its means are."""
    import altair as alt

    rows = [row for row in rows_of(table, "layer", "outliers", "means") if math.isfinite(row["outliers"])]
    if not rows:
        return None
    base = alt.Chart(alt.InlineData(rows))
    left = base.mark_bar(color=BLUE, height={"band": 0.75}).encode(
        y=_layer_axis(rows), x=alt.X("outliers:Q").title("variance in 5 % of the units").axis(format="%", tickCount=4)
    )
    right = base.transform_filter("isValid(datum.means)").mark_point(filled=True, size=50, color=ORANGE, opacity=1)
    means = right.encode(y=_layer_axis(rows, labels=False), x=alt.X("means:Q").title("spread of the units' means"))
    return Chart(
        "Is a layer's variance that of few units?",
        "Per layer after an activation function. Left: the share of the layer's variance that those 5 % of its units "
        "carry which vary most. Right: the standard deviation of the units' means, relative to their median: "
        "near 0 all units are about as active.",
        interactive(
            alt.hconcat(left.properties(width=210), means.properties(width=190), spacing=24), "spread", len(rows)
        ),
    )


def noise(table: Table) -> Chart | None:
    """The table "noise": how far each layer moves, a line per strength of the noise."""
    import altair as alt

    rows = [row for row in _moves(table) if row["sigma"] > 0 and 0 < row["change"] < math.inf]
    if not rows:
        return None
    strengths = sorted({row["sigma"] for row in rows})
    names = [f"{sigma:g}" for sigma in strengths]
    colour = alt.Color("noise:N").sort(names).title(None).scale(domain=names, range=_colours(len(names)))
    shape = alt.Shape("noise:N").sort(names).title(None).scale(domain=names, range=_shapes(len(names)))
    base = alt.Chart(alt.InlineData([{**row, "noise": f"{row['sigma']:g}"} for row in rows])).encode(
        y=_layer_axis(rows), color=colour
    )
    x = (
        alt.X("change:Q")
        .title("relative change of the activations")
        .scale(type="log", nice=False, padding=10)
        .axis(tickCount=5)
    )
    lines = base.mark_line(strokeWidth=1.5, opacity=0.7).encode(x=x, order="place:Q", detail="noise:N")
    quartiles = base.transform_filter("datum.low > 0 && isFinite(datum.high)").mark_rule(opacity=0.35, strokeWidth=4)
    points = base.mark_point(filled=True, size=45, opacity=1).encode(x=x, shape=shape)
    spans = quartiles.encode(x=alt.X("low:Q"), x2="high:Q")
    layers = len({row["layer"] for row in rows})
    return Chart(
        "How far does noise move the layers?",
        "Gaussian noise is added to the pictures; a line per standard deviation, for pixels of 0 to 1. How "
        "much a layer's activations change relative to their size: median over the pictures, and middle half (bars).",
        interactive((spans + lines + points).properties(width=330), "noise", layers),
    )


def flicker(table: Table | None) -> Chart | None:
    """The table "flicker": how far each layer moves from frame to frame, and the probabilities below."""
    import altair as alt

    rows = [
        {**row, "layer": row["layer"] if row["of"] == "activations" else row["of"]}
        for row in rows_of(table, "layer", "of", "frames", "flicker", "low", "high")
        if all(math.isfinite(row[name]) for name in ("flicker", "low", "high"))
    ]
    if not rows:
        return None
    base = alt.Chart(alt.InlineData(rows)).encode(y=_layer_axis(rows))
    x = alt.X("low:Q").title("change from the mean frame, of its size").axis(format="%", tickCount=5)
    colour = alt.condition("datum.of == 'probabilities'", alt.value(ORANGE), alt.value(BLUE))
    spans = base.mark_rule(opacity=0.4, strokeWidth=5).encode(x=x, x2="high:Q", color=colour)
    points = base.mark_point(filled=True, size=50, opacity=1).encode(x="flicker:Q", color=colour)
    return Chart(
        "What flickers before a camera?",
        f"Each picture becomes {rows[0]['frames']} frames that differ by a camera's noise only. How far a layer is "
        "from its mean over the frames, relative to that: median over the pictures, and middle half (bars). The last "
        "row is the probabilities.",
        interactive((spans + points).properties(width=330), "flicker", len(rows)),
    )


def _beside(left: Any, right: Any) -> Any:
    import altair as alt

    return alt.hconcat(left, right, spacing=24)


def _firing(layers: list[Layer], columns: Mapping[str, Columns]) -> Chart | None:
    import altair as alt

    rows = list(_bands([layer for layer in layers if layer.activation], columns, "share_of_images"))
    if not rows:
        return None
    dead = [{"layer": row["layer"], **_dead(columns[row["layer"]]["share_of_images"])} for row in rows]
    bars = alt.Chart(alt.InlineData(dead)).encode(
        y=_layer_axis(rows),
        x=alt.X("share:Q").title("units that fire on no image").axis(format="%", tickCount=4),
    )
    counts = bars.transform_filter("datum.count > 0").mark_text(align="left", dx=4, color="currentColor")
    left = (bars.mark_bar(color=RED) + counts.encode(text="count:Q")).properties(width=150)
    right = _band(rows, "share of the images on which a unit fires", BLUE, percent=True, labels=False)
    return Chart(
        "How often units fire",
        "Per layer that a ReLU rectifies, left: units that fire on no image, with their number. Right: over its units, "
        "the median (line), the middle half (dark) and the middle 80 % (light) of the share of images on which a unit "
        "fires anywhere.",
        interactive(_beside(left, right), "firing", len(rows)),
    )


def _strength(layers: list[Layer], columns: Mapping[str, Columns]) -> Chart | None:

    means, stds = list(_bands(layers, columns, "mean")), list(_bands(layers, columns, "std"))
    if not means or not stds:
        return None
    left = _band(means, "mean activation of a unit", BLUE)
    right = _band(stds, "standard deviation of a unit", ORANGE, labels=[row["layer"] for row in stds] != _names(means))
    return Chart(
        "How strongly units fire",
        "Per layer and over its units: the median (line), the middle half (dark) and the middle 80 % (light) of the "
        "mean and of the standard deviation of the activation, over all images and positions.",
        interactive(_beside(left, right), "strength", len(means)),
    )


def _bands(layers: list[Layer], columns: Mapping[str, Columns], column: str) -> Iterator[dict[str, Any]]:
    """Quantiles of a column over the units of each layer that has finite numbers in it."""
    for layer in layers:
        values = np.asarray(columns[layer.name].get(column, []), dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            quantiles = np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9]).tolist()
            yield {"layer": layer.name, **dict(zip(("p10", "p25", "p50", "p75", "p90"), quantiles, strict=True))}


def _dead(shares: Float[np.ndarray, " unit"]) -> dict[str, float]:
    known = shares[np.isfinite(shares)]
    return {"share": float((known == 0).mean()) if len(known) else 0.0, "count": int((known == 0).sum())}


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["layer"] for row in rows))


def _layer_axis(rows: list[dict[str, Any]], labels: bool = True) -> Any:
    import altair as alt

    axis = alt.Axis(labels=labels, ticks=False, domain=labels, labelLimit=180)
    return alt.Y("layer:N").sort(_names(rows)).title(None).axis(axis)


def _band(rows: list[dict[str, Any]], title: str, colour: str, percent: bool = False, labels: bool = True) -> Any:
    import altair as alt

    base = alt.Chart(alt.InlineData(rows)).encode(y=_layer_axis(rows, labels))
    axis = alt.Axis(format="%", tickCount=5) if percent else alt.Axis(tickCount=6)
    scale = alt.Scale(domain=[0, 1]) if percent else alt.Scale()
    wide = base.mark_bar(color=colour, opacity=0.3, height={"band": 0.75}).encode(
        x=alt.X("p10:Q").title(title).axis(axis).scale(scale), x2="p90:Q"
    )
    middle = base.mark_bar(color=colour, opacity=0.75, height={"band": 0.75}).encode(x="p25:Q", x2="p75:Q")
    median = base.mark_tick(color="currentColor", thickness=2, height={"band": 0.75}).encode(x="p50:Q")
    return (wide + middle + median).properties(width=250)


def _moves(table: Table) -> Iterator[dict[str, Any]]:
    order: dict[str, int] = {}
    for row in rows_of(table, "layer", "sigma", "change", "low", "high"):
        yield {**row, "place": order.setdefault(row["layer"], len(order))}


def _colours(count: int) -> list[str]:
    return list(islice(cycle((BLUE, GREEN, ORANGE, RED)), count))


def _shapes(count: int) -> list[str]:
    return list(islice(cycle(("circle", "square", "diamond", "triangle-up")), count))
