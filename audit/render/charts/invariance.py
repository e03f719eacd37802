"""Numbers of transformed pictures -> a unit's curves: what is left of its activation, a panel per transformation."""

import math
from typing import Any

from audit.analyses.summaries import groups
from audit.records import Pictures
from audit.render.charts.drawing import BLUE, Chart, Drawing, svg
from audit.words import plural

AXES = {
    "scale": "size",
    "rotation": "degrees",
    "shift": "shift, of the width",
    "brightness": "brightness",
    "noise": "noise, of 255 levels",
}
"""Titles of the axes by transformation."""

TICKS: dict[str, list[float]] = {
    "scale": [0.5, 1, 2],
    "rotation": [-180, 0, 180],
    "shift": [-0.4, 0, 0.4],
    "noise": [0, 32, 64],
}


def invariance(record: Pictures | None, unit: int) -> Chart | None:
    """The curves of a unit; None where there is nothing to draw."""
    import altair as alt

    if record is None or unit not in record.units:
        return None
    row = record.units.index(unit)
    panels = {name: list(_rows(record, row, tiles)) for name, tiles in groups(record)}
    known = [one for rows in panels.values() for one in rows]
    if not known:
        return None
    ends = [one[name] for one in known for name in ("low", "high", "others")]
    scale = alt.Scale(domain=[min(0.0, *ends), max(1.0, *ends)], nice=False)
    drawn = [_panel(name, rows, scale, first=index == 0) for index, (name, rows) in enumerate(panels.items())]
    pictures = known[0]["pictures"]
    return Chart(
        "What it does not mind",
        f"How much of its activation is left, mean over its {plural(pictures, 'strongest picture')}, with the least "
        "and the largest (band). Dashed: other pictures, changed alike.",
        Drawing(svg(alt.hconcat(*drawn, spacing=18), f"invariance-{record.layer}-{unit}")),
    )


def _rows(record: Pictures, row: int, tiles: slice) -> Any:
    names = ("amount", "relative", "low", "high", "others", "pictures")
    for tile in range(tiles.start, tiles.stop):
        found = {name: float(record.numbers[name][row, tile]) for name in names}
        if all(math.isfinite(value) for value in found.values()):
            yield found


def _panel(name: str, rows: list[dict[str, float]], scale: Any, *, first: bool) -> Any:
    import altair as alt

    axis = alt.Axis(values=TICKS[name], format=".3~r") if name in TICKS else alt.Axis(tickCount=4)
    x = alt.X("amount:Q").title(AXES.get(name, name)).axis(axis)
    x = x.scale(type="log", base=2, nice=False) if name == "scale" else x.scale(zero=False, nice=False)
    y = alt.Axis(format="%", tickCount=4, title="of its activation" if first else None, labels=first)
    base = alt.Chart(alt.InlineData(rows)).encode(x=x)
    band = base.mark_area(color=BLUE, opacity=0.2).encode(y=alt.Y("low:Q").scale(scale).axis(y), y2="high:Q")
    others = base.mark_line(color="#888888", strokeDash=[4, 3]).encode(y=alt.Y("others:Q"))
    line = base.mark_line(color=BLUE, strokeWidth=2, point=alt.OverlayMarkDef(size=18, color=BLUE)).encode(
        y=alt.Y("relative:Q")
    )
    return (band + others + line).properties(width=140, height=100)
