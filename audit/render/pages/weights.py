"""Tables of weights and of layers -> what can be said without a picture, and how many directions a layer varies in."""

from collections.abc import Mapping
from typing import Any

from audit.records import Report, Table
from audit.render.pages.sections import Column, Grid, Section, cut, section
from audit.render.rows import rows_of
from audit.render.wording import DASH, number, percent
from audit.words import unit_of

ROWS = 1000
COUNTS = ("count", "zeros", "distinct", "not_finite", "std", "largest")


def weights_section(report: Report) -> Section | None:
    """The section; None if none of its tables was made."""
    tables = {table.name: table for table in report.tables}
    return section(
        "weights",
        "weights",
        "Weights",
        "What the network is before it sees a picture.",
        (),
        (_parameters(tables.get("parameters")), _correlations(tables.get("correlations"))),
    )


def _parameters(table: Table | None) -> Grid | None:
    rows = [_parameter(row) for row in rows_of(table, "layer", "name", "kind", "shape", "initialization", *COUNTS)]
    if not rows:
        return None
    shown, left_out = cut(rows, ROWS, "tables/parameters.parquet")
    return Grid(
        f"{number(len(rows))} {unit_of(len(rows), 'tensors')} of the state dict",
        "Zeros are exact zeros. The last column names the usual initialization that leaves such values, if one does.",
        (
            *(Column(name) for name in ("tensor", "kind")),
            *(Column(name, True) for name in ("shape", "zeros", "distinct", "not finite", "std", "largest")),
            Column("as initialized"),
        ),
        shown,
        left_out,
        folded=True,
    )


def _parameter(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['layer']}.{row['name']}",
        row["kind"],
        row["shape"],
        percent(row["zeros"] / row["count"]) if row["count"] else DASH,
        *(number(row[name]) for name in ("distinct", "not_finite", "std", "largest")),
        row["initialization"] or DASH,
    )


def _correlations(table: Table | None) -> Grid | None:
    rows = rows_of(table, "layer", "units", "effective_units")
    if not rows:
        return None
    return Grid(
        "In how many directions layers vary",
        "The participation ratio of the units' covariance: 1 if all units move as one, the number of units if each "
        "varies alone and as much as the others.",
        (Column("layer"), Column("units", True), Column("directions", True)),
        tuple((row["layer"], number(row["units"]), number(row["effective_units"])) for row in rows),
        folded=len(rows) > 20,
    )
