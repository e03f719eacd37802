"""The table "parameters" -> its rows, as the checks of weights read them."""

from collections.abc import Mapping
from typing import Any

from audit.checks.evidence import Evidence

Row = Mapping[str, Any]


def parameter_rows(evidence: Evidence) -> list[Row]:
    """Every parameter and buffer; Unavailable if the table was not made."""
    table = evidence.table("parameters")
    return [{name: column[index] for name, column in table.columns.items()} for index in range(table.rows)]


def filter_rows(evidence: Evidence) -> list[Row]:
    """The weights of convolutions, linear and attention layers."""
    return [row for row in parameter_rows(evidence) if row["filters"] > 0]
