"""The table "correspondence" -> how many keypoints each layer finds, beside what pixels and other answers find."""

from audit.records import Table
from audit.render.charts.drawing import BLUE, GREEN, ORANGE, RED, Chart, interactive
from audit.render.rows import rows_of

CORRESPONDENCE = "correspondence"
"""The kind of pictures that are shown with the chart, and not among the units."""

METHODS = {
    "features": "features",
    "daisy": "DAISY",
    "pixels": "pixels",
    "still": "not moving",
    "chance": "chance",
}
"""Methods in the order in which they are shown, in words."""

COLOURS = [BLUE, GREEN, ORANGE, RED, "#888888"]
SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"]


def found(table: Table) -> Chart | None:
    """A row per layer at the first tolerance, a point with its interval per method."""
    import altair as alt

    rows = rows_of(table, "layer", "method", "within", "pck", "low", "high")
    first = next((row["within"] for row in rows if row["within"]), None)
    shown = [
        {**row, "method": METHODS[row["method"]]}
        for row in rows
        if row["within"] == first and row["method"] in METHODS and row["pck"] >= 0
    ]
    if not shown:
        return None
    names, layers = list(METHODS.values()), list(dict.fromkeys(row["layer"] for row in shown))
    colour = alt.Color("method:N").title(None).scale(domain=names, range=COLOURS)
    shape = alt.Shape("method:N").title(None).scale(domain=names, range=SHAPES)
    base = alt.Chart(alt.InlineData(shown)).encode(
        y=alt.Y("layer:N").sort(layers).title(None).axis(alt.Axis(ticks=False, labelLimit=180)),
        yOffset=alt.YOffset("method:N").sort(names),
        color=colour,
    )
    x = alt.X("pck:Q").scale(domain=[0, 1]).title("keypoints that are found").axis(format="%")
    intervals = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=4, opacity=0.4)
    points = base.mark_point(filled=True, size=50, opacity=1)
    drawn = alt.layer(intervals.encode(x="low:Q", x2="high:Q"), points.encode(x=x, shape=shape))
    return Chart(
        "Do features find what was where?",
        f"Per layer: the share of places of a picture that are found in its warp, within {first} of the longer side of "
        "where they went; mean over the pictures with its 95 % interval. A layer corresponds as far as it is above the "
        "pixels of the same receptive fields, and above the answer that nothing moved.",
        interactive(drawn.properties(width=320), CORRESPONDENCE, 5 * len(layers)),
    )
