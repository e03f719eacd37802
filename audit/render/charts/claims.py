"""A rank correlation with its interval -> a line of a forest plot, from -1 to 1."""

import math
from typing import Any

from markupsafe import Markup

from audit.records import Claim
from audit.render.charts.drawing import BLUE, svg

WIDTH, HEIGHT = 170, 18


def interval(claim: Claim, name: str) -> Markup:
    """The interval as a bar, what was measured as a point, and a line at 0; without a point if it is not known."""
    import altair as alt

    def at(name: str) -> Any:
        return alt.X(f"{name}:Q").scale(domain=[-1, 1]).axis(None)

    row = {"least": -1, "most": 1, "zero": 0, "low": claim.low, "high": claim.high, "measured": claim.measured}
    base = alt.Chart(alt.InlineData([row]))
    drawn: list[Any] = [
        base.mark_rule(color="#888888", opacity=0.4).encode(x=at("least"), x2="most:Q"),
        base.mark_tick(color="#888888", thickness=1, size=HEIGHT).encode(x=at("zero")),
        base.mark_rule(color=BLUE, strokeWidth=5, opacity=0.5).encode(x=at("low"), x2="high:Q"),
    ]
    if math.isfinite(claim.measured):
        drawn.append(base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(x=at("measured")))
    return svg(alt.layer(*drawn).properties(width=WIDTH, height=HEIGHT), name, room=2)
