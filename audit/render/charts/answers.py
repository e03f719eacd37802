"""How right the model is, for pictures of different confidence and of different looks -> charts."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from audit.checks import attributes, reliability
from audit.checks.chance import SURE, wilson
from audit.render.charts.drawing import BLUE, Chart, interactive
from audit.render.wording import number
from audit.words import plural

INTERVAL = f"The bars are {SURE:.0%} intervals.".replace("%", " %")


def calibration(groups: Sequence[reliability.Group], left_out: int) -> Chart | None:
    """Accuracy against confidence, and the line on which a calibrated model lies; None without groups."""
    import altair as alt

    if not groups:
        return None
    ends = alt.Chart(alt.InlineData([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    line = ends.mark_line(color="#888888", strokeDash=[4, 3]).encode(x="x:Q", y="y:Q")
    rows = [{"x": one.confidence, "y": one.accuracy, "low": one.low, "high": one.high} for one in groups]
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("x:Q").title("mean confidence").scale(domain=[0, 1]).axis(format="%", tickCount=5)
    )
    y = alt.Y("low:Q").title("accuracy").scale(domain=[0, 1]).axis(format="%", tickCount=5)
    bars = base.mark_rule(color=BLUE, strokeWidth=2, opacity=0.6).encode(y=y, y2="high:Q")
    points = base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(y="y:Q")
    pictures = sum(one.count for one in groups)
    missing = f" Without {plural(left_out, 'picture')} that has no finite confidence." if left_out else ""
    return Chart(
        "Is it right as often as it is sure?",
        f"The {number(pictures)} pictures with a label in {plural(len(groups), 'group')} of equally many, by the "
        "confidence of the prediction. A calibrated model lies on the line, an overconfident one below. "
        f"{INTERVAL}{missing}",
        interactive((line + bars + points).properties(width=300, height=300), "calibration"),
    )


def by_attribute(groups: Sequence[attributes.Group]) -> Chart | None:
    """Accuracy in groups of pictures, a panel per attribute; None without groups."""
    import altair as alt

    panels = [_panel(name, list(those)) for name, those in groupby(groups, key=lambda group: group.attribute)]
    if not panels:
        return None
    return Chart(
        "Are some kinds of pictures harder?",
        "Accuracy in groups of pictures that are alike: of numbers in groups of equally many, from low to high. "
        f"The line is the accuracy of all. {INTERVAL}",
        interactive(alt.concat(*panels, columns=2, spacing=24), "attributes"),
    )


def _panel(name: str, groups: Sequence[attributes.Group]) -> Any:
    import altair as alt

    rows = list(_bars(groups))
    overall = sum(group.right for group in groups) / sum(group.count for group in groups)
    axis = alt.Axis(ticks=False, domain=False, labelLimit=130)
    bands = alt.Y("band:N").sort([row["band"] for row in rows]).title(None).axis(axis)
    base = alt.Chart(alt.InlineData(rows)).encode(y=bands)
    x = alt.X("low:Q").title(f"accuracy by {name}").scale(domain=[0, 1]).axis(format="%", tickCount=4)
    bars = base.mark_rule(color=BLUE, strokeWidth=4, opacity=0.5).encode(x=x, x2="high:Q")
    points = base.mark_point(filled=True, size=60, color=BLUE, opacity=1).encode(x="accuracy:Q")
    line = alt.Chart(alt.InlineData([{"all": overall}])).mark_rule(color="#888888").encode(x="all:Q")
    return (line + bars + points).properties(width=150)


def _bars(groups: Sequence[attributes.Group]) -> Iterator[dict[str, Any]]:
    for group in groups:
        low, high = wilson(group.right, group.count)
        yield {"band": group.band, "low": low, "high": high, "accuracy": group.right / group.count}
