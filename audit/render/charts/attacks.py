"""The table "adversarial" -> how fast a model stops to be right, beside noise of the same size."""

from typing import Any

from audit.checks.chance import SURE, wilson
from audit.records import Table
from audit.render.charts.drawing import BLUE, ORANGE, RED, Chart, interactive
from audit.render.rows import rows_of

COLOURS = {"noise": BLUE, "FGSM": ORANGE, "PGD": RED}
SHAPES = ("circle", "square", "diamond")


def attacks(table: Table | None) -> Chart | None:
    """Accuracy against the largest change of a pixel, a line per attack; None without the table."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for row in rows_of(table, "attack", "epsilon", "pictures", "right", "top1"):
        low, high = wilson(row["right"], row["pictures"])
        rows.append({**row, "low": low, "high": high})
    if not rows:
        return None
    names = list(COLOURS)
    scale = alt.Scale(domain=names, range=list(COLOURS.values()))
    colour = alt.Color("attack:N").sort(names).title(None).scale(scale).legend(symbolOpacity=1)
    shape = alt.Shape("attack:N").sort(names).title(None).scale(domain=names, range=list(SHAPES))
    ticks = sorted({row["epsilon"] for row in rows})
    x = (
        alt.X("epsilon:Q")
        .title("largest change of a pixel, in levels of 255")
        .scale(type="symlog", constant=0.5, nice=False)
        .axis(values=ticks, format="~g", grid=False)
    )
    y = alt.Y("top1:Q").title("accuracy").scale(domain=[0, 1]).axis(format="%", tickCount=5)
    base = alt.Chart(alt.InlineData(rows)).encode(x=x, color=colour)
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q").scale(domain=[0, 1]), y2="high:Q")
    lines = base.mark_line(strokeWidth=2).encode(y=y)
    points = base.mark_point(filled=True, size=50, opacity=1).encode(y=y, shape=shape)
    return Chart(
        "How little change fools it?",
        f"Of {rows[0]['pictures']} labelled pictures, how many are still right when every pixel may change by so much: "
        "at random (noise), along the sign of the gradient in one step (FGSM), and in ten steps (PGD). Where the line "
        "of noise stays up and the others fall, the change is small, and made against this network. Bands are "
        f"{100 * SURE:.0f} % intervals.",
        interactive((bands + lines + points).properties(width=380, height=240), "attacks"),
    )
