"""Claims -> how what papers say of networks fares in this one, with the charts behind it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from audit.records import Claim, Report
from audit.render.charts import claims, directions, filters, layers
from audit.render.charts.drawing import Chart, titled
from audit.render.pages.quality import variation
from audit.render.pages.sections import Grid
from audit.render.wording import number

SIGNS = {"holds": "✓", "contradicted": "≠", "inconclusive": "?"}
FROM_MINUS_ONE_TO_ONE = ("rank correlation", "difference")


@dataclass(frozen=True)
class ClaimRow:
    """A claim; `interval` is its line of the forest plot, None where the number is not one of -1 to 1."""

    text: str
    outcome: Literal["holds", "contradicted", "inconclusive"]
    sign: str
    statistic: str
    measured: str
    between: str
    count: str
    source: str
    interval: Markup | None

    @property
    def titled(self) -> Markup | None:
        """The interval's line with its numbers inside it, for paper."""
        return self.interval and titled(self.interval, f"{self.measured}, interval {self.between}")


@dataclass(frozen=True)
class Paper:
    """The claims, the charts of first filters and layers, and how much optimized images vary."""

    claims: tuple[ClaimRow, ...]
    charts: tuple[Chart, ...]
    variation: Grid | None


def paper_section(report: Report) -> Paper | None:
    """None if there is nothing of it."""
    rows = tuple(_row(claim, f"claim-{index}") for index, claim in enumerate(report.claims))
    drawn = (*filters.draw(report), *_of_tables(report))
    varying = variation(report.tables)
    return Paper(rows, drawn, varying) if rows or drawn or varying else None


def _of_tables(report: Report) -> Iterator[Chart]:
    for table in report.tables:
        draw = {"spread": layers.spread, "directions": directions.purities}.get(table.name)
        chart = draw(table) if draw else None
        if chart is not None:
            yield chart


def _row(claim: Claim, name: str) -> ClaimRow:
    return ClaimRow(
        text=claim.text,
        outcome=claim.outcome,
        sign=SIGNS[claim.outcome],
        statistic=claim.statistic,
        measured=_short(claim.measured),
        between=f"{_short(claim.low)} to {_short(claim.high)}",
        count=number(claim.count),
        source=claim.source,
        interval=claims.interval(claim, name) if claim.statistic in FROM_MINUS_ONE_TO_ONE else None,
    )


def _short(value: float) -> str:
    """Two decimals: there is no use for more of an interval."""
    return "not known" if math.isnan(value) else number(round(value, 2))
