"""Table "directions" -> how pure units are, and beneath them as many random directions, layer by layer."""

from audit.records import Table
from audit.render.charts.drawing import BLUE, ORANGE, Chart, interactive
from audit.render.rows import rows_of


def purities(table: Table) -> Chart | None:
    """A circle per purity that units or directions have, its area how many have it; None if nothing is known."""
    import altair as alt

    rows = [row for row in rows_of(table, "layer", "of", "purity") if row["purity"] == row["purity"]]
    if not rows:
        return None
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    drawn = (
        alt.Chart(alt.InlineData([dict(row, purity=round(row["purity"], 3)) for row in rows]))
        .mark_circle(opacity=0.6)
        .encode(
            x=alt.X("purity:Q").scale(domain=[0, 1]).title("share of the strongest pictures with one label"),
            y=alt.Y("layer:N").sort(layers).title(None).scale(padding=0.3).axis(labelLimit=200),
            yOffset=alt.YOffset("of:N").sort(["unit", "direction"]),
            size=alt.Size("count():Q").legend(None).scale(range=[12, 320]),
            color=alt.Color("of:N").scale(domain=["unit", "direction"], range=[BLUE, ORANGE]),
        )
        .properties(width=430, height=46 * len(layers))
    )
    return Chart(
        "Are units special?",
        "Of each unit of a layer, and of as many random directions of it: the share of its strongest pictures that "
        "have its most frequent label. Area: how many units or directions.",
        interactive(drawn, "purities"),
    )
