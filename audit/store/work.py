"""Finished work on disk, keyed by what made it: a killed run goes on, an unchanged item is not computed again."""

import dataclasses
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from audit.records import Histogram, Numbers, Pictures, Responses, Scalars, Table, TopK

Made = Scalars | TopK | Numbers | Pictures | Histogram | Responses | Table
KINDS: dict[str, type[Made]] = {
    kind.__name__: kind for kind in (Scalars, TopK, Numbers, Pictures, Histogram, Responses, Table)
}
COLUMNS: dict[type, str] = {Scalars: "columns", Table: "columns", Pictures: "numbers"}
"""The field of a record that maps names to arrays."""

RECORD = "record type"  # no field of a record has this name
T = TypeVar("T")


def key(**made_by: Any) -> str:
    """The digest of everything that a piece of work depends on (JSON values)."""
    return hashlib.sha256(json.dumps(made_by, sort_keys=True, default=str).encode()).hexdigest()


class Work:
    """A folder with one file of records per key; a file that cannot be read counts as not there."""

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, name: str) -> list[Made] | None:
        """The records stored under that key, or None."""
        try:
            with open(self._path(name), "rb") as file, np.load(file, allow_pickle=False) as arrays:
                kept = json.loads(arrays["records"].item())
                return [_record(KINDS[entry[RECORD]], entry, number, arrays) for number, entry in enumerate(kept)]
        except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile, NotImplementedError, zlib.error):
            return None

    def put(self, name: str, records: Sequence[Made]) -> None:
        """Stores records under that key; whole or not at all.

        What cannot be kept is only computed again: a full disk or a folder that is a file stop the report, not this.
        """
        arrays: dict[str, np.ndarray] = {}
        entries = [_entry(record, number, arrays) for number, record in enumerate(records)]
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self.folder) as temporary:
                part = Path(temporary) / "part.npz"
                np.savez(part, allow_pickle=False, records=np.array(json.dumps(entries)), **arrays)
                os.replace(part, self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def _entry(record: Made, number: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The record as JSON, its arrays put aside under NUMBER.FIELD or NUMBER.FIELD.COLUMN."""
    entry: dict[str, Any] = {RECORD: type(record).__name__}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{number}.{field.name}"] = value
        elif field.name == COLUMNS.get(type(record)):
            arrays.update({f"{number}.{field.name}.{column}": plain(array) for column, array in value.items()})
            entry[field.name] = list(value)
        else:
            entry[field.name] = value
    return entry


def _record(kind: type[T], entry: Mapping[str, Any], number: int, arrays: Mapping[str, np.ndarray]) -> T:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name == COLUMNS.get(kind):
            values[field.name] = {column: arrays[f"{number}.{field.name}.{column}"] for column in entry[field.name]}
        elif field.name in entry:
            values[field.name] = _tuples(entry[field.name])
        else:
            values[field.name] = arrays[f"{number}.{field.name}"]
    return kind(**values)


def plain(column: np.ndarray) -> np.ndarray:
    """The column, texts as an array of texts, which needs no pickle."""
    return column.astype(str) if column.dtype.kind == "O" else column


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
