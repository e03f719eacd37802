"""A table -> its rows."""

from typing import Any

from audit.records import Table


def rows_of(table: Table | None, *names: str) -> list[dict[str, Any]]:
    """The rows of a table as mappings; none of a table that is not there, or lacks one of the columns."""
    if table is None or not set(names) <= table.columns.keys():
        return []
    columns = (table.columns[name].tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
