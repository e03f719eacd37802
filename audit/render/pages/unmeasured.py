"""Report -> what was not measured, and why."""

from collections.abc import Iterator, Mapping

from audit.records import Report
from audit.render.pages.columns import Columns
from audit.render.pages.sections import Column, Grid, cut
from audit.words import plural

ROWS = 200


def unmeasured(report: Report, columns: Mapping[str, Columns]) -> Grid | None:
    """Layers, items and pictures; None if nothing was left out."""
    rows = list(_rows(report, columns))
    if not rows:
        return None
    shown, left_out = cut(rows, ROWS, "results.json")
    return Grid(
        "What was not measured, and why",
        "Only what the selected items needed is measured.",
        (Column("what"), Column("why")),
        shown,
        left_out,
        folded=len(shown) > 10,
    )


def _rows(report: Report, columns: Mapping[str, Columns]) -> Iterator[tuple[str, str]]:
    layers = [layer.name for layer in report.outline.layers if layer.name not in columns]
    if layers and columns:
        yield f"{plural(len(layers), 'layer')}: {', '.join(layers)}", "no [[layers]] that was selected names them"
    for verdict in report.verdicts:
        if verdict.outcome in ("skipped", "error"):
            yield verdict.item.name, f"{verdict.outcome}: {verdict.message}"
    damaged = sum(table.rows for table in report.tables if table.name == "damaged")
    if damaged:
        yield plural(damaged, "picture"), "could not be shown, and is left out of everything"
