"""Numbers of pictures <-> `pictures.parquet`: a row per picture (model, layer, kind, unit, group, tile).

A number that pictures of that kind and layer do not have is null; one that is not known stays NaN.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from audit.errors import StoreError
from audit.records import Pictures
from audit.store.table import text

KEYS = ("model", "layer", "kind", "unit", "group", "tile")


def encode(model: str, pictures: Sequence[Pictures]) -> bytes:
    """The bytes of `pictures.parquet`, records in the order given. StoreError if a column has another shape."""
    import pyarrow as pa
    from pyarrow import parquet

    for record in pictures:
        _check(record)
    rows = [row for record in pictures for row in _rows(model, record)]
    names = list(dict.fromkeys(name for record in pictures for name in record.numbers))
    types = dict(zip(KEYS, (pa.string(), pa.string(), pa.string(), pa.int64(), pa.string(), pa.int64()), strict=True))
    arrays = {key: pa.array([row[index] for row in rows], types[key]) for index, key in enumerate(KEYS)}
    for name in names:
        arrays[name] = pa.concat_arrays([_part(record, name) for record in pictures])
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue()


def decode(content: bytes, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Float[np.ndarray, "unit tile"]]]:
    """The numbers of each record that results.json lists. ValueError if the file does not fit them."""
    from pyarrow import parquet

    names = list(dict.fromkeys(name for entry in entries for name in entry["numbers"]))
    table = parquet.read_table(io.BytesIO(content), columns=names)  # the others say what results.json says
    shapes = [(len(entry["units"]), entry["tiles"]) for entry in entries]
    if table.num_rows != sum(units * tiles for units, tiles in shapes):
        raise ValueError(f"pictures.parquet has {table.num_rows} rows")
    found, first = [], 0
    for entry, (units, tiles) in zip(entries, shapes, strict=True):
        rows = table.slice(first, units * tiles)
        found.append({name: _column(rows[name]).reshape(units, tiles) for name in entry["numbers"]})
        first += units * tiles
    return found


def _rows(model: str, record: Pictures) -> list[tuple[str, str, str, int, str, int]]:
    tiles, groups = record.tiles.shape[1], record.groups or ("",)
    each = max(1, tiles // len(groups))
    return [
        (text(model), text(record.layer), text(record.kind), int(unit), text(groups[tile // each]), tile % each)
        for unit in record.units
        for tile in range(tiles)
    ]


def _check(record: Pictures) -> None:
    where = f"pictures {record.kind!r} of layer {record.layer!r}"
    for name, column in record.numbers.items():
        if name in KEYS:
            raise StoreError(f"{where}: no number may be called {name!r}")
        if column.shape != record.tiles.shape[:2]:
            raise StoreError(f"{where}: {name!r} is {list(column.shape)}, not {list(record.tiles.shape[:2])}")


def _part(record: Pictures, name: str) -> Any:
    import pyarrow as pa

    if name not in record.numbers:
        return pa.nulls(record.tiles.shape[0] * record.tiles.shape[1], pa.float64())
    return pa.array(record.numbers[name].astype(np.float64).ravel(), pa.float64(), from_pandas=False)


def _column(column: Any) -> Float[np.ndarray, " row"]:
    if column.null_count:
        raise ValueError("pictures.parquet lacks numbers that results.json lists")
    values: np.ndarray = column.to_numpy().astype(np.float64)
    return values
