"""Columns of units -> charts as SVG that stand in a page of any colour: text takes the page's own colour."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from audit.records import Layer, Report

BLUE, ORANGE, RED = "#3a86d0", "#d2691e", "#d64545"
"""Each has a contrast of 3:1 or more to white and to the dark page."""

ROOM = {"left": 28, "right": 12, "top": 4, "bottom": 4}
"""Around a chart in pixels: the reader's font may be wider than the one that was measured with."""

SVG = "http://www.w3.org/2000/svg"
DRAWN = {"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"}
"""The elements a chart may consist of: nothing that runs, loads or links."""

NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""

Columns = Mapping[str, Float[np.ndarray, " unit"]]


@dataclass(frozen=True)
class Chart:
    """A chart, its title, and in words what it shows."""

    title: str
    text: str
    svg: Markup


def draw(report: Report) -> tuple[Chart, ...]:
    """The charts whose columns were measured, for the layers in the order of execution."""
    columns: dict[str, dict[str, Float[np.ndarray, " unit"]]] = {}
    for scalars in report.scalars:
        columns.setdefault(scalars.layer, {}).update(scalars.columns)
    layers = [layer for layer in report.outline.layers if layer.name in columns]
    found = (_firing(layers, columns), _strength(layers, columns), _first_filters(report, columns))
    return tuple(chart for chart in found if chart is not None)


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
        _svg(alt.hconcat(left, right, spacing=24), "firing", len(rows)),
    )


def _strength(layers: list[Layer], columns: Mapping[str, Columns]) -> Chart | None:
    import altair as alt

    means, stds = list(_bands(layers, columns, "mean")), list(_bands(layers, columns, "std"))
    if not means or not stds:
        return None
    left = _band(means, "mean activation of a unit", BLUE)
    right = _band(stds, "standard deviation of a unit", ORANGE, labels=[row["layer"] for row in stds] != _names(means))
    return Chart(
        "How strongly units fire",
        "Per layer and over its units: the median (line), the middle half (dark) and the middle 80 % (light) of the "
        "mean and of the standard deviation of the activation, over all images and positions.",
        _svg(alt.hconcat(left, right, spacing=24), "strength", len(means)),
    )


def _first_filters(report: Report, columns: Mapping[str, Columns]) -> Chart | None:
    import altair as alt

    needed = ("frequency", "is_colour", "mean_activated")
    name = next((name for name, found in columns.items() if all(column in found for column in needed)), None)
    if name is None:
        return None
    numbers = np.stack([np.asarray(columns[name][column], dtype=np.float64) for column in needed], axis=1)
    rows = [
        {"frequency": frequency, "activation": activation, "filter": "colour" if colour else "gray edge"}
        for frequency, colour, activation in numbers[np.isfinite(numbers).all(axis=1)].tolist()
    ]
    if not rows:
        return None
    kinds = alt.Scale(domain=["gray edge", "colour"], range=[BLUE, ORANGE])
    shapes = alt.Scale(domain=["gray edge", "colour"], range=["circle", "diamond"])
    chart = (
        alt.Chart(alt.InlineData(rows))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x=alt.X("frequency:Q").title("dominant frequency of the filter (cycles per pixel)"),
            y=alt.Y("activation:Q").title("mean activation"),
            color=alt.Color("filter:N").scale(kinds).title("filter"),
            shape=alt.Shape("filter:N").scale(shapes).title("filter"),
        )
        .properties(width=460, height=260)
    )
    left_out = len(numbers) - len(rows)
    missing = f" {left_out} without a frequency or an activation are left out." if left_out else ""
    return Chart(
        "Do low frequencies fire more?",
        f"The {len(rows)} filters of {name}: the frequency at which a filter's spectrum is strongest against its mean "
        f"activation. Circles are gray edges, diamonds are colour filters.{missing}",
        _svg(chart, "frequency"),
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
    return [row["layer"] for row in rows]


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


def _svg(chart: Any, name: str, rows: int = 1) -> Markup:
    """The SVG of an Altair chart: transparent, in the text colour of the page, as wide as there is room."""
    step = min(17, max(11, 640 // rows))
    import vl_convert

    styled = (
        chart.properties(padding=ROOM)
        .configure(aria=False, background="transparent", font="sans-serif")
        .configure_view(stroke=None, step=step)
        .configure_axis(
            labelColor="currentColor",
            titleColor="currentColor",
            domainColor="currentColor",
            tickColor="currentColor",
            gridColor="#888888",
            gridOpacity=0.25,
            domainOpacity=0.4,
            labelFontSize=11 if step > 13 else 10,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(
            orient="top",
            title=None,
            labelColor="currentColor",
            titleColor="currentColor",
            labelFontSize=11 if step > 13 else 10,
            titleFontSize=12,
        )
        .configure_text(fontSize=11)
    )
    return _plain(vl_convert.vegalite_to_svg(_drawable(styled.to_dict()), allowed_base_urls=[]), name)


def _drawable(value: Any) -> Any:
    """The same specification, with a sign for what is no character of XML, at which vl-convert ends the process."""
    if isinstance(value, dict):
        return {key: _drawable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_drawable(inner) for inner in value]
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _plain(svg: str, name: str) -> Markup:
    """The same drawing without links, roles and a fixed size; ValueError if it holds more than a drawing."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        tag = element.tag.removeprefix(f"{{{SVG}}}")
        if tag not in DRAWN:
            raise ValueError(f"the chart {name!r} holds <{tag}>")
        element.tag = tag
        for key in [key for key in element.attrib if key.startswith(("{", "on", "aria", "role", "class", "href"))]:
            del element.attrib[key]
        for key, value in element.attrib.items():
            element.set(key, re.sub(r"url\((['\"]?)#", rf"url(\1#{name}-", value))
        if "id" in element.attrib:
            element.set("id", f"{name}-{element.attrib['id']}")
    width = root.attrib.pop("width")
    root.attrib.pop("height", None)
    root.attrib |= {
        "xmlns": SVG,
        "aria-hidden": "true",
        "focusable": "false",
        "style": f"width:100%;max-width:{width}px",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))
