"""Tables and histograms <-> bytes: a Parquet file per table, and one for all histograms."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audit.records import Histogram, Table
from audit.store.document import numeric
from audit.store.work import plain


def encode(table: Table) -> bytes:
    """The Parquet file of a table."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: pa.array(_sayable(plain(column)), from_pandas=False) for name, column in table.columns.items()}
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def entry(table: Table) -> dict[str, Any]:
    """What results.json says of a table."""
    return {
        "name": table.name,
        "rows": table.rows,
        "columns": {k: _kind(column) for k, column in table.columns.items()},
    }


def decode(content: bytes, entry: Mapping[str, Any]) -> Table:
    """The table that results.json lists as `entry`; ValueError if the file is not that table."""
    from pyarrow import parquet

    stored = parquet.read_table(io.BytesIO(content))
    if stored.num_rows != (entry["rows"] if entry["columns"] else 0):
        raise ValueError(f"the table {entry['name']!r} has {stored.num_rows} rows instead of {entry['rows']}")
    return Table(entry["name"], {name: _column(stored[name], kind) for name, kind in entry["columns"].items()})


def encode_histograms(histograms: Sequence[Histogram]) -> bytes:
    """One Parquet file, a row per unit of each histogram in their order, with its edges and counts."""
    import pyarrow as pa
    from pyarrow import parquet

    edges = [row for histogram in histograms for row in histogram.edges.astype(np.float64)]
    counts = [row for histogram in histograms for row in histogram.counts.astype(np.int64)]
    columns = {"edges": pa.array(edges, pa.list_(pa.float64())), "counts": pa.array(counts, pa.list_(pa.int64()))}
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def decode_histograms(content: bytes, entries: Sequence[Mapping[str, Any]]) -> tuple[Histogram, ...]:
    """The histograms that results.json lists: layer and number of units of each."""
    from pyarrow import parquet

    stored = parquet.read_table(io.BytesIO(content))
    if stored.num_rows != sum(entry["units"] for entry in entries):
        raise ValueError(f"the histograms have {stored.num_rows} rows")
    found, first = [], 0
    for entry in entries:
        rows = stored.slice(first, entry["units"])
        edges, counts = (np.array(rows[name].to_pylist()).reshape(entry["units"], -1) for name in ("edges", "counts"))
        found.append(Histogram(entry["layer"], edges.astype(np.float64), counts.astype(np.int64)))
        first += entry["units"]
    return tuple(found)


def _kind(column: np.ndarray) -> str:
    return "text" if plain(column).dtype.kind == "U" else str(column.dtype)


def _sayable(column: np.ndarray) -> Any:
    """Texts as UTF-8 can say them: `?` for half a surrogate pair, of a file name that is no UTF-8."""
    if column.dtype.kind != "U":
        return column
    return [text.encode("utf-8", "replace").decode("utf-8") for text in column.tolist()]


def _column(stored: Any, kind: str) -> np.ndarray:
    if kind == "text":
        return np.array(stored.to_pylist(), dtype=str)
    values: np.ndarray = stored.to_numpy().astype(numeric(kind))
    return values
