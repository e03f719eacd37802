"""The table "baseline" -> what was accepted and what is measured now, side by side, what changed most first."""

import math
from collections.abc import Mapping
from typing import Any

from audit.records import Report
from audit.render.pages.layers import NUMBERS
from audit.render.pages.sections import Column, Grid, Section, cut, section
from audit.render.rows import rows_of
from audit.render.wording import DASH, number, percent, with_unit
from audit.words import plural

ROWS = 400


def baseline_section(report: Report) -> Section | None:
    """The section; None if nothing was accepted."""
    rows = sorted(
        rows_of(report.table("baseline"), "layer", "number", "then", "now", "unit"), key=_change, reverse=True
    )
    if not rows:
        return None
    changed = sum(row["then"] != row["now"] for row in rows)
    shown, left_out = cut([_row(row) for row in rows], ROWS, "tables/baseline.parquet")
    grid = Grid(
        f"{plural(changed, 'number')} of {len(rows)} changed",
        "What changed most, relative to what was accepted, stands first.",
        (Column("number"), Column("layer"), *(Column(name, True) for name in ("accepted", "now", "change"))),
        shown,
        left_out,
        folded=not changed,
    )
    return section(
        "baseline",
        "baseline",
        "Beside the baseline",
        "The numbers that somebody accepted, and those of this checkpoint. Only checks with `change` are judged by it.",
        (),
        (grid,),
    )


def _change(row: Mapping[str, Any]) -> float:
    then, now = row["then"], row["now"]
    if not math.isfinite(now):
        return math.inf
    return abs(now - then) / abs(then) if then else (math.inf if now else 0.0)


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    then, now, unit = row["then"], row["now"], row["unit"]
    name = NUMBERS.get(row["number"], row["number"])
    return name, row["layer"], with_unit(then, unit), with_unit(now, unit), _said(then, now, _change(row))


def _said(then: float, now: float, change: float) -> str:
    if then == now:
        return "none"
    if not math.isfinite(now):
        return DASH
    signed = f"{'+' if now > then else ''}{number(now - then)}"
    return f"{signed} ({percent(change)})" if math.isfinite(change) else signed
