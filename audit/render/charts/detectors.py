"""The table "detectors" -> how much better units find classes than random directions of their layer do, by depth."""

from typing import Any

from audit.records import Table
from audit.render.charts.drawing import BLUE, ORANGE, Chart, interactive
from audit.render.rows import rows_of

WORDS = {"class": "classes", "concept": "concepts"}


def versus(table: Table) -> Chart | None:
    """A point and an interval per layer; None where no layer has a number."""
    import altair as alt

    rows = [row for row in rows_of(table, "layer", "of", "versus", "versus_low", "versus_high") if row["versus"] >= 0]
    if not rows:
        return None
    rows = [{**row, "of": WORDS.get(row["of"], row["of"])} for row in rows]
    colour = alt.Color("of:N").title(None).scale(domain=list(WORDS.values()), range=[BLUE, ORANGE])
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    axis = alt.Axis(ticks=False, labelLimit=180)
    base = alt.Chart(alt.InlineData(rows)).encode(
        y=alt.Y("layer:N").sort(layers).title(None).axis(axis), yOffset=alt.YOffset("of:N").sort(list(WORDS.values()))
    )

    def at(name: str) -> Any:
        return (
            alt.X(f"{name}:Q").scale(domain=[0, 1]).title("a unit is better than a random direction").axis(format="%")
        )

    drawn = [
        alt.Chart(alt.InlineData([{"half": 0.5}])).mark_rule(color="#888888", strokeDash=[3, 3]).encode(x=at("half")),
        base.mark_rule(strokeWidth=5, opacity=0.5).encode(x=at("versus_low"), x2="versus_high:Q", color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=at("versus"), color=colour),
    ]
    return Chart(
        "Are units better detectors than random directions?",
        "Per layer: how often the best AUC of a unit is above that of a random direction of the same layer, with its "
        "95 % interval. At 50 % (dashed) what is known of classes lies in the layer, and not in its single units.",
        interactive(alt.layer(*drawn).properties(width=300), "detectors", 2 * len(layers)),
    )
