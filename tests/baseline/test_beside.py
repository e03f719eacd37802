"""Where something was accepted, the report shows it beside what is measured now."""

import dataclasses

import numpy as np

from audit.baseline import Accepted, Entry, beside
from audit.records import Item, Outline, Report, Verdict
from audit.render.pages.beside import baseline_section
from audit.render.wording import DASH, MINUS


def verdict(layer: str | None, task: str, measured: float | None, unit: str = "%") -> Verdict:
    return Verdict(Item("audit.toml", "demo", layer, task), "passed", "", measured, unit=unit)


def entry(value: float, unit: str = "%") -> Entry:
    return Entry("dead-units", value, unit, "at most")


ACCEPTED = Accepted(
    "2026-01-17T09:30:00+00:00",
    "0" * 64,
    "1" * 64,
    "2" * 64,
    items={
        "conv1::dead-units": entry(2.0),
        "conv2::dead-units": entry(0.0),
        "accuracy": entry(95.0),
        "gone": entry(1.0),
        "other-unit": entry(1.0),
        "unmeasured": entry(1.0),
    },
    numbers={"top1": 0.95, "gone": 1.0},
)
VERDICTS = (
    verdict("conv1", "dead-units", 3.0),
    verdict("conv2", "dead-units", 0.0),
    verdict(None, "accuracy", float("nan")),
    verdict(None, "other-unit", 1.0, ""),
    verdict(None, "unmeasured", None),
    verdict(None, "new", 5.0),
)


def test_what_both_have_stands_side_by_side() -> None:
    table = beside(ACCEPTED, VERDICTS, {"top1": 0.9, "images": 1000.0})
    rows = list(zip(*(column.tolist() for column in table.columns.values()), strict=True))
    assert rows[:2] == [("conv1", "dead-units", 2.0, 3.0, "%"), ("conv2", "dead-units", 0.0, 0.0, "%")]
    assert rows[2][:3] == ("", "accuracy", 95.0)
    assert np.isnan(rows[2][3])
    assert rows[3:] == [("", "top1", 0.95, 0.9, "")]


def test_what_changed_most_stands_first() -> None:
    table = beside(ACCEPTED, VERDICTS, {"top1": 0.9})
    section = baseline_section(Report("audit", "demo", Outline((3, 8, 8), ()), VERDICTS, tables=(table,)))
    assert section is not None
    (grid,) = section.grids
    assert grid.title == "3 numbers of 4 changed"
    assert [row[:2] for row in grid.rows] == [
        ("accuracy", ""),
        ("dead-units", "conv1"),
        ("top-1 accuracy", ""),
        ("dead-units", "conv2"),
    ]
    assert grid.rows[0][2:] == ("95 %", "not a number %", DASH)
    assert grid.rows[1][2:] == ("2 %", "3 %", "+1 (50 %)")
    assert grid.rows[2][4] == f"{MINUS}0.05 (5.26 %)"
    assert grid.rows[3][4] == "none"


def test_where_nothing_was_accepted_there_is_no_section() -> None:
    report = Report("audit", "demo", Outline((3, 8, 8), ()), VERDICTS)
    assert baseline_section(report) is None
    nothing = beside(dataclasses.replace(ACCEPTED, items={}, numbers={}), VERDICTS, {})
    assert nothing.rows == 0
    assert baseline_section(dataclasses.replace(report, tables=(nothing,))) is None
