"""Scalars <-> `units.parquet`: a row per unit (model, layer, unit), a column per number that any layer has.

A number that a layer does not have is null; a number that was measured and is not a number stays NaN.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audit.errors import StoreError
from audit.records import Scalars
from audit.store.document import numeric

KEYS = ("model", "layer", "unit")


def encode(model: str, scalars: Sequence[Scalars]) -> bytes:
    """The bytes of `units.parquet`, layers in the order given. StoreError if records of a layer disagree."""
    import pyarrow as pa
    from pyarrow import parquet

    layers = _merged(scalars)
    units = {layer: len(next(iter(columns.values()))) for layer, columns in layers.items()}
    names = list(dict.fromkeys(name for columns in layers.values() for name in columns))
    arrays: dict[str, Any] = {
        "model": pa.array([text(model)] * sum(units.values()), pa.string()),
        "layer": pa.array([text(layer) for layer, count in units.items() for _ in range(count)], pa.string()),
        "unit": pa.array([unit for count in units.values() for unit in range(count)], pa.int64()),
    }
    for name in names:
        parts = [_part(columns.get(name), units[layer]) for layer, columns in layers.items()]
        arrays[name] = pa.concat_arrays(parts)
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue()


def decode(content: bytes, index: Sequence[Mapping[str, Any]]) -> tuple[Scalars, ...]:
    """The scalars that `index` (of results.json) lists. ValueError if the table does not fit it."""
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    first, rows = {}, 0
    for entry in index:
        if entry["columns"] and entry["layer"] not in first:
            first[entry["layer"]] = rows
            rows += entry["units"]
    if table.num_rows != rows:
        raise ValueError(f"units.parquet has {table.num_rows} rows instead of {rows}")
    return tuple(
        Scalars(
            entry["layer"],
            {
                name: _column(table[name].slice(first[entry["layer"]], entry["units"]), dtype)
                for name, dtype in entry["columns"].items()
            },
        )
        for entry in index
    )


def _merged(scalars: Sequence[Scalars]) -> dict[str, dict[str, np.ndarray]]:
    """layer -> name -> column of all records of each layer."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for record in scalars:
        for name, column in record.columns.items():
            columns = layers.setdefault(record.layer, {})
            if name in columns or name in KEYS:
                raise StoreError(f"layer {record.layer!r} has the column {name!r} twice")
            columns[name] = np.asarray(column)
    for layer, columns in layers.items():
        shapes = {column.shape for column in columns.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise StoreError(f"the columns of layer {layer!r} have different numbers of units: {sorted(shapes)}")
    return layers


def text(name: str) -> str:
    """A name as Parquet can hold it: `?` for half a surrogate pair (of a file name that is no UTF-8)."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _part(column: np.ndarray | None, units: int) -> Any:
    import pyarrow as pa

    if column is None:
        return pa.nulls(units, pa.float64())
    return pa.array(column.astype(np.float64), pa.float64(), from_pandas=False)


def _column(column: Any, dtype: str) -> np.ndarray:
    if column.null_count:
        raise ValueError("units.parquet lacks numbers that results.json lists")
    values: np.ndarray = column.to_numpy().astype(numeric(dtype))
    return values
